//! One file per thing that a user can ask for.

mod browse;
mod cancel;
mod complete;
mod error;
mod lanes;
mod locations;
mod register;

use std::sync::Arc;

use crate::store::Store;
use lanes::Lanes;

pub use browse::{ExecutionPages, MOST_PER_PAGE};
pub use complete::Completed;
pub use error::RegistryError;
pub use register::Registered;

pub struct Registry {
    store: Arc<dyn Store>,
    lanes: Arc<Lanes>,
}

impl Registry {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { lanes: Lanes::new(Arc::clone(&store)), store }
    }
}
