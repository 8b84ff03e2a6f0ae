//! `tripline sql`.

/// Arguments of `tripline sql`.
#[derive(Debug, clap::Args)]
pub struct SqlArgs {}

pub(super) fn run(_args: SqlArgs) -> anyhow::Result<()> {
    anyhow::bail!("not in this build")
}
