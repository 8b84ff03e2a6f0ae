//! What a driven breaker made its library send, kept as a fixture of its recogniser. `cargo xtask record` asks for it.
//!
//! Of all the server stored a fixture keeps the story of one breaker:
//!
//! * log records of its time that name it or say its library's refusal;
//! * spans of its calls that do, and every failed span of the call that tripped it;
//! * points that name it of the metrics its recogniser reads: no series that is zero all along, and of the exports the
//!   first, the last, and those beside a change.
//!
//! Resources keep what says whose they are. What tells of the machine goes: addresses, ports, processes, paths, all but
//! the first line of a stack trace; exemplars go for their size. Times are shifted to where the other fixtures begin.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_storage::resilience::{RecogniserFile, SHIPPED};

use super::breakers::{Driven, EXPORT, Guarded};
use crate::recognisers;

/// Set by `cargo xtask record`. The variables TRIPLINE_* are settings of the server under test.
const ASKED: &str = "XTASK_RECORD";
/// When the first item of a fixture was.
const BEGINS: u64 = 1_700_000_001_000_000_000;
/// A person reads the difference.
const BYTES_MAX: usize = 60_000;
/// The instruments of one export are stamped one after the other, within this.
const APART_NS: u64 = EXPORT.as_nanos() as u64 / 2;
/// Where every client service listens, on a port of its own.
const ADDRESS: &str = "127.0.0.1";
/// Of a resource, what says whose it is.
const RESOURCE_KEPT: [&str; 3] = ["service.", "deployment.", "telemetry.sdk."];
/// Attributes that tell of the machine.
const OF_THE_MACHINE: [&str; 11] = [
    "client.",
    "code.file",
    "code.stacktrace",
    "container.",
    "host.",
    "net.",
    "network.",
    "os.",
    "process.",
    "server.",
    "thread.",
];
/// The kinds of metrics, by the field that holds their points.
const KINDS: [&str; 5] = [
    "gauge",
    "sum",
    "histogram",
    "exponentialHistogram",
    "summary",
];

/// Where the items of a signal lie in its requests.
struct Signal {
    name: &'static str,
    resources: &'static str,
    scopes: &'static str,
    items: &'static str,
}

static SIGNALS: [Signal; 3] = [
    Signal {
        name: "metrics",
        resources: "resourceMetrics",
        scopes: "scopeMetrics",
        items: "metrics",
    },
    Signal {
        name: "logs",
        resources: "resourceLogs",
        scopes: "scopeLogs",
        items: "logRecords",
    },
    Signal {
        name: "traces",
        resources: "resourceSpans",
        scopes: "scopeSpans",
        items: "spans",
    },
];

/// A log record, a span, or a metric with one point, as `tripline export` writes them.
struct Item {
    resource: Value,
    scope: Value,
    item: Value,
}

/// What belongs to each key, in the order the keys came.
type Grouped<T> = Vec<(Value, T)>;

/// Whether this run writes fixtures.
pub fn is_asked() -> bool {
    std::env::var_os(ASKED).is_some()
}

/// Writes the fixtures of a service's breakers from what its server left.
pub fn write(data_dir: &Path, stories: &[(&Guarded, Driven)]) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let exported = Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(["export", "--data-dir"])
        .args([data_dir, scratch.path()])
        .output()?;
    ensure!(exported.status.success(), "{exported:?}");
    for (guarded, driven) in stories {
        let file = format!("recorded_{}.json", guarded.fixture);
        let text = recognisers::written(&fixture(guarded, driven, scratch.path())?);
        ensure!(text.len() <= BYTES_MAX, "{file}: {} bytes", text.len());
        let told = told_of_the_machine(&text);
        ensure!(told.is_empty(), "{file} names {told:?}");
        std::fs::write(recognisers::directory().join(file), text)?;
    }
    Ok(())
}

