//! What handlers share.

use std::sync::Arc;

use axum::extract::FromRef;

use super::html::{LivePages, Renderings};
use crate::registry::Registry;

/// Each handler takes the parts that it needs.
#[derive(Clone, FromRef)]
pub struct Shared {
    registry: Arc<Registry>,
    renderings: Renderings,
    live_pages: LivePages,
}

impl Shared {
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { renderings: Renderings::new(registry.count_of_news()), live_pages: LivePages::default(), registry }
    }
}
