//! Sums that are kept in memory as far as they have room, those used last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::rollup::ByBucket;
use crate::sync::locked;

/// Bytes of sums of one kind that are kept: 10 M spans of 20 services over two hours have about that.
const KEPT_BYTES: usize = 32 << 20;

/// Sums of one kind by the segment they are of. What was used longest ago goes first.
#[derive(Debug)]
pub(super) struct Shelf<K>(Mutex<Shelved<K>>);

#[derive(Debug)]
struct Shelved<K> {
    sums: HashMap<u64, (u64, Arc<ByBucket<K>>)>,
    bytes: usize,
    clock: u64,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self(Mutex::new(Shelved {
            sums: HashMap::new(),
            bytes: 0,
            clock: 0,
        }))
    }
}

impl<K> Shelf<K> {
    /// The sums of a segment, read if they are not here.
    pub(super) fn of(
        &self,
        segment: u64,
        read: impl FnOnce() -> duckdb::Result<ByBucket<K>>,
    ) -> duckdb::Result<Arc<ByBucket<K>>> {
        if let Some(sums) = locked(&self.0).take(segment) {
            return Ok(sums);
        }
        let sums = Arc::new(read()?);
        locked(&self.0).put(segment, Arc::clone(&sums), KEPT_BYTES);
        Ok(sums)
    }
}

impl<K> Shelved<K> {
    fn take(&mut self, segment: u64) -> Option<Arc<ByBucket<K>>> {
        self.clock += 1;
        let (used, sums) = self.sums.get_mut(&segment)?;
        *used = self.clock;
        Some(Arc::clone(sums))
    }

    fn put(&mut self, segment: u64, sums: Arc<ByBucket<K>>, bytes_max: usize) {
        if sums.bytes() > bytes_max {
            return;
        }
        self.clock += 1;
        self.bytes += sums.bytes();
        if let Some((_, before)) = self.sums.insert(segment, (self.clock, sums)) {
            self.bytes = self.bytes.saturating_sub(before.bytes());
        }
        while self.bytes > bytes_max {
            let oldest = self.sums.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(segment, _)| *segment) else {
                break;
            };
            if let Some((_, gone)) = self.sums.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first_and_what_is_too_large_does_not_come() {
        let mut shelved: Shelved<u8> = Shelved {
            sums: HashMap::new(),
            bytes: 0,
            clock: 0,
        };
        let sums = || Arc::new(ByBucket::of_one(7_u8));
        let room = sums().bytes() * 2;
        shelved.put(1, sums(), room);
        shelved.put(2, sums(), room);
        assert!(shelved.take(1).is_some());
        shelved.put(3, sums(), room);
        assert!(shelved.take(2).is_none());
        assert!(shelved.take(1).is_some() && shelved.take(3).is_some());
        // The same again takes no more room.
        shelved.put(3, sums(), room);
        assert_eq!((shelved.sums.len(), shelved.bytes), (2, room));
        shelved.put(4, sums(), room / 4);
        assert!(shelved.take(4).is_none() && shelved.take(3).is_some());
    }
}
