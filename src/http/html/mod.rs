//! The pages for people: one file per page, and what they share: `layout`, `page`, `row`, and `templates/parts.html`.
//!
//! All links are relative, so that they hold below a path that a proxy adds: a template puts `layout.root` before them.

mod assets;
mod error;
mod find;
mod history;
mod layout;
mod live;
mod now;
mod page;
mod renderings;
mod row;
mod status;
mod zone;

use axum::extract::Path;
use axum::response::Redirect;

use crate::http::error::ApiError;

pub use assets::{asset, favicon};
pub use error::Reader;
pub use find::find;
pub use history::*;
pub use live::{LivePages, live};
pub use now::now;
pub use renderings::Renderings;
pub use status::*;
pub use zone::{choose_zone, zone};

/// Where people are sent to a run; until it has a page of its own, to its JSON. The way is relative, so that it holds
/// behind a proxy that adds a path.
pub async fn run(Path(run_id): Path<String>) -> Result<Redirect, ApiError> {
    let run_id: u64 = run_id.parse().map_err(|_| ApiError::NotFound("No test has this run_id.".to_owned()))?;
    Ok(Redirect::temporary(&format!("../executions/{run_id}")))
}
