//! The list of completions under an input: what is offered, which is chosen, the keys that move in it.

use leptos::prelude::*;

/// What may be put at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What to put there.
    pub text: String,
    /// What it is.
    pub detail: String,
    /// A blank comes after it, unless there is one.
    pub is_spaced: bool,
}

/// Offers a list has room for.
pub const OFFERS_MAX: usize = 12;

/// The offers of one input, all of the same place in its text. Closed without any.
#[derive(Clone, Copy)]
pub struct OfferList {
    items: RwSignal<Vec<Offer>>,
    chosen: RwSignal<Option<usize>>,
    /// Characters of the input that an offer replaces.
    place: RwSignal<(usize, usize)>,
}

impl OfferList {
    /// Without an offer.
    pub fn closed() -> Self {
        Self {
            items: RwSignal::new(Vec::new()),
            chosen: RwSignal::new(None),
            place: RwSignal::new((0, 0)),
        }
    }

    /// Offers nothing any more.
    pub fn close(self) {
        self.items.set(Vec::new());
        self.chosen.set(None);
    }

    /// Offers these for the characters `place`, none of them chosen yet.
    pub fn show(self, items: Vec<Offer>, place: (usize, usize)) {
        self.place.set(place);
        self.chosen.set(None);
        self.items.set(items);
        #[cfg(feature = "hydrate")]
        browser::rewind();
    }

    /// Chooses an offer and brings it into view.
    fn choose(self, at: usize) {
        self.chosen.set(Some(at));
        #[cfg(feature = "hydrate")]
        browser::reveal(at);
    }

    /// Whether anything is offered, for `aria-expanded`.
    pub fn expanded(self) -> String {
        (!self.items.with(Vec::is_empty)).to_string()
    }

    /// The id of the chosen offer, for `aria-activedescendant`.
    pub fn active(self) -> Option<String> {
        self.chosen.get().map(|at| format!("offer-{at}"))
    }

    /// What a key does: it moves in the list, closes it, or takes the offer of the number returned. Shift and Tab
    /// leave the input as they leave any other.
    pub fn key(self, event: &leptos::ev::KeyboardEvent) -> Option<usize> {
        let count = self.items.with_untracked(Vec::len);
        match (event.key().as_str(), self.chosen.get_untracked()) {
            ("Escape", _) => self.close(),
            ("ArrowDown", at) if count > 0 => {
                event.prevent_default();
                self.choose(at.map_or(0, |at| (at + 1) % count));
            }
            ("ArrowUp", at) if count > 0 => {
                event.prevent_default();
                self.choose(at.map_or(count - 1, |at| (at + count - 1) % count));
            }
            ("Tab", _) if event.shift_key() => self.close(),
            ("Enter" | "Tab", Some(at)) => {
                event.prevent_default();
                return Some(at);
            }
            _ => {}
        }
        None
    }

    /// The text with an offer in its place, and the cursor after it as the browser counts.
    pub fn taken(self, at: usize, text: &str) -> Option<(String, u32)> {
        let offer = self.items.with_untracked(|items| items.get(at).cloned())?;
        Some(put(&offer, text, self.place.get_untracked()))
    }

    /// The list itself; `take` is called with the number of an offer that is clicked. A finger that moves scrolls it
    /// and takes nothing; a press leaves the focus where it is, or the list would close under it.
    pub fn view(self, take: impl Fn(usize) + Clone + Send + 'static) -> impl IntoView {
        let rows = move || {
            self.items.with(|items| {
                items
                    .iter()
                    .enumerate()
                    .map(|(at, offer)| {
                        let take = take.clone();
                        let id = format!("offer-{at}");
                        view! {
                            <li role="option" id=id aria-selected=move || (self.chosen.get() == Some(at)).to_string()
                                on:click=move |_| take(at)>
                                <code>{offer.text.clone()}</code> <span class="quiet">{offer.detail.clone()}</span>
                            </li>
                        }
                    })
                    .collect_view()
            })
        };
        view! {
            <ul id="offers" class="offers" role="listbox" aria-label="Completions" hidden=move || self.items.with(Vec::is_empty)
                on:mousedown=move |event: leptos::ev::MouseEvent| event.prevent_default()>{rows}</ul>
        }
    }
}

/// Characters before a place that the browser counts in UTF-16.
pub fn characters_before(text: &str, units: usize) -> usize {
    let before: Vec<u16> = text.encode_utf16().take(units).collect();
    String::from_utf16_lossy(&before).chars().count()
}

fn put(offer: &Offer, text: &str, (from, to): (usize, usize)) -> (String, u32) {
    let before: String = text.chars().take(from).collect();
    let after: String = text.chars().skip(to).collect();
    let gap = if offer.is_spaced && !after.starts_with(char::is_whitespace) {
        " "
    } else {
        ""
    };
    let head = format!("{before}{}{gap}", offer.text);
    let cursor = u32::try_from(head.encode_utf16().count()).unwrap_or(u32::MAX);
    (format!("{head}{after}"), cursor)
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;

    /// A new list is read from its top.
    pub(super) fn rewind() {
        if let Some(list) = document().get_element_by_id("offers") {
            list.scroll_to_with_x_and_y(0.0, 0.0);
        }
    }

    /// Scrolls no further than it takes to show an offer.
    pub(super) fn reveal(at: usize) {
        let Some(offer) = document().get_element_by_id(&format!("offer-{at}")) else {
            return;
        };
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        offer.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_replaces_its_place_and_the_cursor_stands_after_it() {
        let offer = |text: &str, is_spaced| Offer {
            text: text.to_owned(),
            detail: String::new(),
            is_spaced,
        };
        let told = put(&offer("tenant", true), "ten", (0, 3));
        assert_eq!(told, ("tenant ".to_owned(), 7));
        let told = put(&offer("FROM", true), "SELECT 1 fr spans", (9, 11));
        assert_eq!(told, ("SELECT 1 FROM spans".to_owned(), 13));
        // A character beyond the basic plane is two for the browser.
        let told = put(&offer("count(", false), "'\u{1f600}', cou)", (5, 8));
        assert_eq!(told, ("'\u{1f600}', count()".to_owned(), 12));
        assert_eq!(characters_before("'\u{1f600}', cou)", 9), 8);
    }
}
