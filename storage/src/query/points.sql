SELECT series_id, epoch_ns(time), start_time_unix_nano, flags, value, value_int, count, sum, min, max,
    array_to_string(bucket_counts, ','), array_to_string(explicit_bounds, ','), scale, zero_count,
    positive_offset, array_to_string(positive_bucket_counts, ','),
    negative_offset, array_to_string(negative_bucket_counts, ','),
    array_to_string(quantiles, ','), array_to_string(quantile_values, ',')
FROM metric_points
WHERE name = ? AND time >= make_timestamp_ns(?) AND time < make_timestamp_ns(?)
    AND series_id IN (SELECT unnest(string_split(?, ','))::UBIGINT)
QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY time DESC) <= ?
ORDER BY series_id, time
