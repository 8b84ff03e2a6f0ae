-- Evaluations of feature flags in a range, one in $3 of them, oldest first; which it is their time decides.
SELECT epoch_ns("time") AS ns, service_name, environment, service_namespace, cluster, attributes::JSON::VARCHAR AS document
FROM ({logs})
WHERE event_name IN ('feature_flag.evaluation', 'feature_flag') AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
    AND ($3::UBIGINT = 1 OR hash("time") % $3::UBIGINT = 0)
ORDER BY ns, service_name, document
