//! `perfreg register`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::ask::{LATE_ANSWER, Limits, SLOWEST_ANSWER, ask_until};
use super::connection::Connection;
use super::duration::lease;
use super::failure::Failure;
use super::nested::outer_run;
use super::output::{Output, remark, say, write_line};
use super::registration::{Registration, Wanted};
use super::run::environment;
use super::run::{Signals, Standing, Ticket, Waited, exit_code, give_back, wait};
use crate::client::{Answer, Client, ClientError};
use crate::wire::execution::ExecutionStatus;
use crate::wire::register::RegisterRequest;

const EXAMPLES: &str = "\
Examples:
  perfreg register --repo shop --stream main --test load \\
      --location azure-k8s --factor 0.5 --wait 2h && ./load.sh
  perfreg register --repo shop --stream main --test load \\
      --location azure-k8s --factor 0.5 --json
In a git checkout, and in a CI job, leave out --repo and --stream.";
const HELP: &str = "\
It exits 0 only when the test may start: at once, or with --wait after it has
waited in the queue, where it keeps its place alive. The test then holds its
share until perfreg complete or perfreg cancel, however long that takes, also if
the pipeline dies. perfreg run does more: it completes the test, and ends what
the load has left behind.

Exit codes:
   0  the test may start
   1  the registry found the request wrong; what is wrong is printed
   2  the command line was wrong, or something is missing that nothing else says
  65  refused for good: the factor can never fit at this location
  69  the registry cannot be reached
  75  refused for now: there is no room, and no --wait
  76  waited in vain: --wait ran out, or the place was taken away
  77  a proxy, or what stands before the registry, does not let it through
  78  the way to the registry is set up wrong; what is wrong is printed
 130, 143, …  interrupted while it waited; the place was given back";

