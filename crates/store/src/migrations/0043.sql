-- Webhooks that were accepted while the database was away (S1.9). Used in the file beside a node of PostgreSQL, which is a database like any other;
-- empty everywhere else. `error` is why a body cannot be stored: it is kept for a person.
CREATE TABLE spool (
    id {id},
    request_id TEXT NOT NULL,
    arrivals TEXT NOT NULL,
    size {int} NOT NULL,
    received_at {int} NOT NULL,
    error TEXT
);

{postgres}
ALTER TABLE spool ENABLE ROW LEVEL SECURITY;
ALTER TABLE spool FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON spool USING ((SELECT barid_all_tenants()));
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON spool TO barid_app;
    END IF;
END $$;
{end}
