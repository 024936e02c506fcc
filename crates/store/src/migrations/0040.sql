-- The relations that operators query (S6.3, SPEC appendix A), as views: one text for both databases. docs/sql.md describes each; a test reads both.
-- Whose rows a view shows says the database: see docs/decisions/0040-operators-sql.md.

-- Since when a conversation is leased: `locked_at`.
ALTER TABLE conversation ADD COLUMN leased_at {int};

-- Times of the configuration that figures need: microseconds. The engine keeps them as they are configured.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value {int} NOT NULL
);
INSERT INTO settings (name, value) VALUES ('keep_ids', 2592000000000), ('lease', 120000000);

{postgres}
-- Who owns the tables could take the rule away, so it does not hide anything from him who asks by hand and says no tenant. The engine's own
-- transactions run under another role, or, where that could not be made, always under the rule.
CREATE OR REPLACE FUNCTION barid_all_tenants() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(current_setting('barid.tenant', true) = 'all', false) OR (
        COALESCE(current_setting('barid.tenant', true), '') = '' AND (current_setting('is_superuser') = 'on' OR EXISTS (
            SELECT 1 FROM pg_class c WHERE c.oid = 'schema_version'::regclass AND c.relowner = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
                AND EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname = 'barid_app' AND pg_has_role(current_user, a.oid, 'MEMBER'))))) $$;

-- A time of a table, and now as tables hold it.
CREATE FUNCTION barid_time(micros bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT to_timestamp(micros / 1000000.0) $$;
CREATE FUNCTION barid_micros(at timestamptz) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT (EXTRACT(EPOCH FROM at) * 1000000)::bigint $$;

DO $$
BEGIN
    -- It holds no tenant's row.
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON settings TO barid_app;
    END IF;
END $$;
{end}

{view messages}
    SELECT m.id AS message_id, m.tenant_id, m.conversation_id, {time m.created_at} AS "timestamp", m.sender AS sender_type, m.body AS message_text,
           m.kind AS message_type, CASE m.direction WHEN 'in' THEN 'inbound' ELSE 'outbound' END AS direction, m.status,
           m.provider_id AS provider_message_id, m.in_reply_to, m.error AS error_message, m.request_id
    FROM message m WHERE {mine m.tenant_id};

{view conversations}
    SELECT v.id AS conversation_id, v.tenant_id, v.contact_id, c.name AS contact_name, c.phone AS phone_number, v.lead_id, v.channel_id,
           v.state AS status, {time v.created_at} AS created_at, {time v.last_message_at} AS updated_at, {time v.closed_at} AS closed_at
    FROM conversation v JOIN contacts c ON c.id = v.contact_id WHERE {mine v.tenant_id};

-- One row for each attempt, and one for each message that waits for its first.
{view sent_messages_log}
    SELECT a.message_id, a.tenant_id, m.conversation_id, a.preview AS message_preview, a.outcome AS status, a.error AS error_message,
           (SELECT COUNT(*) FROM attempts b WHERE b.message_id = a.message_id AND b.id < a.id) AS retry_count, {time a.at} AS "timestamp",
           a.http AS http_status, a.code AS provider_code, m.provider_id AS provider_message_id
    FROM attempts a JOIN message m ON m.id = a.message_id WHERE {mine a.tenant_id}
    UNION ALL
    SELECT m.id, m.tenant_id, m.conversation_id, SUBSTR(m.body, 1, 100), CASE m.status WHEN 'failed' THEN 'failed' ELSE 'saved_only' END, m.error, 0,
           {time m.created_at}, NULL, NULL, NULL
    FROM outbox o JOIN message m ON m.id = o.message_id
    WHERE m.status IN ('pending', 'held', 'failed') AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = o.message_id) AND {mine o.tenant_id};

{view whatsapp_messages}
    SELECT COALESCE(m.provider_id, CAST(m.id AS TEXT)) AS message_id, m.tenant_id, m.conversation_id, c.phone AS phone_number,
           CASE m.direction WHEN 'in' THEN 'inbound' ELSE 'outbound' END AS direction, m.body AS content, m.kind AS message_type, m.status,
           {time m.created_at} AS "timestamp"
    FROM message m JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id WHERE {mine m.tenant_id};

