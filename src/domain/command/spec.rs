//! What a command file says: name, summary, options, permission, examples, and which meaning it runs.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// All words people can say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lexicon {
    /// Every command (subcommands each for themselves), in the order of their files.
    pub commands: Vec<CommandSpec>,
}

/// One command, or one subcommand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// The words after the slash: `incident declare`, `ack`.
    pub name: CompactString,
    /// One line for help and for Discord (at most 100 characters).
    pub summary: String,
    /// The meaning, `incident.declare`.
    pub run: CompactString,
    /// What one has to be allowed to do.
    pub permission: Permission,
    /// Options, required ones first.
    #[serde(default)]
    pub options: Vec<OptionSpec>,
    /// Whole lines one could say.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Whether the reply is for the asker only.
    #[serde(default)]
    pub private: bool,
    /// Other ways to say it in text: `inc`, `whoisoncall`.
    #[serde(default)]
    pub synonyms: Vec<CompactString>,
}

/// What one has to be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// See public records.
    Read,
    /// Declare an incident, page somebody.
    Declare,
    /// Acknowledge, update, escalate, resolve.
    Respond,
    /// Administer Opsbell itself.
    Administer,
}

/// One option of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionSpec {
    /// Its name, `service`.
    pub name: CompactString,
    /// One line.
    pub summary: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: OptionKind,
    /// Whether it has to be given.
    #[serde(default)]
    pub required: bool,
    /// The words it may be, for `choice`.
    #[serde(default)]
    pub choices: Vec<CompactString>,
    /// Whether it takes the rest of the line without quotes when it stands last.
    #[serde(default)]
    pub rest: bool,
    /// Other words in text for what it may be, each with the word it stands for: `p1` for `sev1`.
    #[serde(default)]
    pub synonyms: Vec<(CompactString, CompactString)>,
}

impl OptionSpec {
    /// The word that another one stands for; itself, where it stands for none.
    pub fn meant<'v>(&'v self, value: &'v str) -> &'v str {
        let known = self.synonyms.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
        known.map_or(value, |(_, means)| means.as_str())
    }
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A person.
    User,
    /// A team.
    Team,
    /// A service.
    Service,
    /// A schedule.
    Schedule,
    /// A person, team or service: `person:cleo`, `team:payments`, or a name that only one of them has.
    Target,
    /// A schedule, team or service: `schedule:payments-primary`, or a name that only one of them has.
    Oncall,
    /// An incident; may be left out where there is only one it can mean.
    Incident,
    /// An alert.
    Alert,
    /// A problem.
    Problem,
    /// A change.
    Change,
    /// A service request.
    Request,
    /// An item of the catalogue: a playbook of kind `request`.
    Item,
    /// `sev1` to `sev4`.
    Severity,
    /// `30m`, `1h30m`.
    Duration,
    /// One of `choices`.
    Choice,
    /// A whole number.
    Number,
}
