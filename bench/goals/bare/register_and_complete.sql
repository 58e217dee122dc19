BEGIN;
UPDATE location SET used = used + 0.5 WHERE id = 1 RETURNING used;
INSERT INTO run (id, repo, lac, stream, test, type, environment, triggered_by, status, start_time, factor, dashboard_url, location)
VALUES (gen_random_uuid(), 'myrepo', 'lac1', 'main', 'load', 'performance', 'prod', 'user1', 'running', now(), 0.5, 'https://dashboard.example.com/run/123', 'azure-k8s')
RETURNING run_id \gset
END;
BEGIN;
UPDATE location SET used = used - 0.5 WHERE id = 1 RETURNING used;
UPDATE run SET status = 'success', end_time = now() WHERE run_id = :run_id;
END;
