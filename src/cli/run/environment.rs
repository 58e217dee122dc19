//! What a CI system says of the job that it runs, in the job's environment variables.

use std::collections::BTreeMap;
use std::fs;

use url::Url;

pub type Variables = BTreeMap<String, String>;

/// What could be found; flags win over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Who says it, for the message about what is missing.
    pub by: Option<&'static str>,
    pub repo: Option<String>,
    pub stream: Option<String>,
    pub environment: Option<String>,
    pub triggered_by: Option<String>,
    pub dashboard_url: Option<String>,
}

type Reader = fn(&Variables) -> Found;

/// A CI system: its name, a variable that only its jobs have, and how to read them.
const SYSTEMS: [(&str, &str, Reader); 6] = [
    ("GitHub Actions", "GITHUB_ACTIONS", github),
    ("GitLab CI", "GITLAB_CI", gitlab),
    ("Buildkite", "BUILDKITE", buildkite),
    ("Azure Pipelines", "TF_BUILD", azure),
    ("TeamCity", "TEAMCITY_VERSION", teamcity),
    // Agents of the others may have been started by a Jenkins, so it comes last.
    ("Jenkins", "JENKINS_URL", jenkins),
];

/// Reads the variables of the job that this process belongs to.
pub fn of_this_process() -> Found {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut variables: Variables = std::env::vars_os().filter_map(text).collect();
    add_teamcity_parameters(&mut variables);
    find(&variables)
}

/// What the variables say of the job; outside of any CI system, only who it is.
pub fn find(variables: &Variables) -> Found {
    let system = SYSTEMS.iter().find(|(_, sign, _)| first(variables, &[sign]).is_some());
    let found = system.map_or_else(Found::default, |(name, _, read)| Found { by: Some(name), ..read(variables) });
    let user = || first(variables, &["USER", "LOGNAME"]);
    Found { triggered_by: found.triggered_by.clone().or_else(user), ..found }
}

fn github(variables: &Variables) -> Found {
    let repo = first(variables, &["GITHUB_REPOSITORY"]);
    let job = [first(variables, &["GITHUB_SERVER_URL"]), repo.clone(), first(variables, &["GITHUB_RUN_ID"])];
    let link = match job {
        [Some(server), Some(repo), Some(run)] => Some(format!("{server}/{repo}/actions/runs/{run}")),
        _ => None,
    };
    Found {
        repo,
        stream: first(variables, &["GITHUB_HEAD_REF", "GITHUB_REF_NAME"]),
        triggered_by: first(variables, &["GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"]),
        dashboard_url: link,
        ..Found::default()
    }
}

fn gitlab(variables: &Variables) -> Found {
    Found {
        repo: first(variables, &["CI_PROJECT_PATH"]),
        stream: first(variables, &["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"]),
        environment: first(variables, &["CI_ENVIRONMENT_NAME"]),
        triggered_by: first(variables, &["GITLAB_USER_LOGIN"]),
        dashboard_url: first(variables, &["CI_JOB_URL", "CI_PIPELINE_URL"]),
        ..Found::default()
    }
}

fn jenkins(variables: &Variables) -> Found {
    let stream = first(variables, &["CHANGE_BRANCH", "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH"]);
    Found {
        repo: first(variables, &["GIT_URL", "GIT_URL_1"]).map(|url| path_of_repository(&url)),
        stream: stream.map(|branch| without_prefix(&branch, "origin/")),
        // Jenkins itself does not say who it was; its plug-in "build user vars" does.
        triggered_by: first(variables, &["BUILD_USER_ID", "CHANGE_AUTHOR", "JOB_NAME"]),
        dashboard_url: first(variables, &["BUILD_URL"]),
        ..Found::default()
    }
}

fn buildkite(variables: &Variables) -> Found {
    let link = first(variables, &["BUILDKITE_BUILD_URL"]);
    let job = first(variables, &["BUILDKITE_JOB_ID"]).map(|job| format!("#{job}")).unwrap_or_default();
    Found {
        repo: first(variables, &["BUILDKITE_REPO"]).map(|url| path_of_repository(&url)),
        stream: first(variables, &["BUILDKITE_BRANCH"]),
        triggered_by: first(variables, &["BUILDKITE_UNBLOCKER", "BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_AUTHOR"]),
        dashboard_url: link.map(|link| format!("{link}{job}")),
        ..Found::default()
    }
}

