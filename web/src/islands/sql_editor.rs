//! The editor of `/sql` with completion from the documented schema: it asks nobody.

use leptos::prelude::*;

use super::offers::OfferList;
use super::sql_words::Relation;

/// The text area. `html` is its text as HTML; `relations` are what may be asked. Without the bundle it is a plain one.
#[island]
pub fn SqlEditor(html: String, relations: Vec<Relation>) -> impl IntoView {
    let offers = OfferList::closed();
    let area = NodeRef::<leptos::html::Textarea>::new();
    let relations = StoredValue::new(relations);
    let ask = move |is_asked: bool| {
        #[cfg(feature = "hydrate")]
        browser::ask(area, relations, is_asked, offers);
        #[cfg(not(feature = "hydrate"))]
        let _ = (relations, is_asked);
    };
    let take = move |at: usize| {
        #[cfg(feature = "hydrate")]
        browser::take(at, area, offers);
        #[cfg(not(feature = "hydrate"))]
        let _ = at;
        offers.close();
    };
    let keys = move |event: leptos::ev::KeyboardEvent| {
        match event.key().as_str() {
            " " if event.ctrl_key() => {
                event.prevent_default();
                ask(true);
            }
            // The cursor leaves the place of the offers.
            "ArrowLeft" | "ArrowRight" | "Home" | "End" => offers.close(),
            _ => {
                if let Some(at) = offers.key(&event) {
                    take(at);
                }
            }
        }
    };
    view! {
        <div class="filter-box sql-box">
            <textarea
                node_ref=area name="q" rows="9" spellcheck="false" aria-label="SQL" data-search inner_html=html
                aria-autocomplete="list" aria-controls="offers"
                aria-activedescendant=move || offers.active()
                on:input=move |_| ask(false) on:keydown=keys on:pointerdown=move |_| offers.close() on:blur=move |_| offers.close()
            ></textarea>
            {offers.view(take)}
        </div>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;

    use crate::islands::offers::{OfferList, characters_before};
    use crate::islands::sql_words::{Relation, suggest};

    type Area = NodeRef<leptos::html::Textarea>;

    pub(super) fn ask(
        area: Area,
        relations: StoredValue<Vec<Relation>>,
        is_asked: bool,
        offers: OfferList,
    ) {
        let Some(element) = area.get_untracked() else {
            return;
        };
        let text = element.value();
        let units = element.selection_start().ok().flatten().unwrap_or(0) as usize;
        let at = characters_before(&text, units);
        let found = relations.with_value(|relations| suggest(&text, at, relations, is_asked));
        offers.show(found.offers, (found.from, found.to));
    }

    pub(super) fn take(at: usize, area: Area, offers: OfferList) {
        let Some(element) = area.get_untracked() else {
            return;
        };
        if let Some((text, cursor)) = offers.taken(at, &element.value()) {
            element.set_value(&text);
            let _ = element.set_selection_range(cursor, cursor);
        }
    }
}
