-- When the first and the last span of each sender and rank began.
SELECT resource_ix,
    CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN coalesce(sidecar, false) THEN 2 ELSE 1 END
         WHEN kind IN ('client', 'producer') THEN CASE WHEN coalesce(sidecar, false) THEN 4 ELSE 3 END
         ELSE 5 END::UTINYINT AS rank,
    epoch_ns(min(start_time)), epoch_ns(max(start_time))
FROM ({spans})
WHERE start_time IS NOT NULL AND NOT coalesce(resent, false)
GROUP BY ALL
ORDER BY resource_ix, rank
