//! What `register`, `run` and `plan` tell the registry of a test.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;

use super::output::say;
use super::run::environment::{Fitted, Found, fit_link, fit_text};
use super::values::{extra_field, factor, link};
use super::{duration, exclusive, variables};
use crate::client::{Answer, ClientError};
use crate::wire::register::RegisterRequest;

const DEFAULT: &str = "default";
const DEFAULT_TYPE: &str = "performance";
const EXAMPLE_OF_RUN: &str = "perfreg run --repo demo --stream main --location demo --factor 0.4 -- sleep 30";
const EXAMPLE_OF_REGISTER: &str = "perfreg register --repo demo --stream main --test load --location demo --factor 0.4";
const EXAMPLE_OF_PLAN: &str = "perfreg plan --location demo --exclusive";

/// Flags win over variables, and variables over what the CI system says.
#[derive(Args)]
pub struct Registration {
    /// Location whose capacity it shares; without one, nothing bounds it.
    #[arg(long, env = "PERFREG_LOCATION", hide_env_values = true, value_name = "NAME", help_heading = "Where")]
    location: Option<String>,
    // The variable is read by hand: a flag wins over it, so it does not stand against --exclusive.
    /// Share of the location it takes, such as 0.5 [env: PERFREG_FACTOR].
    #[arg(long, allow_hyphen_values = true, value_parser = factor, help_heading = "Where")]
    factor: Option<String>,
    /// Take the whole location: its capacity, less the millionth that must stay free.
    #[arg(long, conflicts_with = "factor", help_heading = "Where")]
    exclusive: bool,
    /// Name of the test.
    #[arg(long, env = "PERFREG_TEST", hide_env_values = true, value_name = "NAME", help_heading = "What")]
    test: Option<String>,
    /// Environment under test [default: that of the CI job, else default].
    #[arg(long, env = "PERFREG_ENVIRONMENT", hide_env_values = true, value_name = "NAME", help_heading = "What")]
    environment: Option<String>,
    /// Source repository [default: that of the CI job, else of git].
    #[arg(long, env = "PERFREG_REPO", hide_env_values = true, value_name = "NAME", help_heading = "What")]
    repo: Option<String>,
    /// Stream, such as the branch [default: that of the CI job, else of git].
    #[arg(long, env = "PERFREG_STREAM", hide_env_values = true, value_name = "NAME", help_heading = "What")]
    stream: Option<String>,
    /// LAC of the test: a label that the original registry requires; leave it out if you have none.
    #[arg(long, env = "PERFREG_LAC", hide_env_values = true, value_name = "NAME", default_value = DEFAULT,
          help_heading = "What", hide_short_help = true)]
    lac: String,
    /// Type of the test.
    #[arg(long, env = "PERFREG_TYPE", hide_env_values = true, value_name = "NAME", default_value = DEFAULT_TYPE,
          help_heading = "What", hide_short_help = true)]
    r#type: String,
    /// Who or what started it [default: who started the CI job, else the user].
    #[arg(
        long,
        env = "PERFREG_TRIGGERED_BY",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "What",
        hide_short_help = true
    )]
    triggered_by: Option<String>,
    /// Link to its dashboard [default: the page of the CI job].
    #[arg(long, env = "PERFREG_DASHBOARD_URL", hide_env_values = true, value_name = "URL", value_parser = link,
          help_heading = "What", hide_short_help = true)]
    dashboard_url: Option<String>,
    /// A further field to keep with it; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = extra_field, help_heading = "What", hide_short_help = true)]
    extra: Vec<(String, String)>,
    /// How long to wait for room, up to 24h, such as 90s, 10m or 2h; without it, no room is a refusal.
    #[arg(long, env = "PERFREG_WAIT", hide_env_values = true, value_name = "DURATION", value_parser = duration::wait,
          help_heading = "Waiting")]
    pub wait: Option<u32>,
    /// 0 to 9; among the tests that wait, the larger one goes first [default: 5].
    #[arg(long, env = "PERFREG_PRIORITY", hide_env_values = true, value_name = "NUMBER",
          value_parser = clap::value_parser!(u8).range(0..=9), help_heading = "Waiting")]
    priority: Option<u8>,
    /// How long it will probably run, for the tests that wait behind it [default: as long as it usually runs].
    #[arg(long, env = "PERFREG_EXPECTED", hide_env_values = true, value_name = "DURATION",
          value_parser = duration::expected, help_heading = "Waiting", hide_short_help = true)]
    expected: Option<u32>,
}

/// A request that may have to learn the location's capacity first.
#[derive(Debug)]
pub struct Wanted {
    pub request: RegisterRequest,
    is_exclusive: bool,
    /// What was done to values that nobody gave.
    warning: Option<String>,
}

impl Wanted {
    /// The request as it is sent; `plan` asks the registry for what it plans, if that has to be known.
    pub async fn settle(
        self,
        plan: impl AsyncFnOnce(&RegisterRequest) -> Result<Answer, ClientError>,
    ) -> Result<RegisterRequest, ClientError> {
        if let Some(warning) = &self.warning {
            say(warning);
        }
        if !self.is_exclusive {
            return Ok(self.request);
        }
        let answer = plan(&self.request).await?;
        exclusive::whole_location(self.request, &answer)
    }
}

