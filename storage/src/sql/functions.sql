-- Functions of ours that user SQL finds before DuckDB's, created once in the schema `sql_functions`.
--
-- Time: the bundled engine has no ICU and TIMESTAMP_NS does not compare with TIMESTAMPTZ, so everything that
-- says "now" answers TIMESTAMP_NS in UTC.
CREATE OR REPLACE MACRO sql_functions.now() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000);
CREATE OR REPLACE MACRO sql_functions.get_current_timestamp() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000);
CREATE OR REPLACE MACRO sql_functions.transaction_timestamp() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000);
CREATE OR REPLACE MACRO sql_functions.current_localtimestamp() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000);
CREATE OR REPLACE MACRO sql_functions.today() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000)::DATE;
CREATE OR REPLACE MACRO sql_functions.current_date() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000)::DATE;
CREATE OR REPLACE MACRO sql_functions.get_current_time() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000)::TIME;
CREATE OR REPLACE MACRO sql_functions.current_localtime() AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000)::TIME;
CREATE OR REPLACE MACRO sql_functions.ago(i) AS make_timestamp_ns(epoch_us(system.main.get_current_timestamp()) * 1000) - i;
CREATE OR REPLACE MACRO sql_functions.age(a) AS sql_functions.today()::TIMESTAMP - a, (a, b) AS system.main.age(a::TIMESTAMP, b::TIMESTAMP);
CREATE OR REPLACE MACRO sql_functions.to_timestamp(seconds) AS make_timestamp_ns((seconds * 1000000000::DECIMAL(19, 0))::BIGINT);
CREATE OR REPLACE MACRO sql_functions.timezone(zone, t) AS
    CASE WHEN upper(zone) IN ('UTC', 'GMT', 'Z', 'ETC/UTC') THEN t
         ELSE error('times are UTC here; the time zone ' || zone || ' is not available') END;
