//! The instances of a service: which of them fails, is slow, or has gone silent.

use leptos::prelude::*;
use tripline_storage::filter::{Expression, Key, KeyScope, Literal};
use tripline_storage::model::{CountedSpans, InstanceSummary, Page};

use super::ServicePage;
use crate::frame::Frame;
use crate::parts::{ScopeParts, error_share, list_note, positive, since};
use crate::units;

/// What a service that reports no instance should do.
const FIX: &str = "set service.instance.id in OTEL_RESOURCE_ATTRIBUTES (the pod's name)";

/// The panel; nothing without a span in the range.
pub(super) fn panel(data: &ServicePage, frame: &Frame) -> Option<AnyView> {
    let instances = &data.instances;
    let counted = instances.items.first()?.counted;
    // The same id in two places is two instances.
    let scopes = instances.items.iter().map(|instance| &instance.scope);
    let told = ScopeParts::differing(scopes).or_stored(frame);
    let rows = instances
        .items
        .iter()
        .map(|instance| row(&data.name, instance, told, frame))
        .collect_view();
    let basis = format!("counted from {} that are stored", words_of(counted));
    Some(
        view! {
            <section class="panel" id="instances" data-live>
                <div class="panel-head"><h2>"Instances"</h2><p class="quiet">{basis}</p>{frame.how(&data.how.instances)}</div>
                <div class="scroll"><table class="list folds">
                    <thead><tr><th>"Instance"</th><th>"Version"</th><th>"Pod"</th><th>"Host"</th><th class="num">"Calls"</th><th class="num">"Errors"</th>
                    <th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"Last seen"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table></div>
                {note(instances, frame)}
            </section>
        }
        .into_any(),
    )
}

/// How many instances there are: those that report none are a row, but nobody knows how many.
fn note(instances: &Page<InstanceSummary>, frame: &Frame) -> AnyView {
    let named: Vec<&InstanceSummary> = instances
        .items
        .iter()
        .filter(|instance| instance.instance_id.is_some())
        .collect();
    if named.is_empty() {
        let text = format!("To tell instances apart, {FIX}.");
        return view! { <p class="note">{text}</p> }.into_any();
    }
    let page = Page {
        items: named,
        truncated: instances.truncated,
        total: instances.total,
        next: None,
    };
    list_note(&page, "instance", "busiest first", frame)
}

/// Which spans are counted.
fn words_of(counted: CountedSpans) -> &'static str {
    match counted {
        CountedSpans::Entry => "its server and consumer spans",
        CountedSpans::ProxyEntry => "its sidecar's server and consumer spans",
        CountedSpans::Outgoing => "its client and producer spans",
        CountedSpans::ProxyOutgoing => "its sidecar's client and producer spans",
        CountedSpans::Other => "its internal spans",
    }
}

fn row(service: &str, instance: &InstanceSummary, told: ScopeParts, frame: &Frame) -> AnyView {
    let filter = filter_of(instance.instance_id.as_deref());
    let about = [("service", service), ("q", filter.as_str())];
    let traces = frame.link_in(&instance.scope, "/traces", &about);
    let name = match &instance.instance_id {
        Some(id) => view! { <a data-row href=traces><code>{id.clone()}</code></a> }.into_any(),
        None => view! { <a data-row href=traces title=FIX>"not reported"</a> }.into_any(),
    };
    let scope = &instance.scope;
    let known = [
        ("service", service),
        (
            "instance",
            instance.instance_id.as_deref().unwrap_or_default(),
        ),
        (
            "namespace",
            scope.service_namespace.as_deref().unwrap_or_default(),
        ),
        (
            "environment",
            scope.environment.as_deref().unwrap_or_default(),
        ),
        ("cluster", scope.cluster.as_deref().unwrap_or_default()),
    ];
    let elsewhere = frame.elsewhere(&["instance"], &known);
    let place = told.place(scope);
    let versions = if instance.versions.is_empty() {
        "not reported".to_owned()
    } else {
        instance.versions.join(", ")
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    view! {
        <tr>
            <td class="folds-main">{name} " " <span class="quiet">{place}</span> " " {elsewhere}</td>
            <td data-head="version">{versions}</td><td data-head="pod">{or_dash(&instance.pod)}</td><td data-head="host">{or_dash(&instance.host)}</td>
            <td class="num" data-head="calls">{units::count(instance.calls)}</td>
            <td class="num" data-head="errors">{error_share(instance.counts())}</td>
            <td class="num" data-head="p50">{units::duration_or_dash(instance.latency.p50_ns)}</td>
            <td class="num" data-head="p95">{units::duration_or_dash(instance.latency.p95_ns)}</td>
            <td class="num" data-head="last seen">{since(positive(Some(instance.last_unix_nano)), frame)}</td>
        </tr>
    }
    .into_any()
}

/// The filter that finds the spans of an instance.
fn filter_of(id: Option<&str>) -> String {
    let (scope, name) = (KeyScope::Anywhere, "instance");
    let condition = match id {
        Some(id) => Expression::equal(scope, name, Literal::Text(id.to_owned())),
        None => Expression::Absent(Key {
            scope,
            name: name.to_owned(),
        }),
    };
    condition.to_string()
}

#[cfg(test)]
mod tests {
    use tripline_storage::filter::{Filter, Signal};

    use super::*;

    #[test]
    fn the_link_of_an_instance_is_a_filter_whatever_its_id() {
        for id in [
            "a-1",
            "10.0.0.1:8080",
            "with \"quotes\" and blanks",
            "500",
            "true",
        ] {
            let text = filter_of(Some(id));
            let filter = Filter::parse(&text, Signal::Spans).expect(&text);
            let wanted =
                Expression::equal(KeyScope::Anywhere, "instance", Literal::Text(id.to_owned()));
            assert_eq!(filter.expression(), &wanted, "{text}");
        }
        assert_eq!(filter_of(None), "instance absent");
    }
}
