//! What `register` and `run` tell the registry of a test.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;

use super::duration::seconds;
use super::run::environment::Found;
use crate::wire::register::RegisterRequest;

/// Flags win over variables, and variables over what the CI system says.
#[derive(Args)]
pub struct Registration {
    /// Share of the location it takes, such as 0.5.
    #[arg(long, env = "PERFREG_FACTOR", hide_env_values = true, allow_hyphen_values = true)]
    factor: Option<String>,
    /// Where it runs; without one it is bound by nothing.
    #[arg(long, env = "PERFREG_LOCATION", hide_env_values = true)]
    location: Option<String>,
    /// Environment under test.
    #[arg(long, env = "PERFREG_ENVIRONMENT", hide_env_values = true)]
    environment: Option<String>,
    /// Name of the test.
    #[arg(long, env = "PERFREG_TEST", hide_env_values = true)]
    test: Option<String>,
    /// Source repository [default: that of the CI job].
    #[arg(long, env = "PERFREG_REPO", hide_env_values = true)]
    repo: Option<String>,
    /// Stream, such as the branch [default: the branch of the CI job].
    #[arg(long, env = "PERFREG_STREAM", hide_env_values = true)]
    stream: Option<String>,
    /// LAC of the test, as the registry has always called it.
    #[arg(long, env = "PERFREG_LAC", hide_env_values = true, default_value = "default")]
    lac: String,
    /// Type of the test.
    #[arg(long, env = "PERFREG_TYPE", hide_env_values = true, default_value = "performance")]
    r#type: String,
    /// Who or what started it [default: whoever started the CI job, else the user].
    #[arg(long, env = "PERFREG_TRIGGERED_BY", hide_env_values = true)]
    triggered_by: Option<String>,
    /// Link to its dashboard [default: the page of the CI job].
    #[arg(long, env = "PERFREG_DASHBOARD_URL", hide_env_values = true, value_name = "URL")]
    dashboard_url: Option<String>,
    /// A further field to keep with it; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = extra_field)]
    extra: Vec<(String, String)>,
    /// How long to wait for room, such as 90s, 10m or 2h; without it, no room is a refusal.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub wait: Option<u32>,
    /// 0 to 9; among those who wait, the larger goes first [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// How long it is expected to run, for those who wait behind it.
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    expected: Option<u32>,
}

fn extra_field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a further field is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Registration {
    /// The request; the error is a sentence that names everything that is missing.
    pub fn request(self, found: Found, default_test: Option<String>) -> Result<RegisterRequest, String> {
        // A flag may be given a variable of a CI system that is empty.
        let given = |value: Option<String>| value.filter(|text| !text.is_empty());
        let mut missing = Vec::new();
        let mut required = |name: &'static str, value: Option<String>| {
            value.unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let request = RegisterRequest {
            environment: required("environment", given(self.environment).or(found.environment)),
            test: required("test", given(self.test).or(default_test)),
            repo: required("repo", given(self.repo).or(found.repo)),
            stream: required("stream", given(self.stream).or(found.stream)),
            triggered_by: required("triggered-by", given(self.triggered_by).or(found.triggered_by)),
            lac: self.lac,
            r#type: self.r#type,
            factor: given(self.factor),
            dashboard_url: given(self.dashboard_url).or(found.dashboard_url),
            location: given(self.location),
            wait_seconds: self.wait,
            priority: self.priority,
            lease_seconds: None,
            expected_seconds: self.expected,
            extra: self.extra.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<BTreeMap<_, _>>(),
        };
        if missing.is_empty() { Ok(request) } else { Err(name_missing(&missing, found.by)) }
    }
}

fn name_missing(missing: &[&str], asked: Option<&str>) -> String {
    let flags: Vec<String> = missing.iter().map(|name| format!("--{name}")).collect();
    let variables: Vec<String> =
        missing.iter().map(|name| format!("PERFREG_{}", name.to_uppercase().replace('-', "_"))).collect();
    let why = match asked {
        Some(system) => format!("{system} does not say it"),
        None => "this is no job of a CI system that would say it".to_owned(),
    };
    format!("give {}, or set {}; {why}", in_words(&flags), in_words(&variables))
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

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        registration: Registration,
    }

    fn request(arguments: &[&str], found: Found) -> Result<RegisterRequest, String> {
        let line = Line::try_parse_from([&["perfreg"], arguments].concat()).expect("a command line");
        line.registration.request(found, Some("t.js".to_owned()))
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
        let error = request(&["--repo", ""], Found::default()).expect_err("nothing is known");
        assert_eq!(
            error,
            "give --environment, --repo, --stream and --triggered-by, or set PERFREG_ENVIRONMENT, PERFREG_REPO, \
             PERFREG_STREAM and PERFREG_TRIGGERED_BY; this is no job of a CI system that would say it"
        );
        let error = request(&[], job()).expect_err("a job does not say the environment");
        assert_eq!(error, "give --environment, or set PERFREG_ENVIRONMENT; GitLab CI does not say it");
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
