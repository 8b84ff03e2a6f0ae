//! What every page takes from its request: path, parameters, range, theme, and the facts of the footer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use tripline_web::parts::{FooterFact, Frame};
use tripline_web::range::Range;
use tripline_web::units;

use super::facts::{Facts, facts};
use super::{assets, problem_page};
use crate::api::AppState;
use crate::api::guard::cookie;
use crate::api::params::{Params, now_ns};
use crate::api::problem::Problem;

/// The frame of the page asked for. A range that cannot be read is an error on every page, said as one.
pub(super) struct PageRequest {
    /// For rendering.
    pub(super) frame: Frame,
    /// The parameters as the API reads them; without a range the page's default stands in it.
    pub(super) params: Params,
}

impl FromRequestParts<AppState> for PageRequest {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let params = Params::from_request_parts(parts, state)
            .await
            .unwrap_or_default();
        let asked = Range::parse(params.get("from"), params.get("to"));
        let range = asked.as_ref().copied().unwrap_or_default();
        let theme = match cookie(&parts.headers, "theme").as_deref() {
            Some("dark") => Some("dark"),
            Some("light") => Some("light"),
            _ => None,
        };
        let facts = facts(state).await;
        let now_ns = now_ns();
        let mut frame = Frame {
            path: parts.uri.path().to_owned(),
            params: params.0.clone(),
            range,
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
        if let Err(why) = asked {
            // What cannot be read does not go along: the links of this page lead on with the default range.
            frame
                .params
                .retain(|(name, _)| name != "from" && name != "to");
            return Err(problem_page(&frame, &Problem::parameter("from", why)));
        }
        Ok(Self {
            params: with_range(params, &range),
            frame,
        })
    }
}

/// The same parameters with the range said, so that a page's lists cover what its picker shows.
fn with_range(mut params: Params, range: &Range) -> Params {
    params.0.retain(|(key, _)| key != "from" && key != "to");
    params.0.push(("from".to_owned(), range.from.print()));
    params.0.push(("to".to_owned(), range.to.print()));
    params
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
        let is_silent = newest.is_some_and(|newest| newest.saturating_add(SILENCE_MAX_NS) < now_ns);
        let age = newest.map_or_else(
            || "none stored".to_owned(),
            |newest| format!("newest {}", units::ago(newest, now_ns)),
        );
        let value = if refused > 0 {
            format!(
                "{} accepted, {} refused",
                units::count(accepted),
                units::count(refused)
            )
        } else {
            format!("{} accepted", units::count(accepted))
        };
        let value = format!("{age}, {value}");
        FooterFact {
            name: name.to_owned(),
            value,
            is_bad: refused > 0 || is_silent,
        }
    })
    .collect();
    facts.push(FooterFact {
        name: "counted".to_owned(),
        value: format!(
            "accepted and refused since the server started, {}",
            units::ago(state.started_ns, now_ns)
        ),
        is_bad: false,
    });
    if let Some(error) = state.store.stats().last_error {
        facts.push(FooterFact {
            name: "store".to_owned(),
            value: error,
            is_bad: true,
        });
    }
    facts
}
