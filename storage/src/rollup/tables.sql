CREATE TABLE {schema}.red (
    bucket_start TIMESTAMP_NS, environment VARCHAR, service_namespace VARCHAR, cluster VARCHAR,
    service_name VARCHAR, name VARCHAR, kind VARCHAR, sidecar BOOLEAN, basis VARCHAR,
    calls UBIGINT, errors UBIGINT, weight DOUBLE, error_weight DOUBLE,
    duration_sum_ns HUGEINT, duration_min_ns BIGINT, duration_max_ns BIGINT,
    duration_histogram MAP(USMALLINT, UBIGINT));
CREATE TABLE {schema}.edges (
    bucket_start TIMESTAMP_NS, environment VARCHAR, service_namespace VARCHAR, cluster VARCHAR,
    caller VARCHAR, callee_environment VARCHAR, callee_service_namespace VARCHAR, callee_cluster VARCHAR,
    callee VARCHAR, kind VARCHAR, is_async BOOLEAN, inferred VARCHAR, basis VARCHAR,
    calls UBIGINT, errors UBIGINT, weight DOUBLE, error_weight DOUBLE,
    duration_sum_ns HUGEINT, duration_min_ns BIGINT, duration_max_ns BIGINT,
    duration_histogram MAP(USMALLINT, UBIGINT));
CREATE TABLE {schema}.edge_halves (
    trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, kind VARCHAR, start_time TIMESTAMP_NS,
    duration_ns BIGINT, error BOOLEAN, environment VARCHAR, service_namespace VARCHAR, cluster VARCHAR,
    service_name VARCHAR, peer VARCHAR, peer_kind VARCHAR, sidecar BOOLEAN, weight DOUBLE,
    links STRUCT(trace_id VARCHAR, span_id VARCHAR)[], is_dangling BOOLEAN, is_covered BOOLEAN);
