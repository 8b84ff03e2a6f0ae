//! What the numbers of unknown gauges may mean, from what else was seen while each of them held.
//!
//! Nothing is guessed: a proposal says what it stands on, and counts for nothing until somebody agrees
//! ([`crate::learned`]).

use duckdb::{Connection, Row, params};

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{EncodingOffer, EncodingValue, Encodings, EncodingsQuery, LearnedState};

const SEEN: &str = include_str!("encodings.sql");
const HAS_ANY: &str = "SELECT EXISTS (FROM breaker_samples WHERE evidence = 'metric' AND (state = 'unknown' OR learned) \
     AND \"time\" >= make_timestamp_ns($1) AND \"time\" < make_timestamp_ns($2))";

/// Refused calls among those counted that speak for an open breaker, and that a closed one may have at most.
const REFUSING: f64 = 0.5;
const PASSING: f64 = 0.05;
/// Calls that say something of a share, and of a rate.
const CALLS_MIN: u64 = 10;
const RATE_CALLS_MIN: u64 = 100;
/// Of the usual rate of calls, where hardly any come through.
const FALLEN: f64 = 0.2;

/// The numbers that no recogniser knows, with what they may mean; `learned` is what was said of them.
pub fn encodings(
    session: &Session<'_>,
    query: &EncodingsQuery,
    learned: Vec<LearnedState>,
) -> Result<Encodings, QueryError> {
    let mut offers = Vec::new();
    if session.set().may_have_breakers() {
        offers = session.run_over(&["breaker_samples"], |conn| {
            let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
            if !conn.ask_row(HAS_ANY, params![from, to], |row| row.get::<_, bool>(0))? {
                return Ok(Vec::new());
            }
            seen(session, conn, query)
        })?;
    }
    for offer in &mut offers {
        for value in &mut offer.values {
            value.learned = meaning(&learned, &offer.metric, &offer.service_name, &value.value);
        }
    }
    Ok(Encodings { offers, learned })
}

/// What was said of a number, for the service first.
fn meaning(learned: &[LearnedState], metric: &str, service: &str, value: &str) -> Option<String> {
    let of = |wanted: Option<&str>| {
        learned.iter().find(|known| {
            (known.metric.as_str(), known.value.as_str()) == (metric, value)
                && known.service.as_deref() == wanted
        })
    };
    Some(of(Some(service)).or_else(|| of(None))?.state.clone())
}

fn seen(
    session: &Session<'_>,
    conn: &Connection,
    query: &EncodingsQuery,
) -> Result<Vec<EncodingOffer>, QueryError> {
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let sql = SEEN.replace("{edges}", &session.set().service_edges_sql(from, to));
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(params![from, to], Seen::read)?;
    let seen: Vec<Seen> = rows.collect::<Result<_, _>>()?;
    let is_one =
        |one: &Seen, next: &Seen| (&one.metric, &one.service) == (&next.metric, &next.service);
    Ok(seen
        .chunk_by(is_one)
        .filter(|of_metric| {
            let wanted = query.service.as_ref();
            wanted.is_none_or(|service| *service == of_metric[0].service)
        })
        .map(offer)
        .collect())
}

/// What was seen of one number of a metric of a service.
#[derive(Debug, Clone, Default)]
struct Seen {
    metric: String,
    service: String,
    breakers: u32,
    number: EncodingValue,
    /// How long it usually held at a stretch.
    usual_ns: i64,
    /// How long it held so that whole buckets of calls lie within.
    whole_ns: i64,
    /// The numbers it came after, and that came after it.
    before: Vec<String>,
    after: Vec<String>,
}

impl Seen {
    fn read(row: &Row<'_>) -> duckdb::Result<Self> {
        let numbers = |at: usize| -> duckdb::Result<Vec<String>> {
            let text: Option<String> = row.get(at)?;
            let words = text.unwrap_or_default();
            Ok(words.split_whitespace().map(str::to_owned).collect())
        };
        Ok(Self {
            metric: row.get(0)?,
            service: row.get(1)?,
            breakers: row.get(2)?,
            number: EncodingValue {
                value: row.get(3)?,
                held_ns: row.get(4)?,
                spells: row.get(7)?,
                samples: row.get(8)?,
                refused: row.get(9)?,
                passed: row.get(10)?,
                refusals: row.get(11)?,
                calls: row.get(12)?,
                errors: row.get(13)?,
                ..EncodingValue::default()
            },
            usual_ns: row.get(5)?,
            whole_ns: row.get(6)?,
            before: numbers(14)?,
            after: numbers(15)?,
        })
    }

    /// Refused calls among those the breaker counted.
    fn refused_share(&self) -> Option<f64> {
        let counted = self.number.refused + self.number.passed;
        (counted > 0).then(|| self.number.refused as f64 / counted as f64)
    }

