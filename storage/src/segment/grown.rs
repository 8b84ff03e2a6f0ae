//! What was read of rows that only become more, kept until there are more.
//!
//! A page asks the same of hot rows two or three times, and several pages do at once.

use std::sync::{Arc, Mutex};

use crate::sync::locked;

/// The latest that was read, and how many rows were there before.
#[derive(Debug)]
pub(crate) struct Grown<T>(Mutex<Option<(u64, Arc<T>)>>);

impl<T> Default for Grown<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Grown<T> {
    /// What was read when at least so many rows were there, by `read` if nobody has yet. Who asks for the same meanwhile
    /// waits until it is there.
    pub(crate) fn of(
        &self,
        rows: u64,
        read: impl FnOnce() -> duckdb::Result<T>,
    ) -> duckdb::Result<Arc<T>> {
        let mut latest = locked(&self.0);
        // Who looked at the number before somebody read may find more than that.
        if let Some((_, known)) = latest.as_ref().filter(|(of, _)| *of >= rows) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(read()?);
        *latest = Some((rows, Arc::clone(&known)));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_again_only_when_there_are_more_rows() {
        let grown: Grown<u64> = Grown::default();
        let of = |rows, found| *grown.of(rows, || Ok(found)).expect("read");
        assert_eq!((of(0, 1), of(0, 2)), (1, 1));
        assert_eq!((of(5, 3), of(5, 4)), (3, 3));
        // Who looked at the number of rows before.
        assert_eq!(of(4, 5), 3);
        assert_eq!(of(6, 6), 6);
    }

    #[test]
    fn what_could_not_be_read_is_read_by_who_asks_next() {
        let grown: Grown<u64> = Grown::default();
        let failed = grown.of(1, || Err(duckdb::Error::QueryReturnedNoRows));
        assert!(failed.is_err());
        assert_eq!(*grown.of(1, || Ok(7)).expect("read"), 7);
    }
}
