//! What a migration may do while the version before still runs.

use perfreg::store::{Migration, Migrations};

/// What breaks a program that does not know of it, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("DROP TABLE", "the version before reads it"),
    ("DROP COLUMN", "the version before reads it"),
    ("DROP DEFAULT", "the version before does not write the column"),
    ("RENAME", "the version before knows the old name"),
    ("ALTER COLUMN", "the version before reads and writes the old type"),
    ("SET NOT NULL", "the version before may leave it out"),
    ("ADD CONSTRAINT", "the version before may break it"),
    ("ADD CHECK", "the version before may break it"),
    ("UNIQUE INDEX", "the version before may break it"),
    ("CREATE TRIGGER", "the version before does not know what it does"),
    ("DELETE FROM", "the version before reads it"),
    ("TRUNCATE", "the version before reads it"),
];

/// What a column that the version before does not write must not ask for.
const FORBIDDEN_OF_A_COLUMN: &[&str] = &["UNIQUE", "PRIMARY KEY", "REFERENCES", "CHECK"];

/// What is wrong with the statements of a migration.
fn breaks(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join(" ").to_uppercase();
    let mut found = Vec::new();
    for statement in code.split(';') {
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let of_a_new_table = statement.starts_with("CREATE TABLE");
        let forbidden = FORBIDDEN.iter().filter(|(words, _)| !of_a_new_table && statement.contains(words));
        found.extend(forbidden.map(|(words, why)| format!("{words}: {why}: {statement}")));
        if statement.contains("ADD COLUMN") {
            if statement.contains("NOT NULL") && !statement.contains("DEFAULT") {
                found.push(format!("NOT NULL without a default: {statement}"));
            }
            let asked = FORBIDDEN_OF_A_COLUMN.iter().filter(|words| statement.contains(**words));
            found.extend(asked.map(|words| format!("{words} of a new column: {statement}")));
        }
    }
    found
}

#[test]
fn migrations_only_add_so_that_the_version_before_works_beside_this_one() {
    for migrations in [Migrations::SQLITE, Migrations::POSTGRES] {
        for Migration { number, name, sql } in migrations.all() {
            let broken = if *number > Migrations::NEEDED { breaks(sql) } else { Vec::new() };
            assert!(broken.is_empty(), "{name}: CONTRIBUTING.md has the rule\n{}", broken.join("\n"));
        }
    }
}

#[test]
fn the_rule_of_migrations_sees_what_breaks_and_only_that() {
    for sql in [
        "ALTER TABLE x DROP COLUMN y",
        "alter table x\n  rename column y to z;",
        "ALTER TABLE x ADD COLUMN y BIGINT NOT NULL",
        "ALTER TABLE x ADD COLUMN y BIGINT UNIQUE",
        "ALTER TABLE x ALTER COLUMN y TYPE TEXT",
        "CREATE UNIQUE INDEX y ON x (z)",
        "SELECT 1; DROP TABLE x",
    ] {
        assert!(!breaks(sql).is_empty(), "{sql}");
    }
    for sql in [
        "-- DROP TABLE x\nALTER TABLE x ADD COLUMN y BIGINT NOT NULL DEFAULT 0;",
        "ALTER TABLE x ADD COLUMN y TEXT",
        "CREATE TABLE x (y TEXT NOT NULL UNIQUE CHECK (y <> ''))",
        "CREATE INDEX y ON x (z); DROP INDEX w",
    ] {
        assert_eq!(breaks(sql), Vec::<String>::new(), "{sql}");
    }
}
