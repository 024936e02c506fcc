-- Agents as operators query them (S6.3, S3.7): over what each conversation with an agent has left.

{view agent_contexts}
    SELECT x.conversation_id, x.tenant_id, x.agent AS agent_type, x.messages, x.summary, x.known AS known_fields, x.tokens,
           {time x.updated_at} AS updated_at
    FROM agent_context x WHERE {mine x.tenant_id};

{view agent_sessions}
    SELECT s.id AS session_id, s.tenant_id, s.conversation_id, s.lead_id, s.agent AS agent_type, s.provider, s.model,
           {time s.started_at} AS session_start, {time s.ended_at} AS session_end, {time s.last_at} AS last_turn_at, s.outcome, s.turns, s.replies, s.calls,
           s.tokens_in + s.tokens_out AS tokens, s.tokens_in, s.tokens_out, s.cost, s.errors,
           CASE WHEN s.turns > 0 THEN ROUND(s.latency_ms * 1.0 / s.turns, 3) END AS mean_latency_ms
    FROM agent_session s WHERE {mine s.tenant_id};

{view agent_processing_log}
    SELECT g.id AS log_id, g.tenant_id, g.lead_id, g.conversation_id, g.message_id, g.session_id, g.agent AS agent_type, g.workflow, g.input, g.output,
           g.status, g.error, g.calls, g.tokens_in + g.tokens_out AS tokens, g.cost, g.latency_ms, {time g.created_at} AS created_at
    FROM agent_log g WHERE {mine g.tenant_id};

-- Percentiles are by nearest rank over the log's lines.
{view webhook_agent_performance}
    SELECT a.agent_type, a.session_count, a.open_count, a.turn_count, a.token_count, a.error_count, a.cost, l.avg_latency_ms, l.p95_latency_ms
    FROM (
        SELECT s.agent AS agent_type, COUNT(*) AS session_count, SUM(CASE WHEN s.ended_at IS NULL THEN 1 ELSE 0 END) AS open_count,
               SUM(s.turns) AS turn_count, SUM(s.tokens_in + s.tokens_out) AS token_count, SUM(s.errors) AS error_count, SUM(s.cost) AS cost
        FROM agent_session s WHERE {mine s.tenant_id} GROUP BY s.agent
    ) a LEFT JOIN (
        SELECT p.agent, ROUND(AVG(p.latency_ms), 3) AS avg_latency_ms, MIN(p.latency_ms) FILTER (WHERE p.place * 100 >= p.size * 95) AS p95_latency_ms
        FROM (
            SELECT g.agent, g.latency_ms, ROW_NUMBER() OVER (PARTITION BY g.agent ORDER BY g.latency_ms) AS place, COUNT(*) OVER (PARTITION BY g.agent) AS size
            FROM agent_log g WHERE {mine g.tenant_id}
        ) p GROUP BY p.agent
    ) l ON l.agent = a.agent_type;

{postgres}
DO $$
DECLARE
    relation text;
    operators text;
BEGIN
    FOREACH operators IN ARRAY ARRAY['barid_operator', 'barid_app'] LOOP
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = operators) THEN
            FOREACH relation IN ARRAY ARRAY['agent_contexts', 'agent_sessions', 'agent_processing_log', 'webhook_agent_performance'] LOOP
                EXECUTE format('GRANT SELECT ON %I TO %I', relation, operators);
            END LOOP;
        END IF;
    END LOOP;
END $$;
{end}
