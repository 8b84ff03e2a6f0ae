-- The latest state of each instance: where its last transition led, else what its last sample said; `stale` by R5
-- when a breaker that exported samples has exported none for three intervals, and when an instance that only reports has
-- sent nothing else any more either (`heard`). What it was in before a silence it may have left and come into again: after
-- one it is in its state since it was heard again.
WITH joined AS (
    SELECT k.*, h.until_ns, coalesce(CASE WHEN k.interval_ns IS NOT NULL THEN epoch_ns(k.last_seen) + 3 * k.interval_ns ELSE h.stale_at END
            < epoch_us(system.main.get_current_timestamp()) * 1000, false) AS is_stale,
        list_last(k.silences) AS silence
    FROM {known} k LEFT JOIN {heard} h ON h.breaker_id = k.breaker_id AND h.instance = k.instance
),
dated AS (
    SELECT *, NOT is_stale AND coalesce(silence.to_ns > epoch_ns(coalesce(change.since, first_state)), false) AS is_heard_again
    FROM joined
),
timed AS (
    SELECT *, CASE WHEN is_stale THEN greatest(last_seen, make_timestamp_ns(until_ns)) WHEN is_heard_again THEN make_timestamp_ns(silence.to_ns)
            ELSE coalesce(change.since, first_state) END AS began
    FROM dated
)
SELECT
    breaker_id, service_name, service_namespace, environment, cluster, name, "key", service_instance_id, service_version,
    CASE WHEN is_stale THEN 'stale' ELSE coalesce(change.state, sample.state, 'unknown') END AS state,
    began AS since, epoch_ns(began)::UBIGINT AS since_unix_nano,
    CASE WHEN is_stale OR is_heard_again THEN false ELSE coalesce(change.is_exact, false) END AS since_exact,
    CASE WHEN NOT is_stale THEN change.generation END AS generation,
    CASE WHEN is_heard_again THEN silence.evidence ELSE coalesce(change.evidence, sample.evidence, 'config') END AS evidence,
    CASE WHEN is_heard_again THEN silence.confidence ELSE coalesce(change.confidence, sample.confidence, 10) END::UTINYINT AS confidence,
    first_seen, epoch_ns(first_seen)::UBIGINT AS first_seen_unix_nano,
    last_seen, epoch_ns(last_seen)::UBIGINT AS last_seen_unix_nano,
    coalesce(change.state, sample.state, 'unknown') AS last_state,
    pattern, origin, peer_service, peer_address, peer_evidence,
    -- Who is silent has nobody ejected that we know of.
    CASE WHEN NOT is_stale THEN hosts.ejected END AS hosts_ejected,
    CASE WHEN NOT is_stale THEN hosts.healthy END AS hosts_healthy,
    CASE WHEN NOT is_stale THEN hosts.total END AS hosts_total
FROM timed
