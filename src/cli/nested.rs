//! A run inside of another one, which would wait for a share that the outer one holds until the inner one has ended.

use serde::Deserialize;

use super::{millionths, variables};
use crate::client::{Answer, ClientError};
use crate::wire::decimal::Decimal;
use crate::wire::execution::ExecutionStatus;
use crate::wire::register::RegisterRequest;

/// The run in whose command this process runs, and what it holds.
#[derive(Debug, Deserialize)]
pub struct OuterRun {
    run_id: i64,
    status: ExecutionStatus,
    location: Option<String>,
    factor: Option<Decimal>,
    fence: Option<i64>,
}

/// The outer run, if it holds something of the location that the request asks for; `find` asks the registry for it.
///
/// # Errors
/// If the registry cannot be asked. A run that it does not know is no outer run.
pub async fn outer_run(
    request: &RegisterRequest,
    find: impl AsyncFnOnce(i64) -> Result<Answer, ClientError>,
) -> Result<Option<OuterRun>, ClientError> {
    let Some(run_id) = variables::text("PERFREG_RUN_ID").and_then(|text| text.parse().ok()) else {
        return Ok(None);
    };
    let outer: OuterRun = match find(run_id).await {
        Ok(answer) => answer.read()?,
        Err(ClientError::Refused { problem, .. }) if problem.status < 500 => return Ok(None),
        Err(error) => return Err(error),
    };
    let fence = variables::text("PERFREG_FENCE");
    Ok(outer.holds_for(request, fence.as_deref()).then_some(outer))
}

impl OuterRun {
    /// A run of another registry may have the same number, but hardly the same location and fence as well.
    fn holds_for(&self, request: &RegisterRequest, fence: Option<&str>) -> bool {
        let is_same = fence.is_none_or(|fence| self.fence.is_some_and(|own| own.to_string() == fence));
        let wanted = request.location.as_deref().map(str::trim);
        let is_there =
            self.status == ExecutionStatus::Running && wanted.is_some() && wanted == self.location.as_deref();
        // What is wrong with a factor is for the registry to say.
        is_same && is_there && wanted_millionths(request).is_some()
    }

    pub const fn run_id(&self) -> i64 {
        self.run_id
    }

    /// Whether the share is large enough for what the request asks for.
    pub fn covers(&self, request: &RegisterRequest) -> bool {
        wanted_millionths(request) <= millionths::read(&self.share())
    }

    /// Whether there is no room for the request for as long as the outer run holds its share, so that to wait for it
    /// would never end.
    pub fn leaves_no_room(&self, request: &RegisterRequest, capacity: &Decimal) -> bool {
        let [share, capacity] = [&self.share(), &capacity.to_string()].map(|text| millionths::read(text));
        let needed = share.zip(wanted_millionths(request)).map(|(share, wanted)| share.saturating_add(wanted));
        needed >= capacity
    }

    /// What is said of a command that runs under the outer run's share.
    pub fn covered(&self) -> String {
        let (run_id, share, place) = (self.run_id, self.share(), self.place());
        format!("run {run_id} holds {share} at {place} already; the command runs under its share")
    }

    /// Why a request that is not covered is refused, and what to do.
    pub fn refusal(&self) -> String {
        let (run_id, share, place) = (self.run_id, self.share(), self.place());
        format!(
            "run {run_id} holds {share} at {place}, and this is inside of it, so to wait for room would never end; \
             give the outer perfreg run the factor that both need, or take perfreg out of its command"
        )
    }

    fn share(&self) -> String {
        self.factor.as_ref().map_or_else(|| "0".to_owned(), ToString::to_string)
    }

    fn place(&self) -> &str {
        self.location.as_deref().unwrap_or_default()
    }
}

fn wanted_millionths(request: &RegisterRequest) -> Option<u64> {
    request.factor.as_deref().map_or(Some(0), millionths::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer() -> OuterRun {
        OuterRun {
            run_id: 5,
            status: ExecutionStatus::Running,
            location: Some("nest".to_owned()),
            factor: Some(Decimal::new("0.6".to_owned())),
            fence: Some(7),
        }
    }

    #[test]
    fn a_run_is_the_outer_one_only_while_it_holds_the_same_location() {
        let half = RegisterRequest::example(Some("nest"), Some("0.5"));
        assert!(outer().holds_for(&half, Some("7")) && outer().holds_for(&half, None));
        assert!(!outer().holds_for(&half, Some("8")), "a run of another registry has another fence");
        for other in [
            RegisterRequest::example(Some("nets"), Some("0.5")),
            RegisterRequest::example(None, Some("0.5")),
            RegisterRequest::example(Some("nest"), Some("much")),
        ] {
            assert!(!outer().holds_for(&other, Some("7")), "{other:?}");
        }
        assert!(!OuterRun { status: ExecutionStatus::Success, ..outer() }.holds_for(&half, Some("7")));
    }

    #[test]
    fn a_share_covers_what_is_no_larger() {
        for (factor, is_covered) in
            [(None, true), (Some("0.6"), true), (Some("6e-1"), true), (Some("0.600001"), false), (Some("10"), false)]
        {
            assert_eq!(outer().covers(&RegisterRequest::example(Some("nest"), factor)), is_covered, "{factor:?}");
        }
    }
}
