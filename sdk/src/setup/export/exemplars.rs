//! The way of the metrics out: the exemplars are joined to their points on the last stretch.
//!
//! The types of the OpenTelemetry SDK have room for exemplars but nobody else may fill it, so what
//! is filled is the message: the exporter of `opentelemetry-otlp` builds the request and repeats it
//! when that is due, and this, in the place of its HTTP client, completes it and sends it. Over
//! gRPC too: then the answer is told back as the HTTP status that is retried, or not, alike.

use std::future::Future;
use std::io::{Read, Write};
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar as Sent, HistogramDataPoint, Metric, exemplar, metric,
};
use prost::Message;
use tokio::runtime::Handle;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::client::ExportClient;
use crate::telemetry::exemplars::{Batch, Exemplar, Exemplars, Series};

/// The size of a gRPC answer that is read (OTLP 1.18, K03).
const ANSWER_MAX: usize = 4 << 20;
/// The size of a request that is sent (OTLP 1.18, K03).
const REQUEST_MAX: usize = 64 << 20;

/// Sends metrics with their exemplars.
#[derive(Clone, Debug)]
pub(super) struct MetricsClient {
    pub(super) exemplars: Exemplars,
    pub(super) wire: Wire,
}

/// Over what.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    Http {
        client: Box<ExportClient>,
        /// Whether the message leaves as JSON.
        json: bool,
    },
    Grpc {
        runtime: Handle,
        channel: Channel,
        timeout: Duration,
    },
}

impl HttpClient for MetricsClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.clone();
        Box::pin(async move {
            let batch = client.exemplars.batch();
            let answer = match &client.wire {
                Wire::Http { client, json } => {
                    client
                        .send_bytes(completed(request, &batch, *json)?)
                        .await?
                }
                Wire::Grpc {
                    runtime,
                    channel,
                    timeout,
                } => {
                    let call = call(channel.clone(), request, &batch, *timeout)?;
                    runtime.spawn(call).await?
                }
            };
            if answer.status().is_success() {
                client.exemplars.forget(&batch);
            }
            Ok(answer)
        })
    }
}

/// The same request with exemplars, in the coding it leaves in; untouched if that changes nothing.
fn completed(
    request: Request<Bytes>,
    batch: &Batch,
    json: bool,
) -> Result<Request<Bytes>, HttpError> {
    if batch.series.is_empty() && !json {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let packed = is_gzip(&parts.headers);
    let mut message = decode(&body, packed)?;
    attach(&mut message, batch);
    let body = if json {
        let coding = HeaderValue::from_static("application/json");
        parts.headers.insert(header::CONTENT_TYPE, coding);
        serde_json::to_vec(&message)?
    } else {
        message.encode_to_vec()
    };
    let body = if packed { gzip(&body)? } else { body };
    Ok(Request::from_parts(parts, body.into()))
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let coding = headers.get(header::CONTENT_ENCODING);
    coding.is_some_and(|coding| coding.as_bytes() == b"gzip")
}

fn decode(body: &Bytes, packed: bool) -> Result<ExportMetricsServiceRequest, HttpError> {
    if !packed {
        return Ok(ExportMetricsServiceRequest::decode(body.clone())?);
    }
    let mut unpacked = Vec::new();
    // What this process packed itself.
    GzDecoder::new(&body[..])
        .take(REQUEST_MAX as u64)
        .read_to_end(&mut unpacked)?;
    Ok(ExportMetricsServiceRequest::decode(&unpacked[..])?)
}

fn gzip(body: &[u8]) -> Result<Vec<u8>, HttpError> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body)?;
    Ok(packed.finish()?)
}

