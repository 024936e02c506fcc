//! One connection with its prepared statements, and the sending of many statements at once.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{TryStreamExt, pin_mut};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

use super::connect::{Failure, Server};
use super::fiber::Request;
use super::merge;
use super::values::{Column, Owned, Untyped};
use crate::error::Result;
use crate::sql::{Dialect, Sql};

/// What a statement gave.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub rows: Vec<Row>,
    /// Columns before the statement's own.
    pub skip: usize,
    pub changed: u64,
}

/// A statement's forms on this connection.
struct Known {
    one: Statement,
    many: Many,
}

enum Many {
    Unasked,
    /// There is none, or none yet: what is wanted is prepared when no transaction can be hurt by that.
    Never,
    Ready(Statement),
}

/// A connection.
pub(super) struct Session {
    silence: Duration,
    client: Client,
    connection: tokio::task::JoinHandle<()>,
    known: HashMap<usize, Known>,
    wanted: Vec<&'static Sql>,
    /// Statements are sent whole each time: something between us and the server (an old PgBouncer) loses prepared ones.
    plain: bool,
    /// The first thing that went wrong in this transaction.
    pub failure: Option<Failure>,
    /// The end of this transaction was asked for: if the connection breaks now, nobody knows whether it came about.
    pub asked_commit: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn key(sql: &'static Sql) -> usize {
    sql.name.as_ptr() as usize
}

impl Session {
    /// Connects.
    pub async fn open(server: &Server) -> Result<Self, Failure> {
        Self::listening(server, |_| ()).await
    }

    /// Connects, for a few statements that are not worth preparing.
    pub async fn brief(server: &Server) -> Result<Self, Failure> {
        let mut session = Self::open(server).await?;
        session.be_plain();
        Ok(session)
    }

    /// Connects, and hands what is notified to `hear`.
    pub async fn listening(server: &Server, hear: impl Fn(&str) + Send + 'static) -> Result<Self, Failure> {
        let (client, connection) = server.connect(hear).await?;
        Ok(Self {
            silence: server.silence(),
            client,
            connection,
            known: HashMap::new(),
            wanted: Vec::new(),
            plain: server.plain(),
            failure: None,
            asked_commit: false,
        })
    }

    /// From now on statements are sent whole.
    pub const fn be_plain(&mut self) {
        self.plain = true;
    }

    /// Resolves when the connection is lost.
    pub async fn lost(&mut self) {
        let _ = (&mut self.connection).await;
    }

    /// Whether nothing can come of it any more.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed() || matches!(self.failure, Some(Failure::Gone(_)))
    }

    /// Runs statements without parameters, in time.
    pub async fn run(&self, text: &str) -> Result<(), Failure> {
        timed(self.silence, self.client.batch_execute(text)).await
    }

    /// Prepares a statement of the store's own, outside of transactions.
    pub async fn learn(&mut self, sql: &'static Sql) -> Result<(), Failure> {
        if !self.plain {
            let one = timed(self.silence, self.client.prepare(sql.text)).await?;
            self.known.insert(key(sql), Known { one, many: Many::Never });
        }
        Ok(())
    }

