-- By when a waiter that runs has to be told so; NULL while it waits, and once it was told. The version before tells every
-- start and leaves this as it is, so that the lease says as well whether a start was told.
ALTER TABLE test_executions ADD COLUMN tell_by TEXT;