/// The gRPC call; its answer in the words of OTLP over HTTP.
fn call(
    channel: Channel,
    request: Request<Bytes>,
    batch: &Batch,
    timeout: Duration,
) -> Result<impl Future<Output = Response<Bytes>> + Send + 'static, HttpError> {
    let (mut parts, body) = request.into_parts();
    let packed = is_gzip(&parts.headers);
    let mut message = decode(&body, packed)?;
    attach(&mut message, batch);
    for about_the_body in [
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::USER_AGENT,
    ] {
        parts.headers.remove(about_the_body);
    }
    let mut client = MetricsServiceClient::new(channel)
        .max_decoding_message_size(ANSWER_MAX)
        .max_encoding_message_size(REQUEST_MAX);
    if packed {
        client = client
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip);
    }
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    let deadline = request.metadata().get("grpc-timeout").cloned();
    *request.metadata_mut() = MetadataMap::from_headers(parts.headers);
    if let Some(deadline) = deadline {
        request.metadata_mut().insert("grpc-timeout", deadline);
    }
    Ok(async move {
        match tokio::time::timeout(timeout, client.export(request)).await {
            Ok(Ok(answer)) => Response::new(answer.into_inner().encode_to_vec().into()),
            Ok(Err(status)) => refused(&status),
            Err(_) => refused(&Status::deadline_exceeded("no answer in time")),
        }
    })
}

/// The status that the exporter repeats, or does not, as OTLP says for this gRPC code.
fn refused(status: &Status) -> Response<Bytes> {
    let wait = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let code = match (status.code(), wait) {
        (Code::ResourceExhausted, Some(_)) => StatusCode::TOO_MANY_REQUESTS,
        (
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss,
            _,
        ) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = code;
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        // Whole seconds, and never sooner than asked for.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = HeaderValue::from(seconds);
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// Puts each exemplar on the point it belongs to.
fn attach(request: &mut ExportMetricsServiceRequest, batch: &Batch) {
    let scopes = request.resource_metrics.iter_mut();
    for metric in scopes
        .flat_map(|resource| &mut resource.scope_metrics)
        .flat_map(|scope| &mut scope.metrics)
    {
        attach_to_metric(metric, batch);
    }
}

fn attach_to_metric(metric: &mut Metric, batch: &Batch) {
    let name = metric.name.as_str();
    let of = |attributes: &[KeyValue]| batch.series.get(&series(name, attributes));
    match &mut metric.data {
        Some(metric::Data::Sum(sum)) => {
            for point in &mut sum.data_points {
                if let Some(exemplars) = of(&point.attributes) {
                    point.exemplars = exemplars.iter().rev().take(4).map(counted).collect();
                }
            }
        }
        Some(metric::Data::Histogram(histogram)) => {
            for point in &mut histogram.data_points {
                if let Some(exemplars) = of(&point.attributes) {
                    point.exemplars = one_a_bucket(point, exemplars.iter().rev());
                }
            }
        }
        _ => {}
    }
}

/// The newest of each bucket, as the specification's reservoir for histograms keeps them.
fn one_a_bucket<'a>(
    point: &HistogramDataPoint,
    newest_first: impl Iterator<Item = &'a Exemplar>,
) -> Vec<Sent> {
    let mut taken = vec![false; point.explicit_bounds.len() + 1];
    let bounds = &point.explicit_bounds;
    newest_first
        .filter(|exemplar| {
            let bucket = bounds.partition_point(|bound| *bound < exemplar.value);
            !std::mem::replace(&mut taken[bucket], true)
        })
        .map(sent)
        .collect()
}

/// On a counter: what was counted are calls.
fn counted(exemplar: &Exemplar) -> Sent {
    Sent {
        value: Some(exemplar::Value::AsInt(exemplar.value as i64)),
        ..sent(exemplar)
    }
}

fn sent(exemplar: &Exemplar) -> Sent {
    let since = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let also = exemplar.also.as_ref().map(|pair| KeyValue {
        key: pair.key.to_string(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(pair.value.to_string())),
        }),
        ..KeyValue::default()
    });
    Sent {
        filtered_attributes: also.into_iter().collect(),
        time_unix_nano: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        span_id: exemplar.span_id.to_vec(),
        trace_id: exemplar.trace_id.to_vec(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
    }
}

fn series(metric: &str, attributes: &[KeyValue]) -> Series {
    let pairs = attributes.iter().map(|pair| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        let text = match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::BoolValue(flag)) => flag.to_string(),
            Some(Value::DoubleValue(number)) => number.to_string(),
            _ => String::new(),
        };
        (pair.key.clone(), text)
    });
    Series::new(metric, pairs)
}
