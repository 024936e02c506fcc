//! Reaching the server: address, encryption, and what its refusals mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

use crate::error::{Result, StoreError};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unacknowledged before the system gives the connection up.
const UNHEARD: Duration = Duration::from_secs(10);

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection is of no use any more; whether a commit under way was done is unknown.
    Gone(String),
    /// The server cannot do it now: disk full, read-only, too slow.
    Away(String),
    /// Another transaction was in the way; the same again may do.
    Conflict(String),
    /// A prepared statement that we made is not there: someone between us and the server gives us another connection each time.
    Forgotten(String),
    /// The statement is wrong, or what it found.
    Statement(String),
}

impl Failure {
    pub fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            // A value that could not be turned into the column's type is the statement's fault; all else is the connection's.
            let text = words(error);
            return if text.starts_with("error serializing") || text.starts_with("error deserializing") {
                Self::Statement(text)
            } else {
                Self::Gone(text)
            };
        };
        let text = format!("{} ({})", db.message(), db.code().code());
        match db.code() {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => Self::Conflict(text),
            &SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT => Self::Forgotten(text),
            &SqlState::ADMIN_SHUTDOWN
            | &SqlState::CRASH_SHUTDOWN
            | &SqlState::CANNOT_CONNECT_NOW
            | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | &SqlState::TOO_MANY_CONNECTIONS => Self::Gone(text),
            &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE | &SqlState::READ_ONLY_SQL_TRANSACTION => {
                Self::Away(text)
            }
            code => match code.code().get(..2) {
                // Insufficient resources (disk full), system errors.
                Some("53" | "58") => Self::Away(text),
                Some("08" | "57" | "28") => Self::Gone(text),
                _ => Self::Statement(text),
            },
        }
    }

    /// As the operation that asked for `statement` sees it.
    pub fn error(&self, statement: &'static str) -> StoreError {
        match self {
            Self::Gone(why) | Self::Away(why) | Self::Conflict(why) | Self::Forgotten(why) => {
                StoreError::Unavailable { why: why.clone() }
            }
            Self::Statement(why) => StoreError::Statement { statement, why: why.clone() },
        }
    }

    pub fn why(&self) -> &str {
        match self {
            Self::Gone(why) | Self::Away(why) | Self::Conflict(why) | Self::Forgotten(why) | Self::Statement(why) => {
                why
            }
        }
    }
}

/// An error with its causes, which the driver keeps apart.
fn words(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A server and how to reach it.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    plain: Arc<AtomicBool>,
    silence: Duration,
    /// Drives the connections; each ends with its session.
    tasks: TaskTracker,
}

impl Server {
    /// Reads `postgres://user:password@host:port/database?sslmode=require` and its kin.
    pub fn new(url: &str, silence: Duration) -> Result<Self> {
        let mut config: Config = url.parse().map_err(|e: tokio_postgres::Error| {
            StoreError::Unusable(format!("[store] url is no address of a PostgreSQL database: {}", words(&e)))
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNHEARD);
        }
        config
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(3))
            .keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("barid");
        }
        let tls = if config.get_ssl_mode() == SslMode::Disable { None } else { Some(tls()?) };
        Ok(Self { config, tls, plain: Arc::new(AtomicBool::new(false)), silence, tasks: TaskTracker::new() })
    }

    /// Host, port and database, without user and password: for people.
    pub fn shown(&self) -> String {
        use tokio_postgres::config::Host;
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}/{}", self.config.get_dbname().or(self.config.get_user()).unwrap_or("postgres"))
    }

    /// A server that says nothing for so long is taken for dead.
    pub const fn silence(&self) -> Duration {
        self.silence
    }

    /// Whether statements are to be sent without being prepared.
    pub fn plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    /// From now on no statement is prepared; whether that is news.
    pub fn be_plain(&self) -> bool {
        !self.plain.swap(true, Ordering::Relaxed)
    }

    /// A connection, driven by a task of the current runtime; what is notified on it goes to `hear`.
    pub async fn connect(
        &self,
        hear: impl Fn(&str) + Send + 'static,
    ) -> Result<(Client, tokio::task::JoinHandle<()>), Failure> {
        let work = async {
            match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    Ok((client, self.tasks.spawn(drive(connection, hear))))
                }
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    Ok((client, self.tasks.spawn(drive(connection, hear))))
                }
            }
        };
        match tokio::time::timeout(self.silence.min(CONNECT * 2), work).await {
            Ok(Ok(pair)) => Ok(pair),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(Failure::Gone("the database did not take a connection in time".to_owned())),
        }
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, hear: impl Fn(&str))
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        if let AsyncMessage::Notification(news) = message {
            hear(news.payload());
        }
    }
}

/// A server that knows us not, or has no such database, is there: waiting for it mends nothing.
fn refused(error: &tokio_postgres::Error) -> Failure {
    let class = error.as_db_error().and_then(|db| db.code().code().get(..2));
    if matches!(class, Some("28" | "3D")) { Failure::Statement(words(error)) } else { Failure::Gone(refusal(error)) }
}

fn refusal(error: &tokio_postgres::Error) -> String {
    let text = words(error);
    if text.contains("certificate") {
        return format!(
            "{text}. Give the server a certificate that this machine trusts, or, where the way to it is safe, add ?sslmode=disable to [store] url"
        );
    }
    text
}

fn tls() -> Result<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| StoreError::Unusable(format!("TLS cannot start: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
