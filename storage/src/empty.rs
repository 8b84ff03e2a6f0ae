//! What relations are made of when no segment has any of their rows.

/// A schema with every sealed table and no rows: gives relations their columns when no segment does.
pub(crate) const EMPTY_SCHEMA: &str = "memory.nothing";
