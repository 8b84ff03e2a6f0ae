//! Asking the store from an asynchronous handler: off the runtime's threads, bounded in number and time.

use std::time::{Duration, Instant};

use tripline_storage::query::{QueryError, Session};

use super::AppState;
use super::problem::Problem;

/// Longest wait for a turn.
const TURN_MAX: Duration = Duration::from_secs(5);
/// Longest time for one question.
const ANSWER_MAX: Duration = Duration::from_secs(20);

impl AppState {
    /// Asks on a leased reader. The answer of one call is of one moment: questions in it see the same segments.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Session<'_>) -> Result<T, QueryError> + Send + 'static,
    {
        let turn = tokio::time::timeout(
            TURN_MAX,
            std::sync::Arc::clone(&self.questions).acquire_owned(),
        );
        let Ok(Ok(turn)) = turn.await else {
            return Err(Problem::busy());
        };
        let store = std::sync::Arc::clone(&self.store);
        let times = self.times.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let reader = store.reader().map_err(|error| {
                tracing::error!(%error, "no reader");
                Problem::internal()
            })?;
            let started = Instant::now();
            let session = Session::new(&reader).until(started + ANSWER_MAX);
            let answer = question(&session);
            times.question(outcome(&answer), started.elapsed());
            answer.map_err(|error| match error {
                QueryError::Engine(cause) if store.report(&cause) => set_aside(&cause),
                other => Problem::from(other),
            })
        });
        answer.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a question panicked");
            Err(Problem::internal())
        })
    }
}

fn outcome<T>(answer: &Result<T, QueryError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(QueryError::Deadline) => "deadline",
        Err(QueryError::Engine(_)) => "failed",
        Err(_) => "invalid",
    }
}

/// A file turned out to be damaged while it was read: it is out of the set now, and the rest answers.
fn set_aside(cause: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%cause, "a damaged file was set aside");
    Problem::segment_damaged()
}
