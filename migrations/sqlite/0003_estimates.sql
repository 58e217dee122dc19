-- How long a test was expected to run when it was registered, and what tells it of the next ones.
ALTER TABLE test_executions ADD COLUMN expected_seconds INTEGER;

CREATE INDEX perfreg_executions_alike ON test_executions (repo, test, type, environment, end_time)
    WHERE status = 'success';
CREATE INDEX perfreg_executions_succeeded ON test_executions (location, end_time) WHERE status = 'success';
