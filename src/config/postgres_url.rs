//! What may be wrong with a PostgreSQL URL, part by part.
//!
//! What stands where no password belongs may be one all the same, so only a parameter is ever named as it was given.

use super::database::DatabaseUrlError;

/// What the driver and we read. https://www.postgresql.org/docs/current/libpq-connect.html says what they mean.
const PARAMETERS: [&str; 20] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "sslmode",
    "sslrootcert",
    "sslnegotiation",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];
const LONGEST_PARAMETER: usize = 40;

/// Checks what stands behind `postgresql://`.
///
/// # Errors
/// The first part that is wrong.
pub fn check(rest: &str) -> Result<(), DatabaseUrlError> {
    if rest.chars().any(char::is_whitespace) {
        return Err(DatabaseUrlError::WhiteSpace);
    }
    // As the driver does: everything before the first @ is user and password.
    let (user, place) = rest.split_once('@').map_or(("", rest), |(user, place)| (user, place));
    let (place, query) = place.split_once('?').map_or((place, ""), |(place, query)| (place, query));
    // The password of a user, or of a parameter in the query.
    if place.contains('@') || (user.contains('/') && user.contains('?')) {
        return Err(DatabaseUrlError::AtSign);
    }
    let (hosts, database) = place.split_once('/').map_or((place, ""), |(hosts, database)| (hosts, database));
    if !hosts.split(',').all(is_well_bracketed) {
        return Err(DatabaseUrlError::Brackets);
    }
    if !hosts.split(',').all(has_good_port) {
        return Err(DatabaseUrlError::Port);
    }
    if database.contains('/') {
        return Err(DatabaseUrlError::DatabaseName);
    }
    query.split('&').filter(|pair| !pair.is_empty()).try_for_each(check_parameter)?;
    let has =
        |names: &[&str]| query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| names.contains(&name)));
    if hosts.is_empty() && !has(&["host", "hostaddr"]) {
        return Err(DatabaseUrlError::NoHost);
    }
    let name = user.split(':').next().unwrap_or_default();
    if name.is_empty() && !has(&["user"]) { Err(DatabaseUrlError::NoUser) } else { Ok(()) }
}

/// An IPv6 address, which has colons of its own, stands in brackets.
fn is_well_bracketed(host: &str) -> bool {
    match host.strip_prefix('[').map(|address| address.split_once(']')) {
        None => host.matches(':').count() < 2 && !host.contains(']'),
        Some(None) => false,
        Some(Some((_, behind))) => behind.is_empty() || behind.starts_with(':'),
    }
}

fn has_good_port(host: &str) -> bool {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    match behind.split_once(':') {
        None => true,
        Some((_, port)) => port.is_empty() || port.parse().is_ok_and(|port: u16| port > 0),
    }
}

fn check_parameter(pair: &str) -> Result<(), DatabaseUrlError> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let is_word = |name: &str| name.chars().all(|character| character.is_ascii_alphabetic() || character == '_');
    if name.len() > LONGEST_PARAMETER || !is_word(name) {
        return Err(DatabaseUrlError::NoParameter);
    }
    if !PARAMETERS.contains(&name) {
        return Err(DatabaseUrlError::Parameter { name: name.to_owned(), instead: instead_of(name) });
    }
    if value.is_empty() { Err(DatabaseUrlError::NoValue(name.to_owned())) } else { Ok(()) }
}

/// What other programs' parameters are called here.
fn instead_of(name: &str) -> &'static str {
    match name {
        "ssl" => "write sslmode=disable or sslmode=require",
        "schema" | "currentSchema" | "search_path" => "write options=-c%20search_path%3DNAME",
        "database" => "write the database's name behind the host, or dbname=NAME",
        "sslcert" | "sslkey" | "sslpassword" => "client certificates are not supported",
        "timeout" => "write connect_timeout=SECONDS",
        "charset" | "client_encoding" => "leave it out, since it is always UTF-8",
        _ => "leave it out, or see the parameters in docs/operate/postgresql.md",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_is_wrong_is_named() {
        use DatabaseUrlError::{
            AtSign, Brackets, DatabaseName, NoHost, NoParameter, NoUser, NoValue, Port, WhiteSpace,
        };
        let parameter = |name: &str| DatabaseUrlError::Parameter { name: name.to_owned(), instead: instead_of(name) };
        for (rest, wrong) in [
            ("me:p@ss@db/registry", AtSign),
            ("me:p@s/s@db/registry", AtSign),
            ("db/registry?user=me&password=p@ss", AtSign),
            ("me@db:54x2/registry", Port),
            ("me@db:0/registry", Port),
            ("me@db:65536/registry", Port),
            ("me:s3cret/registry", Port),
            ("me@[::1]:x/registry", Port),
            ("me@db1:5432,db2:x/registry", Port),
            ("me@[::1/registry", Brackets),
            ("me@::1:5432/registry", Brackets),
            ("me@[::1]5432/registry", Brackets),
            ("me@db/registry/", DatabaseName),
            ("me@db/a b", WhiteSpace),
            ("me@db/registry\nNEXT=1", WhiteSpace),
            ("me@db/registry?foo=bar", parameter("foo")),
            ("me@db/registry?sslmode=require&schema=public", parameter("schema")),
            ("me@db/registry?sslmode", NoValue("sslmode".to_owned())),
            ("me@db/registry?s3cret!=x", NoParameter),
            ("", NoHost),
            ("/registry", NoHost),
            ("me@/registry", NoHost),
            ("me:s3cret@/registry?port=5433", NoHost),
            ("db/registry", NoUser),
            ("@db/registry", NoUser),
            (":s3cret@db/registry?dbname=user", NoUser),
        ] {
            assert_eq!(check(rest), Err(wrong), "{rest}");
        }
    }

    #[test]
    fn what_the_driver_reads_is_right() {
        for rest in [
            "me@db/registry",
            "me:p%40ss@db/registry",
            "me:p#s:s?%@db/registry",
            "me:p/ss@db:5432/registry?sslmode=verify-full&sslrootcert=/ca.pem",
            "me@/registry?host=/run/postgresql&port=5433",
            "me@%2Frun%2Fpostgresql/registry",
            "me@[::1]:5432,[::2]/registry?target_session_attrs=read-write",
            "me@db1:5432,db2,db3:/registry?",
            "/?user=me&host=db&dbname=registry&options=-c%20search_path%3Da%40b",
            "me@db/registry?options=-c%20search_path%3Da@b",
            "me@db",
        ] {
            assert_eq!(check(rest), Ok(()), "{rest}");
        }
    }
}
