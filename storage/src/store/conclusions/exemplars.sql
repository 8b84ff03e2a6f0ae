-- Calls that the counters of a breaker hold up as examples of what did not go well, when it opened; nine traces each.
-- $1: trips as above, with the breaker's name in quotes for the last.
WITH trips AS (
    SELECT part[1]::INTEGER AS number, part[2] AS environment, part[3] AS service_namespace, part[4] AS cluster, part[5] AS service,
        part[6] AS instance, part[7]::BIGINT AS lo, part[8]::BIGINT AS hi, part[9] AS name
    FROM (SELECT string_split(unnest(string_split($1, chr(30))), chr(31)) AS part)
),
examples AS (
    SELECT coalesce(environment, '') AS environment, coalesce(service_namespace, '') AS service_namespace,
        coalesce(cluster, '') AS cluster, service_name AS service, coalesce(service_instance_id, '') AS instance,
        trace_id, span_id, epoch_ns("time") AS ns, attributes::JSON::VARCHAR AS attributes
    FROM ({exemplars})
    WHERE trace_id IS NOT NULL AND "time" >= make_timestamp_ns($2) AND "time" < make_timestamp_ns($3)
        AND service_name IN (SELECT service FROM trips)
),
traces AS (
    SELECT t.number, e.trace_id, arg_max(e.span_id, e.ns) AS span_id, max(e.ns) AS ns
    FROM trips t JOIN examples e USING (environment, service_namespace, cluster, service, instance)
    WHERE e.ns BETWEEN t.lo AND t.hi AND contains(e.attributes, t.name)
        AND NOT regexp_matches(e.attributes, '"(ok|success|successful|slow_success|ignored|closed)"')
    GROUP BY ALL
)
SELECT number, trace_id, span_id FROM traces
QUALIFY row_number() OVER (PARTITION BY number ORDER BY ns DESC, trace_id) <= 9
ORDER BY number, ns DESC, trace_id
