//! Keys of attributes in some rows of a segment, and how often each was seen: what a filter is completed by.
//!
//! To take the keys of a few thousand VARIANTs apart takes longer than a keystroke may. A sealed segment never changes, so of
//! one with few keys it is done once.

use std::borrow::Cow;
use std::sync::OnceLock;

use duckdb::Connection;

use super::Segment;
use super::kept::all;

/// Of a segment with more keys of one bearer, they are read each time.
const KEPT_MAX: usize = 1_000;

/// Whose attributes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer {
    Span,
    Event,
    Link,
    Record,
    Stream,
    Resource,
}

/// A key, and how often it was seen.
pub(crate) type SeenKey = (String, u64);

/// The keys of each [`Bearer`], once they were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sampled([OnceLock<Vec<SeenKey>>; 6]);

impl Sampled {
    fn of(&self, bearer: Bearer) -> &OnceLock<Vec<SeenKey>> {
        &self.0[bearer as usize]
    }
}

impl Segment {
    /// The keys of one bearer, as `sql` reads them; the same statement each time.
    pub(crate) fn sampled_keys(
        &self,
        conn: &Connection,
        bearer: Bearer,
        sql: &str,
    ) -> duckdb::Result<Cow<'_, [SeenKey]>> {
        let place = (!self.is_text()).then(|| self.kept.sampled.of(bearer));
        if let Some(kept) = place.and_then(OnceLock::get) {
            return Ok(Cow::Borrowed(kept.as_slice()));
        }
        let read: Vec<SeenKey> = all(conn, sql, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(match place.filter(|_| read.len() <= KEPT_MAX) {
            Some(place) => Cow::Borrowed(place.get_or_init(|| read).as_slice()),
            None => Cow::Owned(read),
        })
    }
}
