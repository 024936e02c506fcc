-- What agents have taken of a day's budget: a row for each contact, and one (contact 0) for the whole tenant. `day` counts days since 1970, UTC.
CREATE TABLE agent_spend (
    tenant_id {int} NOT NULL,
    day {int} NOT NULL,
    contact_id {int} NOT NULL,
    tokens {int} NOT NULL,
    cost {int} NOT NULL,
    PRIMARY KEY (tenant_id, day, contact_id)
);

{postgres}
SELECT barid_guard('agent_spend'::regclass);
{end}
