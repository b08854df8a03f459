//! Service requests (ITIL 4), `REQ-n`: submitted → approved → in-fulfilment → fulfilled → closed; rejected, cancelled.
//! What somebody asks for is an item of the catalogue (a playbook of kind `request`), a few words for a service's team, or
//! what a playbook's step `request` asks of people. The record and its events are here; `open` is how one begins, `life`
//! what people do to it, `carry` the run that fulfils an item, `asked` what a step asks for, `due` what is owed by a time,
//! `show` how it reads, `apply` what events do. A request pages nobody: it is told in channels and by notices.

mod apply;
pub mod asked;
pub mod carry;
pub mod due;
pub mod life;
pub mod open;
pub mod show;
#[cfg(test)]
mod tests;

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::command::RequestCommand;
use super::draft::Draft;
use super::event::Event;
use super::id::{ChangeId, IncidentId, PersonId, RunId, ServiceId, ServiceRequestId, TeamId};
use super::incident::Entry;
use super::input::Reply;
use super::playbook::text::Values;
use super::reject::Reject;
use super::time::{Span, Timestamp};

/// Requests that are not over; no more are opened.
pub const OPEN_MAX: usize = 5_000;
/// Those of one requester.
pub const MINE_MAX: usize = 50;
/// So much of what is asked for in words is kept, in characters.
pub const TEXT_MAX: usize = 1_000;
/// The longest title, in characters.
pub const TITLE_MAX: usize = 200;
/// A request's timeline has at most this many entries; the journal has all.
pub const TIMELINE_MAX: usize = 200;
/// What is fulfilled is closed after this long, unless its requester closed it before.
pub const CLOSES_AFTER: Span = Span::days(3);
/// What is overdue is told of again after this long.
pub const AGAIN: Span = Span::days(1);

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// It waits for an approval, or for somebody to take it.
    Submitted,
    /// It may be fulfilled; nobody is at it.
    Approved,
    /// A person or a run is at it.
    InFulfilment,
    /// It is done; its requester may look.
    Fulfilled,
    /// The record is complete.
    Closed,
    /// It is not going to be done.
    Rejected,
    /// Its requester wants it no longer.
    Cancelled,
}

impl RequestState {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Approved,
        Self::InFulfilment,
        Self::Fulfilled,
        Self::Closed,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::InFulfilment => "in-fulfilment",
            Self::Fulfilled => "fulfilled",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it still needs work.
    pub fn waits(self) -> bool {
        self < Self::Fulfilled
    }

    /// Whether nothing more is to come.
    pub fn over(self) -> bool {
        self >= Self::Closed
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An item of the catalogue as it was ordered: what is approved is what is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// The playbook.
    pub playbook: CompactString,
    /// Hex sha256 of the playbook as it was then.
    pub hash: CompactString,
    /// What was said for its parameters.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
}

/// The step of a run that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    /// The run.
    pub run: RunId,
    /// The name of its step.
    pub step: CompactString,
}

/// Who agreed to it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRequest {
    /// Its number.
    pub id: ServiceRequestId,
    /// What is asked for, in one line.
    pub title: CompactString,
    /// The same at length, or why an item is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<CompactString>,
    /// The service that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Who fulfils it.
    pub team: TeamId,
    /// Who else does, where a step asks somebody: `person:cleo`, `role:admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<CompactString>,
    /// The item of the catalogue; none for what is asked in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Ordered>,
    /// Who asks.
    pub requester: Actor,
    /// For whom, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_whom: Option<PersonId>,
    /// Where it stands.
    pub state: RequestState,
    /// Who may approve it, `team:platform`; one of them does. Empty: nobody has to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<CompactString>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The person who fulfils it, or did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfiller: Option<PersonId>,
    /// When it was asked for.
    pub submitted_at: Timestamp,
    /// Until when it is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// When it was last told that it is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded_at: Option<Timestamp>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilled_at: Option<Timestamp>,
    /// When it is closed of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<Timestamp>,
    /// When nothing more was to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How it was done, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<CompactString>,
    /// The run that fulfils it just now, or did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The step that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AskedBy>,
    /// The incident that it came up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The changes that its run asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeId>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
}

