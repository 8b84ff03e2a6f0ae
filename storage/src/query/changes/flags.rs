//! Feature flags that began to give a service another variant, as its evaluations of them show.
//!
//! OpenTelemetry's conventions have no event for a flag that is switched, only one for each evaluation, which is each
//! request. Two variants that are given side by side (a share of the users, a rollout by region) alternate all the time:
//! that is no switch. A variant counts when it is given for the first time after another one was, and when it comes back
//! after it was gone for much longer than its own share of the evaluations explains.
//!
//! At most about [`EVALUATIONS_MAX`] are read: of more, those whose time's hash says so, one in so many.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use duckdb::params;

use super::super::{QueryError, Session, document};
use crate::ask::{Ask, scope};
use crate::model::{Attributes, Scope, ScopeFilter, TimeRange};
use crate::segment::Segment;

const FLAGS: &str = include_str!("flags.sql");
const FLAG_COUNT: &str = include_str!("flag_count.sql");
/// Evaluations that are read, about.
const EVALUATIONS_MAX: u64 = 10_000;
/// What a flag gave before a range is read this far back, nanoseconds.
const BEFORE_NS: i64 = 30 * 60 * 1_000_000_000;
/// A variant that was not given for so long is a new one, nanoseconds.
const GONE_NS: i64 = 10 * 60 * 1_000_000_000;
/// A variant that stays away for so many times the mean number of evaluations between two of it is a new one: by chance that
/// happens once in a million, e to the minus 14.
const GONE_DISTANCES: u64 = 14;
/// Longest variant that is shown, characters: a value may be a document.
const VARIANT_CHARS_MAX: usize = 100;

const KEY: &str = "feature_flag.key";
const SET: &str = "feature_flag.set.id";
/// What was given; the first that is there. The second is its name until version 1.31, the third of flags without names.
const VARIANTS: [&str; 3] = [
    "feature_flag.result.variant",
    "feature_flag.variant",
    "feature_flag.result.value",
];
/// Why it was given, now and until version 1.31.
const REASONS: [&str; 2] = [
    "feature_flag.result.reason",
    "feature_flag.evaluation.reason",
];
/// The reason of an evaluation that failed and gave a default: nobody switched the flag.
const FAILED: &str = "error";

/// A flag began to give a service another variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct Switch {
    /// When it was first given, nanoseconds.
    pub at: i64,
    /// Where the service is.
    pub scope: Scope,
    /// To whom.
    pub service: String,
    /// Which flag, what it gives, and what it gave.
    pub what: String,
}

impl Switch {
    /// Whether its service may be in this scope: what either does not say is no difference.
    pub(super) fn is_in(&self, asked: &ScopeFilter) -> bool {
        let fits = |asked: &Option<String>, own: &Option<String>| {
            asked.is_none() || own.is_none() || asked == own
        };
        fits(&asked.environment, &self.scope.environment)
            && fits(&asked.service_namespace, &self.scope.service_namespace)
            && fits(&asked.cluster, &self.scope.cluster)
    }
}

/// One flag as one service reads it.
type Flag = (Scope, String, String);

/// What a service was given.
struct Evaluation {
    at: i64,
    flag: Flag,
    variant: String,
}

/// The switches of a range, oldest first.
pub(in crate::query) fn switches(
    session: &Session<'_>,
    range: TimeRange,
) -> Result<Vec<Switch>, QueryError> {
    let (from, to) = (
        range.from_unix_nano.saturating_sub(BEFORE_NS),
        range.to_unix_nano,
    );
    let has_flags =
        |segment: &Segment| segment.may_hold_time(from, to) && !segment.keys("logs").lack(KEY);
    let set = session.set();
    if !set.segments().iter().any(|segment| has_flags(segment)) {
        return Ok(Vec::new());
    }
    let logs = set
        .relation_sql("logs", has_flags)
        .expect("logs is a relation");
    session.run(|conn| {
        let sql = FLAG_COUNT.replace("{logs}", &logs);
        let count: u64 = conn.ask_row(&sql, [from, to], |row| row.get(0))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut question = conn.ask(&FLAGS.replace("{logs}", &logs))?;
        let mut rows = question.query(params![from, to, count.div_ceil(EVALUATIONS_MAX)])?;
        let mut evaluations = Vec::new();
        while let Some(row) = rows.next()? {
            let service: Option<String> = row.get(1)?;
            let text: Option<String> = row.get(5)?;
            let attributes = document::attributes(text.as_deref());
            if let Some((flag, variant)) = given(&attributes) {
                evaluations.push(Evaluation {
                    at: row.get(0)?,
                    flag: (scope(row, 2)?, service.unwrap_or_default(), flag),
                    variant,
                });
            }
        }
        Ok(switched(evaluations, range.from_unix_nano))
    })
}

