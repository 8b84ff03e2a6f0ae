//! Log records: listed, around a moment, by pattern.

use axum::extract::State;
use axum::response::Response;
use tripline_storage::model::{LogQuery, LogRecord, Page, TimeRange};
use tripline_storage::query::{self, QueryError, Session, how};
use tripline_web::frame::Frame;
use tripline_web::pages as views;
use tripline_web::parts::Complaint;

use super::answer::{complained, problem_page};
use super::by_id::{has_range, show_found, time_of_logs};
use super::find::pasted_trace;
use super::request::PageRequest;
use crate::api::AppState;
use crate::api::problem::Problem;

/// Steps of time in the histogram of logs.
const LOG_STEPS: u32 = 90;

/// Records around one at most; where more lie in the usual distance, a nearer one is taken.
const AROUND_MAX: usize = 1_000;

/// Distances tried, nanoseconds: the usual one first.
const AROUND_TRIED: [u64; 4] = [views::AROUND_NS, 500_000_000, 50_000_000, 5_000_000];

/// `/logs`.
pub(super) async fn logs(State(state): State<AppState>, request: PageRequest) -> Response {
    let PageRequest { frame, params } = request;
    if let Some(response) = pasted_trace(&frame) {
        return response;
    }
    let question = match params.logs() {
        Ok(question) => question,
        Err(problem) => return complained(&frame, "Logs", &problem, refused),
    };
    let wants_patterns = frame.param("view") == Some("patterns");
    let Ok(moment) = frame.param("around").map(str::parse::<u64>).transpose() else {
        let why = "`around` is a time in nanoseconds since 1970";
        return problem_page(&frame, &Problem::parameter("around", why));
    };
    let is_timeless = !has_range(&frame) && question.names_an_id();
    let answer = state
        .ask(move |session| {
            let found = if is_timeless {
                time_of_logs(session, &question)?
            } else {
                None
            };
            let question = LogQuery {
                range: found.or(question.range),
                ..question
            };
            let data = logs_page(session, &question, wants_patterns, moment)?;
            Ok((data, found))
        })
        .await;
    match answer {
        Err(problem) if problem.is_of_filter() => complained(&frame, "Logs", &problem, refused),
        answer => show_found(frame, "Logs", answer, views::logs),
    }
}

/// The page of a question that cannot be asked.
fn refused(complaint: Complaint, frame: &Frame) -> views::View {
    let data = views::LogsPage {
        complaint: Some(complaint),
        ..views::LogsPage::default()
    };
    views::logs(&data, frame)
}

/// The records, those around a moment, or their patterns; and how many there are over time.
fn logs_page(
    session: &Session<'_>,
    question: &LogQuery,
    wants_patterns: bool,
    moment: Option<u64>,
) -> Result<views::LogsPage, QueryError> {
    let histogram = query::log_histogram(session, question, LOG_STEPS)?;
    let (mut patterns, mut beside) = (None, None);
    let found = match moment {
        _ if wants_patterns => {
            patterns = Some(query::log_patterns(session, question)?);
            Page::default()
        }
        Some(time_ns) => {
            let (found, around) = around(session, question, time_ns)?;
            beside = Some(around);
            found
        }
        // The histogram has them all.
        None => Page {
            total: Some(histogram.records()),
            ..query::logs(session, question)?
        },
    };
    Ok(views::LogsPage {
        found,
        patterns,
        around: beside,
        complaint: None,
        how: views::LogsHow {
            histogram: how::log_histogram(question, LOG_STEPS)?,
            records: how::log_records(question)?,
        },
        histogram,
    })
}

/// The records just before and after a moment.
fn around(
    session: &Session<'_>,
    question: &LogQuery,
    time_ns: u64,
) -> Result<(Page<LogRecord>, views::Around), QueryError> {
    let nanos = |ns: u64| {
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        ns.min(TimeRange::LAST_UNIX_NANO)
    };
    let mut asked = LogQuery {
        limit: AROUND_MAX,
        cursor: None,
        ..question.clone()
    };
    let mut half_ns = views::AROUND_NS;
    let mut found = Page::default();
    for tried in AROUND_TRIED {
        half_ns = tried;
        asked.range = Some(TimeRange {
            from_unix_nano: nanos(time_ns.saturating_sub(half_ns)),
            // The end is not included.
            to_unix_nano: nanos(time_ns.saturating_add(half_ns + 1)),
        });
        found = query::logs(session, &asked)?;
        if !found.truncated {
            break;
        }
    }
    // What is older is reached by leaving this view.
    found.next = None;
    Ok((found, views::Around { time_ns, half_ns }))
}
