//! The shapes of the API's answers, for `/openapi.json`. Nothing is written by them: `shape` does that, and
//! `tests/http/document.rs` reads each answer by its schema and compares, so that neither can change alone. Keys are
//! always there, `null` where nothing is known; new ones may be added.

mod change;
mod factor;
mod report;
mod request;
mod review;
mod run;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub(crate) use self::change::{Change, ChangeSummary, Evidence, Gate, Verdict};
pub(crate) use self::factor::{Factor, NewFactor};
pub(crate) use self::report::Dora;
pub(crate) use self::request::{Request, RequestSummary};
pub(crate) use self::review::{Postmortem, Problem, ProblemSummary, StatedTime, Written};
pub(crate) use self::run::{Run, RunSummary};

/// RFC 3339 in UTC with milliseconds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-12-25T02:00:00.000Z")]
pub(crate) struct Time(String);

/// Who did it: a person (`bas`), `integration:prometheus`, or `opsbell` itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, example = "bas")]
pub(crate) struct Actor(String);

/// One part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct List<T> {
    /// The records of this part.
    pub items: Vec<T>,
    /// The `cursor` of the next part; `null` at the end.
    pub next: Option<String>,
}

/// How bad an incident is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Sev1,
    Sev2,
    Sev3,
    Sev4,
}

/// Where an incident stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IncidentState {
    Triggered,
    Acknowledged,
    Mitigated,
    Resolved,
    Closed,
}

/// How an incident ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Resolution {
    Fixed,
    Recovered,
    FalseAlarm,
    Duplicate,
}

/// An incident in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct IncidentSummary {
    #[schema(pattern = "^INC-[1-9][0-9]*$", example = "INC-1")]
    pub id: String,
    pub title: String,
    pub service: String,
    pub team: String,
    pub severity: Severity,
    pub state: IncidentState,
    pub environment: Option<String>,
    /// Whether its alert named no known service.
    pub unrouted: bool,
    pub opened_at: Time,
    pub opened_by: Actor,
    pub acknowledged_at: Option<Time>,
    /// Who has it now.
    pub acknowledged_by: Option<Actor>,
    pub mitigated_at: Option<Time>,
    pub resolved_at: Option<Time>,
    pub resolution: Option<Resolution>,
    pub closed_at: Option<Time>,
    pub alerts_firing: u32,
    pub alerts_total: u32,
    /// Whether only those see it who are invited or paged, and administrators.
    pub private: bool,
    /// The incident that it was merged into.
    pub merged_into: Option<String>,
}

/// The whole record of an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Incident {
    #[serde(flatten)]
    pub summary: IncidentSummary,
    pub roles: Roles,
    /// When the acknowledgement runs out.
    pub ack_expires: Option<Time>,
    /// When it is closed of itself.
    pub closes: Option<Time>,
    pub escalation: Option<Escalation>,
    /// When the last resort was called.
    pub exhausted_at: Option<Time>,
    /// Other records that it belongs to.
    pub links: Vec<Link>,
    /// Who was invited to a private one.
    pub invited: Vec<String>,
    /// When an update is asked for unless one is given before.
    pub update_due: Option<Time>,
    /// What its severity follows from, where impact and urgency were said.
    pub assessed: Option<Assessed>,
    pub pages: Vec<Page>,
    /// What was sent about it beside pages.
    pub deliveries: Vec<Delivery>,
    pub timeline: Vec<Entry>,
    /// Entries beyond the 2,000 that are kept; the journal has them.
    pub timeline_left_out: u32,
    /// The problem it belongs to, where that was known while it was open.
    pub problem: Option<String>,
    /// Times that people stated or corrected, oldest first; the last of a kind counts.
    pub times: Vec<StatedTime>,
    pub postmortem: Option<Postmortem>,
}

/// How one record belongs to another.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Link {
    /// `related`, `caused-by`, `duplicate-of`, or the other side of it: `caused`, `has-duplicate`.
    #[schema(example = "caused-by")]
    pub kind: String,
    #[schema(example = "INC-1")]
    pub to: String,
}

/// How far something reaches, and how soon it hurts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Assessed {
    pub impact: Level,
    pub urgency: Level,
}

/// A level of impact or urgency.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    High,
    Medium,
    Low,
}

