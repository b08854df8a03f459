//! `POST /v1/ingest/<source>`: one body of one sender becomes inputs, one per signal, submitted together; 202 once all
//! are durable. The key is looked at before the body. What a payload means is `source/`'s work, handed in as `Read`.

use std::panic::resume_unwind;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use compact_str::{CompactString, format_compact};
use serde::Serialize;

use super::auth::{Key, Shown, bearer, unauthorized};
use super::error::Failure;
use super::{App, ReadError, ReadOutcome, ask, body, document, query, schema, shape, signature};
use crate::domain::actor::{Actor, By};
use crate::domain::alert::intake::IGNORED;
use crate::domain::id::RequestId;
use crate::domain::input::{Answer, Input, InputKind};
use crate::domain::reject::did_you_mean;
use crate::domain::signal::{Signal, SignalKind};

/// A larger body is parsed away from the threads that serve connections: a mebibyte of JSON takes them some
/// milliseconds, during which nobody else would be answered.
const PARSE_APART_BYTES: usize = 32 << 10;

/// The longest `Idempotency-Key`, in bytes: a UUID or a hash with a prefix fits; it is kept in State for a day.
const IDEMPOTENCY_MAX: usize = 200;

#[derive(Serialize)]
struct Accepted<'a> {
    accepted: usize,
    ignored: usize,
    rejected: Vec<Rejected>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Rejected {
    path: String,
    reason: String,
}

/// Takes the payload of a sender.
///
/// 202 once everything accepted is durable.
#[utoipa::path(
    post, path = "/v1/ingest/{source}", tag = "signals",
    security(("integration" = []), ("integration-query" = [])),
    params(("source" = String, Path, description = "The sender's format", example = "alertmanager"), DryRun, Repeatable),
    request_body(content = serde_json::Value, description = "As the sender writes it; may be packed by gzip"),
    responses(
        (status = 200, description = "With `dry_run`: how each signal is read", body = Vec<schema::Reading>),
        (status = 202, description = "Durable", body = schema::Accepted),
        document::Sending,
    )
)]
pub(crate) async fn ingest(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    let source = app.http.sources.iter().copied().find(|source| *source == name);
    let answer = match source {
        Some(source) => take(&app, source, id, request).await,
        None => Err(unknown_source(&app, name)),
    };
    let status = answer.as_ref().map_or_else(|failure| failure.status, Response::status);
    app.metrics.ingested(source, status, (app.http.stopwatch)().saturating_sub(begun));
    answer.into_response()
}

/// What the query may say beside `key`, for `/openapi.json`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `Asked::parse` reads")]
pub(crate) struct DryRun {
    /// Show how it is read, and do nothing.
    #[param(value_type = Option<Flag>, inline)]
    dry_run: Option<String>,
}

/// Yes or no in a query.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `Asked::parse` reads")]
pub(crate) enum Flag {
    #[schema(rename = "1")]
    Yes,
    #[schema(rename = "0")]
    No,
}

/// The header that makes a repeat harmless, for `/openapi.json`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes what `idempotency_key` reads")]
pub(crate) struct Repeatable {
    /// The same key within 24 hours does nothing again.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 200, pattern = "^[!-~]([ -~]*[!-~])?$")]
    key: Option<String>,
}

fn unknown_source(app: &App, name: &str) -> Failure {
    let name: String = name.chars().take(60).collect();
    Failure::not_found(format!("there is no source `{name}`")).meant(&name, app.http.sources.iter().copied()).close()
}

