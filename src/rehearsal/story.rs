//! A story as it was written: its statements with their lines. How text becomes a story is `parse`; what a statement
//! does is `run`.

use std::collections::BTreeMap;
use std::fmt;

use chrono_tz::Tz;

use crate::domain::change::ChangeState;
use crate::domain::delivery::{Judged, Method};
use crate::domain::id::{ChangeId, IncidentId, PersonId, ProblemId, RunId, ServiceRequestId};
use crate::domain::incident::{IncidentState, Severity};
use crate::domain::input::{Button, JudgeButton};
use crate::domain::playbook::question::RunButton;
use crate::domain::problem::ProblemState;
use crate::domain::request::RequestState;
use crate::domain::signal::AlertSeverity;
use crate::domain::time::{Span, Timestamp};

pub use super::request::RequestField;

/// A whole story, free of syntax errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The name it goes by in messages, as given.
    pub file: String,
    /// When it begins.
    pub start: Timestamp,
    /// The zone in which its times are shown.
    pub zone: Tz,
    /// Its statements in order; the first is `At`.
    pub lines: Vec<Line>,
}

/// One statement and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As written, without white space around it.
    pub text: String,
    /// What it says.
    pub statement: Statement,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// `at …`: goes forward to an instant.
    At(Timestamp),
    /// `advance 5m`.
    Advance(Span),
    /// `alert SERVICE STR …`.
    Alert(AlertLine),
    /// `clear SERVICE key=…`.
    Clear {
        /// The service it names.
        service: String,
        /// The key of the alert that recovered.
        key: String,
    },
    /// `send SOURCE FILE`.
    Send {
        /// The source's word.
        source: &'static str,
        /// The payload, relative to the story.
        file: String,
    },
    /// `as PERSON [in CHANNEL]: COMMAND`.
    Say {
        /// Who.
        person: PersonId,
        /// Where, if told.
        channel: Option<String>,
        /// The words.
        text: String,
    },
    /// `press PERSON BUTTON ID`.
    Press {
        /// Who.
        person: PersonId,
        /// Which button.
        button: Button,
        /// On what.
        incident: IncidentId,
    },
    /// `press PERSON approve|reject CHG-1`, or `REQ-1`.
    PressJudge {
        /// Who.
        person: PersonId,
        /// Which button.
        button: JudgeButton,
        /// On what.
        on: Judged,
    },
    /// `press PERSON yes|no|done|again|failed RUN-1`.
    PressRun {
        /// Who.
        person: PersonId,
        /// Which button.
        button: RunButton,
        /// Of which run: the button under what it asked last with such a button.
        run: RunId,
    },
    /// `fail METHOD [PERSON]`.
    Fail(Fault),
    /// `restore METHOD [PERSON]`.
    Restore(Fault),
    /// `step NAME succeeds|fails|hangs [STR]`.
    Step {
        /// The name of the step; `http` or `run` for all of a kind.
        name: String,
        /// How it goes from now on.
        how: StepGoes,
    },
    /// `restart`.
    Restart,
    /// `config DIR`.
    Config(String),
    /// `expect …`.
    Expect(Expect),
}

/// How a step outside goes in a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepGoes {
    /// It is done, and answers this.
    Succeeds(String),
    /// It fails for this reason.
    Fails(String),
    /// It is begun, and never comes back.
    Hangs,
}

/// `alert SERVICE STR [severity=…] [key=…] [environment=…] [label.X=…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertLine {
    /// The service it names; need not exist.
    pub service: String,
    /// What is wrong.
    pub text: String,
    /// How bad; the organisation's default where it is not told.
    pub severity: Option<AlertSeverity>,
    /// The dedup key; made of service, environment and text where it is not told.
    pub key: Option<String>,
    /// Production, staging, …
    pub environment: Option<String>,
    /// `label.X=…`.
    pub labels: BTreeMap<String, String>,
}

/// What `fail` breaks and `restore` mends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The contact method.
    pub method: Method,
    /// For one person (or `webhook:ID`) only.
    pub person: Option<String>,
}