-- The lock is the worker's lease: what has run out is no lock.
{view webhook_conversations}
    SELECT v.id AS conversation_id, v.tenant_id, COALESCE(c.phone, c.bsuid, c.username, CAST(c.id AS TEXT)) AS user_id,
           CASE WHEN EXISTS (SELECT 1 FROM dead_letters d WHERE d.conversation_id = v.id AND d.status = 'pending') THEN 'error' ELSE v.state END AS status,
           {time v.last_message_at} AS updated_at,
           CASE WHEN v.lease_until > {now} THEN {time v.leased_at} END AS locked_at,
           CASE WHEN v.lease_until > {now} THEN v.lease_owner END AS locked_by,
           CASE WHEN v.lease_until > {now} THEN {time v.lease_until} END AS locked_until,
           v.fence, {time v.next_due} AS next_due_at
    FROM conversation v JOIN contacts c ON c.id = v.contact_id WHERE {mine v.tenant_id};

{view processed_webhook_messages}
    SELECT i.provider_message_id AS whatsapp_message_id, h.tenant_id, i.channel_id, i.message_id, {time i.received_at} AS processed_at
    FROM inbox i JOIN channels h ON h.id = i.channel_id WHERE {mine h.tenant_id};

-- What waits for its first attempt has not been processed, and is not here.
{view processed_messages}
    SELECT i.provider_message_id AS message_id, v.tenant_id, v.lead_id, v.id AS conversation_id,
           CASE WHEN j.state IN ('dead', 'failed') THEN 'failed' WHEN j.state IN ('queued', 'running') THEN 'retrying' ELSE 'success' END
               AS processing_status,
           {time COALESCE(j.completed_at, j.started_at, i.received_at)} AS processed_at,
           {time i.received_at + (SELECT s.value FROM settings s WHERE s.name = 'keep_ids')} AS expires_at
    FROM inbox i JOIN message m ON m.id = i.message_id JOIN conversation v ON v.id = m.conversation_id LEFT JOIN jobs j ON j.message_id = i.message_id
    WHERE {mine v.tenant_id} AND (j.id IS NULL OR j.state IN ('done', 'dead', 'failed') OR j.attempts > 1 OR (j.attempts = 1 AND j.state = 'queued'));

{view webhook_dlq}
    SELECT d.id, d.tenant_id, d.conversation_id, d.provider_message_id AS whatsapp_message_id, d.error, d.fault AS error_class,
           d.redrives AS retry_count, {time d.next_retry_at} AS next_retry_at, d.status AS resolution_status, {time d.first_at} AS created_at,
           {time d.last_at} AS updated_at, {time d.resolved_at} AS resolved_at, d.resolved_by
    FROM dead_letters d WHERE {mine d.tenant_id};

{view dead_letter_queue}
    SELECT d.provider_message_id AS message_id, d.tenant_id, v.lead_id, d.conversation_id, d.payload AS original_payload, d.error AS error_message,
           d.fault || ': ' || d.error AS error_stack, d.attempts AS attempt_count, {time d.first_at} AS first_attempt_at, {time d.last_at} AS last_attempt_at,
           CASE d.status WHEN 'pending' THEN 'failed' WHEN 'retrying' THEN 'retrying' ELSE 'resolved' END AS status
    FROM dead_letters d JOIN conversation v ON v.id = d.conversation_id WHERE {mine d.tenant_id};

{view outbound_jobs}
    SELECT j.id AS job_id, j.tenant_id, j.conversation_id, j.message_id AS inbound_message_id, m.provider_id AS inbound_provider_message_id, j.kind,
           j.state AS status, {time j.run_at} AS run_at, j.attempts, j.max_attempts, j.error, j.outcome, j.request_id,
           {time j.created_at} AS created_at, {time j.started_at} AS started_at, {time j.completed_at} AS completed_at
    FROM jobs j LEFT JOIN message m ON m.id = j.message_id WHERE {mine j.tenant_id};

{view outbound_message_log}
    SELECT o.message_id, o.tenant_id, o.conversation_id, o.dedupe_key, m.provider_id AS provider_message_id, m.status, o.attempts,
           m.possible_duplicate, {time o.due_at} AS due_at, {time o.created_at} AS created_at
    FROM outbox o JOIN message m ON m.id = o.message_id WHERE {mine o.tenant_id};

{view conversation_state_transitions}
    SELECT t.id AS transition_id, t.tenant_id, t.conversation_id, t.from_state, t.to_state, t.reason, t.actor, {time t.at} AS created_at
    FROM transitions t WHERE {mine t.tenant_id};

{view leads}
    SELECT l.id AS lead_id, l.tenant_id, l.contact_id, l.status, l.service, l.source, l.name, l.phone, l.email, l.nationality, l.call_time,
           {time l.created_at} AS created_at, {time l.updated_at} AS updated_at
    FROM lead l WHERE {mine l.tenant_id};

