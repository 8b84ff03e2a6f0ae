SELECT min(begun)::UBIGINT AS earliest, max(greatest(begun, ended))::UBIGINT AS latest
FROM (
    SELECT
        coalesce(start_exception::HUGEINT, epoch_ns(start_time)::HUGEINT, 0) AS begun,
        coalesce(end_exception::HUGEINT, epoch_ns(start_time)::HUGEINT + duration_ns, 0) AS ended
    FROM {facts}.spans
    WHERE trace_id = ? AND {within}
)
WHERE begun > 0
