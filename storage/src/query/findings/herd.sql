-- Instances of one breaker that began to probe in the same second: the callee is hit by all of them at once.
WITH probes AS (
    SELECT breaker_id, service_name, name || coalesce('/' || "key", '') AS name, service_instance_id, epoch_ns("time") AS ns
    FROM breaker_transitions
    WHERE to_state = 'half_open' AND time_lo = "time" AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
        AND {in_scope}
        AND ($3 = '' OR service_name IN {asked} OR breaker_id IN (SELECT breaker_id FROM breakers WHERE peer_service IN {asked}))
),
together AS (
    SELECT *, count(DISTINCT service_instance_id) OVER (PARTITION BY breaker_id ORDER BY ns
        RANGE BETWEEN CURRENT ROW AND 1000000000 FOLLOWING) AS at_once,
        ns AS first_ns
    FROM probes
),
fleet AS (SELECT breaker_id, count(DISTINCT service_instance_id) AS instances FROM probes GROUP BY 1)
SELECT any_value(service_name), any_value(name), breaker_id, max(at_once)::DOUBLE, any_value(instances)::UBIGINT, arg_max(first_ns, at_once)::UBIGINT
FROM together JOIN fleet USING (breaker_id)
GROUP BY breaker_id HAVING max(at_once) >= 3 AND 2 * max(at_once) > any_value(instances) ORDER BY 4 DESC
