//! The files a page loads: in the binary, named by their hash, compressed once, cached for ever.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use tripline_web::frame::{AssetPaths, BundlePaths};

use crate::api::problem::Problem;

// `BUNDLE`: name and bytes of each file of the browser bundle; empty when there was none at build time.
include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

struct Asset {
    /// As it was built: `tripline.css`.
    plain_name: &'static str,
    /// With its hash: `tripline-0123456789abcdef.css`.
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
    gzip: OnceLock<Vec<u8>>,
    brotli: OnceLock<Vec<u8>>,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let own: [(&str, &[u8]); 3] = [
        ("tripline.css", tripline_web::STYLE.as_bytes()),
        ("icon.svg", tripline_web::ICON.as_bytes()),
        ("islands.js", tripline_web::LOADER.as_bytes()),
    ];
    own.iter()
        .chain(BUNDLE)
        .map(|(name, bytes)| Asset::new(name, bytes))
        .collect()
});

impl Asset {
    fn new(plain_name: &'static str, bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let (stem, extension) = plain_name.rsplit_once('.').unwrap_or((plain_name, ""));
        let kind = match extension {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "wasm" => "application/wasm",
            "svg" => "image/svg+xml",
            _ => "application/octet-stream",
        };
        let name = format!("{stem}-{:016x}.{extension}", hasher.finish());
        Self {
            plain_name,
            name,
            kind,
            bytes,
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        }
    }

    /// The best encoding the client takes.
    fn encoded(&self, accepted: &str) -> (Option<&'static str>, &[u8]) {
        let takes = |name: &str| {
            accepted.split(',').any(|part| {
                let mut words = part.split(';').map(str::trim);
                words.next() == Some(name) && !words.any(|word| word == "q=0")
            })
        };
        if takes("br") {
            (Some("br"), self.brotli.get_or_init(|| brotli(self.bytes)))
        } else if takes("gzip") {
            (Some("gzip"), self.gzip.get_or_init(|| gzip(self.bytes)))
        } else {
            (None, self.bytes)
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to memory cannot fail")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams {
        quality: 10,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params)
        .expect("writing to memory cannot fail");
    out
}

/// `/assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Problem::not_found("no such file; reload the page, the server may be newer")
            .into_response();
    };
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (encoding, bytes) = asset.encoded(accepted);
    let mut response = bytes.to_vec().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Where the files are.
pub(super) fn paths() -> AssetPaths {
    let path = |plain_name: &str| {
        ASSETS
            .iter()
            .find(|asset| asset.plain_name == plain_name)
            .map(|asset| format!("/assets/{}", asset.name))
    };
    let bundle = path("tripline_web.js")
        .zip(path("tripline_web_bg.wasm"))
        .map(|(module, wasm)| BundlePaths {
            loader: path("islands.js").unwrap_or_default(),
            module,
            wasm,
        });
    AssetPaths {
        style: path("tripline.css").unwrap_or_default(),
        icon: path("icon.svg").unwrap_or_default(),
        bundle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_best_encoding_it_takes() {
        let asset = ASSETS
            .iter()
            .find(|asset| asset.plain_name == "tripline.css")
            .expect("the stylesheet");
        assert_eq!(asset.encoded("gzip, br").0, Some("br"));
        assert_eq!(asset.encoded("gzip;q=1, br;q=0").0, Some("gzip"));
        assert_eq!(asset.encoded("").0, None);
        assert!(asset.encoded("br").1.len() < asset.bytes.len() / 2);
    }

    /// What a browser fetches to bring a page to life, compressed, in bytes.
    const BUNDLE_MAX: usize = 500_000;

    #[test]
    fn the_bundle_is_there_and_within_its_budget() {
        let size = |plain_name: &str| {
            let mut assets = ASSETS.iter();
            let asset = assets.find(|asset| asset.plain_name == plain_name);
            let asset = asset.unwrap_or_else(|| {
                panic!("no {plain_name}: `cargo xtask bundle` builds what the browser runs")
            });
            asset.encoded("br").1.len()
        };
        let sizes = ["tripline_web_bg.wasm", "tripline_web.js", "islands.js"].map(size);
        let all: usize = sizes.iter().sum();
        assert!(all <= BUNDLE_MAX, "{all} bytes compressed: {sizes:?}");
    }
}