async fn take(app: &App, source: &'static str, id: RequestId, request: Request) -> Result<Response, Failure> {
    let asked = Asked::parse(request.uri())?;
    let unread = signature::unread(source, request.headers());
    let shows = bearer(request.headers()).is_some() || asked.key.as_deref().is_some_and(|key| !key.is_empty());
    // A key that is shown counts by itself; else it is the signature that says whose it is.
    let tag = signature::github(source, request.headers())?.filter(|_| !shows);
    let (key, held, idempotency) = match tag {
        Some(tag) => {
            let idempotency = idempotency_key(request.headers())?;
            let (key, held) = signature::signed(app, source, &tag, request).await?;
            (key, held, idempotency)
        }
        None => {
            let key = known(app, source, request.headers(), asked.key.as_deref())?;
            spend(app, &key)?;
            let idempotency = idempotency_key(request.headers())?;
            (key, body::read(app, request, app.http.limits.ingest_bytes).await?, idempotency)
        }
    };
    let outcome = match unread {
        true => ReadOutcome { ignored: 1, ..ReadOutcome::default() },
        false => read(app, source, &key, held.bytes).await?,
    };
    drop(held.place);
    key.bucket.charge((app.http.stopwatch)(), app.http.limits.rate, outcome.signals.len().saturating_sub(1));

    if asked.dry_run {
        let readings: Vec<_> = outcome.signals.iter().map(Signal::reading).collect();
        return Ok(shape::json(StatusCode::OK, &readings));
    }
    submit(app, &key, id, idempotency, outcome).await
}

/// Counts one signal of this key, or refuses it as one too many.
pub(crate) fn spend(app: &App, key: &Key) -> Result<(), Failure> {
    let rate = app.http.limits.rate;
    key.bucket.take((app.http.stopwatch)(), rate).map_err(|wait| {
        let secs = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "this key has sent too many signals")
            .hint(format!("at most {} a second, {} at once", rate.per_sec, rate.burst))
            .retry_after(secs)
            .close()
    })
}

/// The integration whose key was shown.
pub(crate) fn known(app: &App, source: &str, headers: &HeaderMap, in_query: Option<&str>) -> Result<Arc<Key>, Failure> {
    let shown = bearer(headers).or(in_query.map(str::as_bytes).filter(|key| !key.is_empty()));
    let Some(shown) = shown.or(signature::gitlab(source, headers)?) else {
        let hint = match source {
            "github" => "give the webhook the integration's key as its secret: then GitHub signs what it sends",
            "gitlab" => "give the webhook the integration's key as its secret token",
            _ => "send `Authorization: Bearer KEY`, or ?key=KEY where the sender cannot set headers",
        };
        return Err(unauthorized("this path needs an integration's key").hint(hint));
    };
    match app.http.keys.shown(source, shown) {
        Shown::Ours(key) => Ok(key),
        Shown::Other(its) => {
            let message = format!("this key is for the source `{its}`");
            Err(Failure::new(StatusCode::FORBIDDEN, "wrong-source", message)
                .hint(format!("post to /v1/ingest/{its}, or use a key of an integration with source = \"{source}\""))
                .close())
        }
        Shown::Unknown => Err(unauthorized("this key is not known").hint(
            "it is the value that key_env (or key_file) of the [[integration]] names; a changed one counts after a reload",
        )),
    }
}

/// What the query asks for. Unknown parameters are let pass, as some senders add their own; but not one that looks
/// like a misspelled one of ours: `?dryrun=1` would wake somebody.
#[derive(Default)]
struct Asked {
    key: Option<String>,
    dry_run: bool,
}

impl Asked {
    fn parse(uri: &Uri) -> Result<Self, Failure> {
        let mut asked = Self::default();
        if uri.query().is_none() {
            return Ok(asked);
        }
        for (name, value) in query::pairs(uri).map_err(Failure::close)? {
            match name.as_str() {
                "key" => asked.key = Some(value),
                "dry_run" => match value.as_str() {
                    "1" | "true" | "yes" | "" => asked.dry_run = true,
                    "0" | "false" | "no" => (),
                    _ => return Err(Failure::bad("dry_run", "dry_run is 1 or 0").close()),
                },
                other => {
                    if let Some(meant) = did_you_mean(other, ["dry_run"]).or(did_you_mean(other, ["dry-run"])) {
                        let name: String = name.chars().take(60).collect();
                        return Err(Failure::bad(name.clone(), format!("there is no parameter `{name}`"))
                            .hint(format!("did you mean `{}`?", meant.replace('-', "_")))
                            .close());
                    }
                }
            }
        }
        Ok(asked)
    }
}

