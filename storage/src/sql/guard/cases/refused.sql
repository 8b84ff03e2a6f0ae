-- COPY
COPY spans TO '/tmp/x.csv'

-- COPY
COPY (SELECT 1) TO '/tmp/x.parquet' (FORMAT parquet)

-- COPY
COPY spans FROM '/etc/passwd'

-- COPY
EXPLAIN COPY spans TO '/tmp/x'

-- COPY
EXPLAIN ANALYZE COPY spans TO '/tmp/x'

-- ATTACH
ATTACH '/tmp/other.duckdb' AS other

-- DETACH
DETACH memory

-- INSTALL
INSTALL httpfs

-- LOAD
LOAD '/tmp/evil.duckdb_extension'

-- SET
SET memory_limit = '100GB'

-- SET
SET VARIABLE x = 1

-- RESET
RESET threads

-- PRAGMA
PRAGMA database_list

-- PRAGMA
PRAGMA table_info('spans')

-- CALL
CALL pragma_version()

-- CALL
CALL force_checkpoint()

-- USE
USE memory

-- INSERT
INSERT INTO spans VALUES (1)

-- UPDATE
UPDATE spans SET name = 'x'

-- DELETE
DELETE FROM spans

-- TRUNCATE
TRUNCATE spans

-- MERGE
MERGE INTO spans USING logs ON true WHEN MATCHED THEN DELETE

-- CREATE
CREATE TABLE x (a INTEGER)

-- CREATE
CREATE OR REPLACE VIEW spans AS SELECT 1

-- CREATE
CREATE MACRO lower(x) AS getenv('HOME')

-- CREATE
CREATE TEMP TABLE x AS FROM spans

-- CREATE
CREATE SECRET s (TYPE s3)

-- DROP
DROP VIEW spans

-- ALTER
ALTER TABLE spans ADD COLUMN x INTEGER

-- BEGIN
BEGIN TRANSACTION

-- COMMIT
COMMIT

-- VACUUM
VACUUM

-- CHECKPOINT
CHECKPOINT

-- EXPORT
EXPORT DATABASE '/tmp/dump'

-- IMPORT
IMPORT DATABASE '/tmp/dump'

-- PREPARE
PREPARE q AS SELECT 1

-- EXECUTE
EXECUTE q

-- DEALLOCATE
DEALLOCATE q

-- 2 statements
SELECT 1; SELECT 2

-- not allowed
SELECT 1; DROP VIEW spans

-- not allowed
SELECT 1; -- harmless
ATTACH '/tmp/x'

-- not allowed
SELECT 1 /* ; */ ; COPY spans TO '/tmp/x'

-- 2 statements
SELECT ';' ; SELECT ';'

-- empty
;

-- empty
-- only a comment

-- INSERT changes data
WITH x AS (INSERT INTO spans VALUES (1) RETURNING *) SELECT * FROM x

-- DELETE changes data
WITH x AS (DELETE FROM spans RETURNING *) SELECT * FROM x

-- UPDATE changes data
WITH x AS (UPDATE spans SET name = 'x' RETURNING *) SELECT * FROM x

-- changes data
SELECT * FROM (WITH x AS (DELETE FROM spans RETURNING *) FROM x)

-- table function query()
SELECT * FROM query('DROP VIEW spans')

-- table function query_table()
SELECT * FROM query_table('duckdb_settings')

-- table function json_execute_serialized_sql()
SELECT * FROM json_execute_serialized_sql('{}')

-- function json_serialize_sql()
SELECT json_serialize_sql('SELECT 1')

-- function json_serialize_plan()
SELECT json_serialize_plan('SELECT 1')

-- table function read_csv()
SELECT * FROM read_csv('/etc/passwd')

-- table function read_csv()
SELECT * FROM "read_csv"('/etc/passwd')

-- table function read_csv()
SELECT * FROM READ_CSV('/etc/passwd') AS spans

-- table function read_text()
FROM read_text('/etc/passwd')

-- table function read_blob()
FROM read_blob('/etc/*')

-- table function read_parquet()
FROM read_parquet('s3://bucket/x.parquet')

-- table function read_json()
FROM read_json('/tmp/x.json')

-- table function read_duckdb()
FROM read_duckdb('/tmp/x.duckdb')

