//! One HTTP client for everything that goes out. It carries out a [`Plan`], tells apart what certainly did not leave this machine from what
//! may have arrived (S4.4), and keeps URLs, which may hold tokens, out of every error.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use types::http::{Answer, Body, Method, NoAnswer, Plan};

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

/// A client with its own pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    options: Arc<ClientOptions>,
}

impl Client {
    /// Makes a client. Certificates are checked against the system's roots and, where there are none, Mozilla's.
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
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_nodelay(true)
            .no_proxy()
            .user_agent(concat!("barid/", env!("CARGO_PKG_VERSION")));
        if !options.allow_private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        let http = builder.build().map_err(|e| ClientError(e.to_string()))?;
        Ok(Self { http, options: Arc::new(options) })
    }

    /// Carries out a plan within `timeout`.
    ///
    /// # Errors
    /// [`NoAnswer`], which tells whether the request may have arrived.
    pub async fn call(&self, plan: &Plan, timeout: Duration) -> Result<Answer, NoAnswer> {
        let url = reqwest::Url::parse(plan.url.expose()).map_err(|e| NoAnswer::NotSent {
            host: plan.name.to_owned(),
            why: format!("the configured address is no URL: {e}"),
        })?;
        let host = host_of(&url);
        if !self.options.allow_private
            && let Some(ip) = literal(&url)
            && !is_public(ip)
        {
            let why = "private, loopback and link-local addresses are refused".to_owned();
            return Err(NoAnswer::Forbidden { host, why });
        }
        let mut request = match plan.method {
            Method::Get => self.http.get(url),
            Method::Post => self.http.post(url),
        }
        .timeout(timeout);
        if let Some(authorization) = &plan.authorization {
            let mut value =
                reqwest::header::HeaderValue::from_str(authorization.expose()).map_err(|_| NoAnswer::NotSent {
                    host: host.clone(),
                    why: "the configured token holds characters that no header can".into(),
                })?;
            value.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        request = match &plan.body {
            Body::Empty => request,
            Body::Json(json) => request.header(reqwest::header::CONTENT_TYPE, "application/json").body(json.clone()),
            Body::Form(pairs) => request.form(pairs),
        };
        let response = request.send().await.map_err(|e| no_answer(&host, &e))?;
        self.read(&host, response).await
    }

    async fn read(&self, host: &str, mut response: reqwest::Response) -> Result<Answer, NoAnswer> {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.trim().parse::<u64>().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| no_answer(host, &e))? {
            let room = self.options.max_answer.saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if room <= chunk.len() {
                break;
            }
        }
        Ok(Answer { status, retry_after, body })
    }
}

/// `host:port`, without path or query: safe for logs.
fn host_of(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn literal(url: &reqwest::Url) -> Option<IpAddr> {
    // The URL parser has already read decimal, octal and short forms (127.1, 2130706433) as what they mean.
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Only a failure to connect proves that nothing left this machine; everything later may have arrived.
fn no_answer(host: &str, error: &reqwest::Error) -> NoAnswer {
    let why = innermost(error);
    let host = host.to_owned();
    if why.contains(REFUSED_PRIVATE) {
        return NoAnswer::Forbidden { host, why };
    }
    if error.is_connect() || error.is_builder() {
        return NoAnswer::NotSent { host, why };
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { why };
    NoAnswer::Lost { host, why }
}

/// The cause at the bottom, which names no URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    source.to_string()
}

const REFUSED_PRIVATE: &str = "resolves to a private address";

/// Resolves names, and gives only addresses on the public internet: checked where the connection is made, so that a name that changes
/// its address between check and use gains nothing.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|a| is_public(a.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} {REFUSED_PRIVATE}", name.as_str()).into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
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
        Plan { method: Method::Get, url: Secret::new(url), authorization: None, body: Body::Empty, name: "test" }
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
