//! Each finding is found where it was sown, and nowhere else.

use super::*;
use crate::ingest::{Batch, LogColumns, LogRow, ResourceRow, Rows, ScopeRow, SpanColumns, SpanRow};
use crate::model::{ScopeFilter, TimeRange};
use crate::store::{Store, StoreConfig};

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Where telemetry is put, and the environment of those who send it.
type Door<'a> = (&'a Store, Option<&'a str>);

fn append((store, environment): Door<'_>, service: &str, instance: &str, rows: Rows) {
    let batch = Batch {
        resources: vec![ResourceRow {
            service_name: Some(service.to_owned()),
            service_instance_id: Some(instance.to_owned()),
            environment: environment.map(str::to_owned),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        }],
        scopes: vec![ScopeRow {
            attributes: "{}".to_owned(),
            ..ScopeRow::default()
        }],
        rows,
        bytes: 1_000,
    };
    futures::executor::block_on(store.append(batch)).expect("stored");
}

/// A call of `caller` that tries `callee` so often; all but the last try fail. The last answers late by `late_ms`.
fn call(
    store: Door<'_>,
    at: u64,
    [caller, callee]: [&'static str; 2],
    tries: u64,
    (late_ms, gave_up): (u64, bool),
) {
    let id = |number: u64| (at + number).to_be_bytes();
    let (mut outer, mut inner) = (SpanColumns::default(), SpanColumns::default());
    let span = |columns: &mut SpanColumns,
                number: u64,
                parent: Option<u64>,
                kind: &'static str,
                from: u64,
                to: u64,
                failed: bool| {
        columns.push(&SpanRow {
            trace_id: u128::from(at).to_be_bytes(),
            span_id: id(number),
            parent_span_id: parent.map(id),
            name: "work",
            kind,
            start_unix_nano: at + from * MS,
            end_unix_nano: at + to * MS,
            status_code: if failed { "error" } else { "unset" },
            attributes: "{}",
            peer: (kind == "client").then_some(callee),
            peer_kind: (kind == "client").then_some("service"),
            ..SpanRow::default()
        });
    };
    span(&mut outer, 0, None, "server", 0, 500, false);
    for attempt in 0..tries {
        let failed = attempt + 1 < tries;
        let from = 10 + attempt * 60;
        span(
            &mut outer,
            1 + attempt,
            Some(0),
            "client",
            from,
            from + 50,
            failed || gave_up,
        );
        span(
            &mut inner,
            100 + attempt,
            Some(1 + attempt),
            "server",
            from + 1,
            from + 49 + late_ms,
            failed,
        );
    }
    append(store, caller, "1", Rows::Spans(outer));
    append(store, callee, "1", Rows::Spans(inner));
}

/// A call of its own parent that fails at once, in no time that its clock can tell.
fn refused(store: Door<'_>, at: u64, [caller, callee]: [&'static str; 2]) {
    let mut columns = SpanColumns::default();
    columns.push(&SpanRow {
        trace_id: u128::from(at).to_be_bytes(),
        span_id: (at + 1).to_be_bytes(),
        parent_span_id: Some(at.to_be_bytes()),
        name: "work",
        kind: "client",
        start_unix_nano: at,
        end_unix_nano: at,
        status_code: "error",
        attributes: "{}",
        peer: Some(callee),
        peer_kind: Some("service"),
        ..SpanRow::default()
    });
    append(store, caller, "1", Rows::Spans(columns));
}

fn event(store: Door<'_>, instance: &str, time: u64, name: &'static str, attributes: &str) {
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: time,
        arrival_unix_nano: time,
        event_name: name,
        attributes,
        ..LogRow::default()
    });
    append(store, "cart", instance, Rows::Logs(logs));
}

