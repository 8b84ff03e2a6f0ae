//! `settings.jsonl` of a bundle: what breakers were told before its raw rows begin.
//!
//! A service tells its breakers' settings once, at its start, which is weeks before an incident and longer than raw logs
//! are kept; the store remembers what they said. Written are the events that say it again, as OTLP/JSON lines.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Told;
use crate::commands::sql::{self, Row};
use crate::config::Config;

/// The newest settings of each instance before `{from}`, and all from `{earlier}` on: of the breakers with these ids and
/// of those that were told new ones until `{to}`. Only our SDK tells settings.
const TOLD: &str = "SELECT service_name, service_namespace, service_instance_id, service_version, environment, cluster, \
     name, \"key\", peer_service, valid_from_unix_nano::VARCHAR AS valid_from, config_hash, config::VARCHAR AS settings \
     FROM (SELECT *, row_number() OVER (PARTITION BY breaker_id, service_instance_id ORDER BY valid_from DESC) AS nth \
         FROM breaker_config WHERE valid_from_unix_nano < {from} AND origin = 'tripline-sdk' AND (breaker_id IN ({ids}) \
             OR breaker_id IN (SELECT breaker_id FROM breaker_config \
                 WHERE valid_from_unix_nano >= {earlier} AND valid_from_unix_nano < {to}))) \
     WHERE nth = 1 OR valid_from_unix_nano >= {earlier} ORDER BY valid_from";
/// Attributes of the resource, by column.
const RESOURCE: [(&str, &str); 6] = [
    ("service.name", "service_name"),
    ("service.namespace", "service_namespace"),
    ("service.instance.id", "service_instance_id"),
    ("service.version", "service_version"),
    ("deployment.environment.name", "environment"),
    ("k8s.cluster.name", "cluster"),
];
/// Attributes of the event that are no settings, by column.
const EVENT: [(&str, &str); 4] = [
    ("circuit_breaker.name", "name"),
    ("circuit_breaker.key", "key"),
    ("circuit_breaker.config_hash", "config_hash"),
    ("service.peer.name", "peer_service"),
];

/// Writes the file into `dir`; `earlier` is from when on changes matter, nanoseconds since the epoch.
pub(super) fn write(
    config: &Config,
    told: &Told,
    earlier: u64,
    dir: &Path,
    timeout: Duration,
) -> anyhow::Result<()> {
    let is_id = |id: &&String| id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ids: Vec<String> = told
        .breakers
        .iter()
        .filter(is_id)
        .map(|id| format!("'{id}'"))
        .chain(std::iter::once("''".to_owned()))
        .collect();
    let query = TOLD
        .replace("{ids}", &ids.join(", "))
        .replace("{from}", &told.from.to_string())
        .replace("{earlier}", &earlier.to_string())
        .replace("{to}", &told.to.to_string());
    let mut file = fs::File::create(dir.join("settings.jsonl"))?;
    for row in sql::rows(config, &query, Some(timeout))? {
        if let Some(event) = event(&row) {
            writeln!(file, "{event}")?;
        }
    }
    file.sync_all()?;
    Ok(())
}

/// The event that told these settings, as a request of OTLP/JSON.
fn event(row: &Row) -> Option<Value> {
    let text = |column: &str| row.get(column).and_then(Value::as_str);
    let settings: Map<String, Value> = serde_json::from_str(text("settings")?).ok()?;
    let named = |names: &[(&str, &str)]| -> Vec<Value> {
        names
            .iter()
            .filter_map(|(name, column)| {
                Some(json!({"key": name, "value": {"stringValue": text(column)?}}))
            })
            .collect()
    };
    let mut attributes = named(&EVENT);
    attributes.extend(settings.iter().map(|(name, value)| {
        json!({"key": format!("circuit_breaker.{name}"), "value": any_value(value)})
    }));
    Some(json!({"resourceLogs": [{
        "resource": {"attributes": named(&RESOURCE)},
        "scopeLogs": [{
            "scope": {"name": "tripline-sdk"},
            "logRecords": [{
                "timeUnixNano": text("valid_from")?, "eventName": "circuit_breaker.configured", "attributes": attributes,
            }],
        }],
    }]}))
}

/// A setting as OTLP/JSON.
fn any_value(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) => number.as_i64().map_or_else(
            || json!({"doubleValue": number}),
            |whole| json!({"intValue": whole.to_string()}),
        ),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_the_event_that_told_them() {
        let row: Row = serde_json::from_value(json!({
            "service_name": "cart", "service_namespace": null, "service_instance_id": "pod-1", "service_version": null,
            "environment": "prod", "cluster": null, "name": "payment", "key": null, "peer_service": null,
            "valid_from": "1800000000000000000", "config_hash": "abc",
            "settings": r#"{"minimum_calls":20,"open.base_s":2.5,"window.kind":"time","half_open.decide_early":true}"#,
        }))
        .expect("a row");
        let event = event(&row).expect("an event");
        let of_resource = &event["resourceLogs"][0]["resource"]["attributes"];
        assert_eq!(of_resource.as_array().map(Vec::len), Some(3));
        assert_eq!(of_resource[2]["key"], "deployment.environment.name");
        let record = &event["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["timeUnixNano"], "1800000000000000000");
        let value = |name: &str| {
            let attributes = record["attributes"].as_array().expect("a list");
            let found = attributes.iter().find(|one| one["key"] == name);
            found.map(|one| one["value"].clone())
        };
        let whole = value("circuit_breaker.minimum_calls");
        assert_eq!(whole, Some(json!({"intValue": "20"})));
        let seconds = value("circuit_breaker.open.base_s");
        assert_eq!(seconds, Some(json!({"doubleValue": 2.5})));
        let flag = value("circuit_breaker.half_open.decide_early");
        assert_eq!(flag, Some(json!({"boolValue": true})));
        assert_eq!(value("circuit_breaker.key"), None);
    }
}
