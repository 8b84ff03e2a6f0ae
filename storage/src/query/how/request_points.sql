    SELECT series_id, epoch_ns("time") AS time_ns, coalesce(epoch_ns(start_time), 0) AS start_ns, p.count AS total
    FROM metric_points p
    WHERE name IN ({names}) AND type IN ('histogram', 'exponential_histogram') AND temporality IN ('cumulative', 'delta')
    AND "time" > {after} AND "time" <= {until} AND coalesce(flags, 0) & 1 = 0
    {and}
