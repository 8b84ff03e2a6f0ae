//! `tripline serve --bundle`: an incident bundle, looked at and nothing else.
//!
//! Its rows go into a data directory of their own under the system's temporary one, which is deleted at the end. No
//! receiver is bound, so nothing is ever added; the bundle's own files are only read.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::commands::export::bundle::{FORMAT, MANIFEST};
use crate::commands::import;
use crate::config::Config;

/// The unpacked bundle; deleted when dropped.
pub(super) struct Unpacked(PathBuf);

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Checks the manifest, imports the rows, and points the configuration at them.
pub(super) fn open(dir: &Path, config: &mut Config) -> anyhow::Result<Unpacked> {
    let shown = dir.display();
    let text = std::fs::read_to_string(dir.join(MANIFEST))
        .with_context(|| format!("{shown} is no bundle: it has no {MANIFEST}"))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)
        .with_context(|| format!("{MANIFEST} of {shown} is not JSON"))?;
    let format = manifest["format"].as_u64().unwrap_or(0);
    ensure!(
        format == FORMAT,
        "{shown} has format {format}, this is {FORMAT}: use the version of Tripline that wrote it ({})",
        manifest["version"].as_str().unwrap_or("not said")
    );
    let unpacked =
        Unpacked(std::env::temp_dir().join(format!("tripline-bundle-{}", std::process::id())));
    let _ = std::fs::remove_dir_all(&unpacked.0);
    std::fs::create_dir_all(&unpacked.0)?;
    config.data_dir = unpacked.0.clone();
    config.otlp_grpc = String::new();
    config.otlp_http = String::new();
    import::load(&[dir.to_owned()], config)
        .with_context(|| format!("cannot read the rows of {shown}"))?;
    Ok(unpacked)
}
