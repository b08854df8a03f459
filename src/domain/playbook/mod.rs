//! Playbooks, and their runs, `RUN-n`. `spec` is what a playbook is, `text` and `values` its parameters, `start` how a run
//! begins (and the change that it may be), `drive` how it goes on, `acts` what it can do inside Opsbell and `act` doing it,
//! `signal` what it can wait to hear, `remedy` what alerts begin, `person` what people do to it, `question` what it asks them, `board` the message that shows how it stands, `show` how it reads, `apply` what events do. What a step does outside (`http`, `run`) is owed by an event, granted by the runtime once
//! that is durable, done by `src/perform/`, and comes back as an input; nothing of that is here.

pub mod act;
pub mod acts;
mod apply;
pub mod board;
pub mod drive;
pub mod person;
pub mod question;
pub mod remedy;
pub mod show;
pub mod signal;
pub mod spec;
pub mod start;
#[cfg(test)]
mod tests;
pub mod text;
pub mod values;

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::command::PlaybookCommand;
use super::draft::Draft;
use super::id::{ChangeId, IncidentId, RunId, ServiceId, ServiceRequestId, TeamId};
use super::input::{Place, Reply};
use super::org::Role;
use super::reject::Reject;
use super::time::Timestamp;

use acts::Awaited;
pub use spec::{Allowed, Playbook};
use spec::{Http, Part, Program, Step};
use text::Values;

/// Runs that are not over; no more are begun.
pub const OPEN_MAX: usize = 1_000;
/// Runs that are over and still shown; the journal has all.
pub const ENDED_MAX: usize = 100;
/// The name of Opsbell's part that begins runs by a rule of the organisation.
pub const REMEDY: &str = "remedy";
/// So much of what a step answered is kept, in characters.
pub const OUTPUT_MAX: usize = 2_000;

/// One run of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The playbook as it was when it began.
    pub playbook: Arc<Playbook>,
    /// What was said for its parameters.
    pub values: Values,
    /// Who began it.
    pub by: Actor,
    /// What a chat's own roles let them do beside what the organisation says of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Role>,
    /// When the chat said so; none once the run has waited since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// When.
    pub started_at: Timestamp,
    /// The remedy that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<CompactString>,
    /// The change that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// The request that it fulfils.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ServiceRequestId>,
    /// The incident that it is run for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The service that it is run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Whose channel hears of it.
    #[serde(default)]
    pub team: TeamId,
    /// In which part it is.
    pub part: Part,
    /// Which step of that is next, or being done; from 0.
    pub at: usize,
    /// What it does just now.
    pub doing: Doing,
    /// How often the step has been begun.
    #[serde(default)]
    pub attempt: u16,
    /// What was done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<StepDone>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The message in a chat that shows how it stands, and is kept up to date there.
    #[serde(default, skip_serializing_if = "Board::is_none")]
    pub board: Board,
}

/// The message that shows how a run stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Where it is; `None`: there is none (any more), or the chat does not edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// How often it was deleted there.
    #[serde(default)]
    pub lost: u8,
}

impl Board {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Run {
    /// The step that is next, or being done.
    pub fn step(&self) -> Option<&Step> {
        self.playbook.part(self.part).get(self.at)
    }

    /// How it stands, in one word.
    pub fn word(&self) -> &'static str {
        match (&self.doing, &self.ended) {
            (_, Some(ended)) => ended.ending.as_str(),
            (Doing::Waiting { .. } | Doing::Hearing { .. }, None) => "waiting",
            (Doing::Asking { .. }, None) => "asking",
            (Doing::Unclear { .. }, None) => "unclear",
            _ => "running",
        }
    }

    /// `RUN-1 deploy payments-api`.
    pub fn headline(&self) -> String {
        let on = self.service.as_ref().map(|service| format!(" {service}")).unwrap_or_default();
        format!("{} {}{on}", self.id, self.playbook.id)
    }
}

/// The words for how a run stands.
pub const WORDS: [&str; 8] = ["running", "waiting", "asking", "unclear", "done", "failed", "rolled-back", "cancelled"];

/// What a run does just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// It goes on at once.
    Next {
        /// Since when.
        since: Timestamp,
    },
    /// Time passes.
    Waiting {
        /// Until then.
        until: Timestamp,
    },
    /// Somebody is asked.
    Asking {
        /// What.
        question: CompactString,
        /// Until then it has to be answered.
        until: Timestamp,
    },
    /// A signal is waited for.
    Hearing {
        /// Which.
        awaited: Awaited,
        /// Until then it has to come.
        until: Timestamp,
    },
    /// It came; the run goes on at once.
    Heard {
        /// When.
        since: Timestamp,
        /// Why it is a failure; `None`: it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<CompactString>,
        /// What was heard.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<CompactString>,
    },
    /// Something is owed to the outside: it is done there, or about to be.
    Owed {
        /// What.
        work: Work,
        /// By then it has come back, or nobody knows how it went.
        until: Timestamp,
    },
    /// It is tried again.
    Again {
        /// Then.
        at: Timestamp,
        /// Why it failed.
        reason: CompactString,
    },
    /// Nobody knows whether the step was done; a person is asked.
    Unclear {
        /// Why.
        reason: CompactString,
        /// When the question is asked again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remind: Option<Timestamp>,
    },
    /// Nothing any more.
    Over,
}

