-- no breaker is open now
SELECT service_name, name, "key", state, since
FROM breakers
WHERE state IN ('open', 'forced_open', 'half_open');

-- no breaker opened in the last hour
SELECT time, service_name, name, "key", reason, trace_id
FROM breaker_transitions
WHERE to_state = 'open' AND time > now() - INTERVAL 1 HOUR
ORDER BY time;

-- no breaker flapped: more than four openings in ten minutes
SELECT service_name, name, "key", time_bucket(INTERVAL 10 MINUTE, time) AS since, count(*) AS openings
FROM breaker_transitions
WHERE to_state = 'open' AND time > now() - INTERVAL 1 HOUR
GROUP BY ALL
HAVING count(*) > 4;

-- every breaker that opened in the last hour closed again
SELECT service_name, name, "key", max(time) FILTER (to_state = 'open') AS opened
FROM breaker_transitions
WHERE time > now() - INTERVAL 1 HOUR AND pattern IN ('breaker', 'ejection')
GROUP BY ALL
HAVING max(time) FILTER (to_state = 'open') > coalesce(max(time) FILTER (to_state = 'closed'), TIMESTAMP '1970-01-01');

-- every trip names the trace that tripped it
SELECT time, service_name, name, "key", reason, evidence
FROM breaker_transitions
WHERE from_state = 'closed' AND to_state = 'open' AND trace_id IS NULL AND time > now() - INTERVAL 1 HOUR;

-- no service failed more than one call in twenty in the last hour
SELECT service_name, count(*) AS calls, count(*) FILTER (status_code = 'error') AS errors
FROM spans
WHERE kind = 'server' AND start_time > now() - INTERVAL 1 HOUR
GROUP BY ALL
HAVING count(*) >= 20 AND count(*) FILTER (status_code = 'error') * 20 > count(*);

-- no request was retried more than three times
SELECT trace_id, service_name, name, TRY_CAST(attributes."http.request.resend_count" AS INTEGER) AS resends
FROM spans
WHERE TRY_CAST(attributes."http.request.resend_count" AS INTEGER) > 3 AND start_time > now() - INTERVAL 1 HOUR;
