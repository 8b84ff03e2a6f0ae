//! Lines of a file, decompressed as its name says, each within a bound.

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
}

/// Whether a directory's file is one to import.
pub(super) fn is_readable(file: &Path) -> bool {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let name = name
        .strip_suffix(".gz")
        .or(name.strip_suffix(".zst"))
        .unwrap_or(name);
    name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".ndjson")
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
        })
    }

    /// The next line with its number, from 1; `None` after the last.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<(u64, &[u8])>> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.reader)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut self.line)
            .with_context(|| format!("line {}", self.number))?;
        anyhow::ensure!(
            read as u64 <= LINE_BYTES_MAX,
            "line {} is longer than 64 MiB",
            self.number
        );
        Ok((read > 0).then_some((self.number, self.line.as_slice())))
    }
}
