//! `perfreg serve`: builds and starts everything.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::database::{Database, password_sources};
use super::{announcement, descriptors, exit, log};
use crate::background;
use crate::clock::Clock;
use crate::config::database::{DatabaseConfig, DatabaseUrl, Durability};
use crate::config::hosts::{AllowedHosts, HostName};
use crate::config::server::{PublicUrl, ServerConfig};
use crate::http::{Server, service};
use crate::present::adopted;
use crate::registry::{Registry, RegistryError};
use crate::store::{self, Claim, Store, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const WAIT_FOR_ANOTHER_SERVER: Duration = Duration::from_secs(5);
const TIME_TO_CLOSE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  perfreg serve
  perfreg serve --listen 0.0.0.0:8000 --database sqlite:/var/lib/perfreg.db
  perfreg serve --database postgresql://perfreg@db.example.com/perfreg
  perfreg serve --log warn,perfreg=debug --log-format json";

/// Run the registry's server.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Serve {
    /// Address to listen on; 0.0.0.0:8000 listens on every interface.
    #[arg(long, env = "PERFREG_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS", value_parser = address,
          help_heading = "Listening")]
    listen: String,
    /// Where people find the server, if it is behind a proxy, for links: such as https://ci.example.com/perfreg.
    #[arg(long, env = "PERFREG_PUBLIC_URL", value_name = "URL", help_heading = "Listening")]
    public_url: Option<String>,
    /// Another name that the server answers to, such as perfreg.ci.svc; may be repeated.
    ///
    /// It always answers to addresses, to localhost, and to the names of --listen and --public-url. Beyond loopback it
    /// answers to every name until --public-url or this is given. The variable has commas between names.
    #[arg(
        long = "allowed-host",
        env = "PERFREG_ALLOWED_HOSTS",
        value_name = "NAME",
        value_delimiter = ',',
        help_heading = "Listening"
    )]
    allowed_hosts: Vec<HostName>,
    /// Seconds that requests which have begun may take after SIGTERM.
    #[arg(
        long,
        env = "PERFREG_STOP_GRACE_SECONDS",
        default_value_t = 20,
        value_name = "SECONDS",
        help_heading = "Listening",
        hide_short_help = true
    )]
    stop_grace_seconds: u64,
    #[command(flatten)]
    database: Database,
    /// File with PostgreSQL's password, read again for each connection.
    ///
    /// It counts where the URL has no password, before PGPASSWORD and PGPASSFILE.
    #[arg(long, env = "PERFREG_DATABASE_PASSWORD_FILE", value_name = "FILE", help_heading = "Database")]
    database_password_file: Option<PathBuf>,
    /// Most connections to PostgreSQL.
    #[arg(long, env = "PERFREG_DATABASE_CONNECTIONS", default_value_t = 16, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(2..=1000), help_heading = "Database", hide_short_help = true)]
    database_connections: u16,
    /// What an answer promises: local is what the database is set to; standby is that a standby has it.
    ///
    /// With standby a synchronous standby of PostgreSQL has it, and without one nothing is taken on.
    #[arg(
        long,
        env = "PERFREG_DURABILITY",
        value_enum,
        default_value_t,
        value_name = "WHERE",
        hide_possible_values = true,
        help_heading = "Database"
    )]
    durability: Durability,
    /// Days for which events are kept; executions are kept for ever.
    #[arg(long, env = "PERFREG_KEEP_EVENTS_DAYS", default_value_t = 90, value_name = "DAYS",
          value_parser = clap::value_parser!(u16).range(1..=36500), help_heading = "Database", hide_short_help = true)]
    keep_events_days: u16,
    /// Which locations tests may name: any, or only known ones, that were used or set before.
    #[arg(
        long,
        env = "PERFREG_LOCATIONS",
        value_enum,
        default_value_t,
        value_name = "WHICH",
        hide_possible_values = true,
        help_heading = "Rules"
    )]
    locations: Locations,
    /// What to log: error, warn, info, debug, trace, off, or a filter such as warn,perfreg=debug.
    #[arg(long, env = "PERFREG_LOG", default_value = "info", value_name = "FILTER", value_parser = log::filter,
          help_heading = "Log")]
    log: String,
    /// How to log: text, or json with one object a line.
    #[arg(
        long,
        env = "PERFREG_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        hide_possible_values = true,
        help_heading = "Log"
    )]
    log_format: log::Format,
}

/// The locations that tests may name.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Locations {
    #[default]
    Any,
    Known,
}

