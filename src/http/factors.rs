//! `/v1/factors`: second factors of people, for the administrator. The secret is made here and told once; the engine only
//! ever hears that there is one.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::auth::administrator;
use super::error::Failure;
use super::fields::Fields;
use super::{App, ask, body, document, say, schema, shape, tokens};
use crate::domain::change::authority::Enrolled;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::input::InputKind;

/// What is done to the secret of a person.
pub enum FactorAct {
    /// A new one, of these bytes; the old one is right no longer.
    Make([u8; 20]),
    /// It is taken away.
    Remove,
}

/// Keeps the secrets: gives a new one as authenticators take it (base32), or why it could not be kept.
pub type KeepFactor = Arc<dyn Fn(&PersonId, FactorAct) -> Result<String, String> + Send + Sync>;

/// Gives a person a second factor.
///
/// A person who has one gets another; the old one counts no longer.
#[utoipa::path(
    post, path = "/v1/factors", tag = "tokens", operation_id = "add_factor", security(("administrator" = [])),
    request_body = schema::TokenFor,
    responses((status = 201, description = "Its secret, told this once", body = schema::NewFactor), document::Speaking)
)]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Failure> {
    administrator(&app, request.headers()).await?;
    let held = body::read(&app, request, app.http.limits.api_bytes).await?;
    let named = Fields::parse(&held.bytes, &["person"])?.needed("person")?;
    drop(held);
    let person: PersonId = say::person(&app, "person", named).await?;
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no randomness for a second factor");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "internal", "the system gives no randomness; try again")
            .retry_after(5)
    })?;
    // Kept before it is in force: an old code is refused in between, and none is taken that nobody can know.
    let secret = (app.http.factors)(&person, FactorAct::Make(bytes)).map_err(|error| unkept(&error))?;
    tokens::done(&app, id, InputKind::EnrolFactor { person: person.clone(), there: true }).await?;
    let address = format!("otpauth://totp/Opsbell:{person}?secret={secret}&issuer=Opsbell");
    Ok(shape::json(StatusCode::CREATED, &json!({"person": person, "secret": secret, "address": address})))
}

fn unkept(error: &str) -> Failure {
    tracing::error!(error, "a second factor could not be kept");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "internal", "the secret could not be kept; see the server's log")
        .retry_after(5)
}

/// The people with a second factor; no secret is in it.
#[utoipa::path(
    get, path = "/v1/factors", tag = "tokens", operation_id = "factors", security(("administrator" = [])),
    responses((status = 200, description = "All of them", body = schema::List<schema::Factor>), document::Ruling)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    administrator(&app, &headers).await?;
    let items = ask::look(&app, |view| {
        let item = |(person, enrolled): (&PersonId, &Enrolled)| json!({"person": person, "added_at": enrolled.at});
        view.state.meta.authority.factors.iter().map(item).collect::<Vec<_>>()
    })
    .await?;
    Ok(shape::json(StatusCode::OK, &json!({"items": items, "next": null})))
}

/// Takes a person's second factor away.
#[utoipa::path(
    delete, path = "/v1/factors/{person}", tag = "tokens", operation_id = "remove_factor",
    security(("administrator" = [])),
    params(("person" = String, Path, description = "Whose")),
    responses((status = 200, description = "Gone", body = schema::Done), document::Ruling)
)]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(person): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    administrator(&app, &headers).await?;
    let person = PersonId::from(person.as_str());
    let text = tokens::done(&app, id, InputKind::EnrolFactor { person: person.clone(), there: false }).await?;
    (app.http.factors)(&person, FactorAct::Remove).map_err(|error| unkept(&error))?;
    Ok(shape::json(StatusCode::OK, &json!({"ok": true, "text": text})))
}
