//! The pages of `docs/` that answers and the page lead to, as text: what an error code means (`type` of every refusal), and what to do about an
//! alert.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header;
use rust_embed::RustEmbed;
use types::problem::Problem;

use crate::problem;

/// `docs`. A debug build reads the folder as it stands; a release carries it.
#[derive(RustEmbed)]
#[folder = "../../docs"]
struct Docs;

/// What of it is served: what is of use to whoever runs Barid.
fn served(path: &str) -> bool {
    matches!(path, "runbook.md" | "webhooks.md" | "config.md" | "states.md" | "sql.md") || path.starts_with("errors/")
}

/// A page by its name, with or without its ending.
pub(crate) async fn page(Path(path): Path<String>) -> Response {
    let name = if path.ends_with(".md") { path } else { format!("{path}.md") };
    match Docs::get(&name).filter(|_| served(&name) && !name.contains("..")) {
        Some(file) => {
            let kind = "text/plain; charset=utf-8";
            (
                [
                    (header::CONTENT_TYPE, kind),
                    (header::CACHE_CONTROL, "no-cache"),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                ],
                file.data.into_owned(),
            )
                .into_response()
        }
        None => problem::respond(&Problem::new("not-found", 404, "Not found", "there is no page of this name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn error_codes_and_the_runbook_are_there_and_nothing_else() {
        for (path, status) in [
            ("errors/refused", 200),
            ("errors/refused.md", 200),
            ("runbook.md", 200),
            ("errors/nothing", 404),
            ("decisions/README.md", 404),
            ("api/openapi.json", 404),
            ("../Cargo.toml", 404),
            ("errors/../../Cargo.toml", 404),
        ] {
            assert_eq!(page(Path(path.to_owned())).await.status().as_u16(), status, "{path}");
        }
    }
}
