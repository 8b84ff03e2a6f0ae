//! Ids, which people copy.

use leptos::prelude::*;

use crate::islands::CopyId;

/// An id with the button that copies it.
pub fn copied_id(id: &str) -> AnyView {
    view! { <span class="nowrap"><code class="id">{id.to_owned()}</code> " " <CopyId id=id.to_owned()/></span> }.into_any()
}
