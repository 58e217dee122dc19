//! Puts a backup in the place of a database.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use tempfile::TempPath;

use super::backup::{Contents, Progress, cannot_read, copy_whole, new_file, sync};
use super::claim::{Claim, canonical, folder, with_suffix};
use super::connection::{BUSY_TIMEOUT, classify, classify_commit, unsuitable};
use super::rows::{self, timestamp_text};
use super::{events, migrate};
use crate::domain::continuity::{Continuity, numbers_left_out};
use crate::store::StoreError;

/// What was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub contents: Contents,
    /// Where the database is that was there before.
    pub replaced: Option<PathBuf>,
    /// No `run_id` from now on is smaller.
    pub next_run_id: i64,
}

/// Puts a copy of the backup `from` in the place of the database `to`, which no server may have meanwhile.
///
/// What was there is kept beside, and no number that was given out since the backup is given out again.
///
/// # Errors
/// If the backup is not sound or not ours, or `to` is in use or not ours; the database is then as it was.
pub fn restore(from: &Path, to: &Path, now: Timestamp, progress: Progress) -> Result<Restored, StoreError> {
    let claim = Claim::on(to)?;
    let restored = restore_claimed(from, to, now, progress);
    if restored.is_err() {
        claim.withdraw();
    }
    restored
}

fn restore_claimed(from: &Path, to: &Path, now: Timestamp, progress: Progress) -> Result<Restored, StoreError> {
    let unusable = |error: io::Error| cannot_replace(to, &error);
    let to = canonical(to).map_err(unusable)?;
    if fs::canonicalize(from).is_ok_and(|from| from == to) {
        return Err(StoreError::Unsuitable(format!("{} is the database itself; name its backup", from.display())));
    }
    check_ours(&to)?;
    let copy = new_file(&to)?;
    let contents = copy_whole(from, &copy, progress)?;
    let next_run_id = go_on(&copy, from, now)?;
    sync(&copy)?;
    fold_in_changes(&to)?;
    let replaced = replace(copy, &to, now).map_err(unusable)?;
    sync(folder(&to))?;
    Ok(Restored { contents, replaced, next_run_id })
}

/// Brings the copy to this version, and above all numbers that it may not know of. Gives the next `run_id`.
fn go_on(copy: &Path, from: &Path, now: Timestamp) -> Result<i64, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(copy, flags).map_err(|error| unsuitable(from, &error))?;
    migrate::migrate(&mut connection, from)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
    let last = leave_numbers_out(&transaction, now).map_err(classify)?;
    let sql = format!("SELECT {} FROM perfreg_registry WHERE id = 1", rows::CONTINUITY_COLUMNS);
    let before = transaction.query_row(&sql, [], rows::continuity).map_err(classify)?;
    let pulse = before.restored(now);
    let Continuity { fence_floor, pulse_at, resumed_at } = pulse.continuity;
    transaction
        .execute(
            "UPDATE perfreg_registry SET fence_floor = ?1, pulse_at = ?2, resumed_at = ?3 WHERE id = 1",
            params![fence_floor, pulse_at.map(timestamp_text), resumed_at.map(timestamp_text)],
        )
        .map_err(classify)?;
    events::insert(&transaction, pulse.event.as_slice(), None, now).map_err(classify)?;
    transaction.commit().map_err(classify_commit)?;
    Ok(last + 1)
}

/// Moves the numbering of executions and events on; gives the last `run_id` that is left out.
fn leave_numbers_out(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<i64> {
    // The newest that the backup knows of; the database itself is older than anything in it.
    let moments = [
        "SELECT 0, at FROM perfreg_events ORDER BY number DESC LIMIT 1",
        "SELECT 0, start_time FROM test_executions ORDER BY start_time DESC LIMIT 1",
        "SELECT 0, applied_at FROM perfreg_migrations ORDER BY number LIMIT 1",
    ];
    let mut taken_at = None;
    for sql in moments {
        let moment = transaction.query_row(sql, [], rows::run_id_and_time).optional()?;
        taken_at = taken_at.max(moment.map(|(_, at)| at));
    }
    let step = numbers_left_out(taken_at, now);
    let move_on = |table: &str| -> rusqlite::Result<i64> {
        let count =
            transaction.execute("UPDATE sqlite_sequence SET seq = seq + ?2 WHERE name = ?1", params![table, step])?;
        if count == 0 {
            transaction.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, step])?;
        }
        transaction.query_row("SELECT seq FROM sqlite_sequence WHERE name = ?1", [table], |row| row.get(0))
    };
    move_on("perfreg_events")?;
    move_on("test_executions")
}

