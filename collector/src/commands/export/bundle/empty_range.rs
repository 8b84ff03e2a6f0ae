//! A range in which nothing is stored: no bundle is made of it, and whoever asked is told where to look.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use tripline_web::units;

use super::number;
use crate::commands::sql;
use crate::config::Config;

/// Whether a range has any row of telemetry.
const ANY_ROW: &str = "SELECT EXISTS (SELECT 1 FROM spans WHERE start_time_unix_nano >= {from} AND start_time_unix_nano < {to}) \
     OR EXISTS (SELECT 1 FROM logs WHERE epoch_ns(time)::UBIGINT >= {from} AND epoch_ns(time)::UBIGINT < {to}) \
     OR EXISTS (SELECT 1 FROM metric_points WHERE time_unix_nano >= {from} AND time_unix_nano < {to}) AS has_rows";

/// The last moment of telemetry before a range, and the first one after it.
const NEAREST: &str = "SELECT (max(ns) FILTER (ns < {from}))::VARCHAR AS earlier, (min(ns) FILTER (ns >= {to}))::VARCHAR AS later \
     FROM (SELECT start_time_unix_nano AS ns FROM spans UNION ALL SELECT epoch_ns(time)::UBIGINT FROM logs \
         UNION ALL SELECT time_unix_nano FROM metric_points)";

/// Refuses a range without any row; the error says when there are some. Nanoseconds since the epoch.
pub(super) fn refuse(config: &Config, from: u64, to: u64, timeout: Duration) -> anyhow::Result<()> {
    let fill = |query: &str| {
        query
            .replace("{from}", &from.to_string())
            .replace("{to}", &to.to_string())
    };
    let found = sql::rows(config, &fill(ANY_ROW), Some(timeout))?;
    if found.first().and_then(|row| row.get("has_rows")) == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let around = sql::rows(config, &fill(NEAREST), Some(timeout))?;
    let nearest = |column: &str| number(around.first()?.get(column)?);
    let told = |ns: u64| units::timestamp(ns, 0);
    let elsewhere = match (nearest("earlier"), nearest("later")) {
        (Some(earlier), Some(later)) => format!(
            "the nearest telemetry is of {} and of {}",
            told(earlier),
            told(later)
        ),
        (Some(at), None) | (None, Some(at)) => format!("the nearest telemetry is of {}", told(at)),
        (None, None) => "the store is empty".to_owned(),
    };
    bail!(
        "nothing is stored from {} to {}: {elsewhere}",
        told(from),
        told(to)
    );
}