/// A flag may be given a variable of a CI system that is empty.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

impl Registration {
    /// The request; the error is a sentence that names everything that is missing, and has an example.
    pub fn request(self, found: Found, default_test: Option<String>) -> Result<Wanted, String> {
        let example = if default_test.is_some() { EXAMPLE_OF_RUN } else { EXAMPLE_OF_REGISTER };
        let by = found.by;
        let (wanted, missing) = self.fill(found, default_test)?;
        if missing.is_empty() { Ok(wanted) } else { Err(name_missing(&missing, by, example)) }
    }

    /// The request of a plan, which needs no names; those that nothing says are empty.
    pub fn plan(self, found: Found) -> Result<Wanted, String> {
        let by = found.by;
        let (wanted, mut missing) = self.fill(found, None)?;
        missing.retain(|name| *name == "location");
        if missing.is_empty() { Ok(wanted) } else { Err(name_missing(&missing, by, EXAMPLE_OF_PLAN)) }
    }

    /// The request, and what is missing of it.
    fn fill(self, found: Found, default_test: Option<String>) -> Result<(Wanted, Vec<&'static str>), String> {
        let mut values = Values::default();
        let factor = self.given_factor()?;
        let environment = values.choose("environment", given(self.environment), found.environment, fit_text);
        let test = values.choose("test", given(self.test), default_test, fit_text);
        let repo = values.choose("repo", given(self.repo), found.repo, fit_text);
        let stream = values.choose("stream", given(self.stream), found.stream, fit_text);
        let triggered_by = values.choose("triggered-by", given(self.triggered_by), found.triggered_by, fit_text);
        let dashboard_url = given(self.dashboard_url);
        let location = given(self.location);
        if self.exclusive && location.is_none() {
            values.missing.push("location");
        }
        let request = RegisterRequest {
            environment: environment.unwrap_or_else(|| DEFAULT.to_owned()),
            test: values.require("test", test),
            repo: values.require("repo", repo),
            stream: values.require("stream", stream),
            triggered_by: values.require("triggered-by", triggered_by),
            lac: given(Some(self.lac)).unwrap_or_else(|| DEFAULT.to_owned()),
            r#type: given(Some(self.r#type)).unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            factor,
            dashboard_url: values.choose("dashboard-url", dashboard_url, found.dashboard_url, fit_link),
            location,
            wait_seconds: self.wait,
            priority: self.priority,
            lease_seconds: None,
            expected_seconds: self.expected,
            extra: self.extra.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<BTreeMap<_, _>>(),
        };
        let warning = name_changes(&values.changes);
        Ok((Wanted { request, is_exclusive: self.exclusive, warning }, values.missing))
    }

    fn given_factor(&self) -> Result<Option<String>, String> {
        if self.exclusive || self.factor.as_ref().is_some_and(|factor| !factor.is_empty()) {
            return Ok(self.factor.clone());
        }
        let read = variables::text("PERFREG_FACTOR").map(|text| factor(&text)).transpose();
        read.map_err(|error| format!("PERFREG_FACTOR is wrong: {error}"))
    }
}

/// What is not there at all, and what was not there as the registry takes it.
#[derive(Default)]
struct Values {
    missing: Vec<&'static str>,
    changes: Vec<String>,
}

impl Values {
    /// What was given, as it is; else what was found, made to fit.
    fn choose(
        &mut self,
        name: &str,
        given: Option<String>,
        found: Option<String>,
        fit: fn(&str) -> Fitted,
    ) -> Option<String> {
        if given.is_some() {
            return given;
        }
        let Fitted { value, change } = fit(&found?);
        self.changes.extend(change.map(|change| format!("{name} {change}")));
        value
    }

    fn require(&mut self, name: &'static str, value: Option<String>) -> String {
        value.unwrap_or_else(|| {
            self.missing.push(name);
            String::new()
        })
    }
}

fn name_changes(changes: &[String]) -> Option<String> {
    let named = in_words(changes);
    (!changes.is_empty()).then(|| format!("WARNING: some values that perfreg found do not fit: {named}"))
}

fn name_missing(missing: &[&str], asked: Option<&str>, example: &str) -> String {
    let flags: Vec<String> = missing.iter().map(|name| format!("--{name}")).collect();
    let variables: Vec<String> =
        missing.iter().map(|name| format!("PERFREG_{}", name.to_uppercase().replace('-', "_"))).collect();
    let why = match asked {
        Some(system) => format!("{system} does not say it"),
        None => "neither a CI system nor git says it".to_owned(),
    };
    // Everything else that an example needs is found, or stands in it.
    let by = if missing.contains(&"triggered-by") { " --triggered-by ana" } else { "" };
    let example = example.replacen(" --", &format!("{by} --"), 1);
    format!("give {}, or set {}; {why}; for example: {example}", in_words(&flags), in_words(&variables))
}

