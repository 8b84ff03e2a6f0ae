//! What the browser brings to life. Everything else of a page is inert HTML.
//!
//! Full hydration was refused for islands: a page of a thousand rows is then no work for the browser at
//! all, nothing can mismatch outside an island, and the bundle holds the islands alone.

pub mod charts;
pub mod keys;
pub mod theme;

pub use charts::{Lens, LensSeries};
pub use keys::Keys;
pub use theme::ThemeToggle;
