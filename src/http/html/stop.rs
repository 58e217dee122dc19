//! `/runs/{run_id}/stop`: cancels a run, and says what that means and what came of it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::entry::{Browser, Entry, Outcome};
use super::layout::Layout;
use super::page::{filters, render};
use crate::domain::event::{EventFilter, EventKind, Order};
use crate::domain::execution::{Execution, RunId};
use crate::http::error::ApiError;
use crate::http::request::form::Form;
use crate::present::event::sentence;
use crate::present::execution::why_not;
use crate::present::stop::{StopEffect, lasting, links};
use crate::present::text::capitalized;
use crate::present::zone::ShownTime;
use crate::registry::{Cancellation, Completed, Registry};

#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage {
    layout: Layout,
    run_id: RunId,
    test: String,
    repo: String,
    stream: String,
    triggered_by: String,
    location: Option<String>,
    status: &'static str,
    lasting: String,
    /// None once it has ended.
    effect: Option<StopEffect>,
    /// What the name of the test stands between.
    heading: (&'static str, &'static str),
    explanation: String,
    is_suspect: bool,
    asked: Option<Asked>,
    links: Vec<(String, String)>,
    entry: Entry,
    /// Why nothing was done.
    refusal: Option<String>,
    /// Whether somebody else had it stopped before the form was sent.
    is_before: bool,
}

/// What came of the form.
#[derive(Default)]
struct News {
    refusal: Option<String>,
    is_before: bool,
}

impl News {
    fn refused(refusal: String) -> Self {
        Self { refusal: Some(refusal), is_before: false }
    }
}

struct Asked {
    at: ShownTime,
    by: Option<String>,
    reason: String,
}

pub async fn stop_form(
    State(registry): State<Arc<Registry>>,
    Path(run_id): Path<String>,
    browser: Browser,
    layout: Layout,
) -> Result<Response, ApiError> {
    let run = find(&registry, &run_id).await?;
    let entry = first_entry(&run, &browser);
    let is_before = browser.outcome(&about(&run)) == Outcome::StoppedBefore;
    Ok(browser.told(show(&registry, &run, entry, News { refusal: None, is_before }, layout).await?))
}

/// Cancels it as `POST /cancel` does, if it still is what the form showed.
pub async fn stop(
    State(registry): State<Arc<Registry>>,
    Path(run_id): Path<String>,
    browser: Browser,
    layout: Layout,
    form: Form,
) -> Result<Response, ApiError> {
    let run = find(&registry, &run_id).await?;
    let entry = first_entry(&run, &browser);
    let mut fields = form.fields()?;
    let (reason, by) = (fields.required_text("reason"), fields.required_text("by"));
    let force = fields.string("force").is_some();
    let shown = fields.string("shown");
    fields.reject_rest();
    if let Err(error) = fields.finish(Some(())) {
        let page = show(&registry, &run, entry.mended(&form, error)?, News::default(), layout).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if let Some(refusal) = refusal(&run, shown.as_deref(), force) {
        let page = show(&registry, &run, entry.typed(&form, Vec::new()), News::refused(refusal), layout).await?;
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    let cancellation = Cancellation { reason: Some(reason.clone()), by: Some(by.clone()), force };
    let led_on = |outcome| browser.lead_on(&by, outcome, &about(&run));
    match registry.cancel(run.run_id, cancellation).await? {
        Completed::Ended(_) if StopEffect::of(&run).is_none() => Ok(led_on(Outcome::StoppedBefore)),
        Completed::Stopping(stopping) if !is_by(&stopping, &by, &reason) => Ok(led_on(Outcome::StoppedBefore)),
        Completed::Ended(_) | Completed::Stopping(_) => Ok(led_on(Outcome::None)),
        Completed::EndedOtherwise(run) | Completed::NotStarted(run) => {
            let (_, why) = why_not(&run);
            let page = show(&registry, &run, entry, News::refused(why), layout).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Completed::NotFound => Err(not_found()),
        Completed::WrongToken => Err(ApiError::WrongToken),
        Completed::WrongReceipt => Err(ApiError::wrong_receipt()),
        Completed::OtherRun => Err(ApiError::OtherRun),
    }
}

/// What an outcome calls it.
fn about(run: &Execution) -> String {
    format!("run {}", run.run_id)
}

/// Whether it was this request that is noted.
fn is_by(run: &Execution, by: &str, reason: &str) -> bool {
    run.stop.as_ref().is_some_and(|stop| stop.by.as_deref() == Some(by) && stop.reason == reason)
}

async fn find(registry: &Registry, run_id: &str) -> Result<Execution, ApiError> {
    let run_id: RunId = run_id.parse().map_err(|_| not_found())?;
    registry.execution(run_id).await?.ok_or_else(not_found)
}

fn not_found() -> ApiError {
    ApiError::NotFound("No test has this run_id.".to_owned())
}

fn first_entry(run: &Execution, browser: &Browser) -> Entry {
    let shown = StopEffect::of(run).map_or("", StopEffect::as_str);
    Entry::new(vec![
        ("reason", String::new()),
        ("by", browser.name.clone()),
        ("force", String::new()),
        ("shown", shown.to_owned()),
    ])
}

/// What has changed since the form was shown, if stopping would mean something else by now.
fn refusal(run: &Execution, shown: Option<&str>, force: bool) -> Option<String> {
    let effect = StopEffect::of(run)?;
    let is_as_shown = shown.is_none_or(|shown| shown == effect.as_str());
    let is_asked_again = effect == StopEffect::WasAsked && shown == Some(StopEffect::IsAsked.as_str()) && !force;
    if is_as_shown || is_asked_again {
        return None;
    }
    Some(match effect {
        StopEffect::LeavesQueue => "The run waits again, so nothing was done.".to_owned(),
        _ => "The run has started meanwhile, so nothing was done.".to_owned(),
    })
}

async fn show(
    registry: &Registry,
    run: &Execution,
    entry: Entry,
    news: News,
    layout: Layout,
) -> Result<Response, ApiError> {
    let effect = StopEffect::of(run);
    let explanation = match effect {
        Some(effect) => effect.explanation(run),
        None => end_of(registry, run).await?,
    };
    let details = &run.details;
    let asked = run.stop.as_ref().filter(|_| effect == Some(StopEffect::WasAsked));
    Ok(render(&StopPage {
        run_id: run.run_id,
        test: details.test.clone(),
        repo: details.repo.clone(),
        stream: details.stream.clone(),
        triggered_by: details.triggered_by.clone(),
        location: details.location.as_ref().map(ToString::to_string),
        status: run.status.as_str(),
        lasting: lasting(run, layout.now),
        effect,
        explanation,
        is_suspect: run.is_suspect(),
        asked: asked.map(|stop| Asked { at: layout.time(stop.at), by: stop.by.clone(), reason: stop.reason.clone() }),
        links: links(run),
        // The form always says what it shows now.
        entry: entry.with("shown", effect.map_or("", StopEffect::as_str)),
        refusal: news.refusal,
        is_before: news.is_before,
        heading: effect.map_or(("", " has ended"), StopEffect::heading),
        layout,
    }))
}

/// How it ended, and by whom, as the event tells it.
async fn end_of(registry: &Registry, run: &Execution) -> Result<String, ApiError> {
    let filter = EventFilter { run_id: Some(run.run_id), kinds: vec![EventKind::Ended], ..EventFilter::default() };
    let found = registry.events(&filter, None, Order::NewestFirst, 1).await?;
    // Events are kept for a while only.
    Ok(found.events.first().map_or_else(|| why_not(run).1, |event| format!("{}.", capitalized(&sentence(event)))))
}
