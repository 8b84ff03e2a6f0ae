-- Breaker evidence of one segment, hot and sealed alike: rows as `resilience::evidence` makes them, in the order
-- of its columns. The public relations are views over these (`resilience/views`). Every row carries who it is
-- about, because it outlives the segment's resources.
CREATE TABLE {schema}.breaker_transitions (
    breaker_id VARCHAR, origin VARCHAR, pattern VARCHAR, service_name VARCHAR, service_namespace VARCHAR,
    service_instance_id VARCHAR, service_version VARCHAR, environment VARCHAR, cluster VARCHAR, name VARCHAR,
    "key" VARCHAR, peer_service VARCHAR, peer_address VARCHAR, peer_evidence VARCHAR,
    "time" TIMESTAMP_NS, generation UBIGINT, from_state VARCHAR, to_state VARCHAR, raw_state VARCHAR, reason VARCHAR,
    failure_rate DOUBLE, slow_rate DOUBLE, window_calls UINTEGER, threshold DOUBLE, open_for_ms UINTEGER,
    attempt UINTEGER, trace_id VARCHAR, span_id VARCHAR, trace_evidence VARCHAR, contributing_trace_ids VARCHAR,
    evidence VARCHAR, confidence UINTEGER, config_hash VARCHAR);
CREATE TABLE {schema}.breaker_samples (
    breaker_id VARCHAR, origin VARCHAR, pattern VARCHAR, service_name VARCHAR, service_namespace VARCHAR,
    service_instance_id VARCHAR, service_version VARCHAR, environment VARCHAR, cluster VARCHAR, name VARCHAR,
    "key" VARCHAR, peer_service VARCHAR, peer_address VARCHAR, peer_evidence VARCHAR,
    "time" TIMESTAMP_NS, state VARCHAR, raw_state VARCHAR, failure_rate DOUBLE, slow_rate DOUBLE,
    window_calls UINTEGER, ok UBIGINT, failed UBIGINT, slow UBIGINT, ignored UBIGINT, rejected UBIGINT,
    cancelled UBIGINT, in_flight UINTEGER, permits_left INTEGER, ns_closed UBIGINT, ns_open UBIGINT,
    ns_half_open UBIGINT, entered_closed UBIGINT, entered_open UBIGINT, entered_half_open UBIGINT,
    is_delta BOOLEAN, trace_id VARCHAR, span_id VARCHAR, evidence VARCHAR, confidence UINTEGER, hosts_ejected UINTEGER,
    hosts_healthy UINTEGER, hosts_total UINTEGER, counted_since BIGINT);
CREATE TABLE {schema}.breaker_config (
    breaker_id VARCHAR, origin VARCHAR, pattern VARCHAR, service_name VARCHAR, service_namespace VARCHAR,
    service_instance_id VARCHAR, service_version VARCHAR, environment VARCHAR, cluster VARCHAR, name VARCHAR,
    "key" VARCHAR, peer_service VARCHAR, peer_address VARCHAR, peer_evidence VARCHAR,
    valid_from TIMESTAMP_NS, config_hash VARCHAR, config VARCHAR, source VARCHAR);
-- What of the samples is needed to conclude states (`resilience/views/marks.sql`); filled by the sealer, kept for as
-- long as the transitions.
CREATE TABLE {schema}.breaker_marks (
    breaker_id VARCHAR, origin VARCHAR, pattern VARCHAR, service_name VARCHAR, service_namespace VARCHAR,
    service_instance_id VARCHAR, service_version VARCHAR, environment VARCHAR, cluster VARCHAR, name VARCHAR,
    "key" VARCHAR, peer_service VARCHAR, peer_address VARCHAR, peer_evidence VARCHAR,
    "time" TIMESTAMP_NS, state VARCHAR, raw_state VARCHAR, failure_rate DOUBLE, slow_rate DOUBLE,
    window_calls UINTEGER, ok UBIGINT, failed UBIGINT, slow UBIGINT, ignored UBIGINT, rejected UBIGINT,
    cancelled UBIGINT, in_flight UINTEGER, permits_left INTEGER, ns_closed UBIGINT, ns_open UBIGINT,
    ns_half_open UBIGINT, entered_closed UBIGINT, entered_open UBIGINT, entered_half_open UBIGINT,
    is_delta BOOLEAN, trace_id VARCHAR, span_id VARCHAR, evidence VARCHAR, confidence UINTEGER, interval_ns BIGINT,
    heard_since BIGINT, hosts_ejected UINTEGER, hosts_healthy UINTEGER, hosts_total UINTEGER, counted_since BIGINT);