/// The client's own key, if it sends one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<CompactString>, Failure> {
    const NAME: HeaderName = HeaderName::from_static("idempotency-key");
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.trim().is_empty() && key.len() <= IDEMPOTENCY_MAX => Ok(Some(key.trim().into())),
        _ => {
            let message = format!("Idempotency-Key has to be 1 to {IDEMPOTENCY_MAX} characters of ASCII");
            Err(Failure::bad("Idempotency-Key", message).close())
        }
    }
}

pub(crate) async fn read(
    app: &App,
    source: &'static str,
    key: &Arc<Key>,
    bytes: Bytes,
) -> Result<ReadOutcome, Failure> {
    let outcome = if bytes.len() < PARSE_APART_BYTES {
        (app.http.read)(source, &bytes, key.mapping.as_ref())
    } else {
        let (read, key) = (app.http.read.clone(), key.clone());
        match tokio::task::spawn_blocking(move || read(source, &bytes, key.mapping.as_ref())).await {
            Ok(outcome) => outcome,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => return Err(Failure::no_answer()),
            },
        }
    };
    outcome.map_err(|error| unread(source, error))
}

fn unread(source: &str, error: ReadError) -> Failure {
    let hint =
        error.hint.unwrap_or_else(|| format!("`opsbell read {source} FILE` and ?dry_run=1 show how a payload is read"));
    match error.path {
        Some(path) => Failure::value(path, error.message).hint(hint),
        None => Failure::new(StatusCode::BAD_REQUEST, "bad-body", error.message).hint(hint),
    }
}

/// Gives the signals of one request to the engine, together; the answers in their order, when all are durable.
pub(crate) async fn give(
    app: &App,
    key: &Key,
    id: &RequestId,
    idempotency: Option<&CompactString>,
    signals: Vec<Signal>,
) -> Result<Vec<Answer>, Failure> {
    let integration = &key.integration;
    let input = |(i, signal): (usize, Signal)| Input {
        by: By {
            actor: Actor::Integration(integration.clone()),
            via: key.source.clone(),
            request: Some(id.clone()),
            granted: None,
            factor: None,
        },
        idempotency: idempotency.map(|key| format_compact!("ingest:{integration}:{key}:{i}")),
        kind: InputKind::Signal { integration: integration.clone(), signal: Box::new(signal) },
        closed: Vec::new(),
    };
    ask::submit(app, signals.into_iter().enumerate().map(input).collect()).await
}

async fn submit(
    app: &App,
    key: &Key,
    id: RequestId,
    idempotency: Option<CompactString>,
    outcome: ReadOutcome,
) -> Result<Response, Failure> {
    let ReadOutcome { signals, mut ignored, rejected } = outcome;
    let mut rejected: Vec<_> = rejected.into_iter().map(|(path, reason)| Rejected { path, reason }).collect();
    let before = signals.len();
    // A push asks for nothing, and brings commits whose times are kept.
    let brings = |signal: &Signal| signal.deployment.as_ref().is_some_and(|told| !told.commits.is_empty());
    let asks = |signal: &Signal| signal.kind != SignalKind::Ignore || brings(signal);
    let signals: Vec<Signal> = signals.into_iter().filter(asks).collect();
    ignored += before - signals.len();
    let mut accepted = 0;
    if !signals.is_empty() {
        for (i, answer) in give(app, key, &id, idempotency.as_ref(), signals).await?.into_iter().enumerate() {
            match answer.reply {
                Ok(reply) if reply.text.starts_with(IGNORED) => ignored += 1,
                Ok(_) => accepted += 1,
                Err(reject) => rejected.push(Rejected { path: format!("signals[{i}]"), reason: reject.to_string() }),
            }
        }
        app.metrics.accepted(accepted);
    }
    // A 2xx would tell the sender that something landed.
    if accepted == 0 && ignored == 0 && !rejected.is_empty() {
        let others = rejected.len() - 1;
        let first = rejected.swap_remove(0);
        let more = if others > 0 { format!(" (and {others} more, each rejected too)") } else { String::new() };
        return Err(Failure::value(first.path, first.reason + &more));
    }
    let body = Accepted { accepted, ignored, rejected, request_id: id.as_str() };
    Ok(shape::json(StatusCode::ACCEPTED, &body))
}
