//! The web page, out of the binary (S6.1): built files under their hashed names for ever, the page itself anew each time, with a policy that
//! lets in nothing from elsewhere. Built without the page, a stub says how to get it.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use types::clock::random_token;
use types::problem::Problem;

use crate::problem;

/// `ui/dist`. A debug build reads the folder as it stands; a release carries it. Built without Node, there is none.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Built;

/// Stands in `index.html` where this response's nonce goes.
const NONCE: &str = "__CSP_NONCE__";

/// Shown where the page was not built.
const STUB: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Barid</title>\
    <h1>Barid runs; its page was not built</h1>\
    <p>This binary was built without the web page, which needs Node 20 or newer. Build it with \
    <code>cargo xtask page</code>, or let <code>cargo xtask demo</code> do so, then build and start Barid again.</p>\
    <p>Everything else works: the <a href=\"/api/v1/openapi.json\">API</a>, and the command line: <code>barid help</code>.</p></html>";

/// What no other route takes: a built file, or the page for whoever asks for HTML, whatever the path; anything else is 404.
pub(crate) async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return nothing();
    }
    let path = request.uri().path().trim_start_matches('/');
    let headers = request.headers();
    if path != "index.html" && !path.is_empty() && !hidden(path) && Built::get(path).is_some() {
        return file(path, headers);
    }
    if wants_html(headers) && !path.starts_with("api/") && !path.starts_with("assets/") { page() } else { nothing() }
}

/// What lies in the folder for the build's own use.
fn hidden(path: &str) -> bool {
    path.starts_with('.') || path.contains("/.") || path.ends_with(".br") || path.ends_with(".gz")
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

fn nothing() -> Response {
    let detail = "there is neither a route nor a file of this name";
    problem::respond(&Problem::new("not-found", 404, "Not found", detail))
}

/// The page, with a nonce of its own: styles that scripts make must carry it.
fn page() -> Response {
    let built = Built::get("index.html").and_then(|f| String::from_utf8(f.data.into_owned()).ok());
    let nonce = random_token();
    let (text, status) = match built {
        Some(text) => (text.replace(NONCE, &nonce), StatusCode::OK),
        None => (STUB.to_owned(), StatusCode::OK),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A built file, compressed where the browser takes it so.
fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some((file, encoding)) = best(path, headers) else { return nothing() };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(&tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Response::new(Body::from(bytes))
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The build lays `.br` and `.gz` beside what is worth it.
fn best(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let takes = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    for (name, end) in [("br", ".br"), ("gzip", ".gz")] {
        let wanted = takes.split(',').any(|t| {
            let mut parts = t.split(';').map(str::trim);
            parts.next() == Some(name) && parts.next() != Some("q=0")
        });
        if let Some(file) = wanted.then(|| Built::get(&format!("{path}{end}"))).flatten() {
            return Some((file, Some(name)));
        }
    }
    Built::get(path).map(|file| (file, None))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, accept: &str) -> Request {
        http::Request::get(path).header("accept", accept).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn whoever_asks_for_html_gets_the_page_and_nobody_else_does() {
        for (path, accept, status) in [
            ("/", "text/html", 200),
            ("/inbox/7", "text/html,application/xhtml+xml,*/*;q=0.8", 200),
            ("/inbox/7", "application/json", 404),
            ("/inbox/7", "*/*", 404),
            ("/api/v9/x", "text/html", 404),
            ("/assets/gone.js", "text/html", 404),
        ] {
            let answer = serve(get(path, accept)).await;
            assert_eq!(answer.status().as_u16(), status, "{path} {accept}");
        }
        let posted = http::Request::post("/").header("accept", "text/html").body(Body::empty()).unwrap();
        assert_eq!(serve(posted).await.status().as_u16(), 404);
    }

    #[tokio::test]
    async fn the_policy_lets_in_no_inline_script_and_is_new_each_time() {
        let policy = |r: &Response| r.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let (one, two) = (serve(get("/", "text/html")).await, serve(get("/", "text/html")).await);
        assert!(policy(&one).contains("script-src 'self';") && !policy(&one).contains("unsafe"), "{}", policy(&one));
        assert_ne!(policy(&one), policy(&two));
        assert!(one.headers()["cache-control"].to_str().unwrap().contains("no-cache"));
    }

    #[tokio::test]
    async fn nothing_outside_of_the_folder_is_served() {
        for path in ["/../package.json", "/assets/../../package.json", "/%2e%2e/package.json", "/.vite/manifest.json"] {
            assert_eq!(serve(get(path, "*/*")).await.status().as_u16(), 404, "{path}");
        }
    }
}
