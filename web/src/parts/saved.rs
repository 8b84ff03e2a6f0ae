//! Saved views in lists.

use leptos::prelude::*;

use crate::frame::SavedPage;

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
