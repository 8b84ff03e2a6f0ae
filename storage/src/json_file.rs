//! One small JSON file beside the data, kept in memory as well.
//!
//! It is replaced whole (written aside, synced, renamed), so a crash leaves the old or the new one. A file that cannot
//! be read is kept aside and told: what people said is never overwritten for that.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sync::locked;

/// A file and what is in it.
#[derive(Debug)]
pub(crate) struct JsonFile<T> {
    path: PathBuf,
    kept: Mutex<T>,
}

impl<T: Default + Serialize + DeserializeOwned> JsonFile<T> {
    /// Reads it; no file is the default. `what` is in it, in the plural, for the log.
    ///
    /// # Errors
    /// It is there and cannot be read, or what cannot be understood cannot be kept aside.
    pub(crate) fn open(path: PathBuf, what: &str) -> std::io::Result<Self> {
        let kept = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).or_else(|error| {
                tracing::error!(%error, file = %path.display(), "{what} cannot be read and are kept aside");
                std::fs::rename(&path, path.with_extension("json.unreadable"))?;
                Ok::<_, std::io::Error>(T::default())
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => T::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            kept: Mutex::new(kept),
        })
    }

    /// What is in it. Nobody else may change it while this is held.
    pub(crate) fn kept(&self) -> MutexGuard<'_, T> {
        locked(&self.kept)
    }

    /// Replaces the file, and then what is kept of it.
    ///
    /// # Errors
    /// The file cannot be written: then nothing has changed.
    pub(crate) fn replace(&self, kept: &mut MutexGuard<'_, T>, changed: T) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&changed).map_err(std::io::Error::other)?;
        let aside = self.path.with_extension("json.tmp");
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, &self.path)?;
        if let Some(directory) = self.path.parent() {
            std::fs::File::open(directory)?.sync_all()?;
        }
        **kept = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_a_broken_file_is_kept_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("words.json");
        let open = || JsonFile::<Vec<String>>::open(path.clone(), "words").expect("opened");
        let words = open();
        assert!(words.kept().is_empty());
        words
            .replace(&mut words.kept(), vec!["open".to_owned()])
            .expect("replaced");
        assert_eq!(*words.kept(), ["open"]);
        assert_eq!(*open().kept(), ["open"]);
        assert!(!path.with_extension("json.tmp").exists());
        std::fs::write(&path, "[broken").expect("written");
        assert!(open().kept().is_empty());
        let aside = std::fs::read_to_string(path.with_extension("json.unreadable"));
        assert_eq!(aside.expect("kept aside"), "[broken");
    }

    #[test]
    fn nothing_changes_when_the_file_cannot_be_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("words.json");
        let words = JsonFile::<Vec<String>>::open(path.clone(), "words").expect("opened");
        std::fs::create_dir(path.with_extension("json.tmp")).expect("in the way");
        let refused = words.replace(&mut words.kept(), vec!["open".to_owned()]);
        assert!(refused.is_err());
        assert!(words.kept().is_empty() && !path.exists());
    }
}
