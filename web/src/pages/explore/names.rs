//! Names of the streams of one metric: as short as tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use tripline_storage::model::MetricSeries;

use crate::parts::ScopeParts;

/// What tells the streams of one metric apart: the attributes that differ, and for those alike in these what does tell
/// them apart: where their service lives, its instance, at last the stream's own number.
pub(super) fn names_of(series: &[MetricSeries]) -> Vec<String> {
    let places = ScopeParts::differing(series.iter().map(|stream| &stream.scope));
    let further: [&dyn Fn(&MetricSeries) -> String; 3] = [
        &|stream: &MetricSeries| places.place(&stream.scope),
        &|stream: &MetricSeries| stream.service_instance_id.clone().unwrap_or_default(),
        &|stream: &MetricSeries| stream.series_id.clone(),
    ];
    let mut names = attribute_names_of(series);
    for more in further {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, stream) in names.iter().zip(series) {
            told.entry(name.clone()).or_default().insert(more(stream));
        }
        for (name, stream) in names.iter_mut().zip(series) {
            let more = more(stream);
            if more.is_empty() {
                continue;
            }
            if name.is_empty() {
                *name = more;
            } else if told[name.as_str()].len() > 1 {
                *name = format!("{name} {more}");
            }
        }
    }
    names
}

/// The service where there are several, and the attributes that are not the same everywhere.
fn attribute_names_of(series: &[MetricSeries]) -> Vec<String> {
    let differs = |key: &str| {
        let value = |s: &MetricSeries| {
            s.attributes
                .iter()
                .find(|a| a.key == key)
                .map(|a| a.value.to_string())
        };
        series
            .windows(2)
            .any(|pair| value(&pair[0]) != value(&pair[1]))
    };
    let services_differ = series
        .windows(2)
        .any(|pair| pair[0].service_name != pair[1].service_name);
    series
        .iter()
        .map(|stream| {
            let mut parts: Vec<String> = Vec::new();
            if services_differ || series.len() == 1 {
                parts.extend(stream.service_name.clone());
            }
            parts.extend(
                stream
                    .attributes
                    .iter()
                    .filter(|a| differs(&a.key))
                    .map(|a| format!("{}={}", a.key, a.value)),
            );
            parts.join(" ")
        })
        .collect()
}
