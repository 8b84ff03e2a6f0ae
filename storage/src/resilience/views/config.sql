SELECT
    breaker_id, service_name, service_namespace, service_instance_id, environment, cluster, name, "key",
    valid_from, epoch_ns(valid_from)::UBIGINT AS valid_from_unix_nano, config_hash, config::JSON AS config, source,
    pattern, origin, service_version, peer_service, peer_address, peer_evidence
FROM {evidence}
