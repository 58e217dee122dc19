//! Receipts: what a runner is given to prove that it was started, should the database forget it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use uuid::Uuid;

use crate::domain::admission::Command;
use crate::domain::answer::Answer;
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::LocationName;
use crate::domain::execution::lease::{Lease, TokenHash};
use crate::domain::execution::place::Place;
use crate::domain::execution::priority::Priority;
use crate::domain::execution::{Details, Execution, RunId, Status};
use crate::registry::read::browse::twice;
use crate::registry::runs::register::unexpected;
use crate::registry::{Registry, RegistryError};

/// How long the signature is, which comes first.
const SIGNATURE_BYTES: usize = 32;
/// Another shape of receipts would have another name, so that neither passes for the other.
const PURPOSE: &[u8] = b"perfreg receipt 1\n";

/// Where an execution is.
pub enum Located {
    At(Option<LocationName>),
    /// The receipt is not ours, or of another run.
    WrongReceipt,
    /// The run_id is another execution's by now.
    OtherRun,
    WrongToken,
    NotFound,
}

impl Registry {
    /// What the runner of this run, if it has a lease, may show should the database forget it.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn receipt(&self, run: &Execution) -> Result<Option<String>, RegistryError> {
        let Some(saved) = Saved::of(run) else { return Ok(None) };
        let text = serde_json::to_vec(&saved).map_err(|error| RegistryError::Broken(error.to_string()))?;
        Ok(Some(sign(self.receipt_key().await?, &text)))
    }

    /// Looks up an execution. One that its runner has a receipt of, and that the database has
    /// forgotten, is taken back in first.
    pub(in crate::registry) async fn locate(
        &self,
        run_id: RunId,
        token: Option<&TokenHash>,
        receipt: Option<&str>,
    ) -> Result<Located, RegistryError> {
        // An execution changes its location only where two become one, and then it is looked up again.
        let known = self.execution(run_id).await?;
        if let (Some(receipt), Some(token)) = (receipt, token) {
            let receipt = verify(self.receipt_key().await?, receipt).and_then(|text| Saved::read(&text)?.into_run());
            match (receipt.filter(|run| run.run_id == run_id), &known) {
                (Some(receipt), Some(run)) if run.id == receipt.id && run.status != Status::Queued => {}
                (Some(receipt), known) => {
                    let known = known.as_ref().filter(|run| run.id == receipt.id);
                    let location = known.unwrap_or(&receipt).details.location.clone();
                    return self.take_back(location, receipt, token.clone()).await;
                }
                (None, None) => return Ok(Located::WrongReceipt),
                // Nothing was forgotten, and the token says who it is. Such a receipt may be older than its key.
                (None, Some(_)) => {}
            }
        }
        let Some(known) = known else { return Ok(Located::NotFound) };
        self.seen.remember(&known);
        Ok(Located::At(known.details.location.clone()))
    }

    async fn take_back(
        &self,
        location: Option<LocationName>,
        receipt: Execution,
        token: TokenHash,
    ) -> Result<Located, RegistryError> {
        let command = Command::TakeBack { receipt: Arc::new(receipt), token };
        Ok(match self.lanes.submit(location.clone(), command).await? {
            Answer::TakenBack(run) => {
                tracing::warn!(run_id = run.run_id.0, "a run is taken back in that the database had forgotten");
                self.seen.remember(&run);
                Located::At(location)
            }
            Answer::OtherRun => Located::OtherRun,
            Answer::WrongToken => Located::WrongToken,
            other => return Err(unexpected("a run's return", &other)),
        })
    }

    /// It is made once, with the database, and never changes.
    pub(in crate::registry) async fn receipt_key(&self) -> Result<&[u8], RegistryError> {
        self.receipt_key.get_or_try_init(async || twice(|| self.store.receipt_key()).await).await.map(Vec::as_slice)
    }
}

fn signature(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let signature = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    signature.chain_update(PURPOSE).chain_update(text)
}

