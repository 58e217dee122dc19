//! What the rule itself takes: `cargo bench --bench rule`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use perfreg::domain::admission::{Command, Snapshot, decide};
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::{Location, LocationName};
use perfreg::domain::continuity::Continuity;
use perfreg::domain::execution::lease::TokenHash;
use perfreg::domain::execution::priority::Priority;
use perfreg::domain::execution::{Details, Outcome, Registration, RunId};
use perfreg::domain::gate::Gate;
use perfreg::domain::schedule::holders::Holders;
use perfreg::domain::schedule::queue::MOST_WAITING;
use perfreg::domain::schedule::roster::Roster;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const BATCH: usize = 256;

fn token() -> TokenHash {
    TokenHash("d2f1".repeat(16))
}

fn register(factor: &str, wait_seconds: u32) -> Command {
    let text = |text: &str| text.to_owned();
    Command::Register(Registration {
        id: Uuid::now_v7(),
        details: Arc::new(Details {
            repo: text("myrepo"),
            lac: text("lac1"),
            stream: text("main"),
            test: text("load"),
            kind: text("performance"),
            environment: text("prod"),
            triggered_by: text("user1"),
            factor: Some(Factor::parse(factor).expect("a factor")),
            dashboard_url: None,
            location: Some(LocationName::new("azure-k8s")),
            extra: text("{}"),
        }),
        priority: Priority::DEFAULT,
        wait_seconds,
        lease: Some((60, token())),
        expected_seconds: Some(900),
        key: None,
        only_where_known: false,
    })
}

fn snapshot(location: Location, roster: Roster) -> Snapshot {
    let continuity = Continuity { pulse_at: Some(NOW), ..Continuity::default() };
    Snapshot { location, registry: Gate::OPEN, continuity, roster, named: Vec::new(), first_answers: Vec::new() }
}

fn empty() -> Snapshot {
    snapshot(Location::unused(Some(LocationName::new("azure-k8s"))), Roster::default())
}

/// What is left behind by these commands at the location.
fn after(mut before: Snapshot, commands: &[Command]) -> Snapshot {
    before.roster.set_holders(Holders::new(Vec::new(), 0));
    let plan = decide(before, commands, NOW);
    let run_ids: Vec<RunId> = (1..).take(plan.inserted.len()).map(RunId).collect();
    snapshot(plan.location.clone(), plan.into_roster(&run_ids))
}

/// One runs, with the run_id 1, and so many wait.
fn crowded(waiting: usize) -> Snapshot {
    let waiters = std::iter::repeat_with(|| register("0.6", 3_600)).take(waiting);
    after(empty(), &std::iter::once(register("0.6", 0)).chain(waiters).collect::<Vec<_>>())
}

fn measure(criterion: &mut Criterion, name: &str, snapshot: &Snapshot, commands: &[Command]) {
    let decide = |snapshot| decide(snapshot, black_box(commands), NOW);
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(|| snapshot.clone(), decide, BatchSize::LargeInput);
    });
}

fn rule(criterion: &mut Criterion) {
    measure(criterion, "register, empty location", &empty(), &[register("0.5", 0)]);
    let batch: Vec<Command> = std::iter::repeat_with(|| register("0", 0)).take(BATCH).collect();
    measure(criterion, "256 registers, empty location", &empty(), &batch);
    // One below the most, so that another may still wait.
    let crowded = crowded(MOST_WAITING - 1);
    let last = RunId(i64::try_from(MOST_WAITING).expect("a small number"));
    let beat = [Command::Beat { run_id: last, token: token(), hold_seconds: 0 }];
    measure(criterion, "heartbeat of the last, 9,999 wait, with an estimate for all", &crowded, &beat);
    let estimated = after(crowded.clone(), &beat);
    measure(criterion, "heartbeat of the last, 9,999 wait, as estimated before", &estimated, &beat);
    measure(criterion, "register, 9,999 wait", &crowded, &[register("0.6", 3_600)]);
    let complete = Command::Complete { run_id: RunId(1), outcome: Outcome::Success, token: Some(token()) };
    measure(criterion, "complete, 9,999 wait, the next starts", &crowded, &[complete]);
}

criterion_group!(benches, rule);
criterion_main!(benches);
