//! What a CI system says of the job that it runs, in the job's environment variables.

use url::Url;

use super::{Found, Variables, first, path_of_repository, teamcity, without_prefix};

type Reader = fn(&Variables) -> Found;

/// A CI system: its name, a variable that only its jobs have, and how to read them.
const SYSTEMS: [(&str, &str, Reader); 13] = [
    ("GitHub Actions", "GITHUB_ACTIONS", github),
    ("GitLab CI", "GITLAB_CI", gitlab),
    ("Buildkite", "BUILDKITE", buildkite),
    ("Azure Pipelines", "TF_BUILD", azure),
    ("TeamCity", "TEAMCITY_VERSION", teamcity::read),
    ("CircleCI", "CIRCLECI", circleci),
    ("Bitbucket Pipelines", "BITBUCKET_BUILD_NUMBER", bitbucket),
    ("Drone", "DRONE", drone),
    ("Travis CI", "TRAVIS", travis),
    ("AWS CodeBuild", "CODEBUILD_BUILD_ID", codebuild),
    ("Woodpecker CI", "CI_SYSTEM_NAME", woodpecker),
    ("AppVeyor", "APPVEYOR", appveyor),
    // Agents of the others may have been started by a Jenkins, so it comes last.
    ("Jenkins", "JENKINS_URL", jenkins),
];

/// What the CI system whose job this is says of it.
pub fn find(variables: &Variables) -> Found {
    let system = SYSTEMS.iter().find(|(_, sign, _)| first(variables, &[sign]).is_some());
    system.map_or_else(Found::default, |(name, _, read)| Found { by: Some(name), ..read(variables) })
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

fn circleci(variables: &Variables) -> Found {
    let names = ["CIRCLE_PROJECT_USERNAME", "CIRCLE_PROJECT_REPONAME"].map(|name| first(variables, &[name]));
    let repo = match names {
        [Some(owner), Some(name)] => Some(format!("{owner}/{name}")),
        _ => first(variables, &["CIRCLE_REPOSITORY_URL"]).map(|url| path_of_repository(&url)),
    };
    Found {
        repo,
        stream: first(variables, &["CIRCLE_BRANCH", "CIRCLE_TAG"]),
        triggered_by: first(variables, &["CIRCLE_USERNAME", "CIRCLE_PR_USERNAME"]),
        dashboard_url: first(variables, &["CIRCLE_BUILD_URL"]),
        ..Found::default()
    }
}

fn bitbucket(variables: &Variables) -> Found {
    let repo = first(variables, &["BITBUCKET_REPO_FULL_NAME"]);
    let job = (repo.as_ref(), first(variables, &["BITBUCKET_BUILD_NUMBER"]));
    let link = match job {
        (Some(repo), Some(number)) => Some(format!("https://bitbucket.org/{repo}/pipelines/results/{number}")),
        _ => None,
    };
    Found {
        dashboard_url: link,
        repo,
        stream: first(variables, &["BITBUCKET_BRANCH", "BITBUCKET_TAG"]),
        environment: first(variables, &["BITBUCKET_DEPLOYMENT_ENVIRONMENT"]),
        // Bitbucket does not say the name.
        triggered_by: first(variables, &["BITBUCKET_STEP_TRIGGERER_UUID"]),
        ..Found::default()
    }
}

fn drone(variables: &Variables) -> Found {
    // A word such as @hook or @cron says that nobody pressed a button.
    let trigger = first(variables, &["DRONE_BUILD_TRIGGER"]).filter(|trigger| !trigger.starts_with('@'));
    Found {
        repo: first(variables, &["DRONE_REPO"]),
        stream: first(variables, &["DRONE_SOURCE_BRANCH", "DRONE_BRANCH", "DRONE_TAG"]),
        environment: first(variables, &["DRONE_DEPLOY_TO"]),
        triggered_by: trigger.or_else(|| first(variables, &["DRONE_COMMIT_AUTHOR", "DRONE_BUILD_TRIGGER"])),
        dashboard_url: first(variables, &["DRONE_BUILD_LINK"]),
        ..Found::default()
    }
}

fn travis(variables: &Variables) -> Found {
    Found {
        repo: first(variables, &["TRAVIS_REPO_SLUG"]),
        stream: first(variables, &["TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"]),
        // Travis does not say who it was, but what: push, pull_request, api or cron.
        triggered_by: first(variables, &["TRAVIS_EVENT_TYPE"]),
        dashboard_url: first(variables, &["TRAVIS_BUILD_WEB_URL", "TRAVIS_JOB_WEB_URL"]),
        ..Found::default()
    }
}

fn codebuild(variables: &Variables) -> Found {
    let repo = first(variables, &["CODEBUILD_SOURCE_REPO_URL"]).map(|url| path_of_repository(&url));
    // Behind a pipeline there is no repository; the project's name stands before the build's number.
    let project = || first(variables, &["CODEBUILD_BUILD_ID"])?.split(':').next().map(str::to_owned);
    let version = first(variables, &["CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_SOURCE_VERSION"]);
    // A version may be written as refs/heads/main^{COMMIT}.
    let stream = version.and_then(|version| version.split("^{").next().map(str::to_owned));
    Found {
        repo: repo.or_else(project),
        stream: stream.map(|stream| without_prefix(&without_prefix(&stream, "refs/heads/"), "refs/tags/")),
        triggered_by: first(variables, &["CODEBUILD_INITIATOR"]),
        dashboard_url: first(variables, &["CODEBUILD_BUILD_URL"]),
        ..Found::default()
    }
}

fn woodpecker(variables: &Variables) -> Found {
    Found {
        repo: first(variables, &["CI_REPO"]),
        stream: first(variables, &["CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH", "CI_COMMIT_TAG"]),
        environment: first(variables, &["CI_PIPELINE_DEPLOY_TARGET"]),
        triggered_by: first(variables, &["CI_PIPELINE_AUTHOR", "CI_COMMIT_AUTHOR"]),
        dashboard_url: first(variables, &["CI_PIPELINE_URL"]),
        ..Found::default()
    }
}

fn appveyor(variables: &Variables) -> Found {
    let names = ["APPVEYOR_URL", "APPVEYOR_ACCOUNT_NAME", "APPVEYOR_PROJECT_SLUG", "APPVEYOR_BUILD_ID"];
    let link = match names.map(|name| first(variables, &[name])) {
        [Some(server), Some(account), Some(project), Some(build)] => {
            Some(format!("{server}/project/{account}/{project}/builds/{build}"))
        }
        _ => None,
    };
    Found {
        repo: first(variables, &["APPVEYOR_REPO_NAME"]),
        stream: first(variables, &["APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "APPVEYOR_REPO_BRANCH"]),
        triggered_by: first(variables, &["APPVEYOR_REPO_COMMIT_AUTHOR"]),
        dashboard_url: link,
        ..Found::default()
    }
}
