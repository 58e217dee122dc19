//! `perfreg run`: registers, waits, holds the lease around a command, and completes.

mod delivery;
mod descendants;
pub mod environment;
mod forwarders;
pub mod guard;
mod guarding;
mod hearing;
mod heartbeat;
mod lines;
mod load;
mod name;
mod program;
mod progress;
mod protocol;
mod remains;
mod running;
mod signals;
mod starting;
mod ticket;
mod waiting;

use std::ffi::OsString;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use self::lines::start_line;
use self::name::name_of;
use self::program::Unrunnable;
use self::running::Rules;
pub use self::signals::{Signals, exit_code};
use self::starting::{Start, prepare};
pub use self::ticket::{Standing, Ticket};
pub use self::waiting::{Waited, give_back, wait};
use super::ask::{LATE_ANSWER, Limits, SLOWEST_ANSWER, ask_until};
use super::connection::ServerUrl;
use super::duration::{at_least_a_second, lease, seconds};
use super::exit;
use super::output::{remark, say};
use super::registration::Registration;
use crate::client::{Client, ClientError};
use crate::wire::decimal::Decimal;
use crate::wire::execution::ExecutionStatus;
use crate::wire::register::RegisterRequest;

const EXAMPLES: &str = "\
Examples:
  perfreg run --repo demo --stream main --location demo --factor 0.4 -- sleep 30
  perfreg run --location azure-k8s --factor 0.4 --wait 2h \\
      --repo shop --stream main -- k6 run t.js
  perfreg run --location azure-vm --exclusive --wait 2h \\
      --repo shop --stream main -- jmeter -n -t plan.jmx
In a git checkout, and in a CI job, leave out --repo and --stream.";
const HELP: &str = "\
It registers the test, waits for room with --wait, starts the command with
PERFREG_RUN_ID, PERFREG_FENCE and PERFREG_URL set, sends heartbeats while it
runs, and says how it ended: 0 is a success, anything else a failure. A command
that fails after it was interrupted counts as cancelled. Everything that the
command has started ends with it, and with perfreg run, even if that is killed.

Exit codes: that of the command, 128 + N if signal N ended it, and otherwise
   1  the registry found the request wrong; what is wrong is printed
   2  the command line was wrong, or something is missing that nothing else says
  65  refused for good: the factor can never fit at this location, or it would
      wait for the run that this one is inside of
  69  the registry cannot be reached
  75  refused for now: there is no room, and no --wait
  76  waited in vain
  77  a proxy, or what stands before the registry, does not let it through;
      nothing was started
  78  the way to the registry is set up wrong: it has moved, or a certificate,
      or a proxy's variable, cannot be used; nothing was started
  79  stopped, since the registry asked for it, or --max was reached
  80  stopped, since the registry had given the run up
 126  the command cannot be run; nothing was registered
 127  the command, or its interpreter, was not found; nothing was registered";

