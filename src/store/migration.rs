//! The numbered steps that bring a database to this version, alike on both engines.

use super::StoreError;

/// One step; its file stands under the same number and name for both databases.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub number: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

/// All steps of one database, numbered from 1 without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Migrations(&'static [Migration]);

macro_rules! migrations {
    ($folder:literal: $($number:literal $name:literal),+ $(,)?) => {
        Migrations(&[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $folder, "/", $name, ".sql")),
        }),+])
    };
}

impl Migration {
    /// What a program has to know to work on the database after this step.
    #[must_use]
    pub fn needed(&self) -> i64 {
        self.number.min(Migrations::NEEDED)
    }
}

impl Migrations {
    pub const SQLITE: Self = migrations!("sqlite": 1 "0001_registry", 2 "0002_waiting", 3 "0003_estimates", 4 "0004_events", 5 "0005_idempotency", 6 "0006_location_version", 7 "0007_profiles", 8 "0008_continuity", 9 "0009_receipts", 10 "0010_identity", 11 "0011_newest_of_profile", 12 "0012_told_starts", 13 "0013_deleted_locations", 14 "0014_dashboard_columns", 15 "0015_long_runs");
    pub const POSTGRES: Self = migrations!("postgres": 1 "0001_registry", 2 "0002_waiting", 3 "0003_estimates", 4 "0004_events", 5 "0005_idempotency", 6 "0006_location_version", 7 "0007_profiles", 8 "0008_continuity", 9 "0009_receipts", 10 "0010_identity", 11 "0011_newest_of_profile", 12 "0012_told_starts", 13 "0013_deleted_locations", 14 "0014_dashboard_columns", 15 "0015_long_runs");

    /// What a program has to know to work on the database that this one makes. What comes behind only adds, so that the version
    /// before goes on beside this one, and can be gone back to. `CONTRIBUTING.md` has the rule.
    pub const NEEDED: i64 = 7;

    #[must_use]
    pub const fn all(self) -> &'static [Migration] {
        self.0
    }

    /// The steps still to take, given the number of the last one taken, 0 for none, and the number that a program has to
    /// know to work on the database.
    ///
    /// # Errors
    /// A database that is ahead of this program must not be touched by it, unless it says that it may be.
    pub fn after(self, last: i64, needed: i64) -> Result<&'static [Migration], StoreError> {
        let newest = self.0.len() as i64;
        if last > newest && needed <= newest {
            tracing::info!(last, newest, "the database was migrated by a newer version, beside which this one works");
            return Ok(&[]);
        }
        let taken = usize::try_from(last).ok().filter(|_| last <= newest).ok_or_else(|| {
            StoreError::Unsuitable(format!(
                "the database was written by a newer version of perfreg (its schema is number {last}, this version \
                 knows {newest}); start that version, or restore a backup from before the upgrade"
            ))
        })?;
        Ok(&self.0[taken..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_steps_numbered_without_gaps() {
        let steps = |migrations: Migrations| -> Vec<(i64, &str)> {
            migrations.all().iter().map(|step| (step.number, step.name)).collect()
        };
        assert_eq!(steps(Migrations::SQLITE), steps(Migrations::POSTGRES));
        for (index, (number, name)) in steps(Migrations::SQLITE).into_iter().enumerate() {
            assert_eq!(number, index as i64 + 1);
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
    }

    #[test]
    fn a_database_of_a_newer_version_is_left_alone() {
        let newer = Migrations::SQLITE.all().len() as i64 + 1;
        let error = Migrations::SQLITE.after(newer, newer).expect_err("newer than this program");
        assert!(error.to_string().contains("newer version"), "{error}");
        assert!(Migrations::SQLITE.after(newer, newer - 1).expect("it says so").is_empty());
    }
}
