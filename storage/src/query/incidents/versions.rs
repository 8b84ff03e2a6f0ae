//! Versions of an incident's services: which appeared near it, and which services name none.
//!
//! Each sealed segment knows when its first span of each sender began, so few spans are read for this. A version appeared when
//! another one of its service had been seen before; one that is seen from the first moment on may be of any age.

use std::collections::{BTreeMap, BTreeSet};

use super::links::Node;
use super::{QueryError, Session, node_text};
use crate::model::{ChangeEvent, Scope, TimeRange};
use crate::rollup::first_bucket;

/// A version; a service may name none.
type Version = Option<String>;

/// The versions of a service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Versions {
    service: String,
    /// When each was first seen, nanoseconds.
    first: BTreeMap<Version, i64>,
}

/// The versions that services were seen with in a range, and since when; none where every service had one and the same all
/// the time.
pub(super) fn versions(
    session: &Session<'_>,
    nodes: &BTreeSet<Node>,
    range: TimeRange,
) -> Result<Vec<Versions>, QueryError> {
    let range = TimeRange {
        from_unix_nano: first_bucket(range),
        ..range
    };
    let nodes: BTreeSet<String> = nodes
        .iter()
        .map(|(scope, service)| node_text(scope, service))
        .collect();
    let node_of = |scope: &Scope, service: &Option<String>| {
        let node = node_text(scope, service.as_deref()?);
        nodes.contains(&node).then_some(node)
    };
    let mut found: BTreeMap<String, Versions> = BTreeMap::new();
    session.run(|conn| {
        let set = session.set();
        // Most services have one version for hours: nothing appears, whenever it was seen.
        if let Some(senders) = set.senders_in(conn, range)? {
            let mut named: BTreeMap<String, BTreeSet<&Version>> = BTreeMap::new();
            for sender in &senders {
                if let Some(node) = node_of(&sender.scope, &sender.service_name) {
                    named
                        .entry(node)
                        .or_default()
                        .insert(&sender.service_version);
                }
            }
            let is_settled = |versions: &BTreeSet<&Version>| {
                versions.len() == 1 && versions.iter().all(|version| version.is_some())
            };
            if named.values().all(is_settled) {
                return Ok(());
            }
        }
        set.each_first_sent(conn, range, |resource, first| {
            let Some(node) = node_of(&resource.scope, &resource.service_name) else {
                return;
            };
            let of = found.entry(node).or_insert_with(|| Versions {
                service: resource.service_name.clone().unwrap_or_default(),
                first: BTreeMap::new(),
            });
            let known = of
                .first
                .entry(resource.service_version.clone())
                .or_insert(first);
            *known = first.min(*known);
        })?;
        Ok(())
    })?;
    Ok(found.into_values().collect())
}

impl Versions {
    /// The service, if it names no version at all.
    pub(super) fn silent(&self) -> Option<&str> {
        let mut versions = self.first.keys();
        versions
            .all(Option::is_none)
            .then_some(self.service.as_str())
    }

