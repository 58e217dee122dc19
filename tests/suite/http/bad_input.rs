//! Whatever is sent, the answer is one clear sentence, and nothing is lost.

use std::convert::Infallible;

use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::{Value, json};

use super::pages::serve;
use crate::support::http::{Http, Reply, example};

/// A problem as RFC 9457 has it, whose sentence names what is wrong.
fn assert_problem(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["status"], status);
    for member in ["type", "title", "detail", "message"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {}", reply.text);
    }
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains(words), "{words:?} in {detail:?}");
}

async fn register_raw(http: &Http, field: &str, raw: &str) -> Reply {
    let body = example(json!({field: "@"})).to_string().replace("\"@\"", raw);
    http.post_text("/register", body).await
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named_with_what_it_must_be() {
    let (server, _database) = serve().await;
    let http = server.http();
    let long = format!("\"{}\"", "x".repeat(256));
    let huge = format!("\"{}\"", "x".repeat(60_000));
    for (field, raw, words) in [
        ("factor", "-0.1", "factor must not be negative"),
        ("factor", "1e999", "factor is too large"),
        ("factor", "1e-400", "factor must have at most 6 digits after the point"),
        ("factor", "0.1234567", "it is never rounded"),
        ("factor", "0.10000000000000000000000000000000000000001", "factor must be a decimal number of at most 40"),
        ("factor", "\"NaN\"", "factor must be a decimal number such as 0.25"),
        ("factor", "\"\"", "factor must be a decimal number such as 0.25"),
        ("factor", "true", "factor must be a decimal number such as 0.25"),
        ("factor", "[]", "factor must be a decimal number such as 0.25"),
        ("factor", "{\"a\":1}", "factor must be a decimal number such as 0.25"),
        ("repo", "null", "repo is required"),
        ("lac", "12", "lac must be a text in quotes"),
        ("test", "\"\"", "test must not be empty"),
        ("test", "\"  \"", "test must not be empty"),
        ("stream", long.as_str(), "stream must have at most 255 characters"),
        ("environment", huge.as_str(), "environment must have at most 255 characters"),
        ("triggered_by", "\"a\\u0000b\"", "triggered_by must not contain control characters"),
        ("triggered_by", "\"a\\u001b[31m\"", "triggered_by must not contain control characters"),
        ("location", "\"\"", "location must not be empty"),
        ("location", "7", "location must be a text in quotes"),
        ("dashboard_url", "\"javascript:alert(1)\"", "dashboard_url must be a link that begins with http"),
        ("dashboard_url", "\"/run/1\"", "dashboard_url must be a link that begins with http"),
        ("dashboard_url", "5", "dashboard_url must be a text in quotes"),
        ("surrogate", "\"\\ud800\"", "surrogate is not a value that can be kept"),
    ] {
        let reply = register_raw(&http, field, raw).await;
        assert_problem(&reply, 422, words);
        assert_eq!(reply.json()["errors"][0]["field"], field);
    }
    let link = format!("https://a.example/{}", "x".repeat(2_048));
    assert_problem(&http.post("/register", &example(json!({"dashboard_url": link}))).await, 422, "at most 2048");
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_problem(&register_raw(&http, "deep", &deep).await, 422, "deep is not a value that can be kept");
    assert_eq!(http.get("/history").await.json()["executions"], json!([]), "nothing was registered");
}

#[tokio::test]
async fn no_form_of_a_number_is_rounded_or_guessed() {
    let (server, _database) = serve().await;
    let http = server.http();
    let texts = [
        // Would have to be rounded.
        "0.9999996",
        "0.0000001",
        "0.1234567",
        "1e-7",
        "1e-400",
        // Too long, or too large.
        "0.99999999999999999999999999999999999",
        "0.10000000000000000000000000000000000000001",
        "1e400",
        "99999999999999999999",
        // Negative.
        "-0.1",
        "-1e-6",
    ];
    let no_json = [
        "NaN",
        "-NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "0_1",
        "1_000",
        "+0.1",
        ".1",
        "1.",
        "01",
        "-01",
        "0x1",
        "1e",
        "1e+",
        "0,5",
        "0.5f",
        "1/2",
        "½",
        "１",
        "--1",
        "0.1.1",
    ];
    let in_quotes = ["", " ", " 0.1", "0.1 ", "0.1\\n", "0.1\\u0000", "half", "null", "true"];
    let quoted = |text: &&str| format!("\"{text}\"");
    let others = ["true", "false", "[]", "[0.1]", "{}", "{\"value\": 0.1}"].map(str::to_owned);
    let forms = texts.iter().chain(&no_json).map(|text| (*text).to_owned());
    let forms = forms.chain(texts.iter().chain(&no_json).chain(&in_quotes).map(quoted)).chain(others);
    for form in forms {
        for path in ["/register", "/plan"] {
            let body = example(json!({"factor": "@"})).to_string().replace("\"@\"", &form);
            assert_problem(&http.post_text(path, body).await, 422, "");
        }
        let body = format!("{{\"capacity\": {form}}}");
        let put = http.try_send(Method::PUT, "/locations/here", "application/json", body).await;
        assert_problem(&put.expect("an answer"), 422, "");
    }
    let twice = example(json!({})).to_string().replace('}', ", \"factor\": 0.1}");
    assert_problem(&http.post_text("/register", twice).await, 422, "factor must not be given twice");
    assert_eq!(http.get("/history").await.json()["executions"], json!([]), "nothing was registered");
    assert_eq!(http.get("/locations").await.json()["locations"], json!([]), "nothing was set");
}

#[tokio::test]
async fn all_errors_are_told_at_once() {
    let (server, _database) = serve().await;
    let reply = server.http().post("/register", &json!({"repo": 1, "factor": -1})).await;
    let fields: Vec<Value> =
        reply.json()["errors"].as_array().expect("errors").iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["repo", "lac", "stream", "test", "type", "environment", "triggered_by", "factor"]);
}

