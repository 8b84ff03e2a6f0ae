//! The effective configuration: flags over environment over TOML file over defaults.
//!
//! Every key can be written in the file (`[store] hot_rows_max = 61440`) and in the environment
//! (`TRIPLINE_STORE__HOT_ROWS_MAX=61440`; two underscores separate a table from its key). The few that
//! people type have a flag. An unknown key is an error with a suggestion, wherever it stands.

mod bundle;
mod mistakes;
mod resilience;
mod size;
mod sources;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use tripline_web::links::LinkTemplate;

pub use bundle::Bundle;
pub use mistakes::ConfigError;
pub use resilience::{PeerSection, ResilienceSection};
pub use size::{ByteSize, HumanDuration};
pub use sources::{Overrides, load};

/// The prefix of environment variables that are settings.
const PREFIX: &str = "TRIPLINE_";

/// Everything `tripline serve` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where segments are kept.
    pub data_dir: PathBuf,
    /// OTLP/gRPC listener; `""` turns it off.
    pub otlp_grpc: String,
    /// OTLP/HTTP listener; `""` turns it off.
    pub otlp_http: String,
    /// UI and API listener.
    #[serde(deserialize_with = "address")]
    pub http: SocketAddr,
    /// The UI and API.
    pub ui: UiConfig,
    /// The receivers: limits, TLS, authentication, CORS.
    pub receive: ReceiveSection,
    /// The store.
    pub store: StoreSection,
    /// User SQL.
    pub sql: SqlSection,
    /// What people know of their breakers.
    pub resilience: ResilienceSection,
    /// Our own logs.
    pub log: LogSection,
    /// How long a shutdown may take before it is cut.
    pub shutdown_timeout: HumanDuration,
    /// What is served is this bundle (`--bundle`), and nothing is added to it.
    #[serde(skip)]
    pub bundle: Option<Bundle>,
}

/// The receivers' own configuration type, embedded as it is.
pub type ReceiveSection = crate::receive::ReceiveConfig;

/// The UI and API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UiConfig {
    /// Bearer token asked of every request when set.
    #[serde(serialize_with = "redacted")]
    pub token: Option<String>,
    /// Accept binding beyond loopback without a token.
    pub insecure: bool,
    /// `Host` names answered besides the bound address, `localhost` and loopback.
    pub allowed_hosts: Vec<String>,
    /// Links to other tools, on the pages of what their places name: `[[ui.links]]` with `name` and
    /// `url = "https://grafana.example/explore?q={service}"`.
    pub links: Vec<LinkTemplate>,
}

/// The store; sizes as `"512MiB"`, times as `"30s"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// Bound of the queue before the writer.
    pub queue_bytes_max: ByteSize,
    /// Rows at which the hot segment rotates.
    pub hot_rows_max: usize,
    /// Bytes at which the hot segment rotates.
    pub hot_bytes_max: ByteSize,
    /// Age at which a hot segment with rows rotates.
    pub hot_age_max: HumanDuration,
    /// DuckDB's memory limit.
    pub memory_bytes_max: ByteSize,
    /// DuckDB's bound for temporary files.
    pub temp_bytes_max: ByteSize,
    /// DuckDB's threads; 0 = half of the machine's cores.
    pub threads: usize,
    /// Raw telemetry older than this is deleted.
    pub retention_age: HumanDuration,
    /// Raw telemetry beyond this is deleted, oldest first; `"0"` = no bound.
    pub retention_bytes: ByteSize,
    /// Roll-ups and breaker history older than this are deleted.
    pub history_age: HumanDuration,
    /// Room kept for retention to begin with on a full disk; `"0"` = none.
    pub reserve_bytes: ByteSize,
    /// Segments of one size class that are compacted into one.
    pub compaction_fan_in: usize,
    /// How often compaction and retention look for work.
    pub maintenance_interval: HumanDuration,
    /// For tests of overload: at most this many rows a second; 0 = no bound.
    pub commit_rows_per_second_max: u64,
}

/// Bounds of user SQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlSection {
    /// Longest time a query may ask for.
    pub timeout_max: HumanDuration,
    /// Time of a query that asks for none.
    pub timeout_default: HumanDuration,
    /// Most rows a result may have.
    pub rows_max: u64,
    /// Most bytes a result may have.
    pub bytes_max: ByteSize,
    /// Queries at once.
    pub concurrency_max: usize,
}

