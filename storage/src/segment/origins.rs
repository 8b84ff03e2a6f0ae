//! Resources and instrumentation scopes of a segment, as its rows refer to them by number.
//!
//! A question about one trace needs a few of them, and DuckDB takes 3 ms to plan and read each of the two tables. A sealed
//! segment never changes, so of one with few resources all are read once and kept. Of a hot one those
//! are kept that were read: what has a number there keeps it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use duckdb::{Connection, Row};

use super::Segment;
use crate::ask::{Ask, NONE, scope};
use crate::model::Scope;
use crate::sync::locked;

/// Of a segment with more, the wanted ones are read each time: kept ones take about 1 KiB each.
const KEPT_MAX: usize = 500;

/// Who sent rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    pub resources: HashMap<u32, Resource>,
    pub scopes: HashMap<u32, Instrumentation>,
}

/// A resource.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub scope: Scope,
    pub service_name: Option<String>,
    pub service_version: Option<String>,
    pub service_instance_id: Option<String>,
    /// JSON text.
    pub attributes: Option<String>,
}

/// An instrumentation scope.
#[derive(Debug, Clone)]
pub(crate) struct Instrumentation {
    pub name: Option<String>,
    pub version: Option<String>,
}

impl Origins {
    /// Those of these numbers; `None` unless all of them are known.
    fn those(&self, resources: &BTreeSet<u32>, scopes: &BTreeSet<u32>) -> Option<Self> {
        Some(Self {
            resources: those(&self.resources, resources)?,
            scopes: those(&self.scopes, scopes)?,
        })
    }

    /// Keeps others too, unless there are many.
    fn add(&mut self, others: &Self) {
        let are_few = |own: usize, more: usize| own + more <= KEPT_MAX;
        if are_few(self.resources.len(), others.resources.len())
            && are_few(self.scopes.len(), others.scopes.len())
        {
            self.resources.extend(others.resources.clone());
            self.scopes.extend(others.scopes.clone());
        }
    }
}

fn those<T: Clone>(known: &HashMap<u32, T>, numbers: &BTreeSet<u32>) -> Option<HashMap<u32, T>> {
    let of = |number: &u32| Some((*number, known.get(number)?.clone()));
    numbers.iter().map(of).collect()
}

impl Segment {
    /// At least those of these numbers.
    pub(crate) fn origins(
        &self,
        conn: &Connection,
        resources: &BTreeSet<u32>,
        scopes: &BTreeSet<u32>,
    ) -> duckdb::Result<Cow<'_, Origins>> {
        if let Some(kept) = self.kept.origins.get() {
            return Ok(Cow::Borrowed(kept));
        }
        if let Some(live) = &self.live {
            if let Some(known) = locked(&live.origins).those(resources, scopes) {
                return Ok(Cow::Owned(known));
            }
            let read = self.read_some(conn, resources, scopes)?;
            locked(&live.origins).add(&read);
            return Ok(Cow::Owned(read));
        }
        if !self.is_text()
            && let Some(kept) = self.keep_origins(conn)?
        {
            return Ok(Cow::Borrowed(kept));
        }
        Ok(Cow::Owned(self.read_some(conn, resources, scopes)?))
    }

    /// All of a sealed segment, read and kept; `None` where they are many. Whoever makes one asks too: then its first
    /// reader need not wait.
    pub(crate) fn keep_origins(&self, conn: &Connection) -> duckdb::Result<Option<&Origins>> {
        let some = format!("LIMIT {}", KEPT_MAX + 1);
        let all = self.read_origins(conn, &some, &some)?;
        let are_few = all.resources.len() <= KEPT_MAX && all.scopes.len() <= KEPT_MAX;
        Ok(are_few.then(|| self.kept.origins.get_or_init(|| all)))
    }

    fn read_some(
        &self,
        conn: &Connection,
        resources: &BTreeSet<u32>,
        scopes: &BTreeSet<u32>,
    ) -> duckdb::Result<Origins> {
        let (resources, scopes) = (among("resource_ix", resources), among("scope_ix", scopes));
        self.read_origins(conn, &resources, &scopes)
    }

    fn read_origins(
        &self,
        conn: &Connection,
        resources: &str,
        scopes: &str,
    ) -> duckdb::Result<Origins> {
        let (schema, document) = (
            self.schema(),
            if self.is_text() {
                ""
            } else {
                "::JSON::VARCHAR"
            },
        );
        let resources = format!(
            "SELECT resource_ix, environment, service_namespace, cluster, service_name, service_version, \
             service_instance_id, attributes{document} FROM {schema}.resources {resources}"
        );
        let scopes = format!("SELECT scope_ix, name, version FROM {schema}.scopes {scopes}");
        let mut question = conn.ask(&resources)?;
        let resources = question
            .query_map(NONE, |row| Ok((row.get(0)?, resource(row)?)))?
            .collect::<Result<_, _>>()?;
        let mut question = conn.ask(&scopes)?;
        let scopes = question
            .query_map(NONE, |row| {
                let (name, version) = (row.get(1)?, row.get(2)?);
                Ok((row.get(0)?, Instrumentation { name, version }))
            })?
            .collect::<Result<_, _>>()?;
        Ok(Origins { resources, scopes })
    }
}

fn among(column: &str, numbers: &BTreeSet<u32>) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [] => "WHERE false".to_owned(),
        numbers => format!("WHERE {column} IN ({})", numbers.join(", ")),
    }
}

fn resource(row: &Row<'_>) -> duckdb::Result<Resource> {
    Ok(Resource {
        scope: scope(row, 1)?,
        service_name: row.get(4)?,
        service_version: row.get(5)?,
        service_instance_id: row.get(6)?,
        attributes: row.get(7)?,
    })
}
