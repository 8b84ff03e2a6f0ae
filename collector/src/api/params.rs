//! Parameters of the URL, read once and strictly: an unknown one is an error, not a filter silently ignored.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tripline_storage::filter::{Filter, Key, Signal};
use tripline_storage::model::{
    AttributeFilter, AttributeValue, BreakersQuery, ChangesQuery, FindingsQuery, GraphQuery,
    IncidentsQuery, LogQuery, MetricPointsQuery, MetricsQuery, ScopeFilter, ServiceOrder,
    ServicesQuery, TimeRange, TraceOrder, TraceQuery, TransitionsQuery,
};

use super::AppState;
use super::problem::Problem;
use super::when::When;

/// Rows of a list unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Rows of a list at most.
const LIMIT_MAX: usize = 10_000;

/// The parameters, and when they were sent: a relative time means something by that alone.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// Decoded, in order.
    pub pairs: Vec<(String, String)>,
    /// What is now, and the range where none is said.
    pub when: When,
}

impl FromRequestParts<AppState> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map(|query| Self {
                pairs: query.0,
                when: state.when(),
            })
            .map_err(|error| Problem::parameter("query", error.body_text()))
    }
}

impl Params {
    /// A parameter; an empty one is an absent one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// Refuses parameters that the address does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .pairs
            .iter()
            .find(|(key, _)| !known.contains(&key.as_str()))
        {
            None => Ok(()),
            Some((key, _)) => Err(Problem::parameter(
                key,
                format!("`{key}` is not known here; known are {}", known.join(", ")),
            )),
        }
    }

    /// The range of `from` and `to`, or the last hour (of a bundle: all of its time).
    pub fn range(&self) -> Result<TimeRange, Problem> {
        let range = self
            .when
            .range(self.get("from"), self.get("to"))
            .map_err(|why| {
                let is_end = why.starts_with("`to`");
                Problem::parameter(if is_end { "to" } else { "from" }, why)
            })?;
        let (from, to) = range.resolve(self.when.now_ns);
        let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        Ok(TimeRange {
            from_unix_nano: nanos(from),
            to_unix_nano: nanos(to),
        })
    }

    /// The range, if one is asked for.
    fn range_if_any(&self) -> Result<Option<TimeRange>, Problem> {
        if self.get("from").is_none() && self.get("to").is_none() {
            Ok(None)
        } else {
            self.range().map(Some)
        }
    }

    fn limit(&self) -> Result<usize, Problem> {
        match self.get("limit") {
            None => Ok(LIMIT_DEFAULT),
            Some(text) => match text.parse::<usize>() {
                Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
                _ => Err(Problem::parameter(
                    "limit",
                    format!("`limit` is a number from 1 to {LIMIT_MAX}"),
                )),
            },
        }
    }

    /// Environment, namespace and cluster.
    pub fn scope(&self) -> ScopeFilter {
        ScopeFilter {
            environment: self.text("environment"),
            service_namespace: self.text("service_namespace"),
            cluster: self.text("cluster"),
        }
    }

    fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(word) if words.contains(&word) => Ok(Some(word.to_owned())),
            Some(_) => Err(Problem::parameter(
                name,
                format!("`{name}` is one of {}", words.join(", ")),
            )),
        }
    }

    fn duration(&self, name: &str) -> Result<Option<i64>, Problem> {
        self.get(name)
            .map(|text| {
                duration_ns(text).ok_or_else(|| {
                    Problem::parameter(
                        name,
                        format!("`{name}` is a duration: 250us, 100ms, 1.5s, 2m"),
                    )
                })
            })
            .transpose()
    }

    fn id(&self, name: &str, digits: usize) -> Result<Option<String>, Problem> {
        self.get(name)
            .map(|text| hex_id(name, text, digits))
            .transpose()
    }

    fn attributes(&self) -> Result<Vec<AttributeFilter>, Problem> {
        self.pairs
            .iter()
            .filter(|(key, value)| key == "attr" && !value.is_empty())
            .map(|(_, text)| attribute(text))
            .collect()
    }

    /// `q`, or `filter`: the filter grammar.
    fn filter(&self, signal: Signal) -> Result<Option<Filter>, Problem> {
        for name in ["q", "filter"] {
            if let Some(text) = self.get(name).filter(|text| !text.trim().is_empty()) {
                return Filter::parse(text, signal)
                    .map(Some)
                    .map_err(|error| Problem::filter(name, text, &error));
            }
        }
        Ok(None)
    }

    /// `sort` as one of these words.
    fn sort<T: Copy>(&self, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(asked) = self.get("sort") else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == asked);
        found.map(|(_, order)| Some(*order)).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Problem::parameter("sort", format!("`sort` is one of {}", known.join(", ")))
        })
    }

    /// Which services come first, if it is asked for.
    pub fn service_order(&self) -> Result<Option<ServiceOrder>, Problem> {
        self.sort(&ServiceOrder::WORDS)
    }

    /// One key of the filter grammar.
    fn key(&self, name: &str, signal: Signal) -> Result<Option<Key>, Problem> {
        self.get(name)
            .map(|text| {
                Key::parse(text, signal).map_err(|error| {
                    Problem::parameter(
                        name,
                        format!(
                            "`{name}` is one key, for example service, http.route or \
                             resource.k8s.pod.name: {error}"
                        ),
                    )
                })
            })
            .transpose()
    }

    /// For `services`.
    pub fn services(&self) -> Result<ServicesQuery, Problem> {
        Ok(ServicesQuery {
            range: self.range()?,
            scope: self.scope(),
            order: self.service_order()?.unwrap_or_default(),
            limit: self.limit()?,
        })
    }

    /// For `traces`.
    pub fn traces(&self) -> Result<TraceQuery, Problem> {
        let order = self.sort(&TraceOrder::WORDS)?.unwrap_or_default();
        if order != TraceOrder::Start && self.get("cursor").is_some() {
            return Err(Problem::parameter(
                "cursor",
                "pages follow each other newest first alone: leave `sort` out, or ask for a greater `limit`",
            ));
        }
        Ok(TraceQuery {
            range: self.range_if_any()?,
            scope: self.scope(),
            service: self.text("service"),
            name: self.text("name"),
            kind: self.word(
                "kind",
                &[
                    "unspecified",
                    "internal",
                    "server",
                    "client",
                    "producer",
                    "consumer",
                ],
            )?,
            status: self.word("status", &["unset", "ok", "error"])?,
            duration_min_ns: self.duration("min")?,
            duration_max_ns: self.duration("max")?,
            attributes: self.attributes()?,
            filter: self.filter(Signal::Spans)?,
            order,
            limit: self.limit()?,
            cursor: self.text("cursor"),
        })
    }

    /// For `logs`.
    pub fn logs(&self) -> Result<LogQuery, Problem> {
        let severity = self.word(
            "severity",
            &["trace", "debug", "info", "warn", "error", "fatal"],
        )?;
        let severity_min = severity.map(|word| match word.as_str() {
            "trace" => 1,
            "debug" => 5,
            "info" => 9,
            "warn" => 13,
            "error" => 17,
            _ => 21,
        });
        Ok(LogQuery {
            range: self.range_if_any()?,
            scope: self.scope(),
            service: self.text("service"),
            text: self.text("text"),
            severity_min,
            trace_id: self.id("trace", 32)?,
            span_id: self.id("span", 16)?,
            attributes: self.attributes()?,
            filter: self.filter(Signal::Logs)?,
            limit: self.limit()?,
            cursor: self.text("cursor"),
        })
    }

    /// For `metrics`.
    pub fn metrics(&self) -> Result<MetricsQuery, Problem> {
        Ok(MetricsQuery {
            range: self.range_if_any()?,
            scope: self.scope(),
            service: self.text("service"),
            text: self.text("text"),
            filter: self.filter(Signal::Metrics)?,
            limit: self.limit()?,
        })
    }

    /// For `metrics/{name}`.
    pub fn metric(&self, name: &str) -> Result<MetricPointsQuery, Problem> {
        Ok(MetricPointsQuery {
            name: name.to_owned(),
            range: self.range()?,
            scope: self.scope(),
            service: self.text("service"),
            filter: self.filter(Signal::Metrics)?,
            by: self.key("by", Signal::Metrics)?,
            series_max: self.limit()?.min(200),
            points_max: 2_000,
        })
    }

    /// For `breakers`.
    pub fn breakers(&self) -> Result<BreakersQuery, Problem> {
        Ok(BreakersQuery {
            scope: self.scope(),
            service: self.text("service"),
            name: None,
            key: None,
            state: self.word("state", &tripline_storage::resilience::STATES)?,
            limit: self.limit()?,
        })
    }

    /// For transitions of breakers.
    pub fn transitions(&self) -> Result<TransitionsQuery, Problem> {
        Ok(TransitionsQuery {
            breaker_id: None,
            range: self.range_if_any()?,
            scope: self.scope(),
            service: self.text("service"),
            limit: self.limit()?,
        })
    }

    /// `as_of`: what counts as now for an incident that goes on; the present unless it is said.
    pub fn as_of(&self) -> Result<i64, Problem> {
        let Some(text) = self.get("as_of") else {
            return Ok(self.when.now());
        };
        self.when
            .moment(text)
            .and_then(|ns| i64::try_from(ns).ok())
            .ok_or_else(|| Problem::parameter("as_of", "`as_of` is not a time"))
    }

    /// For `incidents`; the last day's unless a range is asked for.
    pub fn incidents(&self) -> Result<IncidentsQuery, Problem> {
        let now = self.as_of()?;
        Ok(IncidentsQuery {
            range: self
                .range_if_any()?
                .unwrap_or_else(|| TimeRange::ending(now, 86_400_000_000_000)),
            scope: self.scope(),
            service: self.text("service"),
            limit: self.limit()?,
            now_unix_nano: now,
        })
    }

    /// For `findings`.
    pub fn findings(&self) -> Result<FindingsQuery, Problem> {
        Ok(FindingsQuery {
            range: self.range()?,
            scope: self.scope(),
            services: self.text("service").into_iter().collect(),
            limit: self.limit()?,
        })
    }

    /// For `changes`.
    pub fn changes(&self) -> Result<ChangesQuery, Problem> {
        Ok(ChangesQuery {
            range: self.range()?,
            scope: self.scope(),
            service: self.text("service"),
            limit: self.limit()?,
        })
    }

    /// For `graph`.
    pub fn graph(&self) -> Result<GraphQuery, Problem> {
        Ok(GraphQuery {
            range: self.range()?,
            scope: self.scope(),
            service: self.text("service"),
            edges_max: self.get("limit").map_or(Ok(400), |_| self.limit())?,
        })
    }
}

