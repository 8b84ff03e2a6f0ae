//! What the browser brings to life. Everything else of a page is inert HTML, its links followed in place where they stay on
//! their page.
//!
//! Full hydration was refused for islands: a page of a thousand rows is then no work for the browser at
//! all, nothing can mismatch outside an island, and the bundle holds the islands alone.

#[cfg(feature = "hydrate")]
mod ahead;
pub mod charts;
pub mod copy;
pub mod filter_box;
#[cfg(feature = "hydrate")]
mod folds;
#[cfg(feature = "hydrate")]
pub(crate) mod in_place;
pub mod keys;
pub mod live;
pub mod local_times;
pub mod offers;
#[cfg(any(test, feature = "hydrate"))]
mod rebase;
#[cfg(feature = "hydrate")]
mod renewal;
pub mod sql_editor;
pub mod sql_words;
pub mod step_slider;
pub mod theme;

pub use charts::{BoxSelect, Lens, LensSeries};
pub use copy::{Copy, CopyId};
pub use filter_box::FilterBox;
pub use keys::Keys;
pub use live::Live;
pub use local_times::LocalTimes;
pub use sql_editor::SqlEditor;
pub use step_slider::StepSlider;
pub use theme::ThemeToggle;
