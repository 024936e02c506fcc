-- Operators know `messages`, `conversations`, `leads`, `notifications` and `tasks` as relations with columns of their own (SPEC appendix A): those
-- names are for views, and the tables beneath give them up (docs/decisions/0017-tables-give-up-the-operators-names.md). Keys, indexes and policies
-- follow a table when it is renamed, on both databases.
ALTER TABLE messages RENAME TO message;
ALTER TABLE conversations RENAME TO conversation;
ALTER TABLE leads RENAME TO lead;
ALTER TABLE notifications RENAME TO notification;
ALTER TABLE tasks RENAME TO task;
