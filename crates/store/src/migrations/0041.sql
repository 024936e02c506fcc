-- What operators may change (S2.5, S6.3): when a dead letter is tried again; and on PostgreSQL the functions under their names.

{sqlite}
-- A text as SQLite's own functions write it (`datetime('now')`), or seconds since 1970.
CREATE TRIGGER webhook_dlq_retry INSTEAD OF UPDATE OF next_retry_at ON webhook_dlq
BEGIN
    SELECT RAISE(ABORT, 'next_retry_at is neither a time (datetime(''now'')) nor a number of seconds since 1970')
    WHERE NEW.next_retry_at IS NOT NULL AND typeof(NEW.next_retry_at) NOT IN ('integer', 'real') AND julianday(NEW.next_retry_at) IS NULL;
    UPDATE dead_letters SET next_retry_at = CASE
        WHEN typeof(NEW.next_retry_at) IN ('integer', 'real') THEN CAST(NEW.next_retry_at * 1000000 AS INTEGER)
        ELSE CAST(ROUND((julianday(NEW.next_retry_at) - 2440587.5) * 86400000) AS INTEGER) * 1000 END
    WHERE id = OLD.id AND status = 'pending';
END;
{end}

{postgres}
CREATE FUNCTION barid_retry_letter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'next_retry_at') IS DISTINCT FROM (to_jsonb(OLD) - 'next_retry_at') THEN
        RAISE EXCEPTION 'of webhook_dlq only next_retry_at can be changed' USING ERRCODE = '55000';
    END IF;
    UPDATE dead_letters SET next_retry_at = barid_micros(NEW.next_retry_at) WHERE id = OLD.id AND status = 'pending';
    -- The engine looks when it is told; without this it would at its next look by itself.
    PERFORM pg_notify('barid_work', 'webhook_dlq');
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_dlq_retry INSTEAD OF UPDATE ON webhook_dlq FOR EACH ROW EXECUTE FUNCTION barid_retry_letter();

