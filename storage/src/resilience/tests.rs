//! Evidence in, relations out: through the store's own door, hot and sealed.

mod aliasing;
mod appearing;
mod as_of;
mod clocked;
mod concluded;
mod counted;
mod fixture;
mod foreign_histories;
mod histories;
mod hosts;
mod learned;
mod peers;
mod pinned;
mod refused;
mod refused_flow;
mod rules;
mod sdk;
mod siblings;
mod spellings;
mod states;
mod wordings;
