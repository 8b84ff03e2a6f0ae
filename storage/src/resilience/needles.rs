//! Many short texts looked for at once in a whole column.
//!
//! A column's values lie in one buffer; the usual answer, "nothing here", costs one vectorised pass over it, whatever
//! the number of rows and needles.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use arrow::array::{Array as _, StringArray};

/// How many texts vectors look for at once; of more, `aho_corasick` makes no packed search (its `packed/teddy/builder.rs`,
/// 1.1.5), and a batch costs six times as much.
const PACKED_MAX: usize = 64;

/// Texts to look for, and what each stands for.
#[derive(Debug)]
pub(super) struct Needles<T> {
    /// Finds the rows.
    scan: Option<Scan>,
    /// Tells every needle of a row that was found.
    all: Option<AhoCorasick>,
    targets: Vec<T>,
}

impl<T: Copy + PartialEq> Needles<T> {
    /// Compiles them. Empty needles are left out: they would be everywhere.
    pub(super) fn new(needles: Vec<(String, T)>) -> Self {
        let (texts, targets): (Vec<String>, Vec<T>) = needles
            .into_iter()
            .filter(|(text, _)| !text.is_empty())
            .unzip();
        let all = || AhoCorasick::new(&texts).expect("a few hundred short texts");
        let told: Vec<&str> = texts.iter().map(|text| piece(text)).collect();
        Self {
            scan: (!texts.is_empty()).then(|| Scan::of(&shortest(&told))),
            all: (!texts.is_empty()).then(all),
            targets,
        }
    }

    /// Rows with a needle, in order; a row comes once for each target found in it.
    pub(super) fn hits(&self, column: &StringArray) -> Vec<(usize, T)> {
        let mut hits = Vec::new();
        let Some(scan) = self.scan.as_ref().filter(|_| !column.is_empty()) else {
            return hits;
        };
        let offsets = column.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[column.len()] as usize);
        let text = &column.value_data()[first..last];
        let mut done = 0;
        let mut look_at = |at: usize| {
            let at = i32::try_from(first + at).unwrap_or(i32::MAX);
            let row = offsets.partition_point(|offset| *offset <= at) - 1;
            if row >= done && !column.is_null(row) {
                self.add_all(row, column.value(row), &mut hits);
                done = row + 1;
            }
        };
        scan.each(text, |found| {
            // A match that straddles two rows is none, but may hide one in either.
            look_at(found.start());
            look_at(found.end() - 1);
        });
        hits
    }

    /// What the needles of one text stand for, in their order.
    pub(super) fn of_text(&self, text: &str) -> Vec<T>
    where
        T: Ord,
    {
        let mut hits = Vec::new();
        if self
            .scan
            .as_ref()
            .is_some_and(|scan| scan.has(text.as_bytes()))
        {
            self.add_all(0, text, &mut hits);
            hits.sort_unstable();
        }
        hits.into_iter().map(|(_, target)| target).collect()
    }

    /// Whether vectors look for them. Of no needles, nothing does.
    #[cfg(test)]
    fn is_packed(&self) -> bool {
        !matches!(self.scan, Some(Scan::Automaton(_)))
    }

    fn add_all(&self, row: usize, text: &str, hits: &mut Vec<(usize, T)>) {
        let from = hits.len();
        for found in self
            .all
            .iter()
            .flat_map(|all| all.find_overlapping_iter(text))
        {
            let hit = (row, self.targets[found.pattern().as_usize()]);
            if !hits[from..].contains(&hit) {
                hits.push(hit);
            }
        }
    }
}

/// One pass for the leftmost of many texts.
#[derive(Debug)]
enum Scan {
    /// Vectorised, straight for what the texts begin with. Left to choose by itself, [`AhoCorasick`] takes the rarest byte
    /// that all needles share and runs from one to the next: of attribute keys that is a quote, which is everywhere
    /// (2.5 µs a span of 415 bytes; this takes 0.15, the automaton without such a filter 0.9).
    Packed(Searcher),
    /// Where the processor cannot do that, or the texts are too many.
    Automaton(AhoCorasick),
}

impl Scan {
    fn of(texts: &[&str]) -> Self {
        if texts.len() > PACKED_MAX {
            return Self::automaton(texts);
        }
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(texts)
            .build();
        packed.map_or_else(|| Self::automaton(texts), Self::Packed)
    }

