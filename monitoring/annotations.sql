-- Paints the runs of the registry over any dashboard: an annotation query of Grafana's PostgreSQL data source. Each run is a region
-- from its start to its end, or to now while it runs.
SELECT start_time AS time,
       coalesce(end_time, now()) AS timeend,
       'run ' || run_id || ': ' || test || ' by ' || triggered_by AS text,
       concat_ws(',', location, environment, stream, status) AS tags
  FROM test_executions
 WHERE start_time <= $__timeTo() AND coalesce(end_time, now()) >= $__timeFrom()
   AND status <> 'queued' AND (fence IS NOT NULL OR queued_at IS NULL)
 ORDER BY start_time DESC
 LIMIT 1000
