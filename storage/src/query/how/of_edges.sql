WITH counted AS (
    SELECT {columns}, calls, errors, weight, error_weight, duration_histogram
    FROM service_edges
    {where}
)
