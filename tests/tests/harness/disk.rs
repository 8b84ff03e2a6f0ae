//! A disk that fills up: a tmpfs of a few megabytes, and a file that takes what is left of it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Mounted until it is dropped. Making one takes root, which a test of CI has: elsewhere the test fails and says so.
pub struct SmallDisk {
    path: PathBuf,
    _scratch: tempfile::TempDir,
}

impl SmallDisk {
    /// A disk of so many mebibytes.
    pub fn mount(mebibytes: u32) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let path = scratch.path().join("data");
        std::fs::create_dir(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&path)
            .status()
            .context("mount")?;
        ensure!(mounted.success(), "to mount a tmpfs takes root");
        Ok(Self {
            path,
            _scratch: scratch,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all that is free but for so many bytes.
    pub fn fill(&self, left: u64) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let block = [0x5a; 64 << 10];
        let mut bytes = 0;
        loop {
            match ballast.write(&block) {
                Ok(written) if written > 0 => bytes += written as u64,
                Err(error) if error.kind() != ErrorKind::StorageFull => bail!(error),
                _ => break,
            }
        }
        Ok(ballast.set_len(bytes.saturating_sub(left))?)
    }

    /// Gives it back.
    pub fn make_room(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
