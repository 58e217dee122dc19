//! Waiters that go away: some for ever, some for a while, and some that only look in now and then.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::check::{Answer, Ask, Registration};
use crate::stories::{
    LEASE_SECONDS, LONG_LEASE_SECONDS, LONGEST_HOLD, Test, as_told, beat, end, heartbeat, lease_of_waiter, look, pause,
    plain, register, registration, run, wait_for_turn,
};

/// Waiters that hang up, at one location at a time.
const MOST_FICKLE: usize = 1;
/// One location in so many has a waiter that polls.
const POLLED: u16 = 4;
const POLL_EVERY: Duration = Duration::from_secs(30);
/// By then a waiter that hung up is passed over, unless something is broken.
const PASSED_OVER: Duration = Duration::from_secs(6);
const LITTLE: i64 = 10_000;

/// Hangs up while it waits, and is not heard of any more.
pub async fn killed(caller: &mut Caller) {
    let lease_seconds = Some(LEASE_SECONDS);
    let Some(test) = hang_up(caller, 8..=16, lease_seconds).await else { return };
    let mut ghost = caller.twin();
    tokio::spawn(async move {
        watch(&mut ghost, test.run_id, PASSED_OVER).await;
        ghost.place().waiters.fetch_sub(1, Ordering::SeqCst);
        watch(&mut ghost, test.run_id, Duration::MAX).await;
        ghost.place().fickle.fetch_sub(1, Ordering::SeqCst);
    });
}

/// Sees what becomes of one that is gone, for so long. Reading it is no sign of life.
async fn watch(ghost: &mut Caller, run_id: i64, time: Duration) {
    let begin = Instant::now();
    while !ghost.world.is_ending()
        && begin.elapsed() < time
        && matches!(look(ghost, run_id).await, Answer::Queued { .. } | Answer::Running { .. })
    {
        pause(ghost, 1_000).await;
    }
}

/// Hangs up while it waits, comes back after a while and goes on waiting.
pub async fn stalled(caller: &mut Caller) {
    let lease_seconds = Some(lease_of_waiter(caller));
    let Some(test) = hang_up(caller, 10..=25, lease_seconds).await else { return };
    let stall = Duration::from_millis(caller.random.u64(1_000..15_000));
    caller.world.sleep(stall.min(PASSED_OVER)).await;
    caller.place().waiters.fetch_sub(1, Ordering::SeqCst);
    caller.world.sleep(stall.saturating_sub(PASSED_OVER)).await;
    caller.place().waiters.fetch_add(1, Ordering::SeqCst);
    let running = wait_for_turn(caller, test).await;
    caller.place().waiters.fetch_sub(1, Ordering::SeqCst);
    if let Some(test) = running {
        // It may go on for longer than it would have been waited for.
        let long = Duration::from_millis(if caller.random.bool() { caller.random.u64(..7_000) } else { 0 });
        caller.world.sleep(long).await;
        run(caller).await;
        end(caller, &test).await;
    }
    caller.place().fickle.fetch_sub(1, Ordering::SeqCst);
}

/// Waits, and hangs up in the middle of a call. It counts as a waiter and as fickle until its story has ended.
async fn hang_up(
    caller: &mut Caller,
    waits: std::ops::RangeInclusive<u32>,
    lease_seconds: Option<u32>,
) -> Option<Test> {
    let place = caller.place();
    if place.takes_no_waiters.load(Ordering::SeqCst) || place.fickle.fetch_add(1, Ordering::SeqCst) >= MOST_FICKLE {
        place.fickle.fetch_sub(1, Ordering::SeqCst);
        plain(caller).await;
        return None;
    }
    caller.place().waiters.fetch_add(1, Ordering::SeqCst);
    let wait_seconds = caller.random.u32(waits);
    let test = if caller.random.u8(..4) > 0 {
        hang_up_behind_a_run(caller, wait_seconds, lease_seconds).await
    } else {
        let registration = registration(caller);
        let registration = Registration { wait_seconds, lease_seconds, has_key: true, ..registration };
        let soon = Duration::from_millis(caller.random.u64(..200));
        register_and_hang_up(caller, &registration, soon).await
    };
    if test.is_none() {
        caller.place().waiters.fetch_sub(1, Ordering::SeqCst);
        caller.place().fickle.fetch_sub(1, Ordering::SeqCst);
    }
    test
}

