//! How large the graph is drawn: as large as it can be read, half of that, or no wider than the page. The address says
//! which, so that a link shows what its sender saw, without a script.

use leptos::prelude::*;

use crate::frame::Frame;

/// What `zoom` says, and in words; nothing is the size that can be read.
const SIZES: [(&str, &str); 3] = [("", "full"), ("50", "half"), ("fit", "page width")];

/// Class, width and height of a drawing as large as asked for. What else is drawn has no choice.
pub(super) fn sized(width: f64, height: f64, frame: &Frame) -> (&'static str, f64, f64) {
    let asked = frame.param("zoom").filter(|_| frame.path == "/graph");
    match asked {
        Some("50") => ("graph", width / 2.0, height / 2.0),
        Some("fit") => ("graph fits", width, height),
        _ => ("graph", width, height),
    }
}

/// The sizes one click away.
pub(super) fn links(frame: &Frame) -> AnyView {
    let here = frame.param("zoom").unwrap_or_default();
    let links = SIZES
        .iter()
        .map(|(value, words)| {
            let link = frame.with(&[("zoom", *value)]);
            let current = (here == *value).then_some("true");
            view! { <a href=link aria-current=current>{*words}</a> " " }
        })
        .collect_view();
    view! { <span class="graph-zoom" id="graph-zoom" data-live data-in-place>"Size " {links}</span> }
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_how_large_the_graph_is_drawn_and_only_there() {
        let asked = |path: &str, zoom: &str| {
            let frame = Frame {
                path: path.to_owned(),
                params: vec![
                    ("zoom".to_owned(), zoom.to_owned()),
                    ("top".to_owned(), "20".to_owned()),
                ],
                ..Frame::default()
            };
            (sized(12_000.0, 300.0, &frame), links(&frame).to_html())
        };
        let (size, html) = asked("/graph", "");
        assert_eq!(size, ("graph", 12_000.0, 300.0));
        assert!(html.contains("/graph?top=20&amp;zoom=fit"), "{html}");
        let (size, html) = asked("/graph", "50");
        assert_eq!(size, ("graph", 6_000.0, 150.0));
        let (_, current) = html.split_once("aria-current").expect("where we are");
        assert!(current.starts_with("=\"true\">half<"), "{html}");
        assert!(html.contains("href=\"/graph?top=20\""), "{html}");
        assert_eq!(asked("/graph", "fit").0.0, "graph fits");
        assert_eq!(asked("/services/cart", "50").0, ("graph", 12_000.0, 300.0));
    }
}
