-- How many evaluations of feature flags there are in a range.
SELECT count(*)::UBIGINT AS evaluations FROM ({logs})
WHERE event_name IN ('feature_flag.evaluation', 'feature_flag') AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
