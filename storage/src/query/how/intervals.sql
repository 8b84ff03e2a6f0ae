SELECT service_instance_id, state, start_time_lo, start_time, end_time, from_state, reason, is_trip, evidence, confidence
FROM breaker_intervals
{where}
ORDER BY service_instance_id, start_time
