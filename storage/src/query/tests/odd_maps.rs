//! Maps whose keys differ only in case, which DuckDB 2.0.0 turns into no text, where questions ask for text.

use super::*;
use crate::ingest::HistogramPointRow;
use crate::model::ChangesQuery;
use crate::query::{CHANGE_EVENT, changes};

const ODD: &str = r#"{"Aa":1,"aA":2}"#;
const METRIC: &str = "http.server.request.duration";

/// Attributes of these keys, each with such a map.
fn odd(keys: &[&str]) -> String {
    let members: Vec<String> = keys.iter().map(|key| format!(r#""{key}":{ODD}"#)).collect();
    format!("{{{}}}", members.join(","))
}

/// A failed client span, a change and a stream of requests, all with such maps.
fn tell(store: &Store) {
    let attributes = odd(&["error.type", "http.request.resend_count"]);
    let mut columns = SpanColumns::default();
    columns.push(&SpanRow {
        trace_id: 1_u128.to_be_bytes(),
        span_id: 2_u64.to_be_bytes(),
        parent_span_id: Some(1_u64.to_be_bytes()),
        name: "GET /",
        kind: "client",
        start_unix_nano: BASE,
        end_unix_nano: BASE + 1_000,
        status_code: "error",
        attributes: &attributes,
        ..SpanRow::default()
    });
    append(store, "shop", Rows::Spans(columns));
    let attributes = odd(&["change.kind", "change.service", "change.description"]);
    let mut columns = LogColumns::default();
    columns.push(&LogRow {
        time_unix_nano: BASE,
        event_name: CHANGE_EVENT,
        attributes: &attributes,
        ..LogRow::default()
    });
    append(store, "shop", Rows::Logs(columns));
    let mut columns = MetricColumns::default();
    columns.series.push(SeriesRow {
        name: METRIC.to_owned(),
        unit: "s".to_owned(),
        kind: "histogram",
        temporality: Some("cumulative".to_owned()),
        attributes: odd(&[
            "error.type",
            "http.response.status_code",
            "rpc.grpc.status_code",
        ]),
        ..SeriesRow::default()
    });
    columns.push_histogram(&HistogramPointRow {
        series: 0,
        time_unix_nano: BASE,
        count: 3,
        ..HistogramPointRow::default()
    });
    append(store, "shop", Rows::Metrics(columns));
}

#[test]
fn they_stop_no_question_and_are_their_json_where_text_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    tell(&store);
    for form in ["hot", "sealed"] {
        if form == "sealed" {
            store.seal_now().expect("sealed");
        }
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let text = |sql: &str| -> String {
            reader
                .views()
                .expect("views")
                .query_row(sql, [], |row| row.get(0))
                .unwrap_or_else(|error| panic!("{form}: {sql}: {error}"))
        };
        let calls = reader.segments().calls_sql(&["error.type"], |_| true);
        assert_eq!(text(&format!(r#"SELECT "error.type" FROM ({calls})"#)), ODD);
        assert_eq!(
            text("SELECT concat_ws(' ', attempts, retries) FROM edge_retries"),
            "1 0",
            "{form}"
        );
        let [streams, _] = reader
            .segments()
            .request_points_sql(|_| true)
            .expect("points");
        let streams = streams.replace("{names}", &format!("'{METRIC}'"));
        assert_eq!(
            text(&format!(
                "SELECT concat_ws(' ', http_status, rpc_status, error_type) FROM ({streams})"
            )),
            [ODD; 3].join(" "),
            "{form}"
        );
        let question = ChangesQuery {
            range: RANGE,
            scope: Scope::default(),
            service: None,
            limit: 10,
        };
        let told = changes(&session, &question).expect(form).items;
        assert_eq!(told.len(), 1, "{form}");
        assert_eq!(told[0].kind, ODD, "{form}");
        let failed_with = |value: AttributeValue| {
            let question = TraceQuery {
                attributes: vec![AttributeFilter {
                    key: "error.type".to_owned(),
                    value,
                }],
                limit: 10,
                ..TraceQuery::default()
            };
            spans(&session, &question).expect(form).items.len()
        };
        assert_eq!(failed_with(AttributeValue::Int(1)), 0, "{form}");
    }
}
