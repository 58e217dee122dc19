//! The pages of locations: where they are, whatever the name, and how the registry leads to them.

use reqwest::Method;
use serde_json::json;

use super::forms::fill_in;
use crate::support::http::Http;
use crate::support::nginx::{Nginx, free_port};

#[tokio::test]
async fn a_location_with_any_name_has_a_page_whose_links_and_form_lead_back_to_it() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for (name, path) in [
        ("team/k8s", "team/k8s"),
        ("a/b/merge", "a/b/merge"),
        ("what?#now", "what%3F%23now"),
        ("100%25", "100%2525"),
        ("badge.svg", "badge.svg"),
        ("a:b", "a%3Ab"),
        ("load lab+1", "load%20lab%2B1"),
        ("压测 \"<b>\"", "%E5%8E%8B%E6%B5%8B%20%22%3Cb%3E%22"),
        ("merge", "merge"),
    ] {
        http.admit(json!({"location": name, "factor": 0.1})).await;
        assert!(http.page("/registry").await.text.contains(&format!("href=\"locations/{path}\"")), "{name}");
        // As it is linked, and as a program spells it.
        for path in [path.to_owned(), path.replace('/', "%2F")] {
            let path = format!("/locations/{path}");
            http.send(Method::PUT, &path, &json!({"capacity": 1})).await;
            let sent = fill_in(&http, &path, &[("capacity", "2.5"), ("by", "ana")]).await;
            assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{name}");
            assert_eq!(http.get(&path).await.json()["capacity"], json!(2.5), "{name}");
        }
    }
}

#[tokio::test]
async fn a_location_whose_name_no_path_can_have_leads_to_its_runs() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for name in ["/a", "a/", "a//b", "a/../b", "./a", "a/merge"] {
        http.admit(json!({"location": name, "factor": 0.1, "test": format!("at {name}")})).await;
        let way = format!("history-html?location={}", name.replace('/', "%2F"));
        assert!(http.page("/registry").await.text.contains(&format!("href=\"{way}\"")), "{name}");
        assert!(http.page(&format!("/{way}")).await.text.contains(&format!("at {name}")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_with_a_slash_is_set_by_its_form_behind_a_proxy_that_decodes() {
    let (server, _database) = super::pages::serve().await;
    server.http().admit(json!({"location": "team/k8s ü", "factor": 0.1})).await;
    let nginx = Nginx::below_a_path_before(&server.url, free_port());
    let http = Http::new(&nginx.url);
    let path = "/locations/team/k8s%20%C3%BC";
    let page = http.page(path).await;
    assert!(page.status == 200 && page.text.contains("href=\"../../assets/style-"), "{}", page.text);
    let sent = fill_in(&http, path, &[("capacity", "3"), ("by", "ana")]).await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{}", sent.text);
    assert_eq!(http.get(path).await.json()["capacity"], json!(3));
    // A person who types the slash as a program does is led back to the same location.
    let sent = fill_in(&http, "/locations/team%2Fk8s%20%C3%BC", &[("capacity", "4"), ("by", "ana")]).await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "#outcome"), "{}", sent.text);
    assert_eq!(http.get(path).await.json()["capacity"], json!(4));
}

#[tokio::test]
async fn a_location_that_nobody_has_used_can_be_set_up() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    http.admit(json!({"location": "azure-k8s"})).await;
    let page = http.page("/locations/azure-k8z").await;
    assert_eq!(page.status, 404);
    assert!(
        page.text.contains("The closest to it is azure-k8s.") && page.text.contains("href=\"../locations/azure-k8s\""),
        "{}",
        page.text
    );
    assert_eq!(fill_in(&http, "/locations/azure-k8z", &[("by", "ana")]).await.status, 303);
    assert_eq!(http.page("/locations/azure-k8z").await.status, 200);
    assert_eq!(http.page(&format!("/locations/{}", "x".repeat(256))).await.status, 422);
}

#[tokio::test]
async fn the_registry_lists_a_hundred_locations_and_leads_to_the_next() {
    let (server, _database) = super::pages::serve().await;
    let http = server.http();
    for number in 0..205 {
        let path = format!("/locations/lab-{number:03}");
        assert_eq!(http.send(Method::PUT, &path, &json!({"capacity": 1})).await.status, 200);
    }
    let shown = |page: &str| page.matches("href=\"locations/").count();
    let (mut path, mut counts) = ("/registry".to_owned(), Vec::new());
    loop {
        let page = http.page(&path).await.text;
        assert!(page.len() < 150_000 && page.contains("<dd>205</dd>"), "{}", page.len());
        counts.push(shown(&page));
        let Some((before, _)) = page.split_once("\">The next locations") else { break };
        let (_, way) = before.rsplit_once("href=\"").expect("a link");
        path = format!("/{}", way.replace("&#38;", "&"));
    }
    assert_eq!(counts, [100, 100, 5]);
    let page = http.page("/registry?name=LAB-01").await.text;
    assert!(shown(&page) == 10 && page.contains("value=\"lab-01\""), "{page}");
    let page = http.page("/registry?name=nowhere").await.text;
    assert!(shown(&page) == 0 && page.contains("No location has such a name."), "{page}");
}
