-- What of the samples is needed to conclude states: of each stream (a breaker, its instance, the kind of evidence, and
-- which columns it fills) the first and the last sample, those beside a change, and those beside a silence of more than
-- three intervals. Of spans whose calls went out some more, drawn by hashes of their ids: what is below them tells whom
-- the breaker guards, and those at the ends may be unlike the most. `interval_ns` is the usual time between two exports of the instance; `heard_since` is when the
-- samples began that came without a silence until this one. Keys are hashes: should two streams meet in one, more is
-- kept, never less.
INSERT INTO {to} BY NAME
WITH source AS (SELECT *, row_number() OVER () AS number FROM {samples}),
pace AS ({pace}),
narrow AS (
    SELECT number, epoch_ns("time") AS ns, CASE WHEN evidence = 'metric' THEN usual_ns END AS usual_ns,
        coalesce(heard_since, epoch_ns("time")) AS since, 3 * coalesce(p.interval_ns, 60000000000) AS silence, rejected IS NOT NULL AS counts,
        hash(s.breaker_id, service_instance_id, evidence, state IS NULL, rejected IS NULL, entered_open IS NULL, ns_open IS NULL,
            hosts_ejected IS NULL, hosts_total IS NULL, ok IS NULL, failed IS NULL) AS stream,
        -- These grow with every sample; that they fell is a change.
        CASE WHEN NOT is_delta THEN ok END AS ok, CASE WHEN NOT is_delta THEN failed END AS failed,
        hash(state, CASE WHEN state = 'unknown' THEN raw_state END, rejected, entered_closed, entered_open, entered_half_open, ns_open, ns_half_open,
            hosts_ejected, hosts_healthy, hosts_total, CASE WHEN is_delta AND greatest(rejected, entered_closed, entered_open, entered_half_open, ns_open, ns_half_open) > 0
                THEN "time" END) AS content,
        CASE WHEN evidence = 'span' AND state IN ('closed', 'half_open') THEN hash(trace_id, span_id) END AS draw
    FROM source s LEFT JOIN pace p ON p.breaker_id = s.breaker_id AND p.instance = coalesce(s.service_instance_id, '')
    WHERE "time" IS NOT NULL
),
compared AS (
    SELECT number, stream, ns, since, usual_ns, draw,
        content IS DISTINCT FROM lag(content) OVER w OR content IS DISTINCT FROM lead(content) OVER w
            -- What has no memory refuses until a sample without a further refusal.
            OR counts AND content IS DISTINCT FROM lag(content, 2) OVER w
            OR coalesce(ok < lag(ok) OVER w, false) OR coalesce(lead(ok) OVER w < ok, false)
            OR coalesce(failed < lag(failed) OVER w, false) OR coalesce(lead(failed) OVER w < failed, false) AS is_beside_change,
        coalesce(since - max(ns) OVER (PARTITION BY stream ORDER BY ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            > silence, false) AS is_after_silence
    FROM narrow WINDOW w AS (PARTITION BY stream ORDER BY ns)
),
runs AS (
    SELECT *, sum(is_after_silence::INTEGER) OVER w AS run,
        is_beside_change OR is_after_silence OR coalesce(lead(is_after_silence) OVER w, true)
            OR draw IS NOT NULL AND row_number() OVER (PARTITION BY stream ORDER BY draw NULLS LAST, number) <= 64 AS is_mark
    FROM compared WINDOW w AS (PARTITION BY stream ORDER BY ns)
),
heard AS (SELECT number, is_mark, usual_ns, min(since) OVER (PARTITION BY stream, run) AS heard_since FROM runs)
SELECT s.* EXCLUDE (number) REPLACE (h.usual_ns AS interval_ns, h.heard_since AS heard_since)
FROM source s JOIN heard h ON h.number = s.number AND h.is_mark
ORDER BY breaker_id, service_instance_id, "time"
