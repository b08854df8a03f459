//! Changes (ITIL 4), `CHG-n`: requested → awaiting-approval → scheduled → implementing → review → closed, or rejected.
//! The record and its events are here; `content` is what an approval is bound to, `rules` what an organisation declares,
//! `risk` how risky it is, `approve` who has to agree, `authority` whose word counts beside that, `open` how one begins and is edited, `emergency` one that does at once, `life` what people do to it,
//! `carry` carrying it out, `facts` what is known of how it went, `due` what is owed by a time, `conflict` and `period` the calendar, `freeze` stopping the
//! line, `gate` what a pipeline is told, `suspect` what may have caused an incident,
//! `deployment` what code hosts tell, `answer` what they are told, `deployed` what is remembered of it, `show` and `feed` how it reads, `stream` how long it took from commit to verified,
//! `apply` what events do. Running a playbook is not here: `rules::Model` is all that a change knows of one.

pub mod answer;
mod apply;
pub mod approve;
pub mod authority;
pub mod carry;
pub mod conflict;
pub mod content;
pub mod deployed;
pub mod deployment;
pub mod due;
pub mod emergency;
pub mod facts;
pub mod feed;
pub mod freeze;
pub mod gate;
pub mod life;
pub mod open;
pub mod period;
pub mod risk;
pub mod rules;
pub mod show;
pub mod stream;
pub mod suspect;
#[cfg(test)]
mod tests;

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::command::ChangeCommand;
use super::draft::Draft;
use super::event::Event;
use super::id::{ChangeId, IncidentId, PersonId, TeamId};
use super::incident::Entry;
use super::input::Reply;
use super::playbook;
use super::reject::Reject;
use super::time::{Span, Timestamp};

pub use content::{Class, Content, Window};
pub use freeze::{Freeze, FreezeStarted};
pub use risk::{Level, Risk};
pub use suspect::Past;

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// Something that approvers need is not said yet.
    Requested,
    /// Others have to agree.
    AwaitingApproval,
    /// It may be carried out.
    Scheduled,
    /// It is being carried out.
    Implementing,
    /// It is over; how it went is to be said.
    Review,
    /// The record is complete.
    Closed,
    /// Others did not agree.
    Rejected,
}

impl ChangeState {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::AwaitingApproval,
        Self::Scheduled,
        Self::Implementing,
        Self::Review,
        Self::Closed,
        Self::Rejected,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::AwaitingApproval => "awaiting-approval",
            Self::Scheduled => "scheduled",
            Self::Implementing => "implementing",
            Self::Review => "review",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
        }
    }

    /// Whether it has not been begun, and may be edited.
    pub fn planned(self) -> bool {
        self < Self::Implementing
    }

    /// Whether nothing more is to come.
    pub fn over(self) -> bool {
        self >= Self::Closed
    }
}

impl fmt::Display for ChangeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As planned.
    Successful,
    /// It did not do what it should, or did harm.
    Failed,
    /// It was taken back.
    RolledBack,
    /// It was never begun.
    Cancelled,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Successful, Self::Failed, Self::RolledBack, Self::Cancelled];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One person's approval: of exactly this content, for a while, for one use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub person: PersonId,
    /// The hash of what was approved.
    pub hash: CompactString,
    /// When.
    pub at: Timestamp,
    /// Until when it may be used.
    pub expires: Timestamp,
    /// When it was used: the change was begun with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// Why it no longer counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<CompactString>,
    /// The approver for whom they stood in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<PersonId>,
    /// Whether it was given with a second factor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub factor: bool,
    /// The pull request by whose review it was given, `org/repo#12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<CompactString>,
}

