-- Who calls whom: the edges, and the calls that nobody answered here. Of a service that calls thousands of hosts some.
SELECT * FROM (
    SELECT DISTINCT environment, service_namespace, cluster, caller, callee
    FROM {schema}.edges WHERE caller IS NOT NULL AND callee IS NOT NULL AND inferred IS DISTINCT FROM 'caller'
    UNION
    SELECT environment, service_namespace, cluster, service_name, peer
    FROM {schema}.edge_halves
    WHERE service_name IS NOT NULL AND peer IS NOT NULL AND kind IN ('client', 'producer')
)
QUALIFY row_number() OVER (PARTITION BY environment, service_namespace, cluster, caller ORDER BY callee) <= 1000
