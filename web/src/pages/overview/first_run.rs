//! The first page anybody sees: where to send telemetry, what was tried already, and how to send a first span.

use leptos::prelude::*;

use super::receivers::{Credential, Place, Receiver, Receivers};
use super::recipes::recipes;
use super::{Door, Overview};
use crate::units;

/// What the overview shows while nothing is stored.
pub(super) fn first_run(data: &Overview) -> AnyView {
    let receivers = &data.receivers;
    let (grpc, http) = (receivers.grpc_place(), receivers.http_place());
    let lead = if grpc.is_some() || http.is_some() {
        "Nothing has arrived yet. Point any OpenTelemetry exporter here; there is nothing to configure."
    } else {
        "Nothing is stored, and nothing is received here."
    };
    let recipes: Vec<AnyView> = recipes(receivers)
        .into_iter()
        .enumerate()
        .map(|(at, (name, text))| recipe(name, text, at == 0))
        .collect();
    let blocks = (!recipes.is_empty()).then(|| {
        view! {
            <section class="panel">
                <h2>"Send your first span"</h2>
                {receivers.credential.as_ref().map(needed)}
                <div class="recipes">{recipes}</div>
            </section>
        }
    });
    view! {
        <section class="panel welcome" id="first-run" data-live="reload">
            <h1>"Waiting for telemetry"</h1>
            <p class="lead">{lead}
            <span class="needs-wasm">" When something arrives, this page changes by itself."</span> <noscript>" Then reload."</noscript></p>
            <dl class="addresses">
                <dt>"OTLP/gRPC"</dt><dd>{address(receivers.grpc.as_ref(), grpc.as_ref())}</dd>
                <dt>"OTLP/HTTP"</dt><dd>{address(receivers.http.as_ref(), http.as_ref())}</dd>
            </dl>
            {loopback(grpc.as_ref(), http.as_ref())}
            {encrypted(receivers)}
            {doors(&data.doors)}
            <p class="quiet">"No service at hand? " <code>"tripline demo"</code> " runs a small shop that sends everything."</p>
        </section>
        {blocks}
    }
    .into_any()
}

/// Where one receiver is called, and where it listens if that is not the same.
fn address(receiver: Option<&Receiver>, place: Option<&Place>) -> AnyView {
    let Some((receiver, place)) = receiver.zip(place) else {
        return view! { <span class="quiet">"not served"</span> }.into_any();
    };
    let url = place.url();
    let bound = (!url.ends_with(receiver.address.as_str())).then(|| {
        view! { " " <span class="quiet">"listens on " {receiver.address.clone()}</span> }
    });
    view! { <code>{url}</code>{bound} }.into_any()
}

/// Which of the two nobody beyond this machine reaches, and how to change that.
fn loopback(grpc: Option<&Place>, http: Option<&Place>) -> Option<AnyView> {
    let (mut names, mut flags) = (Vec::new(), Vec::new());
    for (name, flag, place) in [
        ("OTLP/gRPC", "--otlp-grpc", grpc),
        ("OTLP/HTTP", "--otlp-http", http),
    ] {
        if let Some(Place::Tcp {
            port,
            is_loopback: true,
            ..
        }) = place
        {
            names.push(name);
            flags.push(format!("{flag} 0.0.0.0:{port}"));
        }
    }
    let text = format!(
        "Loopback only: other machines and pods cannot reach {}. Start with ",
        names.join(" and ")
    );
    (!names.is_empty()).then(|| {
        view! { <p class="quiet">{text} <code>{flags.join(" ")}</code> " to change that."</p> }
            .into_any()
    })
}

/// What senders need where a receiver speaks TLS.
fn encrypted(receivers: &Receivers) -> Option<AnyView> {
    let mut served = [&receivers.grpc, &receivers.http].into_iter().flatten();
    served.any(|receiver| receiver.is_encrypted).then(|| {
        view! {
            <p class="quiet">"TLS is on. Senders must know the authority of its certificate, unless it is a public one: "
            <code>"--cacert ca.pem"</code> " for curl, " <code>"OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem"</code> " for an SDK."</p>
        }
        .into_any()
    })
}

/// That a secret stands in the blocks which this page does not tell.
fn needed(credential: &Credential) -> AnyView {
    let Credential { header, value } = credential;
    view! {
        <p class="quiet">"Not everybody may send here: every request needs the header " <code>{format!("{header}: {value}")}</code>
        ". Put the secret in the place of the words in capitals."</p>
    }
    .into_any()
}

/// What was tried already, and why it did not work: the answer to "I do send, where is it?".
fn doors(doors: &[Door]) -> AnyView {
    let rows = doors
        .iter()
        .map(|door| {
            let class = if door.refused > 0 { "share bad" } else { "quiet" };
            view! {
                <tr><th scope="row">{door.name}</th><td class="num">{units::count(door.accepted + door.refused)}</td>
                <td class="num"><span class=class>{units::count(door.refused)}</span></td>
                <td class="wide">{door.last_reason.clone().unwrap_or_else(|| "–".to_owned())}</td></tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list">
            <thead><tr><th>"Receiver"</th><th class="num">"Requests seen"</th><th class="num">"Refused"</th><th>"Why the last was refused"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

fn recipe(name: &str, text: String, is_open: bool) -> AnyView {
    view! { <details class="recipe" open=is_open><summary>{name.to_owned()}</summary><pre><code>{text}</code></pre></details> }.into_any()
}
