//! What `backup` and `restore` have in common.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task;

use super::duration::exact;
use super::exit;
use super::output::say;
use super::serve::wait_for_stop_signal;
use crate::store::{Contents, Progress, StoreError};

pub const HELP: &str = "\
Exit codes:
   0  done
   1  it could not be done, for a reason that is printed; nothing was changed
   2  the command line was wrong, or named a PostgreSQL database
  69  a database or a disk does not answer now; try again later";

/// What takes less is not worth talking of.
const BETWEEN_WORDS: Duration = Duration::from_secs(2);
const MEBIBYTE: u64 = 1024 * 1024;

/// Does the work aside, says now and then how far it is, and stops it on SIGINT and SIGTERM.
pub async fn run<T: Send + 'static>(
    work: impl FnOnce(Progress) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut said = Instant::now();
    let progress = Progress {
        stop: Arc::clone(&stop),
        say: Box::new(move |done, all| {
            if said.elapsed() >= BETWEEN_WORDS {
                said = Instant::now();
                say(&format!("{} of {} MiB copied", done / MEBIBYTE, all / MEBIBYTE));
            }
        }),
    };
    let mut working = task::spawn_blocking(move || work(progress));
    let done = tokio::select! {
        done = &mut working => done,
        () = wait_for_stop_signal() => {
            stop.store(true, Ordering::Relaxed);
            working.await
        }
    };
    done.unwrap_or_else(|error| Err(StoreError::Broken(error.to_string())))
}

pub fn describe(contents: &Contents) -> String {
    let Contents { executions, running, waiting, newest, bytes } = contents;
    let newest =
        newest.map_or_else(String::new, |(run_id, start)| format!("; the newest is run {run_id} of {}", exact(start)));
    let kibibytes = bytes.div_ceil(1024);
    let noun = if *executions == 1 { "run" } else { "runs" };
    format!("{executions} {noun} in {kibibytes} KiB, {running} of them running and {waiting} waiting{newest}")
}

pub fn exit_code(error: &StoreError) -> ExitCode {
    match error {
        StoreError::Unavailable(_) | StoreError::Full(_) => ExitCode::from(exit::UNREACHABLE),
        _ => ExitCode::FAILURE,
    }
}
