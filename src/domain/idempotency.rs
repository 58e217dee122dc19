//! Requests that are sent again after their answer was lost, and get the same answer.

use jiff::SignedDuration;

use super::admission::Command;
use super::answer::Answer;

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

/// The answers that were given to a key for the first time.
pub fn keyed<'batch>(
    commands: &'batch [Command],
    answers: &'batch [Answer],
) -> impl Iterator<Item = (&'batch IdempotencyKey, &'batch Answer)> {
    // A location that is unknown may be known a moment later, and then the same request is to start.
    let is_first =
        |answer: &Answer| !matches!(answer, Answer::Again { .. } | Answer::KeyReused | Answer::UnknownLocation);
    let keyed = move |(command, answer): (&'batch Command, &'batch Answer)| {
        command.key().filter(|_| is_first(answer)).map(|key| (key, answer))
    };
    commands.iter().zip(answers).filter_map(keyed)
}

/// What the first request with a key was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    pub key: IdempotencyKey,
    pub answer: Answer,
}