/// The flag's name and the variant that was given.
fn given(attributes: &Attributes) -> Option<(String, String)> {
    let value = |key: &str| {
        let found = attributes.iter().find(|attribute| attribute.key == key);
        found.map(|attribute| attribute.value.to_string())
    };
    if REASONS
        .iter()
        .any(|key| value(key).as_deref() == Some(FAILED))
    {
        return None;
    }
    let variant: String = VARIANTS.iter().find_map(|key| value(key))?;
    let key = value(KEY)?;
    let flag = match value(SET) {
        Some(set) => format!("{set}/{key}"),
        None => key,
    };
    Some((flag, variant.chars().take(VARIANT_CHARS_MAX).collect()))
}

/// What one flag gave so far.
struct Given {
    evaluations: u64,
    last: String,
    variants: BTreeMap<String, Seen>,
}

/// How often a variant was given, and when last: its time, and how many evaluations there had been.
struct Seen {
    count: u64,
    at: i64,
    number: u64,
}

impl Seen {
    /// Whether it was gone for long, at a time and after so many evaluations.
    fn was_gone(&self, at: i64, number: u64) -> bool {
        let missed = number - self.number - 1;
        at.saturating_sub(self.at) > GONE_NS
            || missed.saturating_mul(self.count) > GONE_DISTANCES.saturating_mul(number)
    }
}

/// The switches in `evaluations`, which are oldest first; those before `since` (nanoseconds) are left out.
fn switched(evaluations: Vec<Evaluation>, since: i64) -> Vec<Switch> {
    let mut flags: BTreeMap<Flag, Given> = BTreeMap::new();
    let mut found = Vec::new();
    for Evaluation { at, flag, variant } in evaluations {
        let given = flags.entry(flag.clone()).or_insert_with(|| Given {
            evaluations: 0,
            last: variant.clone(),
            variants: BTreeMap::new(),
        });
        given.evaluations += 1;
        let number = given.evaluations;
        let is_back = match given.variants.entry(variant.clone()) {
            Entry::Vacant(new) => {
                new.insert(Seen {
                    count: 1,
                    at,
                    number,
                });
                true
            }
            Entry::Occupied(known) => {
                let seen = known.into_mut();
                let was_gone = seen.was_gone(at, number);
                *seen = Seen {
                    count: seen.count + 1,
                    at,
                    number,
                };
                was_gone
            }
        };
        let before = std::mem::replace(&mut given.last, variant);
        if is_back && at >= since && before != given.last {
            let (scope, service, name) = flag;
            found.push(Switch {
                at,
                scope,
                service,
                what: format!("{name}: {} after {before}", given.last),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// What a flag gave, a tenth of a second apart, and what counts as a switch: the place of its evaluation, and what it says.
    fn of(variants: impl IntoIterator<Item = &'static str>) -> Vec<(i64, String)> {
        spaced(SECOND / 10, variants)
    }

    fn spaced(apart: i64, variants: impl IntoIterator<Item = &'static str>) -> Vec<(i64, String)> {
        let evaluations = variants
            .into_iter()
            .zip(0..)
            .map(|(variant, number)| Evaluation {
                at: number * apart,
                flag: (Scope::default(), "shop".to_owned(), "ledger".to_owned()),
                variant: variant.to_owned(),
            });
        switched(evaluations.collect(), 0)
            .into_iter()
            .map(|switch| (switch.at / apart, switch.what))
            .collect()
    }

    fn times(variant: &'static str, count: usize) -> impl Iterator<Item = &'static str> {
        std::iter::repeat_n(variant, count)
    }

    #[test]
    fn a_flag_that_is_switched_on_and_back_changed_twice() {
        let on = (1_000, "ledger: on after off".to_owned());
        let off = (1_300, "ledger: off after on".to_owned());
        let all = times("off", 1_000)
            .chain(times("on", 300))
            .chain(times("off", 50));
        assert_eq!(of(all), [on.clone(), off]);
        // Instances learn of it one after the other: for a while both are given.
        let both = times("off", 1_000).chain(["on", "off", "on", "off", "on", "on", "off"]);
        assert_eq!(of(both.chain(times("on", 500))), [on]);
        assert!(of(times("off", 1_000)).is_empty());
    }

    #[test]
    fn variants_that_are_given_side_by_side_are_no_switches_but_for_the_first() {
        // One in three, and one in a hundred, in no order that repeats.
        for share in [3_u64, 100] {
            let mut state = 1_u64;
            let variants = std::iter::repeat_with(move || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                if (state >> 33).is_multiple_of(share) {
                    "b"
                } else {
                    "a"
                }
            });
            let found = of(variants.take(10_000));
            assert!(found.len() <= 2, "{share}: {found:?}");
        }
    }

    #[test]
    fn a_flag_that_is_read_once_an_hour_changes_whenever_it_gives_another_variant() {
        let found = spaced(3_600 * SECOND, ["off", "off", "on", "off", "off"]);
        let told = [(2, "ledger: on after off"), (3, "ledger: off after on")];
        assert_eq!(found, told.map(|(at, what)| (at, what.to_owned())));
    }
}
