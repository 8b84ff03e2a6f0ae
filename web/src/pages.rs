//! One file a page: a function from plain data to a view.

mod blast;
mod breaker;
mod breaker_marks;
mod breakers;
mod ejection;
mod error_classes;
mod explore;
mod filter;
mod graph;
mod incident;
mod incidents;
mod last_week;
mod logs;
mod overview;
mod own_breakers;
mod proxies;
mod service;
mod span_beside;
mod span_marks;
mod span_panel;
mod sql;
mod status;
mod trace;
mod trace_clocks;
mod trace_scopes;
mod trace_tabs;
mod traces;
mod waterfall;
mod whatif;

pub use breaker::{BreakerHow, BreakerPage, breaker};
pub use breakers::{BreakersHow, BreakersPage, breakers};
pub use explore::{Explore, ExploreHow, explore};
pub use graph::{GraphPage, Scrubber, graph};
pub use incident::{incident, markdown};
pub use incidents::incidents;
pub use last_week::GraphThen;
pub use logs::{AROUND_NS, Around, LogsHow, LogsPage, logs};
pub use overview::{
    Credential, Door, LastHeard, Overview, OverviewHow, Receiver, Receivers, overview,
};
pub use service::{PartHow, ServiceHow, ServicePage, ServicePart, service, service_markdown};
pub use sql::{Relation, SqlLimits, SqlOutcome, SqlPage, SqlTable, is_query, sql};
pub use status::{StatusSection, status};
pub use trace::{TRACE_VIEWS, TracePage, span, trace};
pub use traces::{TracesHow, TracesPage, box_of, box_param, traces};
pub use whatif::{what_if, what_if_refusal};

#[cfg(test)]
mod tests;

use leptos::prelude::*;

/// What a page renders.
pub type View = AnyView;

use crate::frame::Frame;
use crate::parts::{WayOn, failure, nothing};

/// A page that could not be made, said as such.
pub fn failed(title: &str, detail: &str, way: WayOn) -> AnyView {
    view! { <section class="panel">{failure(title, detail, Some(way))}</section> }.into_any()
}

/// Nothing is at this address.
pub fn missing(frame: &Frame, sentence: &str, advice: &str) -> AnyView {
    let home = frame.link("/", &[]);
    view! { <h1>"Not found"</h1><section class="panel">{nothing(sentence, advice)}<p><a class="button" href=home>"To the overview"</a></p></section> }
        .into_any()
}

/// Asks for the token; the full address comes back after it.
pub fn login(next: &str, is_wrong: Option<&str>) -> AnyView {
    view! {
        <section class="panel narrow">
            <h1>"Token"</h1>
            {is_wrong.map(|sentence| failure("Not accepted", sentence, None))}
            <p>"This Tripline asks for its token before it shows anything."</p>
            <form method="post" action="/login" class="stack">
                <input type="hidden" name="next" value=next.to_owned()/>
                <label>"Token" <input type="password" name="token" autocomplete="current-password" required autofocus/></label>
                <button class="button">"Open"</button>
            </form>
        </section>
    }
    .into_any()
}
