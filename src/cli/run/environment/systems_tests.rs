//! One job of each CI system.

use super::{Found, find};

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
fn a_job_of_circleci_is_described() {
    let job = [
        ("CIRCLECI", "true"),
        ("CIRCLE_PROJECT_USERNAME", "shop"),
        ("CIRCLE_PROJECT_REPONAME", "web"),
        ("CIRCLE_REPOSITORY_URL", "git@github.com:shop/web.git"),
        ("CIRCLE_BRANCH", "faster"),
        ("CIRCLE_USERNAME", "ana"),
        ("CIRCLE_BUILD_URL", "https://circleci.com/gh/shop/web/42"),
    ];
    assert_eq!(found(&job), ["CircleCI", "shop/web", "faster", "", "ana", "https://circleci.com/gh/shop/web/42"]);
    let tag = [("CIRCLECI", "true"), ("CIRCLE_REPOSITORY_URL", "git@github.com:shop/web.git"), ("CIRCLE_TAG", "v1.2")];
    assert_eq!(found(&tag), ["CircleCI", "shop/web", "v1.2", "", "", ""]);
}

#[test]
fn a_step_of_bitbucket_pipelines_is_described() {
    let step = [
        ("BITBUCKET_BUILD_NUMBER", "42"),
        ("BITBUCKET_REPO_FULL_NAME", "shop/web"),
        ("BITBUCKET_BRANCH", "faster"),
        ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "staging"),
        ("BITBUCKET_STEP_TRIGGERER_UUID", "{5d4c}"),
    ];
    let link = "https://bitbucket.org/shop/web/pipelines/results/42";
    assert_eq!(found(&step), ["Bitbucket Pipelines", "shop/web", "faster", "staging", "{5d4c}", link]);
    let tag = [&step[..2], &[("BITBUCKET_TAG", "v1.2")]].concat();
    assert_eq!(found(&tag), ["Bitbucket Pipelines", "shop/web", "v1.2", "", "", link]);
}

#[test]
fn a_push_and_a_pull_request_on_drone_are_described() {
    let push = [
        ("DRONE", "true"),
        ("DRONE_REPO", "shop/web"),
        ("DRONE_BRANCH", "main"),
        ("DRONE_BUILD_TRIGGER", "@hook"),
        ("DRONE_COMMIT_AUTHOR", "ana"),
        ("DRONE_BUILD_LINK", "https://drone.example.com/shop/web/42"),
        ("DRONE_DEPLOY_TO", "staging"),
    ];
    let link = "https://drone.example.com/shop/web/42";
    assert_eq!(found(&push), ["Drone", "shop/web", "main", "staging", "ana", link]);
    let request = [&push[..], &[("DRONE_SOURCE_BRANCH", "faster"), ("DRONE_BUILD_TRIGGER", "ben")]].concat();
    assert_eq!(found(&request), ["Drone", "shop/web", "faster", "staging", "ben", link]);
}

#[test]
fn a_push_and_a_pull_request_on_travis_are_described() {
    let push = [
        ("TRAVIS", "true"),
        ("TRAVIS_REPO_SLUG", "shop/web"),
        ("TRAVIS_BRANCH", "main"),
        ("TRAVIS_PULL_REQUEST_BRANCH", ""),
        ("TRAVIS_EVENT_TYPE", "cron"),
        ("TRAVIS_BUILD_WEB_URL", "https://app.travis-ci.com/shop/web/builds/42"),
        ("USER", "travis"),
    ];
    let link = "https://app.travis-ci.com/shop/web/builds/42";
    assert_eq!(found(&push), ["Travis CI", "shop/web", "main", "", "cron", link]);
    let request = [&push[..], &[("TRAVIS_PULL_REQUEST_BRANCH", "faster")]].concat();
    assert_eq!(found(&request), ["Travis CI", "shop/web", "faster", "", "cron", link]);
}

#[test]
fn a_build_of_codebuild_is_described_with_and_without_a_webhook() {
    let build = [
        ("CODEBUILD_BUILD_ID", "load:b1e6661e"),
        ("CODEBUILD_SOURCE_REPO_URL", "https://github.com/shop/web.git"),
        ("CODEBUILD_SOURCE_VERSION", "refs/heads/main^{3f2a}"),
        ("CODEBUILD_INITIATOR", "codepipeline/nightly"),
        (
            "CODEBUILD_BUILD_URL",
            "https://eu-west-1.console.aws.amazon.com/codebuild/home?region=eu-west-1#/builds/load:b1e6661e/view/new",
        ),
    ];
    let link = build[4].1;
    assert_eq!(found(&build), ["AWS CodeBuild", "shop/web", "main", "", "codepipeline/nightly", link]);
    let hook = [&build[..], &[("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/faster")]].concat();
    assert_eq!(found(&hook), ["AWS CodeBuild", "shop/web", "faster", "", "codepipeline/nightly", link]);
    assert_eq!(found(&build[..1]), ["AWS CodeBuild", "load", "", "", "", ""]);
}

#[test]
fn a_pipeline_of_woodpecker_is_described() {
    let pipeline = [
        ("CI_SYSTEM_NAME", "woodpecker"),
        ("CI_REPO", "shop/web"),
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_COMMIT_SOURCE_BRANCH", "faster"),
        ("CI_COMMIT_AUTHOR", "ana"),
        ("CI_PIPELINE_DEPLOY_TARGET", "staging"),
        ("CI_PIPELINE_URL", "https://ci.example.com/repos/7/pipeline/8"),
    ];
    let link = "https://ci.example.com/repos/7/pipeline/8";
    assert_eq!(found(&pipeline), ["Woodpecker CI", "shop/web", "faster", "staging", "ana", link]);
}

#[test]
fn a_build_of_appveyor_is_described() {
    let build = [
        ("APPVEYOR", "True"),
        ("APPVEYOR_REPO_NAME", "shop/web"),
        ("APPVEYOR_REPO_BRANCH", "main"),
        ("APPVEYOR_REPO_COMMIT_AUTHOR", "Ana Lee"),
        ("APPVEYOR_URL", "https://ci.appveyor.com"),
        ("APPVEYOR_ACCOUNT_NAME", "shop"),
        ("APPVEYOR_PROJECT_SLUG", "web"),
        ("APPVEYOR_BUILD_ID", "42"),
    ];
    let link = "https://ci.appveyor.com/project/shop/web/builds/42";
    assert_eq!(found(&build), ["AppVeyor", "shop/web", "main", "", "Ana Lee", link]);
}

#[test]
fn outside_of_any_ci_system_only_the_user_is_known() {
    assert_eq!(found(&[("LOGNAME", "ana")]), ["", "", "", "", "ana", ""]);
    assert_eq!(found(&[]), [""; 6].map(str::to_owned));
}
