-- Breakers (S4.10) and alerts (S6.6) as the nodes share them.

-- One row for each outside dependency that was ever called; tenant_id only where it is a tenant's own (a number of theirs).
CREATE TABLE breaker (
    name TEXT PRIMARY KEY,
    tenant_id {int},
    state TEXT NOT NULL,
    held {int} NOT NULL,
    since {int} NOT NULL,
    until {int},
    reason TEXT,
    trips {int} NOT NULL,
    version {int} NOT NULL
);

{postgres}
SELECT barid_guard('breaker'::regclass);
{end}

-- What is wrong, from when it was raised to when it cleared; tenant_id only where it is a tenant's own matter.
CREATE TABLE alert (
    id {id},
    tenant_id {int},
    kind TEXT NOT NULL,
    matter TEXT NOT NULL,
    detail TEXT NOT NULL,
    value {int} NOT NULL,
    threshold {int} NOT NULL,
    raised_at {int} NOT NULL,
    cleared_at {int}
);
CREATE UNIQUE INDEX alert_open ON alert (matter) WHERE cleared_at IS NULL;
CREATE INDEX alert_tenant ON alert (tenant_id, id);

-- What is to be told, to whom; due_at is NULL when it was told or given up.
CREATE TABLE alert_delivery (
    id {id},
    tenant_id {int},
    alert_id {int} NOT NULL REFERENCES alert (id),
    sink TEXT NOT NULL,
    event TEXT NOT NULL,
    due_at {int},
    attempts {int} NOT NULL,
    told_at {int},
    error TEXT
);
CREATE INDEX alert_delivery_due ON alert_delivery (due_at) WHERE due_at IS NOT NULL;

{postgres}
SELECT barid_guard(t::regclass) FROM unnest(ARRAY['alert', 'alert_delivery']) AS t;
{end}
