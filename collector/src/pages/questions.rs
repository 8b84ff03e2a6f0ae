//! What a page asks the store, as far as its address says: the range, the scope, and the lists of both.

use tripline_storage::model::{BreakersQuery, ScopeFilter, ServiceOrder, ServicesQuery, TimeRange};
use tripline_web::frame::Frame;
use tripline_web::range::WEEK;

use crate::api::problem::Problem;
use crate::api::when::When;

/// Services named in a page's list at most.
pub(super) const SERVICES_MAX: usize = 1_000;

/// The range in the URL.
pub(super) fn range_of(frame: &Frame) -> TimeRange {
    let (from, to) = frame.bounds();
    let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    TimeRange {
        from_unix_nano: nanos(from),
        to_unix_nano: nanos(to),
    }
}

/// A moment in the URL, nanoseconds since 1970.
pub(super) fn moment_of(frame: &Frame, name: &str, when: When) -> Result<Option<u64>, Problem> {
    let Some(text) = frame.param(name) else {
        return Ok(None);
    };
    let moment = when.moment(text).ok_or_else(|| {
        Problem::parameter(
            name,
            format!(
                "`{name}` is not a time: write now-15m, 2026-11-21T03:00:00Z or nanoseconds since 1970"
            ),
        )
    });
    moment.map(Some)
}

/// The same time last week, if the page compares with it.
pub(super) fn last_week_of(frame: &Frame) -> Option<TimeRange> {
    frame.compares().then(|| week_before(range_of(frame)))
}

/// The same time a week before.
pub(super) fn week_before(range: TimeRange) -> TimeRange {
    range.earlier_by(i64::try_from(WEEK).unwrap_or(i64::MAX))
}

/// The scope in the URL.
pub(super) fn scope_of(frame: &Frame) -> ScopeFilter {
    let value = |name: &str| frame.param(name).map(str::to_owned);
    ScopeFilter {
        environment: value("environment"),
        service_namespace: value("service_namespace"),
        cluster: value("cluster"),
    }
}

/// Every service of the range and scope in the URL, by name.
pub(super) fn services_of(frame: &Frame) -> ServicesQuery {
    ServicesQuery {
        range: range_of(frame),
        scope: scope_of(frame),
        order: ServiceOrder::Name,
        limit: SERVICES_MAX,
    }
}

/// The end of a range that is over, nanoseconds since 1970: what has a state is shown as it was then.
pub(super) fn end_of(frame: &Frame) -> Option<i64> {
    (frame.bounds().1 < frame.now_ns).then(|| range_of(frame).to_unix_nano)
}

/// Every breaker of the scope in the URL, at the end of its range.
pub(super) fn breakers_of(frame: &Frame) -> BreakersQuery {
    BreakersQuery {
        scope: scope_of(frame),
        at_unix_nano: end_of(frame),
        limit: SERVICES_MAX,
        ..BreakersQuery::default()
    }
}
