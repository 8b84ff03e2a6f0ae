//! Rows of `red` and `service_edges` added up: by service and by edge.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use duckdb::Connection;
use duckdb::types::Value;

use super::Totals;
use crate::ask::{Ask as _, scope};
use crate::model::Scope;

const SERVICES: &str = include_str!("sum_services.sql");
const EDGES: &str = include_str!("sum_edges.sql");

/// Spans of a service that stand for its calls equally well.
#[derive(Debug, Clone)]
pub(crate) struct ServiceSum {
    pub scope: Scope,
    pub service_name: String,
    /// How well they stand for its calls: 1 best.
    pub rank: u8,
    pub totals: Totals,
}

/// Calls from one service to another.
#[derive(Debug, Clone)]
pub(crate) struct EdgeSum {
    pub caller: (Scope, String),
    pub callee: (Scope, String),
    /// The column `kind`.
    pub kind: String,
    pub is_async: bool,
    /// Which end no span speaks for.
    pub inferred: Option<String>,
    /// The totals are to be taken away from others'.
    pub is_minus: bool,
    pub totals: Totals,
}

/// Sums of the rows of `red` (SQL of it) that a clause picks.
pub(crate) fn services(
    conn: &Connection,
    red: &str,
    clause: &str,
    values: &[Value],
) -> duckdb::Result<Vec<ServiceSum>> {
    let sql = SERVICES.replace("{red}", red).replace("{where}", clause);
    let mut question = conn.ask(&sql)?;
    let mut rows = question.query(values)?;
    let mut sums: Vec<ServiceSum> = Vec::new();
    let mut known = HashMap::new();
    while let Some(row) = rows.next()? {
        let key = (
            scope(row, 0)?,
            row.get::<_, String>(3)?,
            row.get::<_, u8>(4)?,
        );
        let at = *known.entry(key).or_insert_with_key(|(scope, name, rank)| {
            sums.push(ServiceSum {
                scope: scope.clone(),
                service_name: name.clone(),
                rank: *rank,
                totals: Totals::default(),
            });
            sums.len() - 1
        });
        let totals = &mut sums[at].totals;
        match row.get::<_, Option<u16>>(5)? {
            Some(bucket) => totals.add_bucket(bucket, row.get(6)?),
            None => {
                let basis: String = row.get(9)?;
                totals.add(row.get(6)?, row.get(7)?, row.get(8)?, &basis);
                totals.last_bucket_unix_nano = totals.last_bucket_unix_nano.max(row.get(10)?);
            }
        }
    }
    Ok(sums)
}

/// Sums of the rows of `service_edges` (SQL of it, with `is_minus`) that a clause picks. What is to be taken away stays
/// apart: it is in other sums.
pub(crate) fn edges(
    conn: &Connection,
    edges: &str,
    clause: &str,
    values: &[Value],
) -> duckdb::Result<Vec<EdgeSum>> {
    let sql = EDGES.replace("{edges}", edges).replace("{where}", clause);
    let mut question = conn.ask(&sql)?;
    let mut rows = question.query(values)?;
    let mut sums: Vec<EdgeSum> = Vec::new();
    let mut known = HashMap::new();
    while let Some(row) = rows.next()? {
        let caller = (scope(row, 0)?, row.get::<_, String>(3)?);
        let callee = (scope(row, 4)?, row.get::<_, String>(7)?);
        let kind: String = row.get(8)?;
        let inferred: Option<String> = row.get(10)?;
        let is_minus: bool = row.get(16)?;
        let key = (
            caller,
            callee,
            kind,
            row.get::<_, bool>(9)?,
            inferred,
            is_minus,
        );
        let at = *known.entry(key).or_insert_with_key(|key| {
            sums.push(EdgeSum {
                caller: key.0.clone(),
                callee: key.1.clone(),
                kind: key.2.clone(),
                is_async: key.3,
                inferred: key.4.clone(),
                is_minus: key.5,
                totals: Totals::default(),
            });
            sums.len() - 1
        });
        let totals = &mut sums[at].totals;
        match row.get::<_, Option<u16>>(11)? {
            Some(bucket) => totals.add_bucket(bucket, row.get(12)?),
            None => {
                let basis: String = row.get(15)?;
                totals.add(row.get(12)?, row.get(13)?, row.get(14)?, &basis);
            }
        }
    }
    Ok(sums)
}

/// The sums, each edge once, without what is to be taken away from them; edges of which nothing is left are left out.
pub(crate) fn without(sums: Vec<EdgeSum>, minus: &[EdgeSum]) -> Vec<EdgeSum> {
    type Key = ((Scope, String), (Scope, String), String, Option<String>);
    let key = |sum: &EdgeSum| -> Key {
        let (caller, callee) = (sum.caller.clone(), sum.callee.clone());
        (caller, callee, sum.kind.clone(), sum.inferred.clone())
    };
    let mut left: Vec<EdgeSum> = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    for sum in sums {
        match known.entry(key(&sum)) {
            Entry::Occupied(at) => left[*at.get()].totals.merge(&sum.totals),
            Entry::Vacant(place) => {
                place.insert(left.len());
                left.push(sum);
            }
        }
    }
    for sum in minus {
        if let Some(at) = known.get(&key(sum)) {
            left[*at].totals.take_away(&sum.totals);
        }
    }
    left.retain(|sum| sum.totals.calls > 0);
    left
}
