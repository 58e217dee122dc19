//! The registry in a world of its own: several replicas above a database in memory, in one thread and in a time that
//! passes at once. What goes wrong, and when, follows from a seed, and so does everything else that happens.

mod chance;
mod client;
mod connection;
mod database;
mod evidence;
mod trace;
mod world;

use std::env;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use client::Client;
use trace::Story;
use world::World;

const SEEDS: u64 = 10_000;
const SEEDS_LIVED_TWICE: u64 = 200;

/// Lives through the world of a seed.
fn live(seed: u64) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let world = World::begin(seed);
        tokio::spawn(Arc::clone(&world).make_trouble());
        let clients = (0..world.chance.within(1..=5) as usize).map(|number| {
            tokio::spawn(Client { world: Arc::clone(&world), number, chance: world.chance.fork() }.live())
        });
        for client in clients.collect::<Vec<_>>() {
            let end = client.await;
            world.trace.check(end.is_ok(), || format!("a client panicked: {end:?}"));
        }
        world.come_to_rest().await;
        world.trace.end()
    })
}

fn number_from(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a whole number, not {text:?}")))
}

/// Does something for each seed, on all processors.
fn for_each_seed(count: u64, act: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < count) {
                    act(seed);
                }
            });
        }
    });
}

/// `PERFREG_SIMULATION_SEEDS` says how many; `PERFREG_SIMULATION_SEED` names one, whose story is printed.
#[test]
fn whatever_goes_wrong_in_a_simulated_world_every_promise_is_kept() {
    if let Some(seed) = number_from("PERFREG_SIMULATION_SEED") {
        let story = live(seed);
        for entry in &story.entries {
            println!("{entry:?}");
        }
        println!("the story of seed {seed} has the hash {:016x}", story.hash);
        assert!(story.broken.is_empty(), "seed {seed}:\n{}", story.broken.join("\n"));
        return;
    }
    let failed = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    for_each_seed(number_from("PERFREG_SIMULATION_SEEDS").unwrap_or(SEEDS), |seed| {
        // The first few failures say enough.
        if !failed.load(Ordering::Relaxed) {
            let story = live(seed);
            if !story.broken.is_empty() {
                failed.store(true, Ordering::Relaxed);
                let how = format!("PERFREG_SIMULATION_SEED={seed} ./test simulated_world");
                failures.lock().expect("no panic").push(format!("{how}\n{}", story.broken.join("\n")));
            }
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "promises were broken; this shows how:\n{}", failures.join("\n"));
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for_each_seed(SEEDS_LIVED_TWICE, |seed| {
        let (first, second) = (live(seed), live(seed));
        let differs = first.entries.iter().zip(&second.entries).find(|(one, other)| one != other);
        assert_eq!(first.hash, second.hash, "seed {seed} is told otherwise from {differs:?} on");
    });
}
