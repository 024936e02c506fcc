//! Sign-ins. A session is known by the digest of its secret; it ends by itself, when it is idle, or at once by hand.

use std::time::Duration;

use types::{Timestamp, UserId};

use super::users;
use crate::desk::audit::{self, Act};
use crate::desk::{Access, By, User};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Tx};

sql! {
    ADD = "sessions.add":
        "INSERT INTO sessions (digest, user_id, created_at, seen_at, expires_at, ip, agent) VALUES ($1, $2, $3, $3, $4, $5, $6)";
    FIND = "sessions.find": "SELECT user_id, seen_at, expires_at FROM sessions WHERE digest = $1";
    TOUCH = "sessions.touch": "UPDATE sessions SET seen_at = $2 WHERE digest = $1";
    END = "sessions.end": "DELETE FROM sessions WHERE digest = $1";
    LOGGED_IN = "users.logged_in": "UPDATE users SET last_login_at = $2 WHERE id = $1";
}

/// A session ends after this, whatever happens.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// And after this without a request.
pub const IDLE: Duration = Duration::from_secs(7 * 86_400);
/// Use is noted when it is so much later than the last note.
const NOTE: Duration = Duration::from_secs(60);

/// Signs a person in: a new session, never one that was there before (no fixation), and the one that the browser had ends.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Who.
    pub user: UserId,
    /// The digest of the new secret.
    pub digest: String,
    /// The digest of the secret that the browser showed.
    pub instead_of: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// With what, as it says of itself.
    pub agent: Option<String>,
    /// The request.
    pub request_id: String,
    /// How: `password`, `link`.
    pub how: &'static str,
}

impl Op for Begin {
    const NAME: &'static str = "sessions.begin";
    type Out = User;

    fn run(&self, tx: &mut dyn Tx) -> Result<User> {
        let found = users::rights(tx, self.user)?;
        let Some((user, _)) = found else {
            return Err(StoreError::NotFound { what: "user", id: self.user.to_string() });
        };
        if let Some(old) = &self.instead_of {
            tx.execute(&END, params![old])?;
        }
        let now = tx.now();
        let p = params![&self.digest, self.user, now, now.plus(LONGEST), self.ip.as_deref(), self.agent.as_deref()];
        tx.execute(&ADD, p)?;
        tx.execute(&LOGGED_IN, params![self.user, now])?;
        let by = By {
            kind: "user",
            id: self.user.0,
            name: user.name.clone(),
            ip: self.ip.clone(),
            request_id: self.request_id.clone(),
        };
        let (action, kind, id) = ("session.begin", "user", self.user.0);
        audit::note(tx, &by, &Act { action, kind, id, reason: Some(self.how), ..Act::default() })?;
        Ok(user)
    }
}

/// Who a session belongs to.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who.
    pub user: User,
    /// What they may see.
    pub access: Access,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its use should be noted.
    pub stale: bool,
}

/// Finds a session by its digest; `None`: none, ended, or its user is shut out.
#[derive(Clone, Debug)]
pub struct Find(pub String);

impl Op for Find {
    const NAME: &'static str = "sessions.find";
    type Out = Option<Signed>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = tx.first(&FIND, params![&self.0], |r| {
            Ok((r.get::<UserId>(0)?, r.get::<Timestamp>(1)?, r.get::<Timestamp>(2)?))
        })?;
        let now = tx.now();
        let Some((id, seen, expires_at)) = found.filter(|(_, seen, end)| *end > now && seen.plus(IDLE) > now) else {
            return Ok(None);
        };
        let stale = now.since(seen) > NOTE;
        Ok(users::rights(tx, id)?.map(|(user, access)| Signed { user, access, expires_at, stale }))
    }
}

/// Notes that a session is used.
#[derive(Clone, Debug)]
pub struct Touch(pub String);

impl Op for Touch {
    const NAME: &'static str = "sessions.touch";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        tx.execute(&TOUCH, params![&self.0, now])?;
        Ok(())
    }
}

/// Ends a session.
#[derive(Clone, Debug)]
pub struct End {
    /// Its digest.
    pub digest: String,
    /// Who.
    pub by: By,
}

impl Op for End {
    const NAME: &'static str = "sessions.end";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        tx.execute(&END, params![&self.digest])?;
        let (action, kind, id) = ("session.end", "user", self.by.id);
        audit::note(tx, &self.by, &Act { action, kind, id, ..Act::default() })
    }
}
