//! Many short texts looked for at once in a whole column.
//!
//! A column's values lie in one buffer; the usual answer, "nothing here", costs one pass over it
//! (Aho-Corasick, vectorised), whatever the number of rows and needles.

use aho_corasick::{AhoCorasick, MatchKind};
use arrow::array::{Array as _, StringArray};

/// Texts to look for, and what each stands for.
#[derive(Debug)]
pub(super) struct Needles<T> {
    /// Finds the rows: leftmost matching is what Aho-Corasick vectorises.
    scan: Option<AhoCorasick>,
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
        let compiled = |kind, texts: &[&str]| {
            let build = AhoCorasick::builder().match_kind(kind).build(texts);
            (!texts.is_empty()).then(|| build.expect("a few hundred short texts"))
        };
        let all: Vec<&str> = texts.iter().map(String::as_str).collect();
        Self {
            scan: compiled(MatchKind::LeftmostFirst, &shortest(&all)),
            all: compiled(MatchKind::Standard, &all),
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
        for found in scan.find_iter(text) {
            // A match that straddles two rows is none, but may hide one in either.
            for at in [found.start(), found.end() - 1] {
                let at = i32::try_from(first + at).unwrap_or(i32::MAX);
                let row = offsets.partition_point(|offset| *offset <= at) - 1;
                if row >= done && !column.is_null(row) {
                    self.add_all(row, column.value(row), &mut hits);
                    done = row + 1;
                }
            }
        }
        hits
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
        assert_eq!(
            shortest(&["half-open", "open", "close", "open"]),
            ["open", "close"]
        );
    }
}
