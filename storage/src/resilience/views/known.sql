-- What is known of each instance: who it is, where its last transition led, what its last sample said, how often it
-- exports, and when it was silent meanwhile. Whether it is stale depends on the time of asking and is not decided here.
WITH transitions AS (SELECT * FROM {transitions} WHERE "time" IS NOT NULL),
-- Where no sample says a state, counters do that never counted an opening or a refusal; else the two latest of time in
-- each state, of which one grew.
sampled AS (
    SELECT breaker_id, instance, coalesce(said, counted) AS latest, CASE WHEN said IS NOT NULL THEN first_state WHEN counted IS NOT NULL THEN first_count END AS first_state, hosts
    FROM (
        SELECT *, CASE
                WHEN has_never_refused THEN {'state': 'closed', 'evidence': 'counters', 'confidence': 50::UINTEGER}
                WHEN len(clock) < 2 OR clock[1].half_open <> clock[2].half_open THEN NULL
                WHEN clock[1].open = clock[2].open AND clock[1].closed > clock[2].closed
                    THEN {'state': 'closed', 'evidence': 'time_in_state', 'confidence': 60::UINTEGER}
                WHEN clock[1].closed = clock[2].closed AND clock[1].open > clock[2].open
                    THEN {'state': 'open', 'evidence': 'time_in_state', 'confidence': 60::UINTEGER} END AS counted
        FROM (
            SELECT breaker_id, coalesce(service_instance_id, '') AS instance,
                arg_max({'state': state, 'evidence': CASE WHEN is_learned THEN 'learned' ELSE evidence END, 'confidence': confidence}, "time") FILTER (state IS NOT NULL) AS said,
                min("time") FILTER (state IS NOT NULL) AS first_state,
                coalesce(greatest(max(rejected), max(entered_open), max(entered_half_open), max(ns_open), max(ns_half_open)) = 0, false) AS has_never_refused,
                arg_max({'closed': ns_closed, 'open': ns_open, 'half_open': coalesce(ns_half_open, 0)}, "time", 2)
                    FILTER (ns_closed IS NOT NULL AND ns_open IS NOT NULL AND NOT is_delta) AS clock,
                arg_max({'ejected': hosts_ejected, 'healthy': hosts_healthy, 'total': hosts_total}, "time") FILTER (hosts_ejected IS NOT NULL) AS hosts,
                min("time") FILTER (coalesce(rejected, entered_open, entered_half_open, ns_open, ns_half_open) IS NOT NULL) AS first_count
            FROM {marks} WHERE "time" IS NOT NULL GROUP BY ALL
        )
    )
),
changed AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance,
        arg_max({'state': to_state, 'since': "time", 'is_exact': time_lo = "time", 'generation': generation,
            'evidence': evidence, 'confidence': confidence}, time_unix_nano) AS latest
    FROM transitions GROUP BY ALL
),
-- When something was heard of an instance that exports metrics; what counters and gauges prove was heard with them.
heard AS (
    SELECT breaker_id, instance, since, until, evidence, confidence, first_metric, interval_ns
    FROM (
        SELECT breaker_id, coalesce(service_instance_id, '') AS instance, coalesce(heard_since, epoch_ns("time")) AS since,
            epoch_ns("time") AS until, evidence, confidence::UTINYINT AS confidence
        FROM {marks} WHERE "time" IS NOT NULL
        UNION ALL
        SELECT breaker_id, coalesce(service_instance_id, ''), epoch_ns("time"), epoch_ns("time"), evidence, confidence FROM transitions
        WHERE evidence NOT IN ('gauge', 'counters', 'transition_counter', 'rejection_counter', 'time_in_state')
    ) JOIN {pace} USING (breaker_id, instance)
),
silent AS (
    SELECT breaker_id, instance, list({'from_ns': before, 'to_ns': since, 'evidence': evidence, 'confidence': confidence} ORDER BY since) AS silences
    FROM (
        SELECT *, max(until) OVER (PARTITION BY breaker_id, instance ORDER BY since, until
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM heard
    )
    WHERE since - before > 3 * interval_ns AND before >= first_metric
    GROUP BY breaker_id, instance
),
mentions AS (
    SELECT breaker_id, service_instance_id, service_name, service_namespace, environment, cluster, name, "key", pattern,
        origin, service_version, peer_service, NULL AS peer_address, CASE WHEN peer_service IS NOT NULL THEN 'reported' END AS peer_evidence,
        "time", 3 AS rank
    FROM transitions
    UNION ALL
    SELECT breaker_id, service_instance_id, service_name, service_namespace, environment, cluster, name, "key", pattern,
        origin, service_version, peer_service, peer_address, peer_evidence, "time", 1
    FROM {marks}
    UNION ALL
    SELECT breaker_id, service_instance_id, service_name, service_namespace, environment, cluster, name, "key", pattern,
        origin, service_version, peer_service, peer_address, peer_evidence, valid_from, 2
    FROM {config}
    UNION ALL
    -- Changes of state name addresses too, which their public relation does not show.
    SELECT breaker_id, service_instance_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, peer_service, peer_address,
        peer_evidence, "time", 0
    FROM {reported} WHERE peer_address IS NOT NULL
),
subjects AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, any_value(service_instance_id) AS service_instance_id,
        any_value(service_name) AS service_name, any_value(service_namespace) AS service_namespace,
        any_value(environment) AS environment, any_value(cluster) AS cluster, any_value(name) AS name,
        any_value("key") AS "key", any_value(pattern) AS pattern, arg_max(origin, rank) AS origin,
        arg_max(service_version, "time") AS service_version, mode(peer_service) AS peer_service,
        mode(peer_address) AS peer_address, mode(peer_evidence) AS peer_evidence,
        min("time") AS first_seen, max("time") AS last_seen
    FROM mentions GROUP BY breaker_id, coalesce(service_instance_id, '')
)
SELECT s.*, c.latest AS change, m.latest AS sample, m.first_state, m.hosts, p.interval_ns, q.silences
FROM subjects s
LEFT JOIN changed c USING (breaker_id, instance)
LEFT JOIN sampled m USING (breaker_id, instance)
LEFT JOIN {pace} p USING (breaker_id, instance)
LEFT JOIN silent q USING (breaker_id, instance)