#[tokio::test]
async fn what_is_not_a_json_object_is_told_apart() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (body, words) in [
        (&b""[..], "body is empty"),
        (b"repo=x", "body is not JSON: expected value at line 1 column 1"),
        (b"[]", "body must be a JSON object"),
        (b"7", "body must be a JSON object"),
        (b"{\"factor\": NaN}", "NaN, at column 12, is not a number in JSON"),
        (b"{\"factor\": -Infinity}", "Infinity, at column 13, is not a number in JSON"),
        (b"{\"repo\": \"a\"} x", "body is not JSON"),
        (b"{\"repo\": \"a\", \"repo\": \"b\"}", "repo must not be given twice"),
        (b"{\"repo\": \"\xff\xfe\"}", "body is not JSON: invalid unicode code point"),
        (b"{\"repo\": \"a\0\"}", "body is not JSON: control character"),
    ] {
        assert_problem(&http.post_text("/register", body.to_vec()).await, 422, words);
    }
    let form = http.try_send(Method::POST, "/register", "application/x-www-form-urlencoded", "{}").await;
    assert_problem(&form.expect("an answer"), 415, "Content-Type: application/json");
    let large = format!("{{\"x\": \"{}\"}}", "y".repeat(70_000));
    assert_problem(&http.post_text("/register", large.clone()).await, 413, "larger than 64 KiB");
    // In pieces, its length is not known before.
    let pieces = stream::iter([Ok::<_, Infallible>(large.clone())]);
    assert_problem(&http.post_text("/register", Body::wrap_stream(pieces)).await, 413, "larger than 64 KiB");
    assert_problem(&http.post_text("/cancel", large).await, 413, "larger than 64 KiB");
}

#[tokio::test]
async fn a_body_is_json_by_whatever_name_json_has() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (content_type, status) in [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/vnd.pipeline+json", 200),
        ("text/json", 415),
        ("application/jsonp", 415),
        ("json", 415),
        ("", 415),
    ] {
        let reply =
            http.try_send(Method::POST, "/register", content_type, example(json!({"factor": 0})).to_string()).await;
        assert_eq!(reply.expect("an answer").status, status, "{content_type}");
    }
}

#[tokio::test]
async fn what_ends_a_test_is_checked_as_well() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (body, field) in [
        (json!({"status": "success"}), "run_id"),
        (json!({"run_id": 1.5, "status": "success"}), "run_id"),
        (json!({"run_id": -1, "status": "success"}), "run_id"),
        (json!({"run_id": "9223372036854775808", "status": "success"}), "run_id"),
        (json!({"run_id": [], "status": "success"}), "run_id"),
        (json!({"run_id": 1}), "status"),
        (json!({"run_id": 1, "status": "running"}), "status"),
        (json!({"run_id": 1, "status": 7}), "status"),
    ] {
        let reply = http.post("/complete", &body).await;
        assert_problem(&reply, 422, field);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let (server, _database) = serve().await;
    let http = server.http();
    assert_problem(&http.get("/nowhere").await, 404, "There is nothing at /nowhere");
    assert_problem(&http.get("/executions/7").await, 404, "No test has the run_id 7");
    assert_problem(&http.get("/executions/seven").await, 404, "No test has this run_id");
    assert_problem(&http.get("/executions/%ff").await, 404, "No test has this run_id");
    assert_problem(&http.get("/assets/nothing.css").await, 404, "There is nothing at /assets/nothing.css");
    let reply = http.get("/register").await;
    assert_problem(&reply, 405, "/register does not take GET");
    assert_eq!(reply.header("allow"), "POST");
}

