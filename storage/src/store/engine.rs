//! The one DuckDB instance: in memory, with every segment file attached to it.
//!
//! Its bounds are set and locked at the start. `allowed_directories` is the data directory; external access
//! is off, which is the second wall under the SQL guard.
//!
//! `preserve_insertion_order` stays on: without it DuckDB 2.0.0 collects the result of a prepared statement in whatever
//! order its threads finish, ORDER BY or not.
//!
//! `statistics_propagation` is off, and with it `compressed_materialization`, which lives on it. DuckDB 2.0.0 writes a row
//! group of VARIANTs that is too small to be shredded (under 30,720 rows) as one that says nothing of itself, where "not
//! shredded" is meant (`VariantColumnCheckpointState::GetStatistics`). Merged with shredded ones, of the same table or
//! through UNION ALL, the bounds of these then pass for the bounds of all: filters on attributes lose rows, and values
//! beyond the bounds wrap around. Bounds of single row groups, by which scans skip, are right and go on working.

use duckdb::{Config, Connection};

use super::{OpenError, StoreConfig};

/// Why the engine gave up, where an error says that it has: then every statement of every connection fails until it is started
/// anew. DuckDB does so where it no longer knows what is on disk, as after an fsync that failed, and after a bug of its own.
pub(crate) fn fatal(text: &str) -> Option<&str> {
    let (_, reason) = text.split_once("FATAL Error: ")?;
    let original = reason.split_once("Original error: ");
    Some(
        original
            .map_or(reason, |(_, original)| original)
            .trim_matches('"'),
    )
}

/// Starts the engine. What a former process left in the temp directory is removed.
pub(crate) fn start(config: &StoreConfig) -> Result<Connection, OpenError> {
    let dir = std::path::absolute(&config.data_dir)
        .map_err(|source| OpenError::from_io(&config.data_dir, source))?;
    let temp = dir.join("temp");
    match std::fs::remove_dir_all(&temp) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::from_io(&config.data_dir, error));
        }
        _ => {}
    }
    let literal = |path: &std::path::Path| path.to_string_lossy().replace('\'', "''");
    let engine = Config::default()
        .enable_autoload_extension(false)?
        .threads(i64::try_from(config.threads.max(1)).unwrap_or(i64::MAX))?
        .max_memory(&format!("{}B", config.memory_bytes_max))?
        .with("autoinstall_known_extensions", "false")?
        .with("allow_community_extensions", "false")?;
    let conn = Connection::open_in_memory_with_flags(engine)?;
    conn.execute_batch(&format!(
        "SET temp_directory = '{temp}';
         SET max_temp_directory_size = '{temp_bytes}B';
         SET checkpoint_threshold = '1TB';
         SET checkpoint_on_detach = 'DISABLED';
         PRAGMA disable_checkpoint_on_shutdown;
         SET disabled_optimizers = 'statistics_propagation,compressed_materialization';
         SET GLOBAL lambda_syntax = 'ENABLE_SINGLE_ARROW';
         SET allowed_directories = ['{dir}/'];
         SET enable_external_access = false;
         SET lock_configuration = true;",
        temp = literal(&temp),
        temp_bytes = config.temp_bytes_max,
        dir = literal(&dir),
    ))?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::fatal;

    #[test]
    fn what_the_engine_gave_up_for_is_told_by_the_first_error_and_by_all_later_ones() {
        for (text, reason) in [
            ("FATAL Error: fsync failed!", Some("fsync failed!")),
            (
                "FATAL Error: Failed: database has been invalidated because of a previous fatal error. The database must be \
                 restarted prior to being used again.\nOriginal error: \"fsync failed!\"",
                Some("fsync failed!"),
            ),
            (
                "TransactionContext Error: Failed to commit: Could not write file \"/d/hot\": No space left on device",
                None,
            ),
        ] {
            assert_eq!(fatal(text), reason, "{text}");
        }
    }
}