/// Ten seconds of calls and four instances of a breaker, with one of each finding.
fn sow(store: Door<'_>, base: u64) {
    for number in 0..10 {
        let at = base + number * S;
        call(store, at, ["gate", "cart"], 1, (0, false));
        call(store, at + 1_000, ["cart", "stock"], 3, (0, false));
        if number < 5 {
            // Sent again, because its exporter heard no answer: that is no attempt.
            call(store, at + 1_000, ["cart", "stock"], 3, (0, false));
        }
        call(store, at + 2_000, ["cart", "price"], 1, (100, true));
        refused(store, at + 4_000, ["cart", "gone"]);
        // It has answered, and tidies up.
        call(store, at + 3_000, ["cart", "audit"], 1, (100, false));
    }
    for (pod, minimum) in [("p1", 10), ("p2", 10), ("p3", 20), ("p4", 20)] {
        let settings = format!(
            r#"{{"circuit_breaker.name":"price","circuit_breaker.config_hash":"{minimum}","circuit_breaker.minimum_calls":{minimum}}}"#
        );
        event(store, pod, base, "circuit_breaker.configured", &settings);
        for (at, from, to) in [(20, "closed", "open"), (25, "open", "half_open")] {
            let change = format!(
                r#"{{"circuit_breaker.name":"price","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}"}}"#
            );
            let late = if pod == "p4" { 5 * S } else { 0 };
            event(
                store,
                pod,
                base + at * S + late,
                "circuit_breaker.state_changed",
                &change,
            );
        }
    }
}

/// Kind, service, subject and value of each.
fn short(found: &[Finding]) -> Vec<(&str, &str, &str, f64)> {
    found
        .iter()
        .map(|f| {
            (
                f.kind.as_str(),
                f.service.as_str(),
                f.subject.as_str(),
                f.value,
            )
        })
        .collect()
}

/// Asks for all that was found of every service between these times.
fn everywhere(base: u64, now: u64) -> FindingsQuery {
    FindingsQuery {
        range: TimeRange {
            from_unix_nano: (base - S) as i64,
            to_unix_nano: now as i64,
        },
        scope: ScopeFilter::default(),
        services: Vec::new(),
        limit: 10,
    }
}

