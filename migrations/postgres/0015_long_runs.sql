-- What ran beside a run is found among all that started in the hour before it, and in this index of those that took longer.
CREATE INDEX perfreg_executions_long ON test_executions (location, start_time)
    WHERE length(location) <= 400 AND end_time - start_time >= INTERVAL '1 hour';