fn azure(variables: &Variables) -> Found {
    let branch = first(variables, &["SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"]);
    Found {
        repo: first(variables, &["BUILD_REPOSITORY_NAME"]),
        stream: branch.map(|branch| without_prefix(&branch, "refs/heads/")),
        environment: first(variables, &["ENVIRONMENT_NAME"]),
        triggered_by: first(variables, &["BUILD_REQUESTEDFOR"]),
        dashboard_url: azure_link(variables),
        ..Found::default()
    }
}

/// The project's name may have spaces, which a link must not.
fn azure_link(variables: &Variables) -> Option<String> {
    let mut url = Url::parse(&first(variables, &["SYSTEM_COLLECTIONURI"])?).ok()?;
    let project = first(variables, &["SYSTEM_TEAMPROJECT"])?;
    url.path_segments_mut().ok()?.pop_if_empty().extend([project.as_str(), "_build", "results"]);
    url.query_pairs_mut().append_pair("buildId", &first(variables, &["BUILD_BUILDID"])?);
    Some(url.into())
}

fn teamcity(variables: &Variables) -> Found {
    let repo = first(variables, &["vcsroot.url"]).map(|url| path_of_repository(&url));
    let branch = first(variables, &["teamcity.build.branch", "vcsroot.branch"]);
    Found {
        repo: repo.or_else(|| first(variables, &["TEAMCITY_PROJECT_NAME"])),
        stream: branch.map(|branch| without_prefix(&branch, "refs/heads/")),
        triggered_by: first(variables, &["teamcity.build.triggeredBy.username", "TEAMCITY_BUILDCONF_NAME"]),
        dashboard_url: first(variables, &["BUILD_URL"]),
        ..Found::default()
    }
}

/// TeamCity says most of what it knows in files whose names it gives, one inside the other.
fn add_teamcity_parameters(variables: &mut Variables) {
    for name in ["TEAMCITY_BUILD_PROPERTIES_FILE", "teamcity.configuration.properties.file"] {
        if let Some(text) = variables.get(name).and_then(|path| fs::read_to_string(path).ok()) {
            variables.extend(properties(&text));
        }
    }
}

/// The lines `name=value` of a Java properties file, in which a backslash takes a character as it is.
fn properties(text: &str) -> Variables {
    let unescaped = |text: &str| {
        let mut characters = text.chars();
        std::iter::from_fn(|| characters.next().and_then(|one| if one == '\\' { characters.next() } else { Some(one) }))
            .collect::<String>()
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, value)| (unescaped(name), unescaped(value))).collect()
}

/// The first of the variables that says something.
fn first(variables: &Variables, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| variables.get(*name).filter(|value| !value.is_empty()).cloned())
}

/// `shop/web` of `https://git.example.com/shop/web.git` or `git@git.example.com:shop/web.git`,
/// without the secrets that such a URL may hold.
fn path_of_repository(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, path)| path),
        None => url.split_once(':').map_or(url, |(_, path)| path),
    };
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path).to_owned()
}

