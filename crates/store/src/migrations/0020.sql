-- The actions of one message (S3.6): one saga, step by step. `apology` is what the person is told if it is undone. Lease as in conversations;
-- due_at is when it has work, null when it has none: finished, or stuck until a person decides.
CREATE TABLE saga (
    id {id},
    tenant_id {int} NOT NULL,
    conversation_id {int} NOT NULL,
    lead_id {int} NOT NULL,
    message_id {int} NOT NULL UNIQUE,
    provider_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    state TEXT NOT NULL,
    apology TEXT NOT NULL,
    error TEXT,
    due_at {int},
    lease_owner TEXT,
    lease_until {int} NOT NULL,
    fence {int} NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    finished_at {int}
);
CREATE INDEX saga_due ON saga (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX saga_tenant ON saga (tenant_id, id);
CREATE INDEX saga_state ON saga (tenant_id, state, id);
CREATE INDEX saga_conversation ON saga (conversation_id, id);

-- One effect of one action. `input` is what the effect is made of, `result` what the other side called it: its compensation needs that.
CREATE TABLE saga_step (
    saga_id {int} NOT NULL,
    seq {int} NOT NULL,
    tenant_id {int} NOT NULL,
    action TEXT NOT NULL,
    effect TEXT NOT NULL,
    state TEXT NOT NULL,
    on_doubt TEXT NOT NULL,
    task_id {int},
    input TEXT NOT NULL,
    result TEXT,
    attempts {int} NOT NULL,
    undo_attempts {int} NOT NULL,
    doubtful {int} NOT NULL,
    error TEXT,
    started_at {int},
    finished_at {int},
    undone_at {int},
    PRIMARY KEY (saga_id, seq)
) {without_rowid};

{postgres}
SELECT barid_guard(t::regclass) FROM unnest(ARRAY['saga', 'saga_step']) AS t;
{end}
