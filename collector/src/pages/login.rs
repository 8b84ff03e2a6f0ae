//! The token of the pages, from a form into a cookie.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tripline_web::address::segment;
use tripline_web::pages as views;

use super::answer::{bare_frame, page};
use crate::api::AppState;
use crate::api::token::{TOKEN_COOKIE, is_same};

/// What the login form sends.
#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

/// `POST /login`: the token into a cookie that scripts cannot read.
pub(super) async fn login(State(state): State<AppState>, Form(login): Form<Login>) -> Response {
    let next = if login.next.starts_with('/')
        && !login.next.starts_with("//")
        && !login.next.contains('\\')
    {
        login.next
    } else {
        "/".to_owned()
    };
    let is_right = state
        .config
        .ui
        .token
        .as_deref()
        .is_none_or(|token| is_same(&login.token, token));
    let cookie = format!(
        "{TOKEN_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000",
        segment(&login.token)
    );
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) if is_right => {
            ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
        }
        _ => page(&bare_frame(), StatusCode::UNAUTHORIZED, "Token", |_| {
            views::login(&next, Some("That is not the token of this server."))
        }),
    }
}
