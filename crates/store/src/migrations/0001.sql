-- Times are microseconds since 1970 (UTC). Ids grow with time (docs/decisions/0002-integer-ids.md). Booleans are 0 and 1.

CREATE TABLE tenants (
    id {id},
    slug TEXT NOT NULL UNIQUE,
    business TEXT NOT NULL,
    created_at {int} NOT NULL
);

-- A number or instance of a provider. `credentials` is a digest: when it changes, a paused channel is tried again (S4.3).
CREATE TABLE channels (
    id {id},
    tenant_id {int} NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    external_id TEXT NOT NULL,
    credentials TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT,
    state_since {int} NOT NULL,
    created_at {int} NOT NULL,
    UNIQUE (kind, external_id)
);

CREATE TABLE contacts (
    id {id},
    tenant_id {int} NOT NULL REFERENCES tenants (id),
    name TEXT,
    username TEXT,
    phone TEXT,
    bsuid TEXT,
    opted_out_at {int},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
);

-- By what a contact is found again (S1.7): p phone, b business-scoped id, o other, g group.
CREATE TABLE contact_keys (
    tenant_id {int} NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    contact_id {int} NOT NULL REFERENCES contacts (id),
    PRIMARY KEY (tenant_id, kind, value)
) {without_rowid};
CREATE INDEX contact_keys_contact ON contact_keys (contact_id);

CREATE TABLE leads (
    id {id},
    tenant_id {int} NOT NULL,
    contact_id {int} NOT NULL REFERENCES contacts (id),
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    service TEXT,
    name TEXT,
    nationality TEXT,
    email TEXT,
    phone TEXT,
    call_time TEXT,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
);
CREATE UNIQUE INDEX leads_open ON leads (contact_id) WHERE status = 'open';

-- The ordering key. Lease: owner, until and fence; next_due is when it has work, null when it has none (S2.2).
CREATE TABLE conversations (
    id {id},
    tenant_id {int} NOT NULL,
    channel_id {int} NOT NULL REFERENCES channels (id),
    contact_id {int} NOT NULL REFERENCES contacts (id),
    lead_id {int} NOT NULL REFERENCES leads (id),
    state TEXT NOT NULL,
    state_until {int},
    recipient TEXT NOT NULL,
    memory TEXT,
    last_inbound_at {int},
    last_message_at {int} NOT NULL,
    created_at {int} NOT NULL,
    closed_at {int},
    next_due {int},
    lease_owner TEXT,
    lease_until {int} NOT NULL,
    fence {int} NOT NULL
);
CREATE UNIQUE INDEX conversations_open ON conversations (channel_id, contact_id) WHERE closed_at IS NULL;
CREATE INDEX conversations_paused ON conversations (state_until) WHERE state = 'paused';
CREATE INDEX conversations_due ON conversations (next_due) WHERE next_due IS NOT NULL;

CREATE TABLE messages (
    id {id},
    tenant_id {int} NOT NULL,
    conversation_id {int} NOT NULL REFERENCES conversations (id),
    channel_id {int} NOT NULL,
    direction TEXT NOT NULL,
    sender TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    content TEXT,
    provider_id TEXT,
    quotes TEXT,
    status TEXT NOT NULL,
    in_reply_to {int},
    error_code {int},
    error TEXT,
    possible_duplicate {int} NOT NULL DEFAULT 0,
    provider_at {int},
    created_at {int} NOT NULL,
    sent_at {int},
    delivered_at {int},
    read_at {int},
    request_id TEXT,
    raw TEXT
);
CREATE INDEX messages_thread ON messages (conversation_id, id);
CREATE UNIQUE INDEX messages_sent ON messages (channel_id, provider_id) WHERE direction = 'out' AND provider_id IS NOT NULL;
CREATE INDEX messages_failed ON messages (id) WHERE direction = 'out' AND status IN ('failed', 'held');

-- The ledger of accepted provider ids: a repeat is found here (S1.6). It forgets after `keep_ids`.
CREATE TABLE inbox (
    channel_id {int} NOT NULL,
    provider_message_id TEXT NOT NULL,
    message_id {int} NOT NULL,
    received_at {int} NOT NULL,
    PRIMARY KEY (channel_id, provider_message_id)
) {without_rowid};
CREATE INDEX inbox_age ON inbox (received_at);

