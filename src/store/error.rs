//! What can go wrong in a database, sorted by what it means for the command at hand.

/// The texts are for logs and for the person who operates the server, never for its clients.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or does not take work now; nothing was changed.
    #[error("{0}")]
    Unavailable(String),
    /// Another transaction came between; nothing was changed, and trying again is right.
    #[error("another transaction came between: {0}")]
    Conflict(String),
    /// The connection broke during the commit; it may or may not have happened.
    #[error("the outcome of a commit is unknown: {0}")]
    CommitUnknown(String),
    /// Nothing may be acknowledged without a standby, and there is none; nothing was changed.
    #[error("{0}")]
    NoStandby(String),
    /// The disk under the database is full; nothing was changed.
    #[error("the disk under the database is full: {0}")]
    Full(String),
    /// The database will not do until a person changes something.
    #[error("{0}")]
    Unsuitable(String),
    /// A defect of this program or of the data.
    #[error("unexpected database error: {0}")]
    Broken(String),
}

impl StoreError {
    /// The words that count errors.
    pub const KINDS: [&str; 7] =
        ["unavailable", "conflict", "commit_unknown", "no_standby", "full", "unsuitable", "broken"];

    /// The word that counts it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Conflict(_) => "conflict",
            Self::CommitUnknown(_) => "commit_unknown",
            Self::NoStandby(_) => "no_standby",
            Self::Full(_) => "full",
            Self::Unsuitable(_) => "unsuitable",
            Self::Broken(_) => "broken",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_word_that_is_counted_from_the_beginning() {
        let make: [fn(String) -> StoreError; 7] = [
            StoreError::Unavailable,
            StoreError::Conflict,
            StoreError::CommitUnknown,
            StoreError::NoStandby,
            StoreError::Full,
            StoreError::Unsuitable,
            StoreError::Broken,
        ];
        assert_eq!(make.map(|make| make(String::new()).kind()), StoreError::KINDS);
    }
}
