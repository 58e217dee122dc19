//! The original's clients, word for word: one URL is all that changes.

use std::process::Command;

use super::pages::serve;

/// Runs a shell script as a pipeline step does, with `URL` set; gives its output back.
fn run(url: &str, script: &str) -> String {
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", script]).env("URL", url).output().expect("bash");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_readme_works_with_curl() {
    let (server, _database) = serve().await;
    let answer = run(
        &server.url,
        r#"curl -sS -X POST "$URL/register" -H 'Content-Type: application/json' -d '{
"repo": "myrepo",
"lac": "lac1",
"stream": "main",
"test": "load",
"type": "performance",
"environment": "prod",
"triggered_by": "user1",
"factor": 0.5,
"dashboard_url": "https://dashboard.example.com/run/123",
"location": "azure-k8s"
}'"#,
    );
    assert!(answer.starts_with(r#"{"message":"Test registered","#), "{answer}");
    let status: serde_json::Value = serde_json::from_str(&run(&server.url, "curl -sS $URL/status")).expect("JSON");
    assert_eq!(status["running"].as_array().map(Vec::len), Some(1));
    let page = run(&server.url, "curl -sS $URL/status-html");
    assert!(page.contains(r#"<a href="https://dashboard.example.com/run/123""#), "a clickable dashboard link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_step_with_curl_and_jq_works_unchanged() {
    let (server, _database) = serve().await;
    let printed = run(
        &server.url,
        r#"
register() {
  curl -s -X POST "$URL/register" -H "Content-Type: application/json" -d "{
    \"repo\": \"shop\", \"lac\": \"lac7\", \"stream\": \"release/2\", \"test\": \"checkout\", \"type\": \"load\",
    \"environment\": \"stage\", \"triggered_by\": \"$1\", \"factor\": \"0.6\", \"location\": \"azure-k8s\",
    \"container_name\": \"k6-1\", \"execution_type\": \"ci\", \"workers\": 4, \"tool\": \"k6\", \"script_version\": \"v12\"
  }"
}
first=$(register alice)
[ "$(jq -r .message <<<"$first")" = "Test registered" ]
run_id=$(jq -r .run_id <<<"$first")
second=$(register bob)
case "$(jq -r .message <<<"$second")" in
  "Cannot register test:"*) echo "bob waits for $(jq -r '.blocking[0].triggered_by' <<<"$second")" ;;
  *) exit 1 ;;
esac
curl -s -X POST "$URL/complete" -H "Content-Type: application/json" \
  -d "{\"run_id\": \"$run_id\", \"status\": \"failed\"}" | jq -r .message
run_id=$(register bob | jq -r .run_id)
curl -s -X POST "$URL/cancel?run_id=$run_id" | jq -r .message
curl -s "$URL/history" | jq -r '.executions[] | "\(.run_id) \(.status) \(.extra.tool)"'
"#,
    );
    assert_eq!(printed, "bob waits for alice\nTest marked as complete\nTest cancelled\n2 cancelled k6\n1 failure k6\n");
}
