//! Asks to start an execution.

use std::sync::Arc;

use uuid::Uuid;

use super::{Registry, RegistryError};
use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Refusal};
use crate::domain::execution::{Details, Execution, Registration};
use crate::domain::factor::Factor;

#[derive(Clone, Debug)]
pub enum Registered {
    Started(Execution),
    Refused(Refusal),
    FactorTooLarge { largest: Factor },
}

impl Registry {
    /// Starts an execution if its location has room.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn register(&self, details: Details) -> Result<Registered, RegistryError> {
        let location = details.location.clone();
        let registration = Registration { id: Uuid::now_v7(), details: Arc::new(details) };
        let answer = self.lanes.submit(location, Command::Register(registration)).await?;
        Ok(match answer {
            Answer::Registered(execution) => {
                tracing::info!(run_id = execution.run_id.0, test = execution.details.test, "registered");
                Registered::Started(execution)
            }
            Answer::Refused(refusal) => {
                tracing::info!(location = refusal.location.as_str(), used = %refusal.running_factor, "refused");
                Registered::Refused(refusal)
            }
            Answer::FactorTooLarge { largest } => Registered::FactorTooLarge { largest },
            other => return Err(RegistryError::Broken(format!("a registration was answered with {other:?}"))),
        })
    }
}
