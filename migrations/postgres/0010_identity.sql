-- Which tables this row was written in, so that one that came with a dump into others is noticed.
ALTER TABLE perfreg_registry ADD COLUMN identity TEXT;
