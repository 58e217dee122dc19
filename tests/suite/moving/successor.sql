-- A database as the original's successor makes it, with three locations, names that nobody chose well, and a few runs.
CREATE TABLE test_executions (
    id UUID PRIMARY KEY, run_id INTEGER NOT NULL, repo VARCHAR(255) NOT NULL, lac VARCHAR(255) NOT NULL,
    stream VARCHAR(255) NOT NULL, test VARCHAR(255) NOT NULL, type VARCHAR(255) NOT NULL, environment VARCHAR(255) NOT NULL,
    triggered_by VARCHAR(255) NOT NULL, status VARCHAR(50) NOT NULL, start_time TIMESTAMPTZ NOT NULL, end_time TIMESTAMPTZ,
    factor NUMERIC(3,2) NOT NULL, dashboard_url VARCHAR(255), location VARCHAR(255) NOT NULL,
    container_name VARCHAR(255) NOT NULL, execution_type VARCHAR(50) NOT NULL, workers JSONB, tool VARCHAR(50) NOT NULL,
    script_version VARCHAR(8) NOT NULL
);
CREATE TABLE locations (
    id UUID PRIMARY KEY, location VARCHAR(255) NOT NULL, servername VARCHAR(255) NOT NULL, type VARCHAR(32) NOT NULL,
    environment VARCHAR(32) NOT NULL, factor NUMERIC(3,2) NOT NULL, status VARCHAR(10) NOT NULL
);
CREATE TABLE configurations (parameter VARCHAR(255) PRIMARY KEY, value VARCHAR(512) NOT NULL);
INSERT INTO configurations VALUES ('status', 'online'), ('ssh_user', 'loaduser');

INSERT INTO locations
SELECT ('00000000-0000-4000-9000-' || lpad(row_number() OVER ()::text, 12, '0'))::uuid, location, 'gen-' || number, type,
       environment, factor, status
  FROM (VALUES ('on-premise-vm', 'orchestrator', 'PP', 1.0, 'up', 1), ('on-premise-vm', 'worker', 'PP', 1.0, 'up', 3),
               ('on-premise-vm', 'worker', 'QA', 1.0, 'up', 2), ('on-premise-vm', 'worker', 'QA', 1.0, 'down', 1),
               ('azure-vm', 'worker', 'PP', 1.5, 'up', 2), ('aws-vm', 'worker', 'PP', 1.0, 'up', 2),
               ('  spaced out ', 'worker', 'PP', 0.5, 'up', 1), ('spaced out', 'worker', 'PP', 0.25, 'up', 1),
               ('  ', 'worker', 'PP', 1.0, 'up', 1), (E'bell\u0007', 'worker', 'PP', 1.0, 'up', 1),
               ('it''s "quoted"', 'worker', 'PP', 9.99, 'up', 200), ('asleep-vm', 'worker', 'PP', 1.0, 'down', 1),
               ('negative-vm', 'worker', 'PP', -1.0, 'up', 1), ('strange-vm', 'worker', 'PP', 'NaN', 'up', 1))
       AS server (location, type, environment, factor, status, count)
 CROSS JOIN LATERAL generate_series(1, count) AS number;

INSERT INTO test_executions VALUES
    ('00000000-0000-4000-8000-000000000001', 1, 'shop/cart', 'LAC.0001', 'main', 'TEST.0001', 'load-test', 'PP', 'ana', 'passed',
     now() - interval '2 hours', now() - interval '1 hour', 2.0, NULL, 'on-premise-vm', 'brave_turing_1', 'distributed',
     '["gen-1", "gen-2"]', 'jmeter', '1.2.0'),
    ('00000000-0000-4000-8000-000000000002', 2, 'shop/cart', 'LAC.0001', 'main', 'TEST.0002', 'load-test', 'PP', 'ana', 'success',
     now() - interval '2 hours', now() - interval '1 hour', 0.5, NULL, 'azure-vm', 'brave_turing_2', 'local', NULL, 'k6', '1.2.1');
