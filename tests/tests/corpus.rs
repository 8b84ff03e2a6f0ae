//! The fuzz corpus, replayed: every input that ever taught us something, and what grows out of the examples.

use std::path::{Path, PathBuf};

#[path = "../../fuzz/properties.rs"]
mod properties;

/// Files of one target's corpus.
fn corpus(target: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let entries = std::fs::read_dir(&dir).expect("the corpus is committed");
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert!(
        files.len() >= 30,
        "the corpus of {target} has only {} files",
        files.len()
    );
    files
}

fn replay(target: &str, property: fn(&[u8])) {
    for path in corpus(target) {
        property(&std::fs::read(&path).expect("readable"));
    }
}

#[test]
fn json_corpus_holds_its_properties() {
    replay("json", properties::json);
}

#[test]
fn protobuf_corpus_holds_its_properties() {
    replay("protobuf", properties::protobuf);
}

#[test]
fn sql_corpus_holds_its_properties() {
    replay("sql", properties::sql);
}

#[test]
fn filter_corpus_holds_its_properties() {
    replay("filter", properties::filter);
}

#[test]
fn every_truncation_and_bit_flip_of_the_corpus_is_answered_without_a_panic() {
    for (target, property) in [
        ("json", properties::json as fn(&[u8])),
        ("protobuf", properties::protobuf as fn(&[u8])),
        ("sql", properties::sql),
        ("filter", properties::filter),
    ] {
        for path in corpus(target) {
            let whole = std::fs::read(&path).expect("readable");
            let step = whole.len() / 150 + 1;
            for at in (0..whole.len()).step_by(step) {
                property(&whole[..at]);
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                property(&flipped);
            }
        }
    }
}
