//! Changes that were reported: log events named `tripline.change`, sent through OTLP or by a POST; and flags that began
//! to give another variant ([`flags`]).
//!
//! `change.service` says which service it is about; without it the sender's own name does, and an event with
//! neither is about every service. `change.description` says what changed; without it the body does.

pub(super) mod flags;

use std::cmp::Reverse;

use duckdb::params;

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Change, ChangesQuery, Page};

const CHANGES: &str = include_str!("changes.sql");
/// Name of the log event that tells of a change; `change.kind`, `change.service` and `change.description` say which.
pub const CHANGE_EVENT: &str = "tripline.change";

/// Which changes are kept where there are more than asked for; either way they come oldest first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Oldest,
    Newest,
}

/// Changes of the range, of one service and of none or of all, oldest first. An event sent from another scope
/// than the one asked for is left out; one that names no scope is about all. Of too many the oldest are listed, and
/// `total` says how many there are.
pub fn changes(session: &Session<'_>, query: &ChangesQuery) -> Result<Page<Change>, QueryError> {
    read(session, query, Kept::Oldest)
}

/// The same, but of too many the newest.
pub(super) fn newest_changes(
    session: &Session<'_>,
    query: &ChangesQuery,
) -> Result<Page<Change>, QueryError> {
    let mut page = read(session, query, Kept::Newest)?;
    page.items.reverse();
    Ok(page)
}

fn read(
    session: &Session<'_>,
    query: &ChangesQuery,
    kept: Kept,
) -> Result<Page<Change>, QueryError> {
    let mut page = reported(session, query, kept)?;
    let is_asked = |switch: &flags::Switch| {
        let of = query.service.as_ref();
        switch.is_in(&query.scope) && of.is_none_or(|service| *service == switch.service)
    };
    let switches = flags::switches(session, query.range)?;
    let switched = switches.into_iter().filter(is_asked).map(|switch| Change {
        time_unix_nano: switch.at,
        service_name: Some(switch.service),
        kind: "flag".to_owned(),
        description: switch.what,
        evidence: "evaluated".to_owned(),
    });
    add(&mut page, switched, kept, query.limit);
    Ok(page)
}

/// What log events tell.
fn reported(
    session: &Session<'_>,
    query: &ChangesQuery,
    kept: Kept,
) -> Result<Page<Change>, QueryError> {
    let range = query.range;
    let logs = session.set().some_rows_sql("logs", |segment| {
        segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
    });
    let Some(logs) = logs else {
        return Ok(Page::whole(Vec::new()));
    };
    let direction = match kept {
        Kept::Oldest => "ASC",
        Kept::Newest => "DESC",
    };
    let sql = CHANGES
        .replace("{logs}", &logs)
        .replace("{direction}", direction)
        .replace("{limit}", &query.limit.to_string());
    session.run(|conn| {
        let mut statement = conn.ask(&sql)?;
        let asked = params![
            range.from_unix_nano,
            range.to_unix_nano,
            query.service,
            query.scope.environment,
            query.scope.service_namespace,
            query.scope.cluster
        ];
        let mut rows = statement.query(asked)?;
        let (mut items, mut total) = (Vec::new(), 0_u64);
        while let Some(row) = rows.next()? {
            items.push(Change {
                time_unix_nano: row.get(0)?,
                service_name: row.get(1)?,
                kind: row.get(2)?,
                description: row.get(3)?,
                evidence: "reported".to_owned(),
            });
            total = row.get(4)?;
        }
        Ok(Page::counted(items, total))
    })
}

/// Puts more changes into a page in the order of time, and cuts it to `limit` again.
fn add(page: &mut Page<Change>, more: impl Iterator<Item = Change>, kept: Kept, limit: usize) {
    let listed = page.items.len();
    page.items.extend(more);
    let total = page.total.unwrap_or(0) + (page.items.len() - listed) as u64;
    match kept {
        Kept::Oldest => page.items.sort_by_key(|change| change.time_unix_nano),
        Kept::Newest => page
            .items
            .sort_by_key(|change| Reverse(change.time_unix_nano)),
    }
    page.items.truncate(limit);
    page.truncated = (page.items.len() as u64) < total;
    page.total = Some(total);
}
