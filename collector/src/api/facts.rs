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

impl Facts {
    /// As a page of that moment says them: what came while they were asked for came at that moment. What is later than the
    /// clock that was read after them has a clock of its own, ahead of ours, and stays.
    pub(crate) fn read_at(mut self, now_ns: u64, read_ns: u64) -> Self {
        let [now, read] = [now_ns, read_ns].map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
        for age in &mut self.counts.ages {
            age.newest_unix_nano = age.newest_unix_nano.map(|newest| {
                if newest <= read {
                    newest.min(now)
                } else {
                    newest
                }
            });
        }
        self
    }
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

#[cfg(test)]
mod tests {
    use tripline_storage::model::SignalAge;

    use super::*;

    #[test]
    fn what_comes_while_a_page_is_made_is_not_in_its_future() {
        let of = |newest: Option<i64>| SignalAge {
            newest_unix_nano: newest,
            ..SignalAge::default()
        };
        let facts = Facts {
            counts: LiveCounts {
                ages: [Some(90), Some(106), Some(107), None].map(of).to_vec(),
                ..LiveCounts::default()
            },
            ..Facts::default()
        };
        let seen = facts.read_at(100, 106);
        let newest = seen.counts.ages.iter().map(|age| age.newest_unix_nano);
        let newest: Vec<Option<i64>> = newest.collect();
        assert_eq!(newest, [Some(90), Some(100), Some(107), None]);
    }
}
