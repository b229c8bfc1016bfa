//! The cookie that a browser keeps its session in.

use axum::http::{HeaderMap, HeaderValue, header};

use super::session;
use crate::ui::dashboard::error::PageError;

/// Returns the name of the cookie. It holds the port, as browsers send cookies to every port of a host.
pub(super) fn name(port: u16) -> String {
    format!("synth2real-{port}")
}

/// Returns the value of a cookie that a request brings.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// Returns the value of the header that hands a session to the browser.
pub(crate) fn set(port: u16, headers: &HeaderMap, secret: &str) -> Result<HeaderValue, PageError> {
    let tls = headers.get("x-forwarded-proto");
    let secure = if tls.is_some_and(|proto| proto == "https") {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        name(port),
        session::LASTS.as_secs()
    );
    HeaderValue::try_from(cookie).map_err(|error| {
        PageError::Unavailable(format!("the session's cookie cannot be sent: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        let cookies = HeaderValue::from_static("a=1; synth2real-8080=secret; b=2");
        headers.insert(header::COOKIE, cookies);
        assert_eq!(find(&headers, "synth2real-8080"), Some("secret"));
        assert_eq!(find(&headers, "synth2real-80"), None);
    }

    #[test]
    fn a_cookie_is_for_tls_alone_where_a_proxy_speaks_it() {
        let mut headers = HeaderMap::new();
        let plain = set(8080, &headers, "secret").unwrap();
        assert_eq!(
            plain,
            "synth2real-8080=secret; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800"
        );
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let secure = set(8080, &headers, "secret").unwrap();
        assert!(secure.to_str().unwrap().ends_with("; Secure"));
        assert!(set(8080, &headers, "sec\nret").is_err());
    }
}
