-- The heard_at for which lease_expires_at says when a waiter is expected again. The version before writes heard_at alone.
ALTER TABLE test_executions ADD COLUMN noted_at TEXT;
-- By when a waiter that runs has to be told so; NULL while it waits, and once it was told. The version before leaves it as
-- it is when it tells a start, so no start has one whose waiter such a server has heard last.
ALTER TABLE test_executions ADD COLUMN tell_by TEXT;
