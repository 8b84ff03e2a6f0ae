//! Lines of a file, decompressed as its name says, each within a bound. A `.json` file holds documents, which may take
//! several lines each.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;

/// The longest line read: what a request may be, uncompressed.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A file's lines.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
    is_documents: bool,
}

/// Whether a directory's file is one to import.
pub(super) fn is_readable(file: &Path) -> bool {
    let name = unpacked_name(file);
    name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".ndjson")
}

/// A file's name without what says how it is compressed.
fn unpacked_name(file: &Path) -> &str {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.strip_suffix(".gz")
        .or(name.strip_suffix(".zst"))
        .unwrap_or(name)
}

impl Lines {
    pub(super) fn open(file: &Path) -> anyhow::Result<Self> {
        let plain = File::open(file)?;
        let reader: Box<dyn BufRead> = match file.extension().and_then(|name| name.to_str()) {
            Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(plain))),
            Some("zst") => Box::new(BufReader::new(zstd::Decoder::new(plain)?)),
            _ => Box::new(BufReader::new(plain)),
        };
        Ok(Self {
            reader,
            line: Vec::new(),
            number: 0,
            is_documents: unpacked_name(file).ends_with(".json"),
        })
    }

    /// The next line, or document, with the number of its first line, from 1; `None` after the last.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let first = self.number + 1;
        let mut nesting = Nesting::default();
        loop {
            let before = self.line.len();
            self.number += 1;
            let read = (&mut self.reader)
                .take(LINE_BYTES_MAX + 1 - before as u64)
                .read_until(b'\n', &mut self.line)
                .with_context(|| format!("line {}", self.number))?;
            anyhow::ensure!(
                self.line.len() as u64 <= LINE_BYTES_MAX,
                "line {first} is longer than 64 MiB"
            );
            if read == 0 || !self.is_documents {
                break;
            }
            nesting.read(&self.line[before..]);
            if nesting.depth == 0 {
                break;
            }
        }
        Ok((!self.line.is_empty()).then_some((first, self.line.as_slice())))
    }
}

/// How deep within a JSON document a text ends, told piece by piece.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Nesting {
    fn read(&mut self, piece: &[u8]) {
        for &byte in piece {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_text => self.is_escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.depth += 1,
                b'}' | b']' if !self.in_text => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}
