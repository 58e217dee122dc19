//! How many files and connections the process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Fewer connections than that are worth a warning.
const ENOUGH_CONNECTIONS: usize = 10_000;
/// For the files of SQLite, the log, and whatever else the process opens.
const FOR_ITSELF: usize = 64;

/// Raises the limit of open files as far as the operating system lets it, and says how many
/// clients may be connected, so that the connections to the database always find room.
pub fn most_connections(to_database: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| limit.maximum);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let most = limit.saturating_sub(to_database + FOR_ITSELF).max(1);
    if most < ENOUGH_CONNECTIONS {
        tracing::warn!(
            "at most {most} clients can be connected, since the process may open {limit} files; \
             raise that with ulimit -n, or with LimitNOFILE in a unit of systemd"
        );
    }
    most
}
