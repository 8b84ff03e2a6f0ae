-- The latest state of each instance: where its last transition led, else what its last sample said; `stale` by R5
-- when a breaker that exported samples has exported none for three intervals.
WITH joined AS (
    SELECT *, interval_ns IS NOT NULL AND epoch_ns(last_seen) + 3 * interval_ns
            < epoch_us(system.main.get_current_timestamp()) * 1000 AS is_stale
    FROM {known}
)
SELECT
    breaker_id, service_name, service_namespace, environment, cluster, name, "key", service_instance_id, service_version,
    CASE WHEN is_stale THEN 'stale' ELSE coalesce(change.state, sample.state, 'unknown') END AS state,
    CASE WHEN is_stale THEN last_seen ELSE coalesce(change.since, first_state) END AS since,
    epoch_ns(CASE WHEN is_stale THEN last_seen ELSE coalesce(change.since, first_state) END)::UBIGINT AS since_unix_nano,
    CASE WHEN is_stale THEN false ELSE coalesce(change.is_exact, false) END AS since_exact,
    CASE WHEN NOT is_stale THEN change.generation END AS generation,
    coalesce(change.evidence, sample.evidence, 'config') AS evidence,
    coalesce(change.confidence, sample.confidence, 10)::UTINYINT AS confidence,
    first_seen, epoch_ns(first_seen)::UBIGINT AS first_seen_unix_nano,
    last_seen, epoch_ns(last_seen)::UBIGINT AS last_seen_unix_nano,
    coalesce(change.state, sample.state, 'unknown') AS last_state,
    pattern, origin, peer_service, peer_address, peer_evidence
FROM joined
