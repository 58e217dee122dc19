-- What keeps leases, fences and run_ids right when the registry was away, or forgot.
-- When a server last wrote that it can, while anybody has a lease or waits.
ALTER TABLE perfreg_registry ADD COLUMN pulse_at TEXT;
-- From when on a silence counts at the earliest.
ALTER TABLE perfreg_registry ADD COLUMN resumed_at TEXT;
-- No start is given a smaller fence.
ALTER TABLE perfreg_registry ADD COLUMN fence_floor INTEGER NOT NULL DEFAULT 0;
