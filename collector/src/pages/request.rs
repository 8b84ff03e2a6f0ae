//! What every page takes from its request: path, parameters, range, theme, and the facts of the footer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tripline_web::parts::{BundleNote, FooterFact, Frame};
use tripline_web::range::Range;
use tripline_web::units;

use super::assets;
use super::facts::{Facts, facts};
use crate::api::AppState;
use crate::api::guard::cookie;
use crate::api::params::Params;
use crate::api::when::now_ns;
use crate::config::Bundle;

/// The frame of the page asked for, and what is wrong with its range, if anything.
pub(super) struct PageRequest {
    /// For rendering.
    pub(super) frame: Frame,
    /// The parameters as the API reads them; without a range the page's default stands in it.
    pub(super) params: Params,
    /// The range cannot be read.
    pub(super) range_problem: Option<String>,
}

impl FromRequestParts<AppState> for PageRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let params = Params::from_request_parts(parts, state)
            .await
            .unwrap_or_else(|_| Params {
                when: state.when(),
                ..Params::default()
            });
        let when = params.when;
        let (range, range_problem) = match when.range(params.get("from"), params.get("to")) {
            Ok(range) => (range, None),
            Err(why) => (when.range, Some(why)),
        };
        let theme = match cookie(&parts.headers, "theme").as_deref() {
            Some("dark") => Some("dark"),
            Some("light") => Some("light"),
            _ => None,
        };
        let facts = facts(state).await;
        let now_ns = when.now_ns;
        let frame = Frame {
            path: parts.uri.path().to_owned(),
            params: params.pairs.clone(),
            range,
            default_range: when.range,
            bundle: state.config.bundle.as_ref().map(note),
            now_ns,
            theme,
            assets: assets::paths(),
            footer: footer(state, &facts, now_ns),
            saved: state
                .saved
                .list()
                .into_iter()
                .map(|view| (view.id, view.name))
                .collect(),
            scopes: facts.scopes,
            covered_seconds: None,
            links: state.config.ui.links.clone(),
            markdown: None,
        };
        Ok(Self {
            params: with_range(params, &range),
            frame,
            range_problem,
        })
    }
}

/// The same parameters with the range said, so that a page's lists cover what its picker shows.
fn with_range(mut params: Params, range: &Range) -> Params {
    params.pairs.retain(|(key, _)| key != "from" && key != "to");
    params.pairs.push(("from".to_owned(), range.from.print()));
    params.pairs.push(("to".to_owned(), range.to.print()));
    params
}

/// What every page of a bundle says of it.
fn note(bundle: &Bundle) -> BundleNote {
    BundleNote {
        from_ns: bundle.from_unix_nano,
        to_ns: bundle.to_unix_nano,
        incidents: bundle.incidents.clone(),
        cut: bundle.cut.clone(),
    }
}

/// A frame that knows nothing of the store, for those who may not come in.
pub(super) fn bare_frame() -> Frame {
    Frame {
        path: "/".to_owned(),
        now_ns: now_ns(),
        assets: assets::paths(),
        ..Frame::default()
    }
}

/// Silence of a signal that deserves a look.
const SILENCE_MAX_NS: u64 = 5 * 60 * 1_000_000_000;

fn footer(state: &AppState, facts: &Facts, now_ns: u64) -> Vec<FooterFact> {
    let counters = state.receiver.counters();
    let mut facts: Vec<FooterFact> = [
        ("traces", "spans"),
        ("logs", "log records"),
        ("metrics", "points"),
    ]
    .into_iter()
    .map(|(signal, name)| {
        let (accepted, refused) = (counters.accepted(signal), counters.refused(signal));
        let newest = facts
            .counts
            .ages
            .iter()
            .find(|age| age.signal == signal)
            .and_then(|age| u64::try_from(age.newest_unix_nano?).ok());
        let is_silent = state.config.bundle.is_none()
            && newest.is_some_and(|newest| newest.saturating_add(SILENCE_MAX_NS) < now_ns);
        let age = newest.map_or_else(
            || "none stored".to_owned(),
            |newest| format!("newest {}", units::ago(newest, now_ns)),
        );
        let value = if state.config.bundle.is_some() {
            age
        } else if refused > 0 {
            format!(
                "{age}, {} accepted, {} refused",
                units::count(accepted),
                units::count(refused)
            )
        } else {
            format!("{age}, {} accepted", units::count(accepted))
        };
        FooterFact {
            name: name.to_owned(),
            value,
            is_bad: refused > 0 || is_silent,
        }
    })
    .collect();
    if state.config.bundle.is_none() {
        facts.push(FooterFact {
            name: "counted".to_owned(),
            value: format!(
                "accepted and refused since the server started, {}",
                units::ago(state.started_ns, now_ns)
            ),
            is_bad: false,
        });
    }
    if let Some(error) = state.store.stats().last_error {
        facts.push(FooterFact {
            name: "store".to_owned(),
            value: error,
            is_bad: true,
        });
    }
    facts
}
