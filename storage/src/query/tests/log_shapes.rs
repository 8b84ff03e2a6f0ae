//! Histogram and patterns of logs against what was sent.

use super::*;
use crate::filter::{Filter, Signal};
use crate::query::{log_histogram, log_patterns};

#[test]
fn histogram_and_patterns_count_every_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = LogQuery {
        range: Some(RANGE),
        limit: 100,
        ..LogQuery::default()
    };
    let histogram = log_histogram(&session, &question, 66).expect("a histogram");
    // The range is 660 s long: one step is 10 s, and call `n` is n seconds after the sixth.
    for (at, step) in histogram.steps.iter().enumerate() {
        let expected = match at {
            6..=9 => (1, 9),
            _ => (0, 0),
        };
        assert_eq!((step.counts[5], step.counts[3]), expected, "step {at}");
    }
    assert_eq!(histogram.services, [("pay".to_owned(), 40)]);
    let patterns = log_patterns(&session, &question).expect("patterns");
    assert_eq!(
        (patterns.records, patterns.items.len(), patterns.truncated),
        (40, 1, false)
    );
    assert_eq!(patterns.total, 1);
    let found = &patterns.items[0];
    assert_eq!(
        (found.pattern.as_str(), found.count, found.severity_number),
        ("Paid order <*>", 40, 17)
    );
    let again = LogQuery {
        filter: Some(Filter::parse(&found.filter, Signal::Logs).expect("a filter")),
        ..question
    };
    assert_eq!(logs(&session, &again).expect("logs").items.len(), 40);
}

#[test]
fn patterns_beyond_the_hundredth_are_counted_and_are_no_older_records() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut columns = LogColumns::default();
    let letters: Vec<char> = ('a'..='k').collect();
    for first in &letters {
        for second in &letters {
            let body = format!("it was {first}{second}");
            columns.push(&LogRow {
                time_unix_nano: BASE,
                body: Some(&body),
                body_type: Some("string"),
                attributes: "{}",
                ..LogRow::default()
            });
        }
    }
    append(&store, "shop", Rows::Logs(columns));
    let reader = store.reader().expect("a reader");
    let question = LogQuery {
        range: Some(RANGE),
        limit: 100,
        ..LogQuery::default()
    };
    let patterns = log_patterns(&Session::new(&reader), &question).expect("patterns");
    assert_eq!(
        (patterns.items.len(), patterns.total, patterns.records),
        (100, 121, 121)
    );
    assert!(!patterns.truncated);
}