    /// Runs a statement that was learnt.
    pub async fn ask(
        &self,
        sql: &'static Sql,
        params: &[(&(dyn ToSql + std::marker::Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        match self.known.get(&key(sql)) {
            Some(known) => {
                let params: Vec<_> = params.iter().map(|(p, _)| *p).collect();
                timed(self.silence, self.client.query(&known.one, &params)).await
            }
            None => timed(self.silence, self.client.query_typed(sql.text, params)).await,
        }
    }

    /// Notes what went wrong; the first counts, others follow from it.
    pub fn note<T>(&mut self, result: &Result<T, Failure>) {
        if let Err(failure) = result
            && (self.failure.is_none() || matches!(failure, Failure::Gone(_)))
        {
            self.failure = Some(failure.clone());
        }
    }

    /// Sends all requests without waiting in between, those of one statement as one, and gives their answers in order.
    pub async fn wave(&mut self, requests: Vec<Request>) -> Vec<Result<Answer>> {
        // After a failure the transaction takes nothing more.
        if let Some(failure) = &self.failure {
            return requests.iter().map(|r| Err(failure.error(r.sql.name))).collect();
        }
        if self.plain {
            return self.send_plain(requests).await;
        }
        if let Err((name, failure)) = self.prepare(&requests).await {
            self.note(&Err::<(), _>(failure.clone()));
            return requests.iter().map(|_| Err(failure.error(name))).collect();
        }
        let count = requests.len();
        let parts = self.part(requests);
        let client = &self.client;
        let known = &self.known;
        let silence = self.silence;
        let sent = parts.iter().map(|part| timed(silence, send(client, known, part)));
        let results = join_all(sent).await;
        let mut answers: Vec<Option<Result<Answer>>> = (0..count).map(|_| None).collect();
        for (part, result) in parts.iter().zip(results) {
            self.note(&result);
            match result {
                Ok(all) => {
                    for (at, answer) in part.at.iter().zip(all) {
                        answers[*at] = Some(Ok(answer));
                    }
                }
                Err(failure) => {
                    for at in &part.at {
                        answers[*at] = Some(Err(failure.error(part.sql.name)));
                    }
                }
            }
        }
        answers.into_iter().map(|a| a.unwrap_or(Err(crate::error::StoreError::Closed))).collect()
    }

    /// Which requests go together.
    fn part(&mut self, requests: Vec<Request>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut open: HashMap<usize, usize> = HashMap::new();
        for (at, request) in requests.into_iter().enumerate() {
            let Request { sql, params } = request;
            let found = open.get(&key(sql)).copied();
            if let Some(part) = found.map(|i| &mut parts[i])
                && let Some(known) = self.known.get_mut(&key(sql))
            {
                match known.many {
                    Many::Unasked => {
                        known.many = Many::Never;
                        self.wanted.push(sql);
                    }
                    Many::Ready(_)
                        if !merge::by_first(sql.text) || part.rows.iter().all(|r| r.first() != params.first()) =>
                    {
                        part.at.push(at);
                        part.rows.push(params);
                        continue;
                    }
                    _ => {}
                }
            }
            open.insert(key(sql), parts.len());
            parts.push(Part { sql, at: vec![at], rows: vec![params] });
        }
        parts
    }

    async fn prepare(&mut self, requests: &[Request]) -> Result<(), (&'static str, Failure)> {
        let mut new: Vec<&'static Sql> = Vec::new();
        for request in requests {
            if !self.known.contains_key(&key(request.sql)) && !new.iter().any(|s| key(s) == key(request.sql)) {
                new.push(request.sql);
            }
        }
        let texts: Vec<String> = new.iter().map(|sql| Dialect::Postgres.render(sql.text)).collect();
        let prepared = join_all(texts.iter().map(|text| timed(self.silence, self.client.prepare(text)))).await;
        for (sql, one) in new.into_iter().zip(prepared) {
            let one = one.map_err(|failure| (sql.name, failure))?;
            crate::roll_call::ran(Dialect::Postgres, sql.name);
            self.known.insert(key(sql), Known { one, many: Many::Unasked });
        }
        Ok(())
    }

    /// Between transactions: prepares the forms for many rows that were wanted. One that the server does not take is not tried again.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        for sql in std::mem::take(&mut self.wanted) {
            let Some(known) = self.known.get_mut(&key(sql)) else { continue };
            known.many = Many::Never;
            let text = Dialect::Postgres.render(sql.text);
            let Some(text) = merge::many(&text, known.one.params()) else { continue };
            match timed(self.silence, self.client.prepare(&text)).await {
                Ok(statement) => known.many = Many::Ready(statement),
                Err(failure @ Failure::Gone(_)) => return Err(failure),
                Err(failure) => tracing::debug!(statement = sql.name, ?failure, "goes row by row"),
            }
        }
        Ok(())
    }

    async fn send_plain(&mut self, requests: Vec<Request>) -> Vec<Result<Answer>> {
        let (client, silence) = (&self.client, self.silence);
        let sent = requests.into_iter().map(|request| async move {
            let Request { sql, params } = request;
            let text = Dialect::Postgres.render(sql.text);
            crate::roll_call::ran(Dialect::Postgres, sql.name);
            let params: Vec<(Untyped, Type)> = params.into_iter().map(|p| (Untyped(p), Type::UNKNOWN)).collect();
            let result = timed(silence, async {
                let rows = client.query_typed_raw(&text, params).await?;
                collect(rows).await
            });
            (sql.name, result.await)
        });
        let results = join_all(sent).await;
        let mut answers = Vec::with_capacity(results.len());
        for (name, result) in results {
            self.note(&result);
            answers.push(result.map_err(|failure| failure.error(name)));
        }
        answers
    }
}

/// Requests of one statement that go as one.
struct Part {
    sql: &'static Sql,
    /// Their places among all requests.
    at: Vec<usize>,
    rows: Vec<Vec<Owned>>,
}

async fn send(
    client: &Client,
    known: &HashMap<usize, Known>,
    part: &Part,
) -> Result<Vec<Answer>, tokio_postgres::Error> {
    // Prepared a moment ago.
    let Some(known) = known.get(&key(part.sql)) else { return Ok(Vec::new()) };
    match (&known.many, part.rows.as_slice()) {
        (Many::Ready(statement), rows @ [first, _, ..]) => {
            let width = first.len();
            let columns: Vec<Column> =
                (0..width).map(|i| Column(rows.iter().map(|r| r[i].clone()).collect())).collect();
            let all = collect(client.query_raw(statement, &columns).await?).await?;
            Ok(merge::share(part.sql.text, all, rows.len()))
        }
        (_, [only]) => {
            let params = only.iter().map(|p| p as &(dyn ToSql + std::marker::Sync));
            Ok(vec![collect(client.query_raw(&known.one, params).await?).await?])
        }
        _ => Ok(Vec::new()),
    }
}

async fn collect(rows: tokio_postgres::RowStream) -> Result<Answer, tokio_postgres::Error> {
    pin_mut!(rows);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
    }
    let changed = rows.rows_affected().unwrap_or(0);
    Ok(Answer { rows: all, skip: 0, changed })
}

/// Waits for the server, but not for ever: a connection whose other end vanished says nothing at all.
async fn timed<T>(
    silence: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(silence, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::of(&error)),
        Err(_) => Err(Failure::Gone(format!("the database has not answered for {silence:?}"))),
    }
}
