//! The pages: each handler asks its questions and hands the plain answers to [`tripline_web`].

mod answer;
mod assets;
mod breakers;
mod by_id;
mod encodings;
mod explore;
mod export;
mod find;
mod footer;
mod graph;
mod incidents;
mod login;
mod logs;
mod overview;
mod path;
mod questions;
mod request;
mod saved;
mod service;
mod sql;
mod status;
mod trace;
mod traces;

use axum::Router;
use axum::routing::{get, post};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

pub(crate) use self::answer::refused;
use crate::api::AppState;
use crate::api::problem::Problem;

/// Routes of the pages and of what they load.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/traces", get(traces::traces))
        .route("/traces/{trace_id}", get(trace::trace))
        .route("/traces/{trace_id}/spans/{span_id}", get(trace::span))
        .route("/logs", get(logs::logs))
        .route("/explore", get(explore::explore))
        .route("/graph", get(graph::graph))
        .route("/services/{name}", get(service::one))
        .route("/breakers", get(breakers::list))
        .route("/breakers/encodings", post(encodings::learn))
        .route("/breakers/{service}/{name}", get(breakers::one))
        .route("/breakers/{service}/{name}/{*rest}", get(breakers::one))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/sql", get(sql::editor))
        .route("/status", get(status::status))
        .route("/export/{file}", get(export::export))
        .route("/find", get(find::find))
        .route("/views", post(saved::save))
        .route("/views/{id}", get(saved::open))
        .route("/views/{id}/delete", post(saved::delete))
        .route("/login", post(login::login))
        .route("/assets/{name}", get(assets::serve))
        .fallback(find::nothing_here)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        // A hundred log records with their links are a megabyte of words that repeat. What is compressed already, as files
        // of the bundle are, stays as it is.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}
