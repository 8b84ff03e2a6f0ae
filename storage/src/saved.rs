//! Saved views: names for addresses of pages, kept beside the data in one small JSON file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::json_file::JsonFile;

/// Views at most.
pub const VIEWS_MAX: usize = 500;
/// Longest name, characters.
pub const NAME_CHARS_MAX: usize = 120;
/// Longest address, bytes.
pub const PATH_BYTES_MAX: usize = 16_384;

/// A name for the address of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// Never given twice in one data directory.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// Path and query of the page.
    pub path: String,
    /// When it was saved.
    pub saved_unix_nano: u64,
}

/// Why a view was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The name is empty or too long.
    #[error("a name has 1 to {NAME_CHARS_MAX} characters")]
    Name,
    /// It is not the address of a page here.
    #[error("a view is the path of a page, at most {PATH_BYTES_MAX} bytes")]
    Path,
    /// There are too many.
    #[error("there are {VIEWS_MAX} views already; delete one first")]
    Full,
    /// The file could not be written.
    #[error("the file of saved views cannot be written")]
    Io(#[from] std::io::Error),
}

/// The saved views of a data directory.
#[derive(Debug)]
pub struct SavedViews {
    file: JsonFile<Kept>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Kept {
    next_id: u64,
    views: Vec<SavedView>,
}

impl SavedViews {
    /// Reads them; no file is no views. A file that cannot be read is kept aside and told.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open(data_dir: &Path) -> std::io::Result<Self> {
        let file = JsonFile::open(data_dir.join("views.json"), "saved views")?;
        Ok(Self { file })
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<SavedView> {
        let mut views = self.file.kept().views.clone();
        views.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        views
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<SavedView> {
        self.file
            .kept()
            .views
            .iter()
            .find(|view| view.id == id)
            .cloned()
    }

    /// Saves a view and answers its id; an equal name is replaced.
    ///
    /// # Errors
    /// It is not a view, there are too many, or the file cannot be written: then nothing has changed.
    pub fn save(&self, name: &str, path: &str, now_unix_nano: u64) -> Result<u64, SaveError> {
        let name = name.trim();
        if name.is_empty()
            || name.chars().count() > NAME_CHARS_MAX
            || name.chars().any(char::is_control)
        {
            return Err(SaveError::Name);
        }
        let is_ours = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
        if !is_ours || path.len() > PATH_BYTES_MAX || path.chars().any(char::is_control) {
            return Err(SaveError::Path);
        }
        let mut kept = self.file.kept();
        let mut changed = kept.clone();
        changed.views.retain(|view| view.name != name);
        if changed.views.len() >= VIEWS_MAX {
            return Err(SaveError::Full);
        }
        changed.next_id += 1;
        let id = changed.next_id;
        changed.views.push(SavedView {
            id,
            name: name.to_owned(),
            path: path.to_owned(),
            saved_unix_nano: now_unix_nano,
        });
        self.file.replace(&mut kept, changed)?;
        Ok(id)
    }

    /// Forgets a view; whether there was one.
    ///
    /// # Errors
    /// The file cannot be written: then nothing has changed.
    pub fn delete(&self, id: u64) -> Result<bool, SaveError> {
        let mut kept = self.file.kept();
        let mut changed = kept.clone();
        changed.views.retain(|view| view.id != id);
        if changed.views.len() == kept.views.len() {
            return Ok(false);
        }
        self.file.replace(&mut kept, changed)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_survive_a_restart_and_an_equal_name_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let views = SavedViews::open(dir.path()).expect("opened");
        let first = views
            .save("slow", "/traces?q=duration+%3E+1s", 1)
            .expect("saved");
        views
            .save("errors", "/logs?q=severity%20%3E%3D%20error", 2)
            .expect("saved");
        let again = views
            .save("slow", "/traces?q=duration+%3E+2s", 3)
            .expect("replaced");
        assert_ne!(first, again);
        drop(views);
        let views = SavedViews::open(dir.path()).expect("opened again");
        let names: Vec<String> = views.list().into_iter().map(|view| view.name).collect();
        assert_eq!(names, ["errors", "slow"]);
        assert_eq!(
            views.get(again).expect("there").path,
            "/traces?q=duration+%3E+2s"
        );
        assert_eq!(views.get(first), None);
        assert!(views.delete(again).expect("deleted"));
        assert!(!views.delete(again).expect("gone already"));
    }

    #[test]
    fn what_is_no_view_is_refused_and_a_broken_file_is_kept_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("views.json"), "{broken").expect("written");
        let views = SavedViews::open(dir.path()).expect("opened");
        assert!(dir.path().join("views.json.unreadable").exists());
        for (name, path) in [
            ("", "/"),
            ("a\nb", "/"),
            ("x", "https://evil.example/"),
            ("x", "//evil.example/"),
            ("x", "/\\evil.example"),
            ("x", "/a\r\nb"),
        ] {
            assert!(views.save(name, path, 0).is_err(), "{name} {path}");
        }
        assert!(views.save(&"n".repeat(NAME_CHARS_MAX + 1), "/", 0).is_err());
        assert!(views.list().is_empty());
    }
}