/// `expect …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// `expect incident ID STATE [SEV] [field=VALUE …]`.
    Incident {
        /// Which.
        incident: IncidentId,
        /// Where it should stand.
        state: IncidentState,
        /// How bad it should be.
        severity: Option<Severity>,
        /// Further fields and what they should say.
        fields: Vec<(Field, String)>,
    },
    /// `expect problem ID STATE [field=VALUE …]`.
    Problem {
        /// Which.
        problem: ProblemId,
        /// Where it should stand.
        state: ProblemState,
        /// Further fields and what they should say.
        fields: Vec<(ProblemField, String)>,
    },
    /// `expect change ID STATE [field=VALUE …]`.
    Change {
        /// Which.
        change: ChangeId,
        /// Where it should stand.
        state: ChangeState,
        /// Further fields and what they should say.
        fields: Vec<(ChangeField, String)>,
    },
    /// `expect run ID STATE [step=NAME]`.
    Run {
        /// Which.
        run: RunId,
        /// How it should stand, one of `playbook::WORDS`.
        state: String,
        /// At which step it should be; the last one, when it is over.
        step: Option<String>,
    },
    /// `expect request ID STATE [field=VALUE …]`.
    Request {
        /// Which.
        request: ServiceRequestId,
        /// Where it should stand.
        state: RequestState,
        /// Further fields and what they should say.
        fields: Vec<(RequestField, String)>,
    },
    /// `expect page PERSON via METHOD`.
    Page {
        /// Who (or `webhook:ID`).
        person: String,
        /// How.
        method: Method,
    },
    /// `expect no page [PERSON]`.
    NoPage {
        /// Only this one (or `webhook:ID`).
        person: Option<String>,
    },
    /// `expect reply PERSON contains|lacks STR`.
    Reply {
        /// Whose last reply.
        person: PersonId,
        /// Whether the text must be there, or must not.
        contains: bool,
        /// The text.
        text: String,
    },
    /// `expect finding DIR contains|lacks STR`.
    Finding {
        /// A configuration directory, relative to the story, that does not come into force.
        dir: String,
        /// Whether the text must be in what is found there, or must not.
        contains: bool,
        /// The text.
        text: String,
    },
    /// `expect post CHANNEL contains|lacks STR`.
    Post {
        /// A channel, or the team whose channel it is.
        channel: String,
        /// Whether the text must be there, or must not.
        contains: bool,
        /// The text.
        text: String,
    },
}

/// What else a story can ask of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeField {
    /// Its title, whole.
    Title,
    /// Its service.
    Service,
    /// Its environment.
    Environment,
    /// Its class.
    Class,
    /// Its risk.
    Risk,
    /// How it ended.
    Outcome,
    /// How many approvals stand: of its content, not void.
    Approvals,
    /// Who carries it out.
    Implementer,
}

impl ChangeField {
    /// All fields with their words.
    pub const ALL: [(&'static str, Self); 8] = [
        ("title", Self::Title),
        ("service", Self::Service),
        ("environment", Self::Environment),
        ("class", Self::Class),
        ("risk", Self::Risk),
        ("outcome", Self::Outcome),
        ("approvals", Self::Approvals),
        ("implementer", Self::Implementer),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(word, _)| word)
    }
}

/// What else a story can ask of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemField {
    /// Its title, whole.
    Title,
    /// Its service.
    Service,
    /// Its team.
    Team,
    /// How many incidents it has.
    Incidents,
    /// Why it happens.
    RootCause,
    /// What helps.
    Workaround,
}

impl ProblemField {
    /// All fields with their words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("title", Self::Title),
        ("service", Self::Service),
        ("team", Self::Team),
        ("incidents", Self::Incidents),
        ("root-cause", Self::RootCause),
        ("workaround", Self::Workaround),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(word, _)| word)
    }
}

/// What else a story can ask of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Its title, whole.
    Title,
    /// Its service.
    Service,
    /// Its team.
    Team,
    /// Its environment.
    Environment,
    /// `true` or `false`.
    Unrouted,
    /// How it ended.
    Resolution,
    /// Who leads.
    Lead,
    /// Who has command.
    Commander,
    /// Who tells the others.
    Communications,
    /// Who writes down.
    Scribe,
    /// Alerts that ever joined.
    Alerts,
    /// Alerts that fire.
    Firing,
}

impl Field {
    /// All fields with their words.
    pub const ALL: [(&'static str, Self); 12] = [
        ("title", Self::Title),
        ("service", Self::Service),
        ("team", Self::Team),
        ("environment", Self::Environment),
        ("unrouted", Self::Unrouted),
        ("resolution", Self::Resolution),
        ("lead", Self::Lead),
        ("commander", Self::Commander),
        ("communications", Self::Communications),
        ("scribe", Self::Scribe),
        ("alerts", Self::Alerts),
        ("firing", Self::Firing),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(word, _)| word)
    }
}

/// Something in a story that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxError {
    /// The story's file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong, and what was probably meant.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    /// `FILE:LINE: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}
