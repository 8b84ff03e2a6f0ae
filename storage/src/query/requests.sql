-- Requests of each service as its metrics count them, after {from} and up to {to} (nanoseconds since 1970): `streams`
-- are histograms of requests, `points` what they say after {since}, and `total` is how many requests a point stands for.
WITH streams AS (
    SELECT DISTINCT ON (series_id) * FROM (
{streams}
    )
), points AS (
{points}
), runs AS (
    -- What a stream says of one start; a delta has a start a point. Where no start is told, each point is alone. What was
    -- sent twice is there once.
    SELECT series_id, start_ns, min(time_ns) AS first_ns, min(total)::HUGEINT AS least,
        max(total) FILTER (time_ns <= {from} OR time_ns <= start_ns)::HUGEINT AS before,
        max(total) FILTER (time_ns > {from})::HUGEINT AS last
    FROM points
    GROUP BY series_id, start_ns, CASE WHEN start_ns = 0 THEN time_ns END
), named AS (
    SELECT *,
        CASE WHEN TRY_CAST(http_status AS INTEGER) >= 400 THEN TRY_CAST(http_status AS INTEGER) >= 500
            -- These statuses of gRPC are the server's fault, by number or by name.
            WHEN rpc_status IS NOT NULL THEN upper(rpc_status) IN ('2', '4', '12', '13', '14', '15', 'UNKNOWN',
                'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')
            -- A caller that went away is no failure of who was called.
            ELSE coalesce(lower(error_type), '') NOT IN ('', 'cancelled')
                AND coalesce(TRY_CAST(error_type AS INTEGER) >= 500, true) END AS is_error
    FROM runs JOIN streams USING (series_id)
), followed AS (
    SELECT *,
        CASE WHEN start_ns = 0
            THEN lag(coalesce(last, before)) OVER (PARTITION BY series_id, start_ns ORDER BY first_ns) END AS earlier,
        -- A report has all that was ever counted: what is not in the first was 0 then.
        first_ns > min(first_ns) OVER (PARTITION BY resource_id, name, start_ns) AS is_new
    FROM named
    WHERE temporality = 'cumulative'
), counted AS (
    SELECT environment, service_namespace, cluster, service_name, service_instance_id, resource_id, name, is_error, CASE
            WHEN start_ns = 0 AND last >= earlier THEN last - earlier
            -- Less than before: it began anew.
            WHEN start_ns = 0 AND (earlier IS NOT NULL OR is_new) THEN last
            WHEN start_ns = 0 THEN 0
            WHEN last < before THEN last
            WHEN before IS NOT NULL THEN last - before
            WHEN start_ns > {since} OR is_new THEN last
            ELSE last - least END AS requests
    FROM followed
    UNION ALL
    SELECT environment, service_namespace, cluster, service_name, service_instance_id, resource_id, name, is_error, last
    FROM named
    WHERE temporality = 'delta'
), by_metric AS (
    SELECT environment, service_namespace, cluster, service_name, service_instance_id, resource_id, name,
        sum(requests) AS requests, coalesce(sum(requests) FILTER (is_error), 0) AS failed, list_position([{names}], name) AS choice
    FROM counted
    GROUP BY ALL
    HAVING sum(requests) > 0
), chosen AS (
    -- Of two names for one thing from one sender, the one that comes first.
    SELECT * FROM by_metric QUALIFY choice = min(choice) OVER (PARTITION BY resource_id, left(name, 3))
), ways AS (
    SELECT *, contains(name, '_') AS is_scraped, sum(requests) OVER (PARTITION BY environment, service_namespace, cluster,
        service_name, service_instance_id, left(name, 3), contains(name, '_')) AS of_way
    FROM chosen
), once AS (
    -- An instance that pushes and is scraped too says everything twice, each time as another sender: under a name with dots,
    -- and under what Prometheus makes of it. The greater is taken. Under one name the senders of an instance add up: it
    -- may have started anew as another. Who names no instance may be several.
    SELECT * FROM ways
    QUALIFY service_instance_id IS NULL OR is_scraped = first_value(is_scraped) OVER (PARTITION BY environment,
        service_namespace, cluster, service_name, service_instance_id, left(name, 3) ORDER BY of_way DESC, is_scraped)
), by_service AS (
    SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service') AS service_name,
        sum(requests)::UBIGINT AS calls, sum(failed)::UBIGINT AS errors,
        array_to_string(list_sort(list(DISTINCT name)), ', ') AS metrics
    FROM once
    GROUP BY ALL
)
{select}
