//! The commands of the README and of the tutorial, pasted in their order.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::server::{TestServer, program};

/// Stands for the clone's cargo: `cargo run --release -- …` is the program that was built already.
const CARGO: &str = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n";

/// What follows each ```` ```sh ```` up to the next fence.
fn blocks(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(page).expect("a page");
    let after = page.split("\n```sh\n").skip(1);
    after.map(|text| text.split("\n```").next().expect("an end").to_owned()).collect()
}

/// A folder with the program as the pages name it.
struct FreshClone {
    folder: TempDir,
    url: Option<String>,
}

impl FreshClone {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let binary = env!("CARGO_BIN_EXE_perfreg");
        symlink(binary, folder.path().join("perfreg")).expect("a link");
        let cargo = folder.path().join("cargo");
        fs::write(&cargo, format!("{CARGO}exec {binary} \"$@\"\n")).expect("a script");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a script");
        Self { folder, url: None }
    }

    fn shell(&self, block: &str) -> Command {
        let mut command = program(Path::new("bash"));
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").expect("a path"));
        command.args(["-ec", block]).current_dir(self.folder.path()).env("PATH", path).env("USER", "ana");
        command.env("PERFREG_LISTEN", "127.0.0.1:0");
        command.envs(self.url.as_deref().map(|url| ("PERFREG_URL", url)));
        command
    }

    /// Runs all blocks of the page, of which the first starts the server, and returns what each of the others printed.
    fn paste(&mut self, page: &str) -> Vec<String> {
        let blocks = blocks(page);
        let (serve, others) = blocks.split_first().expect("blocks");
        let server = TestServer::start_with(&mut self.shell(serve));
        self.url = Some(server.url.clone());
        others.iter().map(|block| self.printed_by(block)).collect()
    }

    fn printed_by(&self, block: &str) -> String {
        // A file, since what goes on in the background holds a pipe open.
        let shown = self.folder.path().join("shown");
        let file = fs::File::create(&shown).expect("a file");
        let status = self.shell(block).stdout(file.try_clone().expect("a file")).stderr(file).status();
        let shown = fs::read_to_string(shown).expect("text");
        assert!(status.expect("a shell").success(), "{block}\n{shown}");
        shown
    }
}

#[test]
fn the_commands_of_the_readme_work_in_order() {
    let shown = FreshClone::new().paste("README.md");
    let [run, looks] = &shown[..] else { panic!("{shown:?}") };
    assert!(run.contains("run 1 makes its load\n") && run.contains("run 1: success"), "{run}");
    assert!(looks.contains("success") && looks.contains("demo"), "{looks}");
}

#[test]
fn the_commands_of_the_tutorial_work_in_order_and_end_as_it_says() {
    let shown = FreshClone::new().paste("docs/start.md").concat();
    for words in [
        "run 1: success",
        "run 2 may start at demo (0.7 of 1)",
        "Running there:",
        "exit code 75",
        "The largest factor that would start now: 0.299999.",
        "run 3 waits at position 1",
        "Run 2 is asked to stop.",
        "Run 3 ended: success.",
        "demo is draining",
        "run 4: success",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let ends: Vec<&str> = shown.lines().rev().take(4).filter_map(|row| row.split_whitespace().nth(1)).collect();
    assert_eq!(ends, ["success", "cancelled", "success", "success"], "{shown}");
}
