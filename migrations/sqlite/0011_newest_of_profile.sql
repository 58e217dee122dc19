-- What a profile has is found in whatever status at once, instead of in each of the five by itself.
-- perfreg_executions_profile stays as it is, since the version before names it in its statements.
CREATE INDEX perfreg_executions_newest_of_profile ON test_executions (profile, start_time, run_id);