impl Doing {
    /// When it has to be looked at again.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Next { since: at } | Self::Again { at, .. } | Self::Heard { since: at, .. } => Some(*at),
            Self::Waiting { until }
            | Self::Asking { until, .. }
            | Self::Hearing { until, .. }
            | Self::Owed { until, .. } => Some(*until),
            Self::Unclear { remind, .. } => *remind,
            Self::Over => None,
        }
    }
}

/// What is done outside, with all values in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A server is asked.
    Http(Http),
    /// A program is run.
    Run(Program),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => http.fmt(f),
            Self::Run(program) => program.fmt(f),
        }
    }
}

/// A step that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone {
    /// Of which part.
    pub part: Part,
    /// Which.
    pub step: CompactString,
    /// When.
    pub at: Timestamp,
    /// Who or what it was done by.
    pub by: Actor,
    /// How often it was begun.
    pub attempts: u16,
    /// Why it failed; `None`: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CompactString>,
    /// What it answered, cut and without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<CompactString>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// When.
    pub at: Timestamp,
    /// With which commit of the journal; 0 in a record of an earlier release.
    #[serde(default, skip_serializing_if = "super::change::unknown_seq")]
    pub seq: u64,
    /// Why, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CompactString>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Everything was done.
    Done,
    /// Not everything was done, and nothing was taken back.
    Failed,
    /// It was taken back.
    RolledBack,
    /// Somebody stopped it.
    Cancelled,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::RolledBack, Self::Cancelled];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookStarted {
    /// Its number.
    pub run: RunId,
    /// The playbook as it is now.
    pub playbook: Arc<Playbook>,
    /// What was said for its parameters.
    pub values: Values,
    /// The change that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
    /// The request that it fulfils.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ServiceRequestId>,
    /// Whose run it is, where somebody else set it off: whoever approved a request begins it for its requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The incident that it is run for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The service that it is run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Whose channel hears of it.
    pub team: TeamId,
    /// The remedy that begins it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<CompactString>,
}

/// Something happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookMoved {
    /// Which.
    pub run: RunId,
    /// The incident that it is run for: whoever may not see that one is not told of this either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// What.
    pub step: Move,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// A step was begun (again).
    Began {
        /// Which.
        step: CompactString,
        /// What it does now.
        doing: Doing,
    },
    /// What a step waits for was heard.
    Heard {
        /// Which step.
        step: CompactString,
        /// Why it is a failure; `None`: it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<CompactString>,
        /// What was heard.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<CompactString>,
    },
    /// A step is over, and the next one follows.
    Ended {
        /// Which.
        step: CompactString,
        /// Why it failed; `None`: it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<CompactString>,
        /// What it answered, cut and without secrets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<CompactString>,
    },
    /// A step failed and is tried again.
    Retried {
        /// Which.
        step: CompactString,
        /// Why it failed.
        reason: CompactString,
        /// When.
        at: Timestamp,
    },
    /// Nobody knows whether a step was done.
    Unclear {
        /// Which.
        step: CompactString,
        /// Why not.
        reason: CompactString,
        /// When the question is asked again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remind: Option<Timestamp>,
    },
    /// The question what happened to a step was asked again.
    Reminded {
        /// Which step.
        step: CompactString,
        /// When it is asked once more.
        remind: Timestamp,
    },
    /// The message that shows how the run stands is there.
    Shown {
        /// Where.
        place: Box<Place>,
    },
    /// That message was deleted.
    MessageLost,
    /// The run went over to another part.
    Turned {
        /// Which.
        part: Part,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CompactString>,
    },
    /// The run is over.
    Finished {
        /// How.
        ending: Ending,
        /// Why, where that is not plain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CompactString>,
    },
}

/// How something that was done outside went, as the performer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Performed {
    /// As expected.
    Done {
        /// What it answered, without secrets.
        output: String,
    },
    /// It was done, and went wrong; or it could not be done.
    Failed {
        /// Why, without secrets.
        reason: String,
        /// What it answered, without secrets.
        output: String,
    },
    /// It may have been done or not.
    Unknown {
        /// Why nobody knows.
        reason: String,
    },
}

/// Leave to do what a run owes to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// For which run.
    pub run: RunId,
    /// The name of the step.
    pub step: CompactString,
    /// Which attempt of the step.
    pub attempt: u16,
    /// What.
    pub work: Work,
    /// How long it may take.
    pub timeout: super::time::Span,
}

/// Runs a command about playbooks; whether the person may has been asked.
pub fn run(draft: &mut Draft<'_>, command: PlaybookCommand) -> Result<Reply, Reject> {
    match command {
        PlaybookCommand::List => Ok(Reply::done(show::list(draft))),
        PlaybookCommand::Show(which) => show::show(draft, &which),
        PlaybookCommand::Run(asked) => start::run(draft, *asked),
        PlaybookCommand::Cancel(id, reason) => person::cancel(draft, id, reason.as_deref()),
        PlaybookCommand::Answer(id, yes, text) => person::answer(draft, id, yes, text.as_deref()),
        PlaybookCommand::Resume(id, how) => person::resume(draft, id, how),
    }
}
