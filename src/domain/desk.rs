//! The desk: how every face (chat, HTTP, terminal) talks to the engine, whichever it is. Only the words of the
//! conversation are here; the runtime answers. Calls return at once; answers come by call-back, when they are durable.

use std::sync::Arc;

use super::alert::Alert;
use super::change::Change;
use super::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use super::incident::Incident;
use super::input::{Answer, Input, Unavailable};
use super::org::Org;
use super::problem::Problem;
use super::request::ServiceRequest;
use super::state::State;
use super::time::Timestamp;

/// Called once with the answers to all inputs of one submission, in order.
pub type Answered = Box<dyn FnOnce(Result<Vec<Answer>, Unavailable>) + Send>;

/// Called once everything that a look has seen is durable (or could not be made so).
pub type Release = Box<dyn FnOnce(Result<(), Unavailable>) + Send>;

/// Looks at State on the engine's thread, which must be quick; what it returns is called when that may be told.
pub type Look = Box<dyn FnOnce(&View<'_>) -> Release + Send>;

/// Called once with a page of records, newest first.
pub type Listed = Box<dyn FnOnce(Result<RecordList, Unavailable>) + Send>;

/// What a look sees.
pub struct View<'a> {
    /// The applied state (perhaps ahead of the disk; the release waits).
    pub state: &'a State,
    /// The organisation in force.
    pub org: &'a Arc<Org>,
    /// The engine's now.
    pub now: Timestamp,
    /// The last durable commit and its hash (64 hex digits; zeros before the first).
    pub durable: (u64, &'a str),
    /// `None` when all is well; else what is wrong (`the journal cannot be written: No space left on device`).
    pub trouble: Option<&'a str>,
}

/// Which records to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordQuery {
    /// Incidents, open and closed.
    Incidents {
        /// Only numbers below this.
        below: Option<u64>,
        /// At most so many, up to 200.
        limit: usize,
    },
    /// One incident.
    Incident(IncidentId),
    /// Alerts, firing and resolved.
    Alerts {
        /// Only numbers below this.
        below: Option<u64>,
        /// At most so many, up to 200.
        limit: usize,
    },
    /// One alert.
    Alert(AlertId),
    /// Problems, open and closed.
    Problems {
        /// Only numbers below this.
        below: Option<u64>,
        /// At most so many, up to 200.
        limit: usize,
    },
    /// One problem.
    Problem(ProblemId),
    /// Changes, open and over.
    Changes {
        /// Only numbers below this.
        below: Option<u64>,
        /// At most so many, up to 200.
        limit: usize,
    },
    /// One change.
    Change(ChangeId),
    /// Requests, open and over.
    Requests {
        /// Only numbers below this.
        below: Option<u64>,
        /// At most so many, up to 200.
        limit: usize,
    },
    /// One request.
    Request(ServiceRequestId),
}

/// Records, newest first.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordList {
    /// Incidents.
    Incidents(Vec<Incident>),
    /// Alerts.
    Alerts(Vec<Alert>),
    /// Problems.
    Problems(Vec<Problem>),
    /// Changes.
    Changes(Vec<Change>),
    /// Requests.
    Requests(Vec<ServiceRequest>),
}

/// The engine, as a face sees it.
pub trait Desk: Send + Sync {
    /// Decides inputs in order, each as a commit of its own, under one sync; `done` is called when all are durable.
    fn submit(&self, inputs: Vec<Input>, done: Answered);

    /// Something will be submitted in a moment: whoever decides may wake for it. Nothing depends on it.
    fn get_ready(&self) {}

    /// Looks at State.
    fn view(&self, look: Look) -> Result<(), Unavailable>;

    /// Lists records, open and closed.
    fn list(&self, query: RecordQuery, done: Listed);
}

/// What a send comes to.
pub type Sending<'a> = std::pin::Pin<Box<dyn std::future::Future<Output = super::delivery::Outcome> + Send + 'a>>;

/// Something that delivers: a pager channel, or a chat. Addresses are looked up, and looks rendered, when it sends.
/// It has a timeout of its own, can be asked twice for the same id, and never retries by itself.
pub trait Sender: Send + Sync {
    /// Tries once.
    fn send<'a>(&'a self, grant: &'a super::delivery::Grant, org: &'a Org) -> Sending<'a>;
}