/// Who does what.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Roles {
    pub commander: Option<String>,
    pub lead: Option<String>,
    pub communications: Option<String>,
    pub scribe: Option<String>,
    /// Everybody who took part, in order of their first act.
    pub responders: Vec<String>,
}

/// A running escalation.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Escalation {
    pub policy: String,
    /// From 0.
    pub next_step: u32,
    /// The run of the policy, 0 for the first.
    pub cycle: u32,
    /// When the next step, or the last resort, is due.
    pub due: Time,
    pub reason: String,
}

/// A line of the timeline.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Entry {
    pub at: Time,
    pub by: Actor,
    pub text: String,
}

/// How a page stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PageState {
    Owed,
    Sent,
    Acknowledged,
    Expired,
    Cancelled,
}

/// One person being reached about one incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PageSummary {
    #[schema(pattern = r"^INC-[1-9][0-9]*\.p[1-9][0-9]*$", example = "INC-1.p1")]
    pub id: String,
    pub incident: String,
    pub person: String,
    pub state: PageState,
    pub reason: String,
    pub opened_at: Time,
    pub ended_at: Option<Time>,
    /// When the person's next rule is due.
    pub next: Option<Time>,
}

/// A page with every message sent for it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page {
    #[serde(flatten)]
    pub summary: PageSummary,
    pub deliveries: Vec<Delivery>,
}

/// How a delivery stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    Owed,
    Accepted,
    Failed,
    Cancelled,
}

/// One message to one destination. No address is in it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Delivery {
    /// Its idempotency key everywhere.
    pub id: String,
    /// `person:bas`, `channel:payments-ops`, `webhook:pager`
    pub to: String,
    /// By which a person is reached: chat, email, webhook, sms, voice, push.
    pub method: Option<String>,
    pub owed_at: Time,
    pub status: DeliveryStatus,
    /// When it ended.
    pub at: Option<Time>,
    /// Why it failed or was cancelled; while it is owed, why the last attempt did not succeed.
    pub reason: Option<String>,
}

/// How bad a sender says it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AlertSeverity {
    Info,
    Warning,
    High,
    Critical,
}

/// Whether an alert fires.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AlertState {
    Firing,
    Resolved,
}

/// Why an alert pages nobody.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Suppressed {
    /// The silence that holds it back.
    #[schema(pattern = "^SIL-[1-9][0-9]*$", example = "SIL-1")]
    pub silence: String,
    pub reason: String,
    pub since: Time,
}

/// What holds alerts back for a while.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Silence {
    #[schema(pattern = "^SIL-[1-9][0-9]*$", example = "SIL-1")]
    pub id: String,
    /// `service=ledger`, `alertname=~"Lag.*"`; all of them have to match.
    pub matchers: Vec<String>,
    /// Whether a service is in maintenance by it.
    pub maintenance: bool,
    pub reason: String,
    pub by: Actor,
    pub started_at: Time,
    /// When it ends of itself.
    pub ends: Time,
    pub ended_at: Option<Time>,
    pub ended_by: Option<Actor>,
    /// Alerts that it holds back now.
    pub suppressed_now: u64,
    /// Alerts that it ever held back.
    pub suppressed_total: u64,
}

/// An alert in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AlertSummary {
    #[schema(pattern = "^ALR-[1-9][0-9]*$", example = "ALR-1")]
    pub id: String,
    pub name: String,
    pub service: String,
    pub severity: AlertSeverity,
    pub state: AlertState,
    /// The incident it joined; `null` while it is suppressed.
    pub incident: Option<String>,
    pub suppressed: Option<Suppressed>,
    pub integration: String,
    /// The sender's name for it, by which repeats are known.
    pub key: String,
    pub environment: Option<String>,
    pub opened_at: Time,
    pub resolved_at: Option<Time>,
}

/// The whole record of an alert.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Alert {
    #[serde(flatten)]
    pub summary: AlertSummary,
    /// The service it named, where that is not known.
    pub named_service: Option<String>,
    #[serde(rename = "summary")]
    pub sentence: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub link: Option<String>,
    /// When the sender says it began.
    pub started_at: Option<Time>,
}

/// A service as declared.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Service {
    pub id: String,
    pub team: String,
    pub depends_on: Vec<String>,
    pub runbook: Option<String>,
}

