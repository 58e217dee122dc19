//! Copies a database file while a server uses it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use tempfile::TempPath;

use super::claim::{Claim, folder, with_suffix};
use super::connection::{BUSY_TIMEOUT, message};
use super::rows;
use crate::store::StoreError;

/// Four megabytes, after which a copy may be stopped and says how far it is.
const PAGES_AT_ONCE: i32 = 1_024;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What a database file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub executions: i64,
    pub running: i64,
    pub waiting: i64,
    /// The `run_id` and the start of the newest execution.
    pub newest: Option<(i64, Timestamp)>,
    pub bytes: u64,
}

/// How a long copy says how far it is, in bytes done and to do, and learns that it is to stop.
pub struct Progress {
    pub say: Box<dyn FnMut(u64, u64) + Send>,
    pub stop: Arc<AtomicBool>,
}

/// Copies the database at `from` to `to`, which then holds everything that was acknowledged before, and only appears
/// once it is whole and on the disk. The one that serves it goes on.
///
/// # Errors
/// If either cannot be used, or the copy is not sound; nothing is left behind.
pub fn backup(from: &Path, to: &Path, overwrite: bool, progress: Progress) -> Result<Contents, StoreError> {
    check_target(from, to, overwrite)?;
    // No server may begin on what is to be replaced.
    let claim = if to.exists() { Some(Claim::on(to)?) } else { None };
    let copied = new_file(to).and_then(|copy| {
        let contents = copy_whole(from, &copy, progress)?;
        move_into_place(copy, to, overwrite)?;
        Ok(contents)
    });
    if let Some(claim) = claim {
        claim.withdraw();
    }
    copied
}

/// A copy that is proven sound, in a single file and on the disk.
pub fn copy_whole(from: &Path, to: &Path, mut progress: Progress) -> Result<Contents, StoreError> {
    let source = open_source(from)?;
    let mut target =
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|target| target.pragma_update(None, "synchronous", "off").map(|()| target))
            .map_err(|error| cannot_write(to, &error))?;
    copy_pages(&source, &mut target, &mut progress).map_err(|error| failed(from, to, &error))?;
    let stop = Arc::clone(&progress.stop);
    target
        .progress_handler(100_000, Some(move || stop.load(Ordering::Relaxed)))
        .map_err(|error| cannot_write(to, &error))?;
    // Out of the mode in which what is new stands in a file of its own.
    target
        .pragma_update_and_check(None, "journal_mode", "delete", |row| row.get::<_, String>(0))
        .map_err(|error| failed(from, to, &error))?;
    check_integrity(&target).map_err(|reason| damaged(from, &reason))?;
    let contents = contents(&target).map_err(|error| failed(from, to, &error))?;
    drop(target);
    let bytes = sync(to)?;
    Ok(Contents { bytes, ..contents })
}

/// All in one read transaction: a writer in another process neither waits nor makes it start again.
fn copy_pages(source: &Connection, target: &mut Connection, progress: &mut Progress) -> rusqlite::Result<()> {
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let page_bytes: u64 = source.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let copy = Backup::new(source, target)?;
    loop {
        if progress.stop.load(Ordering::Relaxed) {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT),
                None,
            ));
        }
        let step = copy.step(PAGES_AT_ONCE)?;
        let (all, left) = (copy.progress().pagecount, copy.progress().remaining);
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page_bytes;
        (progress.say)(bytes(all - left), bytes(all));
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Whoever serves the file never locks it for long.
            _ => thread::sleep(BUSY_PAUSE),
        }
    }
}

fn open_source(path: &Path) -> Result<Connection, StoreError> {
    let refuse = |reason: String| Err(StoreError::Unsuitable(reason));
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return refuse(format!("{} is no file; name the one to copy", path.display()));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return refuse(format!("there is no file {}; name the one to copy", path.display()));
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(path, flags).map_err(|error| cannot_read(path, &error))?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(|error| cannot_read(path, &error))?;
    let ours = "SELECT count(*) = 2 FROM sqlite_schema WHERE name IN ('perfreg_migrations', 'test_executions')";
    if !source.query_row(ours, [], |row| row.get(0)).map_err(|error| cannot_read(path, &error))? {
        return refuse(format!("{} is not a database of perfreg; name the file that its server has", path.display()));
    }
    Ok(source)
}

