//! Finds the password, anew for each connection: one that was changed meanwhile needs no restart.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::config::passwords::PasswordSources;
use crate::store::StoreError;
use crate::store::postgres::link::pgpass;

/// More than any file of passwords has.
const LARGEST_FILE_BYTES: u64 = 1024 * 1024;
/// Any of these bits gives the file to others than its owner.
const OTHERS: u32 = 0o077;

pub struct Passwords {
    sources: PasswordSources,
    /// A file that is not used is told once.
    has_warned: AtomicBool,
}

impl Passwords {
    /// # Errors
    /// If the file that holds the password cannot be read.
    pub fn new(sources: PasswordSources) -> Result<Arc<Self>, StoreError> {
        if let Some(file) = &sources.file {
            password_in(file).map_err(|reason| {
                StoreError::Unsuitable(format!("cannot read the password file {}: {reason}", file.display()))
            })?;
        }
        Ok(Arc::new(Self { sources, has_warned: AtomicBool::new(false) }))
    }

    /// The configuration of a connection to one host, with a password if one is found.
    pub async fn complete(self: &Arc<Self>, mut config: Config) -> Config {
        if config.get_password().is_some() {
            return config;
        }
        let (passwords, wanted) = (Arc::clone(self), config.clone());
        let found = spawn_blocking(move || passwords.find(&wanted)).await.ok().flatten();
        if let Some(password) = found {
            config.password(password);
        }
        config
    }

    fn find(&self, config: &Config) -> Option<String> {
        if let Some(file) = &self.sources.file {
            let read = password_in(file);
            return read.inspect_err(|reason| self.warn(file, &reason.to_string())).ok();
        }
        self.sources.variable.clone().or_else(|| self.line_for(config))
    }

    /// The password in the file that libpq would look into. It does not have to be there.
    fn line_for(&self, config: &Config) -> Option<String> {
        let path = self.sources.passfile.as_ref()?;
        let file = File::open(path).ok()?;
        let about = file.metadata().ok()?;
        if !about.is_file() {
            self.warn(path, "it is no plain file");
            return None;
        }
        if about.mode() & OTHERS != 0 {
            self.warn(path, "others may read it; chmod 0600 it");
            return None;
        }
        let text = read(file).inspect_err(|reason| self.warn(path, &reason.to_string())).ok()?;
        let user = config.get_user()?;
        let (hosts, port) = (names(config.get_hosts().first()?), config.get_ports().first().copied().unwrap_or(5432));
        let database = config.get_dbname().unwrap_or(user);
        let of = |host: &str| pgpass::password(&text, [host, &port.to_string(), database, user]);
        hosts.iter().find_map(|host| of(host))
    }

    fn warn(&self, file: &Path, reason: &str) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("the password file {} is not used: {reason}", file.display());
        }
    }
}

/// What stands for the host in a password file. Sockets in the usual folders are those of localhost as well.
fn names(host: &Host) -> Vec<String> {
    match host {
        Host::Tcp(name) => vec![name.clone()],
        Host::Unix(path) => {
            let is_usual =
                ["/run/postgresql", "/var/run/postgresql", "/tmp"].iter().any(|usual| path == Path::new(usual));
            let localhost = is_usual.then(|| "localhost".to_owned());
            std::iter::once(path.display().to_string()).chain(localhost).collect()
        }
    }
}

fn password_in(file: &Path) -> io::Result<String> {
    let text = read(File::open(file)?)?;
    match text.trim() {
        "" => Err(io::Error::other("it is empty")),
        password => Ok(password.to_owned()),
    }
}

fn read(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LARGEST_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
