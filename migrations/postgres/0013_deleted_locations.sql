-- The version at which the location was deleted. It is deleted for as long as that is its version: whatever uses it later, also
-- a server of the version before, gives it another. So its fence and its version go on growing, which servers rely on.
ALTER TABLE perfreg_locations ADD COLUMN deleted_version BIGINT;
