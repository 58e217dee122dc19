-- What a profile has is found in whatever status at once, instead of in each of the five by itself.
CREATE INDEX perfreg_executions_newest_of_profile ON test_executions (profile, start_time, run_id);

-- Those that wait or run are found by their own indexes, which leaves a start as many entries as before. No statement
-- names an index, so the version before works without this one, only slower where it lists what runs.
DROP INDEX perfreg_executions_profile;
CREATE INDEX perfreg_executions_profile ON test_executions (status, profile, start_time, run_id)
    WHERE status = 'success' OR status = 'failure' OR status = 'cancelled';
