//! `/healthz` (the process lives) and `/readyz` (it can take signals). Unauthenticated, so they say little.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::error::Failure;
use super::{App, ask, document, schema, shape};

/// Between two tries while the engine's queue is full.
const AGAIN: Duration = Duration::from_millis(50);

/// Whether the process lives.
///
/// 200 whenever the engine answers, whatever else is wrong: a restart would not help.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It lives", body = schema::Health), document::Asking)
)]
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let wait = app.http.limits.health_timeout;
    let answered = timeout(wait, async {
        // A full queue is load, unless it stays full: then nobody empties it.
        loop {
            match ask::peek(&app, &app.checks, wait, |_| ()).await {
                Err(failure) if failure.is_busy() => sleep(AGAIN).await,
                other => return other,
            }
        }
    });
    match answered.await {
        Ok(Ok(())) => Ok(shape::json(StatusCode::OK, &json!({"status": "ok"}))),
        Ok(Err(failure)) if !failure.is_silence() => Ok(shape::json(StatusCode::OK, &json!({"status": "ok"}))),
        _ => {
            let message = format!("the engine has not answered within {} s", wait.as_secs());
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer", message)
                .hint("the process hangs: restart it; everything acknowledged is in the journal"))
        }
    }
}

/// Whether signals are taken.
///
/// 503 with the reason while signals would be refused.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Signals are taken", body = schema::Health), document::Asking)
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let not_ready = |why: String| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why).retry_after(1);
    if app.http.starting.load(Ordering::Acquire) {
        return Err(not_ready("Opsbell is starting".to_owned()));
    }
    let trouble = ask::peek(&app, &app.checks, app.http.limits.health_timeout, |view| view.trouble.map(str::to_owned));
    match trouble.await? {
        // Chat that is refused loses no signal, and each person's next method goes on; a configuration that is not taken
        // leaves the one before it in force: both are told, and no reason to be taken out of service.
        None => {
            let mut told = json!({"status": "ready"});
            if let Some(chat) = (app.http.chat)() {
                told["chat"] = chat.into();
            }
            if !app.http.tally.is_config_in_force() {
                told["config"] = "not-in-force".into();
            }
            Ok(shape::json(StatusCode::OK, &told))
        }
        Some(trouble) => Err(not_ready(trouble)),
    }
}
