//! What the sidecars of a mesh count of the calls between services.
//!
//! The store folds a sidecar's span and the application's of one hop into one call before it keeps the graph
//! (`rollup/calls.sql`), so the mesh's own numbers are read from its spans.

use std::collections::BTreeMap;

use duckdb::params;

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Graph, GraphQuery, MeshCalls, Scope};
use crate::segment::kept::is_in;

const MESH: &str = include_str!("mesh.sql");

/// Calls as sidecars count them, busiest first; services are named as in `graph`, where a sidecar with a name of its own
/// is the application it stands beside.
pub fn mesh_calls(
    session: &Session<'_>,
    query: &GraphQuery,
    graph: &Graph,
) -> Result<Vec<MeshCalls>, QueryError> {
    let has_sidecars = |node: &crate::model::GraphNode| node.has_proxy || node.proxy_of.is_some();
    if !graph.nodes.iter().any(has_sidecars) {
        return Ok(Vec::new());
    }
    let applications: BTreeMap<&str, &str> = graph
        .nodes
        .iter()
        .filter_map(|node| Some((node.name.as_str(), node.proxy_of.as_deref()?)))
        .collect();
    let named = |name: String| {
        applications
            .get(name.as_str())
            .map_or(name, |application| (*application).to_owned())
    };
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let calls = session
        .set()
        .calls_sql(&[], |segment| segment.may_hold_time(from, to));
    session.run(|conn| {
        let mut question = conn.ask(&MESH.replace("{calls}", &calls))?;
        let mut rows = question.query(params![from, to])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let scope = Scope {
                environment: row.get(0)?,
                service_namespace: row.get(1)?,
                cluster: row.get(2)?,
            };
            let calls = MeshCalls {
                scope,
                caller: named(row.get(3)?),
                callee: named(row.get(4)?),
                by_caller: row.get(5)?,
                calls: row.get(6)?,
                errors: row.get(7)?,
                weight: row.get(8)?,
                error_weight: row.get(9)?,
                p95_ns: row.get(10)?,
            };
            let touches = |service: &String| *service == calls.caller || *service == calls.callee;
            if is_in(&calls.scope, &query.scope) && query.service.as_ref().is_none_or(touches) {
                found.push(calls);
            }
        }
        Ok(found)
    })
}
