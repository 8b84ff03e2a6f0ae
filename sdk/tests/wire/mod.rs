//! A collector for tests: OTLP over gRPC and HTTP on real sockets, kept in memory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::{Request, Response, Status};
use tripline_sdk::setup::Protocol;

#[derive(Default)]
struct Received {
    traces: Vec<(HeaderMap, ExportTraceServiceRequest)>,
    logs: Vec<ExportLogsServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Received>>);

pub struct Collector {
    store: Store,
    grpc: SocketAddr,
    http: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

/// A span with what came along.
pub struct ReceivedSpan {
    pub span: Span,
    resource: Vec<KeyValue>,
    headers: HeaderMap,
}

impl ReceivedSpan {
    pub fn resource(&self, key: &str) -> Option<String> {
        text(&self.resource, key)
    }

    pub fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }
}

/// The text of an attribute.
pub fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits until something holds, for ten seconds at most.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Collector {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let store = Store::default();
        let (grpc, http) = runtime.block_on(listen(&store));
        Self {
            store,
            grpc,
            http,
            _runtime: runtime,
        }
    }

    pub fn endpoint(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Grpc => format!("http://{}", self.grpc),
            Protocol::Http | Protocol::Json => format!("http://{}", self.http),
        }
    }

    pub fn spans(&self) -> Vec<ReceivedSpan> {
        let received = self.store.0.lock().unwrap();
        let mut spans = Vec::new();
        for (headers, request) in &received.traces {
            for of_resource in &request.resource_spans {
                let resource = of_resource.resource.clone().unwrap_or_default().attributes;
                let all = of_resource
                    .scope_spans
                    .iter()
                    .flat_map(|scope| &scope.spans);
                spans.extend(all.map(|span| ReceivedSpan {
                    span: span.clone(),
                    resource: resource.clone(),
                    headers: headers.clone(),
                }));
            }
        }
        spans
    }

    pub fn logs(&self) -> Vec<LogRecord> {
        let received = self.store.0.lock().unwrap();
        let scopes = received
            .logs
            .iter()
            .flat_map(|request| &request.resource_logs)
            .flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records.clone()).collect()
    }

    pub fn metric_names(&self) -> Vec<String> {
        let received = self.store.0.lock().unwrap();
        let scopes = received
            .metrics
            .iter()
            .flat_map(|request| &request.resource_metrics)
            .flat_map(|resource| &resource.scope_metrics);
        let metrics = scopes.flat_map(|scope| &scope.metrics);
        metrics.map(|metric| metric.name.clone()).collect()
    }
}

async fn listen(store: &Store) -> (SocketAddr, SocketAddr) {
    let bind = || tokio::net::TcpListener::bind("127.0.0.1:0");
    let (grpc, http) = (bind().await.unwrap(), bind().await.unwrap());
    let addresses = (grpc.local_addr().unwrap(), http.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(store.clone()).accept_compressed(Gzip))
        .add_service(LogsServiceServer::new(store.clone()).accept_compressed(Gzip))
        .add_service(MetricsServiceServer::new(store.clone()).accept_compressed(Gzip));
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(grpc);
    tokio::spawn(server.serve_with_incoming(incoming));
    let app = Router::new()
        .route("/v1/traces", post(http_traces))
        .route("/v1/logs", post(http_logs))
        .route("/v1/metrics", post(http_metrics))
        .with_state(store.clone());
    tokio::spawn(async move { axum::serve(http, app).await });
    addresses
}

async fn http_traces(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    store.0.lock().unwrap().traces.push((headers, request));
    ExportTraceServiceResponse::default().encode_to_vec()
}

async fn http_logs(State(store): State<Store>, body: Bytes) -> Vec<u8> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    store.0.lock().unwrap().logs.push(request);
    ExportLogsServiceResponse::default().encode_to_vec()
}

async fn http_metrics(State(store): State<Store>, body: Bytes) -> Vec<u8> {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    store.0.lock().unwrap().metrics.push(request);
    ExportMetricsServiceResponse::default().encode_to_vec()
}

#[tonic::async_trait]
impl TraceService for Store {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let headers = metadata.into_headers();
        self.0.lock().unwrap().traces.push((headers, request));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Store {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.lock().unwrap().logs.push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Store {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().metrics.push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
