//! What git says of the working copy in which this process runs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::path_of_repository;

/// A repository on a network that is away must not hold up a load.
const PATIENCE: Duration = Duration::from_secs(2);

/// The repository, and the branch or commit; nothing where git, or a repository, is missing.
pub async fn working_copy() -> (Option<String>, Option<String>) {
    let (origin, folder, branch, commit) = tokio::join!(
        ask(&["remote", "get-url", "origin"]),
        ask(&["rev-parse", "--show-toplevel"]),
        ask(&["symbolic-ref", "--quiet", "--short", "HEAD"]),
        ask(&["rev-parse", "--short", "HEAD"]),
    );
    let name = |folder: &String| Some(Path::new(folder).file_name()?.to_string_lossy().into_owned());
    let repo = origin.map(|url| path_of_repository(&url)).filter(|path| !path.is_empty());
    (repo.or_else(|| folder.as_ref().and_then(name)), branch.or(commit))
}

/// One line of git, which is to ask nobody for a password and to change nothing.
async fn ask(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
    let output = git.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.ok()?.ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
