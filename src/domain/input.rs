//! Inputs: everything that can make something happen, and what is answered. An input carries a verified envelope.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::By;
use super::change::Change;
use super::command::{Call, GateAsked};
use super::delivery::{Judged, Outcome};
use super::id::{
    ChangeId, DeliveryId, DeploymentId, FreezeId, IncidentId, IntegrationId, PageId, PersonId, RunId, ServiceRequestId,
    SilenceId,
};
use super::incident::Incident;
use super::playbook::Performed;
use super::playbook::question::{RunButton, Which};
use super::problem::Problem;
use super::request::ServiceRequest;
use super::signal::Signal;
use super::time::{Span, Timestamp};

/// A place in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Place {
    /// The platform: `terminal`, `discord`, `api`.
    pub chat: CompactString,
    /// Guild, workspace.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub space: CompactString,
    /// Channel.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub channel: CompactString,
    /// Thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<CompactString>,
    /// Message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<CompactString>,
}

/// One thing that comes in; decided and applied as one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The verified envelope.
    pub by: By,
    /// A client's key: the same key within 24 h gets the same answer and does nothing again.
    pub idempotency: Option<CompactString>,
    /// What it is.
    pub kind: InputKind,
    /// Closed records that it names, loaded by the runtime.
    pub closed: Vec<Closed>,
}

/// A commit of the journal; noted elsewhere, it shows whether the journal was cut short or rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash, in hex.
    pub hash: CompactString,
}

impl std::fmt::Display for Head {
    /// `SEQ:HASH`, as `opsbell journal verify --head` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A closed record, loaded for an input that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// An incident.
    Incident(Box<Incident>),
    /// A problem.
    Problem(Box<Problem>),
    /// A change.
    Change(Box<Change>),
    /// A request.
    Request(Box<ServiceRequest>),
}

impl From<Incident> for Closed {
    fn from(incident: Incident) -> Self {
        Self::Incident(Box::new(incident))
    }
}

impl From<Problem> for Closed {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<ServiceRequest> for Closed {
    fn from(request: ServiceRequest) -> Self {
        Self::Request(Box::new(request))
    }
}

impl From<Change> for Closed {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// A sender's signal.
    Signal {
        /// Whose key it came with.
        integration: IntegrationId,
        /// What it says.
        signal: Box<Signal>,
    },
    /// Words of a person (the envelope's), to be read by the text grammar.
    Text {
        /// Where they were said.
        place: Place,
        /// The words, `/ack INC-1`.
        text: String,
    },
    /// A command whose options a chat platform has already taken apart.
    Call {
        /// Where it was given.
        place: Place,
        /// The command.
        call: Call,
    },
    /// A button.
    Press {
        /// Where it was pressed.
        place: Place,
        /// Which.
        button: Button,
        /// On what.
        incident: IncidentId,
    },
    /// Approve or Reject.
    PressJudge {
        /// Where it was pressed.
        place: Place,
        /// Which.
        button: JudgeButton,
        /// On what.
        on: Judged,
    },
    /// The message that shows how a run stands was deleted in its chat.
    MessageLost {
        /// Of which run.
        run: RunId,
        /// Which message.
        message: CompactString,
    },
    /// A button under what a run asks.
    PressRun {
        /// Where it was pressed.
        place: Place,
        /// Which.
        button: RunButton,
        /// To which question.
        which: Which,
    },
    /// The whole text of a postmortem, in Markdown.
    WritePostmortem {
        /// Of which incident.
        incident: IncidentId,
        /// The text; not cleaned.
        text: String,
        /// The revision it was made from, if that matters to whoever wrote it.
        base: Option<u32>,
    },
    /// A pipeline asks whether it may deploy; the answer is the verdict as JSON.
    Gate(GateAsked),
    /// Somebody takes the evidence of a change; that is all that is written down.
    Evidence(ChangeId),
    /// A moment has come.
    Wake(Wakeup),
    /// The moment of a summary has come; what it is told of the journal.
    Summarise {
        /// The moment.
        wakeup: Wakeup,
        /// The last durable commit.
        head: Head,
    },
    /// An attempt ended.
    Receipt {
        /// Of which delivery.
        delivery: DeliveryId,
        /// How.
        outcome: Outcome,
    },
    /// What a run owed to the outside has come back.
    Performed {
        /// Of which run.
        run: RunId,
        /// Which attempt of its step.
        attempt: u16,
        /// How it went.
        outcome: Performed,
    },
    /// Attempts that all ended well; the same as a receipt for each, in one commit.
    Arrived(Vec<DeliveryId>),
    /// The process has started.
    Started {
        /// The release.
        version: CompactString,
        /// What the clock said then; the input may be taken later, when the journal can be written.
        at: Timestamp,
    },
    /// A configuration came into force.
    ConfigLoaded {
        /// Its hash.
        hash: CompactString,
    },
    /// The wall clock was stepped.
    ClockStepped {
        /// Forward.
        by: Span,
    },
    /// The operators must know.
    TellOperators {
        /// What.
        text: String,
    },
    /// A personal token, by its hash.
    AddToken {
        /// Its public name.
        token: CompactString,
        /// Whose.
        person: PersonId,
        /// Hex sha256.
        sha256: CompactString,
    },
    /// A code is shown to a Discord account, to link it.
    OfferAccount {
        /// Discord's id of the account, verified.
        account: CompactString,
        /// What it is called there.
        name: CompactString,
        /// Hex sha256 of the code (50 random bits, which count once, for minutes).
        sha256: CompactString,
    },
    /// A person's second factor comes into force, or is taken away. Its secret is none of this.
    EnrolFactor {
        /// Whose.
        person: PersonId,
        /// Whether there is one from now on.
        there: bool,
    },
    /// A person asks for a code to say in Discord.
    ShowCode {
        /// Hex sha256 of the code.
        sha256: CompactString,
    },
    /// An account in Discord says such a code.
    ClaimAccount {
        /// Discord's id of the account, verified.
        account: CompactString,
        /// What it is called there.
        name: CompactString,
        /// Hex sha256 of what was said.
        sha256: CompactString,
    },
    /// A personal token is to be void.
    RevokeToken {
        /// Its public name, or the person for all of theirs.
        token: CompactString,
    },
}

/// A button under a page or a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Button {
    /// Take it.
    Ack,
    /// Can't: page the next step.
    Cant,
    /// Give it back: page again.
    HandBack,
    /// Page the next step as well.
    Escalate,
    /// It was fixed.
    Resolve,
    /// It was none.
    FalseAlarm,
    /// Make a problem of it.
    Problem,
    /// Begin an emergency change for it.
    Emergency,
}