-- Takes the lease that workers take, with a fence of its own: while it lasts no worker takes the conversation, and what one wrote under an older
-- fence is refused. Whoever holds it already prolongs it. False: someone else has it, or there is no such conversation.
CREATE FUNCTION acquire_conversation_lock(conversation bigint, lock_id text, seconds integer DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    moment bigint;
    lasts bigint;
BEGIN
    IF COALESCE(lock_id, '') = '' OR seconds < 1 OR seconds > 86400 THEN
        RAISE EXCEPTION 'a lock needs a lock_id and lasts 1 to 86400 seconds' USING ERRCODE = '22023';
    END IF;
    -- As the engine's own writes do: not beside an operation that is alone in the cluster.
    PERFORM pg_advisory_xact_lock_shared(22743, 0);
    PERFORM 1 FROM conversation v WHERE v.id = acquire_conversation_lock.conversation FOR NO KEY UPDATE;
    moment := barid_micros(clock_timestamp());
    lasts := COALESCE(seconds * 1000000::bigint, (SELECT s.value FROM settings s WHERE s.name = 'lease'), 120000000);
    UPDATE conversation v SET lease_owner = 'lock:' || lock_id, lease_until = moment + lasts,
        leased_at = CASE WHEN v.lease_owner = 'lock:' || lock_id AND v.lease_until > moment THEN v.leased_at ELSE moment END,
        fence = CASE WHEN v.lease_owner = 'lock:' || lock_id AND v.lease_until > moment THEN v.fence ELSE v.fence + 1 END
    WHERE v.id = acquire_conversation_lock.conversation AND (v.lease_until <= moment OR v.lease_owner = 'lock:' || lock_id);
    RETURN FOUND;
END $$;

-- Gives it back; false: it was not held (any more).
CREATE FUNCTION release_conversation_lock(conversation bigint, lock_id text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    held boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(22743, 0);
    PERFORM 1 FROM conversation v WHERE v.id = release_conversation_lock.conversation FOR NO KEY UPDATE;
    UPDATE conversation v SET lease_owner = NULL, lease_until = 0
    WHERE v.id = release_conversation_lock.conversation AND v.lease_owner = 'lock:' || lock_id AND v.lease_until > barid_micros(clock_timestamp());
    held := FOUND;
    -- What came meanwhile is due.
    PERFORM pg_notify('barid_work', 'release_conversation_lock');
    RETURN held;
END $$;

-- What the janitor does of itself every 5 minutes: frees leases that ran out, and makes due what has open work. How many conversations it helped.
CREATE FUNCTION cleanup_stuck_webhook_conversations() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moment bigint;
    freed bigint[];
    woken bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(22743, 0);
    moment := barid_micros(clock_timestamp());
    WITH free AS (
        UPDATE conversation SET lease_owner = NULL, lease_until = 0 WHERE id IN (
            SELECT id FROM conversation WHERE lease_owner IS NOT NULL AND lease_until <= moment FOR NO KEY UPDATE SKIP LOCKED) RETURNING id)
    SELECT array_agg(id) INTO freed FROM free;
    WITH wake AS (
        UPDATE conversation SET next_due = moment WHERE id IN (
            SELECT v.id FROM conversation v WHERE v.next_due IS NULL AND v.lease_until <= moment AND v.id IN (
                SELECT j.conversation_id FROM jobs j WHERE j.state IN ('queued', 'running')
                UNION SELECT o.conversation_id FROM outbox o JOIN channels h ON h.id = o.channel_id
                WHERE o.due_at <= moment AND h.state = 'ready')
            FOR NO KEY UPDATE SKIP LOCKED) RETURNING id)
    SELECT array_agg(id) INTO woken FROM wake;
    PERFORM pg_notify('barid_work', 'cleanup_stuck_webhook_conversations');
    RETURN (SELECT COUNT(DISTINCT id) FROM unnest(COALESCE(freed, '{}') || COALESCE(woken, '{}')) AS id);
END $$;

-- The figures of the last hours; a time is from stored to done.
CREATE FUNCTION get_webhook_performance_stats(hours integer DEFAULT 24) RETURNS TABLE (
    since timestamptz, received_count bigint, processed_count bigint, failed_count bigint, retried_count bigint, success_rate numeric,
    avg_processing_ms numeric, p95_processing_ms numeric, p99_processing_ms numeric, replies_count bigint, sent_count bigint,
    delivered_count bigint, failed_sends_count bigint, dead_letter_count bigint)
LANGUAGE sql STABLE AS $$
    WITH ago AS (SELECT now() - make_interval(hours => hours) AS since),
         job AS (SELECT j.status, j.attempts, EXTRACT(EPOCH FROM j.completed_at - j.created_at) * 1000 AS took
                 FROM outbound_jobs j, ago WHERE j.completed_at >= ago.since),
         done AS (SELECT COUNT(*) FILTER (WHERE status = 'done') AS well, COUNT(*) FILTER (WHERE status IN ('dead', 'failed')) AS badly,
                         COUNT(*) FILTER (WHERE attempts > 1) AS again, ROUND((AVG(took) FILTER (WHERE status = 'done'))::numeric, 3) AS mean,
                         ROUND((percentile_disc(0.95) WITHIN GROUP (ORDER BY took) FILTER (WHERE status = 'done'))::numeric, 3) AS p95,
                         ROUND((percentile_disc(0.99) WITHIN GROUP (ORDER BY took) FILTER (WHERE status = 'done'))::numeric, 3) AS p99 FROM job),
         said AS (SELECT COUNT(*) FILTER (WHERE m.direction = 'inbound') AS heard,
                         COUNT(*) FILTER (WHERE m.direction = 'outbound' AND m.sender_type = 'AI') AS replies,
                         COUNT(*) FILTER (WHERE m.direction = 'outbound' AND m.status IN ('sent', 'delivered', 'read', 'played')) AS sent,
                         COUNT(*) FILTER (WHERE m.direction = 'outbound' AND m.status IN ('delivered', 'read', 'played')) AS delivered,
                         COUNT(*) FILTER (WHERE m.direction = 'outbound' AND m.status IN ('failed', 'held')) AS failed
                  FROM messages m, ago WHERE m."timestamp" >= ago.since),
         dead AS (SELECT COUNT(*) AS letters FROM webhook_dlq q, ago WHERE q.updated_at >= ago.since)
    SELECT ago.since, said.heard, done.well, done.badly, done.again,
           CASE WHEN done.well + done.badly = 0 THEN 1 ELSE ROUND(done.well::numeric / (done.well + done.badly), 4) END,
           done.mean, done.p95, done.p99, said.replies, said.sent, said.delivered, said.failed, dead.letters
    FROM ago, done, said, dead
$$;

-- What S6.6 raises alerts for, as far as the database knows it.
CREATE FUNCTION check_webhook_system_health() RETURNS TABLE (name text, status text, value numeric, threshold numeric) LANGUAGE sql STABLE AS $$
    SELECT c.name, CASE WHEN c.value > c.threshold THEN 'warning' ELSE 'ok' END, c.value, c.threshold FROM (
        SELECT 1 AS place, 'stuck_conversations' AS name, (SELECT COUNT(*) FROM stuck_webhook_conversations)::numeric AS value, 5::numeric AS threshold
        UNION ALL SELECT 2, 'dead_letters_pending', (SELECT COUNT(*) FROM webhook_dlq WHERE resolution_status = 'pending'), 10
        UNION ALL SELECT 3, 'p95_processing_ms', (SELECT COALESCE(s.p95_processing_ms, 0) FROM get_webhook_performance_stats(1) s), 2000
        UNION ALL SELECT 4, 'oldest_waiting_job_seconds', (SELECT COALESCE(GREATEST(ROUND(EXTRACT(EPOCH FROM now() - MIN(j.run_at))::numeric, 3), 0), 0)
            FROM outbound_jobs j WHERE j.status = 'queued'), 60
        UNION ALL SELECT 5, 'channels_paused', (SELECT COUNT(*) FROM channels h WHERE h.state = 'paused' AND (barid_all_tenants() OR h.tenant_id = barid_tenant())), 0
        UNION ALL SELECT 6, 'failed_sends_24h', (SELECT s.failed_sends_count FROM get_webhook_performance_stats(24) s), 10
    ) c ORDER BY c.place
$$;

-- Operators' own role: the views, and what the functions need. `GRANT barid_operator TO mona; ALTER ROLE mona SET barid.tenant = 'all'`.
DO $$
DECLARE
    relation text;
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_operator') THEN
            CREATE ROLE barid_operator NOLOGIN;
        END IF;
    EXCEPTION
        WHEN insufficient_privilege THEN RAISE NOTICE 'barid_operator: this role may not make roles';
        WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_operator') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO barid_operator', current_schema());
        FOR relation IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace LOOP
            EXECUTE format('GRANT SELECT ON %I TO barid_operator', relation);
        END LOOP;
        GRANT UPDATE (next_retry_at) ON webhook_dlq TO barid_operator;
        GRANT SELECT ON conversation, dead_letters, jobs, outbox, channels, settings, schema_version TO barid_operator;
        GRANT UPDATE (next_retry_at) ON dead_letters TO barid_operator;
        GRANT UPDATE (lease_owner, lease_until, leased_at, fence, next_due) ON conversation TO barid_operator;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        FOR relation IN SELECT c.relname FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace LOOP
            EXECUTE format('GRANT SELECT ON %I TO barid_app', relation);
        END LOOP;
        GRANT UPDATE (next_retry_at) ON webhook_dlq TO barid_app;
    END IF;
END $$;
{end}
