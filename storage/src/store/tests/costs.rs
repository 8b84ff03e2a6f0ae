//! What storing costs: CPU of this process a span, printed. Run by hand: `cargo test -p tripline-storage --lib
//! costs -- --ignored --nocapture`.

use std::time::Instant;

use super::fixture::{config, number, resource, scope, trace};
use crate::ingest::{Batch, Rows, SpanColumns, SpanRow};
use crate::store::{Store, now_ns};

/// Fourteen attributes, 370 bytes, as an instrumented HTTP server sends them.
fn attributes(number: u64) -> String {
    format!(
        r#"{{"http.request.method":"GET","http.route":"/api/v{}/items/{{id}}","url.path":"/api/v1/items/{}","url.scheme":"https","server.address":"host-{}.internal","server.port":{},"http.response.status_code":200,"network.protocol.version":"1.1","user_agent.original":"Mozilla/5.0 (X11; Linux x86_64) something/{}","client.address":"10.0.{}.{}","thread.id":{},"thread.name":"worker-{}","enduser.id":"user-{}","code.function.name":"handler_{}"}}"#,
        number % 7,
        number.wrapping_mul(2_654_435_761) % 1_000_000,
        number % 20,
        8_080 + number % 3,
        number % 50,
        number % 255,
        number / 7 % 255,
        number % 64,
        number % 64,
        number.wrapping_mul(40_503) % 100_000,
        number % 30
    )
}

fn batch(from: u64) -> Batch {
    let mut columns = SpanColumns::default();
    let now = u64::try_from(now_ns()).expect("after 1970");
    for number in from..from + 512 {
        let in_trace = number % 8;
        let attributes = attributes(number);
        columns.push(&SpanRow {
            resource: u32::try_from(number % 20).expect("small"),
            trace_id: trace(number / 8),
            span_id: number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(),
            parent_span_id: (in_trace > 0).then(|| {
                (number - 1)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_be_bytes()
            }),
            name: "GET /api/v1/items/{id}",
            kind: if in_trace.is_multiple_of(2) {
                "server"
            } else {
                "client"
            },
            start_unix_nano: now + number,
            end_unix_nano: now + number + 1_000_000 + number % 1_000_000,
            status_code: "unset",
            attributes: &attributes,
            ..SpanRow::default()
        });
    }
    let resources = (0..20)
        .map(|service| resource(&format!("service-{service}")))
        .collect();
    Batch {
        resources,
        scopes: vec![scope()],
        rows: Rows::Spans(columns),
        bytes: 512 * 520,
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("a name in brackets")
        .split_whitespace()
        .collect();
    let ticks: u64 =
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    ticks as f64 / 100.0
}

#[test]
#[ignore = "a measurement"]
fn costs_of_a_span() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    let spans = 512 * 230;
    let batches: Vec<Batch> = (0..230).map(|number| batch(number * 512)).collect();
    let per_span = |since: f64| (cpu() - since) * 1e6 / f64::from(spans);
    let (started, since) = (Instant::now(), cpu());
    futures::executor::block_on(async {
        for group in
            batches
                .into_iter()
                .fold(vec![Vec::new()], |mut groups: Vec<Vec<Batch>>, batch| {
                    if groups.last().is_some_and(|group| group.len() == 20) {
                        groups.push(Vec::new());
                    }
                    groups.last_mut().expect("one").push(batch);
                    groups
                })
        {
            let answers =
                futures::future::join_all(group.into_iter().map(|batch| store.append(batch))).await;
            assert!(answers.iter().all(Result::is_ok));
        }
    });
    println!(
        "append: {:.2} us CPU a span, {:?}",
        per_span(since),
        started.elapsed()
    );
    println!("commits: {:?}", store.stats().commits);
    let (started, since) = (Instant::now(), cpu());
    store.seal_now().expect("sealed");
    println!(
        "seal: {:.2} us CPU a span, {:?}",
        per_span(since),
        started.elapsed()
    );
    let bytes = store.stats().disk_bytes;
    println!("disk: {:.1} B a span", bytes as f64 / f64::from(spans));
    let id = super::fixture::hex(&trace(77));
    let started = Instant::now();
    assert_eq!(
        number(
            &store,
            &format!("SELECT count(attributes) FROM spans WHERE trace_id = '{id}'")
        ),
        8
    );
    println!("trace by id: {:?}", started.elapsed());
}
