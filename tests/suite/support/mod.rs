//! What the tests share: databases, servers, and clients.

pub mod cluster;
pub mod database;
pub mod http;
pub mod loses_answers;
pub mod nginx;
pub mod proxy;
pub mod server;

use std::sync::Arc;

use perfreg::domain::capacity::factor::Factor;
use perfreg::domain::capacity::location::LocationName;
use perfreg::domain::execution::priority::Priority;
use perfreg::domain::execution::{Details, Registration};
use uuid::Uuid;

/// A test that asks for `factor` of `location`; everything else is the original's example.
pub fn details(location: Option<&str>, factor: &str) -> Details {
    Details {
        repo: "myrepo".to_owned(),
        lac: "lac1".to_owned(),
        stream: "main".to_owned(),
        test: "load".to_owned(),
        kind: "performance".to_owned(),
        environment: "prod".to_owned(),
        triggered_by: "user1".to_owned(),
        factor: Some(Factor::parse(factor).expect("a factor")),
        dashboard_url: Some("https://dashboard.example.com/run/123".to_owned()),
        location: location.map(LocationName::new),
        extra: "{}".to_owned(),
    }
}

pub fn registration(details: Details) -> Registration {
    Registration {
        id: Uuid::now_v7(),
        details: Arc::new(details),
        priority: Priority::DEFAULT,
        wait_seconds: 0,
        lease: None,
        expected_seconds: None,
        key: None,
        only_where_known: false,
    }
}
