//! Questions about one trace or span: what has the id is found whenever it was, unless a range is asked for, and the
//! page then shows the time of what was found.

use axum::response::Response;
use tripline_storage::model::{LogQuery, TimeRange, TraceDetail, TraceQuery};
use tripline_storage::query::{self, QueryError, Session};
use tripline_web::frame::Frame;
use tripline_web::pages::View;
use tripline_web::range::{Edge, Range};

use super::answer::show;
use crate::api::problem::Problem;

/// Log records whose times are looked at.
const RECORDS_MAX: usize = 10_000;
/// Shown before and after what was found.
const AROUND_NS: i64 = 30_000_000_000;
const HALF_AN_HOUR_NS: i64 = 1_800_000_000_000;

/// Whether the address has a range.
pub(super) fn has_range(frame: &Frame) -> bool {
    frame.param("from").is_some() || frame.param("to").is_some()
}

/// The time of the traces that fit, whenever that is; `None` when there are none.
pub(super) fn time_of_traces(
    session: &Session<'_>,
    question: &TraceQuery,
) -> Result<Option<TimeRange>, QueryError> {
    let asked = TraceQuery {
        range: None,
        cursor: None,
        ..question.clone()
    };
    let found = query::traces(session, &asked)?.items;
    Ok(around(found.iter().filter_map(|trace| {
        let start = trace.start_time_unix_nano?;
        Some((
            start,
            start.saturating_add(trace.duration_ns.unwrap_or(0).max(0)),
        ))
    })))
}

/// The time of the log records that fit, whenever that is; `None` when there are none.
pub(super) fn time_of_logs(
    session: &Session<'_>,
    question: &LogQuery,
) -> Result<Option<TimeRange>, QueryError> {
    let asked = LogQuery {
        range: None,
        cursor: None,
        limit: RECORDS_MAX,
        ..question.clone()
    };
    let found = query::logs(session, &asked)?.items;
    Ok(around(found.iter().filter_map(|log| {
        log.time_unix_nano.map(|time| (time, time))
    })))
}

/// From a little before the first to a little after the last.
fn around(times: impl Iterator<Item = (i64, i64)>) -> Option<TimeRange> {
    Some(widened(whole(times)?, AROUND_NS))
}

fn whole<T: Ord>(times: impl Iterator<Item = (T, T)>) -> Option<(T, T)> {
    times.reduce(|(from, to), (start, end)| (from.min(start), to.max(end)))
}

fn widened((from, to): (i64, i64), by: i64) -> TimeRange {
    TimeRange {
        from_unix_nano: from.saturating_sub(by).max(0),
        to_unix_nano: to.saturating_add(by).min(TimeRange::LAST_UNIX_NANO),
    }
}

/// Half an hour before a trace to half an hour after it, unless the address has a range or the usual one has it: what is
/// linked from its page is then of its time.
pub(super) fn hour_around(frame: &Frame, trace: &TraceDetail) -> Option<TimeRange> {
    // A span may come without a time, which is none of the year 1970.
    let timed = trace
        .spans
        .iter()
        .filter(|span| span.start_time_unix_nano > 0);
    let times = timed.map(|span| {
        let start = span.start_time_unix_nano;
        (start, span.end_time_unix_nano.max(start))
    });
    hour_of(frame, whole(times)?)
}

/// The same of a trace that began and ended then; 0 is no time.
pub(super) fn hour_of(frame: &Frame, (start, end): (u64, u64)) -> Option<TimeRange> {
    if has_range(frame) || start == 0 {
        return None;
    }
    let [start, end] =
        [start, end].map(|ns| i64::try_from(ns).unwrap_or(TimeRange::LAST_UNIX_NANO));
    let (from, to) = frame.bounds();
    let is_usual = u64::try_from(start).is_ok_and(|start| start >= from)
        && u64::try_from(end).is_ok_and(|end| end <= to);
    (!is_usual).then(|| widened((start, end), HALF_AN_HOUR_NS))
}

/// Renders what was found; where its time was looked for, the page is of that.
pub(super) fn show_found<T>(
    mut frame: Frame,
    title: &str,
    answer: Result<(T, Option<TimeRange>), Problem>,
    body: impl FnOnce(&T, &Frame) -> View,
) -> Response {
    let answer = answer.map(|(data, found)| {
        let edge = |ns: i64| Edge::At(u64::try_from(ns).unwrap_or(0));
        if let Some(found) = found {
            frame.range = Range {
                from: edge(found.from_unix_nano),
                to: edge(found.to_unix_nano),
            };
        }
        data
    });
    show(&frame, title, answer, body)
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::SpanRecord;

    use super::*;

    #[test]
    fn what_a_trace_leads_to_is_of_its_time() {
        let second = 1_000_000_000;
        let day = 86_400 * second;
        let span = |start: u64, end: u64| SpanRecord {
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            ..SpanRecord::default()
        };
        let trace = |spans: Vec<SpanRecord>| TraceDetail {
            spans,
            ..TraceDetail::default()
        };
        let frame = Frame {
            now_ns: 20_000 * day,
            ..Frame::default()
        };
        let long_ago = span(10_000 * day, 10_000 * day + 5 * second);
        let from = i64::try_from(10_000 * day).expect("before 2262");
        let expected = TimeRange {
            from_unix_nano: from - HALF_AN_HOUR_NS,
            to_unix_nano: from + 5_000_000_000 + HALF_AN_HOUR_NS,
        };
        for spans in [
            vec![long_ago.clone()],
            // Those without a time say nothing.
            vec![span(0, 0), long_ago.clone(), span(0, 7)],
        ] {
            assert_eq!(hour_around(&frame, &trace(spans)), Some(expected));
        }
        let untold = trace(vec![span(0, 0)]);
        assert_eq!(hour_around(&frame, &untold), None);
        let now = span(frame.now_ns - 9 * second, frame.now_ns - 8 * second);
        assert_eq!(hour_around(&frame, &trace(vec![now])), None);
        let asked = Frame {
            params: vec![("from".to_owned(), "now-1h".to_owned())],
            ..frame
        };
        assert_eq!(hour_around(&asked, &trace(vec![long_ago])), None);
    }

    #[test]
    fn the_range_shown_has_everything_found_in_it() {
        let second = 1_000_000_000;
        let found = around([(100 * second, 105 * second), (90 * second, 91 * second)].into_iter());
        let expected = TimeRange {
            from_unix_nano: 60 * second,
            to_unix_nano: 135 * second,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(around(std::iter::empty()), None);
        let last = TimeRange::LAST_UNIX_NANO;
        let found = around(std::iter::once((last - 1, last)));
        assert_eq!(found.map(|range| range.to_unix_nano), Some(last));
    }
}