impl ServiceRequest {
    /// `REQ-1 ledger: Read access to the replica`.
    pub fn headline(&self) -> String {
        match &self.service {
            Some(service) => format!("{} {service}: {}", self.id, self.title),
            None => format!("{}: {}", self.id, self.title),
        }
    }

    /// Whether somebody has to agree who has not.
    pub fn awaits_approval(&self) -> bool {
        self.state == RequestState::Submitted && !self.approvers.is_empty()
    }

    /// Whether somebody asked for it, gets it, or is named in what is ordered: they do not judge it.
    pub fn is_for(&self, person: &PersonId) -> bool {
        let mut named = self.item.iter().flat_map(|item| item.values.values());
        self.requester.person() == Some(person)
            || self.for_whom.as_ref() == Some(person)
            || named.any(|value| value == person.as_str())
    }

    /// The run that is at it just now.
    pub fn carrier(&self) -> Option<RunId> {
        self.run.filter(|_| self.state == RequestState::InFulfilment)
    }
}

/// Something was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestOpened {
    /// Its number.
    pub request: ServiceRequestId,
    /// What, in one line.
    pub title: CompactString,
    /// The same at length, or why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<CompactString>,
    /// The service that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Who fulfils it.
    pub team: TeamId,
    /// Who else does, where a step asks somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<CompactString>,
    /// The item of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Ordered>,
    /// For whom, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_whom: Option<PersonId>,
    /// Who may approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<CompactString>,
    /// Until when it is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The step that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AskedBy>,
    /// The incident that it came up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
}

/// A request went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMoved {
    /// Which.
    pub request: ServiceRequestId,
    /// How.
    pub step: Step,
}

/// How a request goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Somebody who may agreed to it.
    Approved,
    /// It is not going to be done.
    Rejected {
        /// Why.
        reason: CompactString,
    },
    /// A person is at it.
    Taken,
    /// A run is at it.
    Began {
        /// Which.
        run: RunId,
    },
    /// The run ended without having done it: it waits for a person.
    Stalled {
        /// Why.
        reason: CompactString,
    },
    /// It asked for a change on its way.
    Linked {
        /// Which.
        change: ChangeId,
    },
    /// It is done.
    Fulfilled {
        /// How, if said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<CompactString>,
        /// When it is closed of itself.
        closes: Timestamp,
    },
    /// It was told that it is overdue.
    Reminded,
    /// It is wanted no longer.
    Cancelled {
        /// Why, if said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CompactString>,
    },
    /// Its record is complete.
    Closed,
}

/// Adds an event to the draft and does to the copy of the request what it will do to the record.
fn step(draft: &mut Draft<'_>, request: &mut ServiceRequest, step: Step) {
    request.moved(&draft.stamp(), &step);
    draft.emit(Event::RequestMoved(Box::new(RequestMoved { request: request.id, step })));
}

/// Runs a command about requests; whether the person may use the word has been asked.
pub fn run(draft: &mut Draft<'_>, command: RequestCommand) -> Result<Reply, Reject> {
    match command {
        RequestCommand::New(asked) => open::new(draft, *asked),
        RequestCommand::List => Ok(Reply::done(show::list(draft.state, draft.now))),
        RequestCommand::Show(id) => Ok(Reply::done(show::show(life::any(draft, id)?, draft.now)).about(id)),
        RequestCommand::Approve(id) => life::approve(draft, id),
        RequestCommand::Reject(id, text) => life::reject(draft, id, &text),
        RequestCommand::Take(id) => life::take(draft, id),
        RequestCommand::Fulfil(id, text) => life::fulfil(draft, id, text.as_deref()),
        RequestCommand::Retry(id, again) => carry::retry(draft, id, again),
        RequestCommand::Close(id) => life::close(draft, id),
        RequestCommand::Cancel(id, text) => life::cancel(draft, id, text.as_deref()),
    }
}
