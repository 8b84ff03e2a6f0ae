//! The token of pages and API: programs send it as a bearer, browsers in a cookie.

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use super::cookie::cookie;

/// Name of the cookie that carries the token of a browser.
pub(crate) const TOKEN_COOKIE: &str = "tripline_token";

/// Whether a request has the token.
pub(crate) fn carries(headers: &HeaderMap, token: &str) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, sent)| sent.trim());
    bearer.is_some_and(|sent| is_same(sent, token))
        || cookie(headers, TOKEN_COOKIE).is_some_and(|sent| is_same(&sent, token))
}

/// Compares in a time that depends on the lengths only.
pub(crate) fn is_same(sent: &str, token: &str) -> bool {
    sent.as_bytes().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_in_full() {
        assert!(is_same("secret", "secret"));
        assert!(
            !is_same("secre", "secret") && !is_same("secret2", "secret") && !is_same("", "secret")
        );
    }
}
