-- Several nodes on one database, and row-level security: both on PostgreSQL alone.

{postgres}
-- Which process uses which node number: the ids that it makes carry it.
CREATE TABLE nodes (
    number {int} PRIMARY KEY,
    owner TEXT NOT NULL,
    seen_at {int} NOT NULL
);

-- The role of operations owns nothing, so that policies bind it even where the login role is a superuser. Where the login role may not make roles,
-- policies bind the login role itself (FORCE), and `barid doctor` says so.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        CREATE ROLE barid_app NOLOGIN;
    END IF;
    EXECUTE format('GRANT barid_app TO %I', current_user);
EXCEPTION
    WHEN insufficient_privilege THEN RAISE NOTICE 'barid_app: this role may not make roles';
    WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Whose rows a transaction may see: one tenant's number, or 'all' for the engine itself. Nothing said: none.
CREATE FUNCTION barid_all_tenants() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(current_setting('barid.tenant', true) = 'all', false) $$;
CREATE FUNCTION barid_tenant() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN current_setting('barid.tenant', true) ~ '^[0-9]{1,18}$' THEN current_setting('barid.tenant', true)::bigint END $$;

-- Puts a table under the rule; tables of later versions call it too.
CREATE FUNCTION barid_guard(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mine text;
    has text[] := ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped);
BEGIN
    mine := CASE
        WHEN relation = 'tenants'::regclass THEN 'id = (SELECT barid_tenant())'
        WHEN 'tenant_id' = ANY (has) THEN 'tenant_id = (SELECT barid_tenant())'
        ELSE 'channel_id IN (SELECT id FROM channels)' END;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
    EXECUTE format('CREATE POLICY tenant ON %s USING ((SELECT barid_all_tenants()) OR %s)', relation, mine);
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO barid_app', relation);
    END IF;
END $$;

SELECT barid_guard(t::regclass) FROM unnest(ARRAY['tenants', 'channels', 'contacts', 'contact_keys', 'leads', 'conversations', 'messages', 'inbox', 'jobs',
    'outbox', 'attempts', 'receipts', 'events', 'dead_letters', 'transitions', 'notifications']) AS t;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO barid_app', current_schema());
        GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO barid_app;
        GRANT SELECT ON schema_version TO barid_app;
    END IF;
END $$;
{end}
