-- Requests at the entry points by what became of them. Members are as for causes. Only roots, and spans of owners and
-- callees are read. Traces are told apart by a hash: half the cost of the text. $4 are traces in which a member refused a
-- call, whatever its library writes of that, joined by chr(30). A call that failed (`hurt`) is made good by one of the same
-- parent to the same callee that began after it ended and did not fail, as retries are told apart elsewhere; else it is `lost`.
WITH members AS (
    SELECT split_part(m, chr(31), 1) AS owner, split_part(m, chr(31), 2) AS callee, split_part(m, chr(31), 3) AS breaker,
        split_part(m, chr(31), 4) AS "key",
        hash(split_part(m, chr(31), 6), split_part(m, chr(31), 7), split_part(m, chr(31), 8)) AS scope
    FROM (SELECT unnest(string_split($3, chr(30))) AS m)
),
chosen AS MATERIALIZED (
    SELECT hash(trace_id) AS trace, environment, service_namespace, cluster,
        hash(coalesce(environment, ''), coalesce(service_namespace, ''), coalesce(cluster, '')) AS scope,
        parent_span_id IS NULL AS is_root, coalesce(service_name, 'unknown_service') AS service, name, kind, peer,
        status_code = 'error' AS failed, epoch_ns(start_time) AS ns, epoch_ns(start_time) + duration_ns AS ends,
        hash(trace_id, parent_span_id) AS parent, weight,
        "circuit_breaker.name" AS breaker, "circuit_breaker.key" AS "key", "circuit_breaker.outcome" AS outcome
    FROM ({calls})
    WHERE {sample} AND start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
        AND (parent_span_id IS NULL OR service_name IN (SELECT owner FROM members) OR service_name IN (SELECT callee FROM members))
),
edges AS (SELECT DISTINCT scope, owner, callee FROM members WHERE "key" = ''),
-- Breakers that write on no span: every call to their callee is theirs.
named AS MATERIALIZED (
    SELECT c.trace, c.parent, c.ns, c.ends, c.failed, e.scope, e.owner, e.callee
    FROM chosen c JOIN edges e ON e.owner = c.service AND e.callee = c.peer AND e.scope = c.scope
    WHERE kind IN ('client', 'producer')
),
-- Edges whose callee no client names: every trace in which both take part crosses them.
unnamed AS (FROM edges ANTI JOIN named USING (scope, owner, callee)),
attempts AS (
    SELECT c.trace, c.parent, hash(c.breaker, c."key") AS callee, c.ns, c.ends, c.outcome IN ('failure', 'slow_failure', 'rejected') AS hurt
    FROM chosen c SEMI JOIN members m ON m.owner = c.service AND m.scope = c.scope AND m.breaker = c.breaker AND m."key" = coalesce(c."key", '')
    UNION ALL
    SELECT trace, parent, hash(callee), ns, ends, failed FROM named
),
crossed AS (
    SELECT trace, bool_or(hurt) AS hurt, bool_or(lost) AS lost FROM (
        SELECT trace, bool_or(hurt) AS hurt,
            bool_or(hurt) AND NOT coalesce(max(ns) FILTER (NOT hurt) >= max(ends) FILTER (hurt), false) AS lost
        FROM attempts GROUP BY trace, parent, callee
        UNION ALL
        SELECT b.trace, b.failed, b.failed FROM (SELECT DISTINCT c.trace, u.callee FROM chosen c JOIN unnamed u ON u.owner = c.service AND u.scope = c.scope) a
        JOIN chosen b ON b.trace = a.trace AND b.service = a.callee AND b.kind IN ('server', 'consumer')
        UNION ALL
        SELECT hash(refused), true, true FROM (SELECT unnest(string_split($4, chr(30))) AS refused)
    ) GROUP BY trace
),
entries AS MATERIALIZED (
    SELECT e.*, c.trace IS NOT NULL AS crosses, coalesce(c.hurt, false) AS hurt, coalesce(c.lost, false) AS lost
    FROM (
        SELECT trace, arg_min(scope, ns) AS scope, arg_min(service, ns) AS service, arg_min(name, ns) AS name, arg_min(failed, ns) AS failed,
            coalesce(arg_min(weight, ns), 1) AS weight, bool_or(weight > 1) AS is_sampled, bool_or(weight IS NULL) AS is_unknown
        FROM chosen WHERE is_root GROUP BY trace
    ) e LEFT JOIN crossed c ON c.trace = e.trace
),
-- Where the incident is: the scopes of its owners, and of those by whom calls came to it. Others are strangers to it.
touched AS (SELECT scope FROM members UNION SELECT scope FROM entries WHERE crosses),
scopes AS (
    SELECT scope, min(environment) AS environment, min(service_namespace) AS service_namespace, min(cluster) AS cluster
    FROM chosen WHERE is_root GROUP BY scope
)
SELECT e.service, e.name, sum(e.weight), coalesce(sum(e.weight) FILTER (e.crosses), 0),
    coalesce(sum(e.weight) FILTER (e.hurt AND e.failed), 0), coalesce(sum(e.weight) FILTER (e.lost AND NOT e.failed), 0),
    coalesce(bool_or(e.is_sampled), false), coalesce(bool_or(e.is_unknown), false), count(*)::UBIGINT, sum(e.weight * e.weight),
    s.environment, s.service_namespace, s.cluster
FROM entries e JOIN scopes s ON s.scope = e.scope
WHERE e.scope IN (SELECT scope FROM touched)
GROUP BY ALL ORDER BY 5 DESC, 6 DESC, 3 DESC LIMIT 200
