//! People who sign in.

use types::{TenantId, Timestamp, UserId};

use super::{Holder, Which, access, grants, may_give_all, may_know, set_grants};
use crate::desk::audit::{self, Act};
use crate::desk::{Access, By, Role, Rows, User};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    COUNT = "users.count": "SELECT COUNT(*) FROM (SELECT 1 FROM users WHERE disabled_at IS NULL LIMIT 2) AS x";
    ADMINS = "users.admins":
        "SELECT COUNT(*) FROM (SELECT 1 FROM users WHERE role = 'admin' AND all_tenants = 1 AND disabled_at IS NULL LIMIT 2) AS x";
    BY_EMAIL = "users.by_email": "SELECT id, password FROM users WHERE email = $1 AND disabled_at IS NULL";
    PASSWORD = "users.password": "SELECT password FROM users WHERE id = $1 AND disabled_at IS NULL";
    ADD = "users.add":
        "INSERT INTO users (id, email, name, role, password, all_tenants, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (email) DO NOTHING";
    LIST = "users.list":
        "SELECT id, email, name, role, all_tenants, disabled_at, created_at, last_login_at, updated_at FROM users
         WHERE id < $1 ORDER BY id DESC LIMIT $2";
    LIST_OWN = "users.list_own":
        "SELECT u.id, u.email, u.name, u.role, u.all_tenants, u.disabled_at, u.created_at, u.last_login_at, u.updated_at FROM users u
         WHERE u.id < $1 AND u.all_tenants = 0 AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.holder_id = u.id
         AND g.tenant_id NOT IN (SELECT c.tenant_id FROM grants c WHERE c.holder_id = $3)) ORDER BY u.id DESC LIMIT $2";
    ONE = "users.one":
        "SELECT id, email, name, role, all_tenants, disabled_at, created_at, last_login_at, updated_at FROM users WHERE id = $1";
    SET = "users.set":
        "UPDATE users SET name = $2, role = $3, all_tenants = $4, disabled_at = $5, updated_at = $6 WHERE id = $1";
    SET_PASSWORD = "users.set_password": "UPDATE users SET password = $2, updated_at = $3 WHERE id = $1";
    SESSIONS = "users.end_sessions": "DELETE FROM sessions WHERE user_id = $1";
    OTHER_ADMIN = "users.other_admin":
        "SELECT 1 FROM users WHERE id <> $1 AND role = 'admin' AND all_tenants = 1 AND disabled_at IS NULL LIMIT 1";
}

/// Addresses are compared in small letters, without spaces around them.
#[must_use]
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

fn row(r: &dyn Row) -> Result<User> {
    let updated: Timestamp = r.get(8)?;
    Ok(User {
        id: r.get(0)?,
        email: r.get(1)?,
        name: r.get(2)?,
        role: r.get(3)?,
        all_tenants: r.get(4)?,
        tenants: Vec::new(),
        disabled_at: r.get(5)?,
        created_at: r.get(6)?,
        last_login_at: r.get(7)?,
        version: updated.micros().to_string(),
    })
}

/// A user with their tenants, if the caller may know of them: each tenant of theirs is one of the caller's.
fn own(tx: &mut dyn Tx, caller: &Access, id: UserId) -> Result<User> {
    let found = tx.first(&ONE, params![id], row)?;
    let Some(mut user) = found else { return Err(missing(id)) };
    user.tenants = grants(tx, id.0)?;
    if may_know(caller, user.all_tenants, &user.tenants) { Ok(user) } else { Err(missing(id)) }
}

fn missing(id: UserId) -> StoreError {
    StoreError::NotFound { what: "user", id: id.to_string() }
}

/// Whether anybody can sign in at all.
#[derive(Clone, Copy, Debug)]
pub struct Any;

impl Op for Any {
    const NAME: &'static str = "users.any";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        Ok(tx.number(&COUNT, &[])? > 0)
    }
}

/// Whether there is an administrator of everything: who can make all the others.
#[derive(Clone, Copy, Debug)]
pub struct HasAdmin;

impl Op for HasAdmin {
    const NAME: &'static str = "users.has_admin";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        Ok(tx.number(&ADMINS, &[])? > 0)
    }
}

/// The id and password hash under an address.
#[derive(Clone, Debug)]
pub struct PasswordOf(pub String);

impl Op for PasswordOf {
    const NAME: &'static str = "users.password_of";
    type Out = Option<(UserId, String)>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.first(&BY_EMAIL, params![&normal(&self.0)], |r| Ok((r.get(0)?, r.get(1)?)))
    }
}

/// The password hash of a user.
#[derive(Clone, Copy, Debug)]
pub struct OwnPassword(pub UserId);

impl Op for OwnPassword {
    const NAME: &'static str = "users.own_password";
    type Out = Option<String>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.first(&PASSWORD, params![self.0], |r| r.get(0))
    }
}

/// Adds a person.
#[derive(Clone, Debug)]
pub struct Add {
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The hash of their password; empty: only links sign them in until they set one.
    pub password: String,
    /// Every tenant.
    pub all_tenants: bool,
    /// Which, when not all.
    pub tenants: Vec<TenantId>,
    /// Only while there is no administrator of everything: the first.
    pub first: bool,
    /// What the giver may see: nobody gives more.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Add {
    const NAME: &'static str = "users.add";
    type Out = User;