impl Serve {
    pub async fn run(self) -> ExitCode {
        let format = self.log_format;
        if let Err(error) = log::start(&self.log, format) {
            return exit::wrong_command_line(&format!("{error:#}"));
        }
        let ended = |error: &anyhow::Error, code| {
            log::say_last_words(&format!("{error:#}"), format);
            ExitCode::from(code)
        };
        let (public_url, database) = match self.read_urls() {
            Ok(urls) => urls,
            Err(error) => return ended(&error, exit::WRONG_COMMAND_LINE),
        };
        match self.serve(public_url, database).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => ended(&error, exit::FAILED),
        }
    }

    /// Reads by hand what clap would repeat where it is wrong, and with it a password.
    fn read_urls(&self) -> anyhow::Result<(Option<PublicUrl>, DatabaseUrl)> {
        let public_url = self.public_url.as_deref().map(str::parse::<PublicUrl>).transpose();
        Ok((public_url.context("--public-url is wrong")?, self.database.url()?))
    }

    async fn serve(self, public_url: Option<PublicUrl>, url: DatabaseUrl) -> anyhow::Result<()> {
        let listen = resolve(&self.listen).await?;
        let stop_grace = Duration::from_secs(self.stop_grace_seconds);
        let hosts = AllowedHosts::new(listen.ip(), &self.listen, public_url.as_ref(), self.allowed_hosts);
        let config = ServerConfig { listen, stop_grace, public_url, hosts };
        let database = DatabaseConfig {
            url,
            connections: self.database_connections.into(),
            durability: self.durability,
            passwords: password_sources(self.database_password_file),
        };
        let most_connections = descriptors::most_connections(database.connections);
        let server = Server::bind(config.listen, most_connections, config.stop_grace)
            .await
            .with_context(|| cannot_listen(config.listen))?;
        let address = server.address().context("cannot find out the port")?;
        log_start(address, &config.hosts, &database);
        let store = store::open(&database, Clock::Real)?;
        let registry = Registry::new(Arc::clone(&store));
        let registry = Arc::new(match self.locations {
            Locations::Any => registry,
            Locations::Known => registry.with_known_locations_only(),
        });
        let service = service(Arc::clone(&registry), config.public_url.clone(), config.hosts);

        let (stopper, held) = (server.stopper(), Arc::clone(&registry));
        tokio::spawn(async move {
            wait_for_stop_signal().await;
            stopper.stop();
            held.release_watchers();
            tracing::info!("stopping; requests that have begun are answered first");
        });
        // Served from the beginning, so that a health check sees a server that waits for its
        // database; every other call is a 503 until then.
        let serving = server.run(service, Arc::clone(registry.metrics()));
        tokio::pin!(serving);
        let _claim = tokio::select! {
            prepared = prepare(&database, store.as_ref()) => prepared?,
            () = &mut serving => return Ok(()),
        };
        if let Err(error) = warn_of_adopted(&registry).await {
            tracing::warn!("cannot tell what still runs from before: {error}");
        }
        background::start(&registry, SignedDuration::from_hours(i64::from(self.keep_events_days) * 24));
        announcement::print(address, config.public_url.as_ref(), &database.url);
        serving.await;
        // A read that outlasts the time to stop is not waited for.
        let _ = timeout(TIME_TO_CLOSE, store.close()).await;
        Ok(())
    }
}

/// Says in the log what still runs from before, since nobody else may ever end it.
async fn warn_of_adopted(registry: &Registry) -> Result<(), RegistryError> {
    if let Some(adopted) = registry.adopted(&registry.locations().await?).await? {
        tracing::warn!("{}", adopted::line(&adopted));
    }
    Ok(())
}

/// What one looks for first in a log that somebody else has sent.
fn log_start(address: SocketAddr, hosts: &AllowedHosts, database: &DatabaseConfig) {
    let version = env!("CARGO_PKG_VERSION");
    let durability = match database.durability {
        Durability::Local => "local",
        Durability::Standby => "standby",
    };
    tracing::info!(version, %address, database = %database.url, durability, "perfreg starts");
    for warning in announcement::exposure(address, hosts) {
        tracing::warn!("{warning}");
    }
}

/// Whether it can be an address, of which only the name may be unknown.
fn address(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    if port.is_some_and(|port| port.parse::<u16>().is_ok()) {
        return Ok(text.to_owned());
    }
    Err("it is no address with a port; give one such as 127.0.0.1:8000 or 0.0.0.0:8000".to_owned())
}

async fn resolve(listen: &str) -> anyhow::Result<SocketAddr> {
    let wrong = || format!("--listen {listen} names no address that is known here; give one such as 127.0.0.1:8000");
    tokio::net::lookup_host(listen).await.with_context(wrong)?.next().with_context(wrong)
}

fn cannot_listen(address: SocketAddr) -> String {
    format!("cannot listen on {address}; stop what listens there or give another address with --listen")
}

/// Waits for a database that is away; gives up on one that will not do. Whoever serves holds the claim.
async fn prepare(database: &DatabaseConfig, store: &dyn Store) -> anyhow::Result<Option<Claim>> {
    let claim = claim(database).await?;
    let mut pause = FIRST_PAUSE;
    loop {
        match store.prepare().await {
            Ok(()) => return Ok(claim),
            Err(error @ (StoreError::Unsuitable(_) | StoreError::Broken(_))) => {
                if let Some(claim) = claim {
                    claim.withdraw();
                }
                bail!("{error}");
            }
            Err(error) => tracing::warn!("waiting for the database: {error}; trying again in {pause:?}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits a moment for a server before this one that is about to end.
async fn claim(database: &DatabaseConfig) -> anyhow::Result<Option<Claim>> {
    let give_up = Instant::now() + WAIT_FOR_ANOTHER_SERVER;
    let mut said = false;
    loop {
        match store::claim(database) {
            Ok(claim) => return Ok(claim),
            Err(StoreError::Unavailable(reason)) if Instant::now() < give_up => {
                if !said {
                    tracing::warn!("{reason}; waiting up to {WAIT_FOR_ANOTHER_SERVER:?} for it to end");
                }
                said = true;
                sleep(FIRST_PAUSE).await;
            }
            Err(error) => bail!("{error}"),
        }
    }
}

pub async fn wait_for_stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals; only SIGKILL will stop this server");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