/// For how long a registry that does not answer is asked again by a test that would wait anyway.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// Register a test, and exit 0 only when it may start; without --wait it does not wait for room.
#[derive(Args)]
#[command(before_help = EXAMPLES, after_long_help = HELP)]
pub struct Register {
    #[command(flatten)]
    registration: Registration,
    /// Ask for a lease, whose heartbeats you have to send yourself: the longest time between two, 10s to 1h.
    #[arg(long, value_name = "DURATION", value_parser = lease, help_heading = "When things fail", hide_short_help = true)]
    lease: Option<u32>,
    /// Where to write the secret of the lease, readable by you alone; --json prints it as well.
    #[arg(long, value_name = "FILE", requires = "lease", help_heading = "When things fail", hide_short_help = true)]
    lease_token_file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Register {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let wanted = self.registration.request(environment::of_this_process().await, None);
        let wanted = wanted.map_err(Failure::CommandLine)?;
        let secret = Secret::prepare(self.lease.is_some(), self.lease_token_file, self.connection.json)
            .map_err(Failure::CommandLine)?;
        let mut signals = Signals::listen().map_err(|error| {
            Failure::Machine(format!("cannot listen for signals, so nothing was registered: {error}"))
        })?;
        let (client, output) = self.connection.open()?;
        let standing = admitted(&client, wanted, self.lease, &mut signals).await?;
        told(&output, &standing, secret)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Registers, and waits until the test may start; else why it may not.
async fn admitted(
    client: &Client,
    wanted: Wanted,
    lease_seconds: Option<u32>,
    signals: &mut Signals,
) -> Result<Standing, Failure> {
    let request = wanted.settle(async |request| client.plan(&request.into()).await).await?;
    // Without a lease heartbeats only keep the place in the queue.
    let lease_seconds = lease_seconds.or(request.wait_seconds.filter(|seconds| *seconds > 0).map(|_| 0));
    let request = RegisterRequest { lease_seconds, ..request };
    let mut registering = pin!(register(client, &request));
    let answer = tokio::select! {
        answer = &mut registering => answer,
        signal = signals.interrupt() => {
            // The answer may be on its way, and with it a share that nobody else would give back.
            if let Ok(Ok(answer)) = timeout(LATE_ANSWER, registering).await
                && let Ok(standing) = Standing::read(&answer)
            {
                give_back(&Ticket::new(client, &standing)).await;
            }
            return Err(Failure::Interrupted(exit_code(signal.as_raw())));
        }
    };
    let standing = answer.inspect(remark).and_then(|answer| Standing::read(&answer))?;
    if standing.status != ExecutionStatus::Queued {
        return Ok(standing);
    }
    let ticket = Ticket::new(client, &standing);
    if let Some(refusal) = waits_for_itself(client, &request, &standing).await {
        give_back(&ticket).await;
        return Err(Failure::WaitsForItself(refusal));
    }
    let (run_id, lease_token) = (standing.run_id, standing.lease_token.clone());
    let patience = Duration::from_secs(request.wait_seconds.unwrap_or_default().into());
    match wait(&ticket, standing, patience, signals).await {
        Waited::Admitted(standing) => Ok(Standing { lease_token, ..*standing }),
        Waited::Dropped(why) => Err(Failure::WaitedInVain(format!("{why}; the test must not start"))),
        Waited::Interrupted(signal) => Err(Failure::Interrupted(exit_code(signal.as_raw()))),
        Waited::Unreachable(error) => {
            say(&format!("run {run_id} may have started without being told; perfreg cancel {run_id} ends it"));
            Err(error.into())
        }
    }
}

/// Registers. One that waits is asked again while nobody answers: if it has started meanwhile, nobody else knows of it.
async fn register(client: &Client, request: &RegisterRequest) -> Result<Answer, ClientError> {
    let key = Uuid::new_v4().to_string();
    let call = async || client.register_once(request, &key).await;
    if request.wait_seconds.is_none_or(|seconds| seconds == 0) {
        return client.within(SLOWEST_ANSWER, call()).await;
    }
    let limits = Limits {
        give_up: Some(Instant::now() + RETRY_FOR),
        slowest_answer: SLOWEST_ANSWER,
        goes_on: ClientError::is_temporary,
    };
    let how = format!("trying again for {}s", RETRY_FOR.as_secs());
    ask_until(limits, client, &how, call).await
}

/// Why to wait would never end, if this is inside of a run that holds what it waits for.
async fn waits_for_itself(client: &Client, request: &RegisterRequest, standing: &Standing) -> Option<String> {
    let find = async |run_id| client.within(SLOWEST_ANSWER, client.execution(run_id, 0, 0)).await;
    let outer = outer_run(request, find).await.ok().flatten()?;
    let capacity = &standing.waits_for.as_ref()?.capacity;
    outer.leaves_no_room(request, capacity).then(|| outer.refusal())
}

/// Says that the test may start, and gives its secret to whom it is for.
fn told(output: &Output, standing: &Standing, secret: Option<Secret>) -> Result<(), ClientError> {
    let token = standing.lease_token.clone().filter(|_| standing.lease_seconds.is_some());
    let written = match (secret, &token) {
        (Some(secret), Some(token)) => secret.write(token).map_err(ClientError::Output),
        _ => Ok(()),
    };
    let said = if output.json {
        write_line(&with_token(&standing.answer, token))
    } else {
        write_line(&format!("Registered as run {}.", standing.run_id))
    };
    written.and(said)
}

/// The registry's last answer; only the first told the token.
fn with_token(answer: &str, token: Option<String>) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(answer) else { return answer.to_owned() };
    if let Some(token) = token {
        fields.insert("lease_token".to_owned(), Value::String(token));
    }
    Value::Object(fields).to_string()
}

/// A file for the secret of a lease, which is there before anything is registered.
struct Secret {
    file: NamedTempFile,
    path: PathBuf,
}

impl Secret {
    /// None where there is no secret, or where it is printed as JSON.
    fn prepare(has_lease: bool, path: Option<PathBuf>, is_printed: bool) -> Result<Option<Self>, String> {
        match path {
            None if has_lease && !is_printed => {
                Err("a lease has a secret token, which is not printed in a log; give --lease-token-file, or --json"
                    .to_owned())
            }
            None => Ok(None),
            Some(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let cannot = |error| {
                    format!("cannot write the lease token to {}, so nothing was registered: {error}", path.display())
                };
                NamedTempFile::new_in(folder).map_err(cannot).map(|file| Some(Self { file, path: path.clone() }))
            }
        }
    }

    fn write(mut self, token: &str) -> std::io::Result<()> {
        writeln!(self.file, "{token}")?;
        self.file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}
