//! Who may do what: the one table. A route that is not in it is refused, and a test compares it with the description of the API.

use store::desk::{Role, Scope};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Nothing: signing in.
    Open,
    /// To be signed in.
    Any,
    /// At least this role; a token needs this scope.
    Need(Role, Scope),
}

use Right::{Any, Need, Open};
use Role::{Admin, Agent, Viewer};
use Scope::{Conversations, DeadLetters, Leads, Notifications, Read, Sends, Settings, Simulator};

/// The table.
#[rustfmt::skip]
pub(crate) const RIGHTS: &[(&str, &str, Right)] = &[
    ("GET",    "/auth/state", Open),
    ("POST",   "/auth/login", Open),
    ("POST",   "/auth/first-admin", Open),
    ("POST",   "/auth/link", Open),
    ("POST",   "/auth/logout", Any),
    ("GET",    "/auth/me", Any),
    ("POST",   "/auth/password", Any),
    ("GET",    "/events", Need(Viewer, Read)),
    ("GET",    "/openapi.json", Open),
    ("GET",    "/tenants", Need(Viewer, Read)),
    ("GET",    "/conversations", Need(Viewer, Read)),
    ("GET",    "/conversations/counts", Need(Viewer, Read)),
    ("GET",    "/conversations/{id}", Need(Viewer, Read)),
    ("GET",    "/conversations/{id}/messages", Need(Viewer, Read)),
    ("POST",   "/conversations/{id}/messages", Need(Agent, Sends)),
    ("GET",    "/conversations/{id}/notes", Need(Viewer, Read)),
    ("POST",   "/conversations/{id}/notes", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/takeover", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/return", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/assign", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/resolve", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/reopen", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/snooze", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/priority", Need(Agent, Conversations)),
    ("PUT",    "/conversations/{id}/labels", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/read", Need(Agent, Conversations)),
    ("POST",   "/conversations/{id}/unread", Need(Agent, Conversations)),
    ("GET",    "/messages/{id}", Need(Viewer, Read)),
    ("GET",    "/failed-sends", Need(Viewer, Read)),
    ("GET",    "/failed-sends/groups", Need(Viewer, Read)),
    ("GET",    "/failed-sends/{id}", Need(Viewer, Read)),
    ("POST",   "/failed-sends/{id}/retries", Need(Agent, Sends)),
    ("POST",   "/failed-sends/{id}/dismiss", Need(Agent, Sends)),
    ("GET",    "/dead-letters", Need(Viewer, Read)),
    ("GET",    "/dead-letters/counts", Need(Viewer, Read)),
    ("GET",    "/dead-letters/groups", Need(Viewer, Read)),
    ("GET",    "/dead-letters/{id}", Need(Viewer, Read)),
    ("POST",   "/dead-letters/{id}/retries", Need(Agent, DeadLetters)),
    ("POST",   "/dead-letters/{id}/discard", Need(Agent, DeadLetters)),
    ("GET",    "/sagas", Need(Viewer, Read)),
    ("GET",    "/sagas/{id}", Need(Viewer, Read)),
    ("POST",   "/sagas/{id}/retries", Need(Agent, DeadLetters)),
    ("POST",   "/sagas/{id}/skip", Need(Agent, DeadLetters)),
    ("GET",    "/jobs", Need(Viewer, Read)),
    ("GET",    "/jobs/counts", Need(Viewer, Read)),
    ("GET",    "/jobs/kinds", Need(Viewer, Read)),
    ("GET",    "/jobs/{id}", Need(Viewer, Read)),
    ("POST",   "/jobs/{id}/retries", Need(Agent, DeadLetters)),
    ("POST",   "/jobs/{id}/cancel", Need(Agent, DeadLetters)),
    ("GET",    "/leads", Need(Viewer, Read)),
    ("GET",    "/leads.csv", Need(Viewer, Read)),
    ("GET",    "/leads/{id}", Need(Viewer, Read)),
    ("PATCH",  "/leads/{id}", Need(Agent, Leads)),
    ("POST",   "/leads/{id}/opt-out", Need(Agent, Leads)),
    ("POST",   "/leads/{id}/opt-in", Need(Agent, Leads)),
    ("POST",   "/leads/{id}/merge", Need(Agent, Leads)),
    ("GET",    "/leads/{id}/person", Need(Admin, Leads)),
    ("POST",   "/leads/{id}/erase", Need(Admin, Leads)),
    ("GET",    "/tasks", Need(Viewer, Read)),
    ("POST",   "/tasks", Need(Agent, Leads)),
    ("GET",    "/tasks/{id}", Need(Viewer, Read)),
    ("PATCH",  "/tasks/{id}", Need(Agent, Leads)),
    ("GET",    "/notifications", Need(Viewer, Read)),
    ("GET",    "/notifications/count", Need(Viewer, Read)),
    ("POST",   "/notifications/read-all", Need(Agent, Notifications)),
    ("POST",   "/notifications/delete-read", Need(Agent, Notifications)),
    ("DELETE", "/notifications/{id}", Need(Agent, Notifications)),
    ("POST",   "/notifications/{id}/read", Need(Agent, Notifications)),
    ("POST",   "/notifications/{id}/unread", Need(Agent, Notifications)),
    ("POST",   "/notifications/{id}/snooze", Need(Agent, Notifications)),
    ("GET",    "/agents", Need(Viewer, Read)),
    ("GET",    "/agent-sessions", Need(Viewer, Read)),
    ("GET",    "/agent-sessions/{id}/turns", Need(Viewer, Read)),
    ("GET",    "/experiments", Need(Viewer, Read)),
    ("POST",   "/experiments/{id}/winner", Need(Admin, Settings)),
    ("GET",    "/flags", Need(Viewer, Read)),
    ("PUT",    "/flags", Need(Admin, Settings)),
    ("GET",    "/analytics/series", Need(Viewer, Read)),
    ("GET",    "/analytics/series.csv", Need(Viewer, Read)),
    ("GET",    "/health", Need(Viewer, Read)),
    ("GET",    "/alerts", Need(Viewer, Read)),
    ("GET",    "/breakers", Need(Viewer, Read)),
    ("POST",   "/breakers/{id}/probe", Need(Admin, Settings)),
    ("POST",   "/breakers/{id}/hold", Need(Admin, Settings)),
    ("POST",   "/breakers/{id}/reset", Need(Admin, Settings)),
    ("GET",    "/channels", Need(Viewer, Read)),
    ("POST",   "/channels/{id}/resume", Need(Admin, Settings)),
    ("POST",   "/channels/{id}/check", Need(Admin, Settings)),
    ("POST",   "/channels/{id}/test", Need(Admin, Settings)),
    ("GET",    "/users", Need(Agent, Settings)),
    ("POST",   "/users", Need(Admin, Settings)),
    ("GET",    "/users/{id}", Need(Admin, Settings)),
    ("PATCH",  "/users/{id}", Need(Admin, Settings)),
    ("POST",   "/users/{id}/links", Need(Admin, Settings)),
    ("GET",    "/tokens", Need(Admin, Settings)),
    ("POST",   "/tokens", Need(Admin, Settings)),
    ("POST",   "/tokens/{id}/revoke", Need(Admin, Settings)),
    ("GET",    "/webhook-endpoints", Need(Admin, Settings)),
    ("POST",   "/webhook-endpoints", Need(Admin, Settings)),
    ("GET",    "/webhook-endpoints/{id}", Need(Admin, Settings)),
    ("PATCH",  "/webhook-endpoints/{id}", Need(Admin, Settings)),
    ("DELETE", "/webhook-endpoints/{id}", Need(Admin, Settings)),
    ("POST",   "/webhook-endpoints/{id}/rotate", Need(Admin, Settings)),
    ("POST",   "/webhook-endpoints/{id}/test", Need(Admin, Settings)),
    ("POST",   "/webhook-endpoints/{id}/recover", Need(Admin, Settings)),
    ("GET",    "/webhook-endpoints/{id}/deliveries", Need(Admin, Settings)),
    ("GET",    "/webhook-deliveries/{id}", Need(Admin, Settings)),
    ("POST",   "/webhook-deliveries/{id}/resend", Need(Admin, Settings)),
    ("GET",    "/configuration", Need(Admin, Settings)),
    ("GET",    "/audit", Need(Admin, Settings)),
    ("GET",    "/batches", Need(Viewer, Read)),
    ("POST",   "/batches", Need(Agent, Sends)),
    ("GET",    "/batches/{id}", Need(Viewer, Read)),
    ("POST",   "/batches/{id}/cancel", Need(Agent, Sends)),
    ("GET",    "/simulator", Need(Viewer, Simulator)),
    ("GET",    "/simulator/events", Need(Viewer, Simulator)),
    ("GET",    "/simulator/messages", Need(Viewer, Simulator)),
    ("POST",   "/simulator/messages", Need(Agent, Simulator)),
    ("POST",   "/simulator/faults", Need(Agent, Simulator)),
    ("DELETE", "/simulator/faults", Need(Agent, Simulator)),
    ("POST",   "/simulator/clock", Need(Agent, Simulator)),
];

/// Routes that send something, or begin work on many rows: without an `Idempotency-Key` a lost answer could do it twice.
pub(crate) const KEYED: &[&str] =
    &["/conversations/{id}/messages", "/failed-sends/{id}/retries", "/channels/{id}/test", "/batches"];

/// What a route asks; `None`: it is in no table, so nobody may.
pub(crate) fn of(method: &str, path: &str) -> Option<Right> {
    let method = if method == "HEAD" { "GET" } else { method };
    RIGHTS.iter().find(|(m, p, _)| *m == method && *p == path).map(|(_, _, right)| *right)
}
