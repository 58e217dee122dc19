//! Why the registry could not give an answer at all.

use crate::store::StoreError;

#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database does not answer; nothing was changed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database will not do until a person changes something; nothing was changed.
    #[error("{0}")]
    Unsuitable(String),
    /// The database's standby, without which nothing is acknowledged, is not there; nothing was changed.
    #[error("{0}")]
    NoStandby(String),
    /// The disk under the database is full; nothing was changed.
    #[error("the disk under the database is full: {0}")]
    Full(String),
    /// The command may or may not have been carried out.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// More commands wait than are worth keeping; nothing was changed.
    #[error("too many commands are waiting")]
    Overloaded,
    #[error("{0}")]
    Broken(String),
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) | StoreError::Conflict(reason) => Self::Unavailable(reason),
            // It was fit when the server started, and may be so again.
            StoreError::Unsuitable(reason) => Self::Unsuitable(reason),
            StoreError::CommitUnknown(reason) => Self::OutcomeUnknown(reason),
            StoreError::NoStandby(reason) => Self::NoStandby(reason),
            StoreError::Full(reason) => Self::Full(reason),
            StoreError::Broken(reason) => Self::Broken(reason),
        }
    }
}
