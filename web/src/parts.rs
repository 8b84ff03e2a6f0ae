//! The small parts every page is made of: links, times, counts, notes about what was cut.

mod fields;
mod notes;
mod scope;
mod sorting;

use std::hash::{DefaultHasher, Hash, Hasher};

use leptos::prelude::*;
use tripline_storage::filter::{Expression, Filter, KeyScope, Literal, Signal, part_field};
use tripline_storage::model::{AttributeValue, Attributes, Scope};

pub use self::fields::{kept_fields, other_fields};
pub use self::notes::{
    basis_note, basis_tag, cut_note, export_links, list_note, metrics_named, nothing_of,
    requests_note, service_basis,
};
pub use self::scope::place;
pub use self::sorting::sort_head;
use crate::islands::CopyId;
use crate::links::LinkTemplate;
use crate::range::Range;
use crate::units;

/// What every page is rendered with, taken from the request and the moment.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// Path of the page.
    pub path: String,
    /// Parameters of the URL, decoded, in their order.
    pub params: Vec<(String, String)>,
    /// The range in the URL.
    pub range: Range,
    /// The range of a URL that says none.
    pub default_range: Range,
    /// What is shown is a bundle, not a live store.
    pub bundle: Option<BundleNote>,
    /// Now, in nanoseconds since the epoch: one moment for the whole page.
    pub now_ns: u64,
    /// `light` or `dark`, if chosen.
    pub theme: Option<&'static str>,
    /// Where the stylesheet and the bundle are.
    pub assets: AssetPaths,
    /// What the foot of the page says.
    pub footer: Vec<FooterFact>,
    /// Newest event time stored of `traces`, `logs` and `metrics`, nanoseconds since the epoch; of those that have any.
    pub newest: Vec<(String, u64)>,
    /// Saved views, by name.
    pub saved: Vec<SavedPage>,
    /// Environments, namespaces and clusters that are stored.
    pub scopes: [Vec<String>; 3],
    /// Seconds of the range in which data can be: what rates are over. The whole range unless said.
    pub covered_seconds: Option<f64>,
    /// Links to other tools.
    pub links: Vec<LinkTemplate>,
    /// What "Copy as Markdown" copies, if more than the page's name, range and filter.
    pub markdown: Option<String>,
}

/// A page that was given a name.
#[derive(Debug, Clone, Default)]
pub struct SavedPage {
    /// Its number, as in `/views/{id}`.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Path and query of the page.
    pub path: String,
}

/// Addresses of the embedded files, with their hashes.
#[derive(Debug, Clone, Default)]
pub struct AssetPaths {
    /// The stylesheet.
    pub style: String,
    /// The icon.
    pub icon: String,
    /// Loader, module and wasm of the bundle; `None` when the binary was built without one.
    pub bundle: Option<BundlePaths>,
}

/// The three files of the bundle.
#[derive(Debug, Clone)]
pub struct BundlePaths {
    /// Starts the islands.
    pub loader: String,
    /// Glue written by wasm-bindgen.
    pub module: String,
    /// The code.
    pub wasm: String,
}

/// The bundle of an incident, as every page of it says.
#[derive(Debug, Clone, Default)]
pub struct BundleNote {
    /// Its first moment, nanoseconds since the epoch.
    pub from_ns: u64,
    /// Its last: what counts as now.
    pub to_ns: u64,
    /// Ids of its incidents.
    pub incidents: Vec<String>,
    /// What of it was left out, a sentence each.
    pub cut: Vec<String>,
}

/// One fact at the foot of each page.
#[derive(Debug, Clone)]
pub struct FooterFact {
    /// What it is about.
    pub name: String,
    /// What it says.
    pub value: String,
    /// It deserves a look.
    pub is_bad: bool,
}

/// Parameters, besides the range, that hold for the whole app.
pub const KEPT: [&str; 5] = [
    "environment",
    "service_namespace",
    "cluster",
    "compare",
    "proxies",
];

impl Frame {
    /// A parameter of the URL; an empty one is an absent one.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Whether the numbers of the same time last week are asked for too.
    pub fn compares(&self) -> bool {
        self.param("compare") == Some("week")
    }

    /// Whether proxies are shown beside the services they stand beside.
    pub fn shows_proxies(&self) -> bool {
        self.param("proxies") == Some("show")
    }

    /// Whether a trace is shown without the spans of proxies. It says nothing of other pages, nor they of it.
    pub fn hides_sidecars(&self) -> bool {
        self.param("sidecars") == Some("hide")
    }

