-- What was seen while each number that nobody knows held, between $1 and $2. A number holds between two samples of one
-- stream that both say it and lie no further apart than three intervals; what lies between two numbers tells nothing.
WITH numbers AS (
    SELECT DISTINCT breaker_id, coalesce(service_instance_id, '') AS instance, coalesce(service_name, '') AS service,
        coalesce(name, '') AS name, epoch_ns("time") AS ns, split_part(raw_state, '=', 1) AS metric,
        split_part(raw_state, '=', 2) AS value
    FROM breaker_samples
    WHERE evidence = 'metric' AND (state = 'unknown' OR learned) AND contains(raw_state, '=')
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
),
paired AS (
    SELECT *, lag(ns) OVER w AS ns0, lag(value) OVER w AS before,
        median(ns - lag_ns) OVER (PARTITION BY metric, service) AS usual
    FROM (SELECT *, lag(ns) OVER (PARTITION BY breaker_id, instance, metric ORDER BY ns) AS lag_ns FROM numbers)
    WINDOW w AS (PARTITION BY breaker_id, instance, metric ORDER BY ns)
),
numbered AS (
    SELECT *, sum(CASE WHEN before = value AND ns - ns0 <= 3 * usual THEN 0 ELSE 1 END) OVER (
        PARTITION BY breaker_id, instance, metric ORDER BY ns) AS spell
    FROM paired
),
spells AS (
    SELECT metric, service, breaker_id, instance, any_value(name) AS name, spell, any_value(value) AS value,
        min(ns) AS began, max(ns) AS ended, count(*) AS samples,
        min_by(before, ns) AS before
    FROM numbered GROUP BY metric, service, breaker_id, instance, spell
),
followed AS (
    SELECT *, lead(value) OVER (PARTITION BY breaker_id, instance, metric ORDER BY began) AS after FROM spells
),
-- Counters of the same breaker: what grew while one number held. Instruments of one collection are stamped one after
-- the other.
counted AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns,
        max(rejected)::HUGEINT AS rejected, (coalesce(max(ok), 0) + coalesce(max(failed), 0))::HUGEINT AS passed, bool_or(is_delta) AS is_delta
    FROM breaker_samples
    WHERE coalesce(rejected, ok, failed) IS NOT NULL AND breaker_id IN (SELECT breaker_id FROM numbers)
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
    GROUP BY ALL
),
grown AS (
    SELECT breaker_id, instance, lag(ns) OVER w AS ns0, ns,
        -- A counter that was not there when others were begins with what it shows.
        CASE WHEN is_delta THEN rejected WHEN rejected < before THEN 0 WHEN before IS NOT NULL THEN rejected - before
            WHEN ns - first_ns >= 500000000 THEN rejected ELSE 0 END AS refused,
        CASE WHEN is_delta THEN passed WHEN passed < lag(passed) OVER w THEN 0 ELSE passed - lag(passed) OVER w END AS passed
    FROM (
        SELECT *, min(ns) OVER (PARTITION BY breaker_id, instance) AS first_ns,
            last_value(rejected IGNORE NULLS) OVER (PARTITION BY breaker_id, instance ORDER BY ns
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM counted
    )
    WINDOW w AS (PARTITION BY breaker_id, instance ORDER BY ns)
),
-- Sums from the beginning, which only grow: what lies within a spell is the difference of two.
summed AS (
    SELECT breaker_id, instance, ns0, ns, sum(coalesce(refused, 0)) OVER w AS refused, sum(coalesce(passed, 0)) OVER w AS passed
    FROM grown WHERE ns0 IS NOT NULL WINDOW w AS (PARTITION BY breaker_id, instance ORDER BY ns)
),
of_counters AS (
    SELECT s.metric, s.service, s.value,
        sum(greatest(least(e.refused, f.refused) - coalesce(b.refused, 0), 0)) AS refused,
        sum(greatest(least(e.passed, f.passed) - coalesce(b.passed, 0), 0)) AS passed
    FROM spells s
    -- Until the last that ended with it, and began in it; after the last that began before it.
    ASOF JOIN summed e ON e.breaker_id = s.breaker_id AND e.instance = s.instance AND s.ended + 1000000000 >= e.ns
    ASOF JOIN summed f ON f.breaker_id = s.breaker_id AND f.instance = s.instance AND s.ended > f.ns0
    ASOF LEFT JOIN summed b ON b.breaker_id = s.breaker_id AND b.instance = s.instance AND s.began - 1000000000 > b.ns0
    GROUP BY ALL
),
-- Calls of the service that errors or spans say were refused: of the breaker's name, or of any where it has one breaker.
alone AS (SELECT metric, service, count(DISTINCT breaker_id) = 1 AS is_alone, count(DISTINCT breaker_id) AS breakers FROM numbers GROUP BY ALL),
refusals AS (
    SELECT coalesce(service_name, '') AS service, name, service_instance_id, "time", span_id, epoch_ns("time") AS ns
    FROM breaker_samples
    WHERE evidence IN ('span', 'log') AND state IN ('open', 'forced_open')
        AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
),
refused AS (
    SELECT t.metric, t.breaker_id, t.instance, r."time", r.span_id, r.ns
    FROM (SELECT DISTINCT metric, service, breaker_id, instance, name FROM spells) t JOIN alone a USING (metric, service)
    JOIN refusals r ON r.service = t.service AND (a.is_alone OR r.name = t.name)
        AND (t.instance = '' OR r.service_instance_id IS NULL OR r.service_instance_id = t.instance)
),
-- Spells of one stream follow each other: a refusal can be within the last one that began before it, and within no other.
of_errors AS (
    SELECT s.metric, s.service, s.value, count(DISTINCT (r."time", r.span_id)) AS errors
    FROM refused r
    ASOF JOIN spells s ON s.breaker_id = r.breaker_id AND s.instance = r.instance AND s.metric = r.metric AND r.ns >= s.began
    WHERE r.ns <= s.ended
    GROUP BY ALL
),
-- Calls of the service in whole buckets of ten seconds: to the callee that the breaker's name says, else to all.
edges AS (
    SELECT caller, callee, epoch_ns(bucket_start) AS ns, sum(calls) AS calls, sum(errors) AS errors
    FROM ({edges})
    WHERE caller IN (SELECT service FROM numbers)
        AND bucket_start >= make_timestamp_ns($1) AND bucket_start < make_timestamp_ns($2)
    GROUP BY ALL
),
named AS (
    SELECT DISTINCT n.service, n.name, e.callee
    FROM (SELECT DISTINCT service, name, regexp_replace(lower(name), '[^a-z0-9]', '', 'g') AS letters FROM numbers) n
    JOIN (SELECT DISTINCT caller, callee, regexp_replace(lower(callee), '[^a-z0-9]', '', 'g') AS letters FROM edges) e
        ON e.caller = n.service AND e.letters <> '' AND contains(n.letters, e.letters)
),
wanted AS (SELECT DISTINCT service, name, true AS is_named FROM named),
grouped AS (
    SELECT caller AS service, NULL AS name, ns, sum(calls) AS calls, sum(errors) AS errors FROM edges GROUP BY ALL
    UNION ALL
    SELECT n.service, n.name, ns, sum(calls), sum(errors) FROM named n JOIN edges e ON e.caller = n.service AND e.callee = n.callee GROUP BY ALL
),
-- Sums from the beginning here too.
running AS (
    SELECT service, coalesce('=' || name, '') AS of, ns, sum(calls) OVER w AS calls, sum(errors) OVER w AS errors
    FROM grouped WINDOW w AS (PARTITION BY service, name ORDER BY ns)
),
asked AS (
    SELECT metric, service, value, began - 1 AS lo, ended - 10000000000 AS hi, CASE WHEN is_named THEN '=' || name ELSE '' END AS of
    FROM spells LEFT JOIN wanted USING (service, name) WHERE ended - began >= 10000000000
),
of_calls AS (
    SELECT s.metric, s.service, s.value, sum(b.calls - coalesce(a.calls, 0)) AS calls, sum(b.errors - coalesce(a.errors, 0)) AS errors
    FROM asked s
    ASOF JOIN running b ON b.service = s.service AND b.of = s.of AND s.hi >= b.ns
    ASOF LEFT JOIN running a ON a.service = s.service AND a.of = s.of AND s.lo >= a.ns
    GROUP BY ALL
),
held AS (
    SELECT metric, service, value, sum(ended - began)::BIGINT AS held_ns, median(ended - began)::BIGINT AS usual_ns,
        sum(greatest(ended - began - 20000000000, 0))::BIGINT AS whole_ns,
        count(*) AS spells, sum(samples) AS samples,
        list_sort(list(DISTINCT before) FILTER (before IS NOT NULL AND before <> value)) AS before,
        list_sort(list(DISTINCT after) FILTER (after IS NOT NULL AND after <> value)) AS after
    FROM followed GROUP BY ALL
)
SELECT metric, service, a.breakers::UINTEGER, value, held_ns, usual_ns, whole_ns, spells::UBIGINT, samples::UBIGINT,
    coalesce(c.refused, 0)::UBIGINT, coalesce(c.passed, 0)::UBIGINT, coalesce(r.errors, 0)::UBIGINT,
    coalesce(e.calls, 0)::UBIGINT, coalesce(e.errors, 0)::UBIGINT,
    array_to_string(before, ' '), array_to_string(after, ' ')
FROM held h
JOIN alone a USING (metric, service)
LEFT JOIN of_counters c USING (metric, service, value)
LEFT JOIN of_errors r USING (metric, service, value)
LEFT JOIN of_calls e USING (metric, service, value)
ORDER BY metric, service, TRY_CAST(value AS DOUBLE), value
