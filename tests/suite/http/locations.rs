//! Locations over HTTP.

use reqwest::Method;
use serde_json::json;

use super::pages::serve;
use crate::support::http::example;

#[tokio::test]
async fn a_location_is_there_once_it_is_used_or_put() {
    let (server, _database) = serve().await;
    let http = server.http();
    assert_eq!(http.get("/locations").await.json(), json!({"locations": []}));
    http.admit(json!({})).await;
    let put = http.send(Method::PUT, "/locations/on%20prem%2F1", &json!({"capacity": "2.5"})).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let gate = json!({"state": "open", "reason": null, "by": null, "until": null});
    let used = json!({"name": "azure-k8s", "capacity": 1, "used": 0.5, "available": 0.5, "running": 1, "waiting": 0, "gate": gate});
    let unused = json!({"name": "on prem/1", "capacity": 2.5, "used": 0, "available": 2.5, "running": 0, "waiting": 0, "gate": gate});
    let mut put = put.json();
    let remarks = put.as_object_mut().and_then(|fields| fields.remove("remarks"));
    assert_eq!(remarks, Some(json!(["The location on prem/1 is new here, with a capacity of 2.5."])));
    assert_eq!(put, unused);
    assert_eq!(http.get("/locations").await.json(), json!({"locations": [used, unused]}));
    http.admit(json!({"location": "on prem/1", "factor": 2.4})).await;
    let refused = http.post("/register", &example(json!({"location": "on prem/1", "factor": 0.1}))).await;
    assert_eq!(refused.json()["available_factor"], json!(0.1));
}

#[tokio::test]
async fn a_capacity_is_above_0_and_at_most_1000() {
    let (server, _database) = serve().await;
    let http = server.http();
    for (body, words) in [
        (json!({}), "capacity is required"),
        (json!({"capacity": 0}), "capacity must be above 0"),
        (json!({"capacity": -1}), "capacity must not be negative"),
        (json!({"capacity": 1_000.000_001}), "capacity must be at most 1000"),
        (json!({"capacity": "much"}), "capacity must be a decimal number such as 0.25"),
        (json!({"capacity": 1, "capcity": 2}), "capcity is not a field of this call"),
    ] {
        let reply = http.send(Method::PUT, "/locations/here", &body).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        assert!(reply.text.contains(words), "{words:?} in {}", reply.text);
    }
    let name = "x".repeat(256);
    assert_eq!(http.send(Method::PUT, &format!("/locations/{name}"), &json!({"capacity": 1})).await.status, 422);
    assert_eq!(http.send(Method::PUT, "/locations/%00", &json!({"capacity": 1})).await.status, 422);
    assert_eq!(http.send(Method::PUT, "/locations/here", &json!({"capacity": 1000})).await.status, 200);
}

#[tokio::test]
async fn lowering_a_capacity_ends_nothing_and_admits_nothing_until_there_is_room() {
    let (server, _database) = serve().await;
    let http = server.http();
    let run = http.admit(json!({"factor": 0.8})).await;
    http.send(Method::PUT, "/locations/azure-k8s", &json!({"capacity": 0.5})).await;
    assert_eq!(http.get("/status").await.json()["running"][0]["run_id"], run["run_id"]);
    let refused = http.post("/register", &example(json!({"factor": 0.1}))).await.json();
    assert_eq!((&refused["available_factor"], &refused["permanent"]), (&json!(0), &json!(false)));
    http.post("/complete", &json!({"run_id": run["run_id"], "status": "success"})).await;
    http.admit(json!({"factor": 0.1})).await;
}
