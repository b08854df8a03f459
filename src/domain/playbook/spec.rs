//! What a playbook is: parameters, steps, verification, rollback. Only types; `catalog/` reads and checks them, `drive`
//! carries them out. A run keeps the playbook as it was when it began, so all of it can be written into the journal.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::acts::{Act, Awaited};
use crate::domain::change::Level;
use crate::domain::command::spec::Permission;
use crate::domain::delivery::ChannelRef;
use crate::domain::id::{ServiceId, TeamId};
use crate::domain::time::Span;

/// The most steps that a playbook has, with those of the playbooks it uses.
pub const STEPS_MAX: usize = 60;
/// The most parameters.
pub const PARAMETERS_MAX: usize = 20;
/// How long a step outside may take that does not say.
pub const TIMEOUT: Span = Span::secs(30);
/// The longest that it may say.
pub const TIMEOUT_MAX: Span = Span::hours(1);
/// The longest that a run waits, for time or for a person.
pub const WAIT_MAX: Span = Span::days(7);
/// The most that a step is tried again.
pub const RETRIES_MAX: u32 = 10;

/// What a playbook is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A standard change: each run is a change by this model.
    StandardChange,
    /// Something that is done as often as needed, and changes nothing that has to be known.
    Runbook,
    /// What somebody asked for.
    Request,
}

impl Kind {
    /// All of them, by their words.
    pub const ALL: [(&'static str, Self); 3] =
        [("standard-change", Self::StandardChange), ("runbook", Self::Runbook), ("request", Self::Request)];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playbook {
    /// Its name: that of its file.
    pub id: CompactString,
    /// What it is for.
    pub kind: Kind,
    /// What it does, in one line.
    pub summary: CompactString,
    /// For which services; empty: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceId>,
    /// The riskiest that a standard change by it is pre-authorised for.
    #[serde(default)]
    pub risk: Level,
    /// What one has to be allowed to do to run it.
    pub permission: Permission,
    /// How long it usually takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Span>,
    /// As a standard change: after how many clean runs nobody has to approve it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earn_after: Option<u32>,
    /// Alerts that it is expected to cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<CompactString>,
    /// As an item of the catalogue: who agrees to it, and who fulfils it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// What has to be said to run it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// What it does, in order.
    pub steps: Vec<Step>,
    /// What shows that it worked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Step>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollback: Vec<Step>,
}

impl Playbook {
    /// The steps of one of its parts.
    pub fn part(&self, part: Part) -> &[Step] {
        match part {
            Part::Steps => &self.steps,
            Part::Verify => &self.verify,
            Part::Rollback => &self.rollback,
        }
    }

    /// Whether it is for a service; one that is not said fits as well.
    pub fn fits(&self, service: Option<&ServiceId>) -> bool {
        self.services.is_empty() || service.is_none_or(|service| self.services.contains(service))
    }

    /// How it is done, a line for each step, as approvers read it.
    pub fn told(&self, part: Part) -> String {
        let lines: Vec<String> = self
            .part(part)
            .iter()
            .enumerate()
            .map(|(n, step)| format!("{}. {}: {}", n + 1, step.id, step.does))
            .collect();
        lines.join("\n")
    }
}

/// What a playbook of kind `request` says beside its steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Who may approve it, `team:platform`; one of them does. Empty: nobody has to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<CompactString>,
    /// Who fulfils what its run does not; the service's team where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Until when it is needed, from when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Span>,
}

/// Something that has to be said to run a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, as in `{{version}}`.
    pub name: CompactString,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<CompactString>,
    /// What it may be.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
    /// Whether it has to be said.
    #[serde(default)]
    pub required: bool,
    /// What it is when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<CompactString>,
    /// The words that it may be, where only some are allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<CompactString>,
    /// The pattern that all of it has to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<CompactString>,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// A line of text.
    Text,
    /// A whole number.
    Number,
    /// A service of the organisation.
    Service,
    /// A person of the organisation.
    Person,
    /// A span of time, `30m`.
    Duration,
}

impl ParameterKind {
    /// All of them, by their words.
    pub const ALL: [(&'static str, Self); 5] = [
        ("text", Self::Text),
        ("number", Self::Number),
        ("service", Self::Service),
        ("person", Self::Person),
        ("duration", Self::Duration),
    ];
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the playbook.
    pub id: CompactString,
    /// What it does.
    pub does: Does,
    /// How long it may take outside.
    pub timeout: Span,
    /// How often it is tried again.
    #[serde(default)]
    pub retries: u32,
    /// The wait before it is tried again; twice as long each time.
    pub backoff: Span,
    /// What follows when it fails.
    pub on_failure: OnFailure,
    /// Whether doing it twice is the same as doing it once.
    #[serde(default)]
    pub idempotent: bool,
}

/// What follows when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The run ends as failed.
    Stop,
    /// The next step.
    Continue,
    /// What was done is taken back.
    Rollback,
}

impl OnFailure {
    /// All of them, by their words.
    pub const ALL: [(&'static str, Self); 3] =
        [("stop", Self::Stop), ("continue", Self::Continue), ("rollback", Self::Rollback)];
}

/// What a step does. Texts may hold `{{name}}`, which stands for a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Post a line.
    Say {
        /// The line.
        text: CompactString,
        /// Where; the channel of the service's team where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelRef>,
    },
    /// Write a line into the record.
    Note(CompactString),
    /// Let time pass.
    Wait(Span),
    /// Ask somebody, who answers yes or no.
    Ask {
        /// What.
        question: CompactString,
        /// Who answers: `person:cleo`, `team:payments`, `role:admin`; anybody who may run it where nobody is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<CompactString>,
        /// Until then, from when it was asked.
        within: Span,
    },
    /// Do something inside Opsbell.
    Act(Act),
    /// Wait to hear something.
    Until {
        /// What.
        awaited: Awaited,
        /// Until then, from when the step began.
        within: Span,
    },
    /// Ask a server.
    Http(Http),
    /// Run a program.
    Run(Program),
}

impl fmt::Display for Does {
    /// `run /usr/bin/rollout -- {{version}}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say { text, channel: None } => write!(f, "say “{text}”"),
            Self::Say { text, channel: Some(channel) } => write!(f, "say “{text}” in {channel}"),
            Self::Note(text) => write!(f, "note “{text}”"),
            Self::Wait(span) => write!(f, "wait {span}"),
            Self::Ask { question, of: None, within } => write!(f, "ask “{question}”, within {within}"),
            Self::Ask { question, of: Some(of), within } => write!(f, "ask {of} “{question}”, within {within}"),
            Self::Act(act) => act.fmt(f),
            Self::Until { awaited, within } => write!(f, "wait until {awaited}, for {within}"),
            Self::Http(http) => http.fmt(f),
            Self::Run(program) => program.fmt(f),
        }
    }
}

