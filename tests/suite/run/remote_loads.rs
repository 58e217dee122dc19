//! The lines of `docs/reference/remote-loads.md`, with stand-ins for the clients that they call.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{Run, run, serve, stop, until};
use crate::support::server::perfreg;

/// Starts what it is asked for, each a load that ignores SIGTERM, and writes its number down under its name.
const DAEMON: &str = r#"while :; do
  read -r name < asked
  [ -n "$name" ] || continue
  (trap '' TERM INT; exec sleep 300) & echo $! > "$name"
done"#;

/// A client that ends by SIGTERM while its load goes on.
const CLIENT: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
end() { kill -KILL "$(cat "$1")" && rm "$1"; }
case "$(basename "$0") $1" in
  "docker run") name=$(echo "$*" | grep -o 'perfreg=[0-9]*') ;;
  "docker ps") if [ -e "${4#label=}" ]; then echo "${4#label=}"; fi; exit ;;
  "docker kill") end "$2"; exit ;;
  "kubectl run") name=$2 ;;
  "kubectl delete") if [ -e "$3" ]; then end "$3"; fi; exit ;;
  "ssh generator") name=k6 ;;
  "ssh -o") exec sh -c "$4" ;;
  "pkill -KILL") [ "$3" = "[k]6 run t.js" ] || [ "$4" = "[k]6 run t.js" ] || exit 2; [ -e k6 ] || exit 1; end k6; exit ;;
  *) echo "unexpected: $0 $*" >&2; exit 2 ;;
esac
echo "$name" > asked
until [ -s "$name" ]; do sleep 0.05; done
echo "name $name"
while :; do sleep 1; done
"#;

struct Elsewhere {
    folder: tempfile::TempDir,
    daemon: Child,
}

impl Elsewhere {
    fn start() -> Self {
        let folder = tempfile::TempDir::new().expect("a folder");
        for client in ["docker", "kubectl", "ssh", "pkill"] {
            let path = folder.path().join(client);
            fs::write(&path, CLIENT).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        }
        fs::write(folder.path().join("t.js"), "").expect("written");
        assert!(Command::new("mkfifo").arg(folder.path().join("asked")).status().expect("mkfifo").success());
        let mut daemon = Command::new("sh");
        daemon.args(["-c", DAEMON]).current_dir(folder.path()).stdin(Stdio::null());
        Self { daemon: daemon.spawn().expect("sh is there"), folder }
    }

    /// Runs the first line of a section of the page.
    fn run(&self, url: &str, section: &str) -> (Run, std::path::PathBuf) {
        let binary = perfreg();
        let inner = run(url, &[]);
        let ours: Vec<_> = inner.get_args().skip(3).map(|word| word.to_string_lossy().into_owned()).collect();
        let line = line_of(section).replacen("perfreg run", &format!("exec \"$0\" run {}", ours.join(" ")), 1);
        let mut command = Command::new("env");
        command.args(["--default-signal", "sh", "-c", &line]).arg(binary.get_program()).env_clear();
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.path().display())).current_dir(self.folder.path());
        let run = Run::start_with(command);
        run.until_it_prints("name ");
        let out = run.out();
        let name = out.trim().rsplit_once(' ').expect("a name").1.to_owned();
        (run, self.folder.path().join(name))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn line_of(section: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/remote-loads.md"))
        .expect("a page");
    let (_, text) = page.split_once(&format!("## {section}\n")).expect("a section");
    let (_, text) = text.split_once("```sh\n").expect("a line");
    text.split_once("```").expect("its end").0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_page_on_remote_loads_end_what_runs_elsewhere() {
    let (server, _database) = serve().await;
    let elsewhere = Elsewhere::start();
    for (index, section) in (0..).zip(["Docker", "kubectl", "ssh"]) {
        let (mut run, load) = elsewhere.run(&server.url, section);
        assert!(load.exists(), "{section}");
        stop(&server, json!({"run_id": 2 * index + 1})).await;
        let (code, log) = run.end();
        assert_eq!(code, 79, "{section}: {log}");
        until("the end of the load", || !load.exists());

        let (mut run, load) = elsewhere.run(&server.url, section);
        super::kill("KILL", fs::read_to_string(&load).expect("a number").trim().parse().expect("a number"));
        fs::remove_file(&load).expect("it was there");
        run.signal("TERM");
        let (code, log) = run.end();
        assert_eq!(code, 143, "{section}, where the load has ended before: {log}");
        assert!(log.contains("the command of --on-stop runs") && !log.contains("has failed"), "{section}: {log}");
    }
}
