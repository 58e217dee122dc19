//! What can be asked of a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Several servers share one.
    Postgres,
    /// One server with a file.
    Sqlite,
}

/// What is broken, and healed after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultKind {
    /// A server is killed with SIGKILL and started again.
    KillServer,
    /// A server is frozen with SIGSTOP.
    FreezeServer,
    /// PostgreSQL, all of it, is killed with SIGKILL and started again.
    KillDatabase,
    /// PostgreSQL, all of it, is frozen with SIGSTOP.
    FreezeDatabase,
    /// The connections between clients and a server break, again and again.
    ResetClients,
    /// They stay open and carry nothing any more.
    SilenceClients,
    /// They are slow.
    DelayClients,
    /// The same between a server and PostgreSQL.
    ResetDatabase,
    SilenceDatabase,
    DelayDatabase,
    /// No file of the database can grow.
    FullDisk,
    /// fsync fails with an I/O error.
    FailingFsync,
    /// PostgreSQL's synchronous standby is cut off, commits that wait for it are cancelled, PostgreSQL is killed, and
    /// the standby takes over. Once, and only if it is asked for.
    FailOver,
    /// The clock of a server's machine is an hour ahead or behind. PostgreSQL's is right.
    WrongClock,
}

impl FaultKind {
    /// Whether it means anything there. SQLite has no clock but its server's.
    pub const fn fits(self, engine: Engine) -> bool {
        match engine {
            Engine::Postgres => true,
            Engine::Sqlite => matches!(
                self,
                Self::KillServer
                    | Self::FreezeServer
                    | Self::ResetClients
                    | Self::SilenceClients
                    | Self::DelayClients
                    | Self::FullDisk
                    | Self::FailingFsync
            ),
        }
    }
}

/// Runs servers and a database, breaks them again and again under load, and judges whether every promise was kept.
#[derive(Clone, Debug, Parser)]
#[command(name = "chaos/run", bin_name = "chaos/run", max_term_width = 100, after_help = AFTER_HELP)]
pub struct Options {
    /// Ends after so many calls, answered or given up.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    pub operations: u64,
    /// Ends after so many seconds at the latest.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    pub seconds: u64,
    #[arg(long, value_enum, default_value_t = Engine::Postgres)]
    pub database: Engine,
    /// Servers that share a PostgreSQL.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub replicas: u8,
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub locations: u16,
    /// Clients at each location. With more than 16 the search for an order of the calls may take for ever.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub clients: u16,
    /// What to break; everything that fits the database unless given. "none" breaks nothing.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub faults: Vec<String>,
    /// Seconds from one fault to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub pause: u64,
    /// Of the random choices; printed, so that a run can be repeated as far as the machine allows.
    #[arg(long)]
    pub seed: Option<u64>,
    /// The perfreg to run; the one that was built with the harness unless given.
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// Keeps the folder with logs and evidence even if all went well.
    #[arg(long)]
    pub keep: bool,
    /// Switches a bug on that was put into the product for this, and expects it to be caught; of several with commas
    /// between, or "all", one after the other.
    #[arg(long, value_name = "NAMES")]
    pub seeded_bug: Option<String>,
    /// Comes from cargo.
    #[arg(long, hide = true)]
    pub bench: bool,
}

const AFTER_HELP: &str = "Exits with 0 if every promise was kept, and with 1 otherwise; then it prints what was broken, \
when, and where the logs and the evidence are. With --seeded-bug it is the other way round.";

impl Options {
    pub fn fault_kinds(&self) -> Result<Vec<FaultKind>, String> {
        if self.faults.iter().any(|name| name == "none") {
            return Ok(Vec::new());
        }
        let all = FaultKind::value_variants().iter().copied();
        if self.faults.is_empty() {
            return Ok(all.filter(|kind| kind.fits(self.database) && *kind != FaultKind::FailOver).collect());
        }
        self.faults
            .iter()
            .map(|name| {
                let kind = FaultKind::from_str(name, false).map_err(|_| {
                    let names: Vec<_> =
                        all.clone().filter_map(|kind| Some(kind.to_possible_value()?.get_name().to_owned())).collect();
                    format!("there is no fault {name}; there are none, {}", names.join(", "))
                })?;
                kind.fits(self.database).then_some(kind).ok_or_else(|| format!("{name} means nothing on SQLite"))
            })
            .collect()
    }

    pub fn longest(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
