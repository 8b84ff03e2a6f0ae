//! Room kept for retention: a file of the data directory that is given back when the disk is full.
//!
//! Raw telemetry goes only after its history is written, so on a full disk what would make room needs some. The file is
//! made while there is plenty, and never when it would take more than a quarter of what is free. While its room is
//! lent nothing else of the store may take it: commits are refused, the sealer waits. It holds nothing, so dying at any
//! moment leaves a reserve or none.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::FallocateFlags;

use super::StoreError;

/// The file's name in the data directory.
const NAME: &str = "RESERVE";
/// It is made where so many times as much is free.
const PLENTY: u64 = 4;

/// The reserve of a data directory.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    lent: AtomicBool,
    is_told: AtomicBool,
}

/// Its room, for who makes more of it; taken back, as far as it is still there, when this is dropped.
#[derive(Debug)]
pub(crate) struct Lent<'a>(&'a Reserve);

impl Reserve {
    /// A reserve of so many bytes, which [`Self::keep`] makes; 0 = none.
    pub(crate) fn new(dir: &Path, bytes: u64) -> Self {
        Self {
            path: dir.join(NAME),
            bytes,
            lent: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }
    }

    /// Makes the file if it is not there and there is plenty of room; takes it away where none is wanted.
    pub(crate) fn keep(&self) {
        let kept = if self.bytes == 0 {
            remove(&self.path)
        } else if self.is_held() {
            Ok(())
        } else {
            self.make_if_plenty()
        };
        if let Err(error) = kept
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, path = %self.path.display(), "no room can be kept for retention");
        }
    }

    /// Gives its room to the caller, however much of it there is.
    pub(crate) fn lend(&self) -> io::Result<Lent<'_>> {
        self.lent.store(true, Ordering::Release);
        let lent = Lent(self);
        remove(&self.path)?;
        Ok(lent)
    }

    /// Whether its room is lent: what else needs some waits.
    pub(crate) fn is_lent(&self) -> bool {
        self.lent.load(Ordering::Acquire)
    }

    fn is_held(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() >= self.bytes)
    }

    fn make_if_plenty(&self) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let disk = rustix::fs::statvfs(dir)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.bytes.saturating_mul(PLENTY) {
            return Ok(());
        }
        self.make()
    }

    /// All of it or nothing.
    fn make(&self) -> io::Result<()> {
        let file = File::create(&self.path)?;
        let made = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.bytes);
        if made.is_err() {
            remove(&self.path)?;
        }
        Ok(made?)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // What was made of it may have taken its place: then there is plenty again some time later.
        if self.0.bytes > 0 {
            let _ = self.0.make();
        }
        self.0.lent.store(false, Ordering::Release);
    }
}

/// Whether work failed because the disk, or its user's part of it, is full.
pub(crate) fn is_full(error: &StoreError) -> bool {
    let text = error.to_string();
    ["No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 1 << 20;

    fn reserve(dir: &Path, bytes: u64) -> (Reserve, impl Fn() -> Option<u64>) {
        let path = dir.join(NAME);
        let held = move || Some(fs::metadata(&path).ok()?.len());
        (Reserve::new(dir, bytes), held)
    }

    #[test]
    fn its_room_is_given_back_while_it_is_lent_and_kept_again_after() {
        let dir = tempfile::tempdir().expect("a directory");
        let (reserve, held) = reserve(dir.path(), BYTES);
        assert_eq!(held(), None);
        reserve.keep();
        assert_eq!((held(), reserve.is_lent()), (Some(BYTES), false));
        let lent = reserve.lend().expect("lent");
        assert_eq!((held(), reserve.is_lent()), (None, true));
        drop(lent);
        assert_eq!((held(), reserve.is_lent()), (Some(BYTES), false));
    }

    #[test]
    fn it_never_takes_what_others_need_and_goes_where_none_is_wanted() {
        let dir = tempfile::tempdir().expect("a directory");
        let (too_large, held) = reserve(dir.path(), u64::MAX / 8);
        too_large.keep();
        assert_eq!(held(), None);
        let (wanted, held) = reserve(dir.path(), BYTES);
        wanted.keep();
        assert_eq!(held(), Some(BYTES));
        let (unwanted, held) = reserve(dir.path(), 0);
        unwanted.keep();
        assert_eq!(held(), None);
    }
}
