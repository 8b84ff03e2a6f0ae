//! `LOCK`: one process a data directory, and how others find it.
//!
//! The file is held with `flock` (freed by the kernel however the process ends) and holds the process id
//! and, once they are known, the addresses it listens on.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;

/// Who holds a data directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process, when it could be read.
    pub pid: Option<u32>,
    /// What it announced: one JSON object of bound addresses, or empty.
    pub addresses: String,
}

/// The held lock.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the directory's lock, or says who has it.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("LOCK");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| OpenError::from_io(dir, source))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = parse(&mut file);
                return Err(OpenError::Locked {
                    data_dir: dir.to_owned(),
                    pid: holder.pid,
                    addresses: holder.addresses,
                });
            }
            Err(errno) => return Err(OpenError::from_io(dir, errno.into())),
        }
        let mut lock = Self { file };
        lock.announce("")
            .map_err(|source| OpenError::from_io(dir, source))?;
        Ok(lock)
    }

    /// Writes who we are and where we listen.
    pub(crate) fn announce(&mut self, addresses: &str) -> io::Result<()> {
        let content = format!("{}\n{addresses}\n", std::process::id());
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(content.as_bytes())?;
        self.file.sync_data()
    }
}

/// Who holds the directory now; `None` when nobody does.
pub fn lock_holder(dir: &Path) -> io::Result<Option<LockHolder>> {
    let mut file = match File::open(dir.join("LOCK")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(parse(&mut file))),
        Err(errno) => Err(errno.into()),
    }
}

/// Line one is the process, line two what it announced.
fn parse(file: &mut File) -> LockHolder {
    let mut text = String::new();
    // A holder that cannot be read is still a holder.
    let _ = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_string(&mut text));
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    LockHolder {
        pid,
        addresses: lines.next().unwrap_or_default().to_owned(),
    }
}
