//! `tripline export`.

/// Arguments of `tripline export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {}

pub(super) fn run(_args: ExportArgs) -> anyhow::Result<()> {
    anyhow::bail!("not in this build")
}