impl Button {
    /// All buttons, for messages.
    pub const ALL: [Self; 8] = [
        Self::Ack,
        Self::Cant,
        Self::HandBack,
        Self::Escalate,
        Self::Resolve,
        Self::FalseAlarm,
        Self::Problem,
        Self::Emergency,
    ];

    /// The word, as in stories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Cant => "cant",
            Self::HandBack => "hand-back",
            Self::Escalate => "escalate",
            Self::Resolve => "resolve",
            Self::FalseAlarm => "false-alarm",
            Self::Problem => "problem",
            Self::Emergency => "emergency",
        }
    }

    /// The button a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|button| button.as_str() == word)
    }
}

/// A button under what asks whoever may approve a change or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JudgeButton {
    /// Agree to it as it reads now.
    Approve,
    /// Do not.
    Reject,
}

impl JudgeButton {
    /// Both, for messages.
    pub const ALL: [Self; 2] = [Self::Approve, Self::Reject];

    /// The word, as in stories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// A moment that the domain waits for. Ties go by (due, kind, id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wakeup {
    /// When.
    pub due: super::time::Timestamp,
    /// For what.
    pub kind: WakeupKind,
}

/// What a moment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WakeupKind {
    /// The next rule of a page.
    PageRule(PageId),
    /// The next step of an escalation, or its last resort.
    Escalation(IncidentId),
    /// An acknowledgement runs out.
    AckExpiry(IncidentId),
    /// A resolved incident is closed.
    Close(IncidentId),
    /// A silence ends soon, or ends.
    Silence(SilenceId),
    /// The next summary is posted.
    Summary,
    /// An update is asked for.
    UpdateDue(IncidentId),
    /// A change owes something, or an approval runs out.
    Change(ChangeId),
    /// A freeze ends.
    Freeze(FreezeId),
    /// A run of a playbook goes on, or has waited long enough.
    Playbook(RunId),
    /// A code host's question is asked again.
    Question(DeploymentId),
    /// A request is overdue, or closed of itself.
    Request(ServiceRequestId),
}

impl std::fmt::Display for WakeupKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PageRule(id) => write!(f, "the next message of page {id}"),
            Self::Escalation(id) => write!(f, "the next step of {id}"),
            Self::AckExpiry(id) => write!(f, "the end of the acknowledgement of {id}"),
            Self::Close(id) => write!(f, "the closing of {id}"),
            Self::Silence(id) => write!(f, "the end of {id}"),
            Self::Summary => f.write_str("the next summary"),
            Self::UpdateDue(id) => write!(f, "the reminder about an update of {id}"),
            Self::Change(id) => write!(f, "what {id} owes"),
            Self::Freeze(id) => write!(f, "the end of {id}"),
            Self::Playbook(id) => write!(f, "the next step of {id}"),
            Self::Question(id) => write!(f, "the question about {id}"),
            Self::Request(id) => write!(f, "what {id} waits for"),
        }
    }
}

/// What is answered to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Reply {
    /// Whether it was done; `false` when refused.
    pub ok: bool,
    /// What is said, in plain text; times as `<t:SECS:R>` and the like, rendered by the face.
    pub text: String,
    /// Whether only the asker should see it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// The records it is about, `INC-1` first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<CompactString>,
    /// Lines of the text that are drawn: they are shown in letters of one width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Drawn>,
}

/// Which lines of a text are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The first, counted from 0.
    pub first: usize,
    /// How many.
    pub lines: usize,
}

impl Reply {
    /// Done, with these words.
    pub fn done(text: impl Into<String>) -> Self {
        Self { ok: true, text: text.into(), ..Self::default() }
    }

    /// The same about a record.
    #[must_use]
    pub fn about(mut self, record: impl std::fmt::Display) -> Self {
        self.records.push(compact_str::format_compact!("{record}"));
        self
    }

    /// The same for the asker only.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }
}

/// What the engine answers to one input once everything it rests on is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The commit that the answer rests on.
    pub seq: u64,
    /// What is said, or why it was refused.
    pub reply: Result<Reply, super::reject::Reject>,
}

/// Why the engine could not take an input; nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The queue is full; try again after a second.
    #[error("too much is waiting; try again in a second")]
    Busy,
    /// The journal cannot be written; operators have been told.
    #[error("the journal cannot be written ({0}); nothing was recorded, try again")]
    Journal(String),
    /// The process is ending.
    #[error("Opsbell is shutting down; try again in a few seconds")]
    ShuttingDown,
    /// A closed record could not be loaded in time.
    #[error("the records are not readable just now ({0}); try again")]
    Records(String),
}
