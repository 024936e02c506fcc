//! The spool's rows, in its own file and on their way into the database.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::inbound::Item;
use types::{ChannelId, RequestId, TenantId};

use super::{Numbers, is_provisional};
use crate::contacts::Door;
use crate::erase::Traces;
use crate::error::Result;
use crate::inbox::{Accept, Accepted, Arrival};
use crate::policy::Policy;
use crate::reach::Reach;
use crate::sql::{Op, Tx};

sql! {
    ADD = "spool.add": "INSERT INTO spool (id, request_id, arrivals, size, received_at) VALUES ($1, $2, $3, $4, $5)";
    NEXT = "spool.next": "SELECT id, request_id, arrivals FROM spool WHERE error IS NULL ORDER BY id LIMIT $1";
    REMOVE = "spool.remove": "DELETE FROM spool WHERE id <= $1 AND error IS NULL";
    SET_ASIDE = "spool.set_aside": "UPDATE spool SET error = $2 WHERE id = $1";
    ALL = "spool.all": "SELECT id, arrivals FROM spool WHERE id > $1 ORDER BY id LIMIT $2";
    REWRITE = "spool.rewrite": "UPDATE spool SET arrivals = $2, size = $3 WHERE id = $1";
    FORGET = "spool.forget": "DELETE FROM spool WHERE id = $1";
    SIZE = "spool.size":
        "SELECT COALESCE(SUM(CASE WHEN error IS NULL THEN 1 ELSE 0 END), 0), COALESCE(SUM(size), 0),
                COALESCE(SUM(CASE WHEN error IS NULL THEN 0 ELSE 1 END), 0) FROM spool";
}

/// An [`Arrival`] as text. Channels are named by the ids of their rows, which do not change.
#[derive(Serialize, Deserialize)]
struct Kept {
    door: Option<KeptDoor>,
    item: Item,
    answer_groups: bool,
}

#[derive(Serialize, Deserialize)]
struct KeptDoor {
    tenant: TenantId,
    channel: ChannelId,
    kind: String,
    slug: String,
}

/// One webhook body as the spool keeps it.
pub(super) fn written(accept: &Accept) -> String {
    let kept = |a: &Arrival| Kept {
        door: a.door.as_ref().map(|d| KeptDoor {
            tenant: d.tenant,
            channel: d.channel,
            kind: d.kind.to_owned(),
            slug: d.slug.to_string(),
        }),
        item: a.item.clone(),
        answer_groups: a.answer_groups,
    };
    serde_json::to_string(&accept.arrivals.iter().map(kept).collect::<Vec<_>>()).unwrap_or_default()
}

fn arrival(kept: Kept, numbers: &Numbers) -> Result<Arrival, String> {
    let door = match kept.door {
        None => None,
        // Kept by a node that had not seen the database yet.
        Some(d) if is_provisional(d.channel) => match numbers.get(&d.channel) {
            Some(door) => Some(door.clone()),
            None => return Err(format!("a number of tenant {} that is not in the configuration any more", d.slug)),
        },
        Some(d) => Some(Door {
            tenant: d.tenant,
            channel: d.channel,
            kind: if d.kind == "greenapi" { "greenapi" } else { "meta" },
            slug: d.slug.into(),
        }),
    };
    Ok(Arrival { door, item: kept.item, answer_groups: kept.answer_groups })
}

/// Keeps a body in the spool's file.
pub(super) struct Add {
    pub request_id: RequestId,
    pub arrivals: String,
}

impl Op for Add {
    const NAME: &'static str = "spool.add";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let (id, now) = (tx.next_id(), tx.now());
        let size = i64::try_from(self.arrivals.len()).unwrap_or(i64::MAX);
        tx.execute(&ADD, params![id, &self.request_id.0, &self.arrivals, size, now])?;
        Ok(())
    }
}

/// The oldest bodies, each with its row.
pub(super) struct Next {
    pub limit: u32,
    pub policy: Arc<Policy>,
    pub numbers: Arc<Numbers>,
}

impl Op for Next {
    const NAME: &'static str = "spool.next";
    /// A body that cannot be read any more is told with its reason.
    type Out = Vec<(i64, Result<Accept, String>)>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.all(&NEXT, params![self.limit], |r| {
            let (id, request_id, json): (i64, RequestId, String) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let kept = serde_json::from_str::<Vec<Kept>>(&json).map_err(|e| e.to_string());
            let arrivals = kept.and_then(|all| all.into_iter().map(|k| arrival(k, &self.numbers)).collect());
            let whole = |arrivals| Accept { arrivals, request_id, room: None, policy: Arc::clone(&self.policy) };
            Ok((id, arrivals.map(whole)))
        })
    }
}

