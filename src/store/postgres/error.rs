//! Sorts PostgreSQL's errors by what they mean for the command at hand.

use std::error::Error as _;

use rustls::CertificateError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

pub const ONLY_READS: &str =
    "the server only reads; it was demoted, is still recovering, or default_transaction_read_only is on";

/// Sorts an error of a statement other than COMMIT.
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
        &SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Unavailable(ONLY_READS.to_owned()),
        &SqlState::INVALID_SCHEMA_NAME => StoreError::Unsuitable(format!(
            "{reason}; give the user a search_path, such as with ?options=-c%20search_path%3Dpublic in the URL"
        )),
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

/// What the server says of a statement, with what it adds to that; the error itself only says "db error".
pub fn reason(error: &Error) -> String {
    let Some(database_error) = error.as_db_error() else { return error.to_string() };
    let message = database_error.message();
    database_error.detail().map_or_else(|| message.to_owned(), |detail| format!("{message} ({detail})"))
}

/// Sorts an error of making a connection. What the server or the driver refuses then, a person has to mend.
pub fn classify_connect(error: Error) -> StoreError {
    let advice = error.code().and_then(advice);
    if let Some(reason) = refused_tls(&error) {
        return StoreError::Unsuitable(reason);
    }
    match classify(error) {
        StoreError::Broken(reason) if reason.ends_with("password missing") => StoreError::Unsuitable(
            "it asks for a password and none is given; give one in the URL, in PGPASSWORD, with \
             --database-password-file, or in a file that PGPASSFILE names"
                .to_owned(),
        ),
        StoreError::Unsuitable(reason) | StoreError::Broken(reason) => {
            StoreError::Unsuitable(reason + advice.unwrap_or_default())
        }
        other => other,
    }
}

/// What to do about a refusal, beyond what the server says.
fn advice(code: &SqlState) -> Option<&'static str> {
    match *code {
        SqlState::INVALID_CATALOG_NAME => Some("; create it, or name another one in the URL, behind the host"),
        SqlState::INVALID_PASSWORD => Some("; correct the password in the URL, PGPASSWORD or the password file"),
        _ => None,
    }
}

/// Why there can be no TLS connection to this server, however often it is tried.
fn refused_tls(error: &Error) -> Option<String> {
    let source = error.source().filter(|_| error.to_string().contains("TLS"))?;
    let Some(broken) = source.downcast_ref::<std::io::Error>() else {
        // The driver's own word, before anything was sent.
        let advice = "switch TLS on there, or write sslmode=prefer in the URL";
        return Some(match source.to_string() {
            reason if reason == "server does not support TLS" => {
                format!("it does not offer TLS, which sslmode in the URL asks for; {advice}")
            }
            reason => format!("there can be no TLS: {reason}"),
        });
    };
    let tls = broken.get_ref()?.downcast_ref()?;
    let rustls::Error::InvalidCertificate(fault) = tls else { return None };
    let (what, advice) = certificate_fault(fault);
    Some(format!("its certificate {what}: {tls}; {advice}"))
}

/// What is wrong with the server's certificate, and what to do about it.
const fn certificate_fault(fault: &CertificateError) -> (&'static str, &'static str) {
    match fault {
        CertificateError::UnknownIssuer => {
            ("is not trusted", "name the file of its authority with sslrootcert= in the URL")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("is for another host", "write a host that it names in the URL")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => ("has expired", "renew it"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet", "look at the clock of this machine, and of the one that made it")
        }
        _ => ("is not valid", "give the server another one"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unknown_authority_is_cured_by_naming_its_file() {
        for (fault, what) in [
            (CertificateError::UnknownIssuer, "is not trusted"),
            (CertificateError::NotValidForName, "is for another host"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "is not valid yet"),
            (CertificateError::Revoked, "is not valid"),
        ] {
            let (said, advice) = certificate_fault(&fault);
            assert_eq!((said, advice.contains("sslrootcert")), (what, fault == CertificateError::UnknownIssuer));
        }
    }
}
