-- Reported transitions, once each, and those that samples prove. `ns` is the time in nanoseconds; an instance
-- without an id is the instance ''.
WITH stored AS (
    SELECT * REPLACE (confidence::UTINYINT AS confidence, attempt::USMALLINT AS attempt),
        coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns
    FROM {evidence} WHERE "time" IS NOT NULL
),
-- R7: the same change again within a second is one; the better evidence stays. Different generations or
-- different states before are different changes.
neighbours AS (
    SELECT *,
        ns - lag(ns) OVER w <= 1000000000 AND lag(confidence) OVER w >= confidence
            AND coalesce(generation = lag(generation) OVER w, true)
            AND coalesce(from_state = lag(from_state) OVER w, true) AS is_after_its_like,
        lead(ns) OVER w - ns <= 1000000000 AND lead(confidence) OVER w > confidence
            AND coalesce(generation = lead(generation) OVER w, true)
            AND coalesce(from_state = lead(from_state) OVER w, true) AS is_before_better
    FROM stored
    WINDOW w AS (PARTITION BY breaker_id, instance, to_state ORDER BY ns, confidence DESC)
),
-- Who does not say what it left left what it had told before; nobody half-opens but from open.
exact AS (
    SELECT * REPLACE (coalesce(from_state, CASE WHEN to_state = 'half_open' THEN 'open'
            WHEN lag(to_state) OVER told <> to_state THEN lag(to_state) OVER told END) AS from_state)
    FROM neighbours
    WHERE NOT coalesce(is_after_its_like, false) AND NOT coalesce(is_before_better, false)
    WINDOW told AS (PARTITION BY breaker_id, instance ORDER BY ns, generation NULLS FIRST)
),
-- The instruments of one collection are stamped one after the other: samples that each fill other columns, within 50 ms
-- of one another, are one export, of the time at which time in each state was read. What came a tenth of a second ago comes
-- anew.
stamped AS (
    SELECT *, lag(stamp) OVER (PARTITION BY breaker_id, instance, evidence, fills > 0 ORDER BY stamp) AS stamp0,
        lag(stamp) OVER (PARTITION BY breaker_id, instance, evidence, fills ORDER BY stamp) AS alike0
    FROM (
        SELECT *, coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS stamp,
            CASE WHEN evidence = 'metric' THEN (state IS NOT NULL)::INTEGER + 2 * (coalesce(rejected, ok, failed) IS NOT NULL)::INTEGER
                + 4 * (coalesce(entered_closed, entered_open, entered_half_open) IS NOT NULL)::INTEGER
                + 8 * (coalesce(ns_closed, ns_open, ns_half_open) IS NOT NULL)::INTEGER ELSE 0 END AS fills
        FROM {marks} WHERE "time" IS NOT NULL
    )
),
exports AS (
    SELECT *, coalesce(max(CASE WHEN ns_open IS NOT NULL THEN stamp END) OVER e, max(stamp) OVER e) AS ns
    FROM (
        SELECT *, sum(CASE WHEN stamp = stamp0 OR fills > 0 AND stamp - stamp0 <= 50000000
                AND coalesce(stamp - alike0 >= 100000000, true) THEN 0 ELSE 1 END) OVER (
            PARTITION BY breaker_id, instance, evidence, fills > 0 ORDER BY stamp) AS export
        FROM stamped
    )
    WINDOW e AS (PARTITION BY breaker_id, instance, evidence, fills > 0, export)
),
-- Parts of one export, and an export that arrived twice, are one sample.
seen AS (
    SELECT breaker_id, instance, ns, evidence,
        any_value(nullif(state, 'unknown')) AS state, any_value(pattern) AS pattern, bool_or(is_learned) AS is_learned,
        bool_or(is_delta) AS is_delta, min(counted_since) AS began,
        any_value(trace_id) AS trace_id, any_value(span_id) AS span_id, max(confidence)::UTINYINT AS confidence,
        TRY_CAST(max(rejected) AS BIGINT) AS rejected,
        TRY_CAST(max(ok) AS BIGINT) AS n_ok, TRY_CAST(max(failed) AS BIGINT) AS n_failed,
        count(ok) + count(failed) + count(rejected) + count(entered_open) + count(entered_closed) + count(entered_half_open)
            + count(ns_open) > 0 AS has_counters,
        TRY_CAST(max(entered_closed) AS BIGINT) AS e_closed, TRY_CAST(max(entered_open) AS BIGINT) AS e_open,
        TRY_CAST(max(entered_half_open) AS BIGINT) AS e_half,
        TRY_CAST(max(ns_closed) AS BIGINT) AS t_closed, TRY_CAST(max(ns_open) AS BIGINT) AS t_open,
        TRY_CAST(max(ns_half_open) AS BIGINT) AS t_half
    FROM exports GROUP BY breaker_id, instance, ns, evidence
),
-- Where no gauge says the state, time in each state does. Which states grew in an interval leaves few at its ends, as
-- only some changes are possible: with closed and open alone it was closed before and is open after. What grew before an
-- export and what grows after it must both lead there.
clocked AS (
    SELECT *, coalesce(clock, CASE WHEN next_grew IS NULL THEN CASE lag(clock) OVER (PARTITION BY breaker_id, instance ORDER BY ns)
            -- After the last export nothing grows yet: it has come as far as the state graph must lead, and open and
            -- half-open by turns is taken for open.
            WHEN 'closed' THEN CASE WHEN grew = 7 AND coalesce(openings, 1) = 1 THEN 'half_open' END
            WHEN 'open' THEN CASE WHEN grew = 7 AND coalesce(openings, 0) = 0 THEN 'closed' END END END) AS clocked_state
    FROM (
        SELECT *, CASE [7, 1, 2, 2, 4, 1, 6, 7][coalesce(grew, 0) + 1] & [7, 1, 2, 1, 4, 4, 6, 7][coalesce(next_grew, 0) + 1]
                WHEN 1 THEN 'closed' WHEN 2 THEN 'open' WHEN 4 THEN 'half_open'
                WHEN 6 THEN CASE WHEN next_grew IS NULL THEN 'open' END
                -- A first export has none before it: who was never half-open was only closed, and if ever open still is.
                WHEN 7 THEN CASE WHEN NOT is_delta AND t_closed > 0 AND t_open = 0 AND coalesce(t_half, 0) = 0 THEN 'closed'
                    WHEN NOT is_delta AND t_open > 0 AND t_half = 0 THEN 'open' END
                END AS clock
        FROM (
            SELECT *, lead(grew) OVER (PARTITION BY breaker_id, instance ORDER BY ns) AS next_grew
            FROM (
                SELECT *, e_open - lag(e_open) OVER t AS openings,
                    -- Closed is 1, open is 2, half-open is 4.
                    CASE WHEN is_delta THEN (t_closed > 1000)::INTEGER + 2 * (t_open > 1000)::INTEGER + 4 * coalesce(t_half > 1000, false)::INTEGER
                        WHEN t_closed >= lag(t_closed) OVER t AND t_open >= lag(t_open) OVER t
                        THEN (t_closed - lag(t_closed) OVER t > 1000)::INTEGER + 2 * (t_open - lag(t_open) OVER t > 1000)::INTEGER
                            + 4 * coalesce(t_half - coalesce(lag(t_half) OVER t, 0) > 1000, false)::INTEGER END AS grew
                FROM seen WHERE evidence = 'metric' AND t_closed IS NOT NULL AND t_open IS NOT NULL
                WINDOW t AS (PARTITION BY breaker_id, instance ORDER BY ns)
            )
        )
    )
),
-- Where they leave more than one, and nothing else says which, the export is passed over: the next one counts from the one
-- before.
read AS (
    SELECT * EXCLUDE (openings, grew, next_grew, clock) FROM clocked
    WHERE state IS NOT NULL OR clocked_state IS NOT NULL OR is_delta OR grew IS NULL OR e_half IS NOT NULL
    UNION ALL BY NAME
    SELECT *, NULL AS clocked_state FROM seen WHERE evidence = 'metric' AND (t_closed IS NULL OR t_open IS NULL)
),
-- Each metric sample beside what was known before it.
paired AS (
    SELECT *,
        -- The interval of a row begins where its counters were read before.
        least(lag(ns) OVER (PARTITION BY breaker_id, instance ORDER BY ns),
            CASE WHEN rejected IS NOT NULL THEN last_value(CASE WHEN rejected IS NOT NULL THEN ns END IGNORE NULLS) OVER w END,
            CASE WHEN e_open IS NOT NULL THEN last_value(CASE WHEN e_open IS NOT NULL THEN ns END IGNORE NULLS) OVER w END,
            CASE WHEN t_open IS NOT NULL THEN last_value(CASE WHEN t_open IS NOT NULL THEN ns END IGNORE NULLS) OVER w END) AS ns0,
        coalesce(bool_or(has_counters) OVER w, false) AS counted_before,
        last_value(rejected IGNORE NULLS) OVER w AS rejected0,
        last_value(n_ok IGNORE NULLS) OVER w AS n_ok0, last_value(n_failed IGNORE NULLS) OVER w AS n_failed0,
        last_value(CASE WHEN n_ok IS NOT NULL THEN ns END IGNORE NULLS) OVER w AS ok_ns0,
        last_value(CASE WHEN n_failed IS NOT NULL THEN ns END IGNORE NULLS) OVER w AS failed_ns0,
        last_value(CASE WHEN has_counters THEN ns END IGNORE NULLS) OVER w AS counted_ns0,
        last_value(e_closed IGNORE NULLS) OVER w AS e_closed0, last_value(e_open IGNORE NULLS) OVER w AS e_open0,
        last_value(e_half IGNORE NULLS) OVER w AS e_half0,
        last_value(t_closed IGNORE NULLS) OVER w AS t_closed0, last_value(t_open IGNORE NULLS) OVER w AS t_open0,
        last_value(t_half IGNORE NULLS) OVER w AS t_half0,
        count(state) OVER (PARTITION BY breaker_id, instance) > 0 AS has_states,
        -- Many libraries make a counter when they first count: before, a breaker that counts its openings had none.
        count(e_open) OVER (PARTITION BY breaker_id, instance) > 0 AND coalesce(e_open,
            last_value(e_open IGNORE NULLS) OVER w) IS NULL AND has_counters AS has_never_opened,
        lag(ns) OVER (PARTITION BY breaker_id, instance ORDER BY ns) AS seen_before, min(ns) OVER () AS listening_since
    FROM read
    WINDOW w AS (PARTITION BY breaker_id, instance ORDER BY ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
-- A counter of openings that appears counted them all since it was started, or since its instance was seen without it;
-- before the first a breaker was closed. Of a process that began more than an hour ago that is known only where somebody
-- listened, for three usual minutes: else it may have counted them before, or what it said then is no longer kept.
begun AS (
    SELECT * EXCLUDE (began, seen_before, listening_since)
        REPLACE (CASE WHEN (is_beginning OR is_delta AND t_open IS NULL) AND began < ns THEN greatest(ns0, began) ELSE ns0 END AS ns0)
    FROM (
        SELECT *, coalesce(e_open > 0 AND e_open0 IS NULL AND (counted_before AND coalesce(rejected0, 0) = 0
                OR ns - seen_before >= 1000000000
                OR began < ns AND (ns - began <= 3600000000000 OR ns - listening_since > 180000000000)), false) AS is_beginning
        FROM paired
    )
),
-- R4: a counter that fell was started anew. A counter that was not there began at 0, if others were.
lessened AS (
    SELECT *,
        coalesce(rejected < rejected0, false) OR coalesce(e_open < e_open0, false)
            OR coalesce(e_closed < e_closed0, false) OR coalesce(e_half < e_half0, false)
            OR coalesce(t_closed < t_closed0, false) OR coalesce(t_open < t_open0, false) AS has_less,
        coalesce(n_ok < n_ok0, false) AND NOT goes_on AS has_less_ok,
        coalesce(n_failed < n_failed0, false) AND NOT goes_on AS has_less_failed
    FROM (
        SELECT *, coalesce(rejected0 > 0 AND rejected >= rejected0, false) OR coalesce(e_open0 > 0 AND e_open >= e_open0, false)
                OR coalesce(t_closed0 > 0 AND t_closed >= t_closed0, false)
                OR coalesce(t_open0 > 0 AND t_open >= t_open0, false) AS goes_on
        FROM begun
    )
),
-- Calls that passed are often the sum of many streams, which an export may lack: where another counter went on, nothing began
-- anew. Many libraries make such a counter at its first call: what is less than before a restart that is known is no second one.
reset AS (
    SELECT * EXCLUDE (has_less, has_less_ok, has_less_failed, has_passed_less, goes_on, ok_ns0, failed_ns0, counted_ns0, less_ns)
        REPLACE (least(ns0, CASE WHEN has_passed_less AND NOT has_less THEN counted_ns0 END) AS ns0),
        NOT is_delta AND (has_less OR has_passed_less) AS has_fallen
    FROM (
        SELECT *, has_less_ok AND coalesce(less_ns <= ok_ns0, true) OR has_less_failed AND coalesce(less_ns <= failed_ns0, true) AS has_passed_less
        FROM (
            SELECT *, max(CASE WHEN has_less OR has_less_ok OR has_less_failed THEN ns END) OVER (PARTITION BY breaker_id, instance
                ORDER BY ns ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS less_ns
            FROM lessened
        )
    )
),
-- Processes that share an id take turns: a counter falls and is back where it was one sample later or two, again and again
-- within minutes; one that was started anew climbs there. Between them nothing can be counted.
mixed AS (
    SELECT DISTINCT breaker_id, instance, ns, true AS is_mixed
    FROM (
        SELECT breaker_id, instance, ns, count(*) FILTER (has_fallen AND comes_back) OVER (PARTITION BY breaker_id, instance
            ORDER BY ns RANGE BETWEEN 120000000000 PRECEDING AND 120000000000 FOLLOWING) AS turns
        FROM (
            SELECT *, coalesce(rejected < rejected0 AND greatest(nth_value(rejected, 1 IGNORE NULLS) OVER soon, nth_value(rejected, 2 IGNORE NULLS) OVER soon) >= rejected0, false)
                OR coalesce(e_open < e_open0 AND greatest(nth_value(e_open, 1 IGNORE NULLS) OVER soon, nth_value(e_open, 2 IGNORE NULLS) OVER soon) >= e_open0, false)
                OR coalesce(e_closed < e_closed0 AND greatest(nth_value(e_closed, 1 IGNORE NULLS) OVER soon, nth_value(e_closed, 2 IGNORE NULLS) OVER soon) >= e_closed0, false)
                OR coalesce(e_half < e_half0 AND greatest(nth_value(e_half, 1 IGNORE NULLS) OVER soon, nth_value(e_half, 2 IGNORE NULLS) OVER soon) >= e_half0, false)
                OR coalesce(t_closed < t_closed0 AND greatest(nth_value(t_closed, 1 IGNORE NULLS) OVER soon, nth_value(t_closed, 2 IGNORE NULLS) OVER soon) >= t_closed0, false)
                OR coalesce(t_open < t_open0 AND greatest(nth_value(t_open, 1 IGNORE NULLS) OVER soon, nth_value(t_open, 2 IGNORE NULLS) OVER soon) >= t_open0, false)
                OR coalesce(n_ok < n_ok0 AND greatest(nth_value(n_ok, 1 IGNORE NULLS) OVER soon, nth_value(n_ok, 2 IGNORE NULLS) OVER soon) >= n_ok0, false)
                OR coalesce(n_failed < n_failed0 AND greatest(nth_value(n_failed, 1 IGNORE NULLS) OVER soon, nth_value(n_failed, 2 IGNORE NULLS) OVER soon) >= n_failed0, false) AS comes_back
            FROM reset
            SEMI JOIN (SELECT breaker_id, instance FROM reset WHERE has_fallen GROUP BY ALL HAVING count(*) >= 3) USING (breaker_id, instance)
            WINDOW soon AS (PARTITION BY breaker_id, instance ORDER BY ns ROWS BETWEEN 1 FOLLOWING AND 20 FOLLOWING)
        )
    )
    WHERE turns >= 3
),
told_apart AS (
    SELECT * EXCLUDE (is_mixed), coalesce(is_mixed, false) AS is_mixed, has_fallen AND NOT coalesce(is_mixed, false) AS is_reset
    FROM reset LEFT JOIN mixed USING (breaker_id, instance, ns)
),
grown AS (
    SELECT *,
        CASE WHEN is_mixed THEN NULL WHEN is_delta OR is_reset THEN rejected WHEN counted_before THEN rejected - coalesce(rejected0, 0) END AS d_rejected,
        CASE WHEN is_mixed THEN NULL WHEN is_delta OR is_reset THEN greatest(n_ok, n_failed)
            WHEN counted_before THEN greatest(n_ok - coalesce(n_ok0, 0), n_failed - coalesce(n_failed0, 0)) END AS d_passed,
        CASE WHEN is_mixed THEN NULL WHEN is_delta OR is_reset THEN e_open WHEN counted_before OR is_beginning THEN e_open - coalesce(e_open0, 0) END AS d_open,
        CASE WHEN is_mixed THEN NULL WHEN is_delta OR is_reset THEN e_closed WHEN counted_before OR is_beginning THEN e_closed - coalesce(e_closed0, 0) END AS d_closed,
        CASE WHEN is_mixed THEN NULL WHEN is_delta OR is_reset THEN e_half WHEN counted_before OR is_beginning THEN e_half - coalesce(e_half0, 0) END AS d_half,
        CASE WHEN is_mixed THEN NULL WHEN is_delta THEN t_closed WHEN t_closed >= t_closed0 THEN t_closed - t_closed0 END AS s_closed,
        CASE WHEN is_mixed THEN NULL WHEN is_delta THEN t_open WHEN t_open >= t_open0 THEN t_open - t_open0 END AS s_open,
        CASE WHEN is_mixed THEN NULL WHEN is_delta THEN t_half WHEN t_half >= t_half0 THEN t_half - t_half0 END AS s_half
    FROM told_apart
),
-- Entries since the one before do not say whether it is open now: what was entered since the first does, as a breaker
-- half-opens once for each time it opened. `surplus` is 1 while it is open and else 0; anything else is several
-- processes under one name, or an export that never came. Where it only closed, by hand perhaps, the count begins anew.
balanced AS (
    SELECT *, CASE WHEN max(balance) OVER p - least(min(balance) OVER p, 0) <= 1 AND count(e_half) OVER b > 0
            THEN balance - least(min(balance) OVER p, 0) END AS surplus
    FROM (
        SELECT *, sum(coalesce(d_open, 0) - coalesce(d_half, 0)) FILTER (is_delta) OVER c AS balance,
            -- Of counters since a start, what they had more of openings when it closed.
            coalesce(first_value(CASE WHEN only_closed AND NOT is_reset THEN e_open - e_half END) OVER c, 0) AS more_open0
        FROM (
            SELECT *, count(*) FILTER (only_closed OR is_reset) OVER (PARTITION BY breaker_id, instance ORDER BY ns) AS closings
            FROM (
                SELECT *, coalesce(d_closed > 0, false) AND coalesce(d_open, 0) = 0 AND coalesce(d_half, 0) = 0 AS only_closed
                FROM grown
            )
        )
        WINDOW c AS (PARTITION BY breaker_id, instance, closings ORDER BY ns)
    )
    WINDOW p AS (PARTITION BY breaker_id, instance, closings), b AS (PARTITION BY breaker_id, instance)
),
-- R3, and breakers that never say their state: counters of entries, else refusals, tell it.
metric AS (
    SELECT * REPLACE (coalesce(state, CASE
            WHEN is_mixed THEN NULL
            WHEN clocked_state IS NOT NULL THEN clocked_state
            WHEN e_open IS NOT NULL AND e_half IS NOT NULL AND NOT is_delta THEN CASE
                WHEN e_open - e_half > more_open0 THEN 'open' WHEN e_open = 0 THEN 'closed' WHEN d_closed > 0 THEN 'closed' WHEN d_half > 0 THEN 'half_open' END
            WHEN is_delta AND only_closed THEN 'closed'
            WHEN is_delta AND surplus IS NOT NULL AND greatest(d_open, d_half, d_closed) > 0 THEN CASE
                WHEN surplus > 0 THEN 'open' WHEN d_closed > 0 THEN 'closed' WHEN d_half > 0 THEN 'half_open' END
            WHEN d_open > 0 AND coalesce(d_half, 0) = 0 AND coalesce(d_closed, 0) = 0 THEN 'open'
            WHEN d_half > 0 AND coalesce(d_open, 0) = 0 AND coalesce(d_closed, 0) = 0 THEN 'half_open'
            WHEN d_closed > 0 AND coalesce(d_open, 0) <= d_closed THEN 'closed'
            WHEN e_open = 0 AND NOT is_delta AND NOT has_states THEN 'closed'
            WHEN has_never_opened AND coalesce(rejected, 0) = 0 AND NOT is_delta AND NOT has_states THEN 'closed'
            WHEN has_states OR coalesce(e_open, e_open0) IS NOT NULL THEN NULL
            WHEN d_rejected > 0 THEN 'open'
            WHEN d_rejected = 0 AND d_passed > 0 THEN 'closed'
            -- What has no memory no longer refuses when it refuses nobody.
            WHEN d_rejected = 0 AND pattern IN ('concurrency_cap', 'bulkhead', 'throttle', 'rate_limit', 'retry_budget',
                'fallback') THEN 'closed' END) AS state),
        CASE WHEN state IS NOT NULL AND is_learned THEN 'learned' WHEN state IS NOT NULL THEN 'gauge' WHEN clocked_state IS NOT NULL AND NOT is_mixed THEN 'time_in_state' WHEN d_open > 0 OR d_half > 0 OR d_closed > 0 THEN 'transition_counter'
            WHEN d_rejected > 0 THEN 'rejection_counter' ELSE 'counters' END AS basis
    FROM balanced
),
-- R4: an instance began anew when a counter of it fell, once however many instruments show it; where a report tells of
-- a state that the sample no longer knows, after that report. Without an id several processes may be one instance, and
-- a counter that falls proves nothing but what its state says.
fallen AS (
    SELECT breaker_id, instance, ns0, ns, state, basis, confidence,
        lag(ns) OVER (PARTITION BY breaker_id, instance ORDER BY ns) AS fallen_before
    FROM metric WHERE is_reset AND ns0 IS NOT NULL AND instance <> ''
),
-- R4: and an instance is new when its metrics begin after those of another of the breaker; within three intervals they
-- began together. Who is known by reports alone may just have had none to make.
firsts AS (
    SELECT breaker_id, instance, min(ns) AS ns, min(min(ns)) OVER (PARTITION BY breaker_id) AS known_since
    FROM (SELECT breaker_id, instance, ns FROM seen UNION ALL SELECT breaker_id, instance, ns FROM exact)
    WHERE instance <> '' GROUP BY breaker_id, instance
),
shown AS (
    SELECT breaker_id, instance, arg_min(state, ns) FILTER (state IS NOT NULL) AS state,
        arg_min(basis, ns) AS basis, arg_min(confidence, ns) AS confidence
    FROM metric GROUP BY breaker_id, instance
),
restarts AS (
    SELECT f.breaker_id, f.instance, f.ns AS until, f.state, f.basis, f.confidence,
        CASE WHEN e.ns > f.ns0 AND e.to_state <> f.state THEN e.ns ELSE f.ns0 END AS lo
    FROM fallen f
    ASOF LEFT JOIN exact e ON e.breaker_id = f.breaker_id AND e.instance = f.instance AND f.ns >= e.ns
    WHERE coalesce(2 * (fallen_before - ns0) <= f.ns - ns0, true)
    UNION ALL
    SELECT f.breaker_id, f.instance, f.ns, s.state, s.basis, least(s.confidence, 50), f.ns - p.interval_ns
    FROM firsts f JOIN shown s USING (breaker_id, instance) JOIN {pace} p USING (breaker_id, instance)
    WHERE f.ns - known_since > 3 * p.interval_ns AND p.first_metric - f.ns <= 3 * p.interval_ns
),
observed AS (
    SELECT breaker_id, instance, ns, to_state AS state, true AS is_exact, evidence AS basis, NULL::BIGINT AS ns0,
        false AS is_reset, NULL::BIGINT AS until, NULL::VARCHAR AS trace_id, NULL::VARCHAR AS span_id, confidence,
        NULL::BIGINT AS d_rejected, NULL::BIGINT AS d_open, NULL::BIGINT AS d_half, NULL::BIGINT AS d_closed,
        NULL::BIGINT AS s_closed, NULL::BIGINT AS s_open, NULL::BIGINT AS s_half, false AS is_beginning
    FROM exact
    UNION ALL
    SELECT breaker_id, instance, ns, state, false, evidence, NULL, false, NULL, trace_id, span_id, confidence,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, false
    FROM seen WHERE evidence <> 'metric' AND state IS NOT NULL
    UNION ALL
    -- A restart is a state seen as early as it can have been; `until` is when it had been.
    SELECT breaker_id, instance, lo + 1, CASE WHEN state IN ('forced_open', 'disabled', 'metrics_only') THEN state ELSE 'closed' END,
        false, basis, lo, false, until, NULL, NULL, least(confidence, 60), NULL, NULL, NULL, NULL, NULL, NULL, NULL, false
    FROM restarts WHERE (breaker_id, instance) IN (SELECT (breaker_id, instance) FROM metric WHERE state IS NOT NULL
        UNION SELECT (breaker_id, instance) FROM exact)
    UNION ALL
    SELECT breaker_id, instance, ns, state, false, basis, ns0, is_reset, NULL, NULL, NULL, least(confidence, CASE basis
            WHEN 'gauge' THEN 60 WHEN 'transition_counter' THEN 60 WHEN 'time_in_state' THEN 60 ELSE 50 END),
        d_rejected, d_open, d_half, d_closed, s_closed, s_open, s_half, is_beginning AND NOT is_mixed
    FROM metric WHERE state IS NOT NULL OR d_open > 0 OR d_rejected > 0
),
-- A report within a second of a sample decides; clocks of reports and of exports differ that much.
near AS (
    SELECT *,
        max(CASE WHEN is_exact THEN ns END) OVER (PARTITION BY breaker_id, instance ORDER BY ns
            RANGE BETWEEN UNBOUNDED PRECEDING AND 1000000000 FOLLOWING) AS last_exact
    FROM observed
),
kept AS (
    SELECT *, ns0 IS NOT NULL AND coalesce(last_exact >= ns0 - 1000000000, false) AS is_told
    FROM near WHERE is_exact OR until IS NOT NULL OR last_exact IS NULL OR ns - last_exact > 1000000000
),
runs AS (
    SELECT *, coalesce(state, before) AS now_state FROM (
        SELECT *, coalesce(last_value(state IGNORE NULLS) OVER w, CASE WHEN is_beginning THEN 'closed' END) AS before, max(ns) OVER w AS before_ns,
            coalesce(lag(until) OVER o IS NOT NULL, false) AS is_fresh,
            -- What came after a restart, and whether that shows more than its state.
            lead(ns) OVER o AS next_ns, lead(is_exact OR state <> 'closed' OR coalesce(d_open, 0) > 0
                OR coalesce(d_rejected, 0) > 0) OVER o AS is_next_change
        FROM kept
        WINDOW o AS (PARTITION BY breaker_id, instance ORDER BY ns, is_exact DESC),
            w AS (PARTITION BY breaker_id, instance ORDER BY ns, is_exact DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    )
),
marked AS (
    SELECT *, max(CASE WHEN before <> now_state OR before IS NULL AND now_state = 'open' THEN ns END) OVER (PARTITION BY breaker_id, instance
        ORDER BY ns, is_exact DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_change
    FROM runs
),
-- R2: time in each state splits the interval; the state graph forces the order. C, O, H are the states walked, once
-- around at most: a probe that failed twice is counted by entries, if they are, else the bounds allow for it.
walks AS (
    SELECT *, CASE
        WHEN is_told OR coalesce(last_change > ns0, false) OR is_reset OR s_closed IS NULL OR s_open IS NULL
            OR coalesce(s_half, 0) > ns - ns0 OR s_open > ns - ns0 OR s_closed > ns - ns0 THEN NULL
        ELSE CASE before || '>' || now_state
            WHEN 'closed>closed' THEN CASE WHEN s_half > 1000 THEN 'COHC' WHEN s_open > 1000 THEN 'COC' END
            WHEN 'closed>open' THEN CASE WHEN s_half > 1000 THEN 'COHO' ELSE 'CO' END
            WHEN 'closed>half_open' THEN 'COH'
            WHEN 'open>open' THEN CASE WHEN s_closed > 1000 AND s_half > 1000 THEN 'OHCO' WHEN s_closed > 1000 THEN 'OCO'
                WHEN s_half > 1000 THEN 'OHO' END
            WHEN 'open>half_open' THEN CASE WHEN s_closed > 1000 THEN 'OHCOH' ELSE 'OH' END
            WHEN 'open>closed' THEN CASE WHEN s_half > 1000 THEN 'OHC' ELSE 'OC' END
            WHEN 'half_open>half_open' THEN CASE WHEN s_closed > 1000 THEN 'HCOH' WHEN s_open > 1000 THEN 'HOH' END
            WHEN 'half_open>open' THEN CASE WHEN s_closed > 1000 THEN 'HCO' ELSE 'HO' END
            WHEN 'half_open>closed' THEN CASE WHEN s_open > 1000 THEN 'HOHC' ELSE 'HC' END
        END END AS walk
    FROM marked WHERE NOT is_exact AND until IS NULL
),
intervals AS (
    SELECT * REPLACE (CASE WHEN coalesce(d_open = length(replace(replace(walk[2:], 'C', ''), 'H', '')), true) THEN walk END AS walk)
    FROM walks
),
steps AS (
    SELECT *, length(walk) - 1 AS last_step, unnest(generate_series(1, length(walk) - 1)) AS step,
        d_open IS NOT NULL OR NOT contains(walk, 'H') AS is_only
    FROM intervals WHERE walk IS NOT NULL
),
walked AS (
    SELECT breaker_id, instance, walk[step] AS from_letter, walk[step + 1] AS to_letter,
        -- Everything that must lie before, and everything that must lie after.
        CASE WHEN is_only THEN
            ns0 + CASE WHEN contains(walk[:step], 'C') AND NOT contains(walk[step + 1:], 'C') THEN s_closed ELSE 0 END
            + CASE WHEN contains(walk[:step], 'O') AND NOT contains(walk[step + 1:], 'O') THEN s_open ELSE 0 END
            + CASE WHEN contains(walk[:step], 'H') AND NOT contains(walk[step + 1:], 'H') THEN s_half ELSE 0 END
        WHEN step = last_step AND walk[step + 1] = 'C' THEN ns0 + s_open + s_half
        ELSE ns0 END AS lo,
        CASE WHEN is_only THEN
            ns - CASE WHEN contains(walk[step + 1:], 'C') AND NOT contains(walk[:step], 'C') THEN s_closed ELSE 0 END
            - CASE WHEN contains(walk[step + 1:], 'O') AND NOT contains(walk[:step], 'O') THEN s_open ELSE 0 END
            - CASE WHEN contains(walk[step + 1:], 'H') AND NOT contains(walk[:step], 'H') THEN s_half ELSE 0 END
        WHEN step = 1 AND walk[1] = 'C' THEN ns - s_open - s_half
        ELSE ns - (last_step - step) END AS hi
    FROM steps
),
-- Entries that were counted, of each state, and the states at both ends leave one number for each edge of the state
-- graph. An instance nobody saw before is taken to have been closed.
edges AS (
    SELECT *, n_open - trips AS reopenings, n_half - reopenings - (last = 'H')::BIGINT + (first = 'H')::BIGINT AS passed_probes,
        n_closed - passed_probes AS straight
    FROM (
        SELECT *, n_closed + (first = 'C')::BIGINT - (last = 'C')::BIGINT AS trips
        FROM (
            SELECT *, coalesce(d_open, 0) AS n_open, coalesce(d_half, 0) AS n_half, coalesce(d_closed, 0) AS n_closed,
                CASE coalesce(before, 'closed') WHEN 'closed' THEN 'C' WHEN 'open' THEN 'O' WHEN 'half_open' THEN 'H' END AS first,
                CASE now_state WHEN 'closed' THEN 'C' WHEN 'open' THEN 'O' WHEN 'half_open' THEN 'H' END AS last
            FROM intervals
        )
    )
),
-- A walk over exactly these edges: from `first` to open, there every failed probe, every passed one and every reset, and
-- on to `last`. Which came first within the interval nobody counted.
tours AS (
    SELECT *, CASE WHEN walk IS NULL AND ns0 IS NOT NULL AND NOT is_told
            AND CASE WHEN is_reset THEN is_fresh ELSE NOT coalesce(last_change > ns0, false) END
            AND least(trips, reopenings, passed_probes, straight) >= 0 AND n_open + n_half + n_closed BETWEEN 2 AND 200
            AND CASE first WHEN 'C' THEN trips WHEN 'O' THEN n_half + straight ELSE reopenings + passed_probes END > 0
        THEN CASE last WHEN 'C' THEN loops[:-2] WHEN 'O' THEN loops WHEN 'H' THEN loops || 'H' END END AS tour
    FROM (
        SELECT *, CASE WHEN first = 'C' THEN 'CO' WHEN first = 'O' THEN 'O' WHEN reopenings > 0 THEN 'HO' ELSE 'HCO' END
            || repeat('HO', least(reopenings - (first = 'H' AND reopenings > 0)::BIGINT, 200))
            || repeat('HCO', least(passed_probes - (first = 'H' AND reopenings = 0)::BIGINT, 200))
            || repeat('CO', least(straight, 200)) AS loops
        FROM edges
    )
),
tour_steps AS (
    SELECT *, length(tour) - 1 AS last_step, unnest(generate_series(1, length(tour) - 1)) AS step
    FROM tours WHERE tour IS NOT NULL
),
-- R1, and openings that are counted where the other entries are not: what no sample saw. The second half of each ends a
-- nanosecond later.
hidden AS (
    SELECT breaker_id, instance, ns0, ns, before, now_state, d_closed, d_closed IS NULL AND coalesce(s_half > 1000, false) AS has_tried,
        CASE WHEN d_open IS NOT NULL THEN d_open - CASE WHEN now_state = 'open' AND before IS DISTINCT FROM 'open'
                OR now_state = 'half_open' AND before = 'closed' THEN 1 ELSE 0 END
             WHEN d_rejected > 0 AND before = 'closed' AND now_state = 'closed' THEN 1 ELSE 0 END AS openings,
        CASE WHEN d_open IS NOT NULL THEN 'transition_counter' ELSE 'rejection_counter' END AS counter
    FROM tours
    WHERE walk IS NULL AND tour IS NULL AND ns0 IS NOT NULL AND NOT is_told
        AND CASE WHEN is_reset THEN is_fresh ELSE NOT coalesce(last_change > ns0, false) END
),
-- Each leads away from the state before and back to it: one that was open tried, any other opened. As many closed again
-- as were counted, the last ones; the others only tried.
excursions AS (
    SELECT *, CASE WHEN before = 'open' THEN 'half_open' ELSE 'open' END AS away,
        CASE WHEN before = 'open' THEN 'open' WHEN before = 'half_open' OR has_tried OR number <= all_of_them - d_closed THEN 'half_open'
            ELSE 'closed' END AS back,
        -- The opening that led to the trial comes after them.
        CASE WHEN before = 'closed' AND now_state = 'half_open' THEN 1 ELSE 0 END AS opens_last
    FROM (
        SELECT *, unnest(generate_series(1, least(openings, 100))) AS number, least(openings, 100) AS all_of_them
        FROM hidden WHERE openings > 0
    )
),
inferred AS (
    SELECT breaker_id, instance, lo, greatest(hi, lo) AS hi,
        CASE from_letter WHEN 'C' THEN 'closed' WHEN 'O' THEN 'open' ELSE 'half_open' END AS from_state,
        CASE to_letter WHEN 'C' THEN 'closed' WHEN 'O' THEN 'open' ELSE 'half_open' END AS to_state,
        NULL AS reason, NULL AS trace_id, NULL AS span_id, 'time_in_state' AS evidence, 80::UTINYINT AS confidence
    FROM walked
    UNION ALL
    SELECT breaker_id, instance, ns0, greatest(ns - (last_step - step), ns0),
        CASE WHEN step = 1 AND before IS NULL THEN NULL ELSE CASE tour[step] WHEN 'C' THEN 'closed' WHEN 'O' THEN 'open' ELSE 'half_open' END END,
        CASE tour[step + 1] WHEN 'C' THEN 'closed' WHEN 'O' THEN 'open' ELSE 'half_open' END,
        NULL, NULL, NULL, 'transition_counter', confidence
    FROM tour_steps
    UNION ALL
    -- Nobody half-opens but from open.
    SELECT breaker_id, instance, coalesce(before_ns, ns0), ns - 1, 'closed', 'open', NULL, trace_id, span_id, basis, confidence
    FROM tours WHERE walk IS NULL AND tour IS NULL AND before = 'closed' AND now_state = 'half_open' AND ns - 1 >= coalesce(before_ns, ns0)
    UNION ALL
    -- What an entry counted came after the export that had not counted it, which alone may have told no state.
    SELECT breaker_id, instance, CASE WHEN basis = 'transition_counter' THEN greatest(before_ns, ns0) ELSE coalesce(before_ns, ns0) END, ns,
        CASE WHEN before = 'closed' AND now_state = 'half_open' THEN 'open' WHEN before IS NULL AND d_open > 1 THEN 'closed' ELSE before END, now_state,
        CASE WHEN is_reset AND instance = '' THEN 'restart' END, trace_id, span_id, basis, confidence
    FROM tours WHERE walk IS NULL AND tour IS NULL AND (before <> now_state
        OR before IS NULL AND ns0 IS NOT NULL AND now_state = 'open' AND basis IN ('transition_counter', 'rejection_counter'))
    UNION ALL
    -- What the first sample after a restart shows came after it.
    SELECT breaker_id, instance, ns0, greatest(least(until, next_ns) - CASE WHEN is_next_change AND next_ns <= until THEN 1000 ELSE 0 END, ns0),
        before, state, 'restart', NULL, NULL, basis, confidence
    FROM runs WHERE until IS NOT NULL
    UNION ALL
    SELECT breaker_id, instance, ns0, ns - 2 * (all_of_them - number) - 2 - opens_last,
        CASE WHEN number = 1 THEN before WHEN number <= all_of_them - d_closed + 1 AND before = 'closed' THEN 'half_open' ELSE back END, away,
        NULL, NULL, NULL, counter, CASE counter WHEN 'transition_counter' THEN 60 ELSE 50 END
    FROM excursions
    UNION ALL
    SELECT breaker_id, instance, ns0, ns - 2 * (all_of_them - number) - 1 - opens_last, away, back,
        NULL, NULL, NULL, counter, CASE counter WHEN 'transition_counter' THEN 60 ELSE 50 END
    FROM excursions WHERE before IS NOT NULL OR now_state = 'closed'
),
subjects AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, any_value(service_instance_id) AS service_instance_id,
        any_value(service_name) AS service_name, any_value(service_namespace) AS service_namespace,
        any_value(environment) AS environment, any_value(cluster) AS cluster, any_value(name) AS name,
        any_value("key") AS "key", any_value(pattern) AS pattern, any_value(peer_service) AS peer_service,
        CASE any_value(pattern) WHEN 'concurrency_cap' THEN 'saturated' WHEN 'bulkhead' THEN 'saturated'
            WHEN 'fallback' THEN 'saturated' WHEN 'throttle' THEN 'throttling' WHEN 'rate_limit' THEN 'throttling'
            WHEN 'retry_budget' THEN 'throttling' ELSE 'open' END AS refusing,
        arg_max(origin, "time") AS origin, arg_max(service_version, "time") AS service_version
    FROM {marks} WHERE breaker_id IN (SELECT breaker_id FROM inferred)
    GROUP BY breaker_id, coalesce(service_instance_id, '')
)
SELECT
    "time", ns::UBIGINT AS time_unix_nano, "time" AS time_lo, ns::UBIGINT AS time_lo_unix_nano,
    breaker_id, service_name, service_namespace, service_instance_id, environment, cluster, name, "key", pattern,
    peer_service, generation, from_state, to_state, raw_state, reason, failure_rate, slow_rate, window_calls,
    threshold, open_for_ms, attempt, trace_id, span_id, trace_evidence,
    string_split(contributing_trace_ids, ',') AS contributing_trace_ids, evidence, confidence, config_hash,
    origin, service_version
FROM exact
UNION ALL
SELECT
    make_timestamp_ns(hi), hi::UBIGINT, make_timestamp_ns(lo), lo::UBIGINT,
    breaker_id, service_name, service_namespace, service_instance_id, environment, cluster, name, "key", pattern,
    peer_service, NULL,
    -- What refuses without being a breaker has a word of its own for it.
    CASE WHEN from_state = 'open' THEN refusing ELSE from_state END, CASE WHEN to_state = 'open' THEN refusing ELSE to_state END, NULL, reason, NULL, NULL, NULL, NULL, NULL, NULL, trace_id, span_id,
    CASE WHEN trace_id IS NOT NULL THEN 'inferred' END, NULL, evidence, confidence::UTINYINT, NULL, origin, service_version
FROM inferred JOIN subjects USING (breaker_id, instance)
