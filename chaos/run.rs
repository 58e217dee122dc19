//! One run, from the first server to the verdicts.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use hyper::Method;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::caller::{Caller, Message};
use crate::check::{self, Evidence, Verdict};
use crate::faults::Breaker;
use crate::options::{Engine, FaultKind, Options};
use crate::postgres::Postgres;
use crate::proxy::Proxy;
use crate::replica::{Replica, Setup};
use crate::shim::{self, Switches};
use crate::world::{Place, Weights, World};
use crate::{keepers, report, saved, stories};

/// After the end has begun, everybody has this long to finish.
const LAST_WORDS: Duration = Duration::from_mins(3);

pub struct Finished {
    pub is_kept: bool,
    pub verdicts: Vec<Verdict>,
}

pub async fn run(options: &Options, weights: Weights, seeded_bug: Option<&str>) -> Result<Finished> {
    let kinds = options.fault_kinds().map_err(anyhow::Error::msg)?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let directory = tempfile::Builder::new().prefix("chaos-").tempdir()?;
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    println!("seed {seed}; logs in {}", directory.path().display());
    let library = shim::build(directory.path())?;
    let postgres = match options.database {
        Engine::Sqlite => None,
        Engine::Postgres => {
            let switches = Switches::new(&library, directory.path().join("postgres.switches"))?;
            Some(Arc::new(Postgres::start(directory.path().join("postgres"), switches).await?))
        }
    };
    let standby = match &postgres {
        Some(primary) if kinds.contains(&FaultKind::FailOver) => {
            let switches = Switches::new(&library, directory.path().join("standby.switches"))?;
            Some(Arc::new(primary.start_standby(directory.path().join("standby"), switches).await?))
        }
        _ => None,
    };
    let mut url = postgres.as_ref().map_or_else(
        || format!("sqlite:{}", directory.path().join("perfreg.db").display()),
        |postgres| Postgres::url(postgres.address),
    );
    let address = postgres.as_ref().map(|postgres| postgres.address);
    let replicas = replicas(options, address, &url, directory.path(), &library, seeded_bug).await?;
    let places = (0..options.locations).map(Place::new).collect();
    let world = World::new(replicas, places, weights);
    let databases = (postgres, standby);
    let (mut evidence, postgres) = load(options, &world, databases, kinds, seed).await?;
    if let Some(postgres) = &postgres {
        url = Postgres::url(postgres.address);
    }
    let seconds = world.begin.elapsed().as_secs();
    settle(&world).await?;
    evidence.calls = world.take_calls();
    evidence.calls.sort_by_key(|call| call.sent);
    saved::read(&url, &world, &mut evidence).await?;
    report::summary(&evidence, world.operations.load(Ordering::Relaxed), seconds);
    let begin = Instant::now();
    let verdicts = tokio::task::spawn_blocking(move || {
        let verdicts = check::judge(&evidence);
        (evidence, verdicts)
    });
    let (evidence, verdicts) = verdicts.await?;
    let is_kept = report::verdicts(&verdicts) && saved::is_intact(&url)?;
    println!("judged in {} s", begin.elapsed().as_secs());
    if options.keep || (!is_kept && seeded_bug.is_none()) {
        report::keep(directory.path(), &evidence, &verdicts)?;
        drop(world);
        println!("seed {seed}; logs and evidence are kept in {}", directory.keep().display());
    }
    Ok(Finished { is_kept, verdicts })
}

async fn replicas(
    options: &Options,
    postgres: Option<SocketAddr>,
    url: &str,
    directory: &Path,
    library: &Path,
    seeded_bug: Option<&str>,
) -> Result<Vec<Replica>> {
    let count = if postgres.is_some() { options.replicas } else { 1 };
    let mut replicas = Vec::new();
    for number in 1..=count {
        let name = format!("server {number}");
        let database = match postgres {
            Some(address) => Some(Proxy::start(address).await?),
            None => None,
        };
        let setup = Setup {
            binary: options.binary.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_perfreg").into()),
            url: database.as_ref().map_or_else(|| url.to_owned(), |proxy| Postgres::url(proxy.address)),
            switches: Switches::new(library, directory.join(format!("{name}.switches")))?,
            log: directory.join(format!("{name}.log")),
            seeded_bug: seeded_bug.map(str::to_owned),
            database,
            name,
        };
        replicas.push(Replica::start(setup).await?);
    }
    Ok(replicas)
}

/// Lets everybody do as they like until there were enough calls, or enough time has passed.
async fn load(
    options: &Options,
    world: &Arc<World>,
    (postgres, standby): (Option<Arc<Postgres>>, Option<Arc<Postgres>>),
    kinds: Vec<FaultKind>,
    seed: u64,
) -> Result<(Evidence, Option<Arc<Postgres>>)> {
    let mut random = fastrand::Rng::with_seed(seed);
    prepare(world, random.u64(..)).await?;
    let mut everybody = JoinSet::new();
    let mut next_id = 0;
    let mut newcomer = |place: &Place| {
        next_id += 1;
        Caller::new(world, place.index, next_id, random.u64(..))
    };
    for place in &world.places {
        for _ in 0..options.clients {
            everybody.spawn(stories::live(newcomer(place)));
        }
        everybody.spawn(keepers::quieten(newcomer(place)));
        if world.weights.gates {
            everybody.spawn(keepers::operate(newcomer(place)));
        }
    }
    let pause = Duration::from_secs(options.pause);
    let breaker = Breaker { world: Arc::clone(world), postgres, standby, kinds, pause, random };
    let breaking = tokio::spawn(breaker.run());
    while world.operations.load(Ordering::Relaxed) < options.operations && world.begin.elapsed() < options.longest() {
        if breaking.is_finished() {
            breaking.await??;
            bail!("nothing breaks anything any more");
        }
        sleep(Duration::from_millis(100)).await;
    }
    world.is_ending.store(true, Ordering::Relaxed);
    let postgres = breaking.await??;
    let all = async { while everybody.join_next().await.is_some() {} };
    ensure!(timeout(LAST_WORDS, all).await.is_ok(), "some clients were never answered");
    let faults = std::mem::take(&mut *world.faults.lock().unwrap_or_else(PoisonError::into_inner));
    let capacities = world.places.iter().map(|place| place.capacity).collect();
    Ok((Evidence { faults, capacities, ..Evidence::default() }, postgres))
}

/// Waits for the servers, and sets the capacities.
async fn prepare(world: &Arc<World>, seed: u64) -> Result<()> {
    for place in &world.places {
        let mut caller = Caller::new(world, place.index, 0, seed);
        let body = format!(r#"{{"capacity":{}.{:06}}}"#, place.capacity / 1_000_000, place.capacity % 1_000_000);
        let message = Message { method: Method::PUT, ..Message::post(&format!("/locations/{}", place.name), body) };
        let give_up = Instant::now() + Duration::from_mins(1);
        while caller.read(&message).await.is_none() {
            if Instant::now() > give_up {
                bail!("the servers do not serve; see their logs");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Ends what nobody looks after, and waits until nothing comes in any more.
async fn settle(world: &Arc<World>) -> Result<()> {
    for place in &world.places {
        let mut caller = Caller::new(world, place.index, 0, 0);
        let look = Message::get("/readyz".to_owned());
        let give_up = Instant::now() + Duration::from_mins(1);
        while caller.read(&look).await.is_none() {
            ensure!(Instant::now() < give_up, "the servers do not serve any more; see their logs");
            sleep(Duration::from_millis(100)).await;
        }
        keepers::find_orphans(&mut caller).await;
    }
    sleep(Duration::from_secs(1)).await;
    Ok(())
}
