-- A failed send that a person has looked at and put away: it stays failed in its conversation, and leaves the list.
ALTER TABLE message ADD COLUMN dismissed_at {int};
DROP INDEX messages_failed_tenant;
DROP INDEX messages_failed_code;
CREATE INDEX messages_failed_tenant ON message (tenant_id, id) WHERE direction = 'out' AND status IN ('failed', 'held') AND dismissed_at IS NULL;
CREATE INDEX messages_failed_code ON message (tenant_id, error_code, id)
    WHERE direction = 'out' AND status IN ('failed', 'held') AND dismissed_at IS NULL;
