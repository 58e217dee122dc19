-- What receipts are signed with, by which runs that the database has forgotten are taken back in.
ALTER TABLE perfreg_registry ADD COLUMN receipt_key BLOB;
UPDATE perfreg_registry SET receipt_key = randomblob(32);
