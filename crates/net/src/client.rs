//! One HTTP client for everything that goes out. It carries out a [`Plan`], tells apart what certainly did not leave this machine from what
//! may have arrived (S4.4), and keeps URLs, which may hold tokens, out of every error.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use types::http::{Answer, Body, Method, NoAnswer, Plan};
use types::{Clock, SystemClock};

/// How the client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Bound on opening a connection.
    pub connect_timeout: Duration,
    /// Whether private, loopback and link-local addresses may be called. Providers' addresses come from the operator and may; what tenants
    /// can set (actions, media, hooks) may not, unless the operator allows it.
    pub allow_private: bool,
    /// Longest answer that is read, bytes.
    pub max_answer: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), allow_private: false, max_answer: 1 << 20 }
    }
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot start: {0}")]
pub struct ClientError(String);

type Pool = legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// A client with its own pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: Pool,
    options: Arc<ClientOptions>,
}

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("barid/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl Client {
    /// Makes a client. Certificates are checked against the system's roots and, where there are none, Mozilla's. It follows no redirects and
    /// uses no proxy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new_with_resolver(Resolver { allow_private: options.allow_private });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(50))
            .build(https.wrap_connector(tcp));
        Ok(Self { http, options: Arc::new(options) })
    }

    /// Carries out a plan within `timeout`.
    ///
    /// # Errors
    /// [`NoAnswer`], which tells whether the request may have arrived.
    pub async fn call(&self, plan: &Plan, timeout: Duration) -> Result<Answer, NoAnswer> {
        let uri: Uri = plan.url.expose().parse().map_err(|e: http::uri::InvalidUri| NoAnswer::NotSent {
            host: plan.name.to_owned(),
            why: format!("the configured address is no URL: {e}"),
        })?;
        let host = host_of(&uri);
        if !self.options.allow_private
            && let Some(ip) = literal(&uri)
            && !is_public(ip)
        {
            let why = "private, loopback and link-local addresses are refused".to_owned();
            return Err(NoAnswer::Forbidden { host, why });
        }
        let request = request(plan, uri, &host)?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|e| no_answer(&host, &e))?;
            self.read(&host, response).await
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::Lost { host, why: "no answer in time".to_owned() }),
        }
    }

    async fn read(&self, host: &str, response: Response<Incoming>) -> Result<Answer, NoAnswer> {
        let (head, mut incoming) = response.into_parts();
        let (retry_after, should_retry) = manners(&head.headers);
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|e| NoAnswer::Lost { host: host.to_owned(), why: innermost(&e) })?;
            let Some(data) = frame.data_ref() else { continue };
            let room = self.options.max_answer.saturating_sub(body.len());
            body.extend_from_slice(&data[..data.len().min(room)]);
            if room <= data.len() {
                break;
            }
        }
        Ok(Answer { status: head.status.as_u16(), retry_after, should_retry, body })
    }
}

/// What the other side says of trying again: when, and whether at all.
fn manners(headers: &http::HeaderMap) -> (Option<Duration>, Option<bool>) {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    // Model vendors are more exact than the standard lets them be.
    let exact = text("retry-after-ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    let now = || text("date").and_then(types::http::moment).unwrap_or_else(|| SystemClock.now());
    let after = exact.or_else(|| text("retry-after").and_then(|after| types::http::wait_of(after, now())));
    let should = text("x-should-retry").and_then(|word| word.to_ascii_lowercase().parse().ok());
    (after, should)
}

fn request(plan: &Plan, uri: Uri, host: &str) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let (kind, body) = match &plan.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(json) => (Some(JSON), Bytes::from(json.clone())),
        Body::Form(pairs) => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            (Some(FORM), Bytes::from(form))
        }
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = match plan.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
    };
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, USER_AGENT);
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(authorization) = &plan.authorization {
        let mut value = HeaderValue::from_str(authorization.expose()).map_err(|_| NoAnswer::NotSent {
            host: host.to_owned(),
            why: "the configured token holds characters that no header can".into(),
        })?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    for (name, value) in &plan.headers {
        let not_sent = |why: String| NoAnswer::NotSent { host: host.to_owned(), why };
        let name = http::HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| not_sent(format!("the configured header {name:?} has a name that no header can")))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| not_sent(format!("the header {name} holds characters that no header can")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// `host:port`, without path or query: safe for logs.
fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("?");
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    format!("{host}:{}", uri.port_u16().unwrap_or(usual))
}

/// The address that the host is, if it is one. Other spellings of addresses (127.1, 2130706433) go to the resolver, which reads them as what
/// they mean and is checked in its turn.
fn literal(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Only a failure to connect proves that nothing left this machine; everything later may have arrived.
fn no_answer(host: &str, error: &legacy::Error) -> NoAnswer {
    let why = innermost(error);
    let host = host.to_owned();
    if why.contains(REFUSED_PRIVATE) {
        return NoAnswer::Forbidden { host, why };
    }
    if error.is_connect() {
        return NoAnswer::NotSent { host, why };
    }
    NoAnswer::Lost { host, why }
}

/// The cause at the bottom, which names no URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut source = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    source.to_string()
}

const REFUSED_PRIVATE: &str = "resolves to a private address";

/// Resolves names, and gives only addresses on the public internet unless private ones are allowed: checked where the connection is made, so
/// that a name that changes its address between check and use gains nothing.
#[derive(Clone, Debug)]
struct Resolver {
    allow_private: bool,
}

type Resolved = Result<std::vec::IntoIter<SocketAddr>, Box<dyn std::error::Error + Send + Sync>>;

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Resolved> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|a| allow_private || is_public(a.ip())).collect();
            if usable.is_empty() && !allow_private {
                return Err(format!("{name} {REFUSED_PRIVATE}").into());
            }
            Ok(usable.into_iter())
        })
    }
}