#[tokio::test]
async fn a_query_that_has_no_meaning_is_refused_rather_than_ignored() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (query, words) in [
        ("strem=main", "strem is not a parameter"),
        ("status=done", "status must be one of queued, running, success, failure, cancelled"),
        ("limit=0", "limit must be a whole number from 1 to 1000"),
        ("limit=1001", "limit must be a whole number from 1 to 1000"),
        ("cursor=abc", "cursor must be the `next` of an earlier page"),
        ("from=yesterday", "from must be a time such as"),
        ("stream=%ff", "stream is not UTF-8"),
        ("stream=%00", "stream must not contain NUL"),
    ] {
        assert_problem(&http.get(&format!("/history?{query}")).await, 422, words);
        assert_eq!(http.get(&format!("/history-html?{query}")).await.status, 422, "{query}");
    }
}

#[tokio::test]
async fn a_body_is_json_in_utf_8_as_it_is_or_told_what_else_it_is() {
    let (server, _database) = serve().await;
    let http = server.http();
    let body = example(json!({"location": null, "wait_seconds": 0})).to_string();
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let headers: Vec<_> = [&[("content-type", "application/json")], headers].concat();
        http.try_send_with(Method::POST, "/register", &headers, body).await.expect("an answer")
    };
    let plain = || body.clone().into_bytes();
    let marked = |mark: &[u8], body: Vec<u8>| [mark, &body].concat();
    for coding in ["gzip", "br", "x-gzip", "identity, gzip"] {
        assert_problem(&with(&[("content-encoding", coding)], plain()).await, 415, "without Content-Encoding");
    }
    for sent in [marked(b"\xFF\xFE", utf16.clone()), utf16, marked(b"\0\0\xFE\xFF", vec![0, 0, 0, b'{'])] {
        assert_problem(&with(&[], sent).await, 415, "in UTF-8");
    }
    for expectation in ["200-ok", "100-continue, other"] {
        assert_problem(&with(&[("expect", expectation)], plain()).await, 417, "Leave the header Expect out");
    }
    for (headers, sent) in [
        (&[("content-encoding", "identity")][..], plain()),
        (&[("content-encoding", "")], plain()),
        (&[("expect", "100-CONTINUE")], plain()),
        (&[], marked(b"\xEF\xBB\xBF", plain())),
    ] {
        let reply = with(headers, sent).await;
        assert_eq!(reply.status, 200, "{headers:?}: {}", reply.text);
    }
    let typed = async |content_type: &str| {
        http.try_send(Method::POST, "/register", content_type, plain()).await.expect("an answer")
    };
    for charset in ["utf-8", "\"UTF-8\"", "utf8", "US-ASCII"] {
        assert_eq!(typed(&format!("application/json; charset={charset}")).await.status, 200, "{charset}");
    }
    for charset in ["iso-8859-1", "utf-16", "\"windows-1252\""] {
        assert_problem(&typed(&format!("application/json; q=1; Charset={charset}")).await, 415, "in UTF-8");
    }
    // A call without a body has nothing that could be encoded.
    let cancelled = http.try_send_with(Method::POST, "/cancel?run_id=1", &[("content-encoding", "gzip")], "").await;
    assert_eq!(cancelled.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_path_with_slashes_too_many_leads_to_the_same() {
    let (server, _database) = serve().await;
    let http = server.http();
    let reply = http.post("/register/", &example(json!({"location": "a/b"}))).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    for path in
        ["/status/", "//status", "/executions/1/", "/executions//1//", "/runs/1/", "/locations/a%2Fb", "/locations/a/b"]
    {
        assert_eq!(http.get(path).await.status, 200, "{path}");
    }
    let page = http.get("/status-html/").await.text;
    assert!(
        page.contains("<h1>Running tests</h1>") && page.contains("href=\"assets/"),
        "a redirect was followed: {page}"
    );
    assert_problem(&http.get("/nothing/").await, 404, "There is nothing at /nothing;");
    assert_problem(&http.post("/status/", &json!({})).await, 405, "/status does not take POST");
}
