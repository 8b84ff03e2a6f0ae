//! The system calls of a server, as `strace` writes them down: what was done, and in which order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::PATIENCE;

/// The calls that make bytes and names durable, or show them to somebody.
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";

/// What to start a program under so that its calls are written to `file`. It stays the child of who starts it, so that a
/// kill is one of the program itself.
pub fn tracer(file: &Path) -> Vec<String> {
    let words = ["strace", "-D", "-f", "-y", "-s", "24", "-e", CALLS, "-o"];
    let mut words = Vec::from(words.map(str::to_owned));
    words.push(file.to_string_lossy().into_owned());
    words
}

/// What to start a program under so that from this one on each of its threads' syncs fails.
pub fn spoiler(first: u32) -> Vec<String> {
    let words = [
        "strace",
        "-D",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
    ];
    let mut words = Vec::from(words.map(str::to_owned));
    words.push(format!("inject=fsync,fdatasync:error=EIO:when={first}+"));
    words
}

/// One call: its name with what it was called with and answered, and the lines of the trace at which it began and ended.
#[derive(Debug, Clone)]
pub struct Call {
    pub text: String,
    pub began: usize,
    pub ended: usize,
}

impl Call {
    /// Whether it is a call of one of these names, and its arguments say so.
    pub fn is(&self, names: &[&str], what: &str) -> bool {
        let name = self.text.split('(').next().unwrap_or_default();
        names.contains(&name) && self.text.contains(what)
    }

    /// Whether it makes a file or a directory durable, and did.
    pub fn syncs(&self, what: &str) -> bool {
        self.is(&["fsync", "fdatasync"], what) && self.text.trim_end().ends_with("= 0")
    }
}

/// The calls of a process that was killed, in the order in which they began; those it died in never ended.
pub async fn calls_of_the_dead(file: &Path, pid: u32) -> Result<Vec<Call>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let trace = std::fs::read_to_string(file)?;
        let is_over = trace.lines().any(|line| {
            divided(line).is_some_and(|(of, text)| of == pid && text.starts_with("+++ killed"))
        });
        if is_over {
            return Ok(parse(&trace));
        }
        ensure!(
            Instant::now() < deadline,
            "the trace has no end; is ptrace allowed here?"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn parse(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: BTreeMap<u32, usize> = BTreeMap::new();
    for (line, (pid, text)) in trace.lines().filter_map(divided).enumerate() {
        if let Some(rest) = text.strip_prefix("<... ") {
            if let Some(at) = unfinished.remove(&pid) {
                calls[at].text.push_str(rest);
                calls[at].ended = line;
            }
            continue;
        }
        let ended = if text.ends_with("<unfinished ...>") {
            unfinished.insert(pid, calls.len());
            usize::MAX
        } else {
            line
        };
        calls.push(Call {
            text: text.to_owned(),
            began: line,
            ended,
        });
    }
    calls
}

/// The process of a line, and what it did.
fn divided(line: &str) -> Option<(u32, &str)> {
    let (pid, text) = line.trim_start().split_once(' ')?;
    Some((pid.parse().ok()?, text.trim_start()))
}
