-- What receipts are signed with, by which runs that the database has forgotten are taken back in.
ALTER TABLE perfreg_registry ADD COLUMN receipt_key BYTEA;
UPDATE perfreg_registry
   SET receipt_key = decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
