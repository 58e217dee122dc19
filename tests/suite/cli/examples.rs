//! What a newcomer is shown to type: it works in an empty folder, without git and outside of a CI system.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{run, serve};
use crate::support::server::perfreg;

/// The commands whose examples end by themselves, whatever the registry knows.
const TRIED: [&str; 9] = ["--help", "run", "register", "plan", "status", "show", "events", "history", "locations"];
/// They go on until somebody stops them, or are no command.
const NOT_TRIED: [&str; 3] = ["perfreg serve", "perfreg COMMAND", "--follow"];

/// Programs that the examples name, which do nothing here.
fn stubs(folder: &Path) {
    symlink(env!("CARGO_BIN_EXE_perfreg"), folder.join("perfreg")).expect("a link");
    for (name, script) in
        [("k6", "#!/bin/sh\n"), ("jmeter", "#!/bin/sh\n"), ("sleep", "#!/bin/sh\n"), ("jq", "#!/bin/sh\ncat\n")]
    {
        let file = folder.join(name);
        fs::write(&file, script).expect("a script");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("it may be run");
    }
}

/// The exit code of what is typed into a shell there, and what it says.
fn typed(line: &str, programs: &Path, url: &str) -> (i32, String) {
    let here = TempDir::new().expect("a folder");
    let load = here.path().join("load.sh");
    fs::write(&load, "#!/bin/sh\n").expect("a script");
    fs::set_permissions(&load, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", line]).current_dir(here.path());
    let output = shell.env_clear().env("PATH", path).env("PERFREG_URL", url).output().expect("a shell");
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn examples(command: &str) -> Vec<String> {
    let arguments = if command == "--help" { vec![command] } else { vec![command, "--help"] };
    let (_, help, _) = run(&arguments);
    let (_, below) = help.split_once("\nExamples:\n").expect("examples");
    let below = below.replace("\\\n", "");
    let lines = below.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    lines.filter(|line| !NOT_TRIED.iter().any(|words| line.contains(words))).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_example_of_a_help_is_a_wrong_command_line() {
    let (server, _database) = serve().await;
    let programs = TempDir::new().expect("a folder");
    stubs(programs.path());
    for command in TRIED {
        let examples = examples(command);
        assert!(!examples.is_empty(), "{command}");
        for line in examples {
            let (code, said) = typed(&line, programs.path(), &server.url);
            assert_ne!(code, 2, "{line}: {said}");
        }
    }
}

#[test]
fn the_first_command_that_a_server_shows_works() {
    let folder = TempDir::new().expect("a folder");
    stubs(folder.path());
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let lines = BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let shown = lines.into_iter().find(|line| line.starts_with("  perfreg run ")).unwrap_or_default();
    let (code, said) = typed(shown.trim(), folder.path(), "http://127.0.0.1:1");
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    assert_eq!(code, 0, "{shown}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_with_an_example_that_works() {
    let (server, _database) = serve().await;
    let programs = TempDir::new().expect("a folder");
    stubs(programs.path());
    for (line, words) in [
        ("perfreg run --location here -- ./load.sh", "give --repo and --stream, or set PERFREG_REPO and"),
        ("perfreg register --repo shop", "give --test and --stream, or set PERFREG_TEST and"),
        ("perfreg plan --exclusive", "give --location, or set PERFREG_LOCATION;"),
    ] {
        let (code, said) = typed(line, programs.path(), &server.url);
        assert!(code == 2 && said.contains(words), "{line}: {said}");
        let (_, example) = said.split_once("; for example: ").expect("an example");
        // What the one before has registered may be in the way.
        assert!([0, 75].contains(&typed(example, programs.path(), &server.url).0), "{said}");
    }
}
