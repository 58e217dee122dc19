//! At most one server has a file.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// One server's hold on a database file, given back with it, or by the operating system when the process ends.
///
/// The lock is on a file of its own beside the database, which stays there: the database's own belong to SQLite, and a
/// restored database is another file under the same name.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
    name: PathBuf,
    is_new: bool,
}

impl Claim {
    /// # Errors
    /// [`StoreError::Unavailable`] while another process has the file; `Unsuitable` if nobody could have it.
    pub fn on(path: &Path) -> Result<Self, StoreError> {
        let file = canonical(path).map_err(|error| unusable(path, &error))?;
        if fs::metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(StoreError::Unsuitable(format!("{} is no file; name the database file", path.display())));
        }
        let name = with_suffix(&file, ".lock");
        let is_new = !name.exists();
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
        // Whoever withdrew a claim in this instant took the file away, and the next one makes another.
        if !is_same(&lock, &name) {
            return Err(taken(path, &mut lock));
        }
        // Only for people: who has it. On a full disk it stays unsaid.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { _lock: lock, name, is_new })
    }

    /// Gives it back as if it had never been: what was made for it is taken away, while nobody else can have it.
    pub fn withdraw(self) {
        if self.is_new {
            // Left there, it does no harm.
            let _ = fs::remove_file(&self.name);
        }
    }
}

fn is_same(file: &File, name: &Path) -> bool {
    let identity = |found: io::Result<Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    identity(file.metadata()) == identity(fs::metadata(name))
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

/// What stands beside the file under the same name and this ending.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
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

    #[test]
    fn a_claim_that_is_withdrawn_leaves_nothing_behind_and_a_folder_cannot_be_claimed() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let names = || fs::read_dir(folder.path()).expect("a folder").count();
        let path = folder.path().join("perfreg.db");
        Claim::on(&path).expect("nobody has it").withdraw();
        assert_eq!(names(), 0);
        drop(Claim::on(&path).expect("nobody has it"));
        Claim::on(&path).expect("nobody has it").withdraw();
        assert_eq!(names(), 1, "somebody else's lock stays");
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).expect("a folder");
        let error = Claim::on(&inside).expect_err("no file").to_string();
        assert!(error.ends_with("inside is no file; name the database file"), "{error}");
        assert_eq!(names(), 2, "no lock beside it");
    }
}
