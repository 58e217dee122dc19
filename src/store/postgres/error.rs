//! Sorts PostgreSQL's errors by what they mean for the command at hand.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// Sorts an error of connecting, or of a statement other than COMMIT.
pub fn classify(error: Error) -> StoreError {
    let Some(database_error) = error.as_db_error() else {
        return classify_local(&error);
    };
    let (code, reason) = (database_error.code(), database_error.message().to_owned());
    match code {
        // Of statements that are sent together, those behind one that failed say that it has.
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::IN_FAILED_SQL_TRANSACTION => StoreError::Conflict(reason),
        // A newer server's migration has changed a column that a statement with a name gives.
        &SqlState::FEATURE_NOT_SUPPORTED if database_error.routine() == Some("RevalidateCachedQuery") => {
            StoreError::Conflict(reason)
        }
        &SqlState::DISK_FULL => StoreError::Full(reason),
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            StoreError::Unavailable("the server only reads; it was demoted or is still recovering".to_owned())
        }
        // It gave up on us while one of us was frozen.
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => StoreError::Unavailable(reason),
        &SqlState::INVALID_CATALOG_NAME
        | &SqlState::INVALID_PASSWORD
        | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | &SqlState::INSUFFICIENT_PRIVILEGE
        | &SqlState::UNDEFINED_TABLE
        | &SqlState::UNDEFINED_COLUMN => StoreError::Unsuitable(reason),
        // Connection trouble, resources, operator intervention such as a shutdown, and the system.
        code if ["08", "53", "57", "58"].iter().any(|class| code.code().starts_with(class)) => {
            StoreError::Unavailable(reason)
        }
        code => StoreError::Broken(format!("{reason} (SQLSTATE {})", code.code())),
    }
}

/// Sorts an error of COMMIT. What the database itself says of it is final; a connection that
/// broke meanwhile leaves the outcome open, and so does a server that was told to stop.
pub fn classify_commit(error: Error) -> StoreError {
    match classify(error) {
        StoreError::Unavailable(reason) => StoreError::CommitUnknown(reason),
        other => other,
    }
}

/// Errors that the driver found without the database's word.
fn classify_local(error: &Error) -> StoreError {
    let reason = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let is_transport = error.is_closed()
        || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        || reason.starts_with("error connecting")
        || reason.contains("timed out")
        || reason.contains("TLS");
    if is_transport { StoreError::Unavailable(reason) } else { StoreError::Broken(reason) }
}
