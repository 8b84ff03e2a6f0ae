//! How long questions took, and which took longest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tripline_storage::store::Durations;

use super::prometheus::Exposition;

/// The slowest that are remembered.
const SLOWEST_MAX: usize = 10;
/// How long they are.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Characters of a query that are.
const TEXT_CHARS_MAX: usize = 200;

/// A query of people that took long.
#[derive(Debug, Clone)]
pub struct SlowQuery {
    /// Its beginning.
    pub text: String,
    /// `ok`, or why it failed.
    pub outcome: &'static str,
    /// From its start to its last row.
    pub took: Duration,
    /// When it ended.
    pub ended: SystemTime,
}

/// Times by door (`sql`: queries of people; `question`: what pages and API ask) and outcome. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct QueryTimes(Arc<Mutex<Times>>);

#[derive(Debug, Default)]
struct Times {
    by_outcome: BTreeMap<(&'static str, &'static str), Durations>,
    slowest: Vec<SlowQuery>,
}

impl QueryTimes {
    /// A question of a page or the API was answered.
    pub fn question(&self, outcome: &'static str, took: Duration) {
        self.lock().record("question", outcome, took);
    }

    /// A query of people ended.
    pub fn query(&self, text: &str, outcome: &'static str, took: Duration) {
        let mut times = self.lock();
        times.record("sql", outcome, took);
        times.forget();
        times.slowest.push(SlowQuery {
            text: text.chars().take(TEXT_CHARS_MAX).collect(),
            outcome,
            took,
            ended: SystemTime::now(),
        });
        times
            .slowest
            .sort_by_key(|slow| std::cmp::Reverse(slow.took));
        times.slowest.truncate(SLOWEST_MAX);
    }

    /// The slowest queries of people in the last hour, slowest first.
    pub fn slowest(&self) -> Vec<SlowQuery> {
        let mut times = self.lock();
        times.forget();
        times.slowest.clone()
    }

    /// The family `tripline_query_seconds`.
    pub(super) fn write(&self, text: &mut Exposition) {
        let name = "tripline_query_seconds";
        text.family(
            name,
            "histogram",
            "Questions to the store, by door and outcome.",
        );
        for ((door, outcome), durations) in &self.lock().by_outcome {
            super::store_metrics::histogram(
                text,
                name,
                &[("door", door), ("outcome", outcome)],
                durations,
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn record(&mut self, door: &'static str, outcome: &'static str, took: Duration) {
        self.by_outcome
            .entry((door, outcome))
            .or_default()
            .record(took);
    }

    fn forget(&mut self) {
        self.slowest
            .retain(|slow| slow.ended.elapsed().is_ok_and(|age| age < REMEMBERED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_are_remembered_and_all_are_counted() {
        let times = QueryTimes::default();
        for ms in 0..20_u64 {
            times.query(&format!("SELECT {ms}"), "ok", Duration::from_millis(ms));
        }
        times.question("deadline", Duration::from_secs(20));
        let slowest = times.slowest();
        assert_eq!(slowest.len(), SLOWEST_MAX);
        assert_eq!(
            (slowest[0].text.as_str(), slowest[9].text.as_str()),
            ("SELECT 19", "SELECT 10")
        );
        let mut text = Exposition::default();
        times.write(&mut text);
        let text = text.finish();
        for line in [
            "# TYPE tripline_query_seconds histogram",
            "tripline_query_seconds_count{door=\"sql\",outcome=\"ok\"} 20",
            "tripline_query_seconds_bucket{door=\"question\",outcome=\"deadline\",le=\"+Inf\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
