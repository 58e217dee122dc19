//! At most one server has a file.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// One server's hold on a database file, given back with it, or by the operating system when the process ends.
///
/// The lock is on a file of its own beside the database, which is never deleted: the database's own belong to SQLite, and a
/// restored database is another file under the same name.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

impl Claim {
    /// # Errors
    /// [`StoreError::Unavailable`] while another process has the file; `Unsuitable` if nobody could have it.
    pub fn on(path: &Path) -> Result<Self, StoreError> {
        let file = canonical(path).map_err(|error| unusable(path, &error))?;
        let mut name = file.into_os_string();
        name.push(".lock");
        let name = PathBuf::from(name);
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&name)
            .map_err(|error| unusable(path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, &mut lock)),
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::Unsuitable(format!(
                    "cannot lock {}: {error}; put the database on a local disk",
                    name.display()
                )));
            }
        }
        // Only for people: who has it. On a full disk it stays unsaid.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { _lock: lock })
    }
}

/// The file that SQLite opens under this path, whether or not it is there yet: two names of one file are one claim.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let linked = fs::read_link(path).map(|target| folder(path).join(target));
            let path = linked.as_deref().unwrap_or(path);
            let name = path.file_name().ok_or(error)?;
            Ok(fs::canonicalize(folder(path))?.join(name))
        }
        found => found,
    }
}

/// The folder that this file is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    let path = path.display();
    StoreError::Unsuitable(match error.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
            "cannot use the database file {path}: its folder does not exist or cannot be written to; create the folder or \
             name another file"
        ),
        ErrorKind::StorageFull => format!("cannot use the database file {path}: the disk is full; make room"),
        _ => format!("cannot use the database file {path}: {error}"),
    })
}

fn taken(path: &Path, lock: &mut File) -> StoreError {
    let mut process = String::new();
    let read = lock.rewind().and_then(|()| lock.take(20).read_to_string(&mut process));
    let process = match (read, process.trim()) {
        (Ok(_), process) if !process.is_empty() => format!(", process {process}"),
        _ => String::new(),
    };
    StoreError::Unavailable(format!(
        "another perfreg{process} has the database file {}; stop it, or name another file with --database",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_claimed_once_whatever_it_is_called_and_whether_or_not_it_is_there() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (path, link) = (folder.path().join("perfreg.db"), folder.path().join("link"));
        symlink("perfreg.db", &link).expect("a link");
        let spelt = folder.path().join(".").join("perfreg.db");
        let first = Claim::on(&path).expect("nobody has it");
        for there in [false, true] {
            if there {
                fs::write(&path, "").expect("a file");
            }
            for path in [&path, &link, &spelt] {
                let error = Claim::on(path).expect_err("somebody has it").to_string();
                assert!(error.contains(&format!("process {} has", std::process::id())), "{error}");
                assert!(error.ends_with("stop it, or name another file with --database"), "{error}");
            }
        }
        drop(first);
        Claim::on(&link).expect("nobody has it any more");
    }
}
