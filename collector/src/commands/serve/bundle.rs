//! `tripline serve --bundle`: an incident bundle, looked at and nothing else.
//!
//! Its rows go into a data directory of their own under the system's temporary one, which is deleted at the end. No
//! receiver is bound and the API takes no writes, so nothing is ever added; the bundle's own files are only read. What
//! counts as now is the end of its range, so that it looks the same whenever it is opened.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tripline_storage::learned::LEARNED_FILE;

use crate::commands::export::bundle::{BUNDLED_LEARNED, FORMAT, MANIFEST, PEERS, cut, number};
use crate::commands::import;
use crate::config::{Bundle, Config, PeerSection};

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
    let manifest: Value = serde_json::from_str(&text)
        .with_context(|| format!("{MANIFEST} of {shown} is not JSON"))?;
    let format = manifest["format"].as_u64().unwrap_or(0);
    ensure!(
        format == FORMAT,
        "{shown} has format {format}, this is {FORMAT}: use the version of Tripline that wrote it ({})",
        manifest["version"].as_str().unwrap_or("not said")
    );
    config.bundle = Some(
        read(&manifest).with_context(|| format!("{MANIFEST} of {shown} does not say its range"))?,
    );
    let unpacked =
        Unpacked(std::env::temp_dir().join(format!("tripline-bundle-{}", std::process::id())));
    let _ = std::fs::remove_dir_all(&unpacked.0);
    std::fs::create_dir_all(&unpacked.0)?;
    config.data_dir = unpacked.0.clone();
    config.otlp_grpc = String::new();
    config.otlp_http = String::new();
    let learned = dir.join(BUNDLED_LEARNED);
    if learned.is_file() {
        std::fs::copy(&learned, unpacked.0.join(LEARNED_FILE))?;
    }
    let rules = peers(dir).with_context(|| format!("cannot read {PEERS} of {shown}"))?;
    if let Some(rules) = rules {
        config.resilience.peer = rules;
    }
    import::load(&[dir.to_owned()], config)
        .with_context(|| format!("cannot read the rows of {shown}"))?;
    Ok(unpacked)
}

/// The rules for callees that held when the bundle was written; those of older versions do not say.
fn peers(dir: &Path) -> anyhow::Result<Option<Vec<PeerSection>>> {
    let file = dir.join(PEERS);
    if !file.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file)?;
    Ok(Some(serde_json::from_str(&text)?))
}

/// What the manifest says; `None` without a range.
fn read(manifest: &Value) -> Option<Bundle> {
    let ids = manifest["incidents"].as_array().into_iter().flatten();
    let signals = manifest["rows"].as_object().into_iter().flatten();
    Some(Bundle {
        from_unix_nano: number(&manifest["from_unix_nano"])?,
        to_unix_nano: number(&manifest["to_unix_nano"])?,
        incidents: ids
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
        cut: signals
            .filter_map(|(signal, rows)| {
                let (kept, stored) = (number(&rows["kept"])?, number(&rows["stored"])?);
                (kept < stored).then(|| cut(signal, kept, stored))
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_for_callees_are_those_of_the_bundle_where_it_has_some() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(peers(dir.path()).expect("nothing to read"), None);
        let rule = json!([{"service": "shop", "breaker": "back*", "peer": "ledger"}]);
        let write = |text: &str| std::fs::write(dir.path().join(PEERS), text).expect("written");
        write(&rule.to_string());
        let rules = peers(dir.path()).expect("rules").expect("a file");
        assert_eq!((rules.len(), rules[0].peer.as_str()), (1, "ledger"));
        write("[]");
        assert_eq!(peers(dir.path()).expect("none"), Some(Vec::new()));
        write("{");
        assert!(peers(dir.path()).is_err());
    }

    #[test]
    fn a_manifest_says_its_range_and_what_was_left_out() {
        let manifest = json!({"from_unix_nano": "5", "to_unix_nano": "9", "incidents": ["7-00112233445566aa"],
            "rows": {"traces": {"kept": 10, "stored": 12}, "logs": {"kept": 3, "stored": 3}}});
        let bundle = read(&manifest).expect("a range");
        assert_eq!((bundle.from_unix_nano, bundle.now()), (5, 9));
        assert_eq!(bundle.incidents, ["7-00112233445566aa"]);
        assert_eq!(bundle.cut.len(), 1);
        assert!(bundle.cut[0].contains("10 of 12 rows of traces"));
        assert_eq!(read(&json!({"incidents": []})), None);
    }
}
