//! HTTP: ingest, the addresses of other tools (PagerDuty, Opsgenie, Alertmanager), chat API, tokens, reads, health and
//! metrics (DESIGN §7). It authenticates, bounds and translates; it decides nothing, reads no payload itself (that is
//! `source/`) and reaches the engine only through `Desk`.

mod ask;
mod auth;
mod body;
mod changes;
mod changes_csv;
mod complete;
mod document;
mod envelope;
mod error;
mod events;
mod evidence;
mod factors;
mod feed;
mod fields;
mod health;
mod ingest;
mod limit;
mod metrics;
mod opsgenie;
mod paged;
mod pagerduty;
mod patient;
mod prometheus;
mod query;
mod read;
mod records;
mod reports;
mod requests;
mod runs;
mod say;
mod schema;
mod serve;
mod shape;
mod sight;
mod signature;
mod tally;
mod tokens;
mod told;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::{Keys, Secret};
pub use document::document;
pub use factors::{FactorAct, KeepFactor};
pub use feed::Feed;
pub use limit::{Limits, Rate};
pub use serve::{WRITE_TIMEOUT, serve};
pub use tally::{Ended, Tally};

use crate::domain::desk::Desk;
use crate::domain::id::PersonId;
use crate::domain::org::{Mapping, Org};
use crate::domain::signal::Signal;
use crate::domain::time::Timestamp;

/// Reads a payload: the source's name, the body in the clear, and the integration's mapping if it has one. Pure, and
/// safe on any bytes.
pub type Read = Arc<dyn Fn(&str, &[u8], Option<&Mapping>) -> Result<ReadOutcome, ReadError> + Send + Sync>;

/// What a payload says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOutcome {
    /// One per thing it tells, in its order.
    pub signals: Vec<Signal>,
    /// Entries that were understood and ask for nothing.
    pub ignored: usize,
    /// Entries that make no sense by themselves: where (`alerts[3].labels`) and why.
    pub rejected: Vec<(String, String)>,
}

/// Why a payload could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Where in the body; `None`: it is not the format at all (answered 400 instead of 422).
    pub path: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Turns the times in a reply (`<t:SECS:R>`) into words, for the zone of a person.
pub type Render = Arc<dyn Fn(&str, Option<&PersonId>) -> String + Send + Sync>;

/// Who is on call at a moment: an array, one object per schedule.
pub type OnCall = Arc<dyn Fn(&Org, Timestamp) -> serde_json::Value + Send + Sync>;

/// Lines of the journal after a commit, oldest first, at most so many: the commit's number and its exact JSON. May
/// block; called where that is allowed. The error says what is wrong, for people.
pub type JournalLines = Arc<dyn Fn(u64, usize) -> Result<Vec<(u64, String)>, String> + Send + Sync>;

/// How the chat's connection is, in one word; `None`: there is no chat.
pub type ChatStands = Arc<dyn Fn() -> Option<&'static str> + Send + Sync>;

/// A monotonic clock: the time since some fixed moment of this process.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Everything this room needs from outside.
#[derive(Clone)]
pub struct Http {
    /// The engine.
    pub desk: Arc<dyn Desk>,
    /// The integrations' keys in force; the runtime replaces them on reload.
    pub keys: Arc<Keys>,
    /// The administrator's token.
    pub admin: Secret,
    /// All sources that can be read, by name.
    pub sources: Vec<&'static str>,
    /// Reads payloads.
    pub read: Read,
    /// Renders replies.
    pub render: Render,
    /// Answers `/v1/oncall`.
    pub oncall: OnCall,
    /// Answers `/v1/journal`.
    pub journal: JournalLines,
    /// Keeps the secrets of second factors.
    pub factors: KeepFactor,
    /// What the runtime counts.
    pub tally: Tally,
    /// Measures latencies and rates.
    pub stopwatch: Stopwatch,
    /// What `/v1/events` tells; the runtime says what is durable.
    pub feed: Arc<Feed>,
    /// How the chat's connection is, where there is one (`/readyz`).
    pub chat: ChatStands,
    /// Whether the process is still starting (`/readyz`).
    pub starting: Arc<AtomicBool>,
    /// Sizes, waits and rates.
    pub limits: Limits,
}