/// Run a load test while it holds its share of a location; without --wait it does not wait for room.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = HELP)]
pub struct Run {
    #[command(flatten)]
    registration: Registration,
    /// For how long to try again while the registry cannot be reached at the start.
    #[arg(long, env = "PERFREG_RETRY_FOR", hide_env_values = true, value_name = "DURATION", value_parser = seconds,
          default_value = "30s", help_heading = "When things fail", hide_short_help = true)]
    retry_for: u32,
    /// What to do when the registry cannot be reached at the start, also after --retry-for.
    #[arg(
        long,
        env = "PERFREG_IF_UNREACHABLE",
        hide_env_values = true,
        default_value = "fail",
        value_name = "WHAT",
        help_heading = "When things fail"
    )]
    if_unreachable: IfUnreachable,
    /// What to do when the registry has given the run up, so that another test may have its share.
    #[arg(
        long,
        env = "PERFREG_IF_LOST",
        hide_env_values = true,
        default_value = "stop",
        value_name = "WHAT",
        help_heading = "When things fail",
        hide_short_help = true
    )]
    if_lost: IfLost,
    /// The longest time between two heartbeats, 10s to 1h; after twice as long the share is given away.
    #[arg(long, env = "PERFREG_LEASE", hide_env_values = true, value_name = "DURATION", value_parser = lease,
          default_value = "60s", help_heading = "When things fail", hide_short_help = true)]
    lease: u32,
    /// How long the command may run; then it is stopped as the registry would stop it, with exit code 79.
    #[arg(long, env = "PERFREG_MAX", hide_env_values = true, value_name = "DURATION", value_parser = at_least_a_second,
          help_heading = "Stopping")]
    max: Option<u32>,
    /// How long the command may take to end after SIGTERM, before SIGKILL.
    #[arg(long, env = "PERFREG_STOP_GRACE", hide_env_values = true, value_name = "DURATION", value_parser = seconds,
          default_value = "30s", help_heading = "Stopping", hide_short_help = true)]
    stop_grace: u32,
    /// What ends the load where it runs elsewhere, such as in a container: a line for sh.
    ///
    /// It is run once unless the command ended with 0 by itself, for at most --stop-grace (but 10s at least).
    #[arg(long, env = "PERFREG_ON_STOP", hide_env_values = true, value_name = "COMMAND", help_heading = "Stopping")]
    on_stop: Option<String>,
    #[command(flatten)]
    url: ServerUrl,
    /// The command and its arguments.
    ///
    /// Unless --test is given, the test is named as its tool calls it, such as t.js or plan.jmx, else after the program.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IfUnreachable {
    /// Exit with 69, and start nothing.
    Fail,
    /// Start the command without a registration.
    Run,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IfLost {
    /// Stop the load, and exit with 80.
    Stop,
    /// Let the load go on.
    Continue,
}

impl Run {
    pub async fn run(self) -> ExitCode {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                say(&format!("cannot listen for signals, so nothing was started: {error}"));
                return ExitCode::FAILURE;
            }
        };
        if let Err(Unrunnable { code, why }) = program::look(&self.command) {
            say(&why);
            return ExitCode::from(code);
        }
        let found = environment::of_this_process().await;
        let wanted = match self.registration.request(found, name_of(&self.command)) {
            Ok(wanted) => wanted,
            Err(missing) => return exit::wrong_command_line(&missing),
        };
        let client = match self.url.client() {
            Ok(client) => client,
            Err(error) => return exit::fail(&error),
        };
        let rules = Rules {
            command: self.command,
            url: self.url.server,
            stop_grace: Duration::from_secs(self.stop_grace.into()),
            stop_if_lost: self.if_lost == IfLost::Stop,
            client: client.clone(),
            triggered_by: wanted.request.triggered_by.clone(),
            max: self.max.map(|seconds| Duration::from_secs(seconds.into())),
            on_stop: self.on_stop.filter(|line| !line.trim().is_empty()),
        };
        let patience = Duration::from_secs(self.retry_for.into());
        let limits = Limits {
            give_up: Some(Instant::now() + patience),
            slowest_answer: SLOWEST_ANSWER,
            goes_on: ClientError::is_temporary,
        };
        let how = format!("trying again for {}s", patience.as_secs());
        let start = tokio::select! {
            start = prepare(wanted, &client, limits, &how) => start,
            signal = signals.interrupt() => return ExitCode::from(exit_code(signal.as_raw())),
        };
        let request = match start {
            Ok(Start::Registered(request)) => RegisterRequest { lease_seconds: Some(self.lease), ..*request },
            Ok(Start::UnderOuterRun { run_id, why }) => {
                say(&why);
                let name = format!("the command inside of run {run_id}");
                return running::run_unregistered(rules, &name, &mut signals).await;
            }
            Ok(Start::Refused(why)) => return exit::refuse_for_good(&why),
            Err(error) => return without_registry(&error, self.if_unreachable, rules, &mut signals).await,
        };
        if let Some(warning) = unprotected(&request) {
            say(&warning);
        }
        let mut registering = pin!(register(&client, &request, limits, &how));
        let registered = tokio::select! {
            registered = &mut registering => registered,
            signal = signals.interrupt() => {
                // The answer may be on its way, and with it a share that nobody else would give back.
                if let Ok(Ok(standing)) = timeout(LATE_ANSWER, registering).await {
                    give_back(&Ticket::new(&client, &standing)).await;
                }
                return ExitCode::from(exit_code(signal.as_raw()));
            }
        };
        match registered {
            Ok(standing) => {
                let ticket = Ticket::new(&client, &standing);
                admitted(&ticket, standing, &request, &mut signals, rules).await
            }
            Err(error) => without_registry(&error, self.if_unreachable, rules, &mut signals).await,
        }
    }
}

