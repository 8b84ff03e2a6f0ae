-- States with their times; the last one of an instance lasts until now, or until it fell silent (R5): one that exports
-- metrics by itself, one that only reports with all else that it sends.
WITH last_heard AS (
    SELECT s.* REPLACE (greatest(s.heard_until, h.until_ns) AS heard_until, coalesce(s.stale_at, h.stale_at) AS stale_at)
    FROM {spells} s
    LEFT JOIN {heard} h ON s.end_ns IS NULL AND h.breaker_id = s.breaker_id AND h.instance = coalesce(s.service_instance_id, '')
),
timed AS (
    SELECT *, epoch_us(system.main.get_current_timestamp()) * 1000 AS now_ns,
        coalesce(stale_at < epoch_us(system.main.get_current_timestamp()) * 1000, false) AS is_silent
    FROM last_heard
),
spells AS (
    SELECT * REPLACE (CASE WHEN is_silent THEN heard_until ELSE end_ns END AS end_ns) FROM timed
    UNION ALL
    SELECT * REPLACE (state AS from_state, 'stale' AS state, heard_until AS ns, heard_until AS lo, false AS is_trip,
        NULL AS reason, 'silence' AS evidence, 100::UTINYINT AS confidence)
    FROM timed WHERE is_silent
)
SELECT
    breaker_id, service_name, service_namespace, environment, cluster, name, "key", service_instance_id, state,
    make_timestamp_ns(ns) AS start_time, ns::UBIGINT AS start_time_unix_nano,
    make_timestamp_ns(lo) AS start_time_lo, lo::UBIGINT AS start_time_lo_unix_nano,
    make_timestamp_ns(end_ns) AS end_time, end_ns::UBIGINT AS end_time_unix_nano,
    greatest(coalesce(end_ns, now_ns) - ns, 0) / 1e9 AS seconds,
    from_state, is_trip, reason, evidence, confidence::UTINYINT AS confidence, pattern, origin, service_version, peer_service
FROM spells
