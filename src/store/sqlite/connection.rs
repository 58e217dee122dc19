//! Who may touch the file: one thread writes, a few connections read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task;

use crate::metrics::{ConnectionCount, DatabaseMetrics};
use crate::store::StoreError;

/// How long to wait for another process that holds the file, such as a backup.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A disk that was full has room again with so many free bytes; with fewer, the next decision may fail again.
const ROOM_BYTES: u64 = 256 * 1024;
const MOST_WRITES_WAITING: usize = 1_024;
const READERS: u32 = 4;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Do(Job),
    Close(oneshot::Sender<()>),
}

/// The only connection that writes, on a thread of its own, so that no writer ever waits for
/// another inside SQLite.
pub struct Writer {
    messages: mpsc::Sender<Message>,
    path: PathBuf,
    /// Device and inode of the file that is open.
    file: (u64, u64),
    is_busy: Arc<AtomicBool>,
    metrics: Arc<DatabaseMetrics>,
}

impl Writer {
    pub fn start(path: &Path, metrics: Arc<DatabaseMetrics>) -> Result<Self, StoreError> {
        let mut connection = open_writer(path).map_err(|error| unsuitable(path, &error))?;
        let (messages, mut waiting) = mpsc::channel(MOST_WRITES_WAITING);
        let is_busy = Arc::<AtomicBool>::default();
        let busy = Arc::clone(&is_busy);
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let closed = write_until_closed(&mut connection, &mut waiting, &busy);
                drop(connection);
                if let Some(closed) = closed {
                    // The server may have given up waiting for it.
                    let _ = closed.send(());
                }
            })
            .map_err(|error| StoreError::Unavailable(format!("cannot start the writer thread: {error}")))?;
        let file = identity(path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { messages, path: path.to_owned(), file, is_busy, metrics })
    }

    /// Refuses to write into a file that was deleted or replaced under the server, since nobody
    /// would ever find it again.
    fn check_file(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            _ => Err(StoreError::Unsuitable(format!(
                "the database file {} was moved, deleted or replaced; put it back, or restart the server",
                self.path.display()
            ))),
        }
    }

    /// # Errors
    /// If the disk under the file has hardly any room.
    pub fn check_room(&self) -> Result<(), StoreError> {
        // A file system that does not say has whatever a write finds.
        let free = rustix::fs::statvfs(&self.path).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free >= ROOM_BYTES { Ok(()) } else { Err(StoreError::Full(format!("{free} bytes are free"))) }
    }

    pub async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.write(work).await.inspect_err(|error| self.metrics.failed(error.kind()))
    }

    /// Closes the file once all that was asked before is written. Later writes fail.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        // A thread that has ended has closed it.
        if self.messages.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.check_file()?;
        let (answer, answered) = oneshot::channel();
        let (begun, metrics) = (Instant::now(), Arc::clone(&self.metrics));
        let job: Job = Box::new(move |connection| {
            metrics.waited(begun.elapsed());
            // Whoever asked may be gone; what was written stays written.
            let _ = answer.send(work(connection));
        });
        self.messages.send(Message::Do(job)).await.map_err(|_| writer_gone())?;
        answered.await.map_err(|_| writer_gone())?
    }
}

/// Says to whom it is to be told that the file is closed.
fn write_until_closed(
    connection: &mut Connection,
    waiting: &mut mpsc::Receiver<Message>,
    is_busy: &AtomicBool,
) -> Option<oneshot::Sender<()>> {
    loop {
        match waiting.blocking_recv()? {
            Message::Do(job) => {
                is_busy.store(true, Ordering::Relaxed);
                job(connection);
                is_busy.store(false, Ordering::Relaxed);
            }
            Message::Close(closed) => return Some(closed),
        }
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

fn writer_gone() -> StoreError {
    StoreError::Broken("the writer thread ended; restart the server".to_owned())
}

fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI, so that a path is a path whatever it begins with.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // With FULL, a commit is on the disk before it is acknowledged.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

pub fn unsuitable(path: &Path, error: &rusqlite::Error) -> StoreError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "it is not a SQLite database; name another file".to_owned(),
        Some(ErrorCode::CannotOpen) if path.exists() => {
            "this user may not read and write it; change its owner or its permissions, or name another file".to_owned()
        }
        Some(ErrorCode::CannotOpen) => {
            "its folder does not exist or cannot be written to; create the folder or name another file".to_owned()
        }
        Some(ErrorCode::ReadOnly) => "it cannot be written to; change its permissions or name another file".to_owned(),
        Some(ErrorCode::DiskFull) => "the disk is full; make room".to_owned(),
        _ => message(error),
    };
    StoreError::Unsuitable(format!("cannot use the database file {}: {reason}", path.display()))
}

/// What SQLite says, without the statement it says it of.
pub fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}

/// Connections that read, opened when first needed.
pub struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    metrics: Arc<DatabaseMetrics>,
}

impl Readers {
    pub fn new(path: &Path, metrics: Arc<DatabaseMetrics>) -> Self {
        let permits = Arc::new(Semaphore::new(READERS as usize));
        Self { path: path.to_owned(), idle: Arc::default(), permits, metrics }
    }

    pub async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.read(work).await.inspect_err(|error| self.metrics.failed(error.kind()))
    }

    /// Closes all connections once the reads under way are done. Later reads fail.
    pub async fn close(&self) {
        // It fails only where they are closed already.
        let _all = self.permits.acquire_many(READERS).await;
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let begun = Instant::now();
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| StoreError::Broken(error.to_string()))?;
        self.metrics.waited(begun.elapsed());
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let read = task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = taken.map_or_else(|| open_reader(&path), Ok)?;
            let result = work(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            // The caller may have gone before.
            drop(permit);
            result
        });
        read.await.map_err(|error| StoreError::Broken(error.to_string()))?
    }
}

/// The writer counts as a connection like the readers.
pub fn count(writer: &Writer, readers: &Readers) -> ConnectionCount {
    let reading = READERS as usize - readers.permits.available_permits();
    let idle_readers = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
    let writing = usize::from(writer.is_busy.load(Ordering::Relaxed));
    ConnectionCount { in_use: reading + writing, idle: idle_readers + 1 - writing, limit: READERS as usize + 1 }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(classify)?;
    Ok(connection)
}

/// Sorts an error of a statement other than COMMIT.
pub fn classify(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Unavailable(format!("another process holds the database file: {error}"))
        }
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            StoreError::Unavailable(format!("the database file cannot be used: {error}"))
        }
        _ => StoreError::Broken(error.to_string()),
    }
}

/// Sorts an error of COMMIT: where the disk failed, nobody knows what reached it.
pub fn classify_commit(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => StoreError::CommitUnknown(error.to_string()),
        _ => classify(error),
    }
}
