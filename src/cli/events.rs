//! `perfreg events`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::connection::Connection;
use super::output::{Output, printable, say, write_line};
use crate::client::{Client, ClientError, Message};
use crate::wire::event::{Event, EventsQuery, EventsResponse};

const PAUSE: Duration = Duration::from_secs(1);

/// Show what happened and what was weighed, the latest last; with --follow, what happens.
#[derive(Args)]
pub struct Events {
    #[command(flatten)]
    connection: Connection,
    /// Only what happened to this run.
    #[arg(long, value_name = "RUN_ID")]
    run: Option<i64>,
    /// Only what happened at this location.
    #[arg(long)]
    location: Option<String>,
    /// Only these kinds, such as refused or refused,late_word.
    #[arg(long, value_name = "KIND,…")]
    kind: Option<String>,
    /// At or after this time or date, such as 2026-11-22T14:03:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time or date.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    to: Option<String>,
    /// How many to show at the most.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on with what happens from now on, until it is interrupted; with --from, since then. --json prints one
    /// event a line.
    #[arg(long)]
    follow: bool,
}

impl Events {
    pub async fn run(self) -> Result<(), ClientError> {
        let (client, output) = self.connection.open()?;
        let query = EventsQuery {
            location: self.location,
            run_id: self.run,
            kind: self.kind,
            from: self.from,
            to: self.to,
            limit: (!self.follow).then_some(self.limit),
            cursor: None,
        };
        if self.follow {
            return follow(&client, &query, &output).await;
        }
        let answer = client.events(&query).await?;
        output.print(&answer, |page: EventsResponse| match &page.events[..] {
            [] => "Nothing happened.".to_owned(),
            events => events.iter().rev().map(describe).collect::<Vec<_>>().join("\n"),
        })
    }
}

/// Prints events as they happen, and goes on after the last one when the server comes back.
async fn follow(client: &Client, query: &EventsQuery, output: &Output) -> Result<(), ClientError> {
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
                write_line(&if output.json { answer.json().to_owned() } else { describe(&answer.read()?) })?;
            }
            last = id.or(last);
        }
        sleep(PAUSE).await;
    }
}

/// `2026-11-22 14:03:00Z  refused  azure-k8s  by ana: cause no_room, …`
fn describe(event: &Event) -> String {
    let run = event.run_id.map(|run_id| format!("  run {run_id}")).unwrap_or_default();
    let location = event.location.as_ref().map(|location| format!("  {location}")).unwrap_or_default();
    let by = event.by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default();
    let details = describe_details(&event.details);
    let at = event.at.strftime("%Y-%m-%d %H:%M:%SZ");
    printable(&format!("{at}  {:<14}{run}{location}{by}{details}", event.kind))
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
