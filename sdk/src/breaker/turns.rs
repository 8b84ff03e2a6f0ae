//! Turns: calls that telemetry records one by one go through their breaker one at a time.
//!
//! A breaker counts calls without a lock, so of two that end together nobody knows which counted
//! first, and a failure may be judged with a success in the window that came after it. A replay of
//! calls that were told singly has to know. Such calls therefore take turns, when they are let
//! through and when they end, and so does whatever else moves the breaker: in a turn its clock is
//! read and its state changed, and nobody else's turn comes between. Times of turns never go back,
//! and the numbers say in which order those of the same nanosecond were. No foreign code runs in a
//! turn: what happened in it is announced after it.
//!
//! Calls that are only counted take no turn: they touch nothing here.

use crate::clock::{Clock, Moment};
use crate::sync::{Mutex, lock};

use super::Transition;

/// The turns that were taken.
#[derive(Debug)]
pub(super) struct Turns(Mutex<u64>);

/// What was done in a turn.
pub(super) struct Turn<R> {
    /// Counted from one.
    pub(super) number: u64,
    /// To be announced.
    pub(super) changes: Vec<Transition>,
    /// What came of it.
    pub(super) result: R,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self(Mutex::new(0))
    }

    /// Waits for a turn, reads the clock in it and acts.
    pub(super) fn take<R>(
        &self,
        clock: &impl Clock,
        act: impl FnOnce(Moment, &mut dyn FnMut(&Transition)) -> R,
    ) -> Turn<R> {
        let mut changes = Vec::new();
        let mut taken = lock(&self.0);
        *taken += 1;
        let number = *taken;
        let result = act(clock.now(), &mut |change| changes.push(*change));
        drop(taken);
        Turn {
            number,
            changes,
            result,
        }
    }
}