-- table function parquet_metadata()
FROM parquet_metadata('/tmp/x.parquet')

-- table function sniff_csv()
FROM sniff_csv('/etc/passwd')

-- table function glob()
FROM glob('/**')

-- table function main.read_csv()
FROM main.read_csv('/etc/passwd')

-- relation "/etc/passwd"
FROM '/etc/passwd'

-- relation "file.csv"
SELECT * FROM 'file.csv'

-- relation "https://example.com/x.parquet"
FROM 'https://example.com/x.parquet'

-- relation name "x.csv"
WITH "x.csv" AS (SELECT * FROM "x.csv") FROM "x.csv"

-- relation "y"
WITH RECURSIVE y AS (SELECT * FROM y UNION ALL SELECT * FROM y) FROM y

-- relation "inner_name"
SELECT * FROM (WITH inner_name AS (SELECT 1) FROM inner_name), inner_name

-- relation "later"
WITH a AS (FROM later), later AS (SELECT 1) FROM a

-- relation name "duckdb_settings"
WITH duckdb_settings AS (SELECT 1) FROM duckdb_settings

-- relation "information_schema.tables"
SELECT * FROM information_schema.tables

-- relation "pg_catalog.pg_class"
SELECT * FROM pg_catalog.pg_class

-- relation "sqlite_master"
SELECT * FROM sqlite_master

-- relation "duckdb_views"
SELECT * FROM duckdb_views

-- relation "main.spans"
SELECT * FROM main.spans

-- relation "segment_1.main.spans"
SELECT * FROM segment_1.main.spans

-- relation "secrets"
SELECT (SELECT count(*) FROM secrets)

-- relation "secrets"
SELECT * FROM spans WHERE EXISTS (SELECT 1 FROM secrets)

-- relation "secrets"
SELECT list_transform([1], x -> (SELECT max(a) FROM secrets)) FROM spans

-- table function duckdb_settings()
SELECT * FROM duckdb_settings()

-- table function duckdb_secrets()
SELECT * FROM duckdb_secrets()

-- table function duckdb_databases()
SELECT path FROM duckdb_databases()

-- table function duckdb_functions()
SELECT * FROM duckdb_functions()

-- table function pragma_table_info()
SELECT * FROM pragma_table_info('spans')

-- table function pragma_storage_info()
SELECT * FROM pragma_storage_info('spans')

-- table function duckdb_logs()
SELECT * FROM duckdb_logs()

-- table function which_secret()
FROM which_secret('s3://x', 's3')

-- table function seq_scan()
FROM seq_scan('spans')

-- table function histogram()
FROM histogram('spans', kind)

-- table function enable_logging()
FROM enable_logging()

-- function getenv()
SELECT getenv('HOME')

-- function getenv()
SELECT "getenv"('AWS_SECRET_ACCESS_KEY')

-- function system.main.getenv()
SELECT system.main.getenv('HOME')

-- function getenv()
SELECT 'HOME'.getenv()

-- function name.getenv()
SELECT name.getenv() FROM spans

-- function getenv()
SELECT list_transform(['HOME'], x -> getenv(x))

-- function getenv()
SELECT * REPLACE (getenv('HOME') AS name) FROM spans

-- function getenv()
SELECT count(*) FILTER (WHERE getenv('HOME') = 'x') FROM spans

-- function getenv()
SELECT row_number() OVER (ORDER BY getenv('HOME')) FROM spans

-- function getenv()
SELECT sum(1 ORDER BY getenv('x')) FROM spans

-- function getenv()
SELECT * FROM spans ORDER BY getenv('HOME')

-- function getenv()
SELECT * FROM spans LIMIT (SELECT length(getenv('HOME')))

-- function getenv()
SELECT * FROM spans JOIN logs ON getenv('HOME') = 'x'

-- function getenv()
VALUES (getenv('HOME'))

-- function getenv()
PIVOT spans ON getenv(name) USING count(*)

-- function getenv()
FROM generate_series(1, length(getenv('HOME')))

-- function getenv()
DESCRIBE SELECT getenv('HOME')

-- function getenv()
EXPLAIN SELECT getenv('HOME')

-- function current_setting()
SELECT current_setting('temp_directory')

-- function getvariable()
SELECT getvariable('x')

-- function nextval()
SELECT nextval('s')

