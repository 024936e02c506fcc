-- Outgoing webhooks (docs/decisions/0090-outgoing-webhooks.md): programs of tenants that are told what happens.

-- seen_id and seen_at: how far this endpoint's events were planned, by ids and by the moments of receipts. generation: how often its secret was made;
-- the secret itself is kept nowhere.
CREATE TABLE endpoint (
    id {id},
    tenant_id {int} NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    events TEXT NOT NULL,
    generation {int} NOT NULL,
    rotated_at {int},
    seen_id {int} NOT NULL,
    seen_at {int} NOT NULL,
    disabled_at {int},
    disabled_why TEXT,
    created_by TEXT NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    deleted_at {int}
);
CREATE INDEX endpoint_tenant ON endpoint (tenant_id, id);

-- due_at is NULL when it was delivered or given up; tries: what each try came to, as JSON.
CREATE TABLE delivery (
    id {id},
    tenant_id {int} NOT NULL,
    endpoint_id {int} NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    due_at {int},
    attempts {int} NOT NULL,
    delivered_at {int},
    tries TEXT NOT NULL,
    created_at {int} NOT NULL
);
CREATE INDEX delivery_endpoint ON delivery (endpoint_id, id);
CREATE INDEX delivery_due ON delivery (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_failed ON delivery (endpoint_id, id) WHERE due_at IS NULL AND delivered_at IS NULL;

{postgres}
SELECT barid_guard(t::regclass) FROM unnest(ARRAY['endpoint', 'delivery']) AS t;
{end}

-- Dead letters that wait are counted every few seconds, over all tenants: by an index of their own, however many were settled.
CREATE INDEX dead_letters_waiting ON dead_letters (tenant_id) WHERE status = 'pending';
