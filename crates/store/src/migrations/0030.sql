-- Agents (S3.7), their switches and experiments (S3.8), and readings from outside (S3.9). A tenant without agents has no row here.

-- What an agent remembers of a conversation: the newest turns as JSON, what was before them in short, the known fields as they were.
CREATE TABLE agent_context (
    conversation_id {int} NOT NULL REFERENCES conversation (id),
    agent TEXT NOT NULL,
    tenant_id {int} NOT NULL,
    messages TEXT NOT NULL,
    summary TEXT NOT NULL,
    known TEXT NOT NULL,
    tokens {int} NOT NULL,
    updated_at {int} NOT NULL,
    PRIMARY KEY (conversation_id, agent)
) {without_rowid};

-- A run of turns of one agent in one conversation. Tokens and cost (millionths of the currency) are sums of what vendors counted.
CREATE TABLE agent_session (
    id {id},
    tenant_id {int} NOT NULL,
    conversation_id {int} NOT NULL,
    lead_id {int} NOT NULL,
    agent TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    started_at {int} NOT NULL,
    last_at {int} NOT NULL,
    ended_at {int},
    outcome TEXT NOT NULL,
    turns {int} NOT NULL,
    replies {int} NOT NULL,
    calls {int} NOT NULL,
    tokens_in {int} NOT NULL,
    tokens_out {int} NOT NULL,
    cost {int} NOT NULL,
    errors {int} NOT NULL,
    latency_ms {int} NOT NULL
);
CREATE INDEX agent_session_open ON agent_session (conversation_id, agent) WHERE ended_at IS NULL;
CREATE INDEX agent_session_idle ON agent_session (last_at) WHERE ended_at IS NULL;
CREATE INDEX agent_session_tenant ON agent_session (tenant_id, id);

-- One line for each time that an agent or a reading model was asked; `calls` is JSON, a call of a model each.
CREATE TABLE agent_log (
    id {id},
    tenant_id {int} NOT NULL,
    lead_id {int} NOT NULL,
    conversation_id {int} NOT NULL,
    message_id {int} NOT NULL,
    session_id {int},
    agent TEXT NOT NULL,
    workflow TEXT NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    calls TEXT NOT NULL,
    tokens_in {int} NOT NULL,
    tokens_out {int} NOT NULL,
    cost {int} NOT NULL,
    latency_ms {int} NOT NULL,
    created_at {int} NOT NULL
);
CREATE INDEX agent_log_tenant ON agent_log (tenant_id, id);
CREATE INDEX agent_log_session ON agent_log (session_id, id);
CREATE INDEX agent_log_conversation ON agent_log (conversation_id, id);

-- Switches: `agents`, `agent:NAME`, `experiment:NAME`. None: on, for all.
CREATE TABLE flag (
    tenant_id {int} NOT NULL,
    name TEXT NOT NULL,
    is_on {int} NOT NULL,
    percent {int} NOT NULL,
    reason TEXT,
    set_by TEXT NOT NULL,
    set_at {int} NOT NULL,
    PRIMARY KEY (tenant_id, name)
) {without_rowid};

-- Which variant a conversation has, since when, and when it reached the goal.
CREATE TABLE exposure (
    tenant_id {int} NOT NULL,
    experiment TEXT NOT NULL,
    conversation_id {int} NOT NULL,
    arm TEXT NOT NULL,
    exposed_at {int} NOT NULL,
    reached_at {int},
    PRIMARY KEY (tenant_id, experiment, conversation_id)
) {without_rowid};
CREATE INDEX exposure_conversation ON exposure (conversation_id);

-- What an outside service says of a message; its confidence in millionths.
CREATE TABLE ai_result (
    message_id {id},
    tenant_id {int} NOT NULL,
    intent TEXT NOT NULL,
    confidence {int} NOT NULL,
    entities TEXT NOT NULL,
    received_at {int} NOT NULL
);

{postgres}
SELECT barid_guard(t::regclass) FROM unnest(ARRAY['agent_context', 'agent_session', 'agent_log', 'flag', 'exposure', 'ai_result']) AS t;
{end}
