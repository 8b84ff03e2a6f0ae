-- Of each breaker that refused between $1 and $2: how long after the first failures of its edge it opened, and how long
-- its callee had answered well before it closed, in nanoseconds; from roll-ups of ten seconds. A bucket is bad when more
-- than a tenth of its calls failed, by what spans stand for. A breaker whose callee nobody told guards the service it is
-- named like, if any.
WITH refusing AS (
    SELECT breaker_id, service_name, environment, coalesce(peer_service, name) AS callee, is_trip,
        epoch_ns(start_time) AS ns, epoch_ns(end_time) AS end_ns
    FROM breaker_intervals
    WHERE state IN ('open', 'forced_open', 'half_open') AND start_time < make_timestamp_ns($2)
        AND (end_time IS NULL OR end_time > make_timestamp_ns($1))
),
-- From the first instance that refuses to the last that closed.
islands AS (
    SELECT *, sum(CASE WHEN ns <= reached THEN 0 ELSE 1 END) OVER (PARTITION BY breaker_id ORDER BY ns, end_ns ROWS UNBOUNDED PRECEDING) AS island
    FROM (
        SELECT *, max(coalesce(end_ns, $2::BIGINT)) OVER (PARTITION BY breaker_id ORDER BY ns, end_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
        FROM refusing
    )
),
openings AS (
    SELECT breaker_id, any_value(environment) AS environment, any_value(callee) AS callee,
        greatest(min(ns), $1::BIGINT) AS opened, least(max(coalesce(end_ns, $2::BIGINT)), $2::BIGINT) AS closed,
        coalesce(bool_and(end_ns <= $2::BIGINT), false) AS is_over
    FROM islands GROUP BY breaker_id, island
),
well AS (
    SELECT environment, service_name, epoch_ns(bucket_start) AS ns, sum(error_weight) <= 0.1 * sum(weight) AS is_good
    FROM ({red}) WHERE kind IN ('server', 'consumer') AND NOT coalesce(sidecar, false) AND service_name IN (SELECT callee FROM openings)
    GROUP BY environment, service_name, bucket_start
),
-- Up to each bucket of a callee, its last bad one.
watched AS (
    SELECT environment, service_name, ns, coalesce(max(ns) FILTER (NOT is_good) OVER (PARTITION BY environment, service_name ORDER BY ns), 0) AS bad_until
    FROM well
),
-- Of an opening that a bucket of the callee overlaps, its last bad one; buckets that ended before it say nothing.
ended AS (
    SELECT o.*, greatest(bad_until, opened - 10000000000) AS bad_until
    FROM openings o ASOF JOIN watched w ON w.service_name = o.callee AND w.environment IS NOT DISTINCT FROM o.environment AND o.closed > w.ns
    WHERE w.ns + 10000000000 > opened
),
-- Since when every bucket of the callee was good: that after the last bad one. One look-up an opening, however many
-- buckets it has.
answered AS (
    SELECT e.breaker_id, opened, closed, is_over, CASE WHEN w.ns < closed THEN w.ns END AS well_since
    FROM ended e ASOF LEFT JOIN watched w ON w.service_name = e.callee AND w.environment IS NOT DISTINCT FROM e.environment AND e.bad_until < w.ns
),
recovered AS (SELECT *, closed - opened AS open_ns, CASE WHEN well_since IS NOT NULL THEN closed - greatest(opened, well_since) END AS well_ns FROM answered),
recovery AS (
    SELECT breaker_id, avg(well_ns) FILTER (is_over) AS recover_ns, sum(coalesce(well_ns, 0)) / nullif(sum(open_ns), 0) AS well_share
    FROM recovered GROUP BY breaker_id
),
trips AS (SELECT DISTINCT breaker_id, service_name, environment, callee, ns AS tripped FROM refusing WHERE is_trip AND ns >= $1::BIGINT),
failing AS (
    SELECT environment, caller, callee, epoch_ns(bucket_start) AS ns, sum(error_weight) <= 0.1 * sum(weight) AS is_good
    FROM ({edges}) WHERE callee IN (SELECT callee FROM trips)
    GROUP BY environment, caller, callee, bucket_start
),
-- The bad buckets without a good one between them that lead to the trip.
onsets AS (
    SELECT breaker_id, tripped, min(ns) FILTER (NOT is_good AND ns > good_until) AS onset
    FROM (
        SELECT breaker_id, tripped, ns, is_good, coalesce(max(ns) FILTER (is_good) OVER (PARTITION BY breaker_id, tripped), 0) AS good_until
        -- Buckets begin at whole ten seconds.
        FROM (SELECT *, unnest(generate_series((tripped - 180000000000) // 10000000000 + 1, tripped // 10000000000))
                * 10000000000 AS ns FROM trips) t
        JOIN failing f USING (ns)
        WHERE caller = service_name AND f.callee = t.callee AND f.environment IS NOT DISTINCT FROM t.environment
    )
    GROUP BY breaker_id, tripped
),
detection AS (SELECT breaker_id, avg(tripped - onset) AS detect_ns FROM onsets GROUP BY breaker_id)
SELECT breaker_id, detect_ns::DOUBLE AS detect_ns, recover_ns::DOUBLE AS recover_ns, well_share::DOUBLE AS well_share
FROM detection FULL JOIN recovery USING (breaker_id)
