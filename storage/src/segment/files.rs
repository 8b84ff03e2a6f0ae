//! Segment files on disk: their names, their numbers, and the fsyncs that make a rename a commit.
//!
//! `hot-<id>.duckdb` is being written or waits for the sealer, `seg-<id>.duckdb` is sealed, and
//! `seg-<id>.duckdb.tmp` is being made and means nothing yet. Numbers only grow: the high-water mark is kept
//! in `SEQUENCE`, so that a number is not used twice even when its file is long gone.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Kind of a segment file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// `hot-…`
    Hot,
    /// `seg-…`
    Sealed,
    /// `….tmp`: unfinished.
    Unfinished,
}

/// A segment file found in the data directory.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub kind: FileKind,
    pub id: u64,
    pub path: PathBuf,
}

/// Path of a hot segment.
pub(crate) fn hot_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("hot-{id:010}.duckdb"))
}

/// Path of a sealed segment.
pub(crate) fn sealed_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("seg-{id:010}.duckdb"))
}

/// Path of a sealed segment that is being made.
pub(crate) fn unfinished_path(dir: &Path, id: u64) -> PathBuf {
    dir.join(format!("seg-{id:010}.duckdb.tmp"))
}

/// Every segment file of the directory, in the order of their numbers.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let (kind, number) = if let Some(number) = strip(name, "seg-", ".duckdb.tmp") {
            (FileKind::Unfinished, number)
        } else if let Some(number) = strip(name, "seg-", ".duckdb") {
            (FileKind::Sealed, number)
        } else if let Some(number) = strip(name, "hot-", ".duckdb") {
            (FileKind::Hot, number)
        } else {
            continue;
        };
        if let Ok(id) = number.parse() {
            found.push(Found { kind, id, path });
        }
    }
    found.sort_by_key(|file| file.id);
    Ok(found)
}

fn strip<'a>(name: &'a str, prefix: &str, suffix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix)?.strip_suffix(suffix)
}

/// The write-ahead log beside a DuckDB file.
pub(crate) fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wal");
    PathBuf::from(name)
}

/// Removes a segment file and its log; what is gone already is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    for path in [wal_path(path), path.to_owned()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Bytes of a segment file and its log.
pub(crate) fn size(path: &Path) -> u64 {
    let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    len(path) + len(&wal_path(path))
}

/// Makes a file's content durable.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the directory's names durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a directory that is not there, and those above it; their names are durable.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    let dir = std::path::absolute(dir)?;
    let missing: Vec<&Path> = dir.ancestors().take_while(|path| !path.is_dir()).collect();
    fs::create_dir_all(&dir)?;
    missing
        .iter()
        .filter_map(|path| path.parent())
        .try_for_each(sync_dir)
}

/// Hands out segment numbers, each once for ever.
#[derive(Debug)]
pub(crate) struct Sequence {
    file: File,
    next: u64,
}

impl Sequence {
    /// Opens `SEQUENCE`; `floor` is the largest number seen in the directory.
    pub(crate) fn open(dir: &Path, floor: u64) -> io::Result<Self> {
        let path = dir.join("SEQUENCE");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut text = String::new();
        // Unreadable content costs nothing but the memory of deleted numbers.
        let _ = file.read_to_string(&mut text);
        let stored: u64 = text.trim().parse().unwrap_or(0);
        Ok(Self {
            file,
            next: stored.max(floor) + 1,
        })
    }

    /// A new number, remembered on disk before it is used.
    pub(crate) fn take(&mut self) -> io::Result<u64> {
        use std::io::{Seek as _, SeekFrom};
        let id = self.next;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{id:020}\n").as_bytes())?;
        self.file.sync_data()?;
        self.next = id + 1;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_handed_out_twice_even_when_their_files_are_gone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut sequence = Sequence::open(dir.path(), 0).expect("open");
        assert_eq!(sequence.take().expect("take"), 1);
        assert_eq!(sequence.take().expect("take"), 2);
        drop(sequence);
        assert_eq!(
            Sequence::open(dir.path(), 0)
                .expect("open")
                .take()
                .expect("take"),
            3
        );
        assert_eq!(
            Sequence::open(dir.path(), 9)
                .expect("open")
                .take()
                .expect("take"),
            10
        );
    }
}
