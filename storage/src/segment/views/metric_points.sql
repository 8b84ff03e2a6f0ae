SELECT
    s.series_id, s.name, s.kind AS type, s.unit, s.temporality, s.is_monotonic,
    f.time, f.start_time,
    coalesce(f.time_exception, epoch_ns(f.time)::UBIGINT) AS time_unix_nano,
    coalesce(f.start_exception, epoch_ns(f.start_time)::UBIGINT) AS start_time_unix_nano,
    f.flags,
    coalesce(f.value_double, f.value_int::DOUBLE) AS value, f.value_int, f.value_double,
    f.count, f.sum, f.min, f.max, f.bucket_counts, f.explicit_bounds,
    f.scale, f.zero_count, f.zero_threshold, f.positive_offset, f.positive_bucket_counts,
    f.negative_offset, f.negative_bucket_counts, f.quantiles, f.quantile_values,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    {{s.attributes}} AS attributes,
    {{r.attributes}} AS resource_attributes,
    c.name AS scope_name, c.version AS scope_version, {{c.attributes}} AS scope_attributes,
    r.resource_id, c.scope_id
FROM (
    SELECT series_ix, time, time_exception, start_time, start_exception, flags, value_int, value_double,
        NULL::UBIGINT AS count, NULL::DOUBLE AS sum, NULL::DOUBLE AS min, NULL::DOUBLE AS max,
        NULL::UBIGINT[] AS bucket_counts, NULL::DOUBLE[] AS explicit_bounds, NULL::INTEGER AS scale,
        NULL::UBIGINT AS zero_count, NULL::DOUBLE AS zero_threshold,
        NULL::INTEGER AS positive_offset, NULL::UBIGINT[] AS positive_bucket_counts,
        NULL::INTEGER AS negative_offset, NULL::UBIGINT[] AS negative_bucket_counts,
        NULL::DOUBLE[] AS quantiles, NULL::DOUBLE[] AS quantile_values
    FROM {facts}.number_points
    UNION ALL
    SELECT series_ix, time, time_exception, start_time, start_exception, flags,
        NULL::BIGINT AS value_int, NULL::DOUBLE AS value_double,
        count, sum, min, max, bucket_counts, explicit_bounds, scale, zero_count, zero_threshold,
        positive_offset, positive_bucket_counts, negative_offset, negative_bucket_counts,
        quantiles, quantile_values
    FROM {facts}.histogram_points
) f
JOIN {dictionaries}.series s ON s.series_ix = f.series_ix
JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = s.scope_ix
