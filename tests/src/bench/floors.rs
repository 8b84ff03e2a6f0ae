//! Raw floors of the same run: decoding alone, in this process.

use std::time::{Duration, Instant};

use prost::Message as _;
use tripline_collector::decode::{Signal as _, Traces};

use super::shapes;

/// Time per span of decoding protobuf into columns, on one thread, over `batches` prepared requests.
pub fn decode(batches: u64) -> Duration {
    let bodies: Vec<Vec<u8>> = (0..batches)
        .map(|batch| shapes::spans(batch, 1_790_000_000_000_000_000).encode_to_vec())
        .collect();
    let started = Instant::now();
    let mut items = 0;
    for body in &bodies {
        if let Ok(decoded) = Traces::from_protobuf(body, 0) {
            items += decoded.batch.items();
        }
    }
    started.elapsed() / u32::try_from(items.max(1)).unwrap_or(u32::MAX)
}