    /// Failed calls among those of the service.
    fn failed_share(&self) -> Option<f64> {
        let calls = self.number.calls;
        (calls >= CALLS_MIN).then(|| self.number.errors as f64 / calls as f64)
    }

    /// Calls a second.
    fn rate(&self) -> Option<f64> {
        (self.whole_ns > 0).then(|| self.number.calls as f64 * 1e9 / self.whole_ns as f64)
    }
}

fn offer(of_metric: &[Seen]) -> EncodingOffer {
    let mut values: Vec<EncodingValue> = of_metric.iter().map(|seen| seen.number.clone()).collect();
    for (at, state, because) in proposals(of_metric) {
        values[at].proposed = Some(state.to_owned());
        values[at].because = Some(because);
    }
    EncodingOffer {
        metric: of_metric[0].metric.clone(),
        service_name: of_metric[0].service.clone(),
        breakers: of_metric[0].breakers,
        values,
    }
}

/// Which number may be which state, and why; at most one number a state.
fn proposals(all: &[Seen]) -> Vec<(usize, &'static str, String)> {
    let commonest = (0..all.len()).max_by_key(|at| all[*at].number.held_ns);
    let open = refusing(all)
        .or_else(|| told(all))
        .or_else(|| failing(all, commonest?));
    let mut found = Vec::new();
    let is_open = |at: usize| open.as_ref().is_some_and(|(open, _)| *open == at);
    let closed = commonest
        .filter(|at| !is_open(*at))
        .and_then(|at| Some((at, passing(all, at)?)));
    if let (Some((open, _)), Some((closed, _))) = (&open, &closed) {
        let (open, closed) = (&all[*open], &all[*closed]);
        let between = all.iter().position(|seen| is_between(seen, open, closed));
        let because = format!("came after {} only, and was short", open.number.value);
        found.extend(between.map(|at| (at, "half_open", because)));
    }
    found.extend(open.map(|(at, because)| (at, "open", because)));
    found.extend(closed.map(|(at, because)| (at, "closed", because)));
    found
}

/// The number while which the breaker's own counters say that most calls were refused.
fn refusing(all: &[Seen]) -> Option<(usize, String)> {
    let shares = all.iter().enumerate().filter_map(|(at, seen)| {
        Some((at, seen.refused_share().filter(|share| *share >= REFUSING)?))
    });
    let (at, share) = shares.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let counted = all[at].number.refused + all[at].number.passed;
    Some((
        at,
        format!(
            "held while {} of {counted} calls were refused",
            percent(share)
        ),
    ))
}

/// The number while which errors told of refused calls, where hardly any did while others held.
fn told(all: &[Seen]) -> Option<(usize, String)> {
    let at = (0..all.len()).max_by_key(|at| all[*at].number.refusals)?;
    let (there, everywhere) = (
        all[at].number.refusals,
        all.iter().map(|seen| seen.number.refusals).sum::<u64>(),
    );
    let is_clear = there > 0 && (everywhere - there) as f64 <= PASSING * everywhere as f64;
    is_clear.then(|| {
        (
            at,
            format!("held when {there} of {everywhere} refused calls were seen"),
        )
    })
}

/// The number while which most calls failed or hardly any were made, unlike while the commonest held.
fn failing(all: &[Seen], commonest: usize) -> Option<(usize, String)> {
    let usual = &all[commonest];
    let mut found = all.iter().enumerate().filter_map(|(at, seen)| {
        if at == commonest {
            return None;
        }
        let (share, usually) = (seen.failed_share(), usual.failed_share().unwrap_or(0.0));
        if let Some(share) = share.filter(|share| *share >= REFUSING && usually < share / 2.0) {
            let calls = seen.number.calls;
            return Some((
                at,
                format!("held while {} of {calls} calls failed", percent(share)),
            ));
        }
        let (rate, usually) = (seen.rate()?, usual.rate()?);
        let is_fallen = usual.number.calls >= RATE_CALLS_MIN && rate < FALLEN * usually;
        is_fallen.then(|| {
            let share = percent(rate / usually);
            (
                at,
                format!("held while calls came at {share} of their usual rate"),
            )
        })
    });
    let first = found.next()?;
    // Two that look alike are told apart by nothing.
    found.next().is_none().then_some(first)
}

/// Why the commonest number is that of a closed breaker, if something says so.
fn passing(all: &[Seen], at: usize) -> Option<String> {
    let seen = &all[at];
    let total: i64 = all.iter().map(|seen| seen.number.held_ns).sum();
    let share = seen.number.held_ns as f64 / total.max(1) as f64;
    let is_refusing = seen.refused_share().is_some_and(|share| share > PASSING);
    let is_failing = seen.failed_share().is_some_and(|share| share >= REFUSING);
    if share <= 0.5 || is_refusing || is_failing {
        return None;
    }
    let through = if seen.number.passed > 0 {
        seen.number.passed
    } else {
        seen.number.calls - seen.number.errors.min(seen.number.calls)
    };
    let held = format!("held {} of the time", percent(share));
    match through {
        0 if all.len() > 1 => Some(held),
        // A breaker that is always open holds one number too.
        0 => None,
        through => Some(format!("{held}, while {through} calls came through")),
    }
}

