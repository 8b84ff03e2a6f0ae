//! The pages of Tripline: rendered on the server with their data in them, brought to life by islands.
//!
//! A page is a plain function of its data and the URL; it fetches nothing and knows no SQL, no OTLP and
//! no HTTP. What the browser hydrates are the islands alone ([`islands`]), so the bundle stays small and
//! every page works without it: links and forms carry the whole state in the URL.
#![recursion_limit = "256"]

pub mod islands;

#[cfg(feature = "ssr")]
pub mod address;
#[cfg(feature = "ssr")]
pub mod chart;
#[cfg(feature = "ssr")]
pub mod choices;
#[cfg(feature = "ssr")]
pub mod document;
#[cfg(feature = "ssr")]
pub mod frame;
#[cfg(feature = "ssr")]
pub mod layout;
#[cfg(feature = "ssr")]
pub mod links;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod parts;
#[cfg(feature = "ssr")]
pub mod range;
#[cfg(feature = "ssr")]
pub mod units;

/// Called by the loader once the bundle is there: gives the islands their reactive root, and has links that stay on their page
/// followed in place.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
    islands::in_place::listen();
}

/// The stylesheet of every page.
#[cfg(feature = "ssr")]
pub const STYLE: &str = include_str!("../style/tripline.css");
/// The icon of the tab.
#[cfg(feature = "ssr")]
pub const ICON: &str = include_str!("../style/icon.svg");
/// The script that starts the bundle, if there is one.
#[cfg(feature = "ssr")]
pub const LOADER: &str = include_str!("../style/islands.js");
