//! What the clients were told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::client::Answer;

/// A registration that was answered with 200.
#[derive(Clone, Debug)]
pub struct Admission {
    pub run_id: i64,
    pub id: String,
    pub location: String,
    pub fence: i64,
    pub lease_token: String,
    /// Signed by the registry; with it a run is known again that a database has lost.
    pub receipt: Value,
    /// When it was first asked for, and when that was answered.
    pub sent: Instant,
    pub answered: Instant,
}

impl Admission {
    pub fn from(answer: &Answer, sent: Instant) -> Result<Self> {
        let body = &answer.body;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let admission = || {
            Some(Self {
                run_id: body["run_id"].as_i64().filter(|_| answer.status == 200)?,
                id: text("id")?,
                location: text("location")?,
                fence: body["fence"].as_i64()?,
                lease_token: text("lease_token")?,
                receipt: body["receipt"].clone(),
                sent,
                answered: Instant::now(),
            })
        };
        admission().with_context(|| format!("a registration is answered with {}: {body}", answer.status))
    }
}

#[derive(Default)]
pub struct Evidence {
    pub admissions: Vec<Admission>,
    /// Of whose end the registry said that it is recorded.
    pub completed: Vec<i64>,
    /// Runs whose client never missed a heartbeat, and that were given up or forgotten all the same.
    pub expired: Vec<String>,
    /// Answers that a client cannot make sense of.
    pub surprises: Vec<String>,
}

#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<Evidence>>);

impl Notebook {
    pub fn open(&self) -> MutexGuard<'_, Evidence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take(&self) -> Evidence {
        std::mem::take(&mut *self.open())
    }

    /// Notes an admission and gives it back.
    pub fn admitted(&self, answer: &Answer, sent: Instant) -> Option<Admission> {
        match Admission::from(answer, sent) {
            Ok(admission) => {
                self.open().admissions.push(admission.clone());
                Some(admission)
            }
            Err(error) => {
                self.open().surprises.push(error.to_string());
                None
            }
        }
    }

    /// Whether something that was asked for after this moment has been admitted.
    pub fn has_admitted_since(&self, moment: Instant) -> bool {
        self.open().admissions.iter().any(|admission| admission.sent > moment)
    }
}

impl Evidence {
    /// The longest time from this moment on in which nothing was admitted: when it ended, and how
    /// long it was.
    pub fn longest_gap(&self, from: Instant) -> (Instant, Duration) {
        let mut times: Vec<Instant> = self.admissions.iter().map(|admission| admission.answered).collect();
        times.sort_unstable();
        let first = times.partition_point(|time| *time < from).saturating_sub(1);
        let gaps = times[first..].windows(2).map(|pair| (pair[1], pair[1].duration_since(pair[0])));
        gaps.max_by_key(|(_, gap)| *gap).unwrap_or((from, Duration::ZERO))
    }

    /// The longest that anybody waited for an admission that was asked for after this moment.
    pub fn slowest(&self, from: Instant) -> Duration {
        let since = self.admissions.iter().filter(|admission| admission.sent >= from);
        since.map(|admission| admission.answered.duration_since(admission.sent)).max().unwrap_or_default()
    }
}
