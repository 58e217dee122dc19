-- What keeps leases, fences and run_ids right when the registry was away, or forgot.
-- When a server last wrote that it can, while anybody has a lease or waits.
ALTER TABLE perfreg_registry ADD COLUMN pulse_at TIMESTAMP WITH TIME ZONE;
-- From when on a silence counts at the earliest.
ALTER TABLE perfreg_registry ADD COLUMN resumed_at TIMESTAMP WITH TIME ZONE;
-- No start is given a smaller fence.
ALTER TABLE perfreg_registry ADD COLUMN fence_floor BIGINT NOT NULL DEFAULT 0;
-- Which of the server's timelines this was written on, and which was the first. Every promotion of a standby begins another.
ALTER TABLE perfreg_registry ADD COLUMN timeline BIGINT;
ALTER TABLE perfreg_registry ADD COLUMN first_timeline BIGINT;
