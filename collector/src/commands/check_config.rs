//! `tripline check-config`: the effective configuration, without secrets.

use anyhow::Context as _;

use super::{ServeFlags, print_line};

/// Prints what `serve` would use, as TOML that can be saved as the file.
pub(super) fn run(flags: &ServeFlags) -> anyhow::Result<()> {
    let config = flags.load()?;
    super::serve::check(&config)?;
    let text = toml::to_string_pretty(&config).context("the configuration has no TOML form")?;
    print_line(text.trim_end());
    Ok(())
}
