//! `--max`.

use super::{Run, execution, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_hangs_is_stopped_after_its_maximum() {
    let (server, _database) = serve().await;
    let script = "trap 'echo asked; exit 0' TERM; echo ready; sleep 300 & wait";
    let mut run = Run::start(&server.url, &["--max", "1s", "--", "sh", "-c", script]);
    let (code, log) = run.end();
    assert_eq!((code, run.out().as_str()), (79, "ready\nasked\n"), "{log}");
    assert!(log.contains("the command has run for 1s, as long as --max lets it"), "{log}");
    assert!(log.ends_with("(stopped: maximum)\n"), "{log}");
    let ended = execution(&server, 1).await;
    assert_eq!((&ended["status"], &ended["stop"]["reason"]), (&"cancelled".into(), &"maximum".into()), "{ended}");
    assert_eq!(ended["stop"]["by"], "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maximum_holds_where_the_registry_cannot_be_reached() {
    let arguments = ["--max", "1s", "--retry-for", "1s", "--if-unreachable", "run", "--", "sleep", "300"];
    let mut run = Run::start("http://127.0.0.1:9", &arguments);
    let (code, log) = run.end();
    assert_eq!(code, 79, "{log}");
    assert!(log.contains("the load without a registration: cancelled after "), "{log}");
}
