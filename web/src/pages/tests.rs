//! Pages of made-up data: what a person would read is there, and hostile text stays text.

mod address;
mod apart;
mod beside;
mod clocks;
mod ejection;
mod every_page;
mod first_run;
mod forms;
mod gallery;
mod incident_data;
mod live;
mod metrics;
mod operating;
mod records;
mod silent;
mod ten_states;
mod told;
mod what_if;

use leptos::serde_json::{Value, from_value, json};
use tripline_storage::model::Page;

use super::*;
use crate::document::render;
use crate::links::LinkTemplate;

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "</title></textarea></style><svg onload=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}\u{202e}<!--",
];

const NOW: u64 = 1_795_230_134_000_000_000;

fn frame(path: &str, params: &[(&str, &str)]) -> Frame {
    let params = params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Frame {
        path: path.to_owned(),
        params,
        now_ns: NOW,
        links: vec![
            LinkTemplate {
                name: "Grafana".to_owned(),
                url: "https://grafana.example/?s={service}".to_owned(),
            },
            LinkTemplate {
                name: "Jaeger".to_owned(),
                url: "https://jaeger.example/{trace_id}".to_owned(),
            },
        ],
        ..Frame::default()
    }
}

fn attributes(text: &str) -> Value {
    json!([{"key": text, "value": {"string": text}}, {"key": "http.response.status_code", "value": {"int": 500}}])
}

fn span(id: &str, parent: Option<&str>, text: &str, start: u64, end: u64) -> Value {
    json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": id, "parent_span_id": parent, "trace_state": null,
        "flags": 1, "service_name": text, "service_version": text, "service_instance_id": null, "name": text,
        "kind": "server", "start_time_unix_nano": (NOW + start).to_string(), "end_time_unix_nano": (NOW + end).to_string(),
        "duration_ns": end - start, "status_code": "error", "status_message": text, "attributes": attributes(text),
        "resource_attributes": attributes(text), "scope_name": text, "scope_version": text,
        "events": [{"time_unix_nano": (NOW + start + 5).to_string(), "name": "exception", "attributes": attributes(text), "dropped_attributes_count": 0}],
        "links": [{"trace_id": text, "span_id": text, "trace_state": null, "flags": 0, "attributes": [], "dropped_attributes_count": 0}],
        "dropped_attributes_count": 2, "dropped_events_count": 0, "dropped_links_count": 0, "sidecar": false, "copies": 1})
}

fn log(text: &str) -> Value {
    json!({"time_unix_nano": (NOW + 7).to_string(), "observed_time_unix_nano": 0, "severity_number": 17, "severity_text": text,
        "event_name": text, "body": text, "body_type": "string", "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
        "span_id": "051581bf3cb55c13", "service_name": text, "service_version": null, "service_instance_id": null,
        "scope_name": null, "attributes": attributes(text), "resource_attributes": attributes(text),
        "flags": 0, "dropped_attributes_count": 0})
}

fn summary(text: &str) -> Value {
    let short = json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": "051581bf3cb55c13", "parent_span_id": null,
        "service_name": text, "name": text, "kind": "server", "status_code": "error",
        "start_time_unix_nano": NOW.to_string(), "duration_ns": 1_200_000});
    json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "root": short, "has_root": true, "start_time_unix_nano": NOW.to_string(),
        "duration_ns": 1_200_000, "spans": 12_431, "errors": 3, "services": [text, "cart"], "matched": short})
}

fn read<T: for<'de> serde::Deserialize<'de>>(value: Value) -> T {
    from_value(value).expect("the shape of the model")
}

fn cut<T: for<'de> serde::Deserialize<'de>>(item: &Value) -> Page<T> {
    read(json!({"items": [item], "truncated": true, "total": 12_431, "next": "c&u\"r"}))
}
