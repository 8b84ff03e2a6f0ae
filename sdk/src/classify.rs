//! What a result says about the peer.

use crate::breaker::Outcome;
use crate::refusal::MaybeRefused;

/// Tells successes from failures.
///
/// Any closure from a result to an [`Outcome`] is one.
///
/// ```
/// use tripline_sdk::{Classify, Outcome};
/// // A 404 is a peer that works; a 503 is not.
/// let by_status = |result: Result<&u16, &std::io::Error>| match result {
///     Ok(status) if *status < 500 => Outcome::Success,
///     _ => Outcome::Failure,
/// };
/// assert_eq!(by_status.classify(Ok(&404)), Outcome::Success);
/// ```
pub trait Classify<T, E> {
    /// What this result counts as.
    fn classify(&self, result: Result<&T, &E>) -> Outcome;
}

impl<T, E, F: Fn(Result<&T, &E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: Result<&T, &E>) -> Outcome {
        self(result)
    }
}

/// Answers are successes, errors are failures, and refusals of the layers inside say nothing about
/// the peer unless it was reached (a timeout).
///
/// ```
/// use tripline_sdk::{Classify, DefaultClassifier, Error, Outcome, Refusal};
/// let full: Result<&(), &Error<()>> = Err(&Error::Refused(Refusal::BulkheadFull));
/// assert_eq!(DefaultClassifier.classify(full), Outcome::Ignore);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultClassifier;

impl<T, E: MaybeRefused> Classify<T, E> for DefaultClassifier {
    fn classify(&self, result: Result<&T, &E>) -> Outcome {
        match result.map_err(MaybeRefused::refusal) {
            Ok(_) => Outcome::Success,
            Err(Some(refusal)) if !refusal.reached_peer() => Outcome::Ignore,
            Err(_) => Outcome::Failure,
        }
    }
}
