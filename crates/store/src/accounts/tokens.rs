//! Programs' keys. The secret is shown once; here is its digest.

use std::time::Duration;

use types::{TenantId, Timestamp, TokenId};

use super::{Holder, Which, access, grants, may_give_all, may_know, set_grants};
use crate::desk::audit::{self, Act};
use crate::desk::{Access, By, Rows, Scope, Token};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    ADD = "tokens.add":
        "INSERT INTO tokens (id, digest, prefix, name, scopes, all_tenants, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIND = "tokens.find":
        "SELECT id, name, scopes, all_tenants, last_used_at FROM tokens
         WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
    USED = "tokens.used": "UPDATE tokens SET last_used_at = $2 WHERE id = $1";
    LIST = "tokens.list":
        "SELECT id, name, scopes, all_tenants, prefix, created_by, created_at, last_used_at, expires_at, revoked_at FROM tokens
         WHERE id < $1 ORDER BY id DESC LIMIT $2";
    LIST_OWN = "tokens.list_own":
        "SELECT k.id, k.name, k.scopes, k.all_tenants, k.prefix, k.created_by, k.created_at, k.last_used_at, k.expires_at, k.revoked_at
         FROM tokens k WHERE k.id < $1 AND k.all_tenants = 0 AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.holder_id = k.id
         AND g.tenant_id NOT IN (SELECT c.tenant_id FROM grants c WHERE c.holder_id = $3)) ORDER BY k.id DESC LIMIT $2";
    ONE = "tokens.one":
        "SELECT id, name, scopes, all_tenants, prefix, created_by, created_at, last_used_at, expires_at, revoked_at FROM tokens WHERE id = $1";
    REVOKE = "tokens.revoke": "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
}

/// Use is noted when it is so much later than the last note.
const NOTE: Duration = Duration::from_secs(60);

fn scopes(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(|word| word.parse().ok()).collect()
}

fn row(r: &dyn Row) -> Result<Token> {
    let words: String = r.get(2)?;
    Ok(Token {
        id: r.get(0)?,
        name: r.get(1)?,
        scopes: scopes(&words),
        all_tenants: r.get(3)?,
        tenants: Vec::new(),
        prefix: r.get(4)?,
        created_by: r.get(5)?,
        created_at: r.get(6)?,
        last_used_at: r.get(7)?,
        expires_at: r.get(8)?,
        revoked_at: r.get(9)?,
    })
}

fn own(tx: &mut dyn Tx, caller: &Access, id: TokenId) -> Result<Token> {
    let found = tx.first(&ONE, params![id], row)?;
    if let Some(mut token) = found {
        token.tenants = grants(tx, id.0)?;
        if may_know(caller, token.all_tenants, &token.tenants) {
            return Ok(token);
        }
    }
    Err(StoreError::NotFound { what: "token", id: id.to_string() })
}

/// Makes a token.
#[derive(Clone, Debug)]
pub struct Add {
    /// The digest of its secret.
    pub digest: String,
    /// The secret's first characters.
    pub prefix: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Every tenant.
    pub all_tenants: bool,
    /// Which, when not all.
    pub tenants: Vec<TenantId>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What the giver may see: nobody gives more.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Add {
    const NAME: &'static str = "tokens.add";
    type Out = Token;

    fn run(&self, tx: &mut dyn Tx) -> Result<Token> {
        may_give_all(self.all_tenants, &self.access)?;
        let (id, now) = (TokenId(tx.next_id()), tx.now());
        let words: Vec<_> = self.scopes.iter().map(|s| s.as_str()).collect();
        let words = words.join(" ");
        let p = params![
            id,
            &self.digest,
            &self.prefix,
            &self.name,
            &words,
            self.all_tenants,
            &self.by.name,
            now,
            self.expires_at,
        ];
        tx.execute(&ADD, p)?;
        set_grants(tx, id.0, if self.all_tenants { &[] } else { &self.tenants }, &self.access)?;
        let (action, kind) = ("token.create", "token");
        let (to, reason) = (Some(words.as_str()), Some(self.name.as_str()));
        audit::note(tx, &self.by, &Act { action, kind, id: id.0, to, reason, ..Act::default() })?;
        own(tx, &Access::All, id)
    }
}

/// What a token may do.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What it may see.
    pub access: Access,
    /// Its use should be noted.
    pub stale: bool,
}

/// Finds a token by its digest; `None`: none, ended, revoked.
#[derive(Clone, Debug)]
pub struct Find(pub String);

impl Op for Find {
    const NAME: &'static str = "tokens.find";
    type Out = Option<Known>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let now = tx.now();
        let found = tx.first(&FIND, params![&self.0, now], |r| {
            let words: String = r.get(2)?;
            let used: Option<Timestamp> = r.get(4)?;
            let stale = used.is_none_or(|at| now.since(at) > NOTE);
            Ok((r.get::<TokenId>(0)?, r.get::<String>(1)?, scopes(&words), r.get::<bool>(3)?, stale))
        })?;
        let Some((id, name, scopes, all, stale)) = found else { return Ok(None) };
        Ok(Some(Known { id, name, scopes, access: access(tx, id.0, all)?, stale }))
    }
}

/// Notes that a token is used.
#[derive(Clone, Copy, Debug)]
pub struct Used(pub TokenId);

impl Op for Used {
    const NAME: &'static str = "tokens.used";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        tx.execute(&USED, params![self.0, now])?;
        Ok(())
    }
}

/// Lists tokens, the newest first, of which the caller may know.
#[derive(Clone, Debug)]
pub struct List(pub Which);

impl Op for List {
    const NAME: &'static str = "tokens.list";
    type Out = Rows<Token>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        super::list(tx, &self.0, (&LIST, &LIST_OWN), row)
    }
}

impl Holder for Token {
    fn id(&self) -> i64 {
        self.id.0
    }

    fn give(&mut self, tenants: Vec<TenantId>) {
        self.tenants = tenants;
    }
}

/// Ends a token at once.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Which.
    pub id: TokenId,
    /// What the caller may see.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Revoke {
    const NAME: &'static str = "tokens.revoke";
    type Out = Token;

    fn run(&self, tx: &mut dyn Tx) -> Result<Token> {
        own(tx, &self.access, self.id)?;
        let now = tx.now();
        if tx.execute(&REVOKE, params![self.id, now])? > 0 {
            let (action, kind, id) = ("token.revoke", "token", self.id.0);
            audit::note(tx, &self.by, &Act { action, kind, id, ..Act::default() })?;
        }
        own(tx, &self.access, self.id)
    }
}
