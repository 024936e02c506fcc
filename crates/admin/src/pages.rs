//! The pages about refusals, out of the binary: the `type` of a problem document leads to one.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header;
use rust_embed::RustEmbed;
use types::problem::Problem;

use crate::problem::respond;

#[derive(RustEmbed)]
#[folder = "../../docs/errors"]
struct Pages;

/// The page of one code, as text.
pub(crate) async fn about(Path(code): Path<String>) -> Response {
    let Some(page) = Pages::get(&format!("{code}.md")) else {
        return respond(&Problem::new("not-found", 404, "Not found", "there is no page about this code"));
    };
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], page.data)
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_type_of_every_problem_leads_to_its_page_and_nothing_else_is_there() {
        let names: Vec<_> = Pages::iter().collect();
        assert!(names.len() > 20, "{names:?}");
        for name in &names {
            let code = name.strip_suffix(".md").unwrap();
            let answer = about(Path(code.to_owned())).await;
            assert_eq!(answer.status(), 200, "{code}");
            assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        }
        for code in ["nothing", "..", "../../Cargo", "../config", ""] {
            assert_eq!(about(Path(code.to_owned())).await.status(), 404, "{code}");
        }
    }
}