-- Leased work (S2.1). A turn has the id of the message it answers, which is its dedupe key: one message, one turn.
CREATE TABLE jobs (
    id {id},
    tenant_id {int} NOT NULL,
    kind TEXT NOT NULL,
    conversation_id {int} NOT NULL REFERENCES conversations (id),
    message_id {int} NOT NULL REFERENCES messages (id),
    state TEXT NOT NULL,
    run_at {int} NOT NULL,
    attempts {int} NOT NULL,
    max_attempts {int} NOT NULL,
    redrives {int} NOT NULL,
    outcome TEXT,
    error TEXT,
    request_id TEXT,
    created_at {int} NOT NULL,
    started_at {int},
    completed_at {int}
);
CREATE INDEX jobs_open ON jobs (conversation_id, id) WHERE state IN ('queued', 'running');

-- What is to be sent, and what was (S4.1). due_at is null once the message's fate is settled.
CREATE TABLE outbox (
    message_id {id} REFERENCES messages (id),
    tenant_id {int} NOT NULL,
    channel_id {int} NOT NULL,
    conversation_id {int} NOT NULL REFERENCES conversations (id),
    dedupe_key TEXT NOT NULL UNIQUE,
    due_at {int},
    attempts {int} NOT NULL,
    resends {int} NOT NULL,
    last_attempt_at {int},
    created_at {int} NOT NULL
);
CREATE INDEX outbox_open ON outbox (conversation_id, message_id) WHERE due_at IS NOT NULL;

-- Every try to send (S4.2).
CREATE TABLE attempts (
    id {id},
    tenant_id {int} NOT NULL,
    message_id {int} NOT NULL REFERENCES messages (id),
    outcome TEXT NOT NULL,
    fault TEXT,
    code {int},
    http {int},
    error TEXT,
    preview TEXT NOT NULL,
    at {int} NOT NULL
);
CREATE INDEX attempts_message ON attempts (message_id);

-- What providers reported of our messages (S4.6); message_id is null while the message is not known yet.
CREATE TABLE receipts (
    channel_id {int} NOT NULL,
    provider_id TEXT NOT NULL,
    status TEXT NOT NULL,
    participant TEXT NOT NULL,
    message_id {int},
    error_code {int},
    error TEXT,
    provider_at {int},
    received_at {int} NOT NULL,
    PRIMARY KEY (channel_id, provider_id, status, participant)
) {without_rowid};
CREATE INDEX receipts_age ON receipts (received_at);

-- Everything else that providers told us, raw (S1.4, S1.5).
CREATE TABLE events (
    id {id},
    tenant_id {int},
    channel_id {int},
    kind TEXT NOT NULL,
    why TEXT,
    raw TEXT NOT NULL,
    dedupe_key TEXT NOT NULL UNIQUE,
    request_id TEXT,
    received_at {int} NOT NULL
);

CREATE TABLE dead_letters (
    id {id},
    tenant_id {int} NOT NULL,
    job_id {int} NOT NULL UNIQUE,
    conversation_id {int} NOT NULL,
    message_id {int} NOT NULL,
    provider_message_id TEXT,
    payload TEXT NOT NULL,
    fault TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts {int} NOT NULL,
    redrives {int} NOT NULL,
    status TEXT NOT NULL,
    next_retry_at {int},
    first_at {int} NOT NULL,
    last_at {int} NOT NULL,
    resolved_at {int},
    resolved_by TEXT
);
CREATE INDEX dead_letters_due ON dead_letters (next_retry_at) WHERE status = 'pending' AND next_retry_at IS NOT NULL;

-- Every change of a conversation's state (S6.7).
CREATE TABLE transitions (
    id {id},
    tenant_id {int} NOT NULL,
    conversation_id {int} NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    at {int} NOT NULL
);
CREATE INDEX transitions_conversation ON transitions (conversation_id);

-- What a person should know. dedupe_key keeps one notice from repeating while it is unread.
CREATE TABLE notifications (
    id {id},
    tenant_id {int} NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    dedupe_key TEXT NOT NULL UNIQUE,
    created_at {int} NOT NULL,
    read_at {int},
    snoozed_until {int}
);
