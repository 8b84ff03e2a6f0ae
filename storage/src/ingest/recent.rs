//! Which spans came lately, so that one sent again counts once.
//!
//! A client that heard no answer sends its spans again, seconds or minutes later, when the first copies may
//! already be sealed. Looking into files for each span would cost more than storing it; so identities of the
//! last spans are remembered, in two generations of [`GENERATION_MAX`]. A span sent again after more than
//! that many others is stored, shown, and counted again.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::ResourceRow;

/// Spans a generation remembers. Two of them take about 70 MB at most, and hold at least the last minute at
/// 35,000 spans a second.
pub(crate) const GENERATION_MAX: usize = 2_000_000;

/// Names a span: its trace, id, start and service. 64 bits of a good mixer: among four million spans two
/// different ones share one with a probability of 1 in 2 million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SpanIdentity(u64);

impl SpanIdentity {
    /// Of the span's own fields; the service comes later, with [`Self::of_service`].
    pub(crate) fn new(trace_id: [u8; 16], span_id: [u8; 8], start_unix_nano: u64) -> Self {
        let (high, low) = trace_id.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let parts = [
            word(high),
            word(low),
            u64::from_le_bytes(span_id),
            start_unix_nano,
        ];
        Self(parts.into_iter().fold(0, |state, part| mix(state ^ part)))
    }

    /// Together with who sent it.
    pub(crate) fn of_service(self, service: u64) -> Self {
        Self(mix(self.0 ^ service))
    }
}

/// Names the service of a resource: scope and name, as roll-ups group by.
pub(crate) fn service_identity(resource: &ResourceRow) -> u64 {
    super::identity(&(
        &resource.environment,
        &resource.service_namespace,
        &resource.cluster,
        &resource.service_name,
    ))
}

/// splitmix64's finalizer (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Identities are mixed already.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("identities hash as one u64");
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Set = HashSet<SpanIdentity, BuildHasherDefault<Mixed>>;

/// The identities of the last spans. A transaction that fails takes its own back.
#[derive(Debug, Default)]
pub(crate) struct RecentSpans {
    young: Set,
    old: Set,
    /// Added since the last commit.
    pending: Vec<SpanIdentity>,
}

impl RecentSpans {
    /// Remembers a span; whether it was known.
    pub(crate) fn is_known(&mut self, span: SpanIdentity) -> bool {
        if self.old.contains(&span) || !self.young.insert(span) {
            return true;
        }
        self.pending.push(span);
        false
    }

    /// What was added stays.
    pub(crate) fn commit(&mut self) {
        self.pending.clear();
        if self.young.len() >= GENERATION_MAX {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
    }

    /// What was added since the last commit was not stored.
    pub(crate) fn roll_back(&mut self) {
        for span in self.pending.drain(..) {
            self.young.remove(&span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u64) -> SpanIdentity {
        SpanIdentity::new([7; 16], number.to_le_bytes(), 5).of_service(1)
    }

    #[test]
    fn a_span_of_a_failed_transaction_is_new_again() {
        let mut recent = RecentSpans::default();
        assert!(!recent.is_known(span(1)));
        recent.commit();
        assert!(!recent.is_known(span(2)));
        recent.roll_back();
        assert!(recent.is_known(span(1)));
        assert!(!recent.is_known(span(2)));
    }

    #[test]
    fn the_last_generation_is_remembered_while_the_next_one_fills() {
        let mut recent = RecentSpans::default();
        for number in 0..GENERATION_MAX as u64 {
            assert!(!recent.is_known(span(number)));
        }
        recent.commit();
        assert!(recent.is_known(span(0)), "of the generation before");
        for number in 0..GENERATION_MAX as u64 {
            recent.is_known(span(number + GENERATION_MAX as u64));
        }
        recent.commit();
        assert!(!recent.is_known(span(0)), "two generations later");
    }

    #[test]
    fn every_field_is_part_of_the_identity() {
        let base = SpanIdentity::new([1; 16], [2; 8], 3).of_service(4);
        let others = [
            SpanIdentity::new([9; 16], [2; 8], 3).of_service(4),
            SpanIdentity::new([1; 16], [9; 8], 3).of_service(4),
            SpanIdentity::new([1; 16], [2; 8], 9).of_service(4),
            SpanIdentity::new([1; 16], [2; 8], 3).of_service(9),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
