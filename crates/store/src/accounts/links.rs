//! Links that open once: for an invited person, into the demo.

use std::time::Duration;

use types::UserId;

use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    ADD = "links.add": "INSERT INTO links (digest, purpose, user_id, expires_at) VALUES ($1, $2, $3, $4)";
    CLEAR = "links.clear": "DELETE FROM links WHERE purpose = $1";
    PEEK = "links.peek": "SELECT user_id FROM links WHERE digest = $1 AND purpose = $2 AND expires_at > $3";
    TAKE = "links.take": "DELETE FROM links WHERE digest = $1";
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Makes the first administrator.
    FirstAdmin,
    /// Signs its user in.
    SignIn,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FirstAdmin => "first_admin",
            Self::SignIn => "sign_in",
        }
    }
}

/// Makes a link. One for the first administrator takes the place of those before it.
#[derive(Clone, Debug)]
pub struct Add {
    /// The digest of its secret.
    pub digest: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whom it signs in.
    pub user: Option<UserId>,
    /// How long it can be opened.
    pub lasts: Duration,
}

impl Op for Add {
    const NAME: &'static str = "links.add";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        if self.purpose == Purpose::FirstAdmin {
            tx.execute(&CLEAR, params![self.purpose.as_str()])?;
        }
        let until = tx.now().plus(self.lasts);
        tx.execute(&ADD, params![&self.digest, self.purpose.as_str(), self.user, until])?;
        Ok(())
    }
}

/// Opens a link: it is gone then. `None`: there is none, or it has ended.
#[derive(Clone, Debug)]
pub struct Open {
    /// The digest of its secret.
    pub digest: String,
    /// What it must be for.
    pub purpose: Purpose,
    /// Leave it: only look whether it is there.
    pub peek: bool,
}

impl Op for Open {
    const NAME: &'static str = "links.open";
    type Out = Option<Option<UserId>>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let now = tx.now();
        let found = tx.first(&PEEK, params![&self.digest, self.purpose.as_str(), now], |r| r.get(0))?;
        if found.is_some() && !self.peek {
            tx.execute(&TAKE, params![&self.digest])?;
        }
        Ok(found)
    }
}
