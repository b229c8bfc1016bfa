//! Renders errors for the visitor: JSON below `/api/`, an HTML page everywhere else.
//!
//! Handlers and access checks answer with a [`PageError`] alone; this layer, around all of them, gives it a body.

use askama::Template;
use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::wording::{MOST_TEXT_BYTES, shortened};

use super::error::PageError;
use super::layout::{Layout, page};

/// Where the API begins: what is below it is answered in JSON, errors too.
const API: &str = "/api/";

/// An error as a page of its own.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    title: &'static str,
    message: String,
    /// The run that it is about, to go back to.
    run: Option<String>,
}

/// Gives an answer that carries a [`PageError`] its body; other answers pass as they are.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with(API);
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<PageError>() else {
        return response;
    };
    let mut rendered = if is_api { json(&error) } else { html(&error) };
    // Such as the cookie of a session that the request opened.
    let (parts, _) = response.into_parts();
    rendered.headers_mut().extend(parts.headers);
    rendered
}

fn json(error: &PageError) -> Response {
    let body = serde_json::json!({ "error": error.to_string() });
    (error.status(), Json(body)).into_response()
}

fn html(error: &PageError) -> Response {
    let (status, title) = (error.status(), error.title());
    // It may quote what was asked for.
    let message = shortened(&error.to_string(), MOST_TEXT_BYTES);
    if status.is_server_error() {
        tracing::warn!(error = message, "a page cannot be shown");
    }
    let layout = if error.is_retried() {
        Layout::refreshing(title)
    } else {
        Layout::minimal(title)
    };
    let body = page(&ErrorPage {
        layout,
        title,
        message,
        run: error.run().map(ToString::to_string),
    });
    (status, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    /// An error of each kind, with its status, its title, and whether its page retries.
    fn kinds() -> [(PageError, u16, &'static str, bool); 6] {
        let text = || "<what is wrong>".to_owned();
        let conflict = PageError::Conflict {
            run: "demo".parse().unwrap(),
            text: text(),
        };
        [
            (PageError::NotFound(text()), 404, "Not found", true),
            (PageError::NotReady(text()), 503, "Still looking", true),
            (PageError::Forbidden(text()), 403, "Refused", false),
            (
                PageError::BadRequest(text()),
                400,
                "That makes no sense",
                false,
            ),
            (conflict, 409, "Something else came first", false),
            (
                PageError::Unavailable(text()),
                503,
                "Something does not answer",
                true,
            ),
        ]
    }

    async fn body(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_error_of_each_kind_is_a_page_with_its_title_and_its_message() {
        for (error, status, title, is_retried) in kinds() {
            let response = html(&error);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
            let page = body(response).await;
            let version = if is_retried { "0-0" } else { "" };
            for part in [
                format!("<title>{title} · synth2real</title>"),
                format!("<h1>{title}</h1>"),
                "&#60;what is wrong&#62;".to_owned(),
                format!("data-version=\"{version}\""),
            ] {
                assert!(page.contains(&part), "no {part}: {page}");
            }
            let leads_back = page.contains("href=\"/runs/demo\"");
            assert_eq!(leads_back, matches!(error, PageError::Conflict { .. }));
        }
    }

    #[tokio::test]
    async fn an_error_of_each_kind_is_an_object_of_json_with_its_message() {
        for (error, status, ..) in kinds() {
            let response = json(&error);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(body(response).await, r#"{"error":"<what is wrong>"}"#);
        }
    }

    #[tokio::test]
    async fn a_page_quotes_no_more_of_a_request_than_fits_and_the_api_all_of_it() {
        let error = PageError::NotFound("a".repeat(10 * MOST_TEXT_BYTES));
        assert!(body(html(&error)).await.len() < 10 * MOST_TEXT_BYTES);
        assert!(body(json(&error)).await.len() > 10 * MOST_TEXT_BYTES);
    }
}
