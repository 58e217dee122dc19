-- A profile is what a list can be searched by, all of it together: pipelines run the same tests again
-- and again, so there are few. A search is decided among them, and finds executions by one index.
-- perfreg_profile() is this program's own: the id is made of the texts, so that nobody has to ask for it.
CREATE TABLE perfreg_profiles (
    id           BLOB PRIMARY KEY,
    repo         TEXT NOT NULL,
    lac          TEXT NOT NULL,
    stream       TEXT NOT NULL,
    test         TEXT NOT NULL,
    type         TEXT NOT NULL,
    environment  TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    location     TEXT
) STRICT, WITHOUT ROWID;

-- Whoever inserts executions by hand leaves the profile empty; the next server that starts fills it in.
ALTER TABLE test_executions ADD COLUMN profile BLOB;

-- Each costs every registration or every end, and the one below does what they did.
DROP INDEX perfreg_executions_alike;
DROP INDEX perfreg_executions_succeeded;
DROP INDEX perfreg_executions_running;
DROP INDEX perfreg_executions_leased;

UPDATE test_executions
   SET profile = perfreg_profile(repo, lac, stream, test, type, environment, triggered_by, location);

INSERT INTO perfreg_profiles (id, repo, lac, stream, test, type, environment, triggered_by, location)
SELECT profile, min(repo), min(lac), min(stream), min(test), min(type), min(environment), min(triggered_by), min(location)
  FROM test_executions
 GROUP BY profile;

CREATE INDEX perfreg_profiles_repo ON perfreg_profiles (repo);
CREATE INDEX perfreg_profiles_lac ON perfreg_profiles (lac);
CREATE INDEX perfreg_profiles_stream ON perfreg_profiles (stream);
CREATE INDEX perfreg_profiles_test ON perfreg_profiles (test);
CREATE INDEX perfreg_profiles_type ON perfreg_profiles (type);
CREATE INDEX perfreg_profiles_environment ON perfreg_profiles (environment);
CREATE INDEX perfreg_profiles_triggered_by ON perfreg_profiles (triggered_by);
CREATE INDEX perfreg_profiles_location ON perfreg_profiles (location);

CREATE INDEX perfreg_executions_profile ON test_executions (status, profile, start_time, run_id);
-- Those without success are the few that people look for, whatever they were.
CREATE INDEX perfreg_executions_unsuccessful ON test_executions (status, start_time, run_id)
    WHERE status = 'failure' OR status = 'cancelled';
CREATE INDEX perfreg_executions_running ON test_executions (location, lease_seconds) WHERE status = 'running';

-- The terms again, numbered, and beside them the runs of three characters in each, so that a text
-- inside others is found without reading all of them.
ALTER TABLE perfreg_terms RENAME TO perfreg_former_terms;
DROP INDEX perfreg_terms_folded;
CREATE TABLE perfreg_terms (
    id     INTEGER PRIMARY KEY,
    field  TEXT NOT NULL,
    term   TEXT NOT NULL,
    folded TEXT NOT NULL,
    UNIQUE (field, term)
) STRICT;
CREATE VIRTUAL TABLE perfreg_trigrams USING fts5 (folded, content = '', tokenize = 'trigram case_sensitive 1');
CREATE TRIGGER perfreg_terms_trigrams AFTER INSERT ON perfreg_terms BEGIN
    INSERT INTO perfreg_trigrams (rowid, folded) VALUES (new.id, new.folded);
END;
INSERT INTO perfreg_terms (field, term, folded) SELECT field, term, folded FROM perfreg_former_terms;
DROP TABLE perfreg_former_terms;
CREATE INDEX perfreg_terms_folded ON perfreg_terms (field, folded);
