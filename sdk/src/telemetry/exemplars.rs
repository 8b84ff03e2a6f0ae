//! Exemplars: single measurements of the metrics, each with the trace it was made in.
//!
//! The OpenTelemetry SDK for Rust collects none, so they are kept here, beside its aggregation, and
//! joined to the points they belong to when the metrics are exported. As its specification says, only
//! measurements of *sampled* traces are taken (the filter `trace_based`), and a series keeps a few of
//! them: the newest ones, for those are what somebody looking at a graph asks for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanContext;

use super::lock;

/// Of one series. An exporter spreads them over the buckets of a histogram.
const KEPT: usize = 16;
/// Series beyond this get none: memory is bounded, whatever attributes a program invents.
const SERIES_MAX: usize = 1_024;

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Exemplar {
    pub(crate) value: f64,
    pub(crate) at: SystemTime,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// What is known of it besides the attributes of its series.
    pub(crate) also: Option<KeyValue>,
    number: u64,
}

/// All exemplars not yet exported. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exemplars {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    series: HashMap<Series, VecDeque<Exemplar>>,
    offered: u64,
}

/// A metric and the attributes of one of its points, in one order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Series {
    metric: String,
    attributes: Vec<(String, String)>,
}

impl Series {
    /// Attributes come in any order.
    pub(crate) fn new(
        metric: &str,
        attributes: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut attributes: Vec<_> = attributes.into_iter().collect();
        attributes.sort();
        Self {
            metric: metric.to_owned(),
            attributes,
        }
    }

    fn of(metric: &str, dimensions: &[KeyValue]) -> Self {
        let text = |pair: &KeyValue| (pair.key.to_string(), pair.value.to_string());
        Self::new(metric, dimensions.iter().map(text))
    }
}

/// What was there at one moment, to be exported and then forgotten.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) series: HashMap<Series, VecDeque<Exemplar>>,
    newest: u64,
}

impl Exemplars {
    /// Offers a measurement made in the span `span`; not taken unless its trace is sampled.
    pub(crate) fn offer(
        &self,
        metric: &str,
        value: f64,
        dimensions: &[KeyValue],
        also: Option<KeyValue>,
        span: &SpanContext,
    ) {
        if !span.is_valid() || !span.is_sampled() {
            return;
        }
        let series = Series::of(metric, dimensions);
        let mut kept = lock(&self.kept);
        kept.offered += 1;
        let number = kept.offered;
        if kept.series.len() >= SERIES_MAX && !kept.series.contains_key(&series) {
            return;
        }
        let of_series = kept.series.entry(series).or_default();
        if of_series.len() == KEPT {
            of_series.pop_front();
        }
        of_series.push_back(Exemplar {
            value,
            at: SystemTime::now(),
            trace_id: span.trace_id().to_bytes(),
            span_id: span.span_id().to_bytes(),
            also,
            number,
        });
    }

    /// What is there now. It stays until it is [forgotten](Self::forget), so that an export that
    /// has to be repeated carries it again.
    #[cfg(feature = "otlp")]
    pub(crate) fn batch(&self) -> Batch {
        let kept = lock(&self.kept);
        Batch {
            series: kept.series.clone(),
            newest: kept.offered,
        }
    }

    /// Forgets what was exported.
    #[cfg(feature = "otlp")]
    pub(crate) fn forget(&self, batch: &Batch) {
        let mut kept = lock(&self.kept);
        kept.series.retain(|_, exemplars| {
            exemplars.retain(|exemplar| exemplar.number > batch.newest);
            !exemplars.is_empty()
        });
    }
}

#[cfg(all(test, not(loom), feature = "otlp"))]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    fn span(number: u128, flags: TraceFlags) -> SpanContext {
        let ids = (TraceId::from(number), SpanId::from(7_u64));
        SpanContext::new(ids.0, ids.1, flags, false, TraceState::NONE)
    }

    #[test]
    fn only_sampled_traces_make_exemplars_and_the_newest_stay() {
        let exemplars = Exemplars::default();
        let name = [KeyValue::new("name", "stock")];
        exemplars.offer("calls", 1.0, &name, None, &span(1, TraceFlags::NOT_SAMPLED));
        exemplars.offer("calls", 1.0, &name, None, &SpanContext::NONE);
        assert!(exemplars.batch().series.is_empty());
        for number in 1..=20 {
            exemplars.offer(
                "calls",
                1.0,
                &name,
                None,
                &span(number, TraceFlags::SAMPLED),
            );
        }
        let batch = exemplars.batch();
        let kept = &batch.series[&Series::of("calls", &name)];
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].trace_id, 5_u128.to_be_bytes());
    }

    #[test]
    fn what_came_after_a_batch_outlives_it() {
        let exemplars = Exemplars::default();
        exemplars.offer("calls", 1.0, &[], None, &span(1, TraceFlags::SAMPLED));
        let batch = exemplars.batch();
        exemplars.offer("calls", 1.0, &[], None, &span(2, TraceFlags::SAMPLED));
        exemplars.forget(&batch);
        let left = exemplars.batch();
        let left: Vec<_> = left.series.values().flatten().map(|e| e.trace_id).collect();
        assert_eq!(left, [2_u128.to_be_bytes()]);
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let exemplars = Exemplars::default();
        for number in 0..SERIES_MAX as i64 + 10 {
            let tenant = [KeyValue::new("tenant", number)];
            exemplars.offer("calls", 1.0, &tenant, None, &span(1, TraceFlags::SAMPLED));
        }
        assert_eq!(exemplars.batch().series.len(), SERIES_MAX);
    }
}
