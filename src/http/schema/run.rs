//! The shapes of runs of playbooks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, Time};

/// How a run stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunState {
    Running,
    Waiting,
    Asking,
    Unclear,
    Done,
    Failed,
    RolledBack,
    Cancelled,
}

/// A part of a playbook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunPart {
    Steps,
    Verify,
    Rollback,
}

/// What a playbook is for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunKind {
    StandardChange,
    Runbook,
    Request,
}

/// A run in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunSummary {
    #[schema(pattern = "^RUN-[1-9][0-9]*$", example = "RUN-1")]
    pub id: String,
    /// The playbook, as it was when the run began.
    pub playbook: String,
    pub kind: RunKind,
    pub service: Option<String>,
    pub team: String,
    /// The change that it carries out.
    pub change: Option<String>,
    pub incident: Option<String>,
    /// The remedy that began it.
    pub remedy: Option<String>,
    pub state: RunState,
    pub part: RunPart,
    /// The step that it is at; null when it is over.
    pub step: Option<String>,
    pub started_by: Actor,
    pub started_at: Time,
    pub ended_at: Option<Time>,
    /// Why it ended so, where that is not plain.
    pub reason: Option<String>,
}

/// A step that is over.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunStep {
    pub part: RunPart,
    pub step: String,
    pub at: Time,
    pub by: Actor,
    /// How often it was begun.
    pub attempts: u16,
    pub failure: Option<String>,
    /// What it answered, cut and without secrets.
    pub output: Option<String>,
}

/// The whole record of a run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Run {
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What was said for its parameters.
    pub values: BTreeMap<String, String>,
    /// Until when it waits, for whatever it does now.
    pub until: Option<Time>,
    /// What it asks just now.
    pub question: Option<String>,
    pub steps: Vec<RunStep>,
}