/// Registers; the key lets the server recognise a request whose answer was lost.
async fn register(
    client: &Client,
    request: &RegisterRequest,
    limits: Limits,
    how: &str,
) -> Result<Standing, ClientError> {
    let key = Uuid::new_v4().to_string();
    ask_until(limits, client, how, async || client.register_once(request, &key).await)
        .await
        .inspect(remark)
        .and_then(|answer| Standing::read(&answer))
}

/// Says what the registry did not do, and runs the command all the same if that was told.
async fn without_registry(
    error: &ClientError,
    if_unreachable: IfUnreachable,
    rules: Rules,
    signals: &mut Signals,
) -> ExitCode {
    if !error.is_temporary() || if_unreachable == IfUnreachable::Fail {
        return exit::fail(error);
    }
    say(&format!("WARNING: {error}; the load starts WITHOUT a registration, as --if-unreachable run says"));
    running::run_unregistered(rules, "the load without a registration", signals).await
}

/// Waits for its turn if it has to, and runs the command.
async fn admitted(
    ticket: &Ticket,
    registered: Standing,
    request: &RegisterRequest,
    signals: &mut Signals,
    rules: Rules,
) -> ExitCode {
    let known = registered.waits_for.as_ref().map(|room| room.capacity.clone());
    if registered.status == ExecutionStatus::Running {
        let capacity = capacity_of(request, &rules.client).await;
        say(&start_line(&registered, request, capacity.as_ref(), &rules.url));
        return running::run(ticket, &registered, rules, signals).await;
    }
    let patience = Duration::from_secs(request.wait_seconds.unwrap_or_default().into());
    match wait(ticket, registered, patience, signals).await {
        Waited::Admitted(standing) => {
            say(&start_line(&standing, request, known.as_ref(), &rules.url));
            running::run(ticket, &standing, rules, signals).await
        }
        Waited::Dropped(why) => {
            say(&format!("{why}; the command was not started"));
            ExitCode::from(exit::WAITED_IN_VAIN)
        }
        Waited::Interrupted(signal) => ExitCode::from(exit_code(signal.as_raw())),
        Waited::Unreachable(error) => exit::fail(&error),
    }
}

/// The capacity of the location, unless the registry takes its time to tell it.
async fn capacity_of(request: &RegisterRequest, client: &Client) -> Option<Decimal> {
    #[derive(Deserialize)]
    struct Capacity {
        capacity: Decimal,
    }
    let location = request.location.as_deref()?;
    let answer = client.within(LATE_ANSWER, client.location(location)).await.ok()?;
    answer.read::<Capacity>().ok().map(|location| location.capacity)
}

/// What is said of a request that takes nothing: it may be meant so, or a variable was forgotten.
fn unprotected(request: &RegisterRequest) -> Option<String> {
    match (&request.location, &request.factor) {
        (None, _) => Some(
            "WARNING: without a location the load is bound by nothing and keeps nobody else away; give --location, \
             or set PERFREG_LOCATION"
                .to_owned(),
        ),
        (Some(location), None) => Some(format!(
            "WARNING: without a factor the load takes nothing of {location}; give --factor, or set PERFREG_FACTOR"
        )),
        _ => None,
    }
}