#[test]
fn retries_timeouts_drift_herds_and_gaps_are_found_where_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        data_dir: dir.path().to_owned(),
        threads: 2,
        memory_bytes_max: 256 << 20,
        ..StoreConfig::default()
    })
    .expect("a store");
    let now = u64::try_from(crate::store::now_ns()).expect("after 1970");
    let base = now - 100 * S;
    sow((&store, None), base);
    for _ in 0..2 {
        let reader = store.reader().expect("a reader");
        let query = everywhere(base, now);
        let found = findings(&Session::new(&reader), &query)
            .expect("findings")
            .items;
        assert_eq!(
            short(&found),
            [
                ("retry_amplification", "cart", "stock", 3.0),
                ("timeout_inversion", "cart", "price", 10.0),
                ("settings_drift", "cart", "price", 2.0),
                ("half_open_herd", "cart", "price", 3.0),
                ("no_breaker", "cart", "gone", 10.0),
                ("no_breaker", "cart", "stock", 20.0),
            ]
        );
        // Pages of one list: each says what is missing, and none says anything twice.
        let first = FindingsQuery { limit: 5, ..query };
        let page = findings(&Session::new(&reader), &first).expect("findings");
        assert_eq!((page.truncated, page.total), (true, Some(6)));
        assert_eq!(page.items, found[..5]);
        // The public relation says the same of every edge.
        let factor = |callee: &str| -> (i64, f64) {
            let sql = "SELECT sum(attempts)::BIGINT, sum(attempts) / sum(calls) FROM edge_retries \
                       WHERE caller = 'cart' AND callee = ?";
            reader
                .views()
                .expect("views")
                .query_row(sql, [callee], |row| Ok((row.get(0)?, row.get(1)?)))
                .expect("one row")
        };
        assert_eq!(factor("stock"), (30, 3.0));
        assert_eq!(factor("price"), (10, 1.0));
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

/// A call as gRPC's own instrumentation tells it (gRFC A72): its span, of a name and a kind that differ by language, and
/// under it one of each attempt, without a peer, that says how many came before: as a number, or as text.
fn grpc(
    store: Door<'_>,
    at: u64,
    [caller, name, kind]: [&'static str; 3],
    parent: Option<u64>,
    before: [&str; 3],
) {
    let mut columns = SpanColumns::default();
    let mut push = |number: u64, parent: Option<u64>, name: &str, kind, attributes: &str| {
        columns.push(&SpanRow {
            trace_id: u128::from(at).to_be_bytes(),
            span_id: (at + number).to_be_bytes(),
            parent_span_id: parent.map(u64::to_be_bytes),
            name,
            kind,
            start_unix_nano: at + number * MS,
            end_unix_nano: at + (number + 1) * MS,
            status_code: "unset",
            attributes,
            ..SpanRow::default()
        });
    };
    push(1, parent, name, kind, "{}");
    let method = name.trim_start_matches("Sent.");
    for (number, before) in (2..).zip(before) {
        let attributes =
            format!(r#"{{"previous-rpc-attempts":{before},"transparent-retry":false}}"#);
        let name = format!("Attempt.{method}");
        push(number, Some(at + 1), &name, "internal", &attributes);
    }
    append(store, caller, "1", Rows::Spans(columns));
}

#[test]
fn attempts_that_grpc_tells_under_its_call_are_retries() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = crate::fixture::open(dir.path());
    let now = u64::try_from(crate::store::now_ns()).expect("after 1970");
    // Within one minute.
    let base = (now / (60 * S) - 2) * 60 * S;
    let door = (&store, None);
    for number in 0..10 {
        let at = base + number * S;
        let numbers = ["0", "1", "2"];
        // In Go with a caller and without, and in Java; in Python they are texts.
        let parent = (number % 2 == 0).then_some(at);
        grpc(
            door,
            at,
            ["cart", "shop.Stock.Get", "client"],
            parent,
            numbers,
        );
        let java = ["mail", "Sent.post.Box.Put", "internal"];
        grpc(door, at + 10_000, java, Some(at), numbers);
        let python = ["till", "Sent.bank.Card.Pay", "client"];
        grpc(
            door,
            at + 20_000,
            python,
            Some(at),
            [r#""0""#, r#""1""#, r#""2""#],
        );
        // What is only called so, and says nothing.
        let other = ["desk", "work", "internal"];
        grpc(door, at + 30_000, other, Some(at), [r#""none""#; 3]);
    }
    for _ in 0..2 {
        let reader = store.reader().expect("a reader");
        let query = everywhere(base, now);
        let found = findings(&Session::new(&reader), &query).expect("findings");
        assert_eq!(
            short(&found.items),
            [
                ("retry_amplification", "cart", "shop.Stock.Get", 3.0),
                ("retry_amplification", "mail", "post.Box.Put", 3.0),
                ("retry_amplification", "till", "bank.Card.Pay", 3.0),
            ]
        );
        let sql = "SELECT coalesce(string_agg(concat_ws(' ', caller, callee, attempts, calls, retries), '; ' ORDER BY caller), '') \
                   FROM (SELECT caller, callee, sum(attempts)::BIGINT AS attempts, sum(calls)::BIGINT AS calls, \
                   sum(retries)::BIGINT AS retries FROM edge_retries GROUP BY ALL)";
        let views = reader.views().expect("views");
        let told: String = views.query_row(sql, [], |row| row.get(0)).expect("one row");
        assert_eq!(
            told,
            "cart shop.Stock.Get 30 10 20; mail post.Box.Put 30 10 20; till bank.Card.Pay 30 10 20"
        );
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

#[test]
fn scope_and_service_hold_for_every_kind() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = crate::fixture::open(dir.path());
    let now = u64::try_from(crate::store::now_ns()).expect("after 1970");
    let base = now - 100 * S;
    sow((&store, Some("prod")), base);
    sow((&store, Some("staging")), base + 10_000);
    let reader = store.reader().expect("a reader");
    let asked = |environment: &str, services: &[&str]| {
        let query = FindingsQuery {
            range: TimeRange {
                from_unix_nano: (base - S) as i64,
                to_unix_nano: now as i64,
            },
            scope: ScopeFilter {
                environment: Some(environment.to_owned()),
                ..ScopeFilter::default()
            },
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            limit: 10,
        };
        let page = findings(&Session::new(&reader), &query).expect("findings");
        page.items
    };
    let retries = ("retry_amplification", "cart", "stock", 3.0);
    let timeouts = ("timeout_inversion", "cart", "price", 10.0);
    let drift = ("settings_drift", "cart", "price", 2.0);
    let herd = ("half_open_herd", "cart", "price", 3.0);
    let gone = ("no_breaker", "cart", "gone", 10.0);
    let stock = ("no_breaker", "cart", "stock", 20.0);
    let all = [retries, timeouts, drift, herd, gone, stock];
    assert_eq!(short(&asked("prod", &[])), all);
    assert_eq!(short(&asked("staging", &["cart"])), all);
    assert!(asked("elsewhere", &[]).is_empty());
    // Owners, callers and callees: all that it has to do with.
    assert_eq!(short(&asked("prod", &["stock"])), [retries, stock]);
    assert_eq!(short(&asked("prod", &["price"])), [timeouts, drift, herd]);
    assert_eq!(
        short(&asked("prod", &["gone", "stock"])),
        [retries, gone, stock]
    );
    assert!(asked("prod", &["audit"]).is_empty());
}

#[test]
fn a_call_that_ends_with_the_last_moment_there_is_fails_no_question() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = crate::fixture::open(dir.path());
    for (service, number, kind) in [("cart", 1_u64, "client"), ("stock", 2, "server")] {
        let mut columns = SpanColumns::default();
        columns.push(&SpanRow {
            trace_id: 1_u128.to_be_bytes(),
            span_id: number.to_be_bytes(),
            parent_span_id: (number > 1).then(|| 1_u64.to_be_bytes()),
            name: "work",
            kind,
            start_unix_nano: S,
            end_unix_nano: TimeRange::LAST_UNIX_NANO.unsigned_abs(),
            status_code: "error",
            attributes: "{}",
            ..SpanRow::default()
        });
        append((&store, None), service, "1", Rows::Spans(columns));
    }
    let reader = store.reader().expect("a reader");
    let query = FindingsQuery {
        range: TimeRange {
            from_unix_nano: 0,
            to_unix_nano: TimeRange::LAST_UNIX_NANO,
        },
        scope: Default::default(),
        services: Vec::new(),
        limit: 10,
    };
    findings(&Session::new(&reader), &query).expect("an answer");
}

#[test]
fn kinds_take_turns_so_that_a_cut_list_has_the_strongest_of_each() {
    let of_kind = |kind: &str, named: &[(&str, f64)]| -> Vec<Ranked> {
        named
            .iter()
            .map(|(subject, strength)| Ranked {
                strength: *strength,
                finding: Finding {
                    kind: kind.to_owned(),
                    subject: (*subject).to_owned(),
                    ..Finding::default()
                },
            })
            .collect()
    };
    let kinds = || {
        vec![
            of_kind("a", &[("weak", 1.0), ("strong", 9.0), ("middle", 5.0)]),
            Vec::new(),
            // Equals stand by name, whatever order they were found in.
            of_kind("b", &[("y", 2.0), ("x", 2.0)]),
        ]
    };
    let named = |limit: usize| {
        let page = one_list(kinds(), limit);
        assert_eq!(page.total, Some(5));
        let subjects: Vec<String> = page.items.into_iter().map(|f| f.subject).collect();
        (subjects, page.truncated)
    };
    let all = ["strong", "x", "middle", "y", "weak"];
    for limit in 1..=6 {
        let (subjects, truncated) = named(limit);
        assert_eq!(subjects, all[..limit.min(5)], "{limit}");
        assert_eq!(truncated, limit < 5, "{limit}");
    }
}
