//! Those who look after a location: who closes and opens it, and who sees to it that there are quiet moments.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::caller::{Caller, Message};
use crate::check::{Answer, Ask};
use crate::stories::cancel_orphan;

/// Closes the location now and then, and always opens it again.
pub async fn operate(mut caller: Caller) {
    let world = Arc::clone(&caller.world);
    while !world.is_ending() {
        let pause = Duration::from_millis(caller.random.u64(2_000..12_000));
        world.sleep(pause).await;
        let state = if caller.random.u8(..3) == 0 { "stopped" } else { "draining" };
        set_gate(&mut caller, state).await;
        sleep(Duration::from_millis(caller.random.u64(10..400))).await;
        set_gate(&mut caller, "open").await;
    }
}

/// Each attempt is a call of its own, since one that was not answered may come into effect later.
async fn set_gate(caller: &mut Caller, state: &str) {
    for _ in 0..100 {
        let op = caller.world.next_op();
        let body = format!(r#"{{"state":"{state}","reason":"chaos","by":"op-{op}"}}"#);
        let path = format!("/locations/{}", caller.place().name);
        let message = Message { method: Method::PUT, is_repeatable: false, ..Message::post(&path, body) };
        let outcome = caller.call(Ask::SetGate { op, is_open: state == "open" }, &message).await;
        if outcome.answer == Answer::GateSet {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Makes quiet moments, at which nothing is under way and nobody waits, and ends what nobody looks after.
pub async fn quieten(mut caller: Caller) {
    let world = Arc::clone(&caller.world);
    while !world.is_ending() {
        let pause = Duration::from_millis(caller.random.u64(4_000..8_000));
        world.sleep(pause).await;
        let place = &world.places[usize::from(caller.place)];
        place.takes_no_waiters.store(true, Ordering::SeqCst);
        for _ in 0..200 {
            if place.waiters.load(Ordering::SeqCst) == 0 {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        // If a call takes long, such as one to a server that is frozen, the others need not wait for it.
        if let Ok(alone) = timeout(Duration::from_secs(4), place.calls.write()).await {
            sleep(Duration::from_millis(2)).await;
            drop(alone);
        }
        place.takes_no_waiters.store(false, Ordering::SeqCst);
        find_orphans(&mut caller).await;
    }
}

#[derive(Deserialize)]
struct History {
    executions: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    run_id: i64,
    fence: Option<i64>,
    extra: Extra,
}

#[derive(Deserialize)]
struct Extra {
    op: Option<u64>,
}

/// Ends the runs that came of registrations whose answer was lost.
pub async fn find_orphans(caller: &mut Caller) {
    let (world, name) = (Arc::clone(&caller.world), caller.place().name.clone());
    if caller.place().orphans.lock().expect("no panic").is_empty() {
        return;
    }
    let sent = world.now();
    let list = Message::get(format!("/history?location={name}&status=running&limit=100"));
    let Some(body) = caller.read(&list).await else { return };
    let Ok(history) = serde_json::from_slice::<History>(&body) else { return };
    for found in history.executions {
        let Found { run_id, fence: Some(fence), extra: Extra { op: Some(op) } } = found else { continue };
        if caller.place().orphans.lock().expect("no panic").remove(&op) {
            caller.note(Ask::Find { op }, sent, Answer::Running { run_id, fence, lease_expires_at: None });
            cancel_orphan(caller, run_id).await;
        }
    }
}
