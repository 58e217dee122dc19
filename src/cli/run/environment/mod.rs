//! What can be found out of the job, or the working copy, in which this process runs.

mod fit;
mod git;
mod systems;
#[cfg(test)]
mod systems_tests;
mod teamcity;

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::cli::user::user_name;

pub use self::fit::{Fitted, fit_link, fit_text};

pub type Variables = BTreeMap<String, String>;

/// What could be found; flags win over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Which CI system says it, for the message about what is missing.
    pub by: Option<&'static str>,
    pub repo: Option<String>,
    pub stream: Option<String>,
    pub environment: Option<String>,
    pub triggered_by: Option<String>,
    pub dashboard_url: Option<String>,
}

/// Reads the variables of the job that this process belongs to, and asks git for what they do not say.
pub async fn of_this_process() -> Found {
    let mut variables = variables();
    teamcity::add_parameters(&mut variables);
    let found = find(&variables);
    let found = Found { triggered_by: found.triggered_by.clone().or_else(|| Some(user())), ..found };
    if found.repo.is_some() && found.stream.is_some() {
        return found;
    }
    let (repo, stream) = git::working_copy().await;
    Found { repo: found.repo.or(repo), stream: found.stream.or(stream), ..found }
}

/// Who does something with this process: who started the CI job, or the user.
pub fn who() -> String {
    let mut variables = variables();
    teamcity::add_parameters(&mut variables);
    find(&variables).triggered_by.unwrap_or_else(user)
}

/// A container often has neither USER nor LOGNAME.
fn user() -> String {
    user_name(rustix::process::getuid().as_raw())
}

/// Whether a CI system runs this process, also one that is not known by its name.
pub fn is_ci_job() -> bool {
    is_job(&variables())
}

/// The variables of this process that are text.
fn variables() -> Variables {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

fn is_job(variables: &Variables) -> bool {
    let says_so = || first(variables, &["CI"]).is_some_and(|value| !["false", "0"].contains(&value.trim()));
    systems::find(variables).by.is_some() || says_so()
}

/// What the variables say of the job; outside of any CI system, only who it is.
pub fn find(variables: &Variables) -> Found {
    let found = systems::find(variables);
    let named = || first(variables, &["USER", "LOGNAME"]);
    Found { triggered_by: found.triggered_by.clone().or_else(named), ..found }
}

/// The first of the variables that says something.
fn first(variables: &Variables, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| variables.get(*name).filter(|value| fit_text(value).value.is_some()).cloned())
}

/// `shop/web` of `https://git.example.com/shop/web.git` or `git@git.example.com:shop/web.git`,
/// without the secrets that such a URL may hold.
fn path_of_repository(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (is_absolute, rest) = url.split_once("://").map_or((false, url), |(_, rest)| (true, rest));
    // A password may hold a slash, so it ends where the last @ is.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let separator = if is_absolute { '/' } else { ':' };
    let path = rest.split_once(separator).map_or(rest, |(_, path)| path).trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).to_owned()
}

fn without_prefix(text: &str, prefix: &str) -> String {
    text.strip_prefix(prefix).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_repository_never_holds_a_secret() {
        for (url, path) in [
            ("https://robot:s3cret@git.example.com/shop/web.git", "shop/web"),
            ("https://robot:s3/cret@git.example.com/shop/web.git", "shop/web"),
            ("https://git.example.com/shop/web.git?private_token=s3cret", "shop/web"),
            ("https://robot:s3cret@git.example.com", "git.example.com"),
            ("robot:s3cret@git.example.com:shop/web.git", "shop/web"),
            ("ssh://git@git.example.com:2222/shop/web", "shop/web"),
            ("git@git.example.com:shop/web.git", "shop/web"),
            ("file:///srv/git/web.git", "srv/git/web"),
            ("/srv/git/web.git", "srv/git/web"),
        ] {
            assert_eq!(path_of_repository(url), path);
        }
    }

    #[test]
    fn a_job_of_any_ci_system_is_known_as_one() {
        for (name, value, expected) in [
            ("BUILDKITE", "true", true),
            ("CI", "true", true),
            ("CI", "1", true),
            ("CI", "some-system", true),
            ("CI", "false", false),
            ("CI", "0", false),
            ("CI", " ", false),
            ("HOME", "/root", false),
        ] {
            assert_eq!(is_job(&[(name.to_owned(), value.to_owned())].into()), expected, "{name}={value}");
        }
    }

    #[test]
    fn a_variable_without_a_visible_character_says_nothing() {
        let variables = [("EMPTY", ""), ("BLANK", " \n"), ("SAYS", "it")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(first(&variables, &["EMPTY", "BLANK", "SAYS"]).as_deref(), Some("it"));
    }
}
