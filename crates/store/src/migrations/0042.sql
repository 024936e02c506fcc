-- Moving an installation from one database to another (S8.4).

-- Which installation this is, wherever it is moved.
INSERT INTO settings (name, value) VALUES ('installation', {sqlite}ABS(RANDOM() % 9000000000000000){end}{postgres}(random() * 9000000000000000)::bigint{end});

-- Kept in the target: what is moved into it, and how far each table has come. No engine starts on it before it is finished.
CREATE TABLE move_run (
    id {id},
    source {int} NOT NULL,
    started_at {int} NOT NULL,
    finished_at {int}
);
CREATE TABLE move_table (
    name TEXT PRIMARY KEY,
    cursor TEXT NOT NULL,
    copied {int} NOT NULL
);

{postgres}
-- Whether the node works this database, or is a command that only visits it.
ALTER TABLE nodes ADD COLUMN serves {int} NOT NULL DEFAULT 0;

DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['move_run', 'move_table'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY engine ON %I USING ((SELECT barid_all_tenants()))', relation);
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO barid_app', relation);
        END IF;
    END LOOP;
END $$;
{end}
