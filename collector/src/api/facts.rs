//! What every page says of the store, asked at most every few seconds: its scopes and the age of its data.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tripline_storage::model::LiveCounts;
use tripline_storage::query;

use super::AppState;

/// How old the answer may be.
const AGE_MAX: Duration = Duration::from_secs(3);

/// What is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Environments, namespaces and clusters.
    pub(crate) scopes: [Vec<String>; 3],
    /// How much is stored, and how old the newest of it is.
    pub(crate) counts: LiveCounts,
    /// The store answered; without that nothing here says that something is not there.
    pub(crate) is_known: bool,
}

/// The last answer; shared by all requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownFacts(Arc<Mutex<Option<(Instant, Facts)>>>);

/// The facts; of a store that does not answer in time, what it said last. A page must not fail for its foot.
pub(crate) async fn facts(state: &AppState) -> Facts {
    let mut known = state.facts.0.lock().await;
    if let Some((at, facts)) = known.as_ref()
        && at.elapsed() < AGE_MAX
    {
        return facts.clone();
    }
    let asked = state
        .ask(|session| {
            Ok(Facts {
                scopes: query::scopes(session)?,
                counts: query::live_counts(session)?,
                is_known: true,
            })
        })
        .await
        .ok();
    let before = known.take().map(|(_, facts)| facts);
    let asked = asked.or(before).unwrap_or_default();
    *known = Some((Instant::now(), asked.clone()));
    asked
}