/// What `/metrics` tells of a process that has done next to nothing but what this tally says: the names of all metrics.
pub fn exposition(tally: &Tally) -> String {
    let metrics = metrics::Metrics::new(tally);
    // A family without a series is not told at all.
    metrics.ingested(None, axum::http::StatusCode::OK, Duration::ZERO);
    metrics.answered(true);
    metrics.nothing_open();
    metrics.text()
}

/// What the handlers share.
pub(crate) struct App {
    pub http: Http,
    pub metrics: metrics::Metrics,
    pub ids: envelope::RequestIds,
    /// Bodies that may be in memory at once.
    pub bodies: Semaphore,
    /// The same of senders who show their key in the body.
    pub unknown_bodies: Semaphore,
    /// Streams of events at once: each keeps a connection.
    pub listeners: Arc<Semaphore>,
    /// Questions of strangers that may stand in the engine's queue at once: looking up a token costs a look at State,
    /// and a flood of wrong tokens must not crowd out signals.
    pub strangers: Semaphore,
    /// The same for health checks, so that the flood does not make the process look dead.
    pub checks: Semaphore,
}

/// Questions of strangers in the engine's queue at once.
const STRANGERS: usize = 16;

/// All paths, ready to be served.
///
/// # Errors
/// The system gives no randomness for the request ids.
pub fn router(http: Http) -> Result<Router, getrandom::Error> {
    let app = Arc::new(App {
        metrics: metrics::Metrics::new(&http.tally),
        ids: envelope::RequestIds::new()?,
        bodies: Semaphore::new(http.limits.bodies),
        unknown_bodies: Semaphore::new(http.limits.unknown_bodies),
        listeners: Arc::new(Semaphore::new(http.limits.listeners)),
        strangers: Semaphore::new(STRANGERS),
        checks: Semaphore::new(STRANGERS),
        http,
    });
    let (router, _) = routes().split_for_parts();
    Ok(router
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), envelope::envelope))
        .with_state(app))
}

/// All paths: each handler says its own method, path and description, so a path is here or nowhere.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(ingest::ingest))
        .routes(routes!(pagerduty::enqueue))
        .routes(routes!(pagerduty::enqueue_change))
        .routes(routes!(opsgenie::create))
        .routes(routes!(opsgenie::close))
        .routes(routes!(opsgenie::acknowledge))
        .routes(routes!(opsgenie::note))
        .routes(routes!(prometheus::alerts))
        .routes(routes!(say::say))
        .routes(routes!(complete::complete))
        .routes(routes!(events::events))
        .routes(routes!(tokens::add, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(factors::add, factors::list))
        .routes(routes!(factors::remove))
        .routes(routes!(read::incidents))
        .routes(routes!(read::incident))
        .routes(routes!(read::alerts))
        .routes(routes!(read::alert))
        .routes(routes!(read::silences))
        .routes(routes!(read::silence))
        .routes(routes!(read::pages))
        .routes(routes!(read::page))
        .routes(routes!(read::services))
        .routes(routes!(read::service))
        .routes(routes!(read::oncall))
        .routes(routes!(read::journal))
        .routes(routes!(read::journal_head))
        .routes(routes!(changes::changes))
        .routes(routes!(changes::change))
        .routes(routes!(runs::runs))
        .routes(routes!(runs::run))
        .routes(routes!(changes::calendar))
        .routes(routes!(evidence::evidence))
        .routes(routes!(changes_csv::changes_csv))
        .routes(routes!(changes::gate))
        .routes(routes!(reports::dora))
        .routes(routes!(records::problems))
        .routes(routes!(records::problem))
        .routes(routes!(records::postmortem, records::write_postmortem))
        .routes(routes!(requests::requests))
        .routes(routes!(requests::request))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(document::openapi))
}
