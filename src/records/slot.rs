//! Slots: under which key each record stands in the tree. No values here.

use compact_str::CompactString;

use crate::domain::id::{
    AlertId, ChangeId, DeliveryId, DeploymentId, FreezeId, IncidentId, ProblemId, RunId, ServiceRequestId, SilenceId,
};

/// The place of one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// An incident that State keeps.
    OpenIncident(IncidentId),
    /// A closed incident.
    ClosedIncident(IncidentId),
    /// An alert that fires.
    OpenAlert(AlertId),
    /// A resolved alert.
    ClosedAlert(AlertId),
    /// A problem that State keeps.
    OpenProblem(ProblemId),
    /// A closed problem.
    ClosedProblem(ProblemId),
    /// A request that State keeps.
    OpenRequest(ServiceRequestId),
    /// A request that is over.
    ClosedRequest(ServiceRequestId),
    /// A change that State keeps.
    OpenChange(ChangeId),
    /// A change that is over.
    ClosedChange(ChangeId),
    /// The same in short, for a while.
    Past(ChangeId),
    /// A deployment.
    Deployment(DeploymentId),
    /// A commit, by its running number.
    Commit(u64),
    /// An incident that is over, in short.
    Outage(IncidentId),
    /// A freeze.
    Freeze(FreezeId),
    /// A run of a playbook.
    Run(RunId),
    /// Of which kind an incident was.
    Recent(IncidentId),
    /// A postmortem that waits to be published.
    Waiting(IncidentId),
    /// A notice that is still owed.
    Notice(DeliveryId),
    /// A kept answer.
    Answer(CompactString),
    /// A personal token.
    Token(CompactString),
    /// A silence.
    Silence(SilenceId),
    /// Numbers and marks.
    Meta,
}

pub(super) const OPEN_INCIDENTS: &[u8] = b"o/i/";
pub(super) const CLOSED_INCIDENTS: &[u8] = b"c/i/";
pub(super) const OPEN_ALERTS: &[u8] = b"o/a/";
pub(super) const CLOSED_ALERTS: &[u8] = b"c/a/";
pub(super) const OPEN_PROBLEMS: &[u8] = b"o/p/";
pub(super) const CLOSED_PROBLEMS: &[u8] = b"c/p/";
pub(super) const OPEN_REQUESTS: &[u8] = b"o/q/";
pub(super) const CLOSED_REQUESTS: &[u8] = b"c/q/";
pub(super) const OPEN_CHANGES: &[u8] = b"o/c/";
pub(super) const CLOSED_CHANGES: &[u8] = b"c/c/";
pub(super) const PAST: &[u8] = b"o/l/";
pub(super) const DEPLOYMENTS: &[u8] = b"o/d/";
pub(super) const COMMITS: &[u8] = b"o/m/";
pub(super) const OUTAGES: &[u8] = b"o/u/";
pub(super) const FREEZES: &[u8] = b"f/";
pub(super) const RUNS: &[u8] = b"u/";
pub(super) const RECENT: &[u8] = b"o/k/";
pub(super) const WAITING: &[u8] = b"o/w/";
pub(super) const NOTICES: &[u8] = b"n/";
pub(super) const ANSWERS: &[u8] = b"r/";
pub(super) const TOKENS: &[u8] = b"t/";
pub(super) const SILENCES: &[u8] = b"s/";
pub(super) const META: &[u8] = b"m";
/// How far the records reach; part of every batch.
pub(super) const APPLIED: &[u8] = b"applied";

/// A prefix and a number, big-endian, so that the tree's order is the numbers' order.
pub(super) fn numbered(prefix: &[u8], n: u64) -> Vec<u8> {
    [prefix, &n.to_be_bytes()].concat()
}

/// Where a record stands in the tree.
pub(super) enum Place {
    /// With its neighbours in a folio: the prefix of its kind and its number.
    Folio(&'static [u8], u64),
    /// Alone under a key.
    Key(Vec<u8>),
}

impl Slot {
    /// Its place in the tree.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::OpenIncident(id) => Place::Folio(OPEN_INCIDENTS, id.0),
            Self::ClosedIncident(id) => Place::Folio(CLOSED_INCIDENTS, id.0),
            Self::OpenAlert(id) => Place::Folio(OPEN_ALERTS, id.0),
            Self::ClosedAlert(id) => Place::Folio(CLOSED_ALERTS, id.0),
            Self::OpenProblem(id) => Place::Folio(OPEN_PROBLEMS, id.0),
            Self::ClosedProblem(id) => Place::Folio(CLOSED_PROBLEMS, id.0),
            Self::OpenRequest(id) => Place::Folio(OPEN_REQUESTS, id.0),
            Self::ClosedRequest(id) => Place::Folio(CLOSED_REQUESTS, id.0),
            Self::OpenChange(id) => Place::Folio(OPEN_CHANGES, id.0),
            Self::ClosedChange(id) => Place::Folio(CLOSED_CHANGES, id.0),
            Self::Past(id) => Place::Folio(PAST, id.0),
            Self::Deployment(id) => Place::Folio(DEPLOYMENTS, id.0),
            Self::Commit(n) => Place::Folio(COMMITS, *n),
            Self::Outage(id) => Place::Folio(OUTAGES, id.0),
            Self::Freeze(id) => Place::Key(numbered(FREEZES, id.0)),
            Self::Run(id) => Place::Key(numbered(RUNS, id.0)),
            Self::Recent(id) => Place::Folio(RECENT, id.0),
            Self::Waiting(id) => Place::Folio(WAITING, id.0),
            Self::Notice(id) => Place::Key([NOTICES, id.to_string().as_bytes()].concat()),
            Self::Answer(key) => Place::Key([ANSWERS, key.as_bytes()].concat()),
            Self::Token(name) => Place::Key([TOKENS, name.as_bytes()].concat()),
            Self::Silence(id) => Place::Key(numbered(SILENCES, id.0)),
            Self::Meta => Place::Key(META.to_vec()),
        }
    }
}

/// Where a record of a kind that is kept open stands once closed.
pub(super) fn closed(prefix: &[u8]) -> Option<&'static [u8]> {
    match prefix {
        OPEN_INCIDENTS => Some(CLOSED_INCIDENTS),
        OPEN_ALERTS => Some(CLOSED_ALERTS),
        OPEN_CHANGES => Some(CLOSED_CHANGES),
        _ => None,
    }
}
