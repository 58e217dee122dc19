//! `perfreg events`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::connection::Connection;
use super::duration::exact;
use super::known;
use super::output::{Output, printable, say, write_line};
use super::past::{in_order, point_in_time};
use super::terminal::{table_width, wrapped};
use super::values::{event_cursor, run_id};
use crate::client::{Client, ClientError, Message};
use crate::wire::event::{Event, EventsQuery, EventsResponse, KINDS};

const PAUSE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  perfreg events --run 7
  perfreg events --location azure-k8s --kind refused --from 14:03
  perfreg events --follow --json";

/// Show what happened, the latest last.
///
/// Each event has what the registry knew when it decided. With --follow it shows those to come as well.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub struct Events {
    /// Only what happened to this run.
    #[arg(long, value_name = "RUN_ID", value_parser = run_id, help_heading = "Which events")]
    run: Option<i64>,
    /// Only what happened at this location.
    #[arg(long, value_name = "NAME", help_heading = "Which events")]
    location: Option<String>,
    /// Only events of this kind; several with commas between.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(KINDS), help_heading = "Which events")]
    kind: Vec<String>,
    /// At or after this: a time, a date in UTC, a time of the day here, or how long ago, such as 14:03 or 2h.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, help_heading = "Which events")]
    from: Option<Timestamp>,
    /// Before this.
    #[arg(long, value_name = "WHEN", value_parser = point_in_time, conflicts_with = "follow",
          help_heading = "Which events")]
    to: Option<Timestamp>,
    /// How many to show at the most, up to 1000.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000),
          help_heading = "Output")]
    limit: u32,
    /// Go on with what happens from now on, or since --from, until Ctrl-C; with --json, one event a line.
    #[arg(long, help_heading = "Output")]
    follow: bool,
    /// Where the page before said that this one begins.
    #[arg(long, value_parser = event_cursor, conflicts_with = "follow", help_heading = "Output")]
    cursor: Option<String>,
    /// With each sentence the word of its kind, and everything that was weighed.
    #[arg(long, help_heading = "Output")]
    wide: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Events {
    pub async fn run(self) -> Result<(), ClientError> {
        in_order(self.from, self.to)?;
        let (client, output) = self.connection.open()?;
        let query = EventsQuery {
            location: self.location,
            run_id: self.run,
            kind: (!self.kind.is_empty()).then(|| self.kind.join(",")),
            from: self.from.map(|time| time.to_string()),
            to: self.to.map(|time| time.to_string()),
            limit: (!self.follow).then_some(self.limit),
            cursor: self.cursor,
        };
        if self.follow {
            if let Err(error) = check_named(&client, &query).await {
                say(&error.to_string());
            }
            return follow(&client, &query, &output, self.wide).await;
        }
        let answer = client.events(&query).await?;
        if answer.read::<EventsResponse>()?.events.is_empty() {
            check_named(&client, &query).await?;
        }
        output.print(&answer, |page: EventsResponse| {
            let more = page.next.map(|next| format!("\n\nOlder ones: --cursor {next}")).unwrap_or_default();
            match &page.events[..] {
                [] => "Nothing happened.".to_owned(),
                events => {
                    let lines: Vec<String> = events.iter().rev().map(|event| describe(event, self.wide)).collect();
                    format!("{}{more}", lines.join("\n"))
                }
            }
        })
    }
}

/// The registry's word on a location or a run that it does not know, of which there are no events.
async fn check_named(client: &Client, query: &EventsQuery) -> Result<(), ClientError> {
    if let Some(location) = &query.location {
        known::location(client, location).await?;
    }
    if let Some(run_id) = query.run_id {
        known::run(client, run_id).await?;
    }
    Ok(())
}

/// Prints events as they happen, and goes on after the last one when the server comes back.
async fn follow(client: &Client, query: &EventsQuery, output: &Output, is_wide: bool) -> Result<(), ClientError> {
    let (mut last, mut is_said) = (None, false);
    loop {
        let mut stream = match client.follow_events(query, last.as_deref()).await {
            Ok(stream) => stream,
            Err(error) if error.is_temporary() => {
                if !std::mem::replace(&mut is_said, true) {
                    say(&format!("{error}; trying again"));
                }
                sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        is_said = false;
        // A stream that breaks off is opened again; the ids see to it that nothing is missed.
        while let Ok(Some(Message { id, event })) = stream.next().await {
            if let Some(answer) = event {
                write_line(&if output.json { answer.json().to_owned() } else { describe(&answer.read()?, is_wide) })?;
            }
            last = id.or(last);
        }
        sleep(PAUSE).await;
    }
}

/// `2026-11-22 14:03:00Z  run 8 failed after 12s (azure-k8s)`, its other lines below the sentence.
pub fn line(event: &Event, width: Option<usize>) -> String {
    let at = exact(event.at);
    let said = sentence(event);
    let says_where = event.location.as_ref().is_none_or(|location| said.contains(location.as_str()));
    let place = event.location.as_ref().filter(|_| !says_where).map(|location| format!(" ({location})"));
    let text = printable(&format!("{at}  {said}{}", place.unwrap_or_default()));
    wrapped(&text, at.len() + 2, width)
}

/// What happened; a server of an earlier version sends no sentence.
fn sentence(event: &Event) -> Cow<'_, str> {
    match event.run_id {
        _ if !event.text.is_empty() => Cow::Borrowed(&event.text),
        Some(run_id) => Cow::Owned(format!("{}: run {run_id}", event.kind)),
        None => Cow::Borrowed(&event.kind),
    }
}

fn describe(event: &Event, is_wide: bool) -> String {
    if is_wide { whole(event) } else { line(event, table_width(false)) }
}

/// With the word of its kind, and everything that was weighed.
fn whole(event: &Event) -> String {
    let details = describe_details(&event.details);
    printable(&format!("{} [{}]{details}", line(event, None), event.kind))
}

/// Each detail with its exact text, so that decimals keep their digits.
fn describe_details(details: &RawValue) -> String {
    let details: BTreeMap<String, Box<RawValue>> = serde_json::from_str(details.get()).unwrap_or_default();
    let one = |(name, value): (String, Box<RawValue>)| {
        let value = match serde_json::from_str(value.get()) {
            Ok(Value::String(text)) => text,
            Ok(Value::Array(items)) => items.iter().map(describe_item).collect::<Vec<_>>().join(" "),
            _ => value.get().to_owned(),
        };
        (!value.is_empty()).then(|| format!("{} {value}", name.replace('_', " ")))
    };
    let all: Vec<String> = details.into_iter().filter_map(one).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

/// A run, which may come with what it holds.
fn describe_item(item: &Value) -> String {
    match (item.get("run_id"), item.get("factor")) {
        (Some(run_id), Some(factor)) => format!("{run_id} ({factor})"),
        _ => item.to_string(),
    }
}
