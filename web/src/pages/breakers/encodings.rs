//! Numbers of breakers that nobody knows: what was seen while each held, and the place to say what it means.

use leptos::prelude::*;
use tripline_storage::model::{EncodingOffer, EncodingValue, Encodings, LearnedState, STATES};

use crate::frame::Frame;
use crate::pages::breaker_marks::state_mark;
use crate::parts::service_link;
use crate::units;

/// The section; nothing where every number is known by itself.
pub(super) fn section(encodings: &Encodings, how: &str, frame: &Frame) -> Option<AnyView> {
    let offers = &encodings.offers;
    let is_shown = |learned: &LearnedState| {
        offers.iter().any(|offer| {
            let mut values = offer.values.iter();
            values.any(|value| is_about(learned, offer, value))
        })
    };
    // What was said of metrics that are not seen now can be taken back as well.
    let others: Vec<AnyView> = encodings
        .learned
        .iter()
        .filter(|learned| !is_shown(learned))
        .map(|learned| kept(learned, frame))
        .collect();
    if offers.is_empty() && others.is_empty() {
        return None;
    }
    let rows: Vec<AnyView> = offers
        .iter()
        .flat_map(|offer| {
            let values = offer.values.iter();
            values
                .map(|value| row(offer, value, &encodings.learned, frame))
                .collect::<Vec<_>>()
        })
        .chain(others)
        .collect();
    Some(view! {
        <section class="panel" id="encodings" data-live><div class="panel-head"><h2>"Numbers of unknown meaning"</h2>{frame.how(how)}</div>
        <p class="note">"These metrics give states as numbers, and libraries do not agree on what they mean. Nothing is guessed: \
            the state is unknown until somebody says it here. What is stored already is read that way too, and nothing is rewritten."</p>
        <div class="scroll"><table class="list">
            <thead><tr><th>"Metric"</th><th>"Service"</th><th class="num">"Number"</th><th class="num">"Held for"</th><th>"What speaks for it"</th><th>"Means"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div></section>
    }.into_any())
}

/// Whether what was said is about a number of an offer: for its service or for any.
fn is_about(learned: &LearnedState, offer: &EncodingOffer, value: &EncodingValue) -> bool {
    let whose = learned.service.as_deref();
    (&learned.metric, &learned.value) == (&offer.metric, &value.value)
        && whose.is_none_or(|service| service == offer.service_name)
}

fn row(
    offer: &EncodingOffer,
    value: &EncodingValue,
    learned: &[LearnedState],
    frame: &Frame,
) -> AnyView {
    let held = units::duration(u64::try_from(value.held_ns).unwrap_or(0));
    let because = match (&value.proposed, &value.because) {
        (Some(state), Some(because)) => {
            view! { {state_mark(state)} <span class="quiet">" "{because.clone()}</span> }.into_any()
        }
        _ => view! { <span class="quiet">{seen(value)}</span> }.into_any(),
    };
    // What was said for any service is taken back for any.
    let mut about = learned
        .iter()
        .filter(|learned| is_about(learned, offer, value));
    let is_of_any = value.learned.is_some() && about.all(|learned| learned.service.is_none());
    let said = Said {
        metric: &offer.metric,
        service: if is_of_any { "" } else { &offer.service_name },
        value: &value.value,
    };
    let means = match &value.learned {
        Some(state) => known(&said, state, frame),
        None => said.form(value.proposed.as_deref(), frame),
    };
    let metric = offer.metric.clone();
    let breakers = units::counted(u64::from(offer.breakers), "breaker");
    let whose = if offer.service_name.is_empty() {
        view! { <span class="quiet">"unnamed: said for any service"</span> }.into_any()
    } else {
        service_link(frame, Some(&offer.service_name))
    };
    view! {
        <tr><td title=breakers><code>{metric}</code></td><td>{whose}</td>
            <td class="num">{value.value.clone()}</td><td class="num nowrap">{held}</td><td>{because}</td><td>{means}</td></tr>
    }
    .into_any()
}

/// What was said of a metric that is not seen now.
fn kept(learned: &LearnedState, frame: &Frame) -> AnyView {
    let said = Said {
        metric: &learned.metric,
        service: learned.service.as_deref().unwrap_or_default(),
        value: &learned.value,
    };
    let whose = match &learned.service {
        Some(service) => service_link(frame, Some(service)),
        None => view! { <span class="quiet">"any"</span> }.into_any(),
    };
    view! {
        <tr><td><code>{learned.metric.clone()}</code></td><td>{whose}</td><td class="num">{learned.value.clone()}</td>
            <td class="num quiet">"–"</td><td class="quiet">"not seen in this range"</td><td>{known(&said, &learned.state, frame)}</td></tr>
    }
    .into_any()
}

fn seen(value: &EncodingValue) -> String {
    let counted = value.refused + value.passed;
    if counted > 0 {
        return format!(
            "{} of {} refused",
            units::count(value.refused),
            units::counted(counted, "call")
        );
    }
    if value.calls > 0 {
        return format!(
            "{} of {} failed",
            units::count(value.errors),
            units::counted(value.calls, "call")
        );
    }
    format!("{}, nothing else", units::counted(value.samples, "sample"))
}

fn known(said: &Said<'_>, state: &str, frame: &Frame) -> AnyView {
    view! {
        {state_mark(state)} " " <span class="tag">"learned"</span>
        {said.post(view! { <input type="hidden" name="state" value="unknown"/><button class="icon-button" aria-label=format!("Forget what {} means", said.value) title="Forget">"✕"</button> }.into_any(), frame)}
    }
    .into_any()
}

/// A number that a form is about.
struct Said<'a> {
    metric: &'a str,
    service: &'a str,
    value: &'a str,
}

impl Said<'_> {
    /// The choice of what it means, with the button that says it.
    fn form(&self, proposed: Option<&str>, frame: &Frame) -> AnyView {
        let nothing = proposed
            .is_none()
            .then(|| view! { <option value="" selected>"choose"</option> });
        // Nobody says that a number means nothing known, and silence is no number.
        let options = STATES
            .into_iter()
            .filter(|state| !matches!(*state, "unknown" | "stale"))
            .map(|state| {
                let is_proposed = proposed == Some(state);
                view! { <option value=state selected=is_proposed>{state.replace('_', " ")}</option> }
            })
            .collect_view();
        let label = format!("What {} of {} means", self.value, self.metric);
        self.post(
            view! { <select name="state" aria-label=label required>{nothing}{options}</select><button class="button">"It means this"</button> }
                .into_any(),
            frame,
        )
    }

    fn post(&self, fields: AnyView, frame: &Frame) -> AnyView {
        if frame.bundle.is_some() {
            // Of a bundle nothing changes.
            return "".into_any();
        }
        view! {
            <form method="post" action="/breakers/encodings" class="filters inline">
                <input type="hidden" name="metric" value=self.metric.to_owned()/>
                <input type="hidden" name="service" value=self.service.to_owned()/>
                <input type="hidden" name="value" value=self.value.to_owned()/>
                <input type="hidden" name="path" value=frame.with(&[])/>
                {fields}
            </form>
        }
        .into_any()
    }
}