    /// A link to another page at the same range.
    pub fn link(&self, path: &str, params: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> = params.to_vec();
        let (from, to) = (self.range.from.print(), self.range.to.print());
        // The scope is chosen for the whole app, like the range; so is what is shown beside it.
        for name in KEPT {
            if let (Some(value), false) =
                (self.param(name), params.iter().any(|(key, _)| *key == name))
            {
                pairs.push((name, value));
            }
        }
        if self.range != self.default_range {
            pairs.push(("from", &from));
            pairs.push(("to", &to));
        }
        href(path, &pairs)
    }

    /// A link to what is found whenever it was: without the range.
    pub fn timeless_link(&self, path: &str, params: &[(&str, &str)]) -> String {
        let frame = Self {
            path: self.path.clone(),
            params: self.params.clone(),
            ..Self::default()
        };
        frame.link(path, params)
    }

    /// This very page with some parameters changed; an empty value takes one away.
    pub fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(&str, &str)> = self
            .params
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .filter(|(key, _)| !changes.iter().any(|(changed, _)| changed == key))
            .collect();
        pairs.extend(
            changes
                .iter()
                .copied()
                .filter(|(_, value)| !value.is_empty()),
        );
        href(&self.path, &pairs)
    }

    /// Start and end of the range.
    pub fn bounds(&self) -> (u64, u64) {
        self.range.resolve(self.now_ns)
    }

    /// Seconds that rates are over; at least one.
    pub fn seconds(&self) -> f64 {
        let (from, to) = self.bounds();
        self.covered_seconds
            .unwrap_or((to - from) as f64 / 1e9)
            .max(1.0)
    }

    /// Links to other tools about one of these places, filled in with what is known here and the range.
    pub fn elsewhere(&self, about: &[&str], known: &[(&str, &str)]) -> Option<AnyView> {
        let (from, to) = self.bounds();
        let (from, to) = ((from / 1_000_000).to_string(), (to / 1_000_000).to_string());
        let mut known = known.to_vec();
        known.extend([("from_ms", from.as_str()), ("to_ms", to.as_str())]);
        let links: Vec<AnyView> = self
            .links
            .iter()
            .filter(|link| link.is_about(about))
            .filter_map(|link| Some((link.name.clone(), link.filled(&known)?)))
            .map(|(name, address)| view! { <a class="elsewhere" href=address rel="noreferrer noopener" target="_blank">{name}" ↗"</a> " " }.into_any())
            .collect();
        (!links.is_empty()).then(|| links.into_any())
    }

    /// This page with one more condition in its filter.
    pub fn narrowed(&self, signal: Signal, condition: Expression) -> String {
        let text = self.param("q").unwrap_or_default();
        let text = Filter::narrowed(text, signal, condition);
        self.with(&[
            ("q", &text),
            ("cursor", ""),
            ("box", ""),
            ("around", ""),
            ("record", ""),
        ])
    }

    /// `/sql` with a query, at the same range: the "how?" behind a number. Nothing where there is no query.
    pub fn how(&self, sql: &str) -> AnyView {
        if sql.is_empty() {
            return "".into_any();
        }
        let link = self.link("/sql", &[("q", sql)]);
        view! { <a class="how" href=link title="The SQL behind this">"how?"</a> }.into_any()
    }
}

/// A path with its parameters percent-encoded. Everything that comes from telemetry goes through here.
pub fn href(path: &str, params: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (at, (key, value)) in params.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        encode_into(&mut out, key);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

/// One segment of a path, percent-encoded: a service may be called `a/b?c`.
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    encode_into(&mut out, text);
    out
}

fn encode_into(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// The colour class of a service: the same name has the same colour on every page.
pub fn colour(service: &str) -> String {
    let mut hasher = DefaultHasher::new();
    service.hash(&mut hasher);
    format!("c{}", hasher.finish() % 10)
}

/// A service's name with its colour, linked to its page.
pub fn service_link(frame: &Frame, name: Option<&str>) -> AnyView {
    service_link_in(frame, &Scope::default(), name)
}

/// The same of a service whose scope is known: the same name in another scope is another service.
pub fn service_link_in(frame: &Frame, scope: &Scope, name: Option<&str>) -> AnyView {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return view! { <span class="quiet">"unnamed"</span> }.into_any();
    };
    let link = frame.link_in(scope, &format!("/services/{}", segment(name)), &[]);
    view! { <a class="service" href=link><i class=format!("dot {}", colour(name))></i>{name.to_owned()}</a> }.into_any()
}

/// An id with the button that copies it.
pub fn copied_id(id: &str) -> AnyView {
    view! { <span class="nowrap"><code class="id">{id.to_owned()}</code> " " <CopyId id=id.to_owned()/></span> }.into_any()
}