    /// Those that appeared at a time or after it.
    pub(super) fn appeared(&self, since: i64) -> Vec<ChangeEvent> {
        let mut seen: Vec<(i64, Option<&str>)> = self
            .first
            .iter()
            .map(|(version, first)| (*first, version.as_deref()))
            .collect();
        seen.sort_unstable();
        let told = |version: Option<&str>| version.unwrap_or("no version").to_owned();
        seen.windows(2)
            .filter_map(|pair| match pair {
                [(_, before), (time, after)] if *time >= since => Some(ChangeEvent {
                    time_unix_nano: *time,
                    kind: "version".to_owned(),
                    service: self.service.clone(),
                    description: format!("{} appeared beside {}", told(*after), told(*before)),
                }),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Ask as _, NONE};
    use crate::fixture::{append, batch, open};
    use crate::ingest::{ResourceRow, Rows, SpanColumns, SpanRow};
    use crate::query::incidents::SECOND;
    use crate::rollup::BUCKET_NS;
    use crate::store::Store;

    /// A round hour.
    const BASE: i64 = 1_699_999_200 * SECOND;
    const KINDS: [&str; 3] = ["server", "internal", "client"];
    /// Service, version, and the seconds it has spans in, one in so many.
    type Ran = (&'static str, Option<&'static str>, [i64; 2], i64);
    const RAN: [Ran; 9] = [
        // A new version, and back to the old one.
        ("pay", Some("1.0"), [0, 3_000], 7),
        ("pay", Some("1.1"), [3_003, 4_398], 7),
        ("pay", Some("1.0"), [4_400, 5_000], 7),
        // Two all the time.
        ("cart", Some("2.0"), [0, 5_000], 13),
        ("cart", Some("2.1"), [5, 5_000], 11),
        ("web", Some("3.0"), [0, 5_000], 17),
        ("mail", None, [0, 5_000], 19),
        ("till", None, [0, 3_200], 23),
        ("till", Some("5.0"), [3_201, 5_000], 23),
    ];

    /// Sends what ran from one second to another.
    fn send(store: &Store, environment: &str, seconds: [i64; 2]) {
        for (at, (service, version, [from, to], step)) in RAN.into_iter().enumerate() {
            let is_sent = |second: &i64| (seconds[0]..seconds[1]).contains(second);
            let all = (from..to).step_by(step as usize);
            let sent: Vec<i64> = all.filter(is_sent).collect();
            if sent.is_empty() {
                continue;
            }
            let mut columns = SpanColumns::default();
            for second in sent {
                // No two spans have one id.
                let start = (BASE + second * SECOND) as u64 + (16 * environment.len() + at) as u64;
                columns.push(&SpanRow {
                    trace_id: u128::from(start).to_be_bytes(),
                    span_id: start.to_be_bytes(),
                    name: "work",
                    kind: KINDS[second as usize % KINDS.len()],
                    start_unix_nano: start,
                    end_unix_nano: start + 1_000,
                    status_code: "unset",
                    attributes: "{}",
                    ..SpanRow::default()
                });
            }
            let resource = ResourceRow {
                environment: Some(environment.to_owned()),
                service_name: Some(service.to_owned()),
                service_version: version.map(str::to_owned),
                attributes: "{}".to_owned(),
                ..ResourceRow::default()
            };
            append(store, batch(vec![resource], Rows::Spans(columns)));
        }
    }

    fn nodes(services: &[&str]) -> BTreeSet<Node> {
        let scope = Scope {
            environment: Some("prod".to_owned()),
            ..Scope::default()
        };
        let nodes = services.iter();
        nodes
            .map(|service| (scope.clone(), (*service).to_owned()))
            .collect()
    }

    /// First spans of a range by service and version, as raw spans have them.
    fn counted(session: &Session<'_>, from: i64, to: i64) -> BTreeMap<(String, Version), i64> {
        let sql = format!(
            "SELECT service_name, service_version, epoch_ns(min(start_time)) FROM spans WHERE environment = 'prod' \
             AND start_time >= make_timestamp_ns({from}) AND start_time < make_timestamp_ns({to}) GROUP BY ALL"
        );
        let read = session.run_over(&["spans"], |conn| {
            let mut question = conn.ask(&sql)?;
            let rows =
                question.query_map(NONE, |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
            let first: duckdb::Result<BTreeMap<(String, Version), i64>> = rows.collect();
            Ok(first?)
        });
        read.expect("spans")
    }

    /// Holds what is kept of segments against raw spans, in ranges that cut them and do not.
    fn check(store: &Store) {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let all = nodes(&["pay", "cart", "web", "mail", "till"]);
        for [from, to] in [
            [0, 6_000],
            [1_000, 6_000],
            [2_995, 4_000],
            [2_500, 4_500],
            [3_210, 3_300],
        ] {
            // Not at the start of a bucket.
            let range = TimeRange {
                from_unix_nano: BASE + from * SECOND + 3,
                to_unix_nano: BASE + to * SECOND,
            };
            let expected = counted(&session, first_bucket(range), range.to_unix_nano);
            let ever = counted(&session, 0, TimeRange::LAST_UNIX_NANO);
            let mut found = BTreeMap::new();
            for of in versions(&session, &all, range).expect("versions") {
                let service = of.service;
                let first = of.first.into_iter();
                found.extend(first.map(|(version, first)| ((service.clone(), version), first)));
            }
            assert!(found.keys().eq(expected.keys()), "{found:?} {expected:?}");
            for (of, first) in found {
                let exact = expected[&of];
                // Who was there before is known by the bucket.
                let is_exact = ever[&of] == exact;
                assert!(
                    first == exact || !is_exact && first < exact && exact - first < BUCKET_NS,
                    "{of:?} {range:?}: {first} and not {exact}"
                );
            }
        }
    }

    #[test]
    fn first_spans_of_versions_are_those_of_raw_spans_hot_and_sealed() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        send(&store, "prod", [0, 2_600]);
        send(&store, "elsewhere", [0, 5_000]);
        check(&store);
        store.seal_now().expect("sealed");
        check(&store);
        send(&store, "prod", [2_600, 4_600]);
        check(&store);
        store.seal_now().expect("sealed");
        // What comes again counts once.
        send(&store, "prod", [2_600, 5_000]);
        check(&store);
        store.seal_now().expect("sealed");
        check(&store);
    }

    #[test]
    fn a_version_appears_beside_another_that_was_there_and_one_alone_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        send(&store, "prod", [0, 5_000]);
        let told = |services: &[&str], from: i64, since: i64| {
            let reader = store.reader().expect("a reader");
            let range = TimeRange {
                from_unix_nano: BASE + from * SECOND,
                to_unix_nano: BASE + 5_000 * SECOND,
            };
            let found = versions(&Session::new(&reader), &nodes(services), range);
            let found = found.expect("versions");
            let silent: Vec<String> = found
                .iter()
                .filter_map(|of| of.silent().map(str::to_owned))
                .collect();
            let appeared = found
                .iter()
                .flat_map(|of| of.appeared(BASE + since * SECOND));
            let appeared: Vec<(String, i64, String)> = appeared
                .map(|change| {
                    let second = (change.time_unix_nano - BASE) / SECOND;
                    (change.service, second, change.description)
                })
                .collect();
            (appeared, silent)
        };
        let row =
            |service: &str, second: i64, what: &str| (service.to_owned(), second, what.to_owned());
        let check = || {
            let all = ["pay", "cart", "web", "mail", "till"];
            assert_eq!(
                told(&all, 1_000, 2_800),
                (
                    vec![
                        row("pay", 3_003, "1.1 appeared beside 1.0"),
                        row("till", 3_201, "5.0 appeared beside no version"),
                    ],
                    vec!["mail".to_owned()]
                )
            );
            // Back to the old one, which had not been there for a while.
            let (back, _) = told(&["pay"], 3_100, 3_200);
            assert_eq!(back, [row("pay", 4_400, "1.0 appeared beside 1.1")]);
            // Of one version alone there is nothing to tell.
            assert_eq!(told(&["web"], 1_000, 2_000), (Vec::new(), Vec::new()));
        };
        check();
        store.seal_now().expect("sealed");
        check();
    }
}
