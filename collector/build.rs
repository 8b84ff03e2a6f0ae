//! Puts the browser bundle into the binary, if `cargo xtask` has built one.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let dist = env::var_os("XTASK_BUNDLE_DIR")
        .map_or_else(|| crate_dir.join("../web/dist"), PathBuf::from);
    println!("cargo::rerun-if-env-changed=XTASK_BUNDLE_DIR");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut entries = String::new();
    for name in ["tripline_web.js", "tripline_web_bg.wasm"] {
        let path = dist.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        if let Ok(path) = path.canonicalize() {
            entries.push_str(&format!("    ({name:?}, include_bytes!({path:?})),\n"));
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("bundle.rs");
    let text = format!("static BUNDLE: &[(&str, &[u8])] = &[\n{entries}];\n");
    fs::write(out, text).expect("OUT_DIR can be written");
}
