//! What the fuzz targets hold true of any bytes. The corpus is replayed against the same properties by a plain
//! `cargo test` (`tests/tests/corpus.rs`), so nothing here needs libFuzzer.

use tripline_collector::decode::{Logs, Metrics, Signal, Traces, hot, rows, signals_of};
use tripline_storage::filter::{Expected, Filter, Signal as Filtered};
use tripline_storage::sql::guard::{self, Refusal};

const ARRIVAL: u64 = 1_700_000_000_000_000_000;

/// Any text: a refusal or rows, never a panic; a refusal is short; what was accepted survives its own writing.
pub fn json(body: &[u8]) {
    json_of::<Traces>(body);
    json_of::<Metrics>(body);
    json_of::<Logs>(body);
    let _ = signals_of(body);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = hot::attributes(text);
        let _ = hot::value(text);
        use rows::Requests as _;
        let _ = rows::SpanRows::default().push(text);
        let _ = rows::LogRows::default().push(text);
        let _ = rows::MetricRows::default().push(text);
    }
}

fn json_of<S: Signal>(body: &[u8]) {
    match S::decode_json(body) {
        Err(malformed) => assert!(malformed.to_string().len() < 1_000, "{malformed}"),
        Ok(request) => {
            let text = S::encode_json(&request);
            let again = S::decode_json(text.as_bytes()).expect("our own text is read again");
            assert_eq!(S::encode_json(&again), text);
            let _ = S::into_batch(request, ARRIVAL);
        }
    }
}

/// Any bytes: a refusal or rows, never a panic; what was accepted gives as many items as its JSON.
pub fn protobuf(body: &[u8]) {
    protobuf_of::<Traces>(body);
    protobuf_of::<Metrics>(body);
    protobuf_of::<Logs>(body);
}

fn protobuf_of<S: Signal>(body: &[u8]) {
    let decoded = match S::from_protobuf(body, ARRIVAL) {
        Err(malformed) => return assert!(malformed.to_string().len() < 1_000, "{malformed}"),
        Ok(decoded) => decoded,
    };
    // The reader without structs allows a resource two levels more than the limit of 100.
    let Ok(request) = <S::Request as prost::Message>::decode(body) else {
        return;
    };
    let text = S::encode_json(&request);
    let other = S::from_json(text.as_bytes(), ARRIVAL).expect("our own text is read again");
    assert_eq!(decoded.batch.items(), other.batch.items());
    assert_eq!(decoded.dropped, other.dropped);
}

/// Any text as SQL: let through or refused, never a panic; a refusal is short and points into the text; what was let
/// through is let through again as it will run.
pub fn sql(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else {
        return;
    };
    match guard::check(text) {
        Ok(checked) => {
            guard::check(checked.text()).expect("what runs has passed the guard");
        }
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(words.len() < 4_000, "{words}");
            // What the guard answers when its own thread panicked.
            assert_ne!(words, "the statement could not be checked", "{text}");
            let (Refusal::Refused { position, .. } | Refusal::Syntax { position, .. }) = refusal;
            assert!(
                position.is_none_or(|at| at <= text.len()),
                "{position:?} in {text}"
            );
        }
    }
}

/// Any text as a filter: a complaint whose column lies inside, or a filter that prints as itself.
pub fn filter(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else {
        return;
    };
    let chars = text.chars().count();
    for signal in [Filtered::Spans, Filtered::Logs, Filtered::Metrics] {
        match Filter::parse(text, signal) {
            Err(error) => {
                assert!((1..=chars + 1).contains(&error.column), "{error}");
                assert!(error.message.len() < 2_000, "{error}");
            }
            Ok(filter) => {
                let printed = filter.to_string();
                match Filter::parse(&printed, signal) {
                    Ok(again) => assert_eq!(again, filter, "{printed}"),
                    // Spelt out it may be longer than a filter may be.
                    Err(error) => assert!(error.message.contains("at most"), "{printed}: {error}"),
                }
            }
        }
        for at in [0, chars / 2, chars] {
            let _ = Expected::at(text, at, signal);
        }
    }
}
