//! Breaks something every few seconds, and heals it again.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;
use tokio::time::sleep;

use crate::check::{Fault, SECOND};
use crate::failover::fail_over;
use crate::options::FaultKind;
use crate::postgres::Postgres;
use crate::proxy::Mode;
use crate::world::World;

/// After so many faults nothing is broken for a while, which some promises need to be seen.
const CALM_AFTER: usize = 9;
const CALM: Duration = Duration::from_secs(25);

pub struct Breaker {
    pub world: Arc<World>,
    pub postgres: Option<Arc<Postgres>>,
    pub standby: Option<Arc<Postgres>>,
    pub kinds: Vec<FaultKind>,
    /// From the beginning of one fault to that of the next, if it is healed by then.
    pub pause: Duration,
    pub random: fastrand::Rng,
}

impl Breaker {
    /// Goes on until the end begins; then all is healed.
    /// Gives the PostgreSQL that it ends with.
    pub async fn run(mut self) -> Result<Option<Arc<Postgres>>> {
        let mut order: Vec<FaultKind> = Vec::new();
        let (mut next, mut count) = (self.pause / 2, 0);
        loop {
            self.world.sleep(next).await;
            if self.world.is_ending() {
                break;
            }
            if self.kinds.is_empty() {
                continue;
            }
            count += 1;
            if count % CALM_AFTER == 0 {
                self.world.sleep(CALM).await;
                continue;
            }
            // Each before any of them comes again.
            if order.is_empty() {
                order.clone_from(&self.kinds);
                self.random.shuffle(&mut order);
            }
            let begin = self.world.now();
            if let Some(kind) = order.pop() {
                self.break_one(kind).await?;
            }
            let took = Duration::from_micros((self.world.now() - begin).unsigned_abs());
            next = self.pause.saturating_sub(took).max(Duration::from_secs(1));
        }
        self.heal_all().await?;
        Ok(self.postgres)
    }

    /// Mostly short; now and then longer than any time-out.
    fn duration(&mut self) -> Duration {
        let most = if self.random.u8(..8) == 0 { 30_000 } else { 4_000 };
        Duration::from_millis(self.random.u64(300..most))
    }

    async fn break_one(&mut self, kind: FaultKind) -> Result<()> {
        let world = Arc::clone(&self.world);
        if kind == FaultKind::FailOver && self.standby.is_none() {
            return Ok(());
        }
        let replica = &world.replicas[self.random.usize(..world.replicas.len())];
        let (begin, time) = (world.now(), self.duration());
        let number = {
            let mut faults = world.faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.push(Fault { what: Told(kind, &replica.name).to_string(), begin, end: i64::MAX });
            faults.len() - 1
        };
        match kind {
            FaultKind::KillServer => {
                replica.kill();
                world.sleep(time.min(Duration::from_secs(3))).await;
                replica.launch()?;
            }
            FaultKind::FreezeServer => {
                replica.signal(Signal::STOP);
                world.sleep(time).await;
                replica.signal(Signal::CONT);
            }
            FaultKind::ResetClients => self.spoil(&replica.clients, Mode::Reset, time).await,
            FaultKind::SilenceClients => self.spoil(&replica.clients, Mode::Silent, time).await,
            FaultKind::DelayClients => {
                self.spoil(&replica.clients, Mode::Delay(Duration::from_millis(300)), time).await;
            }
            FaultKind::WrongClock => {
                let hour = if self.random.bool() { 3_600 } else { -3_600 };
                replica.switches.set_clock_ahead(hour)?;
                world.sleep(time).await;
                replica.switches.set_clock_ahead(0)?;
            }
            FaultKind::FullDisk | FaultKind::FailingFsync => {
                let switches = self.postgres.as_ref().map_or(&replica.switches, |postgres| &postgres.switches);
                let set = |fails| {
                    if kind == FaultKind::FullDisk { switches.fill_disk(fails) } else { switches.fail_fsync(fails) }
                };
                set(true)?;
                world.sleep(time.min(Duration::from_secs(4))).await;
                set(false)?;
            }
            FaultKind::ResetDatabase | FaultKind::SilenceDatabase | FaultKind::DelayDatabase => {
                let mode = match kind {
                    FaultKind::ResetDatabase => Mode::Reset,
                    FaultKind::SilenceDatabase => Mode::Silent,
                    _ => Mode::Delay(Duration::from_millis(100)),
                };
                if let Some(proxy) = &replica.database {
                    self.spoil(proxy, mode, time).await;
                }
            }
            FaultKind::KillDatabase | FaultKind::FreezeDatabase => self.break_postgres(kind, time).await?,
            FaultKind::FailOver => {
                if let (Some(primary), Some(standby)) = (&self.postgres, self.standby.take()) {
                    fail_over(&world, primary, &standby).await?;
                    self.postgres = Some(standby);
                }
            }
        }
        self.heal_all().await?;
        let end = world.now();
        world.faults.lock().unwrap_or_else(PoisonError::into_inner)[number].end = end;
        let at = |moment: i64| format!("{:>7}.{:01} s", moment / SECOND, moment % SECOND / 100_000);
        println!(
            "{}  {}, healed after {}.{:01} s",
            at(begin),
            Told(kind, &replica.name),
            (end - begin) / SECOND,
            (end - begin) % SECOND / 100_000
        );
        Ok(())
    }

