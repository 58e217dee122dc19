//! One file per thing that a user can ask for.

mod browse;
mod cancel;
mod complete;
mod error;
mod gate;
mod heartbeat;
mod lanes;
mod locations;
mod register;
mod token;
mod watch;

use std::sync::Arc;

use crate::store::Store;
use lanes::Lanes;
use watch::Watchers;

pub use browse::{ExecutionPages, MOST_PER_PAGE};
pub use cancel::Cancellation;
pub use complete::Completed;
pub use error::RegistryError;
pub use heartbeat::Beaten;
pub use register::{Registered, Request};
pub use watch::Until;

pub struct Registry {
    store: Arc<dyn Store>,
    lanes: Arc<Lanes>,
    watchers: Arc<Watchers>,
}

impl Registry {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let watchers = Arc::<Watchers>::default();
        Self { lanes: Lanes::new(Arc::clone(&store), Arc::clone(&watchers)), store, watchers }
    }
}
