//! Settings of the receivers, as they stand in the configuration file under `[receive]`.
//!
//! Unknown keys are errors. Defaults are the shipped values; units are the last word of a name.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// OTLP's recommended request limit: 64 MiB, before and after decompression.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of requests held at once: one of the largest requests packed and unpacked, and ordinary ones beside it.
const IN_FLIGHT_BYTES_MAX: usize = 192 * 1024 * 1024;

/// Settings that contradict each other or cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is not allowed.
    #[error("receive.{key}: {reason}")]
    Invalid {
        /// The key, without `receive.`.
        key: String,
        /// Why.
        reason: String,
    },
    /// A certificate, key or CA cannot be used.
    #[error("cannot use the TLS {part}: {reason}")]
    Tls {
        /// What could not be used.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

impl ConfigError {
    fn invalid(key: &str, reason: &str) -> Self {
        Self::Invalid {
            key: key.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// Everything about receiving.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveConfig {
    /// OTLP/gRPC.
    pub grpc: GrpcConfig,
    /// OTLP/HTTP.
    pub http: HttpConfig,
    /// Limit of one request in bytes, before and after decompression.
    pub request_bytes_max: usize,
    /// Bytes of requests held at once, both receivers together.
    pub in_flight_bytes_max: usize,
    /// From a request's headers to its answer: reading the body, decoding, committing.
    pub request_timeout_ms: u64,
    /// How long a stopping receiver waits for requests in flight.
    pub drain_timeout_ms: u64,
    /// Who may send.
    pub auth: AuthConfig,
    /// Which web pages may send.
    pub cors: CorsConfig,
}

impl Default for ReceiveConfig {
    fn default() -> Self {
        Self {
            grpc: GrpcConfig::default(),
            http: HttpConfig::default(),
            request_bytes_max: REQUEST_BYTES_MAX,
            in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
            request_timeout_ms: 30_000,
            drain_timeout_ms: 5_000,
            auth: AuthConfig::default(),
            cors: CorsConfig::default(),
        }
    }
}

/// OTLP/gRPC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcConfig {
    /// Connections.
    pub listen: ListenConfig,
}

/// OTLP/HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Path for traces; a missing leading slash is added.
    pub traces_path: String,
    /// Path for metrics.
    pub metrics_path: String,
    /// Path for logs.
    pub logs_path: String,
    /// Connections.
    pub listen: ListenConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            traces_path: "/v1/traces".into(),
            metrics_path: "/v1/metrics".into(),
            logs_path: "/v1/logs".into(),
            listen: ListenConfig::default(),
        }
    }
}

/// How one listener treats its connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// Connections at once; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// HTTP/2 streams at once on one connection.
    pub concurrent_streams_max: u32,
    /// Time for a TLS handshake, and for the head of an HTTP/1.1 request.
    pub header_timeout_ms: u64,
    /// A connection without requests for this long is closed.
    pub idle_timeout_ms: u64,
    /// A connection older than this is asked to go; `None` = never.
    pub connection_age_max_ms: Option<u64>,
    /// What an asked connection gets to finish.
    pub connection_age_grace_ms: u64,
    /// HTTP/2 ping interval; `None` = no pings.
    pub keepalive_interval_ms: Option<u64>,
    /// How long a ping may stay unanswered.
    pub keepalive_timeout_ms: u64,
    /// TLS; absent = plain text.
    pub tls: Option<TlsConfig>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            connections_max: 1_000,
            concurrent_streams_max: 256,
            header_timeout_ms: 10_000,
            idle_timeout_ms: 300_000,
            connection_age_max_ms: None,
            connection_age_grace_ms: 30_000,
            keepalive_interval_ms: Some(60_000),
            keepalive_timeout_ms: 20_000,
            tls: None,
        }
    }
}

/// The lowest TLS version to speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// TLS: certificate and key, both, each from a file or inline PEM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain, PEM file.
    pub cert_file: Option<PathBuf>,
    /// Certificate chain, PEM text.
    pub cert_pem: Option<String>,
    /// Private key, PEM file.
    pub key_file: Option<PathBuf>,
    /// Private key, PEM text.
    pub key_pem: Option<Secret>,
    /// Clients must show a certificate of this authority (mTLS), PEM file.
    pub client_ca_file: Option<PathBuf>,
    /// The same, PEM text.
    pub client_ca_pem: Option<String>,
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Files are looked at this often, and loaded again when they changed; `None` = never.
    pub reload_interval_ms: Option<u64>,
}

