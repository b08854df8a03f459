//! The shapes of changes, and of the gate's question and answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, Entry, Time};

/// Where a change stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeState {
    Requested,
    AwaitingApproval,
    Scheduled,
    Implementing,
    Review,
    Closed,
    Rejected,
}

/// How a change ended.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeOutcome {
    Successful,
    Failed,
    RolledBack,
    Cancelled,
}

/// How much is asked before a change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeClass {
    Standard,
    Normal,
    Emergency,
}

/// How risky a change is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RiskLevel {
    Low,
    Medium,
    High,
}

/// From when until when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeWindow {
    pub from: Time,
    pub until: Time,
}

/// A change in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeSummary {
    #[schema(pattern = "^CHG-[1-9][0-9]*$", example = "CHG-1")]
    pub id: String,
    pub title: String,
    pub class: ChangeClass,
    pub service: String,
    /// `production` where nothing else was said.
    pub environment: String,
    pub version: Option<String>,
    pub team: String,
    pub state: ChangeState,
    pub outcome: Option<ChangeOutcome>,
    pub risk: RiskLevel,
    pub requested_by: Actor,
    pub requested_at: Time,
    pub implementer: Option<String>,
    /// When it is in the calendar; `null`: at any free time.
    pub window: Option<ChangeWindow>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub closed_at: Option<Time>,
    /// Until when an emergency has to be approved.
    pub approval_due: Option<Time>,
    /// Until when it has to be reviewed.
    pub review_due: Option<Time>,
}

/// One person's approval.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeApproval {
    pub person: String,
    /// Of exactly the content with this hash.
    pub hash: String,
    pub at: Time,
    pub expires: Time,
    pub used_at: Option<Time>,
    /// Why it no longer counts.
    pub void: Option<String>,
    /// For whom, where it was given by a delegate.
    pub stands_for: Option<String>,
    /// Whether a code of the person's authenticator came with it.
    pub second_factor: bool,
    /// The pull request whose review it is, `org/repo#7`.
    pub pull_request: Option<String>,
}

/// One thing that was looked at for the risk.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RiskLine {
    pub points: u32,
    pub why: String,
}

/// The whole record of a change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Change {
    #[serde(flatten)]
    pub summary: ChangeSummary,
    /// Hex sha256 of the content that approvals are bound to.
    pub hash: String,
    pub reason: Option<String>,
    pub plan: Option<String>,
    pub test: Option<String>,
    pub rollback: Option<String>,
    pub items: Vec<String>,
    /// Alerts that page nobody while it is carried out.
    pub expects: Vec<String>,
    pub author: Option<String>,
    /// The commit that it brings in, where that was told; it is part of what is approved.
    pub commit: Option<String>,
    pub model: Option<String>,
    pub risk_lines: Vec<RiskLine>,
    pub approvals: Vec<ChangeApproval>,
    /// The incident that an emergency is for.
    pub incident: Option<String>,
    pub authoriser: Option<String>,
    /// Incidents that it caused.
    pub caused: Vec<String>,
    /// What it lacked, where it was deployed without the approval that it needed.
    pub unapproved: Option<String>,
    pub review: Option<String>,
    /// What is known of how it went, without anybody saying it; times as `<t:SECS:f>`.
    pub facts: Vec<String>,
    pub timeline: Vec<Entry>,
}

/// What a pipeline asks the gate.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Gate {
    #[schema(min_length = 1, example = "payments-api")]
    pub service: String,
    /// What it brings in.
    #[schema(min_length = 1, example = "1.4.1")]
    pub version: String,
    /// The commit that this version is: an approval of it counts for no other one.
    #[schema(min_length = 7, max_length = 64, pattern = "^[0-9a-fA-F]+$", example = "5e1f0c9a7b3d")]
    pub commit: Option<String>,
    /// `production` when left out.
    pub environment: Option<String>,
    /// The person who wrote it, if known: they do not approve it.
    pub author: Option<String>,
    /// For whom, with the administrator's token.
    #[serde(rename = "as")]
    pub person: Option<String>,
}

/// What the gate says.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decision {
    Allow,
    Wait,
    Deny,
}

/// One reason against it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct GateReason {
    /// `approval`, `freeze`, `incident`, `on-call`, `calendar`, `rejected`, `failed`, `done` or `full`; beside any
    /// decision `environment` and `commit`.
    pub code: String,
    pub text: String,
}

/// The gate's answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Verdict {
    pub decision: Decision,
    /// Everything that stands against it; empty for `allow`.
    pub reasons: Vec<GateReason>,
    /// The change it is about.
    #[schema(pattern = "^CHG-[1-9][0-9]*$")]
    pub change: Option<String>,
    pub state: Option<ChangeState>,
    /// The commit that it rests on.
    pub seq: u64,
}

/// A line of the journal about a change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EvidenceLine {
    /// Byte for byte, without the line's end (docs/journal.md).
    Whole { seq: u64, line: String },
    /// It names a private incident, which is not shown to whoever asks.
    Private { seq: u64, private: bool },
}

/// Everything of a change that an auditor asks for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Evidence {
    pub change: Change,
    /// Of the change, its runs, deployments and fence; oldest first.
    pub lines: Vec<EvidenceLine>,
    /// Whether there are more lines than are given, 20,000.
    pub truncated: bool,
    /// Up to where the journal was read.
    pub head: super::Head,
    pub taken_at: Time,
    /// For whom.
    pub taken_by: String,
}
