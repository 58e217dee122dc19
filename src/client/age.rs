//! What a server of an earlier version does not have.

use reqwest::Method;

use super::{Answer, Client, ClientError};
use crate::wire::plan::PlanRequest;
use crate::wire::problem::Problem;

impl Client {
    /// The answer to a call that only servers with a board know.
    pub(super) async fn of_board(&self, answer: Result<Answer, ClientError>) -> Result<Answer, ClientError> {
        let Err(error) = answer else { return answer };
        let is_old = match &error {
            ClientError::Refused { problem, .. } => is_unknown_path(problem),
            // Below another path, either the URL is wrong or the server is old.
            ClientError::Setup(_) => {
                self.server.path() != "/" && self.send(Method::GET, &["healthz"], |call| call).await.is_ok()
            }
            _ => false,
        };
        Err(if is_old { ClientError::OldServer { lacks: "has no board" } } else { error })
    }
}

/// Why there is no plan: an older server asks for the names that a plan may leave out.
pub(super) fn of_plan(request: &PlanRequest, error: ClientError) -> ClientError {
    let names = [
        ("repo", &request.repo),
        ("lac", &request.lac),
        ("stream", &request.stream),
        ("test", &request.test),
        ("type", &request.r#type),
        ("environment", &request.environment),
        ("triggered_by", &request.triggered_by),
    ];
    let is_left_out = |field: &str| names.iter().any(|(name, value)| *name == field && value.is_none());
    match &error {
        ClientError::Refused { problem, .. } if problem.errors.iter().any(|error| is_left_out(&error.field)) => {
            ClientError::OldServer { lacks: "plans only tests with all their names" }
        }
        _ => error,
    }
}

/// The registry answers, but knows no such call.
pub(super) fn is_unknown_path(problem: &Problem) -> bool {
    problem.status == 404 && problem.detail.starts_with("There is nothing at /")
}
