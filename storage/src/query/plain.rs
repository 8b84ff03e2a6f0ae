//! Questions about spans that ask no more than who sent them and whether they failed: sums that are kept of each segment
//! answer these.

use super::sent::each_sent_by;
use super::{QueryError, Session};
use crate::model::{TimeRange, TraceQuery};
use crate::rollup::BUCKET_NS;
use crate::segment::kept::is_in;
use crate::segment::origins::Resource;

/// The question with a filter of such conditions said by its fields; `None` where it asks for more.
pub(super) fn plain(query: &TraceQuery) -> Option<TraceQuery> {
    let mut plain = query.clone();
    if let Some(filter) = plain.filter.take() {
        for (column, value) in filter.equalities()? {
            let (field, value) = match column {
                "service_name" => (&mut plain.service, value.to_owned()),
                "f.status_code" => (&mut plain.status, value.to_ascii_lowercase()),
                _ => return None,
            };
            if field
                .replace(value.clone())
                .is_some_and(|said| said != value)
            {
                return None;
            }
        }
    }
    let of_senders = TraceQuery {
        range: plain.range,
        scope: plain.scope.clone(),
        service: plain.service.clone(),
        status: plain.status.clone().filter(|status| status == "error"),
        // What a list of traces is cut by and ordered by.
        limit: plain.limit,
        cursor: plain.cursor.clone(),
        order: plain.order,
        ..TraceQuery::default()
    };
    (of_senders == plain).then_some(plain)
}

/// Whether a resource sent spans that a plain question asks for.
pub(super) fn is_asked(plain: &TraceQuery, resource: &Resource) -> bool {
    is_in(&resource.scope, &plain.scope)
        && (plain.service.is_none() || plain.service == resource.service_name)
}

/// Whether certainly more than so many spans fit: told by the buckets of sums that lie whole in the range.
pub(super) fn fits_more_than(
    session: &Session<'_>,
    query: &TraceQuery,
    spans_max: u64,
) -> Result<bool, QueryError> {
    let (Some(plain), Some(range)) = (plain(query), query.range) else {
        return Ok(false);
    };
    let Some(whole) = whole_buckets(range) else {
        return Ok(false);
    };
    let mut spans = 0;
    session.run(|conn| {
        let picks = |resource: &Resource| is_asked(&plain, resource);
        Ok(each_sent_by(session.set(), conn, whole, picks, |sent| {
            if plain.status.is_none() || sent.failed {
                spans += sent.calls;
            }
        })?)
    })?;
    Ok(spans > spans_max)
}

/// The buckets that lie whole in a range, if any do.
fn whole_buckets(range: TimeRange) -> Option<TimeRange> {
    let from = range
        .from_unix_nano
        .saturating_add(BUCKET_NS - 1)
        .div_euclid(BUCKET_NS);
    let to = range.to_unix_nano.div_euclid(BUCKET_NS);
    (from < to).then_some(TimeRange {
        from_unix_nano: from * BUCKET_NS,
        to_unix_nano: to * BUCKET_NS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::{Filter, Signal};

    #[test]
    fn a_filter_by_service_and_failure_says_what_fields_would() {
        let of = |text: &str| {
            plain(&TraceQuery {
                service: Some("cart".to_owned()),
                filter: Some(Filter::parse(text, Signal::Spans).expect("a filter")),
                ..TraceQuery::default()
            })
        };
        let failed = TraceQuery {
            service: Some("cart".to_owned()),
            status: Some("error".to_owned()),
            ..TraceQuery::default()
        };
        assert_eq!(of("status = error"), Some(failed.clone()));
        assert_eq!(of("status = error service = cart"), Some(failed));
        for more in [
            "service = checkout",
            "status = ok",
            "status != error",
            "status = error OR status = ok",
            "attr.status = error",
            "name = status",
            "error",
        ] {
            assert_eq!(of(more), None, "{more}");
        }
    }

    #[test]
    fn a_bucket_that_is_cut_tells_nothing() {
        let of = |from, to| {
            whole_buckets(TimeRange {
                from_unix_nano: from,
                to_unix_nano: to,
            })
            .map(|range| {
                (
                    range.from_unix_nano / BUCKET_NS,
                    range.to_unix_nano / BUCKET_NS,
                )
            })
        };
        assert_eq!(of(1, 3 * BUCKET_NS), Some((1, 3)));
        assert_eq!(of(BUCKET_NS, 3 * BUCKET_NS - 1), Some((1, 2)));
        assert_eq!(of(1, 2 * BUCKET_NS - 1), None);
        assert_eq!(of(0, i64::MAX), Some((0, i64::MAX / BUCKET_NS)));
    }
}
