//! The one shape of every error (DESIGN §7): `{"error":{"code","message","path"?,"hint"?},"request_id"}`. A handler
//! returns a `Failure`; the envelope writes it out, so that the request's id is in it whoever failed.

use std::any::Any;
use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::id::RequestId;
use crate::domain::input::Unavailable;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};

/// Why a request was not answered as asked.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub status: StatusCode,
    /// A kebab-case word for programs.
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    /// Where in the request.
    path: Option<Cow<'static, str>>,
    hint: Option<Cow<'static, str>>,
    retry_after_secs: Option<u32>,
    /// The body was not read to its end: the connection cannot be used again.
    close: bool,
}

impl Failure {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status, code, message, path: None, hint: None, retry_after_secs: None, close: false }
    }

    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn retry_after(mut self, secs: u32) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// 400: the request itself is malformed at `path`.
    pub fn bad(path: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message).path(path)
    }

    /// 422: a value is understood and not acceptable.
    pub fn value(path: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-value", message).path(path)
    }

    /// 422: something needed is missing.
    pub fn missing(path: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "missing", message).path(path)
    }

    /// 404: no such record.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// 503: the engine did not answer a question in time.
    pub fn no_answer() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-answer", "the engine has not answered in time").retry_after(5)
    }

    /// 503: the same after a submission; whether it was recorded is not known.
    pub fn perhaps_recorded() -> Self {
        let mut failure = Self::no_answer().hint(
            "send it again; with an Idempotency-Key from the first time on it is done once, whatever became of this",
        );
        failure.message = "the engine has not answered in time; it may still have recorded this".into();
        failure
    }

    /// What is wrong, in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// After how many seconds to try again, if that is known.
    pub fn retry_after_secs(&self) -> Option<u32> {
        self.retry_after_secs
    }

    /// Whether the engine's queue was full.
    pub fn is_busy(&self) -> bool {
        self.code == "busy"
    }

    /// Whether the engine said nothing at all.
    pub fn is_silence(&self) -> bool {
        self.code == "no-answer"
    }

    /// The refusal as it is said, with the status given.
    pub fn refused(status: StatusCode, reject: Reject) -> Self {
        let code = serde_json::to_value(reject.code).ok();
        let code = code.as_ref().and_then(|word| word.as_str()).unwrap_or("refused").to_owned();
        let mut failure = Self::new(status, "refused", reject.message);
        failure.code = code.into();
        failure.hint = reject.hint.map(Cow::from);
        failure
    }

    /// Adds `did you mean` for a misspelled word, or else the words there are.
    pub fn meant<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        if let Some(meant) = did_you_mean(word, known.clone()) {
            return self.hint(format!("did you mean `{meant}`?"));
        }
        let mut known = known.into_iter().take(MEANT_MAX + 1).collect::<Vec<_>>();
        let more = if known.len() > MEANT_MAX { ", …" } else { "" };
        known.truncate(MEANT_MAX);
        if known.is_empty() { self } else { self.hint(format!("there are: {}{more}", known.join(", "))) }
    }
}

/// So many known words are listed in a hint; a longer list helps nobody.
const MEANT_MAX: usize = 20;

/// The status of a refusal where the path is about the refused record itself.
pub(crate) fn status_of(code: RejectCode) -> StatusCode {
    match code {
        RejectCode::NotFound => StatusCode::NOT_FOUND,
        RejectCode::NotAllowed => StatusCode::FORBIDDEN,
        RejectCode::Conflict => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Unavailable> for Failure {
    fn from(why: Unavailable) -> Self {
        let (code, retry_after_secs) = match why {
            Unavailable::Busy => ("busy", 1),
            Unavailable::Journal(_) => ("journal-unavailable", 5),
            Unavailable::ShuttingDown => ("shutting-down", 5),
            Unavailable::Records(_) => ("records-unavailable", 5),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, why.to_string()).retry_after(retry_after_secs)
    }
}

impl IntoResponse for Failure {
    /// Only carries the failure; `finish` writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Serialize)]
struct Written<'a> {
    error: Told<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// Marks a response whose error is written as another tool writes its own, for that tool's senders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign;

/// Writes a failure out, also one that axum made itself; leaves every other response as it is.
pub(crate) fn finish(mut response: Response, id: &RequestId) -> Response {
    let status = response.status();
    let ours = response.extensions().get::<Foreign>().is_none();
    if !ours || !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let failure = response.extensions_mut().remove::<Failure>().unwrap_or_else(|| {
        // Paths are the only thing that axum itself takes apart.
        match status {
            StatusCode::BAD_REQUEST => Failure::new(status, "bad-request", "the path is no text in UTF-8").path("path"),
            _ => Failure::new(status, "internal", "the request could not be answered"),
        }
    });
    let told = Told {
        code: &failure.code,
        message: &failure.message,
        path: failure.path.as_deref(),
        hint: failure.hint.as_deref(),
    };
    let body = serde_json::to_vec(&Written { error: told, request_id: id.as_str() }).unwrap_or_default();
    let mut written = Response::new(Body::from(body));
    *written.status_mut() = status;
    let headers = written.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(secs) = failure.retry_after_secs {
        headers.insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    if failure.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(allow) = response.headers().get(ALLOW) {
        headers.insert(ALLOW, allow.clone());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    written
}

/// The paths that a mistyped one is compared with.
const PATHS: [&str; 34] = [
    "/v1/ingest/generic",
    "/v1/ingest/alertmanager",
    "/v1/ingest/grafana",
    "/v1/ingest/opsgenie",
    "/v1/ingest/pagerduty",
    "/v1/ingest/text",
    "/v1/ingest/github",
    "/v1/ingest/gitlab",
    "/v1/ingest/flux",
    "/v1/ingest/aws-deploy",
    "/v1/ingest/buildkite",
    "/v1/ingest/circleci",
    "/v2/enqueue",
    "/v2/change/enqueue",
    "/v2/alerts",
    "/v1/say",
    "/v1/tokens",
    "/v1/incidents",
    "/v1/alerts",
    "/v1/pages",
    "/v1/services",
    "/v1/oncall",
    "/v1/journal",
    "/v1/changes",
    "/v1/runs",
    "/v1/reports/dora",
    "/v1/problems",
    "/v1/requests",
    "/v1/complete",
    "/v1/events",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
];

/// A longer path, in bytes, is not compared with those there are.
const SLIP_MAX: usize = 32;

pub(crate) async fn no_such_path(uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(100).collect();
    // Anybody can ask for anything: only what could be a slip is compared.
    let meant = (path.len() <= SLIP_MAX)
        .then(|| did_you_mean(&path, PATHS).or_else(|| did_you_mean(&format!("/v1{path}"), PATHS)))
        .flatten();
    let failure = Failure::not_found(format!("there is nothing at `{path}`"));
    match meant {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None => failure.hint("signals go to /v1/ingest/SOURCE, commands to /v1/say, records are read at /v1/incidents"),
    }
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(100).collect();
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("`{path}` does not take {method}"))
        .hint("the Allow header names what it takes")
}

/// What is answered when a handler panics: nothing of the panic itself, which may hold a payload.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request made its handler panic; the panic is in the log above");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Opsbell failed on this request; others go on")
        .hint("please report it with the request id; the log has the place")
        .into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::PATHS;

    #[test]
    fn a_path_of_every_source_is_suggested() {
        let configured = BTreeSet::from(crate::catalog::SOURCES);
        let suggested: BTreeSet<&str> = PATHS.iter().filter_map(|path| path.strip_prefix("/v1/ingest/")).collect();
        assert_eq!(suggested, configured);
    }
}
