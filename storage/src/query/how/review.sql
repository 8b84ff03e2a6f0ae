WITH seen AS (
    SELECT breaker_id, service_name, name, "key", coalesce(service_instance_id, '') AS instance, state, is_trip, reason,
        epoch_ns(start_time) AS ns, epoch_ns(start_time_lo) AS lo,
        least(coalesce(epoch_ns(end_time), {to}), {to}) AS ended
    FROM breaker_intervals
    {where}
), refusing AS (
    -- However many instances refuse at once, a minute is a minute.
    SELECT breaker_id, sum(greatest(ended - greatest(began, coalesce(covered, began)), 0)) / 6e10 AS minutes_open
    FROM (
        SELECT *, max(ended) OVER (PARTITION BY breaker_id ORDER BY began, ended
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered
        FROM (SELECT breaker_id, greatest(ns, {from}) AS began, ended FROM seen WHERE state IN ('open', 'forced_open'))
    )
    GROUP BY breaker_id
), trips AS (
    SELECT breaker_id, instance, ns FROM seen WHERE is_trip AND ns >= {from}
), flaps AS (
    -- Each trip of an instance adds 1; what has added up halves every 15 minutes (RFC 2439).
    SELECT breaker_id, max(score) AS flap_score
    FROM (
        SELECT t.breaker_id, t.instance, t.ns, sum(pow(2, (earlier.ns - t.ns) / 9e11)) AS score
        FROM (SELECT DISTINCT * FROM trips) t
        JOIN trips earlier ON earlier.breaker_id = t.breaker_id AND earlier.instance = t.instance AND earlier.ns <= t.ns
        GROUP BY ALL
    )
    GROUP BY breaker_id
), counted AS (
    SELECT breaker_id, service_name, name, "key", count(*) FILTER (is_trip AND ns >= {from}) AS trips,
        count(*) FILTER (is_trip AND ns >= {from} AND lo < ns) AS trips_inferred,
        count(*) FILTER (reason = 'restart' AND ns >= {from}) AS restarts
    FROM seen
    GROUP BY ALL
)
SELECT service_name, name, "key", coalesce(minutes_open, 0) AS minutes_open, trips, trips_inferred, restarts,
    coalesce(flap_score, 0) AS flap_score
FROM counted LEFT JOIN refusing USING (breaker_id) LEFT JOIN flaps USING (breaker_id)
ORDER BY minutes_open DESC, trips DESC, service_name, name, "key"
