//! How the calls of an incident did before, during and after it: the edges between its services, and its entry points.
//!
//! All of it is sums of roll-ups: whole buckets of ten seconds, whose histograms give the quantiles. What belongs to the
//! incident begins where [`super::windows`] has it begin, with the window of the breaker that tripped first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::{Connection, params};

use super::links::Node;
use super::windows::{BEFORE_NS, begins};
use super::{QueryError, SECOND, Session, end, entries_text, entry_text};
use crate::ask::Ask;
use crate::model::{BeforeAfter, Course, EntryPoint, Incident, Phase, TimeRange};
use crate::rollup::{BUCKET_NS, EdgeCalls, Totals};

const ENTRY_COURSES: &str = include_str!("entry_courses.sql");
/// What comes after is measured over so long.
const AFTER_NS: i64 = BEFORE_NS;
/// The beginning of a longer incident stands for it, as it does for who is hurt.
const LENGTH_MAX_NS: i64 = 3600 * SECOND;
/// Entry points looked at, those most hurt first.
const ENTRIES_MAX: usize = 50;

/// Sums before, during and after.
type Phases = [Totals; 3];

/// The calls between `nodes`, and the requests at the entry points.
pub(super) fn before_after(
    session: &Session<'_>,
    incident: &Incident,
    nodes: &BTreeSet<Node>,
    entries: &[EntryPoint],
    now: i64,
) -> Result<BeforeAfter, QueryError> {
    let times = times(incident, now);
    let entries = &entries[..entries.len().min(ENTRIES_MAX)];
    let has_after = times[2].to_unix_nano > times[2].from_unix_nano;
    let courses = session.run(|conn| {
        let mut edges = of_edges(session, conn, nodes, &times)?;
        edges.sort_by(busiest_first);
        let mut requests = of_entries(session, conn, entries, &times)?;
        requests.sort_by(busiest_first);
        edges.append(&mut requests);
        Ok(edges)
    })?;
    let courses = courses
        .into_iter()
        .map(|course| Course {
            after: course.after.filter(|_| has_after),
            ..course
        })
        .collect();
    let [before, during, after] = times;
    Ok(BeforeAfter {
        before: Some(before),
        during: Some(during),
        after: has_after.then_some(after),
        courses,
    })
}

/// The times that are compared, one after the other in whole buckets; the last is empty while the incident lasts.
fn times(incident: &Incident, now: i64) -> [TimeRange; 3] {
    let from = begins(incident);
    let over = end(incident, now).min(incident.start_unix_nano + LENGTH_MAX_NS);
    let to = (over.div_euclid(BUCKET_NS) + 1) * BUCKET_NS;
    let is_cut = end(incident, now) > over;
    let after = match incident.end_unix_nano {
        Some(_) if !is_cut => (to + AFTER_NS).min(now).max(to),
        _ => to,
    };
    let range = |from_unix_nano, to_unix_nano| TimeRange {
        from_unix_nano,
        to_unix_nano,
    };
    [
        range(from - BEFORE_NS, from),
        range(from, to),
        range(to, after),
    ]
}

fn busiest_first(a: &Course, b: &Course) -> std::cmp::Ordering {
    let names = |course: &Course| {
        (
            course.service.clone(),
            course.peer.clone(),
            course.operation.clone(),
        )
    };
    let by_calls = b.during.weight.total_cmp(&a.during.weight);
    by_calls.then_with(|| names(a).cmp(&names(b)))
}

fn of_edges(
    session: &Session<'_>,
    conn: &Connection,
    nodes: &BTreeSet<Node>,
    times: &[TimeRange; 3],
) -> Result<Vec<Course>, QueryError> {
    let is_between = |of: &EdgeCalls| nodes.contains(&of.caller) && nodes.contains(&of.callee);
    let mut edges: BTreeMap<(Node, Node), Phases> = BTreeMap::new();
    for (phase, range) in times.iter().enumerate() {
        // A range that ends where it begins would have the bucket it begins in.
        if range.to_unix_nano <= range.from_unix_nano {
            continue;
        }
        for sum in session.set().edge_sums(conn, *range, is_between)? {
            let edge = edges.entry((sum.of.caller, sum.of.callee)).or_default();
            edge[phase].merge(&sum.totals);
        }
    }
    let courses = edges.into_iter().map(|((caller, callee), phases)| Course {
        scope: caller.0,
        service: caller.1,
        peer: Some(callee.1),
        ..course(&phases)
    });
    Ok(courses.collect())
}

fn of_entries(
    session: &Session<'_>,
    conn: &Connection,
    entries: &[EntryPoint],
    times: &[TimeRange; 3],
) -> Result<Vec<Course>, QueryError> {
    let [before, during, after] = times;
    let red = session
        .set()
        .red_sql(before.from_unix_nano, after.to_unix_nano);
    let mut statement = conn.ask(&ENTRY_COURSES.replace("{red}", &red))?;
    let mut rows = statement.query(params![
        entries_text(entries),
        before.from_unix_nano,
        during.from_unix_nano,
        during.to_unix_nano,
        after.to_unix_nano
    ])?;
    let mut found: HashMap<String, Phases> = HashMap::new();
    while let Some(row) = rows.next()? {
        let phases = found.entry(row.get(0)?).or_default();
        let totals = &mut phases[usize::from(row.get::<_, u8>(1)?).min(2)];
        match row.get::<_, Option<u16>>(2)? {
            Some(bucket) => totals.add_bucket(bucket, row.get(3)?),
            None => {
                let (weight, error_weight) = (row.get(5)?, row.get(6)?);
                totals.add_counts(row.get(3)?, row.get(4)?, weight, error_weight, "all");
            }
        }
    }
    let courses = entries.iter().filter_map(|entry| {
        let phases = found.get(&entry_text(entry))?;
        Some(Course {
            scope: entry.scope.clone(),
            service: entry.service.clone(),
            operation: Some(entry.name.clone()),
            ..course(phases)
        })
    });
    Ok(courses.collect())
}

/// A course of nobody yet.
fn course(phases: &Phases) -> Course {
    let [before, during, after] = phases.each_ref().map(|totals| Phase {
        calls: totals.calls,
        errors: totals.errors,
        weight: totals.weight,
        error_weight: totals.error_weight,
        latency: totals.latency(),
    });
    Course {
        before,
        during,
        after: Some(after),
        ..Course::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(incident: &Incident, now: i64) -> [(i64, i64); 3] {
        times(incident, now * SECOND).map(|range| {
            let [from, to] = [range.from_unix_nano, range.to_unix_nano];
            (from / SECOND, to / SECOND)
        })
    }

    #[test]
    fn what_is_compared_are_whole_buckets_one_after_the_other() {
        let mut incident = Incident {
            start_unix_nano: 1_006 * SECOND,
            ..Incident::default()
        };
        // While it lasts there is nothing after it.
        assert_eq!(
            seconds(&incident, 1_015),
            [(680, 980), (980, 1_020), (1_020, 1_020)]
        );
        incident.end_unix_nano = Some(1_034 * SECOND);
        assert_eq!(
            seconds(&incident, 1_100),
            [(680, 980), (980, 1_040), (1_040, 1_100)]
        );
        assert_eq!(seconds(&incident, 9_000)[2], (1_040, 1_340));
        // It ended within the bucket that is now.
        assert_eq!(seconds(&incident, 1_035)[2], (1_040, 1_040));
        // Of a long one the first hour: what came after that was no time after it.
        incident.end_unix_nano = Some(20_000 * SECOND);
        assert_eq!(
            seconds(&incident, 30_000)[1..],
            [(980, 4_610), (4_610, 4_610)]
        );
    }
}