/// A moment: its time of day in a row, the whole of it (UTC) on hover. UTC until the browser knows better.
pub fn moment(unix_nano: Option<u64>, frame: &Frame) -> AnyView {
    let Some(ns) = unix_nano.filter(|ns| *ns > 0) else {
        return view! { <span class="quiet">"no time"</span> }.into_any();
    };
    let is_today = ns / 86_400_000_000_000 == frame.now_ns / 86_400_000_000_000;
    let text = if is_today {
        units::time_of_day(ns, 3)
    } else {
        units::timestamp(ns, 3).replace('T', " ").replace('Z', "")
    };
    let exact = units::timestamp(ns, 9);
    view! { <time datetime=exact.clone() title=exact data-clock="row">{text}</time> }.into_any()
}

/// How long ago, the exact time on hover.
pub fn since(unix_nano: Option<u64>, frame: &Frame) -> AnyView {
    let Some(ns) = unix_nano.filter(|ns| *ns > 0) else {
        return view! { <span class="quiet">"never"</span> }.into_any();
    };
    let exact = units::timestamp(ns, 0);
    view! { <time datetime=exact.clone() title=exact>{units::ago(ns, frame.now_ns)}</time> }
        .into_any()
}

/// A failed share, marked by weight of colour and by a word for those who do not see it.
pub fn error_share(errors: u64, calls: u64) -> AnyView {
    let share = if calls == 0 {
        0.0
    } else {
        errors as f64 / calls as f64
    };
    let class = severity_of_share(share);
    let title = format!("{} of {} failed", units::count(errors), units::count(calls));
    view! { <span class=format!("share {class}") title=title>{units::percent(share)}</span> }
        .into_any()
}

/// `bad` from 5 %, `warn` above zero, else `fine`.
pub fn severity_of_share(share: f64) -> &'static str {
    if share >= 0.05 {
        "bad"
    } else if share > 0.0 {
        "warn"
    } else {
        "fine"
    }
}

/// A sentence where a list would be.
pub fn nothing(sentence: &str, advice: &str) -> AnyView {
    view! { <div class="nothing"><p>{sentence.to_owned()}</p><p class="quiet">{advice.to_owned()}</p></div> }.into_any()
}

/// An error shown as one, with the way to try again.
pub fn failure(title: &str, detail: &str, retry: Option<String>) -> AnyView {
    view! {
        <div class="failure" role="alert">
            <strong>{title.to_owned()}</strong>
            <p>{detail.to_owned()}</p>
            {retry.map(|link| view! { <a class="button" href=link>"Try again"</a> })}
        </div>
    }
    .into_any()
}

/// Attributes as a table; each value leads to what shares it, and to what does not: on this very page when it
/// has a filter of that signal, else on `/traces`.
pub fn attribute_table(
    attributes: &Attributes,
    scope: KeyScope,
    signal: Signal,
    frame: &Frame,
) -> AnyView {
    attribute_table_with(attributes, scope, signal, frame, &|_| None)
}

/// The same with something more beside each value, by its key.
pub fn attribute_table_with(
    attributes: &Attributes,
    scope: KeyScope,
    signal: Signal,
    frame: &Frame,
    more: &dyn Fn(&str) -> Option<AnyView>,
) -> AnyView {
    if attributes.is_empty() {
        return view! { <p class="quiet">"none"</p> }.into_any();
    }
    let rows = attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.to_string();
            let more = more(&attribute.key);
            // An attribute of an event that is called as a field of it cannot be asked for.
            let value_asked =
                literal(&attribute.value).filter(|_| part_field(scope, &attribute.key).is_none());
            let tools = value_asked.map(|literal| {
                let same = Expression::equal(scope, &attribute.key, literal);
                let other = Expression::Not(Box::new(same.clone()));
                filter_links(frame, signal, same, other)
            });
            view! {
                <tr>
                    <th scope="row">{attribute.key.clone()}</th>
                    <td><code>{value}</code></td>
                    <td class="tools">{tools} " " {more}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <table class="attributes"><tbody>{rows}</tbody></table> }.into_any()
}

/// A value as a filter writes it; arrays and maps have no such form.
pub fn literal(value: &AttributeValue) -> Option<Literal> {
    match value {
        AttributeValue::String(text) => Some(Literal::Text(text.clone())),
        AttributeValue::Bool(value) => Some(Literal::Bool(*value)),
        AttributeValue::Int(value) => Some(Literal::Number(value.to_string())),
        AttributeValue::Double(value) if value.is_finite() => {
            Some(Literal::Number(format!("{value:?}")))
        }
        _ => None,
    }
}