impl Approval {
    /// Whose it is, and how it came: `cleo for sanne, with a code`, `hana, by reviewing org/repo#12`.
    pub fn whose(&self) -> String {
        let whom = self.stands_for.as_ref().map(|other| format!(" for {other}")).unwrap_or_default();
        let code = if self.factor { ", with a code" } else { "" };
        let review = self.review.as_ref().map(|place| format!(", by reviewing {place}")).unwrap_or_default();
        format!("{}{whom}{code}{review}", self.person)
    }
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its number.
    pub id: ChangeId,
    /// The commit of the journal with which it began; 0 in a record of an earlier release.
    #[serde(default, skip_serializing_if = "unknown_seq")]
    pub seq: u64,
    /// What an approval is bound to.
    pub content: Content,
    /// Hex sha256 of its canonical form.
    pub hash: CompactString,
    /// Who owns the service.
    pub team: TeamId,
    /// Where it stands.
    pub state: ChangeState,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How risky it is, and why.
    pub risk: Risk,
    /// Who asked for it.
    pub requester: Actor,
    /// When.
    pub opened_at: Timestamp,
    /// Who edited it; they do not approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editors: Vec<PersonId>,
    /// Approvals, also those that no longer count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// When it is put into the calendar, where its content leaves that open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Window>,
    /// The incident that an emergency is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Who answers for an emergency that began before it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authoriser: Option<PersonId>,
    /// Until when an emergency has to be approved; none once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_due: Option<Timestamp>,
    /// Until when it has to be reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_due: Option<Timestamp>,
    /// When it is cancelled unless somebody has begun it, where a pipeline opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapses: Option<Timestamp>,
    /// The last reminder about what is owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded_at: Option<Timestamp>,
    /// Who began it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Done>,
    /// The commit that it was begun with, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CompactString>,
    /// Who ended it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Done>,
    /// When its record was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// What the review says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<CompactString>,
    /// What is known of how it went, without anybody saying it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<CompactString>,
    /// Why it should not have begun, where it was deployed without the approval that it needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unapproved: Option<CompactString>,
    /// Incidents that it caused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caused: Vec<IncidentId>,
    /// What happened, up to `TIMELINE_MAX` entries; the journal has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
}

/// Whether a record does not say with which commit something happened.
pub(in crate::domain) fn unknown_seq(seq: &u64) -> bool {
    *seq == 0
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// A change's timeline has at most this many entries.
pub const TIMELINE_MAX: usize = 300;
/// Changes that are not over; no more are opened.
pub const OPEN_MAX: usize = 10_000;

impl Change {
    /// When it is in the calendar.
    pub fn window(&self) -> Option<Window> {
        self.content.window.or(self.slot)
    }

    /// The approvals that may count: of the present content, unused and not void. Whether they are in time, and the
    /// person still may, depends on now.
    pub fn standing(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.iter().filter(|it| it.hash == self.hash && it.void.is_none())
    }

    /// The commit that it is of, where one is told and another is known: what was agreed to is not this.
    pub fn other_commit(&self, told: Option<&str>) -> Option<&str> {
        let told = told?.to_lowercase();
        // Whichever was told of it: the beginning of a hash is that of others, too.
        let mut known = [self.commit.as_deref(), self.content.known_commit()].into_iter().flatten();
        known.find(|known| {
            let lower = known.to_lowercase();
            !lower.starts_with(&told) && !told.starts_with(&lower)
        })
    }

    /// What is told of its commit beyond what is known: where nothing was, or only the beginning of its hash.
    pub fn commit_news(&self, told: Option<&str>) -> Option<CompactString> {
        let mut known = [self.commit.as_deref(), self.content.known_commit()].into_iter().flatten();
        told.filter(|told| known.all(|known| known.len() < told.len())).map(CompactString::from)
    }

    /// `CHG-1 payments-api: raise the pool`.
    pub fn headline(&self) -> String {
        let environment = match self.content.environment.as_str() {
            rules::PRODUCTION => String::new(),
            other => format!(" ({other})"),
        };
        format!("{} {}{environment}: {}", self.id, self.content.service, self.content.title)
    }
}

/// A change was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOpened {
    /// Its number.
    pub change: ChangeId,
    /// What an approval is bound to.
    pub content: Content,
    /// Hex sha256 of its canonical form.
    pub hash: CompactString,
    /// Who owns the service.
    pub team: TeamId,
    /// Where it stands at once.
    pub state: ChangeState,
    /// Why there, where that is not plain: `pre-authorised by the model restart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<CompactString>,
    /// How risky it is.
    pub risk: Risk,
    /// The incident that an emergency is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Who answers for an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authoriser: Option<PersonId>,
    /// Until when an emergency has to be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_due: Option<Timestamp>,
    /// When it is cancelled unless somebody has begun it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapses: Option<Timestamp>,
}

/// Its content was edited: what was approved before is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEdited {
    /// Which.
    pub change: ChangeId,
    /// What it is now.
    pub content: Content,
    /// Hex sha256 of its canonical form.
    pub hash: CompactString,
    /// Where it stands from now on.
    pub state: ChangeState,
    /// How risky it is now.
    pub risk: Risk,
    /// What was edited: `plan, window`.
    pub what: CompactString,
}

/// Somebody approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeApproved {
    /// Which.
    pub change: ChangeId,
    /// Who.
    pub person: PersonId,
    /// Exactly this.
    pub hash: CompactString,
    /// Until when the approval may be used.
    pub expires: Timestamp,
    /// Whether enough have approved now.
    pub enough: bool,
    /// The approver for whom they stand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<PersonId>,
    /// Whether a second factor was shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub factor: bool,
    /// The pull request whose review this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<CompactString>,
}

