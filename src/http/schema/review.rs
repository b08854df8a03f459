//! The shapes of what is written about incidents beside their lives: stated times, postmortems, problems.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Actor, Entry, Time};

/// A time of an incident that somebody stated or corrected.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatedTime {
    pub milestone: Milestone,
    pub at: Time,
    /// What counted before.
    pub was: Option<Time>,
    pub reason: String,
    pub by: Actor,
    pub stated_at: Time,
}

/// A time in the life of an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Milestone {
    ImpactStart,
    Detected,
    Acknowledged,
    Mitigated,
    Resolved,
}

/// The postmortem of an incident; its text is at `/v1/incidents/{id}/postmortem`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Postmortem {
    pub state: PostmortemState,
    pub revision: u32,
    pub changed_at: Time,
    pub authors: Vec<Actor>,
    pub published_at: Option<Time>,
}

/// Where a postmortem stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PostmortemState {
    Draft,
    Review,
    Published,
}

/// Where a problem stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProblemState {
    Open,
    Investigating,
    KnownError,
    Resolved,
    Closed,
}

/// A problem in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProblemSummary {
    #[schema(pattern = "^PRB-[1-9][0-9]*$", example = "PRB-1")]
    pub id: String,
    pub title: String,
    pub service: String,
    pub team: String,
    pub state: ProblemState,
    pub opened_at: Time,
    pub opened_by: Actor,
    pub root_cause: Option<String>,
    pub workaround: Option<String>,
    pub resolved_at: Option<Time>,
    /// How it was mended.
    pub resolution: Option<String>,
    pub closed_at: Option<Time>,
    pub incidents_total: u32,
}

/// The whole record of a problem.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    #[serde(flatten)]
    pub summary: ProblemSummary,
    /// What its incidents have in common; `null` where that is for people to say.
    pub fingerprint: Option<String>,
    /// Its incidents, the first 500.
    pub incidents: Vec<String>,
    pub timeline: Vec<Entry>,
}

/// A postmortem was written.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Written {
    pub ok: bool,
    pub text: String,
    pub records: Vec<String>,
    /// The commit that it rests on.
    pub seq: u64,
}
