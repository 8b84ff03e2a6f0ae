//! Starting other programs: one that must succeed, one whose output is read while it streams by.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, io};

use anyhow::{Context as _, bail};

/// The command as a person would type it, for messages.
pub(crate) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        let word = word.to_string_lossy();
        let word = word
            .rsplit_once("/bin/")
            .map_or(word.as_ref(), |(_, name)| name);
        line.push_str(word);
    }
    line
}

/// Runs a command with this terminal's output; anything but exit status 0 is an error.
pub(crate) fn must(command: &mut Command) -> anyhow::Result<()> {
    println!("  $ {}", describe(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{}`", describe(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", describe(command));
    }
    Ok(())
}

/// Runs a command whose standard output is printed as it comes and shown line by line to `see`.
pub(crate) fn stream(
    command: &mut Command,
    mut see: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    println!("  $ {}", describe(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", describe(command)))?;
    let stdout = child.stdout.take().expect("stdout was asked to be piped");
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let mut out = io::stdout().lock();
        out.write_all(&line)?;
        out.flush()?;
        drop(out);
        see(String::from_utf8_lossy(&line).trim_end());
    }
    Ok(child.wait()?)
}

/// The same command under coreutils' `timeout`, so that one hanging stage on a CI machine does
/// not eat the time of all the others. By hand, Ctrl-C does the job and must keep doing it.
pub(crate) fn within(limit: Duration, command: Command) -> Command {
    if !crate::workspace::on_ci() || find("timeout").is_none() {
        return command;
    }
    let mut wrapped = Command::new("timeout");
    wrapped
        .arg("--kill-after=20")
        .arg(limit.as_secs().to_string());
    wrapped.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        wrapped.current_dir(dir);
    }
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    wrapped
}

/// The full path of a program on `PATH`, if it is there.
pub(crate) fn find(program: &str) -> Option<OsString> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
        .map(Into::into)
}
