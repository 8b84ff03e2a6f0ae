//! The middleware over real sockets: spans of both ends, all four kinds of gRPC calls, messages,
//! problem documents and bearer tokens.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod adder;
mod bench;
mod calls;
mod grpc;
mod messages;
mod refusals;
