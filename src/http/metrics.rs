//! `/metrics`: what this face has done, and what State holds, in the OpenMetrics text format. Label values are
//! sources, states and classes of status only, so that the number of series is bounded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{App, Tally, ask, document};
use crate::domain::incident::IncidentState;

/// Upper bounds of the latency buckets, in seconds: fine around the time a sync takes.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1.0, 5.0, 30.0];

/// What is answered.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The states an incident in State can have.
const OPEN: [IncidentState; 4] =
    [IncidentState::Triggered, IncidentState::Acknowledged, IncidentState::Mitigated, IncidentState::Resolved];

/// How a run that goes on can stand.
const RUNS: [&str; 4] = ["running", "waiting", "asking", "unclear"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ingested {
    source: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

/// Counters of this face, and the gauges that a scrape fills.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Ingested, Counter>,
    latency: Histogram,
    signals: Counter,
    answers: Family<Outcome, Counter>,
    incidents: Family<InState, Gauge>,
    runs: Family<InState, Gauge>,
    alerts: Gauge,
    suppressed: Gauge,
    owed: Gauge,
    oldest: Gauge,
    seq: Gauge,
    healthy: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub fn new(tally: &Tally) -> Self {
        let mut registry = Registry::with_prefix("opsbell");
        let new = Self {
            requests: Family::default(),
            latency: Histogram::new(BUCKETS),
            signals: Counter::default(),
            answers: Family::default(),
            incidents: Family::default(),
            runs: Family::default(),
            alerts: Gauge::default(),
            suppressed: Gauge::default(),
            owed: Gauge::default(),
            oldest: Gauge::default(),
            seq: Gauge::default(),
            healthy: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("ingest_requests", "Bodies sent to /v1/ingest, by class of status", new.requests.clone());
        registry.register("ingest_seconds", "From a request's head to its 2xx", new.latency.clone());
        registry.register("signals_accepted", "Signals answered 202, so durable", new.signals.clone());
        registry.register("answers", "Answers of /v1/say", new.answers.clone());
        registry.register("incidents_open", "Incidents that are not closed, by state", new.incidents.clone());
        registry.register("runs_open", "Runs of playbooks that go on, by how they stand", new.runs.clone());
        registry.register("alerts_firing", "Alerts that fire", new.alerts.clone());
        registry.register(
            "alerts_suppressed",
            "Alerts that fire and that a silence holds back",
            new.suppressed.clone(),
        );
        registry.register("deliveries_owed", "Pages and posts still to be sent", new.owed.clone());
        let text = "How long the oldest of them is owed";
        registry.register_with_unit("oldest_owed", text, Unit::Seconds, new.oldest.clone());
        tally.register(&mut registry);
        registry.register("durable_seq", "The last durable commit", new.seq.clone());
        registry.register("healthy", "1 while the engine answers and reports no trouble", new.healthy.clone());
        Self { registry, ..new }
    }

    /// No incident is open, and no playbook is run, in any state.
    pub fn nothing_open(&self) {
        for state in RUNS {
            self.runs.get_or_create(&InState { state }).set(0);
        }
        for state in OPEN {
            self.incidents.get_or_create(&InState { state: state.as_str() }).set(0);
        }
    }

    /// Everything, in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    /// Counts one body; `None`: its source is unknown.
    pub fn ingested(&self, source: Option<&'static str>, status: StatusCode, took: Duration) {
        let status = match status.as_u16() {
            200..=299 => "2xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&Ingested { source: source.unwrap_or("unknown"), status }).inc();
        // Refusals take no time and would hide what a recorded signal takes.
        if status == "2xx" {
            self.latency.observe(took.as_secs_f64());
        }
    }

    pub fn accepted(&self, signals: usize) {
        self.signals.inc_by(signals as u64);
    }

    pub fn answered(&self, done: bool) {
        self.answers.get_or_create(&Outcome { outcome: if done { "done" } else { "refused" } }).inc();
    }
}

fn gauge(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Numbers for Prometheus.
///
/// Answers even when the engine does not; the gauges then keep their last values and `opsbell_healthy` is 0.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "OpenMetrics text", body = String, content_type = FORMAT),
        document::Unasked,
    )
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let seen = ask::peek(&app, &app.strangers, app.http.limits.health_timeout, |view| {
        let mut by_state = [0_usize; OPEN.len()];
        for incident in view.state.incidents.values() {
            if let Some(at) = OPEN.iter().position(|state| *state == incident.state) {
                by_state[at] += 1;
            }
        }
        let mut runs = [0_usize; RUNS.len()];
        for run in view.state.runs.values() {
            if let Some(at) = RUNS.iter().position(|word| *word == run.word()) {
                runs[at] += 1;
            }
        }
        let owed = view.state.owed_count();
        let suppressed = view.state.suppressed_count();
        let since = view.state.owed().next().map(|(_, delivery)| delivery.owed_at);
        let oldest = since.map_or(0, |since| view.now.since(since).0.max(0) / 1000);
        let alerts = (view.state.alerts.len(), suppressed);
        ((by_state, runs), alerts, (owed, oldest), view.durable.0, view.trouble.is_none())
    });
    let metrics = &app.metrics;
    match seen.await {
        Ok(((by_state, runs), (alerts, suppressed), (owed, oldest), seq, healthy)) => {
            for (state, n) in OPEN.iter().zip(by_state) {
                metrics.incidents.get_or_create(&InState { state: state.as_str() }).set(gauge(n));
            }
            for (state, n) in RUNS.into_iter().zip(runs) {
                metrics.runs.get_or_create(&InState { state }).set(gauge(n));
            }
            metrics.alerts.set(gauge(alerts));
            metrics.suppressed.set(gauge(suppressed));
            metrics.owed.set(gauge(owed));
            metrics.oldest.set(oldest);
            metrics.seq.set(i64::try_from(seq).unwrap_or(i64::MAX));
            metrics.healthy.set(i64::from(healthy));
        }
        Err(_) => {
            metrics.healthy.set(0);
        }
    }
    let mut response = Response::new(Body::from(metrics.text()));
    let format = HeaderValue::from_static(FORMAT);
    response.headers_mut().insert(CONTENT_TYPE, format);
    response
}