/// Who may send. Without credentials everybody may.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Any one of these lets a request in.
    pub credentials: Vec<CredentialConfig>,
    /// Name of a query parameter that may carry a bearer token (OTLP/HTTP only).
    pub query_parameter: Option<String>,
}

/// One credential: exactly one of bearer, username + password, header + value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialConfig {
    /// `Authorization: Bearer …`.
    pub bearer: Option<Secret>,
    /// `Authorization: Basic …`, with `password`.
    pub username: Option<String>,
    /// See `username`.
    pub password: Option<Secret>,
    /// Name of a header (gRPC metadata) that must have `value`.
    pub header: Option<String>,
    /// See `header`.
    pub value: Option<Secret>,
    /// The signals it may send (`traces`, `metrics`, `logs`); empty = all.
    pub signals: Vec<String>,
}

/// Which web pages may send; off without origins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Origins, `*` standing for any text: `https://*.example.com`.
    pub allowed_origins: Vec<String>,
    /// Request headers beyond those OTLP exporters send.
    pub allowed_headers: Vec<String>,
    /// Response headers beyond those of gRPC-web.
    pub exposed_headers: Vec<String>,
    /// How long a browser may remember a preflight.
    pub max_age_seconds: u64,
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            allowed_headers: Vec::new(),
            exposed_headers: Vec::new(),
            max_age_seconds: 7_200,
        }
    }
}

impl ReceiveConfig {
    /// From headers to answer.
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.request_bytes_max == 0 || self.request_bytes_max > 1 << 30 {
            return Err(ConfigError::invalid(
                "request_bytes_max",
                "must be between 1 and 1 GiB",
            ));
        }
        if self.in_flight_bytes_max <= 2 * self.request_bytes_max {
            let reason =
                "must be more than twice request_bytes_max: a request is held packed and unpacked";
            return Err(ConfigError::invalid("in_flight_bytes_max", reason));
        }
        if u32::try_from(self.in_flight_bytes_max).is_err() {
            return Err(ConfigError::invalid(
                "in_flight_bytes_max",
                "must be below 4 GiB",
            ));
        }
        if self.request_timeout_ms == 0 {
            return Err(ConfigError::invalid("request_timeout_ms", "must not be 0"));
        }
        self.auth.validate()?;
        self.http.validate()?;
        self.grpc.listen.validate("grpc")?;
        self.http.listen.validate("http")
    }
}

impl HttpConfig {
    /// The three paths, each with its leading slash.
    pub(crate) fn paths(&self) -> [String; 3] {
        [&self.traces_path, &self.metrics_path, &self.logs_path].map(|path| {
            if path.starts_with('/') {
                path.clone()
            } else {
                format!("/{path}")
            }
        })
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let paths = self.paths();
        for (at, path) in paths.iter().enumerate() {
            let plain = path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte));
            if !plain || path.contains("//") {
                return Err(ConfigError::invalid(
                    "http",
                    &format!("{path:?} is not a plain path"),
                ));
            }
            if paths[..at].contains(path) {
                return Err(ConfigError::invalid(
                    "http",
                    &format!("{path:?} is used for two signals"),
                ));
            }
        }
        Ok(())
    }
}

impl ListenConfig {
    fn validate(&self, protocol: &str) -> Result<(), ConfigError> {
        if self.connections_max == 0 || self.concurrent_streams_max == 0 {
            return Err(ConfigError::invalid(
                &format!("{protocol}.listen"),
                "a maximum must not be 0",
            ));
        }
        if self.header_timeout_ms == 0 || self.idle_timeout_ms == 0 {
            return Err(ConfigError::invalid(
                &format!("{protocol}.listen"),
                "a timeout must not be 0: it would close every connection",
            ));
        }
        let Some(tls) = &self.tls else { return Ok(()) };
        let key = format!("{protocol}.listen.tls");
        let certificates =
            usize::from(tls.cert_file.is_some()) + usize::from(tls.cert_pem.is_some());
        let keys = usize::from(tls.key_file.is_some()) + usize::from(tls.key_pem.is_some());
        if certificates != 1 || keys != 1 {
            let reason = "needs a certificate and a key, both: one of cert_file and cert_pem, one of key_file and key_pem";
            return Err(ConfigError::invalid(&key, reason));
        }
        if tls.client_ca_file.is_some() && tls.client_ca_pem.is_some() {
            return Err(ConfigError::invalid(
                &key,
                "client_ca_file and client_ca_pem exclude each other",
            ));
        }
        Ok(())
    }
}