fn fixture(guarded: &Guarded, driven: &Driven, exported: &Path) -> Result<Value> {
    let metrics = metrics_read(guarded.origin)?;
    let (from, to) = driven.whole;
    let is_then = |item: &Value| (from..=to).contains(&time(item));
    let is_named = |text: &str| names(text, guarded.breaker);
    let is_said = |text: &str| is_named(text) || text.contains(guarded.refusal);
    let is_of = |span: &Value, trace: &String| span["traceId"] == *trace;
    let mut told: Vec<(&Signal, Vec<Item>)> = Vec::new();
    for signal in &SIGNALS {
        let lines = std::fs::read_to_string(exported.join(format!("{}.jsonl", signal.name)))?;
        let mut items = signal.items(&lines)?;
        items.retain(|Item { item, .. }| match signal.name {
            "metrics" => {
                is_then(item) && is_read(&metrics, item) && any_text(point(item), &is_named)
            }
            "logs" => is_then(item) && any_text(item, &is_said),
            _ => {
                let is_failed = item["status"]["code"] == 2;
                let is_tripping = driven.failing.last().is_some_and(|last| is_of(item, last));
                driven.traces.iter().any(|trace| is_of(item, trace))
                    && (any_text(item, &is_said) || is_failed && is_tripping)
            }
        });
        if signal.name == "metrics" {
            items = thinned(items);
        }
        if !items.is_empty() {
            told.push((signal, items));
        }
    }
    let items = told.iter().flat_map(|(_, items)| items);
    let first = items.map(|item| time(&item.item)).min();
    let first = first.context("nothing of this breaker was sent")?;
    let mut requests = Vec::new();
    for (signal, items) in told {
        let mut request = signal.request(items);
        clean(&mut request, first);
        requests.push(json!({ (signal.name): request }));
    }
    Ok(json!({
        "basis": "recorded",
        "script": "cargo xtask record",
        "library": guarded.library,
        "version": version(guarded.lock, guarded.library)?,
        "recogniser": guarded.origin,
        "says": format!("{}, opened by failing calls and closed again by a probe", guarded.breaker),
        "requests": requests,
    }))
}

/// Folded names of the metrics a recogniser reads.
fn metrics_read(origin: &str) -> Result<Vec<String>> {
    let mut read = Vec::new();
    for (name, text) in SHIPPED {
        let file = RecogniserFile::parse(name, text)?;
        if file.origin == origin {
            read.extend(file.metrics.into_iter().map(|rule| rule.name));
        }
    }
    Ok(read)
}

fn is_read(metrics: &[String], item: &Value) -> bool {
    let name = item["name"].as_str().unwrap_or_default();
    let folded = name.to_lowercase().replace(['.', '-'], "_");
    let folded = folded.trim_end_matches("_total");
    metrics.iter().any(|read| folded.ends_with(read.as_str()))
}

/// Whether a text has the breaker's name as a word, and not as a part of another or of a path.
fn names(text: &str, breaker: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    text.match_indices(breaker).any(|(at, found)| {
        !text[..at].ends_with(is_part) && !text[at + found.len()..].starts_with(is_part)
    })
}

