\set location random(1, :locations)
BEGIN;
UPDATE location SET used = used + 0 WHERE id = :location RETURNING used;
INSERT INTO run (id, repo, lac, stream, test, type, environment, triggered_by, status, start_time, factor, dashboard_url, location)
VALUES (gen_random_uuid(), 'myrepo', 'lac1', 'main', 'load', 'performance', 'prod', 'user1', 'running', now(), 0, 'https://dashboard.example.com/run/123', 'azure-k8s');
END;