/// What is asked of a server, and what it has to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: CompactString,
    /// Where. The host is always the playbook's own, never a parameter.
    pub url: CompactString,
    /// What is sent, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// The status that is expected; any 2xx where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the answer has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

/// What a field of a JSON answer has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// A JSONPath, `$.status`.
    pub path: CompactString,
    /// What the only value there has to be.
    pub is: serde_json::Value,
}

/// A program and what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its absolute path.
    pub path: CompactString,
    /// Its arguments, each one as it is: no shell reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<CompactString>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.path)?;
        self.args.iter().try_for_each(|arg| {
            let plain = !arg.is_empty() && arg.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,{}%".contains(c));
            if plain { write!(f, " {arg}") } else { write!(f, " {arg:?}") }
        })
    }
}

/// A part of a playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What it does.
    Steps,
    /// What shows that it worked.
    Verify,
    /// What takes it back.
    Rollback,
}

impl Part {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Verify => "verification",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What steps may reach, as the organisation declares it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Programs by their absolute path.
    pub programs: Vec<CompactString>,
    /// Hosts.
    pub hosts: Vec<Host>,
}

/// `[[http-host]]`: a host that steps may ask. Its token stays with the performer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `deploy.ej.example`, or `deploy.ej.example:8443`.
    pub host: CompactString,
    /// Whether it may be at a private address, and be asked without TLS.
    pub private: bool,
    /// The header that its token is sent in; `Authorization: Bearer …` where nothing is said.
    pub header: Option<CompactString>,
}

impl Host {
    /// Whether this is the entry for a host and port, where `usual` says that the port is the scheme's own.
    pub fn is(&self, host: &str, port: u16, usual: bool) -> bool {
        match self.host.rsplit_once(':') {
            Some((name, own)) if own.parse() == Ok(port) => name.eq_ignore_ascii_case(host),
            Some((_, own)) if own.bytes().all(|b| b.is_ascii_digit()) => false,
            _ => usual && self.host.eq_ignore_ascii_case(host),
        }
    }
}
