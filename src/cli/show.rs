//! `perfreg show`.

use clap::Args;
use jiff::Timestamp;

use super::board::starts;
use super::connection::Connection;
use super::duration::{exact, relative};
use super::events::line;
use super::output::{printable, write_line};
use super::runs::{duration, factor, status};
use super::table::{Column, table};
use super::terminal::{table_width, wrapped};
use super::values::run_id;
use crate::client::{Answer, Client, ClientError};
use crate::clock;
use crate::present::time::duration_text;
use crate::wire::board::{Board, BoardQuery, MOST_SHOWN, Neighbour, NeighboursResponse};
use crate::wire::event::EventsResponse;
use crate::wire::execution::{Execution, ExecutionStatus};

/// The columns before the value of a field.
const BEFORE_VALUES: usize = 16;
/// Of a run with more events, such as one whose lease comes and goes, `perfreg events` has all.
const MOST_EVENTS: u32 = 1_000;

/// Tell one run: what it is, beside whom it ran, and what happened to it.
#[derive(Args)]
#[command(before_help = "Examples:\n  perfreg show 7\n  perfreg show 7 --json | jq '.neighbours.neighbours[].run_id'")]
pub struct Show {
    /// The number that register gave it.
    #[arg(value_parser = run_id)]
    run_id: i64,
    /// Show every column whole, however narrow the terminal is.
    #[arg(long, help_heading = "Output")]
    wide: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let (run, neighbours, events) = tokio::try_join!(
            client.find(self.run_id),
            client.neighbours(self.run_id),
            client.events_of(self.run_id, MOST_EVENTS),
        )?;
        if output.json {
            return write_line(&together(&run, &neighbours, &events));
        }
        let (now, width) = (clock::now(), table_width(self.wide));
        let run: Execution = run.read()?;
        let turn = turn(&client, &run, now).await?;
        let parts = [
            fields(&run, turn, now, width),
            beside(&run, &neighbours.read()?, now, width),
            story(self.run_id, &events.read()?, width),
        ];
        write_line(&parts.join("\n\n"))
    }
}

/// The three answers as they came, under a name each.
fn together(run: &Answer, neighbours: &Answer, events: &Answer) -> String {
    format!(r#"{{"execution":{},"neighbours":{},"events":{}}}"#, run.json(), neighbours.json(), events.json())
}

/// The position of a waiter, and when it will probably start.
async fn turn(client: &Client, run: &Execution, now: Timestamp) -> Result<Option<String>, ClientError> {
    let (ExecutionStatus::Queued, Some(location)) = (run.status, run.location.clone()) else { return Ok(None) };
    let board: Board = client.board(&BoardQuery { location: Some(location), limit: Some(MOST_SHOWN) }).await?.read()?;
    let waiter = board.locations.iter().flat_map(|here| &here.queue).find(|waiter| waiter.run_id == run.run_id);
    Ok(waiter.map(|waiter| match waiter.position {
        Some(position) => {
            let starts = starts(waiter, now).unwrap_or_else(|| "at an unknown time".to_owned());
            format!("position {position}, starts {starts}")
        }
        None => "passed over until it is heard of".to_owned(),
    }))
}

fn fields(run: &Execution, turn: Option<String>, now: Timestamp, width: Option<usize>) -> String {
    let exact = |time: Timestamp| format!("{} ({})", exact(time), relative(time, now));
    let place = run.location.as_ref().map(|name| format!("{name}, factor {}", factor(run.factor.as_ref())));
    let lease = run.lease_seconds.map(|seconds| {
        let expires = run.lease_expires_at.map(|time| format!(", next due {}", relative(time, now)));
        format!("a heartbeat at least every {seconds} s{}", expires.unwrap_or_default())
    });
    let stop = run.stop.as_ref().map(|stop| {
        let by = stop.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        format!("asked to stop{by} at {}: {}", exact(stop.at), stop.reason)
    });
    let has_started = run.status != ExecutionStatus::Queued;
    let lines = [
        ("location", Some(place.unwrap_or_else(|| "none".to_owned()))),
        ("environment", Some(run.environment.clone())),
        ("repo", Some(run.repo.clone())),
        ("stream", Some(run.stream.clone())),
        ("type", Some(run.r#type.clone())),
        ("triggered by", Some(run.triggered_by.clone())),
        ("its turn", turn),
        ("queued", run.queued_at.map(exact)),
        ("started", has_started.then(|| exact(run.start_time))),
        ("ended", run.end_time.map(exact)),
        ("gives up", run.wait_until.filter(|_| !has_started).map(exact)),
        (
            "expected",
            run.expected_seconds.map(|seconds| duration_text(jiff::SignedDuration::from_secs(seconds.into()))),
        ),
        ("lease", lease),
        ("stop", stop),
        ("dashboard", run.dashboard_url.clone()),
    ];
    let shown = lines.into_iter().filter_map(|(name, value)| Some(format!("  {name:<12}  {}", printable(&value?))));
    let verb = if has_started { "" } else { " for" };
    let head = format!("Run {}: {}, {}{verb} {}", run.run_id, run.test, status(run), duration(run, now));
    let lines = std::iter::once(printable(&head)).chain(shown);
    lines.map(|line| wrapped(&line, BEFORE_VALUES, width)).collect::<Vec<_>>().join("\n")
}

fn beside(run: &Execution, response: &NeighboursResponse, now: Timestamp, width: Option<usize>) -> String {
    if run.status == ExecutionStatus::Queued {
        return "It has not started, so nothing ran beside it.".to_owned();
    }
    let Some(location) = &run.location else {
        return "It names no location, so nothing counts as beside it.".to_owned();
    };
    if response.neighbours.is_empty() {
        return wrapped(&printable(&format!("Nothing else ran at {location} while it did.")), 0, width);
    }
    let columns = [
        Column::number("RUN"),
        Column::text("TEST"),
        Column::text("REPO").unless_narrow(1),
        Column::number("FACTOR").unless_narrow(3),
        Column::text("BY").unless_narrow(2),
        Column::whole("STATUS"),
        Column::whole("STARTED"),
        Column::whole("TOGETHER"),
        Column::text("ENVIRONMENT").if_wide(),
    ];
    let row = |one: &Neighbour| {
        [
            one.run_id.to_string(),
            one.test.clone(),
            one.repo.clone(),
            factor(one.factor.as_ref()),
            one.triggered_by.clone(),
            one.status.to_string(),
            relative(one.start_time, now),
            duration_text(jiff::SignedDuration::from_secs(one.overlap_seconds)),
            one.environment.clone(),
        ]
    };
    let more = if response.more { "\nMore ran there at that time." } else { "" };
    let head = wrapped(&printable(&format!("Beside it at {location}:")), 0, width);
    format!("{head}\n{}{more}", table(columns, response.neighbours.iter().map(row).collect(), width))
}

fn story(run_id: i64, page: &EventsResponse, width: Option<usize>) -> String {
    if page.events.is_empty() {
        return "What happened to it is not kept any more.".to_owned();
    }
    let lines = page.events.iter().map(|event| line(event, width));
    let more = page.next.is_some().then(|| format!("There are more; the latest: perfreg events --run {run_id}"));
    lines.chain(more).collect::<Vec<_>>().join("\n")
}