    fn automaton(texts: &[&str]) -> Self {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(AhoCorasickKind::DFA))
            .prefilter(false)
            .build(texts);
        Self::Automaton(automaton.expect("a few hundred short texts"))
    }

    fn has(&self, text: &[u8]) -> bool {
        match self {
            Self::Packed(searcher) => searcher.find(text).is_some(),
            Self::Automaton(automaton) => automaton.is_match(text),
        }
    }

    fn each(&self, text: &[u8], mut see: impl FnMut(aho_corasick::Match)) {
        match self {
            Self::Packed(searcher) => searcher.find_iter(text).for_each(&mut see),
            Self::Automaton(automaton) => automaton.find_iter(text).for_each(&mut see),
        }
    }
}

/// What a row is looked through for: of the qualified name of a type, in quotes, its last part, which libraries share.
fn piece(text: &str) -> &str {
    let is_name = text.ends_with('"') && !text.contains(':');
    let last = text.rfind('.').filter(|_| is_name);
    last.and_then(|dot| text.get(dot..)).unwrap_or(text)
}

/// Those that have none of the others within them: a row with any of the texts has one of these. Only a few dozen are
/// looked for by vectors.
fn shortest<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let mut sorted = texts.to_vec();
    sorted.sort_by_key(|text| text.len());
    let mut kept: Vec<&str> = Vec::new();
    for text in sorted {
        if !kept.iter().any(|known| text.contains(known)) {
            kept.push(text);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::index::Recognisers;
    use super::*;

    #[test]
    fn hits_name_their_row_and_do_not_straddle() {
        let needles = Needles::new(vec![("open".to_owned(), 1), ("half-open".to_owned(), 2)]);
        let column = StringArray::from(vec![
            Some("nothing"),
            None,
            Some("half-open, open"),
            Some("op"),
            Some("en"),
            Some("open"),
        ]);
        assert_eq!(needles.hits(&column), [(2, 2), (2, 1), (5, 1)]);
        assert_eq!(needles.hits(&column.slice(3, 3)), [(2, 1)]);
        assert_eq!(needles.of_text("half-open, open"), [1, 2]);
        assert!(needles.of_text("op en").is_empty());
        let of_types = ["\"a.b.Open\"", "\"c.Open\""].map(str::to_owned);
        let types = Needles::new(of_types.into_iter().zip(1..).collect());
        assert_eq!(
            types.hits(&StringArray::from(vec!["d.Open\"", "\"c.Open\""])),
            [(1, 2)]
        );
        assert_eq!(
            shortest(&["half-open", "open", "close", "open"]),
            ["open", "close"]
        );
    }

    #[test]
    fn both_ways_to_scan_find_the_same() {
        let keys: Vec<String> = (0..300).map(|n| format!("\"key.{n}\":")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let texts = &keys[..60];
        let text = r#"{"key.7":1,"key.70":2,"a":"\"key.","key.59":"x"}{"key.0":[]}"#.repeat(3);
        let found = |scan: &Scan| {
            let mut found = Vec::new();
            scan.each(text.as_bytes(), |one| found.push(one.range()));
            found
        };
        let automaton = found(&Scan::automaton(texts));
        assert_eq!(automaton.len(), 9);
        assert_eq!(found(&Scan::of(texts)), automaton);
        // More than are packed.
        assert!(matches!(Scan::of(&keys), Scan::Automaton(_)));
        assert_eq!(found(&Scan::of(&keys)).len(), 12);
    }

    #[test]
    fn what_the_shipped_recognisers_look_for_is_few_enough_for_vectors() {
        let most: Vec<String> = (0..PACKED_MAX).map(|n| format!("\"key.{n}\":")).collect();
        let most: Vec<&str> = most.iter().map(String::as_str).collect();
        if matches!(Scan::of(&most), Scan::Automaton(_)) {
            // Not on this processor.
            return;
        }
        let shipped = Recognisers::shipped();
        for (column, is_packed) in [
            ("names of events", shipped.log_event_pieces.is_packed()),
            ("bodies of logs", shipped.log_bodies.is_packed()),
            ("attributes of logs", shipped.exceptions.is_packed()),
            ("attributes of spans", shipped.span_attributes.is_packed()),
            ("events of spans", shipped.span_events.is_packed()),
            ("status messages", shipped.messages.is_packed()),
            ("attributes of streams", shipped.metrics_any.is_packed()),
        ] {
            assert!(
                is_packed,
                "the recognisers look for more than {PACKED_MAX} texts in the {column}, which vectors cannot at once: ask for \
                 one that is within others, or for fewer"
            );
        }
    }
}
