SELECT * FROM spans LIMIT 100

FROM spans

FROM spans SELECT service_name, name LIMIT 5

TABLE logs

VALUES (1, 'a'), (2, 'b')

SELECT 42 AS answer;

;; SELECT 42 AS answer;;

SELECT count(*) FROM spans WHERE start_time > (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP

SELECT count(*) FROM spans s WHERE start_time > '2026-01-01T00:00:00Z'

SELECT count(*) FROM spans s WHERE start_time BETWEEN '2026-01-01T00:00:00+00:00' AND '2026-01-02'

SELECT count(*) FROM spans s WHERE start_time > TIMESTAMP '2026-01-01 00:00:00 UTC'

SELECT count(*) FROM spans s WHERE attributes."start_time" = '2026-01-01T00:00:00+02:00'

SELECT count(*) FROM spans s WHERE s.attributes.time = '2026-01-01T00:00:00+02:00'

SELECT count(*) FROM spans s WHERE attributes."booked.at" IN ('2026-01-01T00:00:00+02:00', 'never')

SELECT count(*) FROM spans s WHERE name = '2026-01-01T00:00:00+02:00'

SELECT count(*) FROM spans s WHERE start_time::VARCHAR < '2026-01-01T00:00:00+02:00'

SELECT count(*) FROM spans s WHERE strftime(start_time, '%Y-%m-%dT%H:%M:%S+02:00') = '2026-01-01T00:00:00+02:00'

SHOW TABLES

DESCRIBE spans

DESCRIBE SELECT service_name, count(*) FROM spans GROUP BY ALL

SUMMARIZE SELECT duration_ns FROM spans

EXPLAIN SELECT * FROM spans WHERE trace_id = '5b8efff798038103d269b633813fc60c'

EXPLAIN ANALYZE SELECT count(*) FROM logs

SELECT count(*) FROM spans WHERE start_time > now() - INTERVAL 1 HOUR

SELECT count(*) FROM spans WHERE start_time > now() - INTERVAL '5 minutes'

SELECT count(*) FROM spans WHERE start_time > current_timestamp - INTERVAL 15 MINUTE

SELECT count(*) FROM spans WHERE start_time >= today()

SELECT count(*) FROM spans WHERE start_time >= current_date - INTERVAL 1 DAY

SELECT count(*) FROM spans WHERE start_time > ago(INTERVAL 1 HOUR)

SELECT count(*) FROM spans WHERE start_time BETWEEN '2026-01-01' AND '2026-12-31 23:59:59'

SELECT count(*) FROM spans WHERE start_time > '2026-01-01T00:00:00Z' AND start_time < now()

SELECT count(*) FROM spans WHERE start_time > TIMESTAMP '2026-01-01 00:00:00'

SELECT date_trunc('minute', start_time) AS minute, count(*) FROM spans GROUP BY 1 ORDER BY 1

SELECT time_bucket(INTERVAL '5 minutes', start_time) AS bucket, service_name, count(*) AS calls FROM spans GROUP BY ALL ORDER BY ALL

SELECT time_bucket(INTERVAL 10 SECOND, time) AS bucket, severity_text, count(*) FROM logs GROUP BY ALL

SELECT extract(hour FROM start_time) AS hour, extract(epoch FROM start_time), count(*) FROM spans GROUP BY ALL

SELECT strftime(start_time, '%Y-%m-%d %H:%M') AS minute, dayname(start_time) FROM spans

SELECT date_diff('second', start_time, now()) AS age_s, age(now(), start_time) FROM spans

SELECT epoch_ms(start_time), epoch_ns(start_time), start_time::DATE, start_time::TIME, start_time::VARCHAR FROM spans

SELECT start_time + INTERVAL 1 HOUR, now() - start_time, date_part('dow', start_time) FROM spans

SELECT to_timestamp(1700000000) < start_time, start_time AT TIME ZONE 'UTC' FROM spans

SELECT * FROM generate_series(now() - INTERVAL 1 HOUR, now(), INTERVAL 10 MINUTE) AS t(bucket)

SELECT unnest(generate_series(1, 5)) AS n

PIVOT spans ON kind USING count(*) GROUP BY service_name

PIVOT spans ON status_code IN ('ok', 'error', 'unset') USING count(*) AS n, avg(duration_ns) AS mean GROUP BY name

WITH s AS (SELECT service_name, kind FROM spans) PIVOT s ON kind, service_name USING count(*)

SELECT * FROM (PIVOT spans ON kind IN ('server', 'client') USING count(*) GROUP BY service_name) ORDER BY service_name

FROM spans PIVOT (count(*) FOR kind IN ('server', 'client') GROUP BY name)

UNPIVOT (SELECT service_name, calls, errors FROM red) ON calls, errors INTO NAME measure VALUE n

SELECT service_name, name, row_number() OVER (PARTITION BY service_name ORDER BY duration_ns DESC) AS place FROM spans QUALIFY place <= 3

SELECT trace_id, start_time, lag(start_time) OVER w AS before, start_time - lag(start_time) OVER w AS gap FROM spans WINDOW w AS (PARTITION BY service_name ORDER BY start_time)

SELECT name, avg(duration_ns) OVER (ORDER BY start_time ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) FROM spans

SELECT name, sum(duration_ns) FILTER (WHERE status_code = 'error') OVER (PARTITION BY name), ntile(4) OVER (ORDER BY duration_ns), dense_rank() OVER (ORDER BY kind) FROM spans

SELECT first_value(name IGNORE NULLS) OVER (PARTITION BY trace_id ORDER BY start_time), percent_rank() OVER (ORDER BY duration_ns) FROM spans

WITH slow AS (SELECT * FROM spans WHERE duration_ns > 1e9), by_service AS (SELECT service_name, count(*) AS n FROM slow GROUP BY 1) SELECT * FROM by_service ORDER BY n DESC

WITH spans AS (SELECT * FROM spans WHERE kind = 'server') SELECT count(*) FROM spans

WITH a AS MATERIALIZED (SELECT trace_id FROM spans) SELECT count(*) FROM a JOIN a AS b USING (trace_id)

WITH RECURSIVE tree AS (SELECT trace_id, span_id, name, 0 AS depth FROM spans WHERE parent_span_id IS NULL UNION ALL SELECT s.trace_id, s.span_id, s.name, t.depth + 1 FROM spans s JOIN tree t ON s.trace_id = t.trace_id AND s.parent_span_id = t.span_id WHERE t.depth < 50) SELECT * FROM tree

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT sum(i) FROM n

SELECT l.time, l.body, s.name FROM logs l ASOF JOIN spans s ON l.service_name = s.service_name AND l.time >= s.start_time

SELECT l.body, s.name FROM logs l JOIN spans s USING (trace_id, span_id)

SELECT * FROM spans s LEFT JOIN logs l ON l.trace_id = s.trace_id AND l.severity_number >= 17 WHERE l.trace_id IS NULL

SELECT s.name FROM spans s SEMI JOIN logs l USING (trace_id)

SELECT s.name FROM spans s ANTI JOIN logs l USING (trace_id)

SELECT c.service_name AS caller, s.service_name AS callee, count(*) FROM spans s JOIN spans c ON s.trace_id = c.trace_id AND s.parent_span_id = c.span_id AND s.service_name <> c.service_name GROUP BY ALL

SELECT * FROM spans s, LATERAL (SELECT count(*) AS logs FROM logs l WHERE l.trace_id = s.trace_id) AS counted

SELECT name FROM spans UNION SELECT name FROM metrics EXCEPT SELECT 'x' ORDER BY name

SELECT service_name FROM spans UNION ALL BY NAME SELECT service_name FROM logs

SELECT service_name, name, count(*) FROM spans GROUP BY GROUPING SETS ((service_name), (service_name, name), ())

SELECT service_name, kind, grouping(kind), count(*) FROM spans GROUP BY ROLLUP (service_name, kind)

SELECT service_name, kind, count(*) FROM spans GROUP BY CUBE (service_name, kind) HAVING count(*) > 0

SELECT DISTINCT ON (trace_id) trace_id, name FROM spans ORDER BY trace_id, start_time

SELECT attributes."http.route" AS route, count(*) FROM spans GROUP BY ALL ORDER BY 2 DESC

SELECT attributes."http.response.status_code"::INTEGER AS status, count(*) FROM spans WHERE attributes."http.response.status_code"::INTEGER >= 500 GROUP BY 1

SELECT attributes['http.route'], attributes->>'http.route', resource_attributes."service.name" FROM spans

SELECT key, count(*) FROM (SELECT unnest(variant_keys(attributes)) AS key FROM spans) GROUP BY ALL ORDER BY ALL

SELECT key, value FROM spans, json_each(attributes::JSON) LIMIT 10

SELECT trace_id, event.name, event.time_unix_nano FROM (SELECT trace_id, unnest(events::JSON[]) AS event FROM spans) WHERE event IS NOT NULL

SELECT json_extract_string(attributes::JSON, '$."http.route"'), json_keys(attributes::JSON) FROM spans

SELECT json_extract_string(attributes, '$."http.route"') AS route, json_value(attributes, '$.big'), json_type(attributes, 'big'), json_exists(attributes, 'big') FROM spans WHERE route IS NOT NULL

SELECT key, count(*) FROM (SELECT unnest(json_keys(attributes)) AS key FROM spans WHERE json_array_length(events) > 0 AND json_contains(resource_attributes, '"shop"')) GROUP BY ALL

SELECT json_object('a', 1, 'b', [1, 2]), to_json({'x': 1}), json_array_length('[1,2]'), '{"a":{"b":2}}'::JSON->'a'->>'b'

SELECT json_group_object(name, duration_ns), json_group_array(kind) FROM spans

SELECT list(DISTINCT name ORDER BY name) AS names, len(list(name)) FROM spans

SELECT list_transform([1, 2, 3], x -> x + 1), list_filter([1, 2, 3], lambda x: x % 2 = 1), [x * 2 FOR x IN [1, 2, 3] IF x > 1]

SELECT list_reduce([1, 2, 3], lambda a, b: a + b), list_sort([3, 1, 2]), [1, 2, 3][1:2], [1, 2, 3][-1]

SELECT list_zip(explicit_bounds, bucket_counts), list_sum(bucket_counts), array_to_string(explicit_bounds, ',') FROM metric_points

SELECT map_keys(MAP {'a': 1, 'b': 2}), MAP {'a': 1}['a'], {'k': 1, 'v': [1, 2]}.v, struct_pack(a := 1, b := 'x'), row(1, 2)

SELECT histogram(kind), approx_count_distinct(trace_id), mode(name), any_value(name) FROM spans

SELECT quantile_cont(duration_ns, [0.5, 0.9, 0.99]), approx_quantile(duration_ns, 0.95), median(duration_ns), mad(duration_ns) FROM spans

SELECT service_name, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99 FROM spans GROUP BY ALL

SELECT arg_max(name, duration_ns), max_by(trace_id, duration_ns, 3), min(start_time), stddev(duration_ns) FROM spans

SELECT count(*) FILTER (WHERE status_code = 'error') * 100.0 / nullif(count(*), 0) AS error_percent FROM spans

SELECT name FROM spans WHERE name ILIKE '%pay%' OR name SIMILAR TO 'GET.*' OR regexp_matches(name, '^(GET|POST) ')

SELECT regexp_extract(body, 'order=(\d+)', 1) AS order_id, regexp_replace(body, '[0-9]+', '#', 'g') AS shape, count(*) FROM logs GROUP BY ALL

SELECT body FROM logs WHERE body LIKE '%timeout%' AND severity_number >= 17 AND time > now() - INTERVAL 1 DAY ORDER BY time DESC LIMIT 20 OFFSET 5

SELECT upper(name), lower(kind), length(body), split_part(name, ' ', 1), concat_ws('-', a.kind, a.name), a.name.lower().trim() FROM spans a JOIN logs USING (trace_id)

SELECT CASE WHEN duration_ns < 1e6 THEN 'fast' WHEN duration_ns < 1e9 THEN 'ok' ELSE 'slow' END AS bin, count(*) FROM spans GROUP BY bin

SELECT coalesce(status_message, 'none'), ifnull(peer, '-'), if(kind = 'server', 1, 0), greatest(1, 2), try_cast('x' AS INTEGER), TRY(1 / 0) FROM spans

SELECT * EXCLUDE (attributes, resource_attributes) FROM spans LIMIT 1

SELECT * REPLACE (duration_ns / 1e6 AS duration_ns) FROM spans LIMIT 1

SELECT COLUMNS('.*_count') FROM spans LIMIT 1

SELECT min(COLUMNS(c -> c LIKE '%_ns')) FROM spans

SELECT * FROM spans USING SAMPLE 10

SELECT * FROM spans TABLESAMPLE 10%

SELECT * FROM spans WHERE trace_id IN (SELECT trace_id FROM spans GROUP BY trace_id HAVING bool_or(status_code = 'error'))

SELECT * FROM spans s WHERE EXISTS (FROM logs l WHERE l.trace_id = s.trace_id) AND duration_ns > ALL (SELECT 1)

SELECT service_name, sum(calls), sum(errors) FROM red WHERE bucket_start > now() - INTERVAL 1 HOUR GROUP BY ALL

SELECT caller, callee, sum(calls) AS calls, sum(errors) / sum(calls) AS error_rate FROM service_edges GROUP BY ALL ORDER BY calls DESC

SELECT * FROM breakers WHERE state = 'open'

SELECT t.time, t.name, t.to_state, s.name FROM breaker_transitions t LEFT JOIN spans s ON s.trace_id = t.trace_id

SELECT m.name, m.unit, p.time, p.value FROM metrics m JOIN metric_points p USING (series_id) WHERE m.name = 'http.server.request.duration'

SELECT e.trace_id, e.value, s.name FROM exemplars e JOIN spans s USING (trace_id) ORDER BY e.value DESC LIMIT 10

SELECT time, value - lag(value) OVER (PARTITION BY series_id ORDER BY time) AS increase FROM metric_points WHERE type = 'sum'

SELECT i, i ** 2, i // 2, i % 2, i & 1, i << 1 FROM range(10) t(i)

SELECT count(*) FROM spans WHERE trace_id = '5b8efff798038103d269b633813fc60c' -- a comment at the end

/* what failed */ SELECT name, count(*) FROM spans WHERE status_code = 'error' GROUP BY ALL;

SELECT "name" AS "span name", $$dollar; quoted$$ AS text FROM "spans"

SELECT (SELECT max(start_time) FROM spans) AS newest, (SELECT count(*) FROM logs) AS logs

SELECT printf('%5.2f %%', 12.345), format('{:>8}|{}', 'a', 1), bar(1, 0, 10, 20), lpad('7', 3, '0'), repeat('=', 20)

SELECT hash(name), md5(name), encode(name), base64(encode(name)), to_hex(255) FROM spans

SELECT typeof(attributes), pg_typeof(1), variant_typeof(attributes."http.route") FROM spans

SELECT max(number(attributes."queue.wait")) FILTER (isfinite(number(attributes."queue.wait"))) FROM spans

FROM (PIVOT spans ON kind USING count(*))

SELECT * FROM (PIVOT spans ON kind, status_code USING count(*) GROUP BY service_name) ORDER BY service_name

WITH s AS (FROM spans WHERE duration_ns >= 0), p AS (PIVOT s ON kind USING count(*) GROUP BY name) SELECT p.* FROM p

WITH s AS (SELECT name, kind FROM spans) SELECT count(*) FROM (PIVOT s ON kind USING count(*) GROUP BY name)

PIVOT (FROM (PIVOT spans ON kind USING count(*) GROUP BY name)) ON name USING count(*)

SELECT * FROM (WITH s AS (FROM spans) PIVOT s ON kind USING avg(duration_ns) GROUP BY name)
