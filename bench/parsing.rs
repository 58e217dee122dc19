//! What it takes to read what is sent: `cargo bench --bench parsing`.

use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use criterion::{Criterion, criterion_group, criterion_main};
use perfreg::clock::Clock;
use perfreg::config::database::{DatabaseConfig, Durability};
use perfreg::config::hosts::AllowedHosts;
use perfreg::config::passwords::PasswordSources;
use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::history::fold_case;
use perfreg::registry::Registry;
use tempfile::TempDir;
use tower::ServiceExt;

/// All is right but the last digit of the factor, so that everything is read and nothing decided.
const REGISTRATION: &str = r#"{"repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load",
    "type": "performance", "environment": "prod", "triggered_by": "user1", "factor": 0.5000001,
    "dashboard_url": "https://dashboard.example.com/run/123", "location": "azure-k8s", "build": {"number": 17}}"#;

/// A service whose database is not asked.
fn service(folder: &TempDir) -> Router {
    let url = format!("sqlite:{}", folder.path().join("perfreg.db").display());
    let config = DatabaseConfig {
        url: url.parse().expect("a URL"),
        connections: 2,
        durability: Durability::Local,
        passwords: PasswordSources::default(),
    };
    let store = perfreg::store::open(&config, Clock::Real).expect("a new file");
    perfreg::http::service(Arc::new(Registry::new(store)), None, AllowedHosts::Any).router
}

fn parsing(criterion: &mut Criterion) {
    criterion.bench_function("a factor", |bencher| bencher.iter(|| Factor::parse(black_box("0.123456"))));
    criterion
        .bench_function("folding a search term", |bencher| bencher.iter(|| fold_case(black_box("Straße/Main-07"))));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = TempDir::new().expect("a folder");
    let service = runtime.block_on(async { service(&folder) });
    let send = async || {
        let request = Request::post("/register").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(REGISTRATION)).expect("a request");
        service.clone().oneshot(request).await.expect("an answer").status()
    };
    assert_eq!(runtime.block_on(send()), StatusCode::UNPROCESSABLE_ENTITY);
    criterion.bench_function("a registration, to the refusal of its factor", |bencher| {
        bencher.iter(|| runtime.block_on(send()));
    });
}

criterion_group!(benches, parsing);
criterion_main!(benches);
