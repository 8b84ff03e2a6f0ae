OR epoch_ns(l.time)::UBIGINT >= $0 AND epoch_ns(l.time)::UBIGINT < $1 AND l.event_name = 'tripline.change'
