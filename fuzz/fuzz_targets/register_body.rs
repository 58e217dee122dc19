//! Any body of `POST /register` is refused in a sentence, or is right and reaches the database, which is not there.
#![no_main]

use std::cell::OnceCell;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use libfuzzer_sys::fuzz_target;
use perfreg::clock::Clock;
use perfreg::config::database::{DatabaseConfig, Durability};
use perfreg::config::passwords::PasswordSources;
use perfreg::registry::Registry;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

struct Service {
    runtime: Runtime,
    router: Router,
}

impl Service {
    fn new() -> Self {
        let url = "sqlite:nothing-is-ever-opened.db".parse().expect("a URL");
        let config = DatabaseConfig { url, connections: 2, durability: Durability::Local, passwords: PasswordSources::default() };
        let store = perfreg::store::open(&config, Clock::Real).expect("not yet opened");
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        Self { runtime, router: perfreg::http::router(Arc::new(Registry::new(store)), None) }
    }

    fn status(&self, body: &[u8]) -> StatusCode {
        let request = Request::post("/register").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_vec())).expect("a request");
        self.runtime.block_on(self.router.clone().oneshot(request)).expect("an answer").status()
    }
}

thread_local! {
    static SERVICE: OnceCell<Service> = const { OnceCell::new() };
}

fuzz_target!(|body: &[u8]| {
    let status = SERVICE.with(|service| service.get_or_init(Service::new).status(body));
    let expected =
        [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::SERVICE_UNAVAILABLE];
    assert!(expected.contains(&status), "{status}");
});