fn without_prefix(text: &str, prefix: &str) -> String {
    text.strip_prefix(prefix).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> [String; 6] {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let Found { by, repo, stream, environment, triggered_by, dashboard_url } =
            find(&variables.iter().map(own).collect());
        [by.map(str::to_owned), repo, stream, environment, triggered_by, dashboard_url].map(Option::unwrap_or_default)
    }

    #[test]
    fn a_push_and_a_pull_request_on_github_actions_are_described() {
        let push = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "shop/web"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_HEAD_REF", ""),
            ("GITHUB_ACTOR", "ana"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_RUN_ID", "9876543210"),
            ("USER", "runner"),
        ];
        let link = "https://github.com/shop/web/actions/runs/9876543210";
        assert_eq!(found(&push), ["GitHub Actions", "shop/web", "main", "", "ana", link]);
        let request = [&push[..], &[("GITHUB_HEAD_REF", "faster"), ("GITHUB_TRIGGERING_ACTOR", "ben")]].concat();
        assert_eq!(found(&request), ["GitHub Actions", "shop/web", "faster", "", "ben", link]);
    }

    #[test]
    fn a_job_of_gitlab_is_described() {
        let job = [
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "shop/team/web"),
            ("CI_COMMIT_REF_NAME", "main"),
            ("CI_ENVIRONMENT_NAME", "staging"),
            ("GITLAB_USER_LOGIN", "ana"),
            ("CI_JOB_URL", "https://gitlab.example.com/shop/team/web/-/jobs/42"),
        ];
        let link = "https://gitlab.example.com/shop/team/web/-/jobs/42";
        assert_eq!(found(&job), ["GitLab CI", "shop/team/web", "main", "staging", "ana", link]);
    }

    #[test]
    fn a_build_of_jenkins_is_described() {
        let build = [
            ("JENKINS_URL", "https://jenkins.example.com/"),
            ("GIT_URL", "https://robot:s3cret@git.example.com/shop/web.git"),
            ("GIT_BRANCH", "origin/main"),
            ("JOB_NAME", "load/nightly"),
            ("BUILD_URL", "https://jenkins.example.com/job/load/job/nightly/7/"),
        ];
        let link = "https://jenkins.example.com/job/load/job/nightly/7/";
        assert_eq!(found(&build), ["Jenkins", "shop/web", "main", "", "load/nightly", link]);
    }

    #[test]
    fn a_job_of_buildkite_is_described() {
        let job = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_REPO", "git@github.com:shop/web.git"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_BUILD_CREATOR", "Ana Lee"),
            ("BUILDKITE_BUILD_URL", "https://buildkite.com/shop/load/builds/15"),
            ("BUILDKITE_JOB_ID", "018f-4a"),
        ];
        let link = "https://buildkite.com/shop/load/builds/15#018f-4a";
        assert_eq!(found(&job), ["Buildkite", "shop/web", "main", "", "Ana Lee", link]);
    }

    #[test]
    fn a_run_of_azure_pipelines_is_described() {
        let run = [
            ("TF_BUILD", "True"),
            ("BUILD_REPOSITORY_NAME", "web"),
            ("BUILD_SOURCEBRANCH", "refs/heads/release/1.2"),
            ("BUILD_REQUESTEDFOR", "Ana Lee"),
            ("SYSTEM_COLLECTIONURI", "https://dev.azure.com/shop/"),
            ("SYSTEM_TEAMPROJECT", "Web Shop"),
            ("BUILD_BUILDID", "314"),
        ];
        let link = "https://dev.azure.com/shop/Web%20Shop/_build/results?buildId=314";
        assert_eq!(found(&run), ["Azure Pipelines", "web", "release/1.2", "", "Ana Lee", link]);
    }

    #[test]
    fn a_build_of_teamcity_is_described_by_its_variables_and_its_files() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let outer = format!("#comment\nteamcity.configuration.properties.file={}\n", path("inner"));
        let inner = "vcsroot.url=https\\://git.example.com/shop/web.git\nteamcity.build.branch=refs/heads/main\n\
                     teamcity.build.triggeredBy.username=ana\n";
        fs::write(path("outer"), outer).expect("written");
        fs::write(path("inner"), inner).expect("written");
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut variables: Variables = [
            ("TEAMCITY_VERSION", "2023.11".to_owned()),
            ("TEAMCITY_PROJECT_NAME", "Web".to_owned()),
            ("TEAMCITY_BUILDCONF_NAME", "Load".to_owned()),
            ("BUILD_URL", "https://teamcity.example.com/build/9".to_owned()),
            ("TEAMCITY_BUILD_PROPERTIES_FILE", path("outer")),
        ]
        .map(own)
        .into();
        let plain = find(&variables);
        assert_eq!((plain.repo.as_deref(), plain.triggered_by.as_deref()), (Some("Web"), Some("Load")));
        add_teamcity_parameters(&mut variables);
        let found = find(&variables);
        assert_eq!((found.repo.as_deref(), found.stream.as_deref()), (Some("shop/web"), Some("main")));
        assert_eq!(found.triggered_by.as_deref(), Some("ana"));
        assert_eq!(found.dashboard_url.as_deref(), Some("https://teamcity.example.com/build/9"));
    }

    #[test]
    fn outside_of_any_ci_system_only_the_user_is_known() {
        assert_eq!(found(&[("LOGNAME", "ana")]), ["", "", "", "", "ana", ""]);
        assert_eq!(found(&[]), [""; 6].map(str::to_owned));
    }

    #[test]
    fn the_path_of_a_repository_never_holds_a_secret() {
        for (url, path) in [
            ("https://robot:s3cret@git.example.com/shop/web.git", "shop/web"),
            ("ssh://git@git.example.com:2222/shop/web", "shop/web"),
            ("git@git.example.com:shop/web.git", "shop/web"),
            ("/srv/git/web.git", "srv/git/web"),
        ] {
            assert_eq!(path_of_repository(url), path);
        }
    }
}