/// Whether a number comes only after the open one, leads nowhere but there and to the closed one, and is shorter.
fn is_between(seen: &Seen, open: &Seen, closed: &Seen) -> bool {
    let (of_open, of_closed) = (&open.number.value, &closed.number.value);
    let is_other = ![of_open, of_closed].contains(&&seen.number.value);
    is_other
        && seen.before == [of_open.as_str()]
        && !seen.after.is_empty()
        && seen
            .after
            .iter()
            .all(|value| [of_open, of_closed].contains(&value))
        && seen.usual_ns < open.usual_ns
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn number(value: &str, held: i64, (before, after): (&str, &str)) -> Seen {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        Seen {
            number: EncodingValue {
                value: value.to_owned(),
                held_ns: held * SECOND,
                ..EncodingValue::default()
            },
            usual_ns: held * SECOND / 2,
            whole_ns: held * SECOND,
            before: words(before),
            after: words(after),
            ..Seen::default()
        }
    }

    /// Proposed states by number, without their reasons.
    fn proposed(all: &[Seen]) -> Vec<(&str, &'static str)> {
        let mut states: Vec<_> = proposals(all)
            .into_iter()
            .map(|(at, state, _)| (all[at].number.value.as_str(), state))
            .collect();
        states.sort_unstable();
        states
    }

    /// The encoding of gobreaker: closed 0, half-open 1, open 2.
    fn gobreaker() -> [Seen; 3] {
        [
            number("0", 900, ("1", "2")),
            number("1", 2, ("2", "0 2")),
            number("2", 60, ("0 1", "1")),
        ]
    }

    #[test]
    fn counters_tell_open_and_the_order_tells_half_open() {
        let mut all = gobreaker();
        (all[0].number.passed, all[0].number.refused) = (9_000, 3);
        (all[2].number.passed, all[2].number.refused) = (10, 190);
        let states = [("0", "closed"), ("1", "half_open"), ("2", "open")];
        assert_eq!(proposed(&all), states);
        let because: Vec<String> = proposals(&all).into_iter().map(|found| found.2).collect();
        assert_eq!(
            because,
            [
                "came after 2 only, and was short",
                "held while 95 % of 200 calls were refused",
                "held 94 % of the time, while 9000 calls came through"
            ]
        );
    }

    #[test]
    fn errors_of_refused_calls_tell_open_where_they_are_clear() {
        let mut all = gobreaker();
        all[2].number.refusals = 40;
        assert_eq!(proposed(&all)[2], ("2", "open"));
        all[0].number.refusals = 40;
        assert!(proposed(&all).iter().all(|(_, state)| *state != "open"));
    }

    #[test]
    fn calls_that_fail_or_stay_away_tell_open() {
        let mut all = gobreaker();
        (all[0].number.calls, all[0].number.errors) = (9_000, 90);
        all[1].whole_ns = 0;
        (all[2].number.calls, all[2].number.errors) = (20, 19);
        assert_eq!(proposed(&all)[2], ("2", "open"));
        (all[2].number.calls, all[2].number.errors) = (5, 0);
        assert_eq!(proposed(&all)[2], ("2", "open"));
        (all[2].number.calls, all[2].number.errors) = (500, 3);
        assert!(proposed(&all).iter().all(|(_, state)| *state != "open"));
    }

    #[test]
    fn without_anything_to_go_by_nothing_is_proposed() {
        let alone = [number("1", 900, ("", ""))];
        assert!(proposed(&alone).is_empty());
        let mut refusing = alone.clone();
        refusing[0].number.refused = 7;
        assert_eq!(proposed(&refusing), [("1", "open")]);
        // Two numbers that held as long as each other.
        let even = [number("0", 100, ("1", "1")), number("1", 100, ("0", "0"))];
        assert!(proposed(&even).is_empty());
    }

    #[test]
    fn what_was_said_for_a_service_counts_before_what_was_said_for_any() {
        let said = |service: Option<&str>, state: &str| LearnedState {
            metric: "m".to_owned(),
            service: service.map(str::to_owned),
            value: "1".to_owned(),
            state: state.to_owned(),
            learned_unix_nano: 0,
        };
        let learned = [said(None, "open"), said(Some("cart"), "closed")];
        let of = |service: &str, value: &str| meaning(&learned, "m", service, value);
        assert_eq!(of("cart", "1").as_deref(), Some("closed"));
        assert_eq!(of("shop", "1").as_deref(), Some("open"));
        assert_eq!(of("shop", "2"), None);
    }
}
