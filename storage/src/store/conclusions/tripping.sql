-- The latest calls of breakers' owners that failed, else took a second or longer, when the breakers opened; nine traces each.
--
-- $1: trips (number, scope, service, instance, earliest and latest end of such a call, names of the callee, `slow` where slow
-- calls opened it, the breaker's name); $2, $3: between which times calls began. Calls that a breaker refused are no failures
-- of the callee: they say so, and take no time. One that took its time and tells of a breaker may be another's: it has to
-- name this one, or to go to its callee.
WITH trips AS (
    SELECT part[1]::INTEGER AS number, part[2] AS environment, part[3] AS service_namespace, part[4] AS cluster, part[5] AS service,
        part[6] AS instance, part[7]::BIGINT AS lo, part[8]::BIGINT AS hi, string_split(nullif(part[9], ''), chr(29)) AS peers,
        part[10] = 'slow' AS is_of_slow, part[11] AS breaker
    FROM (SELECT string_split(unnest(string_split($1, chr(30))), chr(31)) AS part)
),
buckets AS (
    SELECT *, unnest(generate_series(lo // 10000000000, hi // 10000000000)) AS bucket FROM trips
),
instances AS (
    SELECT DISTINCT service_name AS service, service_instance_id AS instance
    FROM ({calls})
    WHERE kind = 'client' AND start_time >= make_timestamp_ns($2) AND start_time < make_timestamp_ns($3)
        AND service_name IN (SELECT service FROM trips)
),
-- Where an instance calls under another name, or none, the whole service is looked at.
asked AS MATERIALIZED (
    SELECT b.*, i.instance IS NOT NULL AS is_seen FROM buckets b LEFT JOIN instances i USING (service, instance)
),
calls AS MATERIALIZED (
    SELECT coalesce(environment, '') AS environment, coalesce(service_namespace, '') AS service_namespace,
        coalesce(cluster, '') AS cluster, service_name AS service, coalesce(service_instance_id, '') AS instance, peer,
        trace_id, span_id, "circuit_breaker.name" AS breaker, concat_ws(' ', "error.type", status_message) AS says,
        status_code = 'error' AS is_failed, duration_ns >= 1000000000 AS is_slow,
        epoch_ns(start_time) + duration_ns AS ends, (epoch_ns(start_time) + duration_ns) // 10000000000 AS bucket,
        row_number() OVER (PARTITION BY environment, service_namespace, cluster, service_name, service_instance_id, peer,
            status_code = 'error', duration_ns >= 1000000000, (epoch_ns(start_time) + duration_ns) // 10000000000
            ORDER BY epoch_ns(start_time) + duration_ns DESC) AS place
    FROM ({calls})
    WHERE kind = 'client' AND (status_code = 'error' OR duration_ns >= 1000000000)
        AND start_time >= make_timestamp_ns($2) AND start_time < make_timestamp_ns($3)
        AND service_name IN (SELECT service FROM trips)
        AND (epoch_ns(start_time) + duration_ns) // 10000000000 IN (SELECT bucket FROM buckets)
        AND coalesce("circuit_breaker.outcome", '') <> 'rejected'
        AND NOT (duration_ns < 1000000
            AND regexp_matches(concat_ws(' ', "error.type", status_message), '(?i)circuit|breaker|not.?permitted'))
),
near AS (
    SELECT a.number, c.trace_id, c.span_id, c.ends, CASE WHEN a.is_of_slow THEN c.is_slow ELSE c.is_failed END AS is_such,
        a.peers IS NULL OR c.peer IS NOT NULL AS is_to_peer
    FROM asked a JOIN calls c USING (environment, service_namespace, cluster, service, bucket)
    -- Nine traces are wanted: of a bucket that ended before the trip, its last calls are enough.
    WHERE (c.place <= 32 OR a.bucket = a.hi // 10000000000) AND c.ends BETWEEN a.lo AND a.hi AND (NOT a.is_seen OR c.instance IN ('', a.instance))
        AND (a.peers IS NULL OR c.peer IS NULL OR list_contains(a.peers, c.peer))
        AND (c.breaker IS NULL AND NOT regexp_matches(c.says, '(?i)circuit|breaker|not.?permitted')
            OR coalesce(c.breaker = a.breaker, false) OR coalesce(list_contains(a.peers, c.peer), false)
            OR regexp_matches(c.says, '(?i)(^|[^[:alnum:]_-])' || regexp_escape(a.breaker) || '($|[^[:alnum:]_-])'))
),
traces AS (
    SELECT number, trace_id, arg_max(span_id, ends) AS span_id, is_such, bool_or(is_to_peer) AS is_to_peer, max(ends) AS ends
    FROM near GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY number ORDER BY is_such DESC, is_to_peer DESC, ends DESC, trace_id) AS place,
        max(is_such) OVER (PARTITION BY number) AS is_best
    FROM traces
)
SELECT number, trace_id, span_id FROM ranked WHERE is_such = is_best AND place <= 9 ORDER BY number, place