impl AuthConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let invalid = |at: usize, reason: &str| {
            Err(ConfigError::invalid(
                &format!("auth.credentials[{at}]"),
                reason,
            ))
        };
        for (at, credential) in self.credentials.iter().enumerate() {
            let pair = |left: bool, right: bool| left == right;
            if !pair(credential.username.is_some(), credential.password.is_some())
                || !pair(credential.header.is_some(), credential.value.is_some())
            {
                return invalid(at, "username needs password, and header needs value");
            }
            let kinds = [&credential.bearer, &credential.password, &credential.value]
                .into_iter()
                .flatten()
                .count();
            if kinds != 1 {
                return invalid(
                    at,
                    "needs exactly one of bearer, username + password, header + value",
                );
            }
            let secrets = [&credential.bearer, &credential.password, &credential.value];
            if secrets.into_iter().flatten().any(Secret::is_placeholder) {
                return invalid(
                    at,
                    "the secret is empty, or the mask of a printed configuration",
                );
            }
            if credential
                .signals
                .iter()
                .any(|signal| !["traces", "metrics", "logs"].contains(&signal.as_str()))
            {
                return invalid(at, "signals are traces, metrics and logs");
            }
        }
        let bearer = self
            .credentials
            .iter()
            .any(|credential| credential.bearer.is_some());
        if self.query_parameter.is_some() && !bearer {
            return Err(ConfigError::invalid(
                "auth.query_parameter",
                "needs a bearer credential",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(toml: &str) -> Result<ReceiveConfig, String> {
        let config: ReceiveConfig = toml::from_str(toml).map_err(|error| error.to_string())?;
        config.validate().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn the_shipped_settings_are_valid_and_l01_the_limit_is_64_mib() {
        let config = parsed("").unwrap();
        assert_eq!(config, ReceiveConfig::default());
        assert_eq!(config.request_bytes_max, 67_108_864);
    }

    #[test]
    fn s01_contradictions_are_refused_with_their_key() {
        for (toml, key) in [
            ("request_bytes_max = 0", "request_bytes_max"),
            ("in_flight_bytes_max = 1000", "in_flight_bytes_max"),
            ("grpc.listen.tls.cert_file = 'a.pem'", "grpc.listen.tls"),
            ("http.listen.tls.key_pem = 'k'", "http.listen.tls"),
            ("http.listen.idle_timeout_ms = 0", "http.listen"),
            ("http.traces_path = '/v1/logs'", "http"),
            ("http.traces_path = '/v1 traces'", "http"),
            (
                "auth.credentials = [{ username = 'a' }]",
                "auth.credentials[0]",
            ),
            (
                "auth.credentials = [{ bearer = '' }]",
                "auth.credentials[0]",
            ),
            (
                "auth.credentials = [{ bearer = 'a', signals = ['spans'] }]",
                "auth.credentials[0]",
            ),
            ("auth.query_parameter = 'token'", "auth.query_parameter"),
            ("unheard_of = 1", "unheard_of"),
        ] {
            let error = parsed(toml).expect_err(toml);
            assert!(error.contains(key), "{toml}: {error}");
        }
    }

    #[test]
    fn a03_the_printed_settings_hold_no_secret() {
        let config = parsed(
            "auth.credentials = [{ bearer = 'sesame' }, { username = 'u', password = 'sesame' }]\n\
             [http.listen.tls]\ncert_pem = 'c'\nkey_pem = 'sesame'",
        )
        .unwrap();
        for printed in [
            format!("{config:?}"),
            serde_json::to_string(&config).unwrap(),
        ] {
            assert!(!printed.contains("sesame"), "{printed}");
        }
    }

    #[test]
    fn t04_a_path_without_its_slash_is_mended() {
        let config = parsed("http.traces_path = 'otlp/traces'").unwrap();
        assert_eq!(config.http.paths()[0], "/otlp/traces");
    }
}