/// Whether an address is on the public internet: neither private, loopback, link-local, shared, multicast nor reserved.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_unspecified()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            let first = v6.segments()[0];
            // Only global unicast (2000::/3), without documentation, 6to4 and NAT64 ways round to IPv4.
            (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && v6.segments()[1] == 0x0db8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Secret;

    fn plan(url: &str) -> Plan {
        Plan {
            method: Method::Get,
            url: Secret::new(url),
            authorization: None,
            headers: Vec::new(),
            body: Body::Empty,
            name: "test",
        }
    }

    /// S7.3: whatever spelling a private address wears, it is refused before a connection is made.
    #[tokio::test]
    async fn private_addresses_are_refused_in_every_spelling() {
        let client = Client::new(ClientOptions::default()).unwrap();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fe80::1]/",
            "http://0.0.0.0/",
            "http://localhost/",
        ] {
            let answer = client.call(&plan(url), Duration::from_secs(2)).await;
            assert!(matches!(answer, Err(NoAnswer::Forbidden { .. })), "{url}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_refused_connection_is_certain_not_to_have_sent() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::new(ClientOptions { allow_private: true, ..Default::default() }).unwrap();
        let answer = client.call(&plan(&format!("http://127.0.0.1:{port}/secret-token")), Duration::from_secs(2)).await;
        let Err(error @ NoAnswer::NotSent { .. }) = answer else { panic!("{answer:?}") };
        assert!(!error.to_string().contains("secret-token"), "{error}");
    }

    /// S7.3: a public address must not lead on to one that would have been refused.
    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let client = Client::new(ClientOptions { allow_private: true, ..Default::default() }).unwrap();
        let plan = plan(&format!("http://{address}/first"));
        let serve = async {
            let (mut socket, _) = server.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await.unwrap();
            let answer =
                format!("HTTP/1.1 302 Found\r\nlocation: http://{address}/second\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket
        };
        let (answer, mut socket) = tokio::join!(client.call(&plan, Duration::from_secs(10)), serve);
        assert_eq!(answer.unwrap().status, 302);
        drop(client);
        let mut more = Vec::new();
        let _ = socket.read_to_end(&mut more).await;
        assert!(more.is_empty(), "nobody asked for the second address");
        assert!(not_yet(server.accept()).await, "and nobody came anew");
    }

    /// Whether a future is not ready at this moment.
    async fn not_yet<T>(future: impl Future<Output = T>) -> bool {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn a_connection_that_is_lost_later_may_have_sent() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let client = Client::new(ClientOptions { allow_private: true, ..Default::default() }).unwrap();
        let plan = plan(&format!("http://127.0.0.1:{port}/secret-token"));
        let call = client.call(&plan, Duration::from_secs(5));
        let serve = async {
            let (socket, _) = server.accept().await.unwrap();
            socket.readable().await.unwrap();
            drop(socket);
        };
        let (answer, ()) = tokio::join!(call, serve);
        let Err(error @ NoAnswer::Lost { .. }) = answer else { panic!("{answer:?}") };
        assert!(!error.to_string().contains("secret-token"), "{error}");
    }
}