/// Our own logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter (`tripline=debug,info`).
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// Shape of our own log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "./tripline-data".into(),
            otlp_grpc: "127.0.0.1:4317".into(),
            otlp_http: "127.0.0.1:4318".into(),
            http: SocketAddr::from(([127, 0, 0, 1], 7070)),
            ui: UiConfig::default(),
            receive: ReceiveSection::default(),
            store: StoreSection::default(),
            sql: SqlSection::default(),
            resilience: ResilienceSection::default(),
            log: LogSection::default(),
            shutdown_timeout: HumanDuration::seconds(10),
            bundle: None,
        }
    }
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            queue_bytes_max: ByteSize::mib(256),
            hot_rows_max: 61_440,
            hot_bytes_max: ByteSize::mib(128),
            hot_age_max: HumanDuration::seconds(30),
            memory_bytes_max: ByteSize::mib(512),
            temp_bytes_max: ByteSize::mib(4096),
            threads: 0,
            retention_age: HumanDuration::seconds(7 * 24 * 3600),
            retention_bytes: ByteSize::mib(50 * 1024),
            history_age: HumanDuration::seconds(90 * 24 * 3600),
            reserve_bytes: ByteSize::mib(32),
            compaction_fan_in: 8,
            maintenance_interval: HumanDuration::seconds(5),
            commit_rows_per_second_max: 0,
        }
    }
}

