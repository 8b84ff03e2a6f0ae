//! Ejections as fractions of hosts: what proxies count, whom logs name, and what stays unknown.

use super::fixture::{Log, Point, Span, append, hot_and_sealed, logs, metrics, now, rows, spans};
use crate::model::{Breaker, BreakersQuery, EjectedHosts, GraphQuery, TimeRange};
use crate::query::{Session, breaker, breakers, graph, how};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;

/// One export of a proxy: hosts of a cluster that are ejected, healthy and there at all.
fn export(store: &Store, instance: &str, cluster: &str, time: u64, hosts: [Option<f64>; 3]) {
    let names = [
        "envoy_cluster_outlier_detection_ejections_active",
        "envoy_cluster_membership_healthy",
        "envoy_cluster_membership_total",
    ];
    let points: Vec<Point<'_>> = names
        .into_iter()
        .zip(hosts)
        .filter_map(|(name, value)| {
            let attributes = format!(r#"{{"envoy_cluster_name":"{cluster}"}}"#);
            Some((name, "gauge", attributes, time, value?))
        })
        .collect();
    append(store, metrics("shop", instance, &points));
}

fn said(store: &Store, host: &str, time: u64, action: &str) {
    let body = format!(
        r#"{{"type":"CONSECUTIVE_5XX","cluster_name":"payment","upstream_url":"{host}","action":"{action}","num_ejections":1,"enforced":true}}"#
    );
    let line = Log {
        time,
        body: Some(&body),
        ..Log::default()
    };
    append(store, logs("shop", "pod-1", &[line]));
}

fn ejections(store: &Store) -> Vec<Breaker> {
    let reader = store.reader().expect("a reader");
    let all = BreakersQuery {
        limit: 100,
        ..BreakersQuery::default()
    };
    let mut found = breakers(&Session::new(&reader), &all)
        .expect("breakers")
        .items;
    found.sort_by(|a, b| (&a.name, &a.key).cmp(&(&b.name, &b.key)));
    found
}

fn one_of(store: &Store, name: &str, key: Option<&str>) -> Breaker {
    let mut found = ejections(store);
    found.retain(|breaker| breaker.name == name && breaker.key.as_deref() == key);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn an_ejection_is_so_many_hosts_of_so_many_and_logs_name_them() {
    let start = now() - 300 * SECOND;
    hot_and_sealed(
        |store| {
            for at in 0..6 {
                let time = start + at * 60 * SECOND;
                let out = if at < 3 { 0.0 } else { 1.0 };
                export(
                    store,
                    "pod-1",
                    "payment",
                    time,
                    [Some(out), Some(11.0), Some(12.0)],
                );
                export(
                    store,
                    "pod-2",
                    "payment",
                    time,
                    [Some(2.0 * out), Some(10.0), Some(12.0)],
                );
                // Nobody looks for outliers there: it has hosts, and is no ejection.
                export(store, "pod-1", "stock", time, [None, Some(3.0), Some(3.0)]);
            }
            said(store, "10.0.0.7:8080", start + 30 * SECOND, "EJECT");
            said(store, "10.0.0.8:8080", start + 20 * SECOND, "EJECT");
            said(store, "10.0.0.8:8080", start + 40 * SECOND, "UNEJECT");
        },
        |store| {
            let all = ejections(store);
            let names: Vec<(&str, Option<&str>)> = all
                .iter()
                .map(|found| (found.name.as_str(), found.key.as_deref()))
                .collect();
            let (seven, eight) = (Some("10.0.0.7:8080"), Some("10.0.0.8:8080"));
            assert_eq!(
                names,
                [("payment", None), ("payment", seven), ("payment", eight)]
            );
            let hosts = EjectedHosts {
                ejected: Some(2),
                healthy: Some(10),
                total: Some(12),
                named: vec!["10.0.0.7:8080".to_owned()],
            };
            for found in &all {
                assert_eq!(found.hosts.as_ref(), Some(&hosts), "{:?}", found.key);
            }
            let reader = store.reader().expect("a reader");
            // Before proxies counted any, while both were out.
            let then = BreakersQuery {
                at_unix_nano: Some(i64::try_from(start + 35 * SECOND).expect("before 2262")),
                limit: 100,
                ..BreakersQuery::default()
            };
            let of_then = breakers(&Session::new(&reader), &then).expect("breakers");
            let hosts_then = EjectedHosts {
                ejected: Some(0),
                healthy: Some(11),
                total: Some(12),
                named: vec!["10.0.0.7:8080".to_owned(), "10.0.0.8:8080".to_owned()],
            };
            assert_eq!(of_then.items.len(), 3);
            for found in &of_then.items {
                assert_eq!(found.hosts.as_ref(), Some(&hosts_then), "{:?}", found.key);
            }
            let detail = breaker(&Session::new(&reader), &all[0].breaker_id)
                .expect("a breaker")
                .expect("that one");
            let counted: Vec<_> = detail
                .instances
                .iter()
                .map(|pod| (pod.hosts_ejected, pod.hosts_total))
                .collect();
            assert_eq!(counted, [(Some(1), Some(12)), (Some(2), Some(12))]);
            let at = |seconds: u64| {
                i64::try_from(start + seconds * SECOND).expect("within the range of time")
            };
            let range = TimeRange {
                from_unix_nano: at(180),
                to_unix_nano: at(241),
            };
            let sql = how::breaker_hosts(&all[0].breaker_id, range);
            let told = rows(
                store,
                &format!(
                    "SELECT service_instance_id, hosts_ejected, hosts_total FROM ({sql}) ORDER BY ALL"
                ),
            );
            assert_eq!(
                told,
                ["pod-1 1 12", "pod-1 1 12", "pod-2 2 12", "pod-2 2 12"]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT service_instance_id, max(hosts_ejected), min(hosts_healthy), max(hosts_total) \
                     FROM breaker_samples WHERE evidence = 'metric' GROUP BY ALL ORDER BY ALL"
                ),
                ["pod-1 1 11 12", "pod-2 2 10 12"]
            );
        },
    );
}

#[test]
fn what_nobody_counts_is_not_known() {
    let start = now() - 60 * SECOND;
    hot_and_sealed(
        |store| {
            // How many hosts there are is not exported.
            export(store, "pod-1", "stock", start, [Some(0.0), None, None]);
            export(
                store,
                "pod-1",
                "stock",
                start + 60 * SECOND,
                [Some(3.0), None, None],
            );
            // Only the log tells of these.
            said(store, "10.0.0.7:8080", start, "EJECT");
        },
        |store| {
            let stock = one_of(store, "stock", None).hosts.expect("hosts");
            assert_eq!((stock.ejected, stock.total), (Some(3), None));
            assert!(stock.named.is_empty());
            let payment = one_of(store, "payment", Some("10.0.0.7:8080"));
            let payment = payment.hosts.expect("hosts");
            assert_eq!((payment.ejected, payment.total), (None, None));
            assert_eq!(payment.named, ["10.0.0.7:8080"]);
        },
    );
}

#[test]
fn who_has_fallen_silent_has_no_hosts_out_that_are_known() {
    let start = now() - 3_600 * SECOND;
    hot_and_sealed(
        |store| {
            for at in 0..6 {
                let time = start + at * 10 * SECOND;
                export(
                    store,
                    "pod-1",
                    "payment",
                    time,
                    [Some(1.0), Some(11.0), Some(12.0)],
                );
            }
        },
        |store| {
            let found = one_of(store, "payment", None);
            assert_eq!(found.state, "stale");
            let hosts = found.hosts.expect("it is an ejection");
            assert_eq!((hosts.ejected, hosts.total), (None, None));
        },
    );
}

#[test]
fn edges_show_the_hosts_that_were_out_at_the_end_of_the_range() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| {
            let call = Span {
                time: start + SECOND,
                peer: Some("payment"),
                number: 1,
                ..Span::default()
            };
            append(store, spans("shop", "pod-1", &[call]));
            for at in 0..30 {
                let time = start + at * 10 * SECOND;
                let out = f64::from(u8::from(at >= 10)) + f64::from(u8::from(at >= 20));
                export(
                    store,
                    "pod-1",
                    "payment",
                    time,
                    [Some(out), Some(12.0 - out), Some(12.0)],
                );
            }
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let at = |seconds: u64| {
                i64::try_from(start + seconds * SECOND).expect("within the range of time")
            };
            for (seconds, out) in [(50, 0), (155, 1), (255, 2)] {
                let query = GraphQuery {
                    range: TimeRange {
                        from_unix_nano: at(0),
                        to_unix_nano: at(seconds),
                    },
                    scope: Default::default(),
                    service: None,
                    edges_max: 10,
                };
                let graph = graph(&session, &query).expect("the graph");
                let found: Vec<_> = graph
                    .edges
                    .iter()
                    .flat_map(|edge| &edge.breakers)
                    .map(|found| {
                        (
                            found.pattern.as_str(),
                            found.hosts_ejected,
                            found.hosts_total,
                        )
                    })
                    .collect();
                assert_eq!(
                    found,
                    [("ejection", Some(out), Some(12))],
                    "after {seconds} s"
                );
            }
        },
    );
}
