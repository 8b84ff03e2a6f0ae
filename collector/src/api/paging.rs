//! Pages of lists that are made whole for each question: services, metrics, breakers, transitions, incidents, findings,
//! changes.
//!
//! `cursor` says how many rows came before. What is new since shifts the rest, as it does any list that is newest or
//! worst first; traces and logs, which grow by thousands a second, are paged by their keys instead.

use tripline_storage::model::Page;

use super::params::Params;
use super::problem::Problem;

/// Rows that may come before: what is made whole must stay small.
const SKIP_MAX: usize = 1_000_000;
const PREFIX: &str = "after-";

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    skip: usize,
    limit: usize,
}

impl Paging {
    /// The page that `cursor` names, and the rows to ask for so that it is among them.
    ///
    /// # Errors
    /// The cursor is not one of ours.
    pub(super) fn of(params: &Params, limit: &mut usize) -> Result<Self, Problem> {
        let skip = match params.get("cursor") {
            None => 0,
            Some(cursor) => cursor
                .strip_prefix(PREFIX)
                .and_then(|skip| skip.parse().ok())
                .filter(|skip| *skip <= SKIP_MAX)
                .ok_or_else(|| Problem::parameter("cursor", "this cursor is not one of ours"))?,
        };
        let page = Self {
            skip,
            limit: *limit,
        };
        *limit += skip;
        Ok(page)
    }

    /// The page out of the rows that were asked for.
    pub(super) fn cut<T>(self, mut found: Page<T>) -> Page<T> {
        found.items.drain(..self.skip.min(found.items.len()));
        if found.truncated {
            found.next = Some(format!("{PREFIX}{}", self.skip + self.limit));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all: Vec<u32> = (0..7).collect();
        let mut seen = Vec::new();
        let mut skip = 0;
        loop {
            let paging = Paging { skip, limit: 3 };
            let asked = skip + 3;
            let found = Page {
                items: all.iter().copied().take(asked).collect(),
                truncated: all.len() > asked,
                total: Some(7),
                next: None,
            };
            let page = paging.cut(found);
            seen.extend(page.items);
            match page.next {
                Some(next) => skip = next.trim_start_matches(PREFIX).parse().expect("a number"),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }
}