/// Whether any text in a value is such.
fn any_text(value: &Value, is_such: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_such(text),
        Value::Array(parts) => parts.iter().any(|part| any_text(part, is_such)),
        Value::Object(members) => members.values().any(|part| any_text(part, is_such)),
        _ => false,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

/// The one point of a metric; of another item, itself.
fn point(item: &Value) -> &Value {
    let mut points = KINDS.into_iter().map(|kind| &item[kind]["dataPoints"][0]);
    points.find(|point| !point.is_null()).unwrap_or(item)
}

fn points(item: &mut Value) -> Option<&mut Value> {
    let kind = KINDS.into_iter().find(|kind| !item[*kind].is_null())?;
    item[kind].get_mut("dataPoints")
}

fn nanos(value: &Value) -> Option<u64> {
    let time: u64 = value.as_str()?.parse().ok()?;
    (time > 0).then_some(time)
}

/// When an item was.
fn time(item: &Value) -> u64 {
    let point = point(item);
    let known = ["timeUnixNano", "startTimeUnixNano", "observedTimeUnixNano"];
    let time = known.into_iter().find_map(|key| nanos(&point[key]));
    time.unwrap_or(0)
}

impl Signal {
    /// The items in exported lines.
    fn items(&self, lines: &str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for line in lines.lines() {
            let request: Value = serde_json::from_str(line)?;
            for resource in list(&request[self.resources]) {
                for scope in list(&resource[self.scopes]) {
                    items.extend(list(&scope[self.items]).iter().map(|item| Item {
                        resource: reduced(&resource["resource"]),
                        scope: scope["scope"].clone(),
                        item: item.clone(),
                    }));
                }
            }
        }
        Ok(items)
    }

    /// One request of them all: what is decoded together is one sample.
    fn request(&self, items: Vec<Item>) -> Value {
        let mut resources: Grouped<Grouped<Vec<Value>>> = Vec::new();
        for item in items {
            let scopes = entry(&mut resources, item.resource);
            entry(scopes, item.scope).push(item.item);
        }
        let mut out = Vec::new();
        for (resource, scopes) in resources {
            let scopes: Vec<Value> = scopes
                .into_iter()
                .map(|(scope, items)| json!({ "scope": scope, (self.items): joined(items) }))
                .collect();
            out.push(json!({ "resource": resource, (self.scopes): scopes }));
        }
        json!({ (self.resources): out })
    }
}

fn entry<T: Default>(all: &mut Grouped<T>, key: Value) -> &mut T {
    let known = all.iter().position(|(known, _)| *known == key);
    let at = known.unwrap_or(all.len());
    if at == all.len() {
        all.push((key, T::default()));
    }
    &mut all[at].1
}

/// The points of one metric under one head; other items stay as they are.
fn joined(items: Vec<Value>) -> Vec<Value> {
    let mut heads: Grouped<Vec<Value>> = Vec::new();
    for mut item in items {
        let taken = points(&mut item).map(Value::take);
        let all = entry(&mut heads, item);
        if let Some(Value::Array(taken)) = taken {
            all.extend(taken);
        }
    }
    let with_points = |(mut item, all): (Value, Vec<Value>)| {
        if let Some(points) = points(&mut item) {
            *points = all.into();
        }
        item
    };
    heads.into_iter().map(with_points).collect()
}

fn reduced(resource: &Value) -> Value {
    let mut kept = list(&resource["attributes"]).to_vec();
    kept.retain(|attribute| begins(attribute, &RESOURCE_KEPT));
    json!({ "attributes": kept })
}

/// Whether this is an attribute whose key begins with one of these.
fn begins(attribute: &Value, prefixes: &[&str]) -> bool {
    let key = attribute["key"].as_str().unwrap_or_default();
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}

/// Points without series that stay zero and without exports that repeat both their neighbours.
fn thinned(mut items: Vec<Item>) -> Vec<Item> {
    let moving: BTreeSet<String> = items
        .iter()
        .filter(|item| !is_zero(&item.item))
        .map(|item| series(&item.item))
        .collect();
    items.retain(|item| moving.contains(&series(&item.item)));
    items.sort_by_key(|item| time(&item.item));
    let mut exports: Vec<Vec<Item>> = Vec::new();
    let mut began: Option<u64> = None;
    for item in items {
        let at = time(&item.item);
        if began.is_none_or(|began| at - began >= APART_NS) {
            began = Some(at);
            exports.push(Vec::new());
        }
        if let Some(export) = exports.last_mut() {
            export.push(item);
        }
    }
    let contents: Vec<BTreeSet<String>> = exports
        .iter()
        .map(|export| export.iter().map(|item| content(&item.item)).collect())
        .collect();
    let is_kept = |at: usize| {
        let is_outer = at == 0 || at + 1 == contents.len();
        is_outer || contents[at] != contents[at - 1] || contents[at] != contents[at + 1]
    };
    let numbered = exports.into_iter().enumerate();
    let kept = numbered.filter(|(at, _)| is_kept(*at));
    kept.flat_map(|(_, export)| export).collect()
}

fn series(item: &Value) -> String {
    format!("{} {}", item["name"], point(item)["attributes"])
}

/// A series and its value, whenever.
fn content(item: &Value) -> String {
    let mut point = point(item).clone();
    if let Some(members) = point.as_object_mut() {
        members.retain(|key, _| !key.ends_with("UnixNano") && key != "exemplars");
    }
    format!("{} {point}", item["name"])
}

fn is_zero(item: &Value) -> bool {
    let point = point(item);
    let values = ["asInt", "asDouble", "count"].map(|key| &point[key]);
    values.into_iter().all(|value| match value {
        Value::Null => true,
        Value::String(text) => text == "0",
        number => number.as_f64() == Some(0.0),
    })
}

/// Takes out what tells of the machine and moves every time to where fixtures begin.
fn clean(value: &mut Value, first: u64) {
    match value {
        Value::String(text) => *text = anywhere(text),
        Value::Array(parts) => {
            parts.retain(|part| !begins(part, &OF_THE_MACHINE));
            parts.iter_mut().for_each(|part| clean(part, first));
        }
        Value::Object(members) => {
            members.remove("exemplars");
            let key = members.get("key").and_then(Value::as_str);
            if key == Some("exception.stacktrace") {
                let value = members.get("value");
                let stack = value.and_then(|value| value["stringValue"].as_str());
                let line = stack.and_then(|stack| stack.lines().next());
                let line = line.unwrap_or_default().to_owned();
                members.insert("value".to_owned(), json!({ "stringValue": line }));
            }
            for (key, part) in members.iter_mut() {
                match nanos(part).filter(|_| key.ends_with("UnixNano")) {
                    Some(time) => {
                        let shifted = (time + BEGINS).saturating_sub(first);
                        *part = shifted.to_string().into();
                    }
                    None => clean(part, first),
                }
            }
        }
        _ => {}
    }
}

/// A text with its addresses as they could be anywhere.
fn anywhere(text: &str) -> String {
    let mut parts = text.split(ADDRESS);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let port = part.strip_prefix(':');
        let rest = port.map(|port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
        out.push_str("localhost");
        out.push_str(rest.unwrap_or(part));
    }
    out
}

/// Words of a fixture that only this machine would say.
fn told_of_the_machine(text: &str) -> Vec<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut words = vec![ADDRESS, home.as_str(), env!("CARGO_MANIFEST_DIR")];
    words.retain(|word| word.len() > 1 && text.contains(*word));
    if !matches!(host, "" | "localhost") && names(text, host) {
        words.push(host);
    }
    words.into_iter().map(str::to_owned).collect()
}

