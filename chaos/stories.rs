//! What clients do with one test after the other: how it is asked for, how it lives, how it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::caller::{Caller, Message, Outcome};
use crate::check::{Answer, Ask, Registration, Status};
use crate::gone;

/// The shortest there is.
pub const LEASE_SECONDS: u32 = 10;
/// Of those who do not want to be given up.
pub const LONG_LEASE_SECONDS: u32 = 600;
pub const LONGEST_HOLD: Duration = Duration::from_secs(20);

/// One who was admitted, or waits.
pub struct Test {
    pub run_id: i64,
    pub token: Option<String>,
    /// The version that is known; whoever is held without one may be told of its end only.
    pub version: Option<i64>,
}

/// Lives through one test after the other until the end.
pub async fn live(mut caller: Caller) {
    while !caller.world.is_ending() {
        let weights = caller.world.weights;
        let known = [weights.plain, weights.keyed, weights.twin, weights.waiting, weights.leased, weights.forgotten];
        let gone = [weights.killed, weights.stalled, weights.polling];
        let kinds = [&known[..], &gone[..]].concat();
        let mut choice = caller.random.u32(..kinds.iter().sum::<u32>());
        let kind = kinds.iter().position(|weight| {
            let is_it = choice < *weight;
            choice = choice.saturating_sub(*weight);
            is_it
        });
        match kind {
            Some(0) => plain(&mut caller).await,
            Some(1) => keyed(&mut caller).await,
            Some(2) => twins(&mut caller).await,
            Some(3) => waiting(&mut caller).await,
            Some(4) => leased(&mut caller).await,
            Some(5) => forgotten(&mut caller).await,
            Some(6) => gone::killed(&mut caller).await,
            Some(7) => gone::stalled(&mut caller).await,
            _ => gone::polling(&mut caller).await,
        }
    }
}

/// What a test asks for, before it says how.
pub fn registration(caller: &mut Caller) -> Registration {
    let (op, factors) = (caller.world.next_op(), caller.place().factors);
    let factor = factors.pick(&mut caller.random);
    Registration { op, factor, wait_seconds: 0, priority: 5, lease_seconds: None, has_key: false }
}