/// Something happened to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMoved {
    /// Which.
    pub change: ChangeId,
    /// What.
    pub step: Step,
}

/// What happened to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It was put into the calendar.
    Slotted(Window),
    /// Approvals no longer count, and it waits for others.
    Voided {
        /// Whose.
        people: Vec<PersonId>,
        /// Why.
        reason: CompactString,
    },
    /// Enough had approved it, but for what was to bring it in now: it waits for others, and what was approved stands.
    AskedAnew {
        /// What does not count for that.
        why: CompactString,
    },
    /// It was begun; the approvals are used.
    Started {
        /// What was let pass, and why: `in freeze christmas: an emergency`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        despite: Vec<CompactString>,
        /// The commit that is brought in, where that was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<CompactString>,
    },
    /// It was begun, and only then was told which commit it brings in: its approvals were used for that one.
    Bound {
        /// Which.
        commit: CompactString,
    },
    /// It was begun elsewhere without the approval that it needs.
    Unapproved {
        /// What it lacks.
        why: CompactString,
    },
    /// It is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// In whose words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<CompactString>,
        /// Until when it has to be reviewed; none where it needs no review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review_due: Option<Timestamp>,
        /// What is known of it then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        facts: Vec<CompactString>,
    },
    /// It was reviewed, and its record is complete.
    Reviewed {
        /// How it ended.
        outcome: Outcome,
        /// What the review says.
        text: CompactString,
        /// What is known of it, without anybody saying it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        facts: Vec<CompactString>,
    },
    /// It will not be begun.
    Cancelled {
        /// Why, if said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CompactString>,
    },
    /// Others did not agree; an emergency that has begun is not approved.
    Rejected {
        /// Why.
        reason: CompactString,
    },
    /// What it owes was asked for.
    Reminded,
    /// It caused an incident. Carries a closed change whole, since State holds only open ones.
    Caused {
        /// Which.
        incident: IncidentId,
        /// The closed record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revived: Option<Box<Change>>,
        /// Until when it has to be reviewed (again).
        review_due: Timestamp,
    },
}

/// Emits a step.
pub(in crate::domain) fn step(draft: &mut Draft<'_>, change: ChangeId, step: Step) {
    draft.emit(Event::ChangeMoved(Box::new(ChangeMoved { change, step })));
}

/// Runs a command about changes; whether the person may respond at all has been asked.
pub fn run(draft: &mut Draft<'_>, command: ChangeCommand) -> Result<Reply, Reject> {
    match command {
        ChangeCommand::New(asked) => open::normal(draft, *asked),
        ChangeCommand::Standard(asked) => open::standard(draft, *asked),
        ChangeCommand::Emergency { incident, authoriser, asked } => {
            emergency::emergency(draft, incident, &authoriser, *asked)
        }
        ChangeCommand::Edit(id, asked) => open::edit(draft, id, *asked),
        ChangeCommand::Show(id) => {
            Ok(Reply::done(show::show(life::any(draft, id)?, draft.state, draft.org, draft.now)).about(id))
        }
        ChangeCommand::List => Ok(Reply::done(show::list(draft.state))),
        ChangeCommand::Check(asked) => conflict::check(draft, *asked),
        ChangeCommand::Approve(id) => approve::approve(draft, id),
        ChangeCommand::Reject(id, reason) => approve::reject(draft, id, &reason),
        ChangeCommand::Schedule(id, when) => open::schedule(draft, id, &when),
        ChangeCommand::Start(id) => carry::start(draft, id),
        ChangeCommand::End(id, outcome, text) => {
            playbook::person::hands_off(draft, id)?;
            carry::end(draft, id, outcome, text.as_deref())
        }
        ChangeCommand::Cancel(id, reason) => {
            playbook::person::hands_off(draft, id)?;
            life::cancel(draft, id, reason.as_deref())
        }
        ChangeCommand::Review(id, outcome, text) => life::review(draft, id, outcome, &text),
        ChangeCommand::Delegate { to, from, until } => {
            authority::delegate::delegate(draft, to.as_ref(), from.as_deref(), until.as_deref())
        }
        ChangeCommand::Calendar(service) => Ok(Reply::done(show::calendar(draft, service.as_ref()))),
        ChangeCommand::Gate(asked) => Ok(gate::ask(draft, &asked).told()),
        ChangeCommand::FreezeStart { service, environment, reason, ends } => {
            freeze::start(draft, service, environment, reason, ends.as_ref())
        }
        ChangeCommand::FreezeEnd { freeze, service } => freeze::end(draft, freeze, service.as_ref()),
    }
}

/// How long before a deadline it is told: a quarter of the time, and then again each day after it.
const AGAIN: Span = Span::days(1);
