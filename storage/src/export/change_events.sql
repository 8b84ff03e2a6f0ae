OR epoch_ns(l.time)::UBIGINT >= $0 AND epoch_ns(l.time)::UBIGINT < $1 AND (l.event_name = 'tripline.change'
        -- Of the evaluations of a flag the first and the last that gave a variant: what was switched shows by them.
        OR l.event_name IN ('feature_flag.evaluation', 'feature_flag') AND l.time IN (
            SELECT unnest([min("time"), max("time")]) FROM logs
            WHERE event_name IN ('feature_flag.evaluation', 'feature_flag')
                AND epoch_ns("time")::UBIGINT >= $0 AND epoch_ns("time")::UBIGINT < $1
            GROUP BY service_name, service_namespace, environment, cluster, json_extract_string(attributes."feature_flag.key"::JSON, ''),
                json_extract_string(attributes."feature_flag.result.variant"::JSON, ''), json_extract_string(attributes."feature_flag.variant"::JSON, '')))
