//! The API under `/api/v1`, and what its handlers share with those of the pages.
//!
//! A handler reads its parameters, asks one question of [`tripline_storage::query`] and writes the answer.
//! Whatever goes wrong is an RFC 9457 problem document ([`problem`]).

pub mod ask;
pub mod breakers;
pub mod changes;
pub(crate) mod cookie;
pub mod encodings;
pub mod endpoints;
pub(crate) mod facts;
pub(crate) mod host;
pub mod incidents;
pub mod openapi;
mod paging;
pub mod params;
pub mod problem;
pub(crate) mod senders;
pub mod sql;
pub(crate) mod token;
pub mod views;
pub mod whatif;
pub mod when;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tripline_storage::saved::SavedViews;
use tripline_storage::store::Store;

use self::facts::KnownFacts;
use self::problem::Problem;
use self::senders::KnownSenders;
use self::when::When;
use crate::config::{Bundle, Config};
use crate::operations::ingest_history::IngestHistory;
use crate::operations::listening::Addresses;
use crate::operations::query_times::QueryTimes;
use crate::receive::Receiver;

/// Questions of pages and API answered at the same time; the rest wait their turn.
const QUESTIONS_MAX: usize = 8;

/// What handlers share.
#[derive(Clone)]
pub struct AppState {
    /// The store.
    pub store: Arc<Store>,
    /// The effective configuration.
    pub config: Arc<Config>,
    /// The bound addresses.
    pub addresses: Arc<Addresses>,
    /// The receivers, for their counters.
    pub receiver: Receiver,
    /// The saved views.
    pub saved: Arc<SavedViews>,
    /// What every page says of the store.
    pub(crate) facts: KnownFacts,
    /// Who sends, for the foot of every page.
    pub(crate) senders: KnownSenders,
    /// What the receivers had counted when.
    pub(crate) ingest: IngestHistory,
    /// The way of user SQL into the store.
    pub(crate) sql: sql::Door,
    /// How long questions took.
    pub(crate) times: QueryTimes,
    /// Bounds the questions that run at once.
    pub(crate) questions: Arc<Semaphore>,
}

impl AppState {
    /// Shares these among handlers.
    ///
    /// # Errors
    /// The saved views of the data directory cannot be read.
    pub fn new(
        store: Arc<Store>,
        config: &Config,
        addresses: &Addresses,
        receiver: Receiver,
    ) -> std::io::Result<Self> {
        Ok(Self {
            saved: Arc::new(SavedViews::open(&config.data_dir)?),
            store,
            config: Arc::new(config.clone()),
            addresses: Arc::new(addresses.clone()),
            receiver,
            facts: Default::default(),
            senders: Default::default(),
            ingest: IngestHistory::new(when::now_ns()),
            sql: sql::Door::new(&config.sql, config.bundle.as_ref().map(Bundle::now)),
            times: QueryTimes::default(),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        })
    }

    /// What is now, and the range that is meant where none is said.
    pub(crate) fn when(&self) -> When {
        When::of(self.config.bundle.as_ref())
    }
}

/// The routes of the API; any other address below `/api` is a problem document too.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .nest("/api/v1", v1())
        .route(
            "/api",
            get(async |uri: Uri| Problem::no_such_address(uri.path())),
        )
        .route(
            "/api/{*rest}",
            get(async |uri: Uri| Problem::no_such_address(uri.path())),
        )
}

fn v1() -> Router<AppState> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/services", get(endpoints::services))
        .route("/traces", get(endpoints::traces))
        .route("/traces/{trace_id}", get(endpoints::trace))
        .route("/traces/{trace_id}/otlp", get(endpoints::trace_otlp))
        .route("/traces/{trace_id}/spans/{span_id}", get(endpoints::span))
        .route("/heatmap", get(endpoints::heatmap))
        .route("/differences", get(endpoints::differences))
        .route("/logs", get(endpoints::logs))
        .route("/logs/patterns", get(endpoints::log_patterns))
        .route("/ticks", get(endpoints::ticks))
        .route("/metrics", get(endpoints::metrics))
        .route("/metrics/{name}", get(endpoints::metric))
        .route("/graph", get(endpoints::graph))
        .route("/changes", get(changes::list).post(changes::report))
        .route("/views", get(views::list).post(views::save))
        .route("/views/{id}", get(views::one).delete(views::delete))
        .route("/complete", get(endpoints::complete))
        .route("/counts", get(endpoints::counts))
        .route("/breakers", get(breakers::list))
        .route(
            "/breakers/encodings",
            get(encodings::list).post(encodings::learn),
        )
        .route("/breakers/peers", get(breakers::peers))
        .route("/breakers/{id}", get(breakers::by_id))
        .route(
            "/breakers/{id}/transitions",
            get(breakers::transitions_by_id),
        )
        .route("/breakers/{service}/{name}", get(breakers::by_name))
        .route(
            "/breakers/{service}/{name}/{*rest}",
            get(breakers::by_name).post(breakers::post_by_name),
        )
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::by_id))
        .route("/findings", get(incidents::findings))
        .route("/whatif", get(whatif::get).post(whatif::post))
        .route("/sql", post(sql::query))
        .fallback(async |uri: Uri| Problem::no_such_address(uri.path()))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}
