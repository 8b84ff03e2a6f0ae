WITH counted AS (
    SELECT {columns}, calls, errors, weight, duration_histogram
    FROM service_edges
    {where}
)