    async fn spoil(&self, proxy: &crate::proxy::Proxy, mode: Mode, time: Duration) {
        proxy.set(mode);
        self.world.sleep(time).await;
        proxy.set(Mode::Pass);
    }

    async fn break_postgres(&self, kind: FaultKind, time: Duration) -> Result<()> {
        let Some(postgres) = &self.postgres else { return Ok(()) };
        if kind == FaultKind::KillDatabase {
            postgres.kill();
            self.world.sleep(time.min(Duration::from_secs(2))).await;
            return postgres.launch();
        }
        postgres.signal(Signal::STOP);
        self.world.sleep(time).await;
        postgres.signal(Signal::CONT);
        Ok(())
    }

    /// What ended by itself is started again; some faults are more than a process should survive.
    async fn heal_all(&self) -> Result<()> {
        if let Some(postgres) = &self.postgres {
            postgres.wait_until_ready().await?;
        }
        for replica in &self.world.replicas {
            if replica.has_ended() {
                println!("              {} had ended by itself and is started again", replica.name);
                replica.launch()?;
            }
        }
        // A server that listens is not yet one that serves.
        for _ in 0..200 {
            let mut are_up = true;
            for replica in &self.world.replicas {
                are_up &= tokio::net::TcpStream::connect(replica.address).await.is_ok();
            }
            if are_up {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// A fault as a person reads it.
struct Told<'name>(FaultKind, &'name str);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, server) = self;
        match kind {
            FaultKind::KillServer => write!(f, "{server} killed"),
            FaultKind::FreezeServer => write!(f, "{server} frozen"),
            FaultKind::KillDatabase => f.write_str("PostgreSQL killed"),
            FaultKind::FreezeDatabase => f.write_str("PostgreSQL frozen"),
            FaultKind::ResetClients => write!(f, "connections of clients to {server} broken"),
            FaultKind::SilenceClients => write!(f, "connections of clients to {server} half-open"),
            FaultKind::DelayClients => write!(f, "connections of clients to {server} slow"),
            FaultKind::ResetDatabase => write!(f, "connections of {server} to PostgreSQL broken"),
            FaultKind::SilenceDatabase => write!(f, "connections of {server} to PostgreSQL half-open"),
            FaultKind::DelayDatabase => write!(f, "connections of {server} to PostgreSQL slow"),
            FaultKind::FullDisk => f.write_str("disk of the database full"),
            FaultKind::FailingFsync => f.write_str("fsync of the database failing"),
            FaultKind::FailOver => f.write_str("primary lost, standby promoted"),
            FaultKind::WrongClock => write!(f, "clock of {server} wrong by an hour"),
        }
    }
}
