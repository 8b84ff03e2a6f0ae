WITH spans_of AS (
    SELECT {columns}, calls, errors, weight, error_weight, duration_histogram,
        -- How well a span stands for a call: a service's own entry spans, then those of its proxy, and so on.
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END AS rank
    FROM red
    {where}
), counted AS (
    SELECT * FROM spans_of QUALIFY rank = min(rank) OVER ({service})
)
