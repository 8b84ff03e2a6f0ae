//! What every page takes from its request: path, parameters, range, theme, and the facts of the footer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use tripline_web::choices;
use tripline_web::frame::{BundleNote, Frame, SavedPage};
use tripline_web::range::Range;

use super::answer::problem_page;
use super::assets;
use super::footer::footer;
use crate::api::AppState;
use crate::api::cookie::cookie;
use crate::api::facts::{Facts, facts};
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::api::when::now_ns as clock_ns;
use crate::config::Bundle;

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
            .unwrap_or_else(|_| Params {
                when: state.when(),
                ..Params::default()
            });
        let when = params.when;
        let asked = when.range(params.get("from"), params.get("to"));
        let range = asked.as_ref().copied().unwrap_or(when.range);
        let theme = match cookie(&parts.headers, "theme").as_deref() {
            Some("dark") => Some("dark"),
            Some("light") => Some("light"),
            _ => None,
        };
        let now_ns = when.now_ns;
        let facts = facts(state).await.read_at(now_ns, clock_ns());
        let mut frame = Frame {
            path: parts.uri.path().to_owned(),
            params: params.pairs.clone(),
            range,
            default_range: when.range,
            bundle: state.config.bundle.as_ref().map(note),
            now_ns,
            theme,
            assets: assets::paths(),
            footer: footer(
                state,
                &facts,
                &params.scope(),
                range.resolve(now_ns),
                now_ns,
            ),
            newest: newest(&facts),
            saved: state
                .saved
                .list()
                .into_iter()
                .map(|view| SavedPage {
                    id: view.id,
                    name: view.name,
                    path: view.path,
                })
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
        if let Some((wrong, why)) = choices::wrong(&frame) {
            frame.params.retain(|(name, _)| name != wrong);
            return Err(problem_page(&frame, &Problem::parameter(wrong, why)));
        }
        Ok(Self {
            params: with_range(params, &range),
            frame,
        })
    }
}

/// The newest event time of each signal that is stored.
fn newest(facts: &Facts) -> Vec<(String, u64)> {
    facts
        .counts
        .ages
        .iter()
        .filter_map(|age| {
            let newest = u64::try_from(age.newest_unix_nano?).ok()?;
            Some((age.signal.clone(), newest))
        })
        .collect()
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