/// "Filter for" and "filter out".
pub fn filter_links(frame: &Frame, signal: Signal, same: Expression, other: Expression) -> AnyView {
    let page = match signal {
        Signal::Spans => "/traces",
        Signal::Logs => "/logs",
        Signal::Metrics => "/explore",
    };
    let link = |condition: Expression| {
        if frame.path == page {
            frame.narrowed(signal, condition)
        } else {
            frame.link(page, &[("q", &condition.to_string())])
        }
    };
    let (only, without) = (link(same), link(other));
    view! {
        <a href=only title="Only with this value" aria-label="Only with this value">"+"</a>" "
        <a href=without title="Without this value" aria-label="Without this value">"−"</a>
    }
    .into_any()
}

/// "Filter for" and "filter out" of a field of the signal, by the word or text it has.
pub fn field_links(frame: &Frame, signal: Signal, field: &str, value: &str) -> AnyView {
    if value.is_empty() {
        return "".into_any();
    }
    let value = Literal::Text(value.to_owned());
    let same = Expression::equal(KeyScope::Anywhere, field, value);
    let other = Expression::Not(Box::new(same.clone()));
    view! { <span class="tools">{filter_links(frame, signal, same, other)}</span> }.into_any()
}

/// What is wrong with a question, and where, if it is its filter.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// In words.
    pub detail: String,
    /// The filter and the column, from 1.
    pub at: Option<(String, usize)>,
}

/// A question that cannot be asked, with a mark under the place and the way to try again.
pub fn complaint(complaint: &Complaint, frame: &Frame) -> AnyView {
    let place = complaint.at.as_ref().map(|(filter, column)| {
        let mark = format!("{}\u{25b2}", " ".repeat(column.saturating_sub(1)));
        let line = filter.replace(['\n', '\r', '\t'], " ");
        view! { <pre class="complaint">{format!("{line}\n{mark}")}</pre> }
    });
    view! {
        <div class="failure" role="alert">
            <strong>"This search cannot be run"</strong>
            <p>{complaint.detail.clone()}</p>
            {place}
            <a class="button" href=frame.with(&[])>"Try again"</a>
        </div>
    }
    .into_any()
}

/// A saved view in a list: its link, and the button that deletes it.
pub fn saved_page(page: &SavedPage) -> AnyView {
    let (id, name) = (page.id, page.name.clone());
    let delete = format!("Delete {name}");
    view! {
        <li><a href=format!("/views/{id}")>{name}</a>
        <form method="post" action=format!("/views/{id}/delete")><button class="icon-button" aria-label=delete title="Delete">"✕"</button></form></li>
    }
    .into_any()
}

/// A number with its name under it.
pub fn figure(name: &str, value: String, detail: AnyView) -> AnyView {
    view! {
        <div class="figure"><span class="figure-name">{name.to_owned()}</span><span class="figure-value">{value}</span>
        <span class="figure-detail">{detail}</span></div>
    }
    .into_any()
}

/// Nanoseconds of a signed time, if it is one.
pub fn positive(ns: Option<i64>) -> Option<u64> {
    ns.and_then(|ns| u64::try_from(ns).ok())
}

/// Text as HTML that shows it. For `inner_html` of a `<textarea>` alone: Leptos takes such an element's
/// children for raw text and writes them unescaped, everywhere else it escapes by itself. The first line
/// break is one that HTML drops.
pub fn text_as_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    html.push('\n');
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_hostile_text_encoded() {
        assert_eq!(
            href("/traces", &[("q", "a&b=\"<x>")]),
            "/traces?q=a%26b%3D%22%3Cx%3E"
        );
        assert_eq!(segment("a/b?c"), "a%2Fb%3Fc");
    }

    #[test]
    fn changing_a_parameter_keeps_the_others() {
        let frame = Frame {
            path: "/logs".to_owned(),
            params: vec![
                ("service".to_owned(), "cart".to_owned()),
                ("cursor".to_owned(), "x".to_owned()),
            ],
            ..Frame::default()
        };
        assert_eq!(frame.with(&[("cursor", "")]), "/logs?service=cart");
        assert_eq!(
            frame.with(&[("cursor", "y")]),
            "/logs?service=cart&cursor=y"
        );
    }

    #[test]
    fn what_holds_for_the_whole_app_goes_along() {
        let frame = |params: &[(&str, &str)]| Frame {
            path: "/".to_owned(),
            params: params
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Frame::default()
        };
        let kept = frame(&[
            ("q", "x"),
            ("compare", "week"),
            ("proxies", "show"),
            ("environment", "prod"),
        ]);
        assert_eq!(
            kept.link("/graph", &[]),
            "/graph?environment=prod&compare=week&proxies=show"
        );
        assert!(kept.compares() && kept.shows_proxies());
        let hidden = frame(&[("sidecars", "hide")]);
        assert_eq!(hidden.link("/graph", &[]), "/graph");
        assert!(hidden.hides_sidecars() && !hidden.compares() && !hidden.shows_proxies());
    }
}
