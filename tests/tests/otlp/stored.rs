//! What only the store can show: the receivers before the real one, read back in SQL.

use std::sync::Arc;

use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tripline_collector::receive::{Listener, ReceiveConfig, Receiver, Sink, serve_http};
use tripline_storage::store::{Store, StoreConfig};

use super::payload::{self, NOW, span, trace_request};
use super::wire::{PROTOBUF, send};

struct Whole {
    http: std::net::SocketAddr,
    store: Arc<Store>,
    _directory: tempfile::TempDir,
}

async fn start() -> Whole {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        data_dir: directory.path().to_owned(),
        ..Default::default()
    };
    let store = Arc::new(Store::open(config).unwrap());
    let receiver = Receiver::new(ReceiveConfig::default(), Sink::from(Arc::clone(&store))).unwrap();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let http = listener.address().unwrap().parse().unwrap();
    tokio::spawn(serve_http(listener, receiver, std::future::pending()));
    Whole {
        http,
        store,
        _directory: directory,
    }
}

impl Whole {
    async fn send(&self, path: &str, message: &impl prost::Message) {
        let answer = send(self.http, path, PROTOBUF, &message.encode_to_vec()).await;
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 0),
            "{}",
            answer.text()
        );
    }

    /// The one value of a query, as text.
    fn value(&self, sql: &str) -> String {
        let reader = self.store.reader().unwrap();
        let sql = format!("SELECT ({sql})::VARCHAR");
        reader
            .views()
            .expect("views")
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    }
}

#[tokio::test]
async fn p11_p10_a_trace_of_ten_thousand_spans_and_a_repeated_span_are_there_whole() {
    let whole = start().await;
    whole.send("/v1/traces", &payload::traces(10_000)).await;
    whole
        .send("/v1/traces", &trace_request(vec![span(4)]))
        .await;
    let trace = "07".repeat(16);
    let count = |what: &str| {
        whole.value(&format!(
            "SELECT {what} FROM spans WHERE trace_id = '{trace}'"
        ))
    };
    assert_eq!(
        (
            count("count(*)").as_str(),
            count("count(DISTINCT span_id)").as_str()
        ),
        ("10001", "10000")
    );
}

#[tokio::test]
async fn g08_p02_logs_before_and_after_their_trace_and_orphans_are_joined_by_id() {
    let whole = start().await;
    let log = || {
        let mut request = payload::logs(1);
        request.resource_logs[0].scope_logs[0].log_records[0].trace_id = vec![7; 16];
        request
    };
    whole.send("/v1/logs", &log()).await;
    let orphan = Span {
        parent_span_id: vec![9; 8],
        ..span(0)
    };
    whole.send("/v1/traces", &trace_request(vec![orphan])).await;
    whole.send("/v1/logs", &log()).await;
    whole.send("/v1/logs", &payload::logs(1)).await;
    let joined = whole.value("SELECT count(*) FROM spans JOIN logs USING (trace_id)");
    assert_eq!(joined, "2");
    assert_eq!(whole.value("SELECT count(*) FROM logs"), "3");
    assert_eq!(
        whole.value("SELECT parent_span_id FROM spans"),
        "09".repeat(8)
    );
}

#[tokio::test]
async fn m12_m13_starts_resets_and_temporalities_are_stored_as_sent() {
    let whole = start().await;
    let mut request = payload::metrics(0);
    let point = |start: u64, time: u64, value: i64| NumberDataPoint {
        start_time_unix_nano: NOW + start,
        time_unix_nano: NOW + time,
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    };
    let sum =
        |name: &str, temporality: AggregationTemporality, points: Vec<NumberDataPoint>| Metric {
            name: name.into(),
            data: Some(metric::Data::Sum(Sum {
                data_points: points,
                aggregation_temporality: temporality as i32,
                is_monotonic: true,
            })),
            ..Default::default()
        };
    // A reset between the second and third point; in the delta stream, a gap.
    let cumulative = vec![point(0, 10, 5), point(0, 20, 9), point(25, 30, 1)];
    let delta = vec![point(0, 10, 5), point(20, 30, 4)];
    request.resource_metrics[0].scope_metrics[0].metrics = vec![
        sum("c", AggregationTemporality::Cumulative, cumulative),
        sum("d", AggregationTemporality::Delta, delta),
    ];
    whole.send("/v1/metrics", &request).await;
    let starts = format!(
        "SELECT string_agg(name || ':' || (start_time_unix_nano - {NOW}) || '-' || (time_unix_nano - {NOW}), ' ' \
         ORDER BY name, time_unix_nano) FROM metric_points"
    );
    assert_eq!(whole.value(&starts), "c:0-10 c:0-20 c:25-30 d:0-10 d:20-30");
    let streams = "SELECT string_agg(name || ':' || temporality, ' ' ORDER BY name) FROM metrics";
    assert_eq!(whole.value(streams), "c:cumulative d:delta");
}
