//! What-if: the recorded calls of a breaker through the SDK's own state machine, under its own or other settings.
//!
//! Pure: [`record`] is what is stored of one instance, [`lives`] tells its restarts ([`births`]) and the state it began
//! in and makes a [`history`] of each life, [`doubts`] says what had to be assumed for that, [`settings`] reads what its
//! breaker was told, [`replay`] runs the very [`tripline_sdk::Machine`] a service runs, [`search`] proposes settings. What
//! cannot be known stays unknown: a call that was refused has no outcome, and a peer that would have been spared might have
//! recovered.

pub mod births;
pub mod doubts;
pub mod history;
pub mod lives;
pub mod record;
pub mod replay;
pub mod search;
pub mod settings;
pub mod spells;
mod untold;

#[cfg(test)]
mod tests;
