//! TLS of a listener: rustls on ring, ALPN for both HTTP versions, client certificates when an authority is set.
//!
//! Changed files are loaded again at the next connection after the interval; files that cannot be loaded leave
//! the old certificate in use, with a warning, because a half-written file must not stop the service.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::config::{ConfigError, TlsConfig, TlsVersion};

pub(super) struct Tls {
    config: TlsConfig,
    current: Mutex<Current>,
}

struct Current {
    server: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
    checked: Instant,
}

impl Tls {
    pub(super) fn load(config: TlsConfig) -> Result<Self, ConfigError> {
        let stamps = stamps(&config);
        let server = Arc::new(server_config(&config)?);
        let current = Mutex::new(Current {
            server,
            stamps,
            checked: Instant::now(),
        });
        Ok(Self { config, current })
    }

    /// The settings for the next connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(interval) = self.config.reload_interval_ms.map(Duration::from_millis) else {
            return Arc::clone(&current.server);
        };
        if current.checked.elapsed() < interval {
            return Arc::clone(&current.server);
        }
        current.checked = Instant::now();
        let stamps = stamps(&self.config);
        if stamps != current.stamps {
            match server_config(&self.config) {
                Ok(server) => {
                    tracing::info!("TLS files loaded again");
                    current.server = Arc::new(server);
                    current.stamps = stamps;
                }
                Err(error) => tracing::warn!(%error, "changed TLS files not used"),
            }
        }
        Arc::clone(&current.server)
    }
}

fn stamps(config: &TlsConfig) -> Vec<Option<SystemTime>> {
    let modified = |path: &PathBuf| {
        std::fs::metadata(path)
            .and_then(|meta| meta.modified())
            .ok()
    };
    [&config.cert_file, &config.key_file, &config.client_ca_file]
        .into_iter()
        .map(|path| path.as_ref().and_then(modified))
        .collect()
}

fn server_config(config: &TlsConfig) -> Result<ServerConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(config.min_version))
        .map_err(|error| refused("version", &error))?;
    let builder = match pem(
        "client CA",
        config.client_ca_file.as_ref(),
        config.client_ca_pem.as_deref(),
    )? {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client CA", &authority)? {
                roots
                    .add(certificate)
                    .map_err(|error| refused("client CA", &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| refused("client CA", &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = pem(
        "certificate",
        config.cert_file.as_ref(),
        config.cert_pem.as_deref(),
    )?
    .ok_or_else(|| refused("certificate", &"missing"))?;
    let inline_key = config.key_pem.as_ref().map(super::secret::Secret::expose);
    let key = pem("key", config.key_file.as_ref(), inline_key)?
        .ok_or_else(|| refused("key", &"missing"))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| refused("key", &error))?;
    let mut server = builder
        .with_single_cert(certificates("certificate", &chain)?, key)
        .map_err(|error| refused("certificate or key", &error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}

fn versions(lowest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_12: [&SupportedProtocolVersion; 2] =
        [&rustls::version::TLS13, &rustls::version::TLS12];
    static FROM_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match lowest {
        TlsVersion::V12 => &FROM_12,
        TlsVersion::V13 => &FROM_13,
    }
}

fn pem(
    part: &'static str,
    file: Option<&PathBuf>,
    inline: Option<&str>,
) -> Result<Option<Vec<u8>>, ConfigError> {
    match (file, inline) {
        (Some(path), _) => std::fs::read(path)
            .map(Some)
            .map_err(|error| refused(part, &format!("{}: {error}", path.display()))),
        (None, inline) => Ok(inline.map(|text| text.as_bytes().to_vec())),
    }
}

fn certificates(
    part: &'static str,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(part, &error))?;
    if found.is_empty() {
        return Err(refused(part, &"no certificate in it"));
    }
    Ok(found)
}

fn refused(part: &'static str, reason: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Tls {
        part,
        reason: reason.to_string(),
    }
}
