//! The pages for people: one file per page, and what they share: `layout`, `page`, `row`, `entry`, and `templates/parts.html`.
//!
//! All links are relative, so that they hold below a path that a proxy adds: a template puts `layout.root` before them.

mod assets;
mod entry;
mod error;
mod find;
mod gate;
mod history;
mod layout;
mod live;
mod location;
mod now;
mod page;
mod registry;
mod renderings;
mod row;
mod run;
mod setting;
mod status;
mod stop;
mod zone;

pub use assets::{asset, favicon};
pub use error::{Reader, wants_page};
pub use find::find;
pub use history::*;
pub use live::{LivePages, live};
pub use location::{location, location_with_slash, set_location, set_location_with_slash};
pub use now::now;
pub use registry::{locations, registry, set_registry};
pub use renderings::Renderings;
pub use run::run;
pub use status::*;
pub use stop::{stop, stop_form};
pub use zone::{choose_zone, zone};
