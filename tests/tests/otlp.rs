//! The receivers against the conformance checklist, over real sockets.
//!
//! The store behind them is a stand-in that keeps, refuses or holds batches as the test wants; the real store
//! behind the real receivers is tested elsewhere (`guarded` starts the whole binary). `conformance` checks that no id of the checklist lacks a test.

// Tells clippy that all of this is test code, helper functions included.
#![cfg(test)]

mod access;
mod answers;
mod compression;
mod conformance;
mod cors;
mod guarded;
mod limits;
mod payload;
mod secure;
mod server;
mod stopping;
mod stored;
mod transport;
mod wire;
