CREATE TABLE {schema}.breakers (
    breaker_id VARCHAR, service_name VARCHAR, service_namespace VARCHAR, environment VARCHAR, cluster VARCHAR,
    name VARCHAR, "key" VARCHAR, pattern VARCHAR, origin VARCHAR, service_version VARCHAR,
    peer_service VARCHAR, peer_address VARCHAR, peer_evidence VARCHAR,
    state VARCHAR, instances UINTEGER, instances_open UINTEGER, since TIMESTAMP_NS, since_unix_nano UBIGINT,
    since_exact BOOLEAN, evidence VARCHAR, confidence UTINYINT,
    first_seen TIMESTAMP_NS, last_seen TIMESTAMP_NS);
CREATE TABLE {schema}.breaker_instances (
    breaker_id VARCHAR, service_name VARCHAR, service_namespace VARCHAR, environment VARCHAR, cluster VARCHAR,
    name VARCHAR, "key" VARCHAR, service_instance_id VARCHAR, service_version VARCHAR,
    state VARCHAR, since TIMESTAMP_NS, since_unix_nano UBIGINT, since_exact BOOLEAN,
    generation UBIGINT, evidence VARCHAR, confidence UTINYINT,
    first_seen TIMESTAMP_NS, last_seen TIMESTAMP_NS);
CREATE TABLE {schema}.breaker_transitions (
    "time" TIMESTAMP_NS, time_unix_nano UBIGINT, time_lo TIMESTAMP_NS, time_lo_unix_nano UBIGINT,
    breaker_id VARCHAR, service_name VARCHAR, service_namespace VARCHAR, service_instance_id VARCHAR,
    environment VARCHAR, cluster VARCHAR, name VARCHAR, "key" VARCHAR, pattern VARCHAR, peer_service VARCHAR,
    generation UBIGINT, from_state VARCHAR, to_state VARCHAR, raw_state VARCHAR, reason VARCHAR,
    failure_rate DOUBLE, slow_rate DOUBLE, window_calls UINTEGER, threshold DOUBLE, open_for_ms UINTEGER,
    attempt USMALLINT, trace_id VARCHAR, span_id VARCHAR, trace_evidence VARCHAR,
    contributing_trace_ids VARCHAR[], evidence VARCHAR, confidence UTINYINT, config_hash VARCHAR);
CREATE TABLE {schema}.breaker_samples (
    "time" TIMESTAMP_NS, time_unix_nano UBIGINT, breaker_id VARCHAR, service_name VARCHAR,
    service_namespace VARCHAR, service_instance_id VARCHAR, environment VARCHAR, cluster VARCHAR,
    name VARCHAR, "key" VARCHAR, state VARCHAR, since TIMESTAMP_NS, since_exact BOOLEAN,
    failure_rate DOUBLE, slow_rate DOUBLE, window_calls UINTEGER,
    ok UBIGINT, failed UBIGINT, slow UBIGINT, ignored UBIGINT, rejected UBIGINT, cancelled UBIGINT,
    in_flight UINTEGER, permits_left INTEGER,
    ns_in_state STRUCT("closed" UBIGINT, "open" UBIGINT, half_open UBIGINT), evidence VARCHAR);
CREATE TABLE {schema}.breaker_config (
    breaker_id VARCHAR, service_name VARCHAR, service_namespace VARCHAR, service_instance_id VARCHAR,
    environment VARCHAR, cluster VARCHAR, name VARCHAR, "key" VARCHAR,
    valid_from TIMESTAMP_NS, valid_from_unix_nano UBIGINT, config_hash VARCHAR, config JSON, source VARCHAR);
