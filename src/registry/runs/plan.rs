//! Says what would come of a registration.

use crate::domain::admission::Command;
use crate::domain::answer::{Answer, Planned};
use crate::domain::capacity::factor::Factor;
use crate::domain::capacity::location::UnknownLocation;
use crate::registry::runs::register::unexpected;
use crate::registry::{Registry, RegistryError, Request};

#[derive(Clone, Debug)]
pub enum Plan {
    Known(Planned),
    FactorTooLarge {
        largest: Factor,
    },
    /// The location is new, and only known ones are taken.
    UnknownLocation(UnknownLocation),
}

impl Registry {
    /// Asks the rule, and changes nothing.
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn plan(&self, request: Request) -> Result<Plan, RegistryError> {
        let location = request.details.location.clone();
        let registration = self.registration(request, None).await;
        match (self.lanes.submit(location.clone(), Command::Plan(registration)).await?, location) {
            (Answer::Planned(planned), _) => Ok(Plan::Known(planned)),
            (Answer::FactorTooLarge { largest }, _) => Ok(Plan::FactorTooLarge { largest }),
            (Answer::UnknownLocation, Some(name)) => {
                Ok(Plan::UnknownLocation(self.known_locations.describe(&name).await?))
            }
            (other, _) => Err(unexpected("a plan", &other)),
        }
    }
}
