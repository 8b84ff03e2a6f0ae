//! Roll-ups of spans: `red` and `service_edges`. Placeholder with the engine's side of the contract; the
//! relations have their keys and stay empty until the roll-ups land.

use duckdb::Connection;

/// One segment as the roll-up views see it.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its qualified schema, ready for SQL text.
    pub schema: String,
    /// A hot segment: it has raw rows (documents as text) but no roll-up tables.
    pub is_text: bool,
}

/// Creates the roll-up tables in `schema` (a new sealed segment), empty.
pub fn create(_conn: &Connection, _schema: &str) -> duckdb::Result<()> {
    Ok(())
}

/// Fills the roll-up tables of `to_schema` from the raw rows of `from_schema` (same attached database or
/// another; documents are VARIANT).
pub fn write(_conn: &Connection, _from_schema: &str, _to_schema: &str) -> duckdb::Result<()> {
    Ok(())
}

/// Merges the roll-up tables of sealed segments into those of `to_schema`, matching edge halves again.
pub fn merge(_conn: &Connection, _from_schemas: &[String], _to_schema: &str) -> duckdb::Result<()> {
    Ok(())
}

/// The body of the public view `red` over these segments.
pub fn red_view_sql(_parts: &[Part]) -> String {
    "SELECT NULL::TIMESTAMP_NS AS bucket_start, NULL::VARCHAR AS service_name, NULL::VARCHAR AS name, \
     NULL::VARCHAR AS kind, NULL::UBIGINT AS calls, NULL::UBIGINT AS errors WHERE false"
        .to_owned()
}

/// The body of the public view `service_edges` over these segments.
pub fn service_edges_view_sql(_parts: &[Part]) -> String {
    "SELECT NULL::TIMESTAMP_NS AS bucket_start, NULL::VARCHAR AS caller, NULL::VARCHAR AS callee, \
     NULL::VARCHAR AS kind, NULL::UBIGINT AS calls, NULL::UBIGINT AS errors WHERE false"
        .to_owned()
}
