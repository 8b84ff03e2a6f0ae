//! The fuzz corpus, replayed: every file that ever taught us something.

use std::path::Path;

#[path = "../../../../fuzz/properties.rs"]
mod properties;

/// Runs `property` on every file of one target's corpus.
fn replay(target: &str, property: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&dir).expect("the corpus is committed") {
        let path = entry.expect("readable").path();
        property(&std::fs::read(&path).expect("readable"));
        files += 1;
    }
    assert!(files >= 5, "the corpus of {target} has only {files} files");
}

#[test]
fn fuzz_corpus_of_json_replays() {
    replay("json", properties::json);
}

#[test]
fn fuzz_corpus_of_protobuf_replays() {
    replay("protobuf", properties::protobuf);
}

#[test]
fn every_truncation_of_the_examples_is_refused_without_a_panic() {
    for example in [
        include_str!("fixtures/trace.json"),
        include_str!("fixtures/metrics.json"),
        include_str!("fixtures/logs.json"),
    ] {
        for end in (0..example.len()).step_by(3) {
            properties::json(&example.as_bytes()[..end]);
        }
    }
}
