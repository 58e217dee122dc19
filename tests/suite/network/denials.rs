//! What stands before the registry and lets only those through that show something.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{JOB, Nginx, call, run_in_any_case, serve};
use crate::support::server::{PATIENCE, TestServer, collect, perfreg, wait_for_exit};

/// Lets through who shows the key.
fn asks_for_a_key(server: &TestServer) -> Nginx {
    let condition = "if ($http_x_api_key != \"s3cret: 1\") { return 401; }";
    Nginx::start("", &format!("location / {{ {condition} proxy_pass {}; }}", server.url))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_is_shown_to_a_proxy_that_asks_for_one_and_never_printed() {
    let (server, _database) = serve().await;
    let nginx = asks_for_a_key(&server);
    let url = nginx.url("http");
    let header = ["--server", &url, "--header", "X-Other: 1", "--header", "X-Api-Key: s3cret: 1"];
    for arguments in [&["status"][..], &["locations"], &["history"], &["events"], &["registry"], &["watch"]] {
        // The view goes on for ever; that it has begun is enough.
        let mut command = perfreg();
        command.args(arguments).args(header).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let out = collect(child.stdout.take().expect("piped"));
        let give_up = Instant::now() + PATIENCE;
        while out.lock().expect("no panic").is_empty() {
            assert!(Instant::now() < give_up, "{arguments:?} prints nothing");
            std::thread::sleep(Duration::from_millis(20));
        }
        if arguments == ["watch"] {
            child.kill().expect("it runs");
        }
        assert!(wait_for_exit(&mut child).code().unwrap_or_default() == 0, "{arguments:?}");
    }
    let variables = [("PERFREG_HEADERS", "X-Other: 1\nX-Api-Key: s3cret: 1\n")];
    let (code, printed, said) = run_in_any_case(&url, &variables);
    assert_eq!((code, printed.as_str()), (0, "started\n"), "{said}");
    let (code, printed, said) = run_in_any_case(&url, &[("PERFREG_HEADERS", "X-Api-Key: wr0ng")]);
    assert_eq!((code, printed.as_str()), (77, ""), "{said}");
    assert!(said.contains("does not take the user or the header that was given") && !said.contains("wr0ng"), "{said}");
}

#[test]
fn a_header_that_cannot_be_sent_is_an_error_of_the_command_line() {
    for (header, words) in [
        ("s3cret", "a header has no colon"),
        ("Host: s3cret", "cannot give host"),
        ("content-length: 1", "cannot give content-length"),
        ("X-Key: s3\u{7f}cret", "the value of the header x-key"),
    ] {
        for (code, _, said) in
            [call(&["status", "--header", header], &[]), call(&["status"], &[("PERFREG_HEADERS", header)])]
        {
            assert!(code == 2 && said.contains(words) && !said.contains("cret"), "exit code {code}: {said}");
        }
    }
    let twice = ["status", "--server", "http://me:s3cret@localhost", "--header", "Authorization: Bearer s3cret"];
    let (code, _, said) = call(&twice, &[]);
    assert!(code == 2 && said.contains("leave one of them out") && !said.contains("s3cret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_what_stands_before_the_registry_is_no_outage() {
    let (server, _database) = serve().await;
    let gateway = json!({"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "no", "message": "no"});
    let nginx = Nginx::start(
        "",
        &format!(
            "location /401/ {{ return 401; }} location /403/ {{ return 403; }} location /407/ {{ return 407; }}
             location /json/ {{ default_type application/problem+json; return 403 '{gateway}'; }}
             location /user/ {{ auth_basic shop; auth_basic_user_file FOLDER/users; proxy_pass {}/; }}",
            server.url
        ),
    );
    fs::write(nginx.file("users"), "me:{PLAIN}s3cret\n").expect("a file");
    let url = |path: &str| format!("http://localhost:{}/{path}", nginx.port);
    let wrong_user = format!("http://me:wr0ng@localhost:{}/user", nginx.port);
    for (url, words) in [
        (url("401"), "says 401 Authorization Required: give a user in the URL, as http://USER:PASSWORD@HOST"),
        (url("user"), "says 401 Authorization Required: give a user in the URL"),
        (wrong_user, "it does not take the user or the header that was given"),
        (url("403"), "says 403 Forbidden: it does not let you through; ask who runs it"),
        (url("407"), "asks for a user and a password; name it with both, as HTTP_PROXY=http://USER:PASSWORD@HOST:PORT"),
        (url("json"), "says 403 Forbidden: it does not let you through"),
    ] {
        let (code, printed, said) = run_in_any_case(&url, &[]);
        assert_eq!((code, printed.as_str()), (77, ""), "{said}");
        assert!(said.contains(words) && !said.contains("trying again") && !said.contains("wr0ng"), "{said}");
        let (code, _, _) = call(&["status", "--server", &url], &[]);
        assert_eq!(code, 77);
    }
    let right_user = format!("http://me:s3cret@localhost:{}/user", nginx.port);
    assert_eq!(run_in_any_case(&right_user, &[]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_registry_itself_keeps_its_code() {
    let (server, _database) = serve().await;
    let lease = json!({"location": "here", "factor": 0.5, "lease_seconds": 60});
    server.http().admit(lease).await;
    let complete = ["complete", "1", "success", "--lease-token", "wrong", "--server", &server.url];
    let (code, _, said) = call(&complete, &[]);
    assert_eq!(code, 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_goes_on_while_it_is_let_through_no_more_and_its_end_is_told_afterwards() {
    let (server, _database) = serve().await;
    let condition = "if (-f FOLDER/closed) { return 401; }";
    let nginx = Nginx::start("", &format!("location / {{ {condition} proxy_pass {}; }}", server.url));
    let mut command = perfreg();
    command.args(["run", "--server", &nginx.url("http"), "--lease", "10s"]).args(JOB);
    let script = "while [ ! -f \"$0\" ]; do sleep 0.1; done";
    let ended = nginx.file("ended");
    command.args(["--", "sh", "-c", script]).arg(&ended).stderr(Stdio::piped());
    let mut run = command.spawn().expect("it starts");
    let log = collect(run.stderr.take().expect("piped"));
    let until_it_says = |words: &str| {
        let give_up = Instant::now() + PATIENCE;
        while !log.lock().expect("no panic").contains(words) {
            assert!(Instant::now() < give_up, "{words:?} in {:?}", log.lock().expect("no panic"));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until_it_says("run 1 may start");
    fs::write(nginx.file("closed"), "").expect("a file");
    until_it_says("the load goes on, and it is tried again");
    fs::write(&ended, "").expect("a file");
    until_it_says("the end of run 1 is told again");
    fs::remove_file(nginx.file("closed")).expect("it is there");
    assert_eq!(wait_for_exit(&mut run).code(), Some(0));
    let execution = server.http().get("/executions/1").await.json();
    assert_eq!(execution["status"], "success");
}