impl Default for SqlSection {
    fn default() -> Self {
        Self {
            timeout_max: HumanDuration::seconds(60),
            timeout_default: HumanDuration::seconds(10),
            rows_max: 1_000_000,
            bytes_max: ByteSize::mib(64),
            concurrency_max: 4,
        }
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

/// More threads than any machine has cores would only be a typing error that takes the machine down.
const THREADS_MAX: usize = 1_024;

impl Config {
    /// The first setting that nothing can work with: its key, and what is wrong with it.
    fn unusable(&self) -> Option<(&'static str, String)> {
        let (store, sql) = (&self.store, &self.sql);
        if self.data_dir.as_os_str().is_empty() {
            return Some(("data_dir", "must name a directory".to_owned()));
        }
        if let Some(unusable) = self.no_address().or_else(|| self.shared_address()) {
            return Some(unusable);
        }
        let zero = [
            ("store.queue_bytes_max", store.queue_bytes_max.bytes() == 0),
            (
                "store.memory_bytes_max",
                store.memory_bytes_max.bytes() == 0,
            ),
            // Not "for ever": all would be deleted as it comes.
            ("store.retention_age", store.retention_age.get().is_zero()),
            ("store.history_age", store.history_age.get().is_zero()),
            ("sql.timeout_max", sql.timeout_max.get().is_zero()),
            ("sql.timeout_default", sql.timeout_default.get().is_zero()),
            ("sql.rows_max", sql.rows_max == 0),
            ("sql.bytes_max", sql.bytes_max.bytes() == 0),
            ("sql.concurrency_max", sql.concurrency_max == 0),
        ];
        let zero = zero.into_iter().find(|(_, is_zero)| *is_zero);
        if let Some((key, _)) = zero {
            return Some((key, "must not be 0".to_owned()));
        }
        let (fan_in, threads) = (store.compaction_fan_in, store.threads);
        if fan_in < 2 {
            let few =
                format!("must be at least 2, not {fan_in}: fewer segments make no larger one");
            return Some(("store.compaction_fan_in", few));
        }
        let many = format!("must be at most {THREADS_MAX}, not {threads}; 0 is half of the cores");
        (threads > THREADS_MAX).then_some(("store.threads", many))
    }

    /// The addresses of the receivers, by their settings.
    fn receivers(&self) -> [(&'static str, &str); 2] {
        [
            ("otlp_grpc", self.otlp_grpc.as_str()),
            ("otlp_http", self.otlp_http.as_str()),
        ]
    }

    /// An address of a receiver that no socket can have.
    fn no_address(&self) -> Option<(&'static str, String)> {
        let is_address = |address: &str| {
            let has_port = || {
                let (host, port) = address.rsplit_once(':')?;
                Some(!host.is_empty() && port.parse::<u16>().is_ok())
            };
            address.is_empty() || address.starts_with("unix:") || has_port().unwrap_or(false)
        };
        let (key, address) = self
            .receivers()
            .into_iter()
            .find(|(_, address)| !is_address(address))?;
        let wanted = format!("'{address}' is not an address: write host:port or unix:/path");
        Some((key, wanted))
    }

    /// The second of two settings that are to listen at one address, and what to do.
    fn shared_address(&self) -> Option<(&'static str, String)> {
        // Of port 0 everybody gets their own.
        let fixed = |address: &str| !address.is_empty() && !address.ends_with(":0");
        let pages = self.http.to_string();
        if fixed(&self.otlp_http) && self.otlp_http == self.otlp_grpc {
            let alone = format!(
                "{} is the address of otlp_grpc, which takes OTLP/HTTP too: set otlp_http to \"\"",
                self.otlp_http
            );
            return Some(("otlp_http", alone));
        }
        let (key, _) = self
            .receivers()
            .into_iter()
            .find(|(_, address)| fixed(address) && **address == pages)?;
        Some((
            key,
            format!("{pages} is the address of http, the pages and the API"),
        ))
    }

    /// The settings of the store that is served or asked.
    pub fn store_config(&self) -> tripline_storage::store::StoreConfig {
        tripline_storage::store::StoreConfig {
            as_of_unix_nano: self.bundle.as_ref().map(Bundle::now),
            // A bundle stays as it was written.
            is_maintained: self.bundle.is_none(),
            peer_rules: self.resilience.peer_rules(),
            ..self.store.to_store_config(self.data_dir.clone())
        }
    }

    /// The same for who only reads: nothing is compacted, and nothing expires.
    pub fn reading_config(&self) -> tripline_storage::store::StoreConfig {
        tripline_storage::store::StoreConfig {
            is_maintained: false,
            ..self.store_config()
        }
    }
}

impl StoreSection {
    /// The store's own settings, in `data_dir`.
    pub fn to_store_config(&self, data_dir: PathBuf) -> tripline_storage::store::StoreConfig {
        let half = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        tripline_storage::store::StoreConfig {
            data_dir,
            queue_bytes_max: self.queue_bytes_max.to_usize(),
            hot_rows_max: self.hot_rows_max,
            hot_bytes_max: self.hot_bytes_max.bytes(),
            hot_age_max: self.hot_age_max.get(),
            memory_bytes_max: self.memory_bytes_max.bytes(),
            temp_bytes_max: self.temp_bytes_max.bytes(),
            threads: if self.threads == 0 {
                half
            } else {
                self.threads
            },
            retention_age: self.retention_age.get(),
            retention_bytes: (self.retention_bytes.bytes() > 0)
                .then(|| self.retention_bytes.bytes()),
            history_age: self.history_age.get(),
            reserve_bytes: self.reserve_bytes.bytes(),
            compaction_fan_in: self.compaction_fan_in,
            is_maintained: true,
            maintenance_interval: self.maintenance_interval.get(),
            commit_rows_per_second_max: (self.commit_rows_per_second_max > 0)
                .then_some(self.commit_rows_per_second_max),
            as_of_unix_nano: None,
            peer_rules: Vec::new(),
            ..tripline_storage::store::StoreConfig::default()
        }
    }
}

/// An address, or a name and a port; of several addresses the first.
fn address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = |reason: &dyn std::fmt::Display| {
        <D::Error as serde::de::Error>::custom(format!(
            "'{text}' is not an address and port: {reason}"
        ))
    };
    let mut found = text.to_socket_addrs().map_err(|error| wrong(&error))?;
    found.next().ok_or_else(|| wrong(&"no such name"))
}

/// What stands where a printed configuration has a secret.
const MASK: &str = "(set)";

/// Whether a secret is none: empty, or what printing left of it.
fn is_placeholder(secret: &str) -> bool {
    matches!(secret.trim(), "" | MASK)
}

/// A secret is shown as set or not, never as itself.
fn redacted<S: serde::Serializer>(
    secret: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_str(MASK),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_by_default_is_the_stores_own_default() {
        let own = tripline_storage::store::StoreConfig::default();
        let served = StoreSection::default().to_store_config(own.data_dir.clone());
        assert_eq!(format!("{served:?}"), format!("{own:?}"));
    }
}
