-- A profile is what a list can be searched by, all of it together: pipelines run the same tests again
-- and again, so there are few. A search is decided among them, and finds executions by one index.
-- The id is made of the texts, so that nobody has to ask for it: the first half of the SHA-256 of each
-- text behind its length in bytes, with a hyphen where there is no location.
CREATE TABLE perfreg_profiles (
    id           UUID PRIMARY KEY,
    repo         TEXT NOT NULL,
    lac          TEXT NOT NULL,
    stream       TEXT NOT NULL,
    test         TEXT NOT NULL,
    type         TEXT NOT NULL,
    environment  TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    location     TEXT
);

-- Whoever inserts executions by hand leaves the profile empty; the next server that starts fills it in.
ALTER TABLE test_executions ADD COLUMN profile UUID;

-- Each costs every registration or every end, and the one below does what they did.
DROP INDEX perfreg_executions_alike;
DROP INDEX perfreg_executions_succeeded;
DROP INDEX perfreg_executions_running;
DROP INDEX perfreg_executions_leased;

-- Writes the table anew, which leaves no dead rows behind as an UPDATE would.
ALTER TABLE test_executions ALTER COLUMN profile TYPE UUID USING encode(substring(sha256(convert_to(
    octet_length(repo) || ':' || repo || octet_length(lac) || ':' || lac || octet_length(stream) || ':' || stream
    || octet_length(test) || ':' || test || octet_length(type) || ':' || type
    || octet_length(environment) || ':' || environment || octet_length(triggered_by) || ':' || triggered_by
    || coalesce(octet_length(location) || ':' || location, '-'), 'UTF8')) FOR 16), 'hex')::uuid;

INSERT INTO perfreg_profiles (id, repo, lac, stream, test, type, environment, triggered_by, location)
SELECT profile, min(repo), min(lac), min(stream), min(test), min(type), min(environment), min(triggered_by), min(location)
  FROM test_executions
 GROUP BY profile;

-- Only searches name the length: a longer text is no term, and would not fit into the index.
CREATE INDEX perfreg_profiles_repo ON perfreg_profiles (repo) WHERE length(repo) <= 400;
CREATE INDEX perfreg_profiles_lac ON perfreg_profiles (lac) WHERE length(lac) <= 400;
CREATE INDEX perfreg_profiles_stream ON perfreg_profiles (stream) WHERE length(stream) <= 400;
CREATE INDEX perfreg_profiles_test ON perfreg_profiles (test) WHERE length(test) <= 400;
CREATE INDEX perfreg_profiles_type ON perfreg_profiles (type) WHERE length(type) <= 400;
CREATE INDEX perfreg_profiles_environment ON perfreg_profiles (environment) WHERE length(environment) <= 400;
CREATE INDEX perfreg_profiles_triggered_by ON perfreg_profiles (triggered_by) WHERE length(triggered_by) <= 400;
CREATE INDEX perfreg_profiles_location ON perfreg_profiles (location) WHERE length(location) <= 400;

CREATE INDEX perfreg_executions_profile ON test_executions (status, profile, start_time, run_id);
-- Those without success are the few that people look for, whatever they were.
CREATE INDEX perfreg_executions_unsuccessful ON test_executions (status, start_time, run_id)
    WHERE status = 'failure' OR status = 'cancelled';
CREATE INDEX perfreg_executions_running ON test_executions (location, lease_seconds) WHERE status = 'running';

ANALYZE test_executions;
ANALYZE perfreg_profiles;
