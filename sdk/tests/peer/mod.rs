//! OTLP peers that answer as their script says, and after that as they should.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// What to do with a request.
#[derive(Clone)]
pub enum Reply {
    /// Answer with a status, a header and a body.
    Status(u16, Option<(&'static str, String)>, Vec<u8>),
    /// Close the connection without an answer.
    Cut,
    /// Answer 200 after a while.
    Slow(Duration),
}

impl Reply {
    pub fn status(code: u16) -> Self {
        Self::Status(code, None, Vec::new())
    }

    pub fn ok(body: Vec<u8>) -> Self {
        Self::Status(200, None, body)
    }

    pub fn header(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Status(code, _, body) => Self::Status(code, Some((name, value.into())), body),
            other => other,
        }
    }
}

/// A request as it came in.
#[derive(Clone)]
pub struct Received {
    pub at: Instant,
    pub content_type: String,
    path: String,
    pub body: Vec<u8>,
}

/// HTTP/1.1, byte by byte: what a library would mend is to be seen here.
#[derive(Clone)]
pub struct HttpPeer {
    address: SocketAddr,
    shared: Arc<HttpShared>,
}

struct HttpShared {
    script: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

impl HttpPeer {
    pub fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(HttpShared {
                script: Mutex::new(script.into()),
                received: Mutex::default(),
                connections: AtomicUsize::new(0),
            }),
        };
        let shared = Arc::clone(&peer.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                shared.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        peer
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn requests_to(&self, path: &str) -> Vec<Received> {
        let received = self.shared.received.lock().unwrap();
        let to_path = |request: &&Received| request.path == path;
        received.iter().filter(to_path).cloned().collect()
    }
}

impl HttpShared {
    /// Until the client closes, or the script says so.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = receive(&mut reader) {
            // Only traces and metrics are scripted; log records come when they like.
            let scripted = request.path != "/v1/logs";
            self.received.lock().unwrap().push(request);
            let mut script = self.script.lock().unwrap();
            let next = scripted.then(|| script.pop_front()).flatten();
            drop(script);
            let (code, header, body) = match next.unwrap_or_else(|| Reply::status(200)) {
                Reply::Status(code, header, body) => (code, header, body),
                Reply::Cut => return,
                Reply::Slow(time) => {
                    std::thread::sleep(time);
                    (200, None, Vec::new())
                }
            };
            let header = header.map_or(String::new(), |(name, value)| {
                format!("{name}: {value}\r\n")
            });
            let head = format!(
                "HTTP/1.1 {code} x\r\ncontent-type: application/x-protobuf\r\n{header}content-length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = stream;
            if stream
                .write_all(&[head.as_bytes(), &body].concat())
                .is_err()
            {
                return;
            }
        }
    }
}

fn receive(reader: &mut BufReader<&TcpStream>) -> Option<Received> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if let Some(value) = header.strip_prefix("content-type:") {
            content_type = value.trim().to_owned();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        at: Instant::now(),
        content_type,
        path,
        body,
    })
}

/// The body of a partial success for traces.
pub fn partial_traces() -> Vec<u8> {
    partial().encode_to_vec()
}

fn partial() -> ExportTraceServiceResponse {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "one was too big".into(),
        }),
    }
}

pub fn with_retry_info(code: Code, wait: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(wait));
    Status::with_error_details(code, "later", details)
}

/// gRPC, for traces and metrics.
pub struct GrpcPeer {
    address: SocketAddr,
    shared: Arc<GrpcShared>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct GrpcShared {
    script: Mutex<VecDeque<Status>>,
    traces: Mutex<Vec<Instant>>,
    partially: AtomicBool,
    metrics_refusal: Mutex<Option<Status>>,
    metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
}

#[derive(Clone)]
struct Service(Arc<GrpcShared>);

impl GrpcPeer {
    pub fn start(script: Vec<Status>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(GrpcShared {
            script: Mutex::new(script.into()),
            ..GrpcShared::default()
        });
        let service = Service(Arc::clone(&shared));
        let address = runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(service.clone()))
                .add_service(MetricsServiceServer::new(service));
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            tokio::spawn(server.serve_with_incoming(incoming));
            address
        });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers traces with a partial success from here on.
    pub fn answer_partially(&self) {
        self.shared.partially.store(true, Ordering::SeqCst);
    }

    pub fn refuse_metrics_once(&self, status: Status) {
        *self.shared.metrics_refusal.lock().unwrap() = Some(status);
    }

    /// How many requests with traces came.
    pub fn traces(&self) -> usize {
        self.trace_times().len()
    }

    pub fn trace_times(&self) -> Vec<Instant> {
        self.shared.traces.lock().unwrap().clone()
    }

    /// The requests with metrics that were taken.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.shared.metrics.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        _: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.traces.lock().unwrap().push(Instant::now());
        if let Some(refusal) = self.0.script.lock().unwrap().pop_front() {
            return Err(refusal);
        }
        let partially = self.0.partially.load(Ordering::SeqCst);
        let whole = ExportTraceServiceResponse::default();
        Ok(Response::new(if partially { partial() } else { whole }))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        if let Some(refusal) = self.0.metrics_refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        self.0.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
