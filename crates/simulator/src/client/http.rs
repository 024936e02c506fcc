//! A pooled HTTP/1.1 client for one plain address: webhooks stay on this machine, and a load generator must not spend its time
//! in a general client.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::locked;

/// No answer of an engine is longer than this.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// The address cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{url:?} is not an http:// address with a host: the simulator speaks plain HTTP only")]
pub struct BadUrl {
    /// What was given.
    pub url: String,
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Nothing was sent.
    #[error("could not connect: {0}")]
    NotSent(String),
    /// It may have arrived.
    #[error("no answer: {0}")]
    Lost(String),
    /// It may have arrived.
    #[error("no answer in {0:?}")]
    Timeout(Duration),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Requests to one address, over connections that are kept.
#[derive(Debug)]
pub struct HttpClient {
    /// Host and port, for the socket.
    authority: String,
    /// The `Host` header.
    host: String,
    path: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    connections: TaskTracker,
}

impl HttpClient {
    /// For `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// [`BadUrl`] for anything else.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(bad)?;
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            host: authority.to_string(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            idle: Mutex::default(),
            connections: TaskTracker::new(),
        })
    }

    /// POST of JSON to the address.
    ///
    /// # Errors
    /// [`PostError`] when no answer came in time.
    pub async fn post(
        &self,
        header: Option<(&str, &str)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, PostError> {
        let mut request =
            Request::post(&self.path).header(header::HOST, &self.host).header(header::CONTENT_TYPE, "application/json");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|e| PostError::NotSent(e.to_string()))?;
        self.send(request, timeout).await
    }

    /// GET of the address.
    ///
    /// # Errors
    /// [`PostError`] when no answer came in time.
    pub async fn get(&self, timeout: Duration) -> Result<Answer, PostError> {
        let request = Request::get(&self.path).header(header::HOST, &self.host).body(Full::default());
        self.send(request.map_err(|e| PostError::NotSent(e.to_string()))?, timeout).await
    }

    /// Any request to this host; the URI is a path, and `Host` must be set ([`Self::host`]).
    ///
    /// # Errors
    /// [`PostError`] when no answer came in time.
    pub async fn send(&self, request: Request<Full<Bytes>>, timeout: Duration) -> Result<Answer, PostError> {
        tokio::time::timeout(timeout, self.exchange(request)).await.unwrap_or(Err(PostError::Timeout(timeout)))
    }

    /// Host and port as the `Host` header has them.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.host, self.path)
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, PostError> {
        loop {
            let mut connection = self.connection().await?;
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
                    let body = body.map_err(|e| PostError::Lost(e.to_string()))?.to_bytes();
                    locked(&self.idle).push(connection);
                    return Ok(Answer { status, body });
                }
                // The server had closed an idle connection and nothing of the request left: another one.
                Err(mut err) => match err.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(PostError::Lost(err.into_error().to_string())),
                },
            }
        }
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, PostError> {
        loop {
            let idle = locked(&self.idle).pop();
            let Some(mut connection) = idle else { break };
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let not_sent = |e: &dyn std::error::Error| PostError::NotSent(e.to_string());
        let stream = TcpStream::connect(&self.authority).await.map_err(|e| not_sent(&e))?;
        stream.set_nodelay(true).map_err(|e| not_sent(&e))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| not_sent(&e))?;
        // Ends by itself when its sender is dropped or the peer closes.
        self.connections.spawn(async move {
            if let Err(err) = connection.await {
                tracing::trace!(%err, "webhook connection ended");
            }
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses() {
        for (url, good) in [
            ("http://127.0.0.1:8080/webhooks/meta?x=1", true),
            ("http://localhost", true),
            ("https://example.com/hook", false),
            ("/hook", false),
            ("not a url", false),
        ] {
            assert_eq!(HttpClient::new(url).is_ok(), good, "{url}");
        }
        let client = HttpClient::new("http://127.0.0.1:8080/a?b=c").unwrap();
        assert_eq!((client.authority.as_str(), client.path.as_str()), ("127.0.0.1:8080", "/a?b=c"));
    }
}
