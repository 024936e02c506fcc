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
