//! Requests that are sent again after their answer was lost, and get the same answer.

use jiff::SignedDuration;

/// How long a first answer is kept.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a client says two requests have in common if they are the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Of the key; the key itself is half of what a lease's secret is made of.
    pub hash: String,
    /// Of the whole request, which has to be the same as well.
    pub request_hash: String,
    /// The other half of the secret, drawn when the key was first used.
    pub salt: String,
}
