//! `--exclusive`: the whole location.

use serde::Deserialize;

use super::millionths;
use super::output::say;
use crate::client::{Answer, ClientError};
use crate::wire::decimal::Decimal;
use crate::wire::register::RegisterRequest;

/// What a plan says of the location.
#[derive(Deserialize)]
struct Planned {
    location: String,
    capacity: Decimal,
}

/// The request for all that the registry would ever give of the location, which it says.
pub fn whole_location(request: RegisterRequest, plan: &Answer) -> Result<RegisterRequest, ClientError> {
    let Planned { location, capacity } = plan.read()?;
    let capacity = capacity.to_string();
    let wrong = || plan.unreadable(&format!("the capacity of {location} is {capacity}"));
    // The sum of the factors stays below the capacity, so the least that there is stays free.
    let factor = millionths::text(millionths::read(&capacity).ok_or_else(wrong)?.saturating_sub(1));
    say(&format!("--exclusive asks for {factor} of {capacity} at {location}"));
    Ok(RegisterRequest { factor: Some(factor), ..request })
}
