//! `tripline import`.

/// Arguments of `tripline import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {}

pub(super) fn run(_args: ImportArgs) -> anyhow::Result<()> {
    anyhow::bail!("not in this build")
}
