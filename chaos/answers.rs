//! What the registry's answers mean.

use hyper::body::Bytes;
use jiff::Timestamp;
use perfreg::domain::capacity::factor::Factor;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::caller::Outcome;
use crate::check::{Answer, Ask, Moment, Room, Status};

pub struct Reply {
    pub status: u16,
    pub body: Bytes,
}

/// Every field that any answer may have, of those that are looked at.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    r#type: String,
    /// A word in an execution, a number in a problem.
    status: Option<Box<RawValue>>,
    run_id: Option<i64>,
    fence: Option<i64>,
    outcome: Option<String>,
    end_reason: Option<String>,
    version: Option<i64>,
    lease_token: Option<String>,
    lease_expires_at: Option<Timestamp>,
    position: Option<usize>,
    waits_for: Option<Rooms>,
    /// Of a refusal.
    running_factor: Option<Box<RawValue>>,
    ahead: Option<usize>,
    gate: Option<Gate>,
}

#[derive(Deserialize)]
struct Rooms {
    running_factor: Box<RawValue>,
    ahead: usize,
    gate: Gate,
}

#[derive(Deserialize)]
struct Gate {
    state: String,
}

pub fn read(ask: &Ask, reply: &Reply, moment: impl Fn(Timestamp) -> Moment) -> Outcome {
    let unexpected = || Answer::Unexpected(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)));
    let Ok(fields) = serde_json::from_slice::<Fields>(&reply.body) else {
        return Outcome::of(unexpected());
    };
    let answer = understand(ask, reply.status, &fields, moment).unwrap_or_else(unexpected);
    Outcome { answer, token: fields.lease_token, version: fields.version }
}

fn understand(ask: &Ask, code: u16, fields: &Fields, moment: impl Fn(Timestamp) -> Moment) -> Option<Answer> {
    let problem = fields.r#type.strip_prefix("urn:perfreg:problem:");
    Some(match (code, problem) {
        (503, Some("outcome-unknown")) => Answer::Unknown,
        (503, Some("unavailable" | "disk-full" | "overloaded")) | (408, Some("timeout")) => Answer::Unavailable,
        (200, None) if matches!(ask, Ask::SetGate { .. }) => Answer::GateSet,
        (409, Some("refused")) => Answer::Refused(refusal(fields)?),
        (409, Some("lost" | "already-ended")) => {
            let (status, reason) = (self::status(fields.outcome.as_deref()?)?, fields.end_reason.clone());
            Answer::EndedOtherwise { status, reason }
        }
        (409, Some("not-started")) => Answer::NotStarted,
        (403, Some("wrong-token")) => Answer::WrongToken,
        (404, Some("not-found")) => Answer::NotFound,
        (202, None) if matches!(ask, Ask::Cancel { .. }) => Answer::Stopping,
        (200 | 202, None) => execution(fields, moment)?,
        _ => return None,
    })
}

fn execution(fields: &Fields, moment: impl Fn(Timestamp) -> Moment) -> Option<Answer> {
    let run_id = fields.run_id?;
    let status = self::status(fields.status.as_ref()?.get().trim_matches('"'))?;
    Some(match status {
        Status::Queued => {
            let room = match (&fields.waits_for, fields.position) {
                (Some(rooms), Some(position)) => Some(Room {
                    used: millionths(rooms.running_factor.get())?,
                    ahead: position - 1,
                    is_open: rooms.gate.state == "open",
                }),
                _ => None,
            };
            debug_assert!(fields.waits_for.as_ref().is_none_or(|rooms| Some(rooms.ahead + 1) == fields.position));
            Answer::Queued { run_id, room }
        }
        Status::Running => {
            Answer::Running { run_id, fence: fields.fence?, lease_expires_at: fields.lease_expires_at.map(moment) }
        }
        status => Answer::Ended { status, reason: fields.end_reason.clone() },
    })
}

fn refusal(fields: &Fields) -> Option<Room> {
    let used = millionths(fields.running_factor.as_ref()?.get())?;
    Some(Room { used, ahead: fields.ahead?, is_open: fields.gate.as_ref()?.state == "open" })
}

fn millionths(text: &str) -> Option<i64> {
    Some(Factor::parse(text.trim_matches('"')).ok()?.millionths())
}

/// The word that the API and the databases use.
pub fn status(word: &str) -> Option<Status> {
    Some(match word {
        "queued" => Status::Queued,
        "running" => Status::Running,
        "success" => Status::Success,
        "failure" => Status::Failure,
        "cancelled" => Status::Cancelled,
        _ => return None,
    })
}
