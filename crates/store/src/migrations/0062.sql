-- From where on `check_webhook_system_health` warns (S6.3). The first three are the alerts' limits, written down by each start of the engine as `[alerts]` has
-- them; the others an operator sets here: UPDATE settings SET value = 30 WHERE name = 'health_failed_sends_24h'.
INSERT INTO settings (name, value) VALUES ('health_stuck_conversations', 5), ('health_dead_letters_pending', 10), ('health_p95_processing_ms', 2000),
    ('health_oldest_waiting_job_seconds', 60), ('health_channels_paused', 0), ('health_failed_sends_24h', 10);

{postgres}
-- A limit of 0 that `[alerts]` sets means never, as it does there; of a count that an operator sets here it means that one is too many.
CREATE OR REPLACE FUNCTION check_webhook_system_health() RETURNS TABLE (name text, status text, value numeric, threshold numeric) LANGUAGE sql STABLE AS $$
    SELECT c.name, CASE WHEN c.value > s.value AND NOT (c.never AND s.value = 0) THEN 'warning' ELSE 'ok' END, c.value, s.value::numeric FROM (
        SELECT 1 AS place, 'stuck_conversations' AS name, (SELECT COUNT(*) FROM stuck_webhook_conversations)::numeric AS value, true AS never
        UNION ALL SELECT 2, 'dead_letters_pending', (SELECT COUNT(*) FROM webhook_dlq WHERE resolution_status = 'pending'), true
        UNION ALL SELECT 3, 'p95_processing_ms', (SELECT COALESCE(s.p95_processing_ms, 0) FROM get_webhook_performance_stats(1) s), true
        UNION ALL SELECT 4, 'oldest_waiting_job_seconds', (SELECT COALESCE(GREATEST(ROUND(EXTRACT(EPOCH FROM now() - MIN(j.run_at))::numeric, 3), 0), 0)
            FROM outbound_jobs j WHERE j.status = 'queued'), false
        UNION ALL SELECT 5, 'channels_paused', (SELECT COUNT(*) FROM channels h WHERE h.state = 'paused' AND (barid_all_tenants() OR h.tenant_id = barid_tenant())), false
        UNION ALL SELECT 6, 'failed_sends_24h', (SELECT s.failed_sends_count FROM get_webhook_performance_stats(24) s), false
    ) c JOIN settings s ON s.name = 'health_' || c.name ORDER BY c.place
$$;

-- Puts a table under the rule of what belongs to the installation: only the engine's own operations see it, none that is bound to a tenant. Tables of later
-- versions call it, as those with rows of tenants call barid_guard.
CREATE FUNCTION barid_guard_engine(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
    EXECUTE format('CREATE POLICY engine ON %s USING ((SELECT barid_all_tenants()))', relation);
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO barid_app', relation);
    END IF;
END $$;
{end}
