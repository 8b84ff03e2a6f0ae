//! The address is the whole state of a page: forms and links send along what they do not change.

use tripline_storage::model::{SpanRecord, TraceDetail};

use super::incident_data::what_if_of;
use super::*;

/// What holds for any page.
static STATE: [(&str, &str); 5] = [
    ("environment", "prod"),
    ("from", "now-6h"),
    ("to", "now"),
    ("proxies", "show"),
    ("compare", "week"),
];

fn asked(path: &str, more: &[(&str, &str)]) -> Frame {
    frame(path, &[STATE.as_slice(), more].concat())
}

/// The hidden fields of the form that has this in it, each as `name=value`.
fn hidden_of(html: &str, mark: &str) -> Vec<String> {
    let form = html
        .split("<form")
        .skip(1)
        .filter_map(|rest| rest.split("</form>").next())
        .find(|form| form.contains(mark))
        .unwrap_or_else(|| panic!("no form with {mark}\n{html}"));
    form.split("type=\"hidden\" name=\"")
        .skip(1)
        .filter_map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"")?;
            let (value, _) = rest.split_once('"')?;
            Some(format!("{name}={value}"))
        })
        .collect()
}

/// [`STATE`] and then these.
fn state_and(more: &[&str]) -> Vec<String> {
    let state = STATE.iter().map(|(name, value)| format!("{name}={value}"));
    state
        .chain(more.iter().map(|one| (*one).to_owned()))
        .collect()
}

#[test]
fn forms_send_along_what_they_do_not_set() {
    let page = asked(
        "/breakers/x/y/whatif",
        &[("minimum_calls", "5"), ("propose", "true")],
    );
    let html = render(&page, "x", |f| what_if(&what_if_of("checkout"), f));
    assert_eq!(hidden_of(&html, "Replay</button>"), state_and(&[]));

    let page = asked("/traces/x", &[("view", "compare"), ("with", "abc")]);
    let html = render(&page, "x", |f| trace(&TracePage::default(), f));
    assert_eq!(
        hidden_of(&html, "Compare</button>"),
        state_and(&["view=compare"])
    );

    let page = asked(
        "/traces/x",
        &[("fold", "a"), ("find", "b"), ("row", "3"), ("span", "c")],
    );
    let of_one = TracePage {
        trace: TraceDetail {
            spans: vec![SpanRecord::default()],
            ..TraceDetail::default()
        },
        ..TracePage::default()
    };
    let html = render(&page, "x", |f| trace(&of_one, f));
    assert_eq!(hidden_of(&html, "Find</button>"), state_and(&["fold=a"]));

    let page = asked(
        "/logs",
        &[
            ("view", "patterns"),
            ("q", "x"),
            ("service", "cart"),
            ("cursor", "c"),
        ],
    );
    let html = render(&page, "x", |f| logs(&LogsPage::default(), f));
    assert_eq!(
        hidden_of(&html, "Search</button>"),
        state_and(&["view=patterns"])
    );

    let page = asked(
        "/explore",
        &[("metric", "m"), ("show", "p95"), ("text", "x")],
    );
    let html = render(&page, "x", |f| explore(&Explore::default(), f));
    assert_eq!(
        hidden_of(&html, "Search</button>"),
        state_and(&["metric=m", "show=p95"])
    );

    let page = asked(
        "/graph",
        &[
            ("service", "cart"),
            ("at", "2026-11-21T03:02:14Z"),
            ("find", "x"),
            ("top", "20"),
        ],
    );
    let node = json!({"name": "cart", "kind": "service", "inferred": false, "calls": 1, "errors": 0, "latency": {}});
    let data = GraphPage {
        graph: read(json!({"nodes": [node], "edges": [], "truncated": false, "total_edges": 0})),
        ..GraphPage::default()
    };
    let html = render(&page, "x", |f| graph(&data, f));
    assert_eq!(
        hidden_of(&html, "Show</button>"),
        state_and(&["service=cart", "at=2026-11-21T03:02:14Z"])
    );
}

#[test]
fn a_form_that_leads_elsewhere_takes_what_holds_everywhere() {
    let page = asked("/traces", &[("q", "x"), ("service", "cart")]);
    let html = render(&page, "x", |f| traces(&TracesPage::default(), f));
    assert_eq!(
        hidden_of(&html, "Trace id or service"),
        [
            "from=now-6h",
            "to=now",
            "environment=prod",
            "compare=week",
            "proxies=show"
        ]
    );
}

#[test]
fn a_filter_is_explained_by_what_the_signal_can_be_asked() {
    let pages = [
        render(&asked("/traces", &[]), "x", |f| {
            traces(&TracesPage::default(), f)
        }),
        render(&asked("/logs", &[]), "x", |f| logs(&LogsPage::default(), f)),
        render(&asked("/explore", &[]), "x", |f| {
            explore(&Explore::default(), f)
        }),
    ];
    for (words, on) in [
        ("looks at the item alone", [true, true, true]),
        ("an attribute that is a list or a map", [true, true, true]),
        (
            "look at the events and links of a span",
            [true, false, false],
        ),
        ("when any span of the trace fits", [true, true, false]),
    ] {
        assert_eq!(
            pages.each_ref().map(|html| html.contains(words)),
            on,
            "{words}"
        );
    }
}

#[test]
fn a_trace_without_its_proxies_says_nothing_of_other_pages() {
    let link_of = |proxies: u64, params: &[(&str, &str)], words: &str| -> String {
        let data = TracePage {
            proxies,
            ..TracePage::default()
        };
        let html = render(&frame("/traces/x", params), "x", |f| trace(&data, f));
        assert!(html.contains(words), "{words}\n{html}");
        let html = html.replace("&amp;", "&");
        let before = html.split(words).next().unwrap_or_default();
        let (_, link) = before.rsplit_once("href=\"").expect("a link");
        link.split('"').next().unwrap_or_default().to_owned()
    };
    let link = |params: &[(&str, &str)], words: &str| link_of(3, params, words);
    assert_eq!(
        link(&[("proxies", "show")], "shown: hide them"),
        "/traces/x?proxies=show&sidecars=hide"
    );
    let hidden = [("proxies", "show"), ("sidecars", "hide")];
    assert_eq!(link(&hidden, "hidden: show them"), "/traces/x?proxies=show");
    assert_eq!(link(&hidden, "Logs</a>"), "/logs?proxies=show");
    let of_one = link_of(1, &[("proxies", "show")], "shown: hide it<");
    assert_eq!(of_one, "/traces/x?proxies=show&sidecars=hide");
    let of_one = link_of(1, &hidden, "hidden: show it<");
    assert_eq!(of_one, "/traces/x?proxies=show");
}
