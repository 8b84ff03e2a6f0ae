SELECT service_name, name, raw_state, state, learned, count(*) AS samples, min("time") AS first, max("time") AS last
FROM breaker_samples
{where}
GROUP BY ALL
ORDER BY service_name, name, raw_state
