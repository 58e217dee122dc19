//! A full disk loses nothing, and is forgotten once there is room.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use perfreg::domain::capacity::factor::Factor;
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

use super::evidence::{Admitted, Saved};
use crate::support::database::{Engine, TestDatabase, execute};
use crate::support::http::{Http, Reply, example};
use crate::support::server::{TestServer, perfreg};

const HEALS_WITHIN: Duration = Duration::from_secs(10);

/// A server whose database lies on a disk that can be filled.
struct SmallDisk {
    server: TestServer,
    /// As this process sees it.
    path: PathBuf,
    /// Whether it is a disk of its own; where nobody may mount one, the largest size of a file takes its place.
    mounted: bool,
    _folder: TempDir,
}

impl SmallDisk {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let unshare = [&["--mount"][..], &["--mountx", "--map-root-user"]].into_iter().find(|how| {
            let mount = ["sh", "-c", "mount -t tmpfs none \"$0\" 2>/dev/null"];
            let tried = Command::new("unshare").args(*how).args(mount).arg(folder.path()).output();
            tried.is_ok_and(|output| output.status.success())
        });
        let serve = perfreg();
        let url = format!("sqlite:{}", folder.path().join("perfreg.db").display());
        let script = match unshare {
            Some(_) => format!("mount -t tmpfs -o size=2m none '{}' && exec \"$0\" \"$@\"", folder.path().display()),
            // A write beyond the largest size then fails instead of ending the process.
            None => "trap '' XFSZ; exec \"$0\" \"$@\"".to_owned(),
        };
        let mut command = unshare.map_or_else(
            || Command::new("env"),
            |how| {
                let mut command = Command::new("unshare");
                command.args(how);
                command
            },
        );
        command.args(["sh", "-c", &script]).arg(serve.get_program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", &url]);
        let server = TestServer::start_with(&mut command);
        let seen = Path::new("/proc").join(server.pid().to_string()).join("root");
        let path = seen.join(folder.path().strip_prefix("/").expect("an absolute path"));
        Self { server, path, mounted: unshare.is_some(), _folder: folder }
    }

    /// What lies on the disk, as another server would find it after a crash.
    async fn saved(&self) -> (Saved, TestDatabase) {
        let copy = TestDatabase::new(Engine::Sqlite).await;
        let to = copy.path().display();
        for suffix in ["", "-wal"] {
            let from = self.path.join(format!("perfreg.db{suffix}"));
            fs::copy(from, format!("{to}{suffix}")).expect("room elsewhere");
        }
        (Saved::read(&copy).await, copy)
    }

    fn limit_files(&self, most: &str) {
        let pid = self.server.pid().to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={most}:")]).status();
        assert!(limited.expect("prlimit runs").success());
    }

    fn fill(&self) {
        if !self.mounted {
            let size = fs::metadata(self.path.join("perfreg.db-wal")).expect("a file").len();
            return self.limit_files(&size.to_string());
        }
        let mut filler = File::create(self.path.join("filler")).expect("a file");
        for size in [65_536, 512] {
            while filler.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        if self.mounted {
            fs::remove_file(self.path.join("filler")).expect("it is there");
        } else {
            self.limit_files("unlimited");
        }
    }
}

async fn register(http: &Http, runs: &mut Vec<Admitted>) -> Reply {
    let reply =
        http.post("/register", &example(json!({"factor": 0.0001, "location": "here", "x": "x".repeat(4_000)}))).await;
    if reply.status == StatusCode::OK {
        let answer = reply.json();
        runs.push(Admitted {
            run_id: answer["run_id"].as_i64().expect("a run_id"),
            id: answer["id"].as_str().expect("an id").to_owned(),
            factor: Factor::parse("0.0001").expect("a factor"),
            answered_at: Instant::now(),
            end_sent_at: None,
            acknowledged_status: None,
        });
    }
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_503_and_heals_and_nothing_acknowledged_is_lost() {
    let disk = SmallDisk::start();
    let (http, mut runs) = (disk.server.http(), Vec::new());
    for _ in 0..2 {
        for _ in 0..5 {
            assert_eq!(register(&http, &mut runs).await.status, 200);
        }
        disk.fill();
        // What was there may leave room for a few.
        let refused = loop {
            let reply = register(&http, &mut runs).await;
            if reply.status != StatusCode::OK {
                break reply;
            }
        };
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
        if disk.mounted {
            let sentence = "The disk under the database is full; nothing was changed. Try again once there is room.";
            assert_eq!(refused.json()["detail"], sentence);
            assert_eq!(http.get("/readyz").await.status, 503);
        }
        for path in ["/status", "/locations", "/executions/1", "/events"] {
            assert_eq!(http.get(path).await.status, 200, "{path} only reads");
        }
        let (saved, _) = disk.saved().await;
        saved.assert_holds(&runs);
        saved.assert_sums();
        assert_eq!(saved.executions.len(), runs.len(), "nothing half-written is there");
        disk.free();
        let give_up = Instant::now() + HEALS_WITHIN;
        // Where nobody is sent to a server that is not ready, it has to find out by itself.
        while http.get("/readyz").await.status != StatusCode::OK {
            assert!(Instant::now() < give_up, "it does not heal: {}", disk.server.log());
        }
        while register(&http, &mut runs).await.status != StatusCode::OK {
            assert!(Instant::now() < give_up, "it does not heal: {}", disk.server.log());
        }
    }
    let (saved, copy) = disk.saved().await;
    saved.assert_holds(&runs);
    saved.assert_sums();
    let integrity = copy.open_file().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(integrity.expect("an answer"), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgresql_is_a_503_and_heals() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let server = TestServer::start(&database.url);
    let (http, mut runs) = (server.http(), Vec::new());
    assert_eq!(register(&http, &mut runs).await.status, 200);
    execute(
        &database,
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
    )
    .await;
    // Of a statement, and of the commit itself.
    for trigger in ["TRIGGER", "CONSTRAINT TRIGGER"] {
        let deferred = if trigger == "TRIGGER" { "" } else { "DEFERRABLE INITIALLY DEFERRED" };
        let fill = format!(
            "CREATE {trigger} fill AFTER INSERT ON test_executions {deferred} FOR EACH ROW EXECUTE FUNCTION fill()"
        );
        execute(&database, &fill).await;
        let refused = register(&http, &mut runs).await;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert!(refused.json()["detail"].as_str().expect("a text").starts_with("The disk under the database is full"));
        assert_eq!(http.get("/status").await.status, 200);
        execute(&database, "DROP TRIGGER fill ON test_executions").await;
        assert_eq!(register(&http, &mut runs).await.status, 200);
    }
    let saved = Saved::read(&database).await;
    saved.assert_holds(&runs);
    saved.assert_sums();
    assert_eq!(saved.executions.len(), runs.len());
}
