//! The words people can say, read from command files: Opsbell's own (`commands/*.toml`, built in) and those of an
//! organisation, which replace or add. Reading and checking only; the text grammar and the meanings are
//! `domain/command`'s.
//!
//! # A command file
//!
//! One file is one slash command. Without subcommands:
//!
//! ```toml
//! name = "snooze"                        # the word after the slash: a-z, 0-9, - and _, at most 32
//! summary = "Hold back pages"            # one line, at most 100 characters
//! run = "snooze"                         # the meaning, one of `domain::command::meaning::MEANINGS`
//! permission = "respond"                 # read, declare, respond or administer
//! private = false                        # whether only the asker sees the reply
//! synonyms = ["zzz"]                     # other words for it, in text
//! examples = ["/snooze 30m"]             # whole lines; each has to read as this command
//! [[option]]                             # required ones first
//! name = "duration"
//! summary = "How long"
//! type = "duration"                      # text user team service schedule target oncall incident alert problem change request item severity duration choice number
//! required = true
//! choices = []                           # for `choice`
//! rest = false                           # a text that takes the rest of the line without quotes
//! synonyms = { p1 = "sev1" }             # other words, in text, for what a severity or a choice may be
//! ```
//!
//! With subcommands, `run`, `permission`, `private`, `examples` and the options stand in each `[[sub]]` and
//! `[[sub.option]]`; the first one is what the bare word means in text. A synonym of a subcommand is another second
//! word; written with a slash (`"/whoisoncall"`) it is a whole other way to say it.
//!
//! The limits are Discord's, so that one file serves every chat.

mod read;

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use crate::domain::command::grammar::phrases;
use crate::domain::command::spec::{CommandSpec, Lexicon};

use read::{MOST, Reading};

/// Opsbell's own command files, in the order in which help shows them.
pub const BUILTIN: &[(&str, &str)] = &[
    ("incident.toml", include_str!("../../commands/incident.toml")),
    ("page.toml", include_str!("../../commands/page.toml")),
    ("ack.toml", include_str!("../../commands/ack.toml")),
    ("resolve.toml", include_str!("../../commands/resolve.toml")),
    ("snooze.toml", include_str!("../../commands/snooze.toml")),
    ("oncall.toml", include_str!("../../commands/oncall.toml")),
    ("alert.toml", include_str!("../../commands/alert.toml")),
    ("service.toml", include_str!("../../commands/service.toml")),
    ("contact.toml", include_str!("../../commands/contact.toml")),
    ("problem.toml", include_str!("../../commands/problem.toml")),
    ("request.toml", include_str!("../../commands/request.toml")),
    ("change.toml", include_str!("../../commands/change.toml")),
    ("freeze.toml", include_str!("../../commands/freeze.toml")),
    ("runbook.toml", include_str!("../../commands/runbook.toml")),
    ("postmortem.toml", include_str!("../../commands/postmortem.toml")),
    ("report.toml", include_str!("../../commands/report.toml")),
    ("status.toml", include_str!("../../commands/status.toml")),
    ("connect.toml", include_str!("../../commands/connect.toml")),
    ("disconnect.toml", include_str!("../../commands/disconnect.toml")),
    ("whoami.toml", include_str!("../../commands/whoami.toml")),
    ("help.toml", include_str!("../../commands/help.toml")),
];

/// Something wrong in a command file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The bytes it is about.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// The next step, if one is plain.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    /// `FILE:LINE: message; hint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// The words that Opsbell brings along.
pub fn builtin() -> Lexicon {
    // A file that does not read is left out; a test proves that there is none.
    static READ: LazyLock<Lexicon> = LazyLock::new(|| Lexicon {
        commands: BUILTIN.iter().flat_map(|(file, text)| read(file, text).unwrap_or_default()).collect(),
    });
    READ.clone()
}

/// Reads one command file into a command, or one command for each `[[sub]]`. Errors: everything that is wrong in it.
pub fn read(file: &str, text: &str) -> Result<Vec<CommandSpec>, Vec<Problem>> {
    let mut reading = Reading::new(file, text);
    let specs = reading.file();
    reading.done(specs)
}

/// Puts an organisation's own command file over the words: a command of the same name is replaced in its place,
/// another is added at the end. Nothing changes when there is a problem.
pub fn overlay(lexicon: &mut Lexicon, file: &str, text: &str) -> Result<(), Vec<Problem>> {
    let own = read(file, text)?;
    let mut all = lexicon.clone();
    for spec in own {
        match all.commands.iter_mut().find(|known| known.name == spec.name) {
            Some(known) => *known = spec,
            None => all.commands.push(spec),
        }
    }
    let clashes = clashes(&all);
    if clashes.is_empty() {
        *lexicon = all;
        return Ok(());
    }
    let mut reading = Reading::new(file, text);
    let at = text.find("name").map_or(0..0, |at| at..at + 4);
    for (message, hint) in clashes {
        reading.problem(at.clone(), message, hint);
    }
    Err(reading.problems)
}

/// What only shows when all words stand together.
fn clashes(lexicon: &Lexicon) -> Vec<(String, &'static str)> {
    const MOST_COMMANDS: usize = 100;
    let mut found = Vec::new();
    let mut firsts: Vec<&str> = Vec::new();
    for (i, spec) in lexicon.commands.iter().enumerate() {
        let first = spec.name.split(' ').next().unwrap_or_default();
        if !firsts.contains(&first) {
            firsts.push(first);
        }
        let group = |other: &CommandSpec| other.name.split(' ').next() == Some(&spec.name);
        if !spec.name.contains(' ') && lexicon.commands.iter().any(|other| other.name != spec.name && group(other)) {
            let message = format!("`/{}` is a command and has subcommands", spec.name);
            found.push((message, "a chat platform takes one or the other; choose another name"));
        }
        for other in &lexicon.commands[i + 1..] {
            let shared = phrases(spec).find(|phrase| phrases(other).any(|known| known == *phrase));
            if let Some(phrase) = shared {
                let message = format!("`/{phrase}` would mean both `/{}` and `/{}`", spec.name, other.name);
                found.push((message, "take the synonym out of one of them"));
            }
        }
    }
    for first in &firsts {
        let subs = lexicon.commands.iter().filter(|spec| spec.name.split_once(' ').is_some_and(|(f, _)| f == *first));
        if subs.count() > MOST {
            found.push((format!("`/{first}` has more than {MOST} subcommands"), "leave some out"));
        }
    }
    if firsts.len() > MOST_COMMANDS {
        found.push((format!("there are more than {MOST_COMMANDS} commands"), "a chat platform takes no more"));
    }
    found
}