fn message(caller: &Caller, registration: &Registration) -> Message {
    let Registration { op, factor, wait_seconds, priority, lease_seconds, has_key } = registration;
    let lease = lease_seconds.map(|seconds| format!(r#","lease_seconds":{seconds}"#)).unwrap_or_default();
    let body = format!(
        r#"{{"repo":"chaos","lac":"lac1","stream":"main","test":"load","type":"performance","environment":"prod","triggered_by":"client-{}","location":"{}","factor":{}.{:06},"wait_seconds":{wait_seconds},"priority":{priority},"expected_seconds":1,"op":{op}{lease}}}"#,
        caller.id,
        caller.place().name,
        factor / 1_000_000,
        factor % 1_000_000,
    );
    let key = has_key.then(|| format!("key-{op}"));
    Message { key, is_repeatable: *has_key, ..Message::post("/register", body) }
}

pub async fn register(caller: &mut Caller, registration: &Registration) -> Outcome {
    let message = message(caller, registration);
    register_with(caller, registration, &message).await
}

async fn register_with(caller: &mut Caller, registration: &Registration, message: &Message) -> Outcome {
    let outcome = caller.call(Ask::Register(registration.clone()), message).await;
    if outcome.answer == Answer::Unknown {
        caller.place().orphans.lock().expect("no panic").insert(registration.op);
    }
    if matches!(outcome.answer, Answer::Refused(_)) {
        pause(caller, 30).await;
    }
    outcome
}

/// A short time, up to so many milliseconds.
pub async fn pause(caller: &mut Caller, most: u64) {
    sleep(Duration::from_millis(caller.random.u64(0..=most))).await;
}

pub async fn run(caller: &mut Caller) {
    let most = caller.world.weights.longest_run;
    pause(caller, most).await;
}

pub async fn plain(caller: &mut Caller) {
    let registration = registration(caller);
    let outcome = register(caller, &registration).await;
    if let Answer::Running { run_id, .. } = outcome.answer {
        let test = Test { run_id, token: None, version: None };
        if caller.random.u8(..10) == 0 {
            look(caller, run_id).await;
        }
        run(caller).await;
        end(caller, &test).await;
    }
}

async fn keyed(caller: &mut Caller) {
    let registration = Registration { has_key: true, ..registration(caller) };
    let outcome = register(caller, &registration).await;
    if caller.random.u8(..8) == 0 {
        again(caller, &registration, &outcome).await;
    }
    if let Answer::Running { run_id, .. } = outcome.answer {
        run(caller).await;
        end(caller, &Test { run_id, token: None, version: None }).await;
    }
}

/// The same request has to be given the same answer.
async fn again(caller: &mut Caller, registration: &Registration, first: &Outcome) {
    if first.answer == Answer::Unknown {
        return;
    }
    let message = message(caller, registration);
    let sent = caller.world.now();
    let second = caller.ask_again(&registration_ask(registration), &message).await;
    if let Some(second) = second
        && (second.answer != first.answer || second.token != first.token)
    {
        let text = format!("{:?} first, and {:?} for the same key", first.answer, second.answer);
        caller.note(registration_ask(registration), sent, Answer::Unexpected(text));
    }
}

fn registration_ask(registration: &Registration) -> Ask {
    Ask::Register(registration.clone())
}

/// The same key is used at once by two who do not know of each other, as by a job that was started twice.
async fn twins(caller: &mut Caller) {
    let registration = Registration { has_key: true, ..registration(caller) };
    let message = Message { is_shared: true, ..message(caller, &registration) };
    let mut twin = caller.twin();
    let (ask, world) = (registration_ask(&registration), Arc::clone(&caller.world));
    let sent = world.now();
    let (first, second) = tokio::join!(register_with(caller, &registration, &message), twin.ask_again(&ask, &message));
    if let Some(second) = second
        && second.answer != first.answer
        && first.answer != Answer::Unknown
    {
        let text = format!("{:?} to one, and {:?} to its twin", first.answer, second.answer);
        caller.note(ask, sent, Answer::Unexpected(text));
    }
    if let Answer::Running { run_id, .. } = first.answer {
        run(caller).await;
        end(caller, &Test { run_id, token: None, version: None }).await;
    }
}

/// Waits for its turn in calls that are held.
async fn waiting(caller: &mut Caller) {
    if caller.place().takes_no_waiters.load(Ordering::SeqCst) {
        return plain(caller).await;
    }
    let (wait_seconds, priority) = (caller.random.u32(1..=8), caller.random.u8(4..=6));
    let lease_seconds = Some(lease_of_waiter(caller));
    let registration = Registration { wait_seconds, priority, lease_seconds, has_key: true, ..registration(caller) };
    caller.place().waiters.fetch_add(1, Ordering::SeqCst);
    let outcome = register(caller, &registration).await;
    let (token, version) = (outcome.token, outcome.version);
    let test = match outcome.answer {
        Answer::Running { run_id, .. } => Some(Test { run_id, token, version }),
        Answer::Queued { run_id, .. } => wait_for_turn(caller, Test { run_id, token, version }).await,
        _ => None,
    };
    caller.place().waiters.fetch_sub(1, Ordering::SeqCst);
    if let Some(test) = test {
        run(caller).await;
        end(caller, &test).await;
    }
}

/// Some have a lease only for the queue.
pub fn lease_of_waiter(caller: &mut Caller) -> u32 {
    if caller.random.u8(..4) == 0 { 0 } else { LONG_LEASE_SECONDS }
}

/// The test as its client knows it once it was answered so: without a lease nobody has to prove anything.
pub fn as_told(test: Test, answer: &Answer) -> Test {
    let is_leased = !matches!(answer, Answer::Running { lease_expires_at: None, .. });
    Test { token: test.token.filter(|_| is_leased), ..test }
}

/// The test, if it runs in the end.
pub async fn wait_for_turn(caller: &mut Caller, test: Test) -> Option<Test> {
    if caller.random.u8(..12) == 0 {
        pause(caller, 500).await;
        // If it has just started, it is asked to stop.
        let is_running = cancel(caller, &test, false).await == Answer::Stopping;
        return is_running.then_some(test);
    }
    loop {
        match beat(caller, &test, LONGEST_HOLD).await {
            answer @ Answer::Running { .. } => return Some(as_told(test, &answer)),
            Answer::Queued { .. } => {}
            _ => return None,
        }
    }
}

async fn leased(caller: &mut Caller) {
    let lease_seconds = Some(LONG_LEASE_SECONDS);
    let registration = Registration { lease_seconds, has_key: true, ..registration(caller) };
    let outcome = register(caller, &registration).await;
    if caller.random.u8(..8) == 0 {
        again(caller, &registration, &outcome).await;
    }
    let Answer::Running { run_id, .. } = outcome.answer else { return };
    let test = Test { run_id, token: outcome.token, version: None };
    for _ in 0..caller.random.u8(0..4) {
        run(caller).await;
        beat(caller, &test, Duration::ZERO).await;
    }
    if caller.random.u8(..10) == 0 {
        // Nobody may end it who does not know the secret.
        let token = test.token.as_ref().map(|_| "somebody-else".to_owned());
        complete(caller, &Test { run_id, token, version: None }, Status::Success, true).await;
    }
    if caller.random.u8(..6) == 0 {
        cancel(caller, &test, false).await;
        beat(caller, &test, Duration::ZERO).await;
    }
    end(caller, &test).await;
}

/// Is not heard of any more, is given up, and comes back too late. Meanwhile its client goes on.
async fn forgotten(caller: &mut Caller) {
    let most = caller.world.weights.most_forgotten;
    if caller.place().forgotten.fetch_add(1, Ordering::SeqCst) >= most {
        caller.place().forgotten.fetch_sub(1, Ordering::SeqCst);
        return plain(caller).await;
    }
    let mut registration = Registration { lease_seconds: Some(LEASE_SECONDS), has_key: true, ..registration(caller) };
    // Something has to be left for the others.
    registration.factor = registration.factor.min(caller.place().capacity / 5);
    let Outcome { answer, token, .. } = register(caller, &registration).await;
    let Answer::Running { run_id, .. } = answer else {
        caller.place().forgotten.fetch_sub(1, Ordering::SeqCst);
        return;
    };
    let mut ghost = caller.twin();
    tokio::spawn(async move {
        haunt(&mut ghost, &Test { run_id, token, version: None }).await;
        ghost.place().forgotten.fetch_sub(1, Ordering::SeqCst);
    });
}

async fn haunt(ghost: &mut Caller, test: &Test) {
    let lease = Duration::from_secs(LEASE_SECONDS.into());
    let world = Arc::clone(&ghost.world);
    if ghost.random.bool() {
        // Late, but not too late: it is suspect, and recovers.
        world.sleep(lease.mul_f64(1.2)).await;
        beat(ghost, test, Duration::ZERO).await;
    }
    world.sleep(lease.mul_f64(1.95)).await;
    while !world.is_ending() {
        if !matches!(look(ghost, test.run_id).await, Answer::Running { .. }) {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    beat(ghost, test, Duration::ZERO).await;
    complete(ghost, test, Status::Success, false).await;
}

pub async fn look(caller: &mut Caller, run_id: i64) -> Answer {
    caller.call(Ask::Look { run_id }, &Message::get(format!("/executions/{run_id}"))).await.answer
}

pub async fn beat(caller: &mut Caller, test: &Test, hold: Duration) -> Answer {
    let message = heartbeat(test, hold);
    caller.call(Ask::Beat { run_id: test.run_id }, &message).await.answer
}

pub fn heartbeat(test: &Test, hold: Duration) -> Message {
    let Test { run_id, token, version } = test;
    let token = token.as_deref().unwrap_or_default();
    let version = version.map(|version| format!(r#","version":{version}"#)).unwrap_or_default();
    let body = format!(r#"{{"run_id":{run_id},"lease_token":"{token}","wait_seconds":{}{version}}}"#, hold.as_secs());
    Message { hold, ..Message::post("/heartbeat", body) }
}

pub async fn end(caller: &mut Caller, test: &Test) {
    let status = if caller.random.u8(..5) == 0 { Status::Failure } else { Status::Success };
    match caller.random.u8(..20) {
        0 => drop(cancel(caller, test, true).await),
        1 => {
            complete(caller, test, status, false).await;
            // The same again is the same, and another word changes nothing.
            complete(caller, test, status, false).await;
            let other = if status == Status::Success { Status::Failure } else { Status::Success };
            complete(caller, test, other, false).await;
        }
        _ => complete(caller, test, status, false).await,
    }
}

async fn complete(caller: &mut Caller, test: &Test, status: Status, is_stranger: bool) {
    let Test { run_id, token, .. } = test;
    let word = if status == Status::Success { "success" } else { "failure" };
    let token = token.as_ref().map(|token| format!(r#","lease_token":"{token}""#)).unwrap_or_default();
    let message = Message::post("/complete", format!(r#"{{"run_id":{run_id},"status":"{word}"{token}}}"#));
    let run_id = *run_id;
    let ask = if is_stranger { Ask::CompleteAsStranger { run_id } } else { Ask::Complete { run_id, status } };
    caller.call(ask, &message).await;
}

async fn cancel(caller: &mut Caller, test: &Test, force: bool) -> Answer {
    let run_id = test.run_id;
    let message = Message::post("/cancel", format!(r#"{{"run_id":{run_id},"force":{force}}}"#));
    caller.call(Ask::Cancel { run_id, force }, &message).await.answer
}

/// Ends what came of a registration without an answer.
pub async fn cancel_orphan(caller: &mut Caller, run_id: i64) {
    cancel(caller, &Test { run_id, token: None, version: None }, true).await;
}
