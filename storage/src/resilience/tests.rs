//! Evidence in, relations out: through the store's own door, hot and sealed.

mod concluded;
mod fixture;
mod histories;
mod pinned;
mod sdk;
mod states;
