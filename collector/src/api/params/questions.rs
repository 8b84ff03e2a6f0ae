//! What the addresses of lists ask the store: one question each, from the parameters it knows.

use tripline_storage::filter::{KINDS, SEVERITIES, STATUSES, Signal};
use tripline_storage::model::{
    BreakersQuery, ChangesQuery, FindingsQuery, GraphQuery, IncidentsQuery, LogQuery,
    MetricPointsQuery, MetricsQuery, STATES, Selection, ServiceOrder, ServicesQuery, TimeRange,
    TraceOrder, TraceQuery, TransitionsQuery,
};

use super::Params;
use crate::api::problem::Problem;

impl Params {
    /// Which services come first, if it is asked for.
    pub fn service_order(&self) -> Result<Option<ServiceOrder>, Problem> {
        self.chosen("sort", &ServiceOrder::WORDS)
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
        let order = self.chosen("sort", &TraceOrder::WORDS)?.unwrap_or_default();
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
            kind: self.word("kind", KINDS)?,
            status: self.word("status", STATUSES)?,
            duration_min_ns: self.duration("min")?,
            duration_max_ns: self.duration("max")?,
            attributes: self.attributes()?,
            filter: self.filter(Signal::Spans)?,
            order,
            limit: self.limit()?,
            cursor: self.text("cursor"),
        })
    }

    /// The box of durations over time in `box`, if there is one.
    pub fn selection(&self) -> Result<Option<Selection>, Problem> {
        let read = |text: &str| {
            tripline_web::pages::box_of(text).ok_or_else(|| {
                Problem::parameter(
                    "box",
                    "`box` is from,to,min,max: two times and two durations in nanoseconds, the smaller first",
                )
            })
        };
        self.get("box").map(read).transpose()
    }

    /// For `logs`.
    pub fn logs(&self) -> Result<LogQuery, Problem> {
        let severity: Option<i64> = self.chosen("severity", &SEVERITIES)?;
        Ok(LogQuery {
            range: self.range_if_any()?,
            scope: self.scope(),
            service: self.text("service"),
            text: self.text("text"),
            severity_min: severity.and_then(|number| i32::try_from(number).ok()),
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
            state: self.word("state", &STATES)?,
            at_unix_nano: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::when::When;

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
        let backwards = params(&[("from", "2000"), ("to", "1000")]).traces();
        assert_eq!(
            backwards.expect_err("it ends first").body()["parameter"],
            "from"
        );
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
}