/// Who is on call by one schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Duty {
    /// The schedule.
    pub id: String,
    /// Its IANA time zone.
    pub zone: String,
    /// Who holds each layer now; `null` where nobody does.
    pub now: Vec<Option<Shift>>,
    /// The next turn of each rotation.
    pub next: Vec<Option<Shift>>,
}

/// One turn.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Shift {
    pub person: String,
    pub from: Time,
    pub until: Time,
}

/// A line of the journal, or what is shown in the place of one that is about a private incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum JournalLine {
    Commit(Box<Commit>),
    Private { seq: u64, private: bool },
}

/// A line of the journal as it stands there (docs/journal.md).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Commit {
    /// The hash of the line before.
    pub prev: String,
    pub v: u32,
    pub install: String,
    pub epoch: u64,
    pub seq: u64,
    pub batch: u64,
    pub at: Time,
    /// Who caused it: `person`, `integration` or `timer`; `via` what way; `request` for which.
    #[schema(value_type = BTreeMap<String, String>)]
    pub by: Value,
    /// What happened, in order; each has its `type`.
    #[schema(value_type = Vec<BTreeMap<String, Value>>)]
    pub events: Vec<Value>,
    /// Hex sha256 of the line's bytes before `,"hash"`.
    pub hash: String,
}

/// The last durable commit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Head {
    pub install: String,
    pub seq: u64,
    /// The commit's hash, as `journal verify --head SEQ:HASH` takes it.
    pub hash: String,
}

/// What a payload came to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Accepted {
    /// Signals that are durable now.
    pub accepted: u64,
    /// Entries that were understood and ask for nothing.
    pub ignored: u64,
    pub rejected: Vec<Rejected>,
    pub request_id: String,
}

/// An entry of a payload that makes no sense by itself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Rejected {
    pub path: String,
    pub reason: String,
}

/// What a signal asks for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SignalKind {
    Alert,
    Resolve,
    Ack,
    Deploy,
    Ci,
    StatusUpdate,
    Confirm,
    Ignore,
}

/// How one signal of a payload is read (`?dry_run=1`).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Reading {
    pub kind: SignalKind,
    pub service: Option<String>,
    pub name: String,
    pub severity: Option<AlertSeverity>,
    /// The sender's own word.
    pub severity_word: Option<String>,
    /// In the sender's words.
    pub status: String,
    /// By which repeats are known.
    pub key: String,
}

/// Words of a person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Say {
    /// `/incident list`
    #[schema(min_length = 1)]
    pub text: String,
    /// The channel it is said in, `payments-ops` or `discord:payments-ops`.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub channel: Option<String>,
    /// Who says it, with the administrator's token.
    #[serde(default, rename = "as")]
    pub person: Option<String>,
}

/// What was answered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Said {
    /// Always true; a refusal is a 422.
    pub ok: bool,
    /// In words, with times in the person's zone.
    pub text: String,
    /// Whether only the asker should see it.
    pub private: bool,
    /// The records it is about, the first one first.
    pub records: Vec<String>,
    /// The commit that the answer rests on.
    pub seq: u64,
}

/// For whom a token is made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenFor {
    #[schema(min_length = 1, example = "bas")]
    pub person: String,
}

/// A new token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewToken {
    /// Its public name.
    #[schema(example = "tok-41b57a4f")]
    pub id: String,
    pub person: String,
    /// The token itself; it is never told again.
    pub token: String,
}

/// A token in force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Token {
    pub id: String,
    pub person: String,
    pub added_at: Time,
}

/// Done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Done {
    pub ok: bool,
    pub text: String,
}

/// How the process is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, `ready`
    pub status: String,
    /// How the connection to chat is, where there is one: `connecting`, `connected`, `lost`, `refused`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// `not-in-force` while what stands in the configuration directory could not be taken, and the one before it is served
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
}

/// What could be typed next.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Completions {
    /// Likeliest first, at most 25.
    pub items: Vec<Completion>,
}

/// One thing that could be typed next.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Completion {
    /// Where the part of `text` begins that it replaces, in bytes; that part ends at the end of `text`.
    pub replace_from: u64,
    pub text: String,
    pub description: String,
}

/// Why a request was not answered as asked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Error {
    pub error: Told,
    pub request_id: String,
}

/// What is wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Told {
    /// A word for programs; docs/http.md lists them.
    #[schema(example = "bad-value")]
    pub code: String,
    pub message: String,
    /// Where in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