/// Nobody else's file is moved away: what is replaced is a database of ours, though a damaged one, or empty.
fn check_ours(to: &Path) -> Result<(), StoreError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut begin = Vec::new();
    match File::open(to).and_then(|file| file.take(16).read_to_end(&mut begin)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot_replace(to, &error)),
        Ok(_) => {}
    }
    let sql = "SELECT count(*) = 0 OR total(name IN ('perfreg_migrations', 'test_executions')) = 2 FROM sqlite_schema";
    let is_ours = || with_old(to, |old| old.query_row(sql, [], |row| row.get(0)), true);
    if begin.is_empty() || (begin == MAGIC && is_ours()?) {
        return Ok(());
    }
    let to = to.display();
    Err(StoreError::Unsuitable(format!("{to} is no perfreg database; name another file or remove it")))
}

/// Brings what stands in files beside the database into it, so that its one file is the whole of it.
fn fold_in_changes(to: &Path) -> Result<(), StoreError> {
    if !to.exists() {
        return Ok(());
    }
    let checkpoint = |old: &Connection| old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    if with_old(to, checkpoint, false)? {
        return Err(StoreError::Unavailable(format!("somebody reads {}; try again when they are done", to.display())));
    }
    Ok(())
}

/// Asks the database that is to be replaced; if it is too damaged to answer, the answer is `if_damaged`.
fn with_old(
    to: &Path,
    ask: impl FnOnce(&Connection) -> rusqlite::Result<bool>,
    if_damaged: bool,
) -> Result<bool, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let answer = Connection::open_with_flags(to, flags).and_then(|old| {
        old.busy_timeout(BUSY_TIMEOUT)?;
        ask(&old)
    });
    match answer {
        Err(error)
            if matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) =>
        {
            Ok(if_damaged)
        }
        answer => answer.map_err(|error| cannot_read(to, &error)),
    }
}

/// At every moment a whole database is under the name: the old one gets a second name, and the new one takes its first.
fn replace(copy: TempPath, to: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let aside = with_suffix(to, &now.strftime(".replaced-%Y%m%dT%H%M%S.%fZ").to_string());
    let replaced = match fs::metadata(to) {
        Ok(before) => {
            keep_owner(&copy, &before)?;
            keep_as(to, &aside, &before)?;
            Some(aside.clone())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Of a sound database they are empty by now. SQLite would else take them for the newest changes of the restored one.
    let moved = move_all(&BESIDE, to, &aside).and_then(|()| Ok(copy.persist(to)?));
    if let Err(error) = moved {
        // It is as it was; what cannot be taken back is told by the error that there is.
        let _ = move_all(&BESIDE, &aside, to);
        let _ = fs::remove_file(&aside);
        return Err(error);
    }
    Ok(replaced)
}

const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

fn move_all(suffixes: &[&str], from: &Path, to: &Path) -> io::Result<()> {
    for suffix in suffixes {
        match fs::rename(with_suffix(from, suffix), with_suffix(to, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A second name, or where the disk knows none, a copy.
fn keep_as(to: &Path, aside: &Path, before: &Metadata) -> io::Result<()> {
    match fs::hard_link(to, aside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            let kept = fs::copy(to, aside)
                .and_then(|_| keep_owner(aside, before))
                .and_then(|()| File::open(aside)?.sync_all());
            kept.inspect_err(|_| drop(fs::remove_file(aside)))
        }
        linked => linked,
    }
}

fn keep_owner(copy: &Path, before: &Metadata) -> io::Result<()> {
    let copied = fs::metadata(copy)?;
    if (copied.uid(), copied.gid()) != (before.uid(), before.gid()) {
        chown(copy, Some(before.uid()), Some(before.gid()))?;
    }
    fs::set_permissions(copy, before.permissions())
}

fn cannot_replace(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unsuitable(format!(
        "cannot replace {}: {error}; nothing was changed, so see to that and run it again",
        path.display()
    ))
}
