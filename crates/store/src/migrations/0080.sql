-- Merging and erasing people (docs/decisions/0080-erasing-a-person.md): what belongs to one person is found by indexes. A lead has one row for each
-- time that somebody becomes one, so these cost a message nothing.
CREATE INDEX lead_contact ON lead (contact_id);
CREATE INDEX task_lead ON task (lead_id, due_at) WHERE lead_id IS NOT NULL;
CREATE INDEX agent_session_conversation ON agent_session (conversation_id);

-- A notification may be snoozed until the other side of a conversation writes: `wakes` is the conversation, snoozed_at since when.
ALTER TABLE notification ADD COLUMN snoozed_at {int};
ALTER TABLE notification ADD COLUMN wakes {int};

{postgres}
-- A job has the id of its message. By that it is looked up when a message goes; by message_id, each time, all jobs would be read.
ALTER TABLE jobs DROP CONSTRAINT IF EXISTS jobs_message_id_fkey;
ALTER TABLE jobs ADD CONSTRAINT jobs_id_fkey FOREIGN KEY (id) REFERENCES message (id);
{end}