/// An id of so many hex digits, in lower case.
pub fn hex_id(name: &str, text: &str, digits: usize) -> Result<String, Problem> {
    if text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Problem::parameter(
            name,
            format!("`{name}` has {digits} hex digits"),
        ))
    }
}

/// `100ms`, `1.5s`, `2 min`.
fn duration_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(at);
    let scale = match unit.trim() {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        _ => return None,
    };
    let ns = number.parse::<f64>().ok()? * scale;
    (ns.is_finite() && ns < i64::MAX as f64).then_some(ns as i64)
}

/// `key=value`: a bare number or `true` is one, `"500"` in quotes is text.
fn attribute(text: &str) -> Result<AttributeFilter, Problem> {
    let Some((key, value)) = text
        .split_once('=')
        .filter(|(key, _)| !key.trim().is_empty())
    else {
        return Err(Problem::parameter(
            "attr",
            "`attr` is key=value, for example http.route=/cart",
        ));
    };
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let value = if let Some(text) = quoted {
        AttributeValue::String(text.to_owned())
    } else if let Ok(flag) = value.parse() {
        AttributeValue::Bool(flag)
    } else if let Ok(number) = value.parse() {
        AttributeValue::Int(number)
    } else if let Some(number) = value.parse::<f64>().ok().filter(|n| n.is_finite()) {
        AttributeValue::Double(number)
    } else {
        AttributeValue::String(value.to_owned())
    };
    Ok(AttributeFilter {
        key: key.trim().to_owned(),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params {
            pairs: pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            when: When::of(None),
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_that_names_the_parameter() {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "-1"),
            ("limit", "many"),
            ("limit", "10001"),
            ("min", "fast"),
            ("kind", "Server"),
            ("status", "bad"),
            ("attr", "novalue"),
            ("from", "yesterday"),
            ("to", "tomorrow"),
            ("sort", "fastest"),
        ] {
            let problem = params(&[(name, value)]).traces().expect_err(value);
            assert_eq!(problem.body()["parameter"], name, "{value}");
        }
        let cut = params(&[("sort", "duration"), ("cursor", "1.2.0")]).traces();
        assert_eq!(
            cut.expect_err("no page of it").body()["parameter"],
            "cursor"
        );
        let newest = params(&[("sort", "start"), ("cursor", "1.2.0")]).traces();
        assert_eq!(newest.expect("pages").order, TraceOrder::Start);
        assert!(params(&[("sort", "spans")]).services().is_err());
        for text in ["a = 1", "a OR b", "(a)"] {
            let problem = params(&[("by", text)]).metric("m").expect_err(text);
            assert_eq!(problem.body()["parameter"], "by", "{text}");
        }
        let by = |text: &str| params(&[("by", text)]).metric("m").expect("a key").by;
        let printed = by("resource.\"a b\"").map(|key| key.to_string());
        assert_eq!(printed.as_deref(), Some("resource.\"a b\""));
        assert_eq!(by(""), None);
        assert!(params(&[("sevice", "x")]).only(&["service"]).is_err());
        assert!(params(&[("trace", "xyz")]).logs().is_err());
    }

    #[test]
    fn attribute_filters_keep_the_kind_of_their_value() {
        let value = |text: &str| attribute(text).expect("readable").value;
        assert_eq!(value("a=5"), AttributeValue::Int(5));
        assert_eq!(value("a=\"5\""), AttributeValue::String("5".to_owned()));
        assert_eq!(value("a=true"), AttributeValue::Bool(true));
        assert_eq!(value("a=0.5"), AttributeValue::Double(0.5));
        assert_eq!(
            value("a=/cart?x=1"),
            AttributeValue::String("/cart?x=1".to_owned())
        );
        assert_eq!(duration_ns("1.5s"), Some(1_500_000_000));
    }
}