/// `a`, `a and b`, `a, b and c`.
fn in_words(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::help;
    use crate::wire::plan::PlanRequest;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        registration: Registration,
    }

    fn request(arguments: &[&str], found: Found) -> Result<RegisterRequest, String> {
        let line = Line::try_parse_from([&["perfreg"], arguments].concat()).expect("a command line");
        line.registration.request(found, Some("t.js".to_owned())).map(|wanted| wanted.request)
    }

    #[test]
    fn an_example_for_what_is_missing_can_be_typed_as_it_stands() {
        for example in [EXAMPLE_OF_RUN, EXAMPLE_OF_REGISTER, EXAMPLE_OF_PLAN] {
            for missing in [&["repo"][..], &["repo", "triggered-by"]] {
                let sentence = name_missing(missing, None, example);
                let (_, example) = sentence.split_once("; for example: ").expect("an example");
                help::tests::assert_parses(example);
            }
        }
    }

    fn job() -> Found {
        let text = |text: &str| Some(text.to_owned());
        Found {
            by: Some("GitLab CI"),
            repo: text("shop/web"),
            stream: text("main"),
            environment: None,
            triggered_by: text("ana"),
            dashboard_url: text("https://gitlab.example.com/1"),
        }
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let error = request(&["--repo", "", "--exclusive"], Found::default()).expect_err("nothing is known");
        assert_eq!(
            error,
            "give --location, --repo, --stream and --triggered-by, or set PERFREG_LOCATION, PERFREG_REPO, \
             PERFREG_STREAM and PERFREG_TRIGGERED_BY; neither a CI system nor git says it; for example: perfreg run \
             --triggered-by ana --repo demo --stream main --location demo --factor 0.4 -- sleep 30"
        );
        let error = request(&[], Found { stream: None, ..job() }).expect_err("the job does not say the stream");
        let words =
            "give --stream, or set PERFREG_STREAM; GitLab CI does not say it; for example: perfreg run --repo demo";
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn a_plan_needs_no_names_but_a_location_to_take_all_of_it() {
        let plan = |arguments: &[&str]| {
            let line = Line::try_parse_from([&["perfreg"], arguments].concat()).expect("a command line");
            line.registration.plan(Found::default()).map(|wanted| PlanRequest::from(&wanted.request))
        };
        let request = plan(&["--location", "k8s", "--factor", "0.5"]).expect("that is enough");
        assert_eq!((request.location.as_deref(), request.factor.as_deref()), (Some("k8s"), Some("0.5")));
        assert_eq!((request.test, request.repo, request.triggered_by), (None, None, None));
        let error = plan(&["--exclusive"]).expect_err("all of what");
        assert!(error.starts_with("give --location, or set PERFREG_LOCATION;"), "{error}");
        assert!(error.ends_with("; for example: perfreg plan --location demo --exclusive"), "{error}");
    }

    #[test]
    fn what_may_be_left_out_may_be_given_as_nothing() {
        let request = request(&["--lac", "", "--type", "", "--environment", ""], job()).expect("nothing is missing");
        let RegisterRequest { environment, lac, r#type, .. } = request;
        assert_eq!([environment, lac, r#type], ["default", "default", "performance"]);
    }

    #[test]
    fn what_was_found_is_made_to_fit_and_named_and_what_was_given_is_left_alone() {
        let long = "x".repeat(300);
        let found = Found { stream: Some(long.clone()), dashboard_url: Some("job/7".to_owned()), ..job() };
        let wanted = |arguments: &[&str]| {
            let line = Line::try_parse_from([&["perfreg"], arguments].concat()).expect("a command line");
            line.registration.request(found.clone(), Some("t\u{7}.js".to_owned())).expect("nothing is missing")
        };
        let all = wanted(&[]);
        assert_eq!((all.request.stream.chars().count(), all.request.dashboard_url), (255, None));
        assert_eq!(
            all.warning.as_deref(),
            Some(
                "WARNING: some values that perfreg found do not fit: test is without its control characters, stream is cut to 255 characters and dashboard-url is left out, as it is no http or https link"
            )
        );
        let none = wanted(&["--stream", &long, "--dashboard-url", "https://job/7", "--test", "t"]);
        assert_eq!((none.request.stream, none.request.dashboard_url.as_deref()), (long.clone(), Some("https://job/7")));
        assert_eq!(none.warning, None);
    }

    #[test]
    fn flags_win_over_what_the_ci_system_says() {
        let found = request(&["--environment", "prod", "--stream", "faster", "--expected", "10m"], job());
        let found = found.expect("nothing is missing");
        assert_eq!((found.repo.as_str(), found.stream.as_str()), ("shop/web", "faster"));
        assert_eq!(
            (found.test.as_str(), found.lac.as_str(), found.r#type.as_str()),
            ("t.js", "default", "performance")
        );
        assert_eq!(found.dashboard_url.as_deref(), Some("https://gitlab.example.com/1"));
        assert_eq!(found.expected_seconds, Some(600));
    }
}
