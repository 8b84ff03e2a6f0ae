//! The three signals behind one door: numbered items, exported whole, read back by their numbers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use super::Tripline;
use super::telemetry::{SpanShape, logs_request, points_request, spans_request};

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    Spans,
    Logs,
    Points,
}

impl Signal {
    pub const ALL: [Self; 3] = [Self::Spans, Self::Logs, Self::Points];

    /// Exports the items of a shape in one request; one that is taken in part is an error, data loss.
    pub async fn export(self, channel: Channel, shape: SpanShape<'_>) -> Result<(), Status> {
        let left_out = match self {
            Self::Spans => {
                let request = spans_request(shape);
                let answer = TraceServiceClient::new(channel).export(request).await?;
                let partial = answer.into_inner().partial_success;
                partial.map(|partial| partial.error_message)
            }
            Self::Logs => {
                let request = logs_request(shape);
                let answer = LogsServiceClient::new(channel).export(request).await?;
                let partial = answer.into_inner().partial_success;
                partial.map(|partial| partial.error_message)
            }
            Self::Points => {
                let request = points_request(shape);
                let answer = MetricsServiceClient::new(channel).export(request).await?;
                let partial = answer.into_inner().partial_success;
                partial.map(|partial| partial.error_message)
            }
        };
        match left_out {
            None => Ok(()),
            Some(message) => Err(Status::data_loss(message)),
        }
    }

    /// SQL of the stored items' numbers, for one service.
    fn numbers(self, service: &str) -> String {
        let (relation, number) = match self {
            Self::Spans => ("spans", "attributes.\"number\"::BIGINT"),
            Self::Logs => ("logs", "attributes.\"number\"::BIGINT"),
            Self::Points => ("metric_points", "coalesce(value_int, \"count\"::BIGINT)"),
        };
        format!("SELECT {number} AS number FROM {relation} WHERE service_name = '{service}'")
    }
}

/// Fails unless every item of `acknowledged` is stored once, and of each request (`batch` items, numbered on from a multiple
/// of that) all or nothing, acknowledged or not.
pub async fn check_stored(
    server: &Tripline,
    signal: Signal,
    service: &str,
    batch: u64,
    acknowledged: &BTreeSet<u64>,
) -> Result<()> {
    let stored = counted(server, &signal.numbers(service)).await?;
    if let Some((number, copies)) = stored.iter().find(|(_, copies)| **copies != 1) {
        bail!("{signal:?} {number} of {service} is there {copies} times");
    }
    let lost: Vec<&u64> = acknowledged
        .iter()
        .filter(|number| !stored.contains_key(number))
        .collect();
    if let Some(first) = lost.first() {
        let again = counted(server, &signal.numbers(service)).await?.len();
        let log = server.log();
        let warned: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .collect();
        bail!(
            "{} acknowledged {signal:?} of {service} are gone, first {first}; {} were found, and asked again {again}; {warned:?}",
            lost.len(),
            stored.len()
        );
    }
    if signal == Signal::Points {
        // An exemplar beside each even one, whole like the rest.
        let sql = format!("SELECT value_int FROM exemplars WHERE service_name = '{service}'");
        let exemplars = counted(server, &sql).await?;
        let gauges = stored.keys().filter(|number| number.is_multiple_of(2));
        ensure!(
            gauges.eq(exemplars.keys()) && exemplars.values().all(|copies| *copies == 1),
            "points and exemplars of {service} differ"
        );
    }
    let mut whole: BTreeMap<u64, u64> = BTreeMap::new();
    for (number, copies) in stored {
        *whole.entry(number / batch).or_default() += copies;
    }
    match whole.iter().find(|(_, items)| **items != batch) {
        Some((request, items)) => {
            bail!("request {request} of {service}: {items} of its {batch} {signal:?} are stored")
        }
        None => Ok(()),
    }
}

/// How often each number is there.
async fn counted(server: &Tripline, numbers: &str) -> Result<BTreeMap<u64, u64>> {
    let sql = format!("SELECT number, count(*) FROM ({numbers}) AS t(number) GROUP BY ALL");
    let rows = server.sql(&sql).await?;
    rows.iter()
        .map(|row| {
            let cell = |at: usize| row[at].as_u64().with_context(|| format!("{row:?}"));
            Ok((cell(0)?, cell(1)?))
        })
        .collect()
}