fn check_integrity(connection: &Connection) -> Result<(), String> {
    let checked = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match checked {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(found),
        Err(error) => Err(message(&error)),
    }
}

fn contents(connection: &Connection) -> rusqlite::Result<Contents> {
    let count = |condition: &str| -> rusqlite::Result<i64> {
        let sql = format!("SELECT count(*) FROM test_executions {condition}");
        connection.query_row(&sql, [], |row| row.get(0))
    };
    let newest = "SELECT run_id, start_time FROM test_executions ORDER BY start_time DESC, run_id DESC LIMIT 1";
    Ok(Contents {
        executions: count("")?,
        running: count("WHERE status = 'running'")?,
        waiting: count("WHERE status = 'queued'")?,
        newest: connection.query_row(newest, [], rows::run_id_and_time).optional()?,
        bytes: 0,
    })
}

fn check_target(from: &Path, to: &Path, overwrite: bool) -> Result<(), StoreError> {
    let shown = to.display();
    let refuse = |reason: String| Err(StoreError::Unsuitable(reason));
    // SQLite would take it for the newest changes of the copy.
    let is_open = ["-wal", "-journal"].iter().any(|suffix| with_suffix(to, suffix).exists());
    let in_use = || format!("{shown} is a database in use, or one that was not closed; name another file");
    let Ok(found) = fs::metadata(to) else { return if is_open { refuse(in_use()) } else { Ok(()) } };
    if !found.is_file() {
        refuse(format!("{shown} is no file; name the file to write"))
    } else if fs::canonicalize(to).ok() == fs::canonicalize(from).ok() {
        refuse(format!("{shown} is the database itself; name another file to write"))
    } else if !overwrite {
        refuse(format!("{shown} is there already; name another file, or give --force to replace it"))
    } else if is_open {
        refuse(in_use())
    } else {
        Ok(())
    }
}

/// In the folder where it will stand, so that moving it there is one step.
pub fn new_file(beside: &Path) -> Result<TempPath, StoreError> {
    let file = tempfile::Builder::new().prefix(".perfreg-").suffix(".partial").tempfile_in(folder(beside));
    file.map(tempfile::NamedTempFile::into_temp_path).map_err(|error| cannot_write_into(folder(beside), &error))
}

fn cannot_write_into(folder: &Path, error: &io::Error) -> StoreError {
    let reason = match error.kind() {
        ErrorKind::NotFound => "it does not exist; create it, or name another".to_owned(),
        ErrorKind::NotADirectory => "it is none; name another".to_owned(),
        ErrorKind::StorageFull => "its disk is full; make room, or name another".to_owned(),
        kind => format!("{kind}; change its rights, or name another"),
    };
    StoreError::Unsuitable(format!("cannot write into the folder {}: {reason}", folder.display()))
}

fn move_into_place(file: TempPath, to: &Path, overwrite: bool) -> Result<(), StoreError> {
    let moved = if overwrite { file.persist(to) } else { file.persist_noclobber(to) };
    moved.map_err(|error| StoreError::Unsuitable(format!("cannot write {}: {}", to.display(), error.error)))?;
    sync(folder(to)).map(drop)
}

/// Puts a file, or the names in a folder, on the disk, and gives its size.
pub fn sync(path: &Path) -> Result<u64, StoreError> {
    let synced = File::open(path).and_then(|file| {
        file.sync_all()?;
        file.metadata()
    });
    synced.map(|file| file.len()).map_err(|error| {
        let folder = if path.is_dir() { path } else { folder(path) };
        StoreError::Unavailable(format!("cannot put what is in {} on its disk: {error}", folder.display()))
    })
}

pub fn cannot_read(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => damaged(path, &message(error)),
        _ => StoreError::Unavailable(format!("cannot read {}: {}", path.display(), message(error))),
    }
}

fn cannot_write(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot write into the folder {}: {}", folder(path).display(), message(error)))
}

fn damaged(path: &Path, reason: &str) -> StoreError {
    StoreError::Unsuitable(format!("{} is damaged, or no database: {reason}; use another one", path.display()))
}

fn failed(from: &Path, to: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            StoreError::Unavailable("stopped before the end; nothing was changed".to_owned())
        }
        Some(ErrorCode::DiskFull) => StoreError::Unavailable(format!(
            "the disk under {} is full; make room, or write elsewhere",
            folder(to).display()
        )),
        _ => cannot_read(from, error),
    }
}