/// The version at which a lock file, named from `tests/clients`, has a library.
fn version(lock: &str, library: &str) -> Result<String> {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let text = std::fs::read_to_string(clients.join(lock)).with_context(|| lock.to_owned())?;
    let mark = match lock.rsplit('/').next().unwrap_or_default() {
        "go.mod" => format!("{library} v"),
        "pom.xml" => format!("<artifactId>{library}</artifactId>"),
        "package-lock.json" => format!("\"node_modules/{library}\""),
        "requirements.txt" => format!("{library}=="),
        _ => format!("name = \"{library}\"\n"),
    };
    let after = text.split_once(mark.as_str()).map(|(_, after)| after);
    let after = after.with_context(|| format!("{lock} has no {library}"))?;
    let version: String = after
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        .collect();
    ensure!(!version.is_empty(), "{lock} has no version of {library}");
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_named_by_a_word_and_not_by_a_path() {
        for (text, is_named) in [
            ("circuit breaker payments state changed", true),
            ("CircuitBreaker 'payments' is OPEN", true),
            ("shop.payments.execute", true),
            ("payments", true),
            ("payments-kit", false),
            ("/guarded/payments", false),
            ("for url (http://localhost/payments?fail=1)", false),
        ] {
            assert_eq!(names(text, "payments"), is_named, "{text}");
        }
    }

    #[test]
    fn versions_are_read_from_every_kind_of_lock_file() -> Result<()> {
        for (lock, library, major) in [
            ("go/go.mod", "github.com/sony/gobreaker", "1."),
            ("go/go.mod", "github.com/sony/gobreaker/v2", "2."),
            ("java/pom.xml", "hystrix-core", "1."),
            ("node/package-lock.json", "opossum", "9."),
            ("python/requirements.txt", "pybreaker", "1."),
            ("../../Cargo.lock", "tower-resilience-circuitbreaker", "0."),
        ] {
            let version = version(lock, library)?;
            assert!(version.starts_with(major), "{library} {version}");
        }
        Ok(())
    }

    #[test]
    fn exports_beside_a_change_are_kept_and_series_that_stay_zero_are_not() {
        let gauge = |name: &str, second: u64, value: u64| {
            let time = (BEGINS + second * 1_000_000_000).to_string();
            let point = json!({ "timeUnixNano": time, "asInt": value.to_string() });
            Item {
                resource: Value::Null,
                scope: Value::Null,
                item: json!({ "name": name, "gauge": { "dataPoints": [point] } }),
            }
        };
        let values = [0, 0, 0, 1, 1, 1, 0, 0];
        let items = (0..)
            .zip(values)
            .flat_map(|(second, value)| [gauge("open", second, value), gauge("forced", second, 0)]);
        let kept = thinned(items.collect());
        assert!(kept.iter().all(|item| item.item["name"] == "open"));
        let seconds = |item: &Item| (time(&item.item) - BEGINS) / 1_000_000_000;
        let seconds: Vec<u64> = kept.iter().map(seconds).collect();
        assert_eq!(seconds, [0, 2, 3, 5, 6, 7]);
        let request = SIGNALS[0].request(kept);
        let metrics = list(&request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]);
        assert_eq!(metrics.len(), 1);
        assert_eq!(list(&metrics[0]["gauge"]["dataPoints"]).len(), 6);
    }

    #[test]
    fn nothing_tells_of_the_machine_and_times_are_shifted() {
        let mut span = json!({
            "startTimeUnixNano": "1800000000000000005",
            "attributes": [
                { "key": "server.port", "value": { "intValue": "41234" } },
                { "key": "url.full", "value": { "stringValue": "http://127.0.0.1:41234/payments" } },
                { "key": "exception.stacktrace", "value": { "stringValue": "Error: no\n  at x" } },
            ],
        });
        clean(&mut span, 1_800_000_000_000_000_000);
        let expected = json!({
            "startTimeUnixNano": "1700000001000000005",
            "attributes": [
                { "key": "url.full", "value": { "stringValue": "http://localhost/payments" } },
                { "key": "exception.stacktrace", "value": { "stringValue": "Error: no" } },
            ],
        });
        assert_eq!(span, expected);
    }
}
