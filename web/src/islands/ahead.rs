//! What the page can say of an answer before it has come, so that every input shows at once that it was taken: the tab that
//! is pressed, the rows that have a word in their names, the place of the mini-map. The answer puts in place what is true.

use leptos::prelude::*;
use web_sys::Element;

use super::renewal::elements;

/// A link that will be followed in place.
pub(super) fn show_link(link: &Element) {
    if let Ok(Some(tabs)) = link.closest("nav.tabs") {
        press(&tabs, link);
    }
    if let Ok(Some(map)) = link.closest(".minimap") {
        move_window(&map, link);
    }
}

fn press(tabs: &Element, tab: &Element) {
    for other in elements(tabs.query_selector_all("[aria-current]")) {
        let _ = other.remove_attribute("aria-current");
    }
    let _ = tab.set_attribute("aria-current", "page");
}

/// The window of rows goes to the tenth of the trace that was pressed.
fn move_window(map: &Element, link: &Element) {
    let window = map.query_selector(".minimap-window").ok().flatten();
    let place = link.query_selector(".minimap-place").ok().flatten();
    let top = place.and_then(|place| place.get_attribute("y"));
    if let (Some(window), Some(top)) = (window, top) {
        let _ = window.set_attribute("y", &top);
    }
}

/// Marks the rows whose service or operation has a word; those that have it elsewhere come with the answer.
pub(super) fn show_found(word: Option<&str>) {
    for row in elements(document().query_selector_all(".wf-row.found")) {
        row.set_class_name(&row.class_name().replace(" found", ""));
    }
    let Some(word) = word.map(str::to_lowercase) else {
        return;
    };
    for name in elements(document().query_selector_all(".wf-service, .wf-op")) {
        let text = name.text_content().unwrap_or_default();
        let row = name.closest(".wf-row:not(.found)").ok().flatten();
        if let Some(row) = row.filter(|_| text.to_lowercase().contains(&word)) {
            row.set_class_name(&format!("{} found", row.class_name()));
        }
    }
}
