//! Plain data that leaves the store: what pages and the API show. No engine types, builds for wasm32.
