//! `/v1/tokens`: personal tokens, for the administrator. The clear token is made here and told once; the engine only
//! ever sees its sha256.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compact_str::{CompactString, format_compact};
use serde_json::json;

use super::auth::{Secret, TOKEN_PREFIX, administrator};
use super::error::{Failure, status_of};
use super::fields::Fields;
use super::{App, ask, body, document, say, schema, shape};
use crate::domain::actor::{ADMINISTRATOR, Actor, By};
use crate::domain::id::RequestId;
use crate::domain::input::{Input, InputKind};

/// Makes a personal token.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "tokens", operation_id = "add_token", security(("administrator" = [])),
    request_body = schema::TokenFor,
    responses((status = 201, description = "The token, told this once", body = schema::NewToken), document::Speaking)
)]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Failure> {
    administrator(&app, request.headers()).await?;
    let held = body::read(&app, request, app.http.limits.api_bytes).await?;
    let named = Fields::parse(&held.bytes, &["person"])?.needed("person")?;
    // Others may read their bodies while this one waits for the engine.
    drop(held);
    let person = say::person(&app, "person", named).await?;
    let (token, clear) = made().map_err(|error| {
        tracing::error!(%error, "the system gives no randomness for a token");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "internal", "the system gives no randomness; try again")
            .retry_after(5)
    })?;
    let sha256 = Secret::of(clear.as_bytes()).hex();
    let kind = InputKind::AddToken { token: token.clone(), person: person.clone(), sha256 };
    done(&app, id, kind).await?;
    Ok(shape::json(StatusCode::CREATED, &json!({"id": token, "person": person, "token": clear})))
}

/// The tokens in force; no secret is in it.
#[utoipa::path(
    get, path = "/v1/tokens", tag = "tokens", operation_id = "tokens", security(("administrator" = [])),
    responses((status = 200, description = "All of them", body = schema::List<schema::Token>), document::Ruling)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    administrator(&app, &headers).await?;
    let items = ask::look(&app, |view| {
        let tokens = view.state.tokens.iter();
        let item = |(id, token): (&CompactString, &crate::domain::state::Token)| {
            json!({"id": id, "person": token.person, "added_at": token.added_at})
        };
        tokens.map(item).collect::<Vec<_>>()
    })
    .await?;
    Ok(shape::json(StatusCode::OK, &json!({"items": items, "next": null})))
}

/// Voids a token.
///
/// By its public name, or by a person for all of theirs.
#[utoipa::path(
    delete, path = "/v1/tokens/{token}", tag = "tokens", operation_id = "revoke_token", security(("administrator" = [])),
    params(("token" = String, Path, description = "Its `id`, or a person")),
    responses((status = 200, description = "Void", body = schema::Done), document::Ruling)
)]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    administrator(&app, &headers).await?;
    let text = done(&app, id, InputKind::RevokeToken { token: token.into() }).await?;
    Ok(shape::json(StatusCode::OK, &json!({"ok": true, "text": text})))
}

pub(super) async fn done(app: &App, id: RequestId, kind: InputKind) -> Result<String, Failure> {
    let by = By {
        actor: Actor::Person(ADMINISTRATOR.into()),
        via: "api".into(),
        request: Some(id),
        granted: None,
        factor: None,
    };
    let answer = ask::submit_one(app, Input { by, idempotency: None, kind, closed: Vec::new() }).await?;
    match answer.reply {
        Ok(reply) => Ok((app.http.render)(&reply.text, None)),
        Err(reject) => Err(Failure::refused(status_of(reject.code), reject)),
    }
}

/// A new token: its public name and its clear text, `obt_` with 256 random bits.
fn made() -> Result<(CompactString, String), getrandom::Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok((format_compact!("tok-{:08x}", getrandom::u32()?), format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bits))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_shape_and_never_repeats() {
        let (name, clear) = made().unwrap();
        assert_eq!((name.len(), clear.len()), (12, 47));
        assert!(name.starts_with("tok-") && clear.starts_with("obt_"));
        assert!(clear[4..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_ne!(made().unwrap().1, clear);
    }
}
