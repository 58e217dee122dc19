//! What is done to the cluster, and what has to hold then.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::evidence::Admission;
use crate::figures::Figures;
use crate::judge::judge;
use crate::load::Load;
use crate::nodes::{NODES, Nodes, URL};
use crate::witness::Witness;

/// Load before anything is broken, and after everything is mended.
const CALM: Duration = Duration::from_secs(5);
/// How long the standbys receive nothing before the primary is lost.
const LAG: Duration = Duration::from_secs(2);
const FROZEN: Duration = Duration::from_secs(30);
const GIVE_UP: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// A server is killed, and started again ten seconds later.
    ServerKilled,
    /// A standby's node loses its power.
    StandbyKilled,
    /// Another node is told to lead.
    Switchover,
    /// PostgreSQL is killed on the primary.
    PostgresKilled,
    /// The primary's node loses its power.
    NodeKilled,
    /// The primary's node loses its network; everything on it runs on, clients too.
    NodeCut,
    /// Every process of the primary's node stops for thirty seconds.
    NodeFrozen,
    /// The primary's node loses its power when the standbys, which nobody waits for, lack two seconds.
    StandbyBehind,
}

impl Scenario {
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn promotes(self) -> bool {
        !matches!(self, Self::ServerKilled | Self::StandbyKilled)
    }

    /// The node that something is done to.
    fn target(self, leader: &'static str) -> &'static str {
        let standby = NODES.into_iter().find(|node| *node != leader);
        standby.filter(|_| self == Self::StandbyKilled).unwrap_or(leader)
    }

    /// Whether a standby is waited for, so that nothing acknowledged may be lost.
    pub fn is_synchronous(self) -> bool {
        self != Self::StandbyBehind
    }

    /// How long nothing may be admitted.
    pub fn longest_gap(self) -> Duration {
        Duration::from_secs(match self {
            Self::ServerKilled => 1,
            Self::StandbyKilled | Self::Switchover | Self::PostgresKilled => 10,
            Self::NodeKilled | Self::NodeCut | Self::NodeFrozen | Self::StandbyBehind => 35,
        })
    }

    pub async fn run(self, nodes: &Nodes) -> Result<Figures> {
        eprintln!("\n== {}", self.name());
        nodes.run(&["wait"]).await?;
        if !self.is_synchronous() {
            nodes.run(&["synchronous", "off"]).await?;
        }
        let leader = nodes.primary().await?;
        let mut load = Load::start(URL);
        sleep(CALM).await;
        let mut promotion = nodes.watch_for_promotion(leader).await?;
        let witness = (self == Self::NodeCut).then(|| Witness::start(leader)).transpose()?;
        if witness.is_some() {
            sleep(CALM).await;
        }
        if self == Self::StandbyBehind {
            nodes.run(&["lag"]).await?;
            load.start_long_runs();
            sleep(LAG).await;
        }
        let struck = Instant::now();
        self.strike(nodes, self.target(leader)).await?;
        let promoted = self.wait_until_admitting(&load, &mut promotion, struck).await?;
        self.heal(nodes, self.target(leader), struck).await?;
        nodes.run(&["wait"]).await?;
        sleep(CALM).await;
        let elsewhere = match witness {
            Some(witness) => witness.stop().await?,
            None => Vec::new(),
        };
        let evidence = load.stop().await;
        let verdict = judge(&nodes.judge().await?, &evidence, &elsewhere).await?;
        if !self.is_synchronous() {
            nodes.run(&["synchronous", "on"]).await?;
        }
        let (admitting, gap) = evidence.longest_gap(struck);
        for surprise in evidence.surprises.iter().chain(&evidence.expired) {
            eprintln!("   {surprise}");
        }
        let cut_off = |admission: &&Admission| {
            let back = promoted.unwrap_or(struck);
            admission.answered > struck + Duration::from_millis(200) && admission.answered < back
        };
        Ok(Figures {
            scenario: self,
            gap,
            promoted: promoted.map(|moment| moment.duration_since(struck)),
            after_promotion: promoted.map(|moment| admitting.saturating_duration_since(moment)),
            slowest: evidence.slowest(struck),
            admitted: evidence.admissions.len(),
            cut_off: elsewhere.iter().filter(cut_off).count(),
            expired: evidence.expired.len(),
            surprises: evidence.surprises.len(),
            verdict,
        })
    }

    async fn strike(self, nodes: &Nodes, node: &str) -> Result<()> {
        match self {
            Self::ServerKilled => nodes.run(&["kill-server", node]).await?,
            Self::Switchover => nodes.run(&["switchover"]).await?,
            Self::PostgresKilled => nodes.run(&["kill-postgres", node]).await?,
            Self::NodeKilled | Self::StandbyKilled => nodes.run(&["kill-node", node]).await?,
            Self::NodeCut => nodes.run(&["cut-node", node]).await?,
            Self::NodeFrozen => nodes.run(&["freeze-node", node]).await?,
            Self::StandbyBehind => {
                nodes.run(&["kill-node", node]).await?;
                nodes.run(&["drop-lag"]).await?
            }
        };
        Ok(())
    }

    /// When another node took writes, if one has to; admissions have gone on then for a while.
    async fn wait_until_admitting(
        self,
        load: &Load,
        promotion: &mut JoinSet<Instant>,
        struck: Instant,
    ) -> Result<Option<Instant>> {
        let mut promoted = None;
        if self.promotes() {
            tokio::select! {
                Some(moment) = promotion.join_next() => promoted = Some(moment?),
                () = sleep(GIVE_UP) => {}
            }
            ensure!(promoted.is_some(), "no other node took over within {GIVE_UP:?}");
        }
        let since = promoted.unwrap_or(struck);
        while !load.notebook.has_admitted_since(since) {
            ensure!(since.elapsed() < GIVE_UP, "nothing is admitted {GIVE_UP:?} after the promotion");
            sleep(LOOK).await;
        }
        sleep(CALM).await;
        Ok(promoted)
    }

    async fn heal(self, nodes: &Nodes, node: &str, struck: Instant) -> Result<()> {
        match self {
            Self::ServerKilled => nodes.run(&["start-server", node]).await?,
            Self::NodeKilled | Self::StandbyKilled | Self::StandbyBehind => nodes.run(&["start-node", node]).await?,
            Self::NodeCut => nodes.run(&["heal-node", node]).await?,
            Self::NodeFrozen => {
                sleep(FROZEN.saturating_sub(struck.elapsed())).await;
                nodes.run(&["thaw-node", node]).await?
            }
            Self::Switchover | Self::PostgresKilled => return Ok(()),
        };
        Ok(())
    }
}