fn sign(key: &[u8], text: &[u8]) -> String {
    let mut bytes = signature(key, text).finalize().into_bytes().to_vec();
    bytes.extend_from_slice(text);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What was signed, if it was with this key.
fn verify(key: &[u8], receipt: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(receipt).ok()?;
    let text = (bytes.len() >= SIGNATURE_BYTES).then(|| bytes.split_off(SIGNATURE_BYTES))?;
    signature(key, &text).verify_slice(&bytes).ok()?;
    Some(text)
}

/// What a receipt says: everything about a run that stays as it was when it started.
#[derive(Serialize, Deserialize)]
struct Saved {
    run_id: i64,
    id: Uuid,
    fence: i64,
    start_time: Timestamp,
    repo: String,
    lac: String,
    stream: String,
    test: String,
    kind: String,
    environment: String,
    triggered_by: String,
    factor: Option<i64>,
    dashboard_url: Option<String>,
    location: Option<String>,
    /// As it stands, since it would be too long for a heartbeat if every quote in it were escaped.
    extra: Box<RawValue>,
    priority: u8,
    queued_at: Option<Timestamp>,
    wait_until: Option<Timestamp>,
    lease_seconds: u32,
    token: String,
    expected_seconds: Option<u32>,
}

impl Saved {
    fn of(run: &Execution) -> Option<Self> {
        let lease = run.lease.as_ref().filter(|lease| lease.outlives_queue())?;
        let details = Details::clone(&run.details);
        Some(Self {
            run_id: run.run_id.0,
            id: run.id,
            fence: run.fence?,
            start_time: run.start_time,
            repo: details.repo,
            lac: details.lac,
            stream: details.stream,
            test: details.test,
            kind: details.kind,
            environment: details.environment,
            triggered_by: details.triggered_by,
            factor: details.factor.map(Factor::millionths),
            dashboard_url: details.dashboard_url,
            location: details.location.map(|name| name.to_string()),
            extra: RawValue::from_string(details.extra).ok()?,
            priority: run.priority.get(),
            queued_at: run.place.as_ref().map(|place| place.queued_at),
            wait_until: run.place.as_ref().map(|place| place.until),
            lease_seconds: lease.seconds,
            token: lease.token.0.clone(),
            expected_seconds: run.expected_seconds,
        })
    }

    fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The run as it was when it started.
    fn into_run(self) -> Option<Execution> {
        let place = self.queued_at.zip(self.wait_until);
        let details = Details {
            repo: self.repo,
            lac: self.lac,
            stream: self.stream,
            test: self.test,
            kind: self.kind,
            environment: self.environment,
            triggered_by: self.triggered_by,
            factor: self.factor.map(Factor::from_millionths),
            dashboard_url: self.dashboard_url,
            location: self.location.as_deref().map(LocationName::new),
            extra: self.extra.get().to_owned(),
        };
        let run = Execution {
            id: self.id,
            run_id: RunId(self.run_id),
            details: Arc::new(details),
            exact_factor: None,
            status: Status::Running,
            start_time: self.start_time,
            end_time: None,
            priority: Priority::new(self.priority)?,
            place: place.map(|(queued_at, until)| Place {
                queued_at,
                until,
                heard_at: self.start_time,
                noted_at: None,
                tell_by: None,
            }),
            lease: Some(Lease::new(self.lease_seconds, TokenHash(self.token))),
            fence: Some(self.fence),
            stop: None,
            end_reason: None,
            expected_seconds: self.expected_seconds,
            version: 1,
        };
        Some(run.as_started())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::Registration;

    #[test]
    fn the_longest_receipt_leaves_room_in_the_body_of_a_heartbeat() {
        let long = || "\u{10ffff}".repeat(255);
        let details = Details {
            repo: long(),
            lac: long(),
            stream: long(),
            test: long(),
            kind: long(),
            environment: long(),
            triggered_by: long(),
            factor: Some(Factor::from_millionths(i64::MAX)),
            dashboard_url: Some("\u{10ffff}".repeat(2_048)),
            location: Some(LocationName::new(&long())),
            extra: format!(r#"{{"quotes":"{}"}}"#, r#"\""#.repeat(8_000)),
        };
        let registration = Registration {
            id: Uuid::nil(),
            details: Arc::new(details),
            priority: Priority::DEFAULT,
            wait_seconds: 1,
            lease: Some((Lease::LONGEST_SECONDS, TokenHash("x".repeat(64)))),
            expected_seconds: Some(1),
            key: None,
            only_where_known: false,
        };
        let run = Execution::queued(&registration, RunId(i64::MAX), Timestamp::UNIX_EPOCH);
        let run = run.start_untold(Timestamp::UNIX_EPOCH, i64::MAX);
        let saved = Saved::of(&run).expect("it runs with a lease");
        let receipt = sign(&[7; 32], &serde_json::to_vec(&saved).expect("memory"));
        assert!(receipt.len() < 50_000, "{}", receipt.len());
        let text = verify(&[7; 32], &receipt).expect("it is ours");
        assert_eq!(Saved::read(&text).and_then(Saved::into_run), Some(run.as_started()));
    }

    #[test]
    fn what_was_signed_is_read_again_and_nothing_else_is() {
        let (key, other) = ([7; 32], [8; 32]);
        let receipt = sign(&key, b"run 7");
        assert_eq!(verify(&key, &receipt).as_deref(), Some(&b"run 7"[..]));
        assert_eq!(verify(&other, &receipt), None);
        for end in 0..receipt.len() {
            assert_eq!(verify(&key, &receipt[..end]), None, "cut after {end}");
        }
        let forged = |index: usize| {
            let letter = if receipt.as_bytes()[index] == b'A' { "B" } else { "A" };
            format!("{}{letter}{}", &receipt[..index], &receipt[index + 1..])
        };
        for index in 0..receipt.len() {
            assert_eq!(verify(&key, &forged(index)), None, "forged at {index}");
        }
        assert_eq!(verify(&key, "not base64!"), None);
    }
}