-- Attributes are VARIANT; the JSON arrow and the JSON functions read them as well: DuckDB 2.0.0 hands them the text of a
-- VARIANT, which is no JSON. Not json_extract: `->` looks for it by name and takes no macro.
CREATE OR REPLACE MACRO sql_functions."->>"(a, b) AS system.main.json_extract_string(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_extract_string(a, b) AS system.main.json_extract_string(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_extract_path(a, b) AS system.main.json_extract_path(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_extract_path_text(a, b) AS system.main.json_extract_path_text(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_value(a, b) AS system.main.json_value(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_exists(a, b) AS system.main.json_exists(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_contains(a, b) AS system.main.json_contains(a::JSON, b::JSON);
CREATE OR REPLACE MACRO sql_functions.json_keys
    (a) AS system.main.json_keys(a::JSON),
    (a, b) AS system.main.json_keys(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_array_length
    (a) AS system.main.json_array_length(a::JSON),
    (a, b) AS system.main.json_array_length(a::JSON, b);
CREATE OR REPLACE MACRO sql_functions.json_type
    (a) AS system.main.json_type(a::JSON),
    (a, b) AS system.main.json_type(a::JSON, b);
-- Any attribute as a number: a cast fails on a map, even TRY_CAST where keys differ only in case, and doubles that are
-- not finite are kept as one.
CREATE OR REPLACE MACRO sql_functions.number(a) AS
    CASE WHEN variant_typeof(a::VARIANT) = 'OBJECT($double)' THEN TRY_CAST(variant_extract(a::VARIANT, '$double') AS DOUBLE)
         WHEN variant_typeof(a::VARIANT) NOT SIMILAR TO '(OBJECT|ARRAY|BOOL).*' THEN TRY_CAST(a AS DOUBLE) END;
-- What is run for attributes beside a number (guard/numbers.rs). Whole numbers are compared as they are, the fastest way;
-- the cast of a double within CASE would be made for every row, and fail on texts.
CREATE OR REPLACE MACRO sql_functions.above(a, n) AS
    CASE WHEN variant_typeof(a::VARIANT) IN ('INT64', 'UINT64') THEN a > n
         WHEN variant_typeof(a::VARIANT) = 'DOUBLE' THEN a > n::DOUBLE
         ELSE sql_functions.number(a) > n END;
CREATE OR REPLACE MACRO sql_functions.at_least(a, n) AS
    CASE WHEN variant_typeof(a::VARIANT) IN ('INT64', 'UINT64') THEN a >= n
         WHEN variant_typeof(a::VARIANT) = 'DOUBLE' THEN a >= n::DOUBLE
         ELSE sql_functions.number(a) >= n END;
CREATE OR REPLACE MACRO sql_functions.below(a, n) AS
    CASE WHEN variant_typeof(a::VARIANT) IN ('INT64', 'UINT64') THEN a < n
         WHEN variant_typeof(a::VARIANT) = 'DOUBLE' THEN a < n::DOUBLE
         ELSE sql_functions.number(a) < n END;
CREATE OR REPLACE MACRO sql_functions.at_most(a, n) AS
    CASE WHEN variant_typeof(a::VARIANT) IN ('INT64', 'UINT64') THEN a <= n
         WHEN variant_typeof(a::VARIANT) = 'DOUBLE' THEN a <= n::DOUBLE
         ELSE sql_functions.number(a) <= n END;
-- The order of attributes: numbers by their value, then everything else as the engine orders it.
CREATE OR REPLACE MACRO sql_functions.in_order(a) AS
    CASE WHEN variant_typeof(a::VARIANT) IN ('VARCHAR', 'BOOL_TRUE', 'BOOL_FALSE') THEN {'number': NULL::DOUBLE, 'value': a}
         WHEN a IS NOT NULL THEN {'number': sql_functions.number(a), 'value': a} END;
-- Bounds: one call of these can ask for gigabytes, and DuckDB neither counts that memory nor can be interrupted
-- inside the call. In FROM they stream and have no bound.
CREATE OR REPLACE MACRO sql_functions.range
    (a) AS system.main.range(CASE WHEN a <= 10000 THEN a ELSE error('range() makes at most 10000 elements; use FROM range(…)')::BIGINT END),
    (a, b) AS system.main.range(a, CASE WHEN b - a <= 10000 THEN b ELSE error('range() makes at most 10000 elements; use FROM range(…)')::BIGINT END),
    (a, b, c) AS system.main.range(a, b, CASE WHEN coalesce(
        (TRY_CAST(b::VARCHAR AS DOUBLE) - TRY_CAST(a::VARCHAR AS DOUBLE)) / TRY_CAST(c::VARCHAR AS DOUBLE),
        (epoch(TRY_CAST(b::VARCHAR AS TIMESTAMP)) - epoch(TRY_CAST(a::VARCHAR AS TIMESTAMP))) / epoch(TRY_CAST(c::VARCHAR AS INTERVAL))) <= 10000
        THEN c WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE error('range() makes at most 10000 elements; use FROM range(…)') END);
CREATE OR REPLACE MACRO sql_functions.generate_series
    (a) AS system.main.generate_series(CASE WHEN a <= 10000 THEN a ELSE error('generate_series() makes at most 10000 elements; use FROM generate_series(…)')::BIGINT END),
    (a, b) AS system.main.generate_series(a, CASE WHEN b - a <= 10000 THEN b ELSE error('generate_series() makes at most 10000 elements; use FROM generate_series(…)')::BIGINT END),
    (a, b, c) AS system.main.generate_series(a, b, CASE WHEN coalesce(
        (TRY_CAST(b::VARCHAR AS DOUBLE) - TRY_CAST(a::VARCHAR AS DOUBLE)) / TRY_CAST(c::VARCHAR AS DOUBLE),
        (epoch(TRY_CAST(b::VARCHAR AS TIMESTAMP)) - epoch(TRY_CAST(a::VARCHAR AS TIMESTAMP))) / epoch(TRY_CAST(c::VARCHAR AS INTERVAL))) <= 10000
        THEN c WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE error('generate_series() makes at most 10000 elements; use FROM generate_series(…)') END);
CREATE OR REPLACE MACRO sql_functions.repeat(s, n) AS
    system.main.repeat(s, CASE WHEN n::HUGEINT * length(s) <= 100000 THEN n ELSE error('repeat() makes at most 100000 characters')::BIGINT END);
CREATE OR REPLACE MACRO sql_functions.lpad(s, n, p) AS
    system.main.lpad(s, CASE WHEN n <= 10000 THEN n ELSE error('lpad() makes at most 10000 characters')::INTEGER END, p);
CREATE OR REPLACE MACRO sql_functions.rpad(s, n, p) AS
    system.main.rpad(s, CASE WHEN n <= 10000 THEN n ELSE error('rpad() makes at most 10000 characters')::INTEGER END, p);
CREATE OR REPLACE MACRO sql_functions.list_resize
    (l, n) AS system.main.list_resize(l, CASE WHEN n <= 10000 THEN n ELSE error('list_resize() makes at most 10000 elements')::BIGINT END),
    (l, n, v) AS system.main.list_resize(l, CASE WHEN n <= 10000 THEN n ELSE error('list_resize() makes at most 10000 elements')::BIGINT END, v);
CREATE OR REPLACE MACRO sql_functions.array_resize
    (l, n) AS system.main.list_resize(l, CASE WHEN n <= 10000 THEN n ELSE error('array_resize() makes at most 10000 elements')::BIGINT END),
    (l, n, v) AS system.main.list_resize(l, CASE WHEN n <= 10000 THEN n ELSE error('array_resize() makes at most 10000 elements')::BIGINT END, v);
