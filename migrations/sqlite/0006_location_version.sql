-- Grows with every change at the location, of its row or of a run, so that a server knows whether
-- what it remembers of those who wait and run there still holds.
ALTER TABLE perfreg_locations ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
