//! Asking a registry that may be away, or hang, until there is an answer or no time left.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::output::{clause, say};
use crate::client::{Client, ClientError};

/// How long an answer may take beyond the time for which a call is held.
pub const SLOWEST_ANSWER: Duration = Duration::from_secs(10);
/// Even the last call of all is given time for an answer.
const QUICKEST_ANSWER: Duration = Duration::from_secs(2);
/// What has been asked when an interrupt comes may be answered for so long.
pub const LATE_ANSWER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(1);

/// For how long to ask, and how long each call may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// None: for ever.
    pub give_up: Option<Instant>,
    pub slowest_answer: Duration,
    /// After which errors to ask again.
    pub goes_on: fn(&ClientError) -> bool,
}

impl Limits {
    fn is_over(self) -> bool {
        self.give_up.is_some_and(|time| time <= Instant::now())
    }

    fn of_next_call(self) -> Duration {
        let left = self.give_up.map_or(Duration::MAX, |time| time.saturating_duration_since(Instant::now()));
        self.slowest_answer.min(left.max(QUICKEST_ANSWER))
    }

    fn next_call(self) -> Instant {
        let next = Instant::now() + PAUSE;
        self.give_up.map_or(next, |time| time.min(next))
    }
}

/// Asks again and again, and says once that, and `how`, it does so. If the last call has no answer, the error is what the
/// registry answered to the one before it, if it answered that.
pub async fn ask_until<T>(
    limits: Limits,
    client: &Client,
    how: &str,
    mut call: impl AsyncFnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let mut previous: Option<ClientError> = None;
    loop {
        match client.within(limits.of_next_call(), call()).await {
            Err(error) if (limits.goes_on)(&error) && !limits.is_over() => {
                if previous.is_none() {
                    say(&format!("{}; {how}", clause(&error)));
                }
                previous = Some(error);
                sleep_until(limits.next_call()).await;
            }
            answer => {
                return answer.map_err(|error| match (error, previous) {
                    (ClientError::Unreachable { .. }, Some(said @ ClientError::Refused { .. })) => said,
                    (error, _) => error,
                });
            }
        }
    }
}
