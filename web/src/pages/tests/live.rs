//! Live pages: what they say is renewed part by part, so all that says something has to be in a part.

use tripline_storage::model::{HalfSummary, LiveCounts, MeshCalls, ServiceCoverage, ServicePulse};

use super::gallery::gallery;
use super::*;

/// Elements that nothing closes.
const VOID: [&str; 9] = [
    "area", "base", "br", "col", "hr", "img", "input", "link", "meta",
];

/// What is opened in a document, and what is open around it, each as it is written.
struct Opened<'a> {
    tag: &'a str,
    around: Vec<&'a str>,
}

impl Opened<'_> {
    fn is_within(&self, id: &str) -> bool {
        let mut around = self.around.iter();
        around.any(|tag| attribute(tag, "id") == Some(id))
    }
}

fn opened(html: &str) -> Vec<Opened<'_>> {
    let mut around: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for rest in html.split('<').skip(1) {
        let Some((tag, _)) = rest.split_once('>') else {
            continue;
        };
        if tag.starts_with('!') {
            continue;
        }
        if let Some(closed) = tag.strip_prefix('/') {
            while around.pop().is_some_and(|tag| name_of(tag) != closed) {}
            continue;
        }
        found.push(Opened {
            tag,
            around: around.clone(),
        });
        if !VOID.contains(&name_of(tag)) && !tag.ends_with('/') {
            around.push(tag);
        }
    }
    found
}

fn name_of(tag: &str) -> &str {
    tag.split([' ', '/']).next().unwrap_or_default()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

fn is_part(tag: &str) -> bool {
    tag.contains(" data-live")
}

/// A part that makes its page live.
fn is_part_of_page(tag: &str) -> bool {
    is_part(tag) && attribute(tag, "data-live") != Some("frame")
}

/// Where numbers and lists stand, and what is said of them.
fn says_something(tag: &str) -> bool {
    let class = attribute(tag, "class").unwrap_or_default();
    let mut words = class.split(' ');
    words.any(|word| matches!(word, "panel" | "figures" | "note"))
}

fn overview_that_moved() -> Overview {
    let half = |errors| HalfSummary {
        calls: 100,
        errors,
        ..HalfSummary::default()
    };
    Overview {
        counts: LiveCounts {
            spans: 200,
            ..LiveCounts::default()
        },
        pulses: vec![ServicePulse {
            service_name: "cart".to_owned(),
            earlier: half(0),
            later: half(50),
            ..ServicePulse::default()
        }],
        coverage: Page::whole(vec![ServiceCoverage::default()]),
        ..Overview::default()
    }
}

fn graph_with_sidecars() -> GraphPage {
    let node = json!({"name": "cart", "kind": "service", "inferred": false, "calls": 1, "errors": 0, "latency": {},
        "has_proxy": true});
    GraphPage {
        graph: read(json!({"nodes": [node], "edges": [], "truncated": true, "total_edges": 9})),
        mesh: vec![MeshCalls::default()],
        ..GraphPage::default()
    }
}

/// The gallery, and pages with what it lacks.
fn pages() -> Vec<(&'static str, String)> {
    let mut pages = gallery("checkout");
    let (moved, sidecars) = (overview_that_moved(), graph_with_sidecars());
    let around = frame("/graph", &[("proxies", "show"), ("service", "cart")]);
    let unheard = ServicePage {
        name: "cart".to_owned(),
        ..ServicePage::default()
    };
    pages.extend([
        (
            "overview that moved",
            render(&frame("/", &[]), "x", |f| overview(&moved, f)),
        ),
        (
            "graph with sidecars",
            render(&around, "x", |f| graph(&sidecars, f)),
        ),
        (
            "graph without calls",
            render(&frame("/graph", &[]), "x", |f| {
                graph(&GraphPage::default(), f)
            }),
        ),
        (
            "service without calls",
            render(&frame("/services/cart", &[]), "x", |f| {
                crate::pages::service(&unheard, f)
            }),
        ),
    ]);
    pages
}

#[test]
fn whatever_a_live_page_says_is_in_a_part_that_is_renewed() {
    let mut live = Vec::new();
    for (page, html) in pages() {
        let all = opened(&html);
        if !all.iter().any(|one| is_part_of_page(one.tag)) {
            continue;
        }
        live.push(page);
        for one in all.iter().filter(|one| says_something(one.tag)) {
            assert!(
                is_part(one.tag) || one.around.iter().any(|tag| is_part(tag)),
                "{page}: <{}> stays as it was loaded",
                one.tag
            );
        }
    }
    for page in [
        "overview",
        "overview that moved",
        "traces",
        "logs",
        "explore",
        "graph",
        "graph with sidecars",
        "graph without calls",
        "service",
        "service without calls",
        "breakers",
        "review",
        "incidents",
    ] {
        assert!(live.contains(&page), "{page} is not live");
    }
}

#[test]
fn each_part_has_an_id_that_nothing_else_has() {
    for (page, html) in pages() {
        let all = opened(&html);
        let ids: Vec<&str> = all
            .iter()
            .filter_map(|one| attribute(one.tag, "id"))
            .collect();
        for one in all.iter().filter(|one| is_part(one.tag)) {
            let id = attribute(one.tag, "id").unwrap_or_default();
            assert!(!id.is_empty() && !id.contains(' '), "{page}: <{}>", one.tag);
            let count = ids.iter().filter(|other| **other == id).count();
            assert_eq!(count, 1, "{page}: {id}");
        }
    }
}

#[test]
fn what_is_passed_on_is_of_what_is_shown_and_keeps_its_place_in_the_list() {
    let asked = frame("/logs", &[("q", "x"), ("cursor", "c")]);
    let html = render(&asked, "Logs", |f| logs(&LogsPage::default(), f));
    let all = opened(&html);
    let of = |id: &str, name: &str| {
        let mut within = all.iter().filter(|one| one.is_within(id));
        within.find_map(|one| attribute(one.tag, name))
    };
    let frozen = "/logs?q=x&amp;cursor=c&amp;from=2026-11-21T02%3A02%3A14.000Z&amp;to=2026-11-21T03%3A02%3A14.000Z";
    assert_eq!(of("this-page", "href"), Some(frozen), "{html}");
    assert_eq!(of("freeze", "href"), Some(frozen), "{html}");
    assert_eq!(of("saved-path", "value"), Some("/logs?q=x"), "{html}");
    // The moment of all this, in the reader's own time once the bundle is there.
    assert_eq!(
        of("foot", "datetime"),
        Some("2026-11-21T03:02:14Z"),
        "{html}"
    );
    assert_eq!(of("foot", "data-clock"), Some("s"), "{html}");
    for id in ["this-page", "freeze", "saved-path", "foot"] {
        let part = all.iter().find(|one| attribute(one.tag, "id") == Some(id));
        assert!(part.is_some_and(|one| is_part(one.tag)), "{id}: {html}");
    }
}
