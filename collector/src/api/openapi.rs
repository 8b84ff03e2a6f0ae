//! The API's description, written by hand and held to the routes by a test.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_description_has_a_route() {
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let source = include_str!("../api.rs");
        let mut routes: Vec<String> = source
            .split(".route(")
            .skip(1)
            .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
            .filter(|path| !path.starts_with("/api") && !path.contains("{*"))
            .map(str::to_owned)
            .collect();
        routes.sort();
        let mut described: Vec<String> = paths.keys().cloned().collect();
        described.sort();
        assert_eq!(routes, described);
    }

    #[test]
    fn every_member_of_spans_logs_and_points_is_described() {
        use tripline_storage::model::{LogRecord, MetricPoint, SpanRecord};

        let log: LogRecord = serde_json::from_value(serde_json::json!({
            "time_unix_nano": null, "observed_time_unix_nano": 0, "severity_number": 0,
            "attributes": [], "resource_attributes": [],
        }))
        .expect("a record");
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let points = "MetricPoints/properties/series/items/properties/points/items";
        for (schema, members) in [
            ("Span", serde_json::to_value(SpanRecord::default())),
            ("LogRecord", serde_json::to_value(log)),
            (points, serde_json::to_value(MetricPoint::default())),
        ] {
            let described = document.pointer(&format!("/components/schemas/{schema}/properties"));
            let described = described.and_then(Value::as_object).expect(schema);
            let members = members.expect("JSON");
            for name in members.as_object().expect("an object").keys() {
                assert!(described.contains_key(name), "{schema}: {name}");
            }
        }
    }

    #[test]
    fn values_that_json_has_no_numbers_for_are_null_and_described_so() {
        use tripline_storage::model::MetricPoint;

        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let point = MetricPoint {
                value: Some(value),
                ..MetricPoint::default()
            };
            let sent = serde_json::to_value(&point).expect("JSON");
            assert_eq!(sent["value"], Value::Null);
        }
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let point =
            "/components/schemas/MetricPoints/properties/series/items/properties/points/items";
        let described = document.pointer(point).expect("a point");
        let words = described["description"].as_str().unwrap_or_default();
        assert!(
            words.contains("NaN") && words.contains("are null"),
            "{words}"
        );
        assert!(
            described["properties"]["value"]["type"]
                .to_string()
                .contains("null")
        );
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn walk(value: &Value, root: &Value) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("local");
                        assert!(root.pointer(pointer).is_some(), "{reference}");
                    }
                    members.values().for_each(|member| walk(member, root));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, root)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        walk(&document, &document);
    }
}
