SELECT s.series_id, epoch_ns(f.time) AS time_ns, coalesce(epoch_ns(f.start_time), 0) AS start_ns, f.count AS total
FROM {facts}.histogram_points f
JOIN {dictionaries}.series s ON s.series_ix = f.series_ix
WHERE s.name IN ({names}) AND s.kind IN ('histogram', 'exponential_histogram')
    AND s.temporality IN ('cumulative', 'delta')
    AND f.time > make_timestamp_ns({since}) AND f.time <= make_timestamp_ns({to})
    -- A point that says there is none has a count of 0.
    AND coalesce(f.flags, 0) & 1 = 0
