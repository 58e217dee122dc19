//! Lists of executions over HTTP.

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::support::http::Http;
use crate::support::server::TestServer;

fn run_ids(body: &Value) -> Vec<i64> {
    body["executions"].as_array().expect("a list").iter().filter_map(|run| run["run_id"].as_i64()).collect()
}

async fn start_streams(http: &Http, streams: &[&str]) {
    for stream in streams {
        http.admit(json!({"stream": stream, "location": null})).await;
    }
}

on_both_databases! {
    async fn history_is_filtered_and_paged(database: &TestDatabase) {
        let server = TestServer::start(&database.url);
        let http = server.http();
        start_streams(&http, &["Élan-1", "main", "élan-2", "main", "ÉLAN_3"]).await;
        http.post("/complete", &json!({"run_id": 2, "status": "success"})).await;

        let found = async |query: &str| run_ids(&http.get(&format!("/history?{query}")).await.json());
        assert_eq!(found("").await, [5, 4, 3, 2, 1]);
        assert_eq!(found("stream=%C3%A9lan%25").await, [5, 3, 1]);
        assert_eq!(found("stream=%25lan_3").await, [5]);
        assert_eq!(found("stream=MAIN&status=running").await, [4]);
        assert_eq!(found("repo=myrepo&lac=lac1&test=load&type=performance&environment=prod&triggered_by=user1&limit=1").await, [5]);
        assert_eq!(found("from=2020-01-01&to=2020-01-02").await, Vec::<i64>::new());

        let first = http.get("/history?limit=2").await.json();
        let second = http.get(&format!("/history?limit=2&cursor={}", first["next"].as_str().expect("a cursor"))).await.json();
        let rest = http.get(&format!("/history?cursor={}", second["next"].as_str().expect("a cursor"))).await.json();
        assert_eq!([run_ids(&first), run_ids(&second), run_ids(&rest)].concat(), [5, 4, 3, 2, 1]);
        assert_eq!(rest["next"], Value::Null);
    }
}
