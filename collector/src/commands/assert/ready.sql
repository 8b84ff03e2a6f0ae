-- no breaker is open now
SELECT service_name, name, "key", state, since
FROM breakers
WHERE state IN ('open', 'forced_open', 'half_open');

-- no breaker's state is unknown
SELECT environment, service_namespace, cluster, service_name, name, "key", state, evidence
FROM breakers
WHERE state = 'unknown';

-- no breaker fell silent
SELECT environment, service_namespace, cluster, service_name, name, "key", state, last_seen
FROM breakers
WHERE state = 'stale';

-- no breaker opened in the last hour
SELECT time, service_name, name, "key", reason, trace_id
FROM breaker_transitions
WHERE to_state = 'open' AND time > now() - INTERVAL 1 HOUR
ORDER BY time;

-- no breaker flapped: more than four openings in ten minutes
SELECT environment, service_namespace, cluster, service_name, service_instance_id, name, "key",
    time_bucket(INTERVAL 10 MINUTE, time) AS since, count(*) AS openings
FROM breaker_transitions
WHERE to_state = 'open' AND time > now() - INTERVAL 1 HOUR
GROUP BY ALL
HAVING count(*) > 4;

-- every breaker that opened in the last hour closed again
SELECT environment, service_namespace, cluster, service_name, service_instance_id, name, "key",
    max(time) FILTER (to_state = 'open') AS opened
FROM breaker_transitions
WHERE time > now() - INTERVAL 1 HOUR AND pattern IN ('breaker', 'ejection')
GROUP BY ALL
HAVING max(time) FILTER (to_state = 'open') > coalesce(max(time) FILTER (to_state = 'closed'), TIMESTAMP '1970-01-01');

-- every trip names the trace that tripped it
SELECT time, service_name, name, "key", reason, evidence
FROM breaker_transitions
WHERE from_state = 'closed' AND to_state = 'open' AND trace_id IS NULL AND time > now() - INTERVAL 1 HOUR;

-- no service failed more than one call in twenty in the last hour
SELECT environment, service_namespace, cluster, service_name, count(*) AS calls, count(*) FILTER (status_code = 'error') AS errors
FROM spans
WHERE kind = 'server' AND start_time > now() - INTERVAL 1 HOUR
GROUP BY ALL
HAVING count(*) >= 20 AND count(*) FILTER (status_code = 'error') * 20 > count(*);

-- no request was retried more than three times
SELECT trace_id, service_name, name, TRY_CAST(json_extract_string(attributes."http.request.resend_count"::JSON, '') AS INTEGER) AS resends
FROM spans
WHERE TRY_CAST(json_extract_string(attributes."http.request.resend_count"::JSON, '') AS INTEGER) > 3 AND start_time > now() - INTERVAL 1 HOUR;

-- no retry factor above {factor}
-- set factor: number = 1.5
-- set minutes: count = 60
-- set least_attempts: whole = 10
SELECT environment, service_namespace, cluster, caller, callee, sum(attempts) AS attempts, sum(calls) AS calls,
    round(sum(attempts) / greatest(sum(calls), 1), 2) AS retry_factor
FROM edge_retries
WHERE bucket_start > now() - {minutes}::INTEGER * INTERVAL 1 MINUTE
GROUP BY ALL
HAVING sum(attempts) >= {least_attempts}::INTEGER AND sum(attempts) / greatest(sum(calls), 1) > {factor}::DOUBLE
ORDER BY retry_factor DESC;

-- breaker {breaker} opened within {seconds} s of the fault
-- set breaker =
-- set seconds: number = 5
-- set minutes: count = 60
WITH guarded AS (
    SELECT breaker_id, environment, service_name, name, "key", coalesce(peer_service, name) AS callee FROM breakers WHERE name = {breaker}
),
-- A fault is what says so (a log event tripline.change of kind fault, sent or posted to /api/v1/changes) …
said AS (
    SELECT time AS fault, coalesce(json_extract_string(attributes."change.service"::JSON, ''), service_name) AS of_service
    FROM logs
    WHERE event_name = 'tripline.change' AND json_extract_string(attributes."change.kind"::JSON, '') = 'fault'
        AND time > now() - {minutes}::INTEGER * INTERVAL 1 MINUTE
),
told AS (
    SELECT g.breaker_id, s.fault
    FROM guarded g JOIN said s ON s.of_service IS NULL OR s.of_service IN (g.callee, g.service_name)
),
-- … else the first call that the callee failed.
failed AS (
    SELECT g.breaker_id, min(s.start_time) AS fault
    FROM guarded g
    JOIN spans s ON s.service_name = g.callee AND s.kind = 'server'
        OR s.service_name = g.service_name AND s.peer = g.callee AND s.kind = 'client'
    WHERE s.status_code = 'error' AND s.start_time > now() - {minutes}::INTEGER * INTERVAL 1 MINUTE
    GROUP BY g.breaker_id
),
faults AS (
    SELECT breaker_id, fault, 'event' AS seen_by FROM told
    UNION ALL
    SELECT breaker_id, fault, 'span' FROM failed WHERE breaker_id NOT IN (SELECT breaker_id FROM told)
),
checked AS (
    SELECT g.breaker_id, g.environment, g.service_name, g.name, g."key", f.fault, f.seen_by, min(t.time) AS opened
    FROM guarded g
    JOIN faults f ON f.breaker_id = g.breaker_id
    LEFT JOIN breaker_transitions t ON t.breaker_id = g.breaker_id AND t.to_state = 'open' AND t.time >= f.fault
    GROUP BY ALL
)
SELECT CASE WHEN opened IS NULL THEN 'it never opened' ELSE 'it opened late' END AS problem, environment, service_name, "key", fault, seen_by, opened,
    round((epoch_ns(opened) - epoch_ns(fault)) / 1e9, 3) AS seconds
FROM checked
WHERE opened IS NULL OR epoch_ns(opened) - epoch_ns(fault) > {seconds}::DOUBLE * 1e9
UNION ALL
SELECT 'no breaker of this name is known', NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM guarded)
UNION ALL
SELECT 'no fault was seen', environment, service_name, "key", NULL, NULL, NULL, NULL FROM guarded WHERE breaker_id NOT IN (SELECT breaker_id FROM faults);
