//! A small filter that says which segments cannot hold a trace.
//!
//! A trace by id never prunes by time, so without it every segment would be opened; with it all but the
//! right ones are skipped before planning. Split-block design: one 64-byte block a key, eight bits
//! in it (20 bits a key give 0.03 % false positives, 12 gave 0.43: a large segment has a filter for each of its runs).
//! Stored in the segment's `meta`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A set of trace ids that may answer "perhaps" for one that is not in it, never "no" for one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceFilter {
    blocks: Vec<[u64; 8]>,
}

const BITS_PER_KEY: usize = 20;
const BLOCK_BITS: usize = 512;

impl TraceFilter {
    /// An empty filter sized for `keys` ids.
    pub(crate) fn with_capacity(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(BLOCK_BITS).max(1);
        Self {
            blocks: vec![[0; 8]; blocks],
        }
    }

    /// Adds an id.
    pub(crate) fn insert(&mut self, trace_id: &str) {
        let (block, hash) = self.place(trace_id);
        for (word, bit) in bits(hash).enumerate() {
            self.blocks[block][word] |= 1 << bit;
        }
    }

    /// Whether the id may be in it.
    pub(crate) fn may_hold(&self, trace_id: &str) -> bool {
        let (block, hash) = self.place(trace_id);
        bits(hash)
            .enumerate()
            .all(|(word, bit)| self.blocks[block][word] & (1 << bit) != 0)
    }

    fn place(&self, trace_id: &str) -> (usize, u64) {
        place(trace_id, self.blocks.len())
    }

    /// The bytes kept in `meta`.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.blocks
            .iter()
            .flatten()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    /// Reads [`Self::to_bytes`]; `None` if the length is no filter's.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(64) {
            return None;
        }
        let blocks = bytes
            .chunks_exact(64)
            .map(|block| {
                let mut words = [0; 8];
                for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
                    *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
                }
                words
            })
            .collect();
        Some(Self { blocks })
    }
}

/// A [`TraceFilter`] that one thread fills while others ask it.
#[derive(Debug)]
pub(crate) struct SharedTraceFilter {
    blocks: Vec<[AtomicU64; 8]>,
}

impl SharedTraceFilter {
    /// An empty filter sized for `keys` ids; more of them make it answer "perhaps" oftener.
    pub(crate) fn with_capacity(keys: usize) -> Self {
        let blocks = (keys * BITS_PER_KEY).div_ceil(BLOCK_BITS).max(1);
        Self {
            blocks: std::iter::repeat_with(Default::default)
                .take(blocks)
                .collect(),
        }
    }

    /// Adds an id.
    pub(crate) fn insert(&self, trace_id: &str) {
        let (block, hash) = place(trace_id, self.blocks.len());
        for (word, bit) in bits(hash).enumerate() {
            self.blocks[block][word].fetch_or(1 << bit, Relaxed);
        }
    }

    /// Whether the id may be in it.
    pub(crate) fn may_hold(&self, trace_id: &str) -> bool {
        let (block, hash) = place(trace_id, self.blocks.len());
        bits(hash)
            .enumerate()
            .all(|(word, bit)| self.blocks[block][word].load(Relaxed) & (1 << bit) != 0)
    }
}

/// The block of an id among `blocks`, and the hash its bits come from.
fn place(trace_id: &str, blocks: usize) -> (usize, u64) {
    let hash = mix(crate::ingest::identity(&trace_id));
    let block = ((u128::from(hash) * blocks as u128) >> 64) as usize;
    (block, mix(hash))
}

/// One bit a word: six bits of the hash each.
fn bits(hash: u64) -> impl Iterator<Item = u32> {
    (0..8).map(move |word| ((hash >> (6 * word)) & 63) as u32)
}

/// Finaliser of MurmurHash3: FNV alone leaves the high bits of similar keys alike.
fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_inserted_trace_is_held_and_few_others_are() {
        let id = |n: u64| format!("{:032x}", u128::from(mix(n)) << 64 | u128::from(n));
        let mut filter = TraceFilter::with_capacity(20_000);
        (0..20_000).for_each(|n| filter.insert(&id(n)));
        let filter = TraceFilter::from_bytes(&filter.to_bytes()).expect("own bytes");
        assert!((0..20_000).all(|n| filter.may_hold(&id(n))));
        let shared = SharedTraceFilter::with_capacity(20_000);
        (0..20_000).for_each(|n| shared.insert(&id(n)));
        assert!((0..120_000).all(|n| shared.may_hold(&id(n)) == filter.may_hold(&id(n))));
        let false_positives = (20_000..120_000)
            .filter(|n| filter.may_hold(&id(*n)))
            .count();
        assert!(false_positives < 2_000, "{false_positives} of 100,000");
    }
}