-- function setseed()
SELECT setseed(0.5)

-- function sleep_ms()
SELECT sleep_ms(100000)

-- function pg_sleep()
SELECT pg_sleep(1000)

-- function write_log()
SELECT write_log('x')

-- function finalize()
SELECT finalize('x'::BLOB)

-- EXPORT_STATE
SELECT sum(duration_ns) EXPORT_STATE FROM spans

-- without a schema
SELECT system.main.range(1000000000)

-- without a schema
SELECT sql_functions.now()

-- inside a lambda
SELECT list_transform([1], x -> repeat('a', 100000))

-- constant format
SELECT printf('%' || 1000000000 || 'd', 1)

-- constant format
SELECT format('{:>{}}', 'x', 1000000000)

-- constant format
SELECT printf('%1000000000d', 1)

-- parameters are not allowed
SELECT ?

-- parameters are not allowed
SELECT * FROM spans WHERE name = $name

-- SHOW is allowed as SHOW TABLES
SHOW DATABASES

-- SHOW is allowed as SHOW TABLES
SELECT * FROM (SHOW DATABASES)

-- statement of its own
SELECT * FROM (SHOW ALL TABLES)

-- statement of its own
SELECT count(*) FROM (SHOW TABLES)

-- statement of its own
SELECT * FROM (SHOW TABLES) WHERE name = 'spans'

-- statement of its own
SELECT name FROM (DESCRIBE) LIMIT 1

-- statement of its own
SELECT (SHOW TABLES)

-- statement of its own
FROM (SHOW TABLES) JOIN spans USING (name)

-- statement of its own
WITH lists AS (SHOW TABLES) SELECT count(*) FROM lists

-- statement of its own
SHOW TABLES UNION ALL SHOW TABLES

-- statement of its own
DESCRIBE SHOW TABLES

-- AT (time travel)
SELECT * FROM spans AT (VERSION => 1)

-- name its values
SELECT 1 UNION ALL PIVOT spans ON kind USING count(*)

-- getenv
SELECT * FROM (PIVOT spans ON getenv(name) USING count(*))

-- read_text
WITH t AS (FROM read_text('x')) SELECT * FROM (PIVOT t ON content USING count(*))

-- getenv
WITH p AS (PIVOT (SELECT getenv('x') AS a) ON a USING count(*)) FROM p

-- the type "main.mood"
SELECT 'x'::main.mood

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE start_time > '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE s.start_time <= '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE '2026-01-01T00:00:00+02:00' < end_time

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE START_TIME BETWEEN '2026-01-01' AND '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE end_time NOT IN ('2026-01-01', '2026-01-01T00:00:00+02:00')

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE end_time IS DISTINCT FROM '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE coalesce(end_time, '2026-01-01T00:00:00+02:00') > now()

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE date_trunc('hour', start_time) = '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE (start_time + INTERVAL 1 HOUR)::TIMESTAMP_NS > '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE start_time > TIMESTAMP '2026-01-01T00:00:00+02:00'

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE start_time > CAST('2026-01-01T00:00:00+02:00' AS TIMESTAMP_NS)

-- write the time in UTC with Z, or (TIMESTAMPTZ '2026-01-01T00:00:00+02:00')::TIMESTAMP
SELECT count(*) FROM spans s WHERE start_time > try_cast('2026-01-01T00:00:00+02:00' AS datetime)

-- without its zone +02:00
SELECT date_diff('minute', start_time, '2026-01-01T00:00:00+02:00') FROM spans

-- without its zone +02:00
SELECT service_name FROM spans GROUP BY ALL HAVING max(start_time) > '2026-01-01T00:00:00+02:00'

-- without its zone +02:00
WITH late AS (SELECT * FROM logs WHERE observed_time > '2026-01-01T00:00:00+02:00') SELECT count(*) FROM late

-- without its zone +02:00
SELECT CASE time WHEN '2026-01-01T00:00:00+02:00' THEN 1 END FROM logs

-- without its zone +02
EXPLAIN SELECT * FROM red WHERE bucket_start >= '2026-01-01 00:00:00+02'

-- without its zone Europe/Berlin: write the time in UTC with Z
SELECT * FROM red WHERE bucket_start >= '2026-01-01 00:00:00 Europe/Berlin'
