//! The frame of a page: what it takes from its request and the moment, and the links that keep it.
//!
//! The address is the whole state of a page, so each link says what goes along: range, scope, and what is shown beside.

use tripline_storage::filter::{Expression, Filter, Signal};
use tripline_storage::model::Scope;

use crate::address::href;
use crate::links::LinkTemplate;
use crate::range::Range;

/// Parameters, besides the range, that hold for the whole app.
pub const KEPT: [&str; 5] = [
    "environment",
    "service_namespace",
    "cluster",
    "compare",
    "proxies",
];

/// Of these, what narrows a page to a scope.
pub const SCOPES: [&str; 3] = ["environment", "service_namespace", "cluster"];

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

    /// A link about what lives in a scope: what is known of it stands for what is chosen here.
    pub fn link_in(&self, scope: &Scope, path: &str, params: &[(&str, &str)]) -> String {
        let known = [
            ("environment", &scope.environment),
            ("service_namespace", &scope.service_namespace),
            ("cluster", &scope.cluster),
        ];
        let mut pairs = params.to_vec();
        for (name, value) in &known {
            pairs.extend(value.as_deref().map(|value| (*name, value)));
        }
        self.link(path, &pairs)
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
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_link_carries_the_scope_of_what_it_is_about() {
        let scope = Scope {
            environment: Some("prod".to_owned()),
            cluster: Some("eu-1".to_owned()),
            ..Scope::default()
        };
        let frame = Frame {
            params: [("environment", "any"), ("proxies", "show")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Frame::default()
        };
        assert_eq!(
            frame.link_in(&scope, "/traces", &[("q", "x")]),
            "/traces?q=x&environment=prod&cluster=eu-1&proxies=show"
        );
        assert_eq!(
            frame.link_in(&Scope::default(), "/traces", &[]),
            "/traces?environment=any&proxies=show"
        );
    }
}
