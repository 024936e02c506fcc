-- Every attempt of a job that failed, for people: what a retry hides otherwise. A job that goes well writes none.
CREATE TABLE job_attempt (
    id {id},
    tenant_id {int} NOT NULL,
    job_id {int} NOT NULL,
    attempt {int} NOT NULL,
    fault TEXT NOT NULL,
    error TEXT NOT NULL,
    at {int} NOT NULL
);
CREATE INDEX job_attempt_job ON job_attempt (job_id, id);

-- What charts say beside messages: conversations resolved and how long they took, and what models cost (in millionths).
ALTER TABLE hours ADD COLUMN resolved {int} NOT NULL DEFAULT 0;
ALTER TABLE hours ADD COLUMN resolve_s {int} NOT NULL DEFAULT 0;
ALTER TABLE hours ADD COLUMN cost {int} NOT NULL DEFAULT 0;

{postgres}
SELECT barid_guard('job_attempt'::regclass);
{end}
