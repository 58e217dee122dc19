//! `GET /healthz` and `GET /readyz`.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    #[schema(example = "ok")]
    pub status: String,
    pub version: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadinessResponse {
    #[schema(example = "ok")]
    pub status: String,
    pub version: String,
    pub audit: AuditState,
}

/// Whether each location's row says what its executions say, when this server last looked.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditState {
    /// This server has not looked yet.
    Pending,
    Agrees,
    /// A person has to set something right; the log says where.
    Differs,
}
