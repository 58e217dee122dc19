//! The pages for people: one file per page.

mod assets;
mod error;
mod history;
mod page;
mod status;

use axum::response::Redirect;

pub use assets::asset;
pub use history::*;
pub use status::*;

/// The front page is what runs now.
pub async fn front() -> Redirect {
    Redirect::temporary("/status-html")
}