/// Forgets bodies that are in the database.
pub(super) struct Remove(pub i64);

impl Op for Remove {
    const NAME: &'static str = "spool.remove";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        tx.execute(&REMOVE, params![self.0])
    }
}

/// Lays a body aside that the database does not take.
pub(super) struct SetAside {
    pub id: i64,
    pub why: String,
}

impl Op for SetAside {
    const NAME: &'static str = "spool.set_aside";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        tx.execute(&SET_ASIDE, params![self.id, &self.why])?;
        Ok(())
    }
}

/// Bodies that wait, bytes in all, bodies laid aside.
pub(super) struct Size;

impl Op for Size {
    const NAME: &'static str = "spool.size";
    type Out = (i64, i64, i64);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = tx.first(&SIZE, &[], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        Ok(found.unwrap_or_default())
    }
}

/// Stores bodies as if they came now, one after the other in one transaction.
#[derive(Clone, Debug)]
pub(super) struct AcceptAll(pub Arc<Vec<(i64, Accept)>>);

impl Op for AcceptAll {
    const NAME: &'static str = "spool.accept_all";
    type Out = Vec<Accepted>;

    fn reach(&self) -> Reach {
        self.0.iter().map(|(_, accept)| accept.reach()).fold(Reach::Only(Default::default()), Reach::and)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        self.0.iter().map(|(_, accept)| accept.run(tx)).collect()
    }
}

/// Looks through all bodies for what concerns one person (S6.8).
pub(super) struct Look {
    pub after: i64,
    pub traces: Traces,
}

/// A body that names somebody, and what is left of it without: `None` is nothing.
pub(super) type Named = (i64, u64, Option<String>);

/// Bodies looked at in one reading.
const LOOK: u32 = 200;

impl Op for Look {
    const NAME: &'static str = "spool.look";
    /// Those that name them, and the last one looked at.
    type Out = (Vec<Named>, Option<i64>);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (mut found, mut last) = (Vec::new(), None);
        tx.query(&ALL, params![self.after, LOOK], &mut |r| {
            let (id, text): (i64, String) = (r.get(0)?, r.get(1)?);
            last = Some(id);
            if self.traces.are_in(&text) {
                let (gone, left) = without(&text, &self.traces);
                found.push((id, gone, left));
            }
            Ok(())
        })?;
        Ok((found, last))
    }
}

/// The arrivals of a body that do not name somebody, and how many do.
fn without(text: &str, traces: &Traces) -> (u64, Option<String>) {
    let Ok(arrivals) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return (1, None) };
    let before = arrivals.len();
    let left: Vec<_> = arrivals.into_iter().filter(|one| !traces.are_in(&one.to_string())).collect();
    let gone = u64::try_from(before - left.len()).unwrap_or(0);
    (gone, (!left.is_empty()).then(|| serde_json::to_string(&left).unwrap_or_default()))
}

/// Takes one person's arrivals out of bodies.
pub(super) struct Forget(pub Vec<Named>);

impl Op for Forget {
    const NAME: &'static str = "spool.forget";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let mut gone = 0;
        for (id, arrivals, left) in &self.0 {
            match left {
                Some(left) => {
                    let size = i64::try_from(left.len()).unwrap_or(i64::MAX);
                    tx.execute(&REWRITE, params![*id, left, size])?;
                }
                None => {
                    tx.execute(&FORGET, params![*id])?;
                }
            }
            gone += arrivals;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::without;
    use crate::erase::Traces;

    #[test]
    fn others_in_the_same_body_stay() {
        let traces = Traces::of(&["971500000001".to_owned()], []);
        let body = r#"[{"from":"971500000001","text":"a"},{"from":"971500000002","text":"b"}]"#;
        let (gone, left) = without(body, &traces);
        assert_eq!((gone, left.as_deref()), (1, Some(r#"[{"from":"971500000002","text":"b"}]"#)));
        assert_eq!(without(r#"[{"from":"971500000001"}]"#, &traces), (1, None));
        assert_eq!(without("971500000001 cut of", &traces), (1, None), "what cannot be read goes whole");
    }
}
