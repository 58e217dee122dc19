//! Where the password of PostgreSQL is looked for.

use std::fmt;
use std::path::PathBuf;

/// Where the password is looked for if the URL has none, in this order. The files are read again for each connection.
#[derive(Clone, Default)]
pub struct PasswordSources {
    /// A file that holds the password and nothing else.
    pub file: Option<PathBuf>,
    /// What PGPASSWORD says.
    pub variable: Option<String>,
    /// A file with a line for each server, as libpq has it.
    pub passfile: Option<PathBuf>,
}

/// Never with a password.
impl fmt::Debug for PasswordSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.variable.as_ref().map(|_| "***");
        f.debug_struct("PasswordSources")
            .field("file", &self.file)
            .field("variable", &variable)
            .field("passfile", &self.passfile)
            .finish()
    }
}