/// Waits behind a run beside which it does not fit, and hangs up before that has ended.
async fn hang_up_behind_a_run(caller: &mut Caller, wait_seconds: u32, lease_seconds: Option<u32>) -> Option<Test> {
    let in_front = run_in_front(caller).await?;
    let registration = registration(caller);
    let factor = caller.place().capacity - factor_in_front(caller);
    let registration = Registration { factor, wait_seconds, lease_seconds, has_key: true, ..registration };
    let in_the_middle = Duration::from_millis(caller.random.u64(200..3_000));
    let test = register_and_hang_up(caller, &registration, in_the_middle).await;
    // With luck it ends before the one behind it is passed over.
    let rest = Duration::from_millis(caller.random.u64(..8_000));
    caller.world.sleep(rest).await;
    end(caller, &in_front).await;
    test
}

fn factor_in_front(caller: &Caller) -> i64 {
    caller.place().capacity / 20 * 11
}

async fn run_in_front(caller: &mut Caller) -> Option<Test> {
    let (factor, lease_seconds) = (factor_in_front(caller), Some(LONG_LEASE_SECONDS));
    let registration = registration(caller);
    let registration = Registration { factor, wait_seconds: 5, lease_seconds, has_key: true, ..registration };
    let outcome = register(caller, &registration).await;
    let (token, version) = (outcome.token, outcome.version);
    match outcome.answer {
        Answer::Running { run_id, .. } => Some(Test { run_id, token, version }),
        Answer::Queued { run_id, .. } => wait_for_turn(caller, Test { run_id, token, version }).await,
        _ => None,
    }
}

/// The test, if it has hung up and was not told anything.
async fn register_and_hang_up(caller: &mut Caller, registration: &Registration, after: Duration) -> Option<Test> {
    let outcome = register(caller, registration).await;
    let (token, version) = (outcome.token, outcome.version);
    let test = match outcome.answer {
        Answer::Queued { run_id, .. } => Test { run_id, token, version },
        Answer::Running { run_id, .. } => {
            end(caller, &as_told(Test { run_id, token, version }, &outcome.answer)).await;
            return None;
        }
        _ => return None,
    };
    let (ask, message) = (Ask::Beat { run_id: test.run_id }, heartbeat(&test, LONGEST_HOLD));
    match caller.call_for(after, ask, &message).await.answer {
        answer @ Answer::Running { .. } => {
            end(caller, &as_told(test, &answer)).await;
            None
        }
        Answer::Ended { .. } | Answer::EndedOtherwise { .. } => None,
        _ => Some(test),
    }
}

/// Asks every half a minute whether it may start; some are not heard of any more instead.
pub async fn polling(caller: &mut Caller) {
    let place = caller.place();
    let is_polled = place.index.is_multiple_of(POLLED) && !place.takes_no_waiters.load(Ordering::SeqCst);
    if !is_polled || place.polling.fetch_add(1, Ordering::SeqCst) > 0 {
        if is_polled {
            place.polling.fetch_sub(1, Ordering::SeqCst);
        }
        return plain(caller).await;
    }
    let registration = registration(caller);
    let (wait_seconds, lease_seconds) = (120, Some(LONG_LEASE_SECONDS));
    let registration = Registration { factor: LITTLE, wait_seconds, lease_seconds, has_key: true, ..registration };
    let outcome = register(caller, &registration).await;
    let (token, version) = (outcome.token, outcome.version);
    let running = match outcome.answer {
        Answer::Running { run_id, .. } => Some(Test { run_id, token, version }),
        Answer::Queued { run_id, .. } if caller.random.u8(..4) == 0 => {
            let mut ghost = caller.twin();
            tokio::spawn(async move {
                watch(&mut ghost, run_id, Duration::MAX).await;
                ghost.place().polling.fetch_sub(1, Ordering::SeqCst);
            });
            return;
        }
        Answer::Queued { run_id, .. } => poll(caller, Test { run_id, token, version }).await,
        _ => None,
    };
    if let Some(test) = running {
        run(caller).await;
        end(caller, &test).await;
    }
    caller.place().polling.fetch_sub(1, Ordering::SeqCst);
}

/// The test, if it runs in the end.
async fn poll(caller: &mut Caller, test: Test) -> Option<Test> {
    loop {
        caller.world.sleep(POLL_EVERY).await;
        match beat(caller, &test, Duration::ZERO).await {
            Answer::Running { .. } => return Some(test),
            Answer::Queued { .. } => {}
            _ => return None,
        }
    }
}
