//! Before the work: versions of the schema, one transaction each under a lock that all nodes share, so that a killed one leaves nothing behind; the
//! role that operations run under; and the number of this process among the nodes, which makes its ids its own.

use tokio_postgres::types::Type;
use types::{SharedClock, Timestamp};

use super::connect::{Failure, Server};
use super::fiber::Request;
use super::session::Session;
use super::values::Owned;
use super::{LOCKS, NOW};
use crate::error::{Result, StoreError};
use crate::sql::{Dialect, Sql};
use crate::{migrations, views};

/// The role of operations: it owns nothing, so that row-level security holds for it (S7.1).
pub(super) const ROLE: &str = "barid_app";

static MAY: Sql = Sql {
    name: "postgres.may_act",
    text: "SELECT EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = 'barid_app' AND pg_has_role(current_user, r.oid, 'MEMBER'))",
};

/// The smallest number whose last user has not been seen for an hour.
static TAKE_NODE: Sql = Sql {
    name: "postgres.take_node",
    text: "INSERT INTO nodes (number, owner, seen_at, serves)
           SELECT free.n, $1, $2::int8, $3::int8 FROM (
               SELECT n FROM generate_series(0, 1022) AS n WHERE NOT EXISTS (SELECT 1 FROM nodes x WHERE x.number = n AND x.seen_at > $2 - 3600000000)
               ORDER BY n LIMIT 1) AS free
           ON CONFLICT (number) DO UPDATE SET owner = excluded.owner, seen_at = excluded.seen_at, serves = excluded.serves RETURNING number",
};

/// What a start found.
pub(super) struct Ready {
    pub node: u16,
    pub owner: String,
    pub last_id: i64,
    pub role: Option<&'static str>,
}

fn unusable(failure: &Failure) -> StoreError {
    StoreError::Unusable(format!("cannot use the database: {}", failure.why()))
}

/// Prepares everything that a start needs.
pub(super) async fn prepare(
    server: &Server,
    (migrate, serves): (bool, bool),
    clock: Option<&SharedClock>,
) -> Result<Ready> {
    let away = |f: Failure| away(&f, server);
    let mut session = Session::brief(server).await.map_err(away)?;
    let now = match clock {
        Some(clock) => clock.now(),
        None => database_time(&session).await.map_err(away)?,
    };
    if migrate {
        while step(&mut session, now, server).await? {}
    } else {
        session.run("BEGIN").await.map_err(away)?;
        // A database without the table has version 0.
        let found = current(&mut session).await.unwrap_or(0);
        let _ = session.run("ROLLBACK").await;
        session.failure = None;
        migrations::refuse_other(found)?;
    }
    ready(&mut session, serves).await.map_err(away)
}

/// What went wrong at the start: a server that is not there may come.
fn away(failure: &Failure, server: &Server) -> StoreError {
    match failure {
        Failure::Gone(why) => {
            StoreError::Unavailable { why: format!("cannot reach the database {}: {why}", server.shown()) }
        }
        other => unusable(other),
    }
}

async fn ready(session: &mut Session, serves: bool) -> Result<Ready, Failure> {
    let rows = session.ask(&MAY, &[]).await?;
    let role = rows.first().is_some_and(|r| r.get::<_, bool>(0)).then_some(ROLE);
    session.run("BEGIN; SET LOCAL barid.tenant = 'all'").await?;
    let last_id = number(session, &views::LAST_ID).await?;
    session.run("COMMIT").await?;
    let owner = types::clock::random_token();
    let node = take_node(session, &owner, serves).await?;
    Ok(Ready { node, owner, last_id, role })
}

/// The one number that a statement gives.
async fn number(session: &mut Session, sql: &'static Sql) -> Result<i64, Failure> {
    let answer = session.wave(vec![Request { sql, params: Vec::new() }]).await.pop();
    if let Some(failure) = session.failure.take() {
        return Err(failure);
    }
    let row = answer.and_then(std::result::Result::ok).and_then(|a| a.rows.into_iter().next());
    Ok(row.and_then(|r| r.try_get::<_, Option<i64>>(0).ok().flatten()).unwrap_or(0))
}

async fn current(session: &mut Session) -> Result<i64, Failure> {
    number(session, &migrations::CURRENT).await
}

/// One version of the schema in a transaction of its own; whether there may be more. Other nodes that start now wait for it.
async fn step(session: &mut Session, now: Timestamp, server: &Server) -> Result<bool> {
    let result = try_step(session, now, server).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.run(end).await;
    let more = result?;
    ended.map_err(|f| away(&f, server))?;
    Ok(more)
}

async fn try_step(session: &mut Session, now: Timestamp, server: &Server) -> Result<bool> {
    let fail = |f: Failure| match f {
        Failure::Gone(_) => away(&f, server),
        other => StoreError::Unusable(format!("the schema could not be brought up to date: {}", other.why())),
    };
    session.run(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCKS}, 1)")).await.map_err(fail)?;
    session.run(&Dialect::Postgres.render(migrations::MAKE.text)).await.map_err(fail)?;
    crate::roll_call::ran(Dialect::Postgres, migrations::MAKE.name);
    let found = current(session).await.map_err(fail)?;
    let Some((version, text)) = migrations::after(found)? else { return Ok(false) };
    session.run(&Dialect::Postgres.render(text)).await.map_err(fail)?;
    let params = vec![Owned::Int(version), Owned::Int(now.micros())];
    for answer in session.wave(vec![Request { sql: &migrations::RECORD, params }]).await {
        answer?;
    }
    Ok(true)
}

async fn database_time(session: &Session) -> Result<Timestamp, Failure> {
    let rows = session.ask(&NOW, &[]).await?;
    let micros = rows.first().map_or(Ok(0), |r| r.try_get(0)).map_err(|e| Failure::of(&e))?;
    Ok(Timestamp::from_micros(micros))
}

async fn take_node(session: &Session, owner: &str, serves: bool) -> Result<u16, Failure> {
    // By the database's time, whatever clock a test lives by: numbers are a matter between processes.
    let now = database_time(session).await?;
    session.run(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCKS}, 2)")).await?;
    let rows = session
        .ask(&TAKE_NODE, &[(&owner, Type::TEXT), (&now.micros(), Type::INT8), (&i64::from(serves), Type::INT8)])
        .await?;
    session.run("COMMIT").await?;
    let number: Option<i64> = rows.first().map(|r| r.try_get(0)).transpose().map_err(|e| Failure::of(&e))?;
    number
        .and_then(|n| u16::try_from(n).ok())
        .ok_or_else(|| Failure::Away("1023 nodes were seen within the last hour; there is no number left".to_owned()))
}
