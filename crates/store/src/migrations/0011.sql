-- What the page and the API add: who may do what, what they did, and the inbox as a table of its own, so that it is listed and counted by
-- indexes and the way of a message stays as short as it was (docs/decisions/0015-the-desk.md).

-- One row for each conversation: where it stands in the inbox. Kept by the follower from what the other tables say; only assignee, priority,
-- labels, snoozed_until, resolved_at and read_id are its own. assignee_id 0: nobody; priority 0 low to 3 critical.
CREATE TABLE desk (
    conversation_id {id} REFERENCES conversations (id),
    tenant_id {int} NOT NULL,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    assignee_id {int} NOT NULL,
    priority {int} NOT NULL,
    labels TEXT NOT NULL,
    snoozed_at {int},
    snoozed_until {int},
    resolved_at {int},
    read_id {int} NOT NULL,
    last_id {int} NOT NULL,
    waiting_since {int},
    search TEXT NOT NULL,
    version {int} NOT NULL
);
CREATE INDEX desk_all ON desk (tenant_id, last_id);
CREATE INDEX desk_status ON desk (tenant_id, status, last_id);
CREATE INDEX desk_mine ON desk (tenant_id, assignee_id, status, last_id);
CREATE INDEX desk_urgent ON desk (tenant_id, status, priority, last_id);
CREATE INDEX desk_created ON desk (tenant_id, conversation_id);
CREATE INDEX desk_waiting ON desk (tenant_id, waiting_since, conversation_id) WHERE waiting_since IS NOT NULL;
CREATE INDEX desk_snoozed ON desk (snoozed_until) WHERE status = 'snoozed';

-- How far the follower has read each table.
CREATE TABLE follower (
    source TEXT PRIMARY KEY,
    seen {int} NOT NULL
);

-- Who of the team wrote an outgoing message.
CREATE TABLE authors (
    message_id {id},
    tenant_id {int} NOT NULL,
    author TEXT NOT NULL
);

CREATE TABLE notes (
    id {id},
    tenant_id {int} NOT NULL,
    conversation_id {int} NOT NULL REFERENCES conversations (id),
    author TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at {int} NOT NULL
);
CREATE INDEX notes_conversation ON notes (conversation_id, id);

CREATE TABLE tasks (
    id {id},
    tenant_id {int} NOT NULL,
    lead_id {int},
    conversation_id {int},
    task_type TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    assigned_to_type TEXT NOT NULL,
    assigned_to_id TEXT NOT NULL,
    source TEXT NOT NULL,
    metadata TEXT,
    due_at {int},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    completed_at {int}
);
CREATE INDEX tasks_open ON tasks (tenant_id, due_at, id) WHERE status IN ('pending', 'in_progress');
CREATE INDEX tasks_all ON tasks (tenant_id, id);

CREATE TABLE users (
    id {id},
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    all_tenants {int} NOT NULL,
    disabled_at {int},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    last_login_at {int}
);

-- Tokens are kept as digests: who reads this table cannot sign in.
CREATE TABLE tokens (
    id {id},
    digest TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    all_tenants {int} NOT NULL,
    created_by TEXT NOT NULL,
    created_at {int} NOT NULL,
    last_used_at {int},
    expires_at {int},
    revoked_at {int}
);

-- Which tenants a user or token may see.
CREATE TABLE grants (
    holder_id {int} NOT NULL,
    tenant_id {int} NOT NULL REFERENCES tenants (id),
    PRIMARY KEY (holder_id, tenant_id)
) {without_rowid};

CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    user_id {int} NOT NULL REFERENCES users (id),
    created_at {int} NOT NULL,
    seen_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    ip TEXT,
    agent TEXT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_end ON sessions (expires_at);

-- One-time links: `first_admin`, `sign_in`.
CREATE TABLE links (
    digest TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id {int},
    expires_at {int} NOT NULL
);

-- Failed sign-ins by account and by address.
CREATE TABLE login_failures (
    name TEXT PRIMARY KEY,
    failures {int} NOT NULL,
    last_at {int} NOT NULL
);
CREATE INDEX login_failures_age ON login_failures (last_at);

-- Answers under an Idempotency-Key; status 0: under way.
CREATE TABLE idempotency (
    holder TEXT NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    status {int} NOT NULL,
    answer TEXT,
    created_at {int} NOT NULL,
    PRIMARY KEY (holder, name)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Every act of a person or token (S6.7).
CREATE TABLE audit (
    id {id},
    tenant_id {int},
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    before TEXT,
    after TEXT,
    reason TEXT,
    ip TEXT,
    request_id TEXT,
    at {int} NOT NULL
);
CREATE INDEX audit_tenant ON audit (tenant_id, id);

CREATE TABLE batches (
    id {id},
    tenant_id {int} NOT NULL,
    action TEXT NOT NULL,
    filter TEXT NOT NULL,
    as_of {int} NOT NULL,
    state TEXT NOT NULL,
    total {int} NOT NULL,
    done {int} NOT NULL,
    failed {int} NOT NULL,
    skipped TEXT NOT NULL,
    next_id {int} NOT NULL,
    created_by TEXT NOT NULL,
    created_at {int} NOT NULL,
    finished_at {int}
);
CREATE INDEX batches_tenant ON batches (tenant_id, id);
CREATE INDEX batches_running ON batches (id) WHERE state = 'running';

-- Figures of whole hours that are over, so that a chart of a month reads a few hundred rows.
CREATE TABLE hours (
    tenant_id {int} NOT NULL,
    hour {int} NOT NULL,
    messages_in {int} NOT NULL,
    messages_out {int} NOT NULL,
    human {int} NOT NULL,
    delivered {int} NOT NULL,
    seen {int} NOT NULL,
    failed {int} NOT NULL,
    conversations {int} NOT NULL,
    answered {int} NOT NULL,
    answer_ms {int} NOT NULL,
    PRIMARY KEY (tenant_id, hour)
) {without_rowid};

-- For the page's lists; partial, so that a message that goes well touches none of them.
CREATE INDEX messages_failed_tenant ON messages (tenant_id, id) WHERE direction = 'out' AND status IN ('failed', 'held');
CREATE INDEX messages_failed_code ON messages (tenant_id, error_code, id) WHERE direction = 'out' AND status IN ('failed', 'held');
CREATE INDEX messages_failed_thread ON messages (conversation_id) WHERE direction = 'out' AND status IN ('failed', 'held');
CREATE INDEX jobs_ended_badly ON jobs (tenant_id, state, id) WHERE state IN ('dead', 'failed');
CREATE INDEX dead_letters_tenant ON dead_letters (tenant_id, status, id);
CREATE INDEX notifications_tenant ON notifications (tenant_id, id);
CREATE INDEX notifications_unread ON notifications (tenant_id, id) WHERE read_at IS NULL;
CREATE INDEX leads_tenant ON leads (tenant_id, id);
CREATE INDEX conversations_lead ON conversations (lead_id, id);
CREATE INDEX transitions_tenant ON transitions (tenant_id, id);

{postgres}
SELECT barid_guard(t::regclass) FROM unnest(ARRAY['desk', 'authors', 'notes', 'tasks', 'audit', 'batches', 'hours']) AS t;

-- Accounts belong to the installation: only operations of the engine itself read them, none that is bound to a tenant.
DO $$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['follower', 'users', 'tokens', 'grants', 'sessions', 'links', 'login_failures', 'idempotency'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY engine ON %I USING ((SELECT barid_all_tenants()))', relation);
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'barid_app') THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO barid_app', relation);
        END IF;
    END LOOP;
END $$;
{end}