    fn run(&self, tx: &mut dyn Tx) -> Result<User> {
        if self.first && tx.number(&ADMINS, &[])? > 0 {
            return Err(StoreError::Refused("there is an administrator already: sign in".into()));
        }
        may_give_all(self.all_tenants, &self.access)?;
        let (id, now, email) = (UserId(tx.next_id()), tx.now(), normal(&self.email));
        let p = params![id, &email, &self.name, self.role.as_str(), &self.password, self.all_tenants, now];
        if tx.execute(&ADD, p)? == 0 {
            return Err(StoreError::Refused("there is a user with this address already".into()));
        }
        set_grants(tx, id.0, if self.all_tenants { &[] } else { &self.tenants }, &self.access)?;
        let (action, to) = ("user.create", Some(self.role.as_str()));
        audit::note(tx, &self.by, &Act { action, kind: "user", id: id.0, to, reason: Some(&email), ..Act::default() })?;
        own(tx, &Access::All, id)
    }
}

/// Lists people, the newest first, of whom the caller may know.
#[derive(Clone, Debug)]
pub struct List(pub Which);

impl Op for List {
    const NAME: &'static str = "users.list";
    type Out = Rows<User>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        super::list(tx, &self.0, (&LIST, &LIST_OWN), row)
    }
}

impl Holder for User {
    fn id(&self) -> i64 {
        self.id.0
    }

    fn give(&mut self, tenants: Vec<TenantId>) {
        self.tenants = tenants;
    }
}

/// One person.
#[derive(Clone, Debug)]
pub struct Get {
    /// Who.
    pub id: UserId,
    /// What the caller may see.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "users.get";
    type Out = User;

    fn run(&self, tx: &mut dyn Tx) -> Result<User> {
        own(tx, &self.access, self.id)
    }
}

/// What to change; `None`: leave as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Their name.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
    /// Every tenant, or these.
    pub tenants: Option<(bool, Vec<TenantId>)>,
}

/// Changes a person, if they are still as the caller saw them. Less rights end their sessions.
#[derive(Clone, Debug)]
pub struct Set {
    /// Who.
    pub id: UserId,
    /// What.
    pub change: Change,
    /// As the caller saw it; `None`: whatever it is now.
    pub version: Option<String>,
    /// What the caller may see.
    pub access: Access,
    /// Who does it.
    pub by: By,
}

impl Op for Set {
    const NAME: &'static str = "users.set";
    type Out = User;

    fn run(&self, tx: &mut dyn Tx) -> Result<User> {
        let user = own(tx, &self.access, self.id)?;
        if self.version.as_ref().is_some_and(|v| *v != user.version) {
            return Err(StoreError::Changed("user"));
        }
        let (c, now) = (&self.change, tx.now());
        let role = c.role.unwrap_or(user.role);
        let all = c.tenants.as_ref().map_or(user.all_tenants, |(all, _)| *all);
        may_give_all(all, &self.access)?;
        let disabled = match c.disabled {
            Some(true) => Some(user.disabled_at.map_or(now, |at| at.0)),
            Some(false) => None,
            None => user.disabled_at.map(|at| at.0),
        };
        let stays = role == Role::Admin && all && disabled.is_none();
        if !stays && user.role == Role::Admin && tx.first(&OTHER_ADMIN, params![self.id], |_| Ok(()))?.is_none() {
            return Err(StoreError::Refused("this is the last administrator: make another one first".into()));
        }
        let updated = now.micros().max(user.version.parse().unwrap_or(0) + 1);
        let name = c.name.as_ref().unwrap_or(&user.name);
        tx.execute(&SET, params![self.id, name, role.as_str(), all, disabled, updated])?;
        if let Some((all, tenants)) = &c.tenants {
            set_grants(tx, self.id.0, if *all { &[] } else { tenants }, &self.access)?;
        }
        if role < user.role || disabled.is_some() || c.tenants.is_some() {
            tx.execute(&SESSIONS, params![self.id])?;
        }
        let act = Act {
            tenant: None,
            action: "user.change",
            kind: "user",
            id: self.id.0,
            from: Some(user.role.as_str()),
            to: Some(role.as_str()),
            reason: disabled.map(|_| "disabled"),
        };
        audit::note(tx, &self.by, &act)?;
        own(tx, &Access::All, self.id)
    }
}

/// Sets a password; every session of that person ends.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// Whose.
    pub id: UserId,
    /// Its hash.
    pub password: String,
    /// What the caller may see.
    pub access: Access,
    /// Who does it.
    pub by: By,
}

impl Op for SetPassword {
    const NAME: &'static str = "users.set_password";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let user = own(tx, &self.access, self.id)?;
        let updated = tx.now().micros().max(user.version.parse().unwrap_or(0) + 1);
        tx.execute(&SET_PASSWORD, params![self.id, &self.password, updated])?;
        tx.execute(&SESSIONS, params![self.id])?;
        let (action, kind, id) = ("user.password", "user", self.id.0);
        audit::note(tx, &self.by, &Act { action, kind, id, ..Act::default() })
    }
}

/// What a user's rows say of their rights.
pub(super) fn rights(tx: &mut dyn Tx, id: UserId) -> Result<Option<(User, Access)>> {
    let Some(mut user) = tx.first(&ONE, params![id], row)? else { return Ok(None) };
    if user.disabled_at.is_some() {
        return Ok(None);
    }
    let access = access(tx, id.0, user.all_tenants)?;
    user.tenants = grants(tx, id.0)?;
    Ok(Some((user, access)))
}