{view notifications}
    SELECT n.id AS notification_id, n.tenant_id, n.kind AS "type", n.title, n.body, {time n.created_at} AS created_at, {time n.read_at} AS read_at,
           {time n.snoozed_until} AS snoozed_until
    FROM notification n WHERE {mine n.tenant_id};

{view tasks}
    SELECT k.id AS task_id, k.lead_id, t.slug AS business_id, k.tenant_id, k.conversation_id, k.task_type, k.title, k.description, k.status, k.priority,
           k.assigned_to_type, k.assigned_to_id, {time k.due_at} AS due_date, k.metadata, k.source, {time k.created_at} AS created_at,
           {time k.updated_at} AS updated_at, {time k.completed_at} AS completed_at
    FROM task k JOIN tenants t ON t.id = k.tenant_id WHERE {mine k.tenant_id};

-- A conversation is stuck when it has had work for 5 minutes that nobody does, or when one holder has had it for 15 minutes.
{view stuck_webhook_conversations}
    SELECT s.conversation_id, s.tenant_id, {time s.since} AS since, s.why, s.locked_by
    FROM (
        SELECT v.id AS conversation_id, v.tenant_id, v.next_due AS since, 'due, and nobody works it' AS why, v.lease_owner AS locked_by
        FROM conversation v WHERE v.next_due < {now} - 300000000 AND v.lease_until <= {now}
        UNION ALL
        SELECT v.id, v.tenant_id, v.leased_at, 'held for more than 15 minutes', v.lease_owner
        FROM conversation v WHERE v.lease_until > {now} AND v.leased_at < {now} - 900000000
        UNION ALL
        SELECT v.id, v.tenant_id, MIN(w.since), 'has open work, but is not due', NULL
        FROM conversation v JOIN (
            SELECT j.conversation_id, j.run_at AS since FROM jobs j WHERE j.state IN ('queued', 'running') AND j.run_at < {now} - 300000000
            UNION ALL
            SELECT o.conversation_id, o.due_at FROM outbox o JOIN channels h ON h.id = o.channel_id
            WHERE o.due_at IS NOT NULL AND o.due_at < {now} - 300000000 AND h.state = 'ready') w ON w.conversation_id = v.id
        WHERE v.next_due IS NULL AND v.lease_until <= {now} GROUP BY v.id, v.tenant_id
    ) s WHERE {mine s.tenant_id};

{view webhook_conversation_health}
    SELECT COUNT(*) AS total_count, COUNT(*) FILTER (WHERE w.status = 'active') AS active_count, COUNT(w.locked_by) AS locked_count,
           COUNT(*) FILTER (WHERE w.status = 'error') AS error_count, COUNT(*) FILTER (WHERE w.status = 'paused') AS paused_count,
           COUNT(*) FILTER (WHERE w.status = 'handed_over') AS handed_over_count, COUNT(*) FILTER (WHERE w.status = 'closed') AS closed_count,
           COUNT(*) FILTER (WHERE w.next_due_at IS NOT NULL) AS waiting_count,
           (SELECT COUNT(*) FROM stuck_webhook_conversations) AS stuck_count, MAX(w.updated_at) AS last_activity_at
    FROM webhook_conversations w;

-- Of the last 7 days by the hour in which a message was done, from stored to done. The percentiles are by nearest rank.
{view webhook_message_processing_metrics}
    SELECT {time p.hour * 3600000000} AS hour, COUNT(*) AS message_count, ROUND(AVG(p.took) / 1000.0, 3) AS avg_processing_ms,
           ROUND(MIN(p.took) FILTER (WHERE p.place * 100 >= p.size * 95) / 1000.0, 3) AS p95_processing_ms,
           ROUND(MIN(p.took) FILTER (WHERE p.place * 100 >= p.size * 99) / 1000.0, 3) AS p99_processing_ms,
           ROUND(MAX(p.took) / 1000.0, 3) AS max_processing_ms
    FROM (
        SELECT d.hour, d.took, ROW_NUMBER() OVER (PARTITION BY d.hour ORDER BY d.took) AS place, COUNT(*) OVER (PARTITION BY d.hour) AS size
        FROM (
            SELECT j.completed_at / 3600000000 AS hour, j.completed_at - j.created_at AS took FROM jobs j
            WHERE j.state = 'done' AND j.completed_at >= {now} - 604800000000 AND {mine j.tenant_id}
        ) d
    ) p GROUP BY p.hour;

{view webhook_dlq_summary}
    SELECT q.resolution_status, COUNT(*) AS "count", MIN(q.created_at) AS oldest, MAX(q.created_at) AS newest, MIN(q.next_retry_at) AS next_retry_at
    FROM webhook_dlq q GROUP BY q.resolution_status;
