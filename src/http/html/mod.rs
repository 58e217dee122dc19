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
mod run;
mod status;
mod zone;

pub use assets::{asset, favicon};
pub use error::Reader;
pub use find::find;
pub use history::*;
pub use live::{LivePages, live};
pub use now::now;
pub use renderings::Renderings;
pub use run::run;
pub use status::*;
pub use zone::{choose_zone, zone};
