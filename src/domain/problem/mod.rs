//! Problems (ITIL 4), `PRB-n`: open → investigating → known-error → resolved → closed. What several incidents have in
//! common: root cause, workaround. The record and its events are here; `life` is what people do to it, `recurrence`
//! notices what comes again, `show` how it reads, `apply` what events do.

mod apply;
mod fingerprint;
pub mod life;
pub mod recurrence;
pub mod show;
#[cfg(test)]
mod tests;

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::command::ProblemCommand;
use super::draft::Draft;
use super::id::{IncidentId, ProblemId, ServiceId, TeamId};
use super::incident::Entry;
use super::input::Reply;
use super::reject::Reject;
use super::time::Timestamp;

pub use fingerprint::Fingerprint;
pub use recurrence::Recent;

/// Where a problem stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemState {
    /// Nobody works on it yet.
    Open,
    /// Somebody looks for the cause.
    Investigating,
    /// Understood, not mended: its workaround stands in pages.
    KnownError,
    /// Mended.
    Resolved,
    /// The record is complete.
    Closed,
}

impl ProblemState {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Open, Self::Investigating, Self::KnownError, Self::Resolved, Self::Closed];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Investigating => "investigating",
            Self::KnownError => "known-error",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Whether it still needs work.
    pub fn open(self) -> bool {
        self < Self::Resolved
    }
}

impl fmt::Display for ProblemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its number.
    pub id: ProblemId,
    /// What it is about, in a few words.
    pub title: CompactString,
    /// The service it is about.
    pub service: ServiceId,
    /// Who owns it.
    pub team: TeamId,
    /// Where it stands.
    pub state: ProblemState,
    /// What its incidents have in common, where they were opened by alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Who opened it.
    pub opened_by: Actor,
    /// When.
    pub opened_at: Timestamp,
    /// Why it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<CompactString>,
    /// What helps until it is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<CompactString>,
    /// When it was mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How it was mended, if said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<CompactString>,
    /// When its record was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Its incidents, in the order in which they were linked, up to `INCIDENTS_MAX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentId>,
    /// Incidents beyond that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub incidents_folded: u32,
    /// What happened, up to `TIMELINE_MAX` entries; the journal has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
}

/// A problem lists this many incidents; further ones are counted.
pub const INCIDENTS_MAX: usize = 500;
/// A problem's timeline has at most this many entries.
pub const TIMELINE_MAX: usize = 500;

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A problem was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemOpened {
    /// Its number.
    pub problem: ProblemId,
    /// What it is about.
    pub title: CompactString,
    /// The service it is about.
    pub service: ServiceId,
    /// Who owns it.
    pub team: TeamId,
    /// What its incidents have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// What is known of a problem now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemChange {
    /// Why it happens.
    RootCause(CompactString),
    /// What helps until it is mended.
    Workaround(CompactString),
    /// It is understood, and not mended yet.
    KnownError,
    /// It is mended; how, if said.
    Resolved(Option<CompactString>),
    /// The record is complete.
    Closed,
}

/// Runs a command about problems; whether the person may has been asked.
pub fn run(draft: &mut Draft<'_>, command: ProblemCommand) -> Result<Reply, Reject> {
    match command {
        ProblemCommand::Open { incident, title, service } => life::open(draft, incident, title.as_deref(), service),
        ProblemCommand::List => Ok(Reply::done(show::list(draft.state))),
        ProblemCommand::Show(id) => Ok(Reply::done(show::show(life::any(draft, id)?)).about(id)),
        ProblemCommand::Link(id, incident) => life::link(draft, id, incident),
        ProblemCommand::RootCause(id, text) => life::root_cause(draft, id, &text),
        ProblemCommand::Workaround(id, text) => life::workaround(draft, id, &text),
        ProblemCommand::KnownError(id) => life::known_error(draft, id),
        ProblemCommand::Resolve(id, text) => life::resolve(draft, id, text.as_deref()),
        ProblemCommand::Close(id) => life::close(draft, id),
    }
}
