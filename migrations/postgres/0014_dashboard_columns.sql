-- What dashboards of the original's successor read, filled with the fields of these names that clients send. An adopted table
-- may have them already, in types of its own. The version before leaves them empty.
ALTER TABLE test_executions
    ADD COLUMN IF NOT EXISTS execution_type VARCHAR,
    ADD COLUMN IF NOT EXISTS script_version VARCHAR,
    ADD COLUMN IF NOT EXISTS tool           VARCHAR,
    ADD COLUMN IF NOT EXISTS workers        JSONB,
    ADD COLUMN IF NOT EXISTS container_name VARCHAR;
