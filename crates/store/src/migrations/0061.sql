-- What a message costs on PostgreSQL (docs/decisions/0061-what-a-statement-costs.md).

{postgres}
-- The rule is asked for every table of every statement, so it must be an expression that the planner can put into the statement: a function with a
-- subquery is planned anew each time, which cost more than the statements themselves. Who owns the tables is asked only where no tenant is said.
CREATE FUNCTION barid_owner() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT current_setting('is_superuser') = 'on' OR EXISTS (
        SELECT 1 FROM pg_class c WHERE c.oid = 'schema_version'::regclass AND c.relowner = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
            AND EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname = 'barid_app' AND pg_has_role(current_user, a.oid, 'MEMBER'))) $$;
CREATE OR REPLACE FUNCTION barid_all_tenants() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(current_setting('barid.tenant', true) = 'all', false)
        OR (COALESCE(current_setting('barid.tenant', true), '') = '' AND barid_owner()) $$;

-- Rows that every message adds name rows that the same operation has just locked or written: looking each of them up once more, and marking it, was a
-- fifth of what they cost. As on SQLite (decision 0011) these references are checked by tests.
ALTER TABLE message DROP CONSTRAINT messages_conversation_id_fkey;
ALTER TABLE jobs DROP CONSTRAINT jobs_conversation_id_fkey, DROP CONSTRAINT jobs_message_id_fkey;
ALTER TABLE outbox DROP CONSTRAINT outbox_message_id_fkey, DROP CONSTRAINT outbox_conversation_id_fkey;
ALTER TABLE attempts DROP CONSTRAINT attempts_message_id_fkey;

-- Room on a page for a row's next version, which then stands beside the old one.
ALTER TABLE conversation SET (fillfactor = 60);
ALTER TABLE message SET (fillfactor = 85);
ALTER TABLE jobs SET (fillfactor = 80);
ALTER TABLE outbox SET (fillfactor = 80);
ALTER TABLE desk SET (fillfactor = 80);
{end}
