-- What of the samples is needed to conclude states: of each stream (a breaker, its instance, the kind of evidence, and
-- which columns it fills) the first and the last sample, and those beside a change. `interval_ns` is the usual time
-- between two. Keys are hashes: should two streams meet in one, more is kept, never less.
INSERT INTO {to} BY NAME
WITH source AS (SELECT *, row_number() OVER () AS number FROM {samples}),
narrow AS (
    SELECT number, epoch_ns("time") AS ns, interval_ns,
        hash(breaker_id, service_instance_id, evidence, state IS NULL, rejected IS NULL, entered_open IS NULL, ns_open IS NULL) AS stream,
        hash(state, CASE WHEN state = 'unknown' THEN raw_state END, rejected, entered_closed, entered_open, entered_half_open, ns_open, ns_half_open,
            CASE WHEN is_delta AND greatest(rejected, entered_closed, entered_open, entered_half_open, ns_open, ns_half_open) > 0
                THEN "time" END) AS content
    FROM source WHERE "time" IS NOT NULL
),
compared AS (
    SELECT number, stream, interval_ns, ns - lag(ns) OVER w AS gap,
        content IS DISTINCT FROM lag(content) OVER w OR content IS DISTINCT FROM lead(content) OVER w AS is_mark
    FROM narrow WINDOW w AS (PARTITION BY stream ORDER BY ns)
),
usual AS (SELECT stream, coalesce(any_value(interval_ns), median(gap) FILTER (gap > 0))::BIGINT AS interval_ns FROM compared GROUP BY stream)
SELECT s.* EXCLUDE (number) REPLACE (u.interval_ns AS interval_ns)
FROM source s JOIN compared c ON c.number = s.number AND c.is_mark JOIN usual u USING (stream)
ORDER BY breaker_id, service_instance_id, "time"
