-- Time in each state, trips and flapping of each logical breaker and day (UTC). Days of which nothing is known but that
-- an instance never came back are left out.
WITH spells AS (
    SELECT *, coalesce(service_instance_id, '') AS instance, start_time_unix_nano::BIGINT AS ns,
        coalesce(end_time_unix_nano::BIGINT, epoch_us(system.main.get_current_timestamp()) * 1000) AS end_ns
    FROM {schema}.breaker_intervals WHERE state <> 'stale' OR end_time IS NOT NULL
),
daily AS (
    SELECT *, unnest(generate_series(
        -- A clock that is decades off must not make a row a day: at most these days of one state.
        greatest(ns // 86400000000000, greatest(ns, end_ns - 1) // 86400000000000 - 400), greatest(ns, end_ns - 1) // 86400000000000)) * 86400000000000 AS day_ns
    FROM spells
),
pieces AS (
    SELECT * REPLACE (greatest(ns, day_ns) AS ns, greatest(least(end_ns, day_ns + 86400000000000), ns) AS end_ns,
            is_trip AND ns >= day_ns AS is_trip),
        ns >= day_ns AS begins
    FROM daily
),
-- RFC 2439 (route flap damping): each trip adds 1, and what has added up halves every 15 minutes, its usual half-life.
flaps AS (
    SELECT breaker_id, day_ns, max(score) AS flap_score
    FROM (
        SELECT breaker_id, day_ns, sum(pow(2, (ns - day_ns) / 9e11)) OVER (
                PARTITION BY breaker_id, instance, day_ns ORDER BY ns) * pow(2, (day_ns - ns) / 9e11) AS score
        FROM pieces WHERE is_trip
    )
    GROUP BY breaker_id, day_ns
),
-- However many instances refuse at once, a minute is a minute.
refusing AS (
    SELECT breaker_id, day_ns, sum(greatest(end_ns - greatest(ns, coalesce(covered, ns)), 0)) / 6e10 AS minutes_open
    FROM (
        SELECT *, max(end_ns) OVER (PARTITION BY breaker_id, day_ns ORDER BY ns, end_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
        FROM pieces WHERE state IN ('open', 'forced_open')
    )
    GROUP BY breaker_id, day_ns
),
sums AS (
    SELECT breaker_id, day_ns, any_value(service_name) AS service_name, any_value(service_namespace) AS service_namespace,
        any_value(environment) AS environment, any_value(cluster) AS cluster, any_value(name) AS name,
        any_value("key") AS "key", any_value(pattern) AS pattern, mode(peer_service) AS peer_service,
        count(DISTINCT instance) FILTER (state <> 'stale')::UINTEGER AS instances,
        count(*) FILTER (is_trip)::UINTEGER AS trips,
        count(*) FILTER (is_trip AND start_time_lo < start_time)::UINTEGER AS trips_inferred,
        count(*) FILTER (begins AND reason = 'restart')::UINTEGER AS restarts,
        coalesce(sum(length) FILTER (state = 'closed'), 0) AS closed_seconds,
        coalesce(sum(length) FILTER (state = 'open'), 0) AS open_seconds,
        coalesce(sum(length) FILTER (state = 'half_open'), 0) AS half_open_seconds,
        coalesce(sum(length) FILTER (state = 'forced_open'), 0) AS forced_open_seconds,
        coalesce(sum(length) FILTER (state = 'disabled'), 0) AS disabled_seconds,
        coalesce(sum(length) FILTER (state = 'metrics_only'), 0) AS metrics_only_seconds,
        coalesce(sum(length) FILTER (state = 'saturated'), 0) AS saturated_seconds,
        coalesce(sum(length) FILTER (state = 'throttling'), 0) AS throttling_seconds,
        coalesce(sum(length) FILTER (state = 'unknown'), 0) AS unknown_seconds,
        coalesce(sum(length) FILTER (state = 'stale'), 0) AS stale_seconds
    FROM (SELECT *, (end_ns - ns) / 1e9 AS length FROM pieces)
    GROUP BY breaker_id, day_ns
)
SELECT
    breaker_id, service_name, service_namespace, environment, cluster, name, "key",
    make_timestamp_ns(day_ns)::DATE AS "day", instances, coalesce(minutes_open, 0) AS minutes_open, trips, trips_inferred,
    coalesce(flap_score, 0) AS flap_score, restarts, closed_seconds, open_seconds, half_open_seconds,
    forced_open_seconds, disabled_seconds, metrics_only_seconds, saturated_seconds, throttling_seconds,
    unknown_seconds, stale_seconds, pattern, peer_service
FROM sums LEFT JOIN refusing USING (breaker_id, day_ns) LEFT JOIN flaps USING (breaker_id, day_ns)
