//! Says what would come of a registration.

use super::register::unexpected;
use super::{Registry, RegistryError, Request};
use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Planned};
use crate::domain::factor::Factor;

#[derive(Clone, Debug)]
pub enum Plan {
    Known(Planned),
    FactorTooLarge { largest: Factor },
}

impl Registry {
    /// Asks the rule, and changes nothing.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn plan(&self, request: Request) -> Result<Plan, RegistryError> {
        let location = request.details.location.clone();
        let registration = self.registration(request, None).await;
        match self.lanes.submit(location, Command::Plan(registration)).await? {
            Answer::Planned(planned) => Ok(Plan::Known(planned)),
            Answer::FactorTooLarge { largest } => Ok(Plan::FactorTooLarge { largest }),
            other => Err(unexpected("a plan", &other)),
        }
    }
}
