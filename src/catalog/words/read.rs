//! Reads one command file, checks it, and collects everything that is wrong in it. What stands in such a file is
//! told in the parent module.

use std::ops::Range;

use compact_str::CompactString;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

use super::Problem;
use crate::domain::command::grammar;
use crate::domain::command::meaning::{meaning, meanings};
use crate::domain::command::playbook::RUNS;
use crate::domain::command::spec::{CommandSpec, Lexicon, OptionKind, OptionSpec, Permission};
use crate::domain::reject::did_you_mean;

/// Discord's limits: options of a command, subcommands, choices of an option.
pub(super) const MOST: usize = 25;
/// Characters of a name.
const LONGEST_NAME: usize = 32;
/// Characters of a summary and of a choice.
const LONGEST_SUMMARY: usize = 100;
/// Characters of a whole command: names, summaries and choices together.
const LONGEST_COMMAND: usize = 8_000;

const COMMON: &[&str] = &["name", "summary", "synonyms"];
const LEAF: &[&str] = &["run", "permission", "private", "examples", "option"];
const OPTION: &[&str] = &["name", "summary", "type", "required", "choices", "rest", "synonyms"];
const KINDS: &[&str] = &[
    "text", "user", "team", "service", "schedule", "target", "oncall", "incident", "alert", "problem", "change",
    "request", "item", "severity", "duration", "choice", "number",
];
const PERMISSIONS: &[&str] = &["read", "declare", "respond", "administer"];

/// Words of other tools for ours.
const FOREIGN: &[(&str, &str)] = &[
    ("description", "summary"),
    ("help", "summary"),
    ("aliases", "synonyms"),
    ("args", "option"),
    ("parameters", "option"),
    ("subcommand", "sub"),
    ("subcommands", "sub"),
    ("command", "run"),
    ("handler", "run"),
    ("action", "run"),
    ("kind", "type"),
    ("ephemeral", "private"),
    ("enum", "choices"),
    ("values", "choices"),
];

/// One file being read.
pub(super) struct Reading<'t> {
    file: &'t str,
    text: &'t str,
    /// What is wrong so far.
    pub problems: Vec<Problem>,
    /// Examples, each with the command it has to read as.
    examples: Vec<(CompactString, String, Range<usize>)>,
}

/// A table with the place it stands at.
type Table<'a, 't> = (&'a DeTable<'t>, Range<usize>);

impl<'t> Reading<'t> {
    /// Nothing read yet.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new(), examples: Vec::new() }
    }

    /// Notes that something is wrong at these bytes.
    pub fn problem(&mut self, at: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let line = 1 + self.text.bytes().take(at.start).filter(|b| *b == b'\n').count();
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.problems.push(Problem { file: self.file.to_owned(), line, at, message: message.into(), hint });
    }

    /// The commands, if nothing is wrong; else everything that is, in the order of the file.
    pub fn done(mut self, specs: Vec<CommandSpec>) -> Result<Vec<CommandSpec>, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(specs);
        }
        self.problems.sort_by_key(|problem| problem.at.start);
        Err(self.problems)
    }

    /// Reads the whole file.
    pub fn file(&mut self) -> Vec<CommandSpec> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.problem(error.span().unwrap_or(0..0), error.message().to_owned(), "");
        }
        let top: Table<'_, '_> = (root.get_ref(), 0..0);
        let subs = self.tables(&top, "sub");
        let name = self.name(&top, "the command");
        self.summary(&top, "the command");
        let synonyms = self.synonyms(&top);
        let known = |more: &[&'static str]| COMMON.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
        let mut specs = Vec::new();
        if subs.is_empty() {
            self.keys(&top, &[known(LEAF), vec!["sub"]].concat());
            specs.extend(self.command(&top, name.unwrap_or_else(unnamed), synonyms));
        } else {
            for key in LEAF.iter().filter_map(|key| top.0.get_key_value(*key)) {
                let message = format!("`{}` cannot stand beside `[[sub]]`", key.0.get_ref());
                self.problem(
                    key.0.span(),
                    message,
                    "a command with subcommands has no form of its own; say it in each",
                );
            }
            self.keys(&top, &[known(LEAF), vec!["sub"]].concat());
            if subs.len() > MOST {
                self.problem(subs[MOST].1.clone(), format!("there are more than {MOST} subcommands"), "leave some out");
            }
            let first = name.unwrap_or_else(unnamed);
            let mut seen: Vec<CompactString> = Vec::new();
            for sub in &subs {
                self.keys(sub, &known(LEAF));
                let second = self.name(sub, "a subcommand").unwrap_or_else(unnamed);
                let sub_synonyms = self.synonyms(sub);
                let whole: CompactString = format!("{first} {second}").into();
                if seen.contains(&whole) {
                    self.problem(sub.1.clone(), format!("`/{whole}` stands here twice"), "take one out");
                }
                seen.push(whole.clone());
                let firsts: Vec<&CompactString> = std::iter::once(&first).chain(&synonyms).collect();
                let ways = sub_phrases(&firsts, &second, &sub_synonyms);
                specs.extend(self.command(sub, whole, ways));
            }
        }
        self.whole(&specs);
        specs
    }

    /// One command, or one subcommand under its whole name.
    fn command(&mut self, table: &Table<'_, '_>, name: CompactString, ways: Vec<CompactString>) -> Option<CommandSpec> {
        let what = format!("`/{name}`");
        let before = self.problems.len();
        let summary = if name.contains(' ') { self.summary(table, &what) } else { self.string(table, "summary") };
        let permission: Option<Permission> = self.word(table, "permission", PERMISSIONS, &what);
        let run = self.needed(table, "run", &what);
        let options: Vec<OptionSpec> =
            self.tables(table, "option").iter().filter_map(|option| self.option(option, &what)).collect();
        let examples = self.strings(table, "examples");
        self.examples.extend(examples.iter().map(|(text, at)| (name.clone(), text.clone(), at.clone())));
        let spec = CommandSpec {
            name,
            summary: summary.map(|(text, _)| text).unwrap_or_default(),
            run: run.as_ref().map(|(text, _)| text.as_str().into()).unwrap_or_default(),
            permission: permission.unwrap_or(Permission::Administer),
            options,
            examples: examples.into_iter().map(|(text, _)| text).collect(),
            private: self.flag(table, "private"),
            synonyms: ways,
        };
        self.options(table, &spec);
        if let Some((run, at)) = run {
            self.meaning(table, &spec, &run, at);
        }
        (self.problems.len() == before).then_some(spec)
    }

    /// The order and number of the options.
    fn options(&mut self, table: &Table<'_, '_>, spec: &CommandSpec) {
        let what = format!("`/{}`", spec.name);
        if spec.options.len() > MOST {
            self.problem(table.1.clone(), format!("{what} has more than {MOST} options"), "leave some out");
        }
        for (i, option) in spec.options.iter().enumerate() {
            let before = &spec.options[..i];
            let at = || self.tables_at(table, "option", &option.name);
            if before.iter().any(|known| known.name == option.name) {
                self.problem(at(), format!("{what} has the option `{}` twice", option.name), "take one out");
            } else if option.required && before.iter().any(|known| !known.required) {
                let message = format!("{what}: the required option `{}` stands after one that is not", option.name);
                self.problem(at(), message, "put required options first");
            }
        }
    }

    /// Whether the command fits what it runs.
    fn meaning(&mut self, table: &Table<'_, '_>, spec: &CommandSpec, run: &str, at: Range<usize>) {
        let Some(meaning) = meaning(run) else {
            let hint = suggest(run, meanings().map(|meaning| meaning.run));
            return self.problem(at, format!("`{run}` is nothing that can be run"), hint);
        };
        if spec.permission < meaning.permission {
            let place = table.0.get("permission").map_or(at.clone(), Spanned::span);
            let least = word_of(meaning.permission);
            let message = format!("`{run}` needs at least the permission {least}");
            self.problem(place, message, format!("write permission = \"{least}\""));
        }
        if run.starts_with(RUNS) {
            // Whether there is such a playbook, with these parameters, is asked when all files are read.
            return;
        }
        for option in &spec.options {
            let place = self.tables_at(table, "option", &option.name);
            let Some(takes) = meaning.takes.iter().find(|takes| takes.name == option.name) else {
                let hint = suggest(&option.name, meaning.takes.iter().map(|takes| takes.name));
                self.problem(place, format!("`{run}` takes no option `{}`", option.name), hint);
                continue;
            };
            if takes.kind != option.kind {
                let message = format!("the option `{}` of `{run}` is a {}", option.name, word_of(takes.kind));
                self.problem(place, message, format!("write type = \"{}\"", word_of(takes.kind)));
            } else if let Some(wrong) =
                option.choices.iter().find(|choice| !takes.words.is_empty() && !takes.words.contains(&choice.as_str()))
            {
                let hint = suggest(wrong, takes.words.iter().copied());
                self.problem(place, format!("`{wrong}` is no `{}` that `{run}` knows", option.name), hint);
            }
        }
        for takes in meaning.takes.iter().filter(|takes| takes.needed) {
            if !spec.options.iter().any(|option| option.name == takes.name && option.required) {
                let message = format!("`{run}` needs a required option `{}` ({})", takes.name, word_of(takes.kind));
                self.problem(at.clone(), message, "add it to the options");
            }
        }
    }

    fn option(&mut self, table: &Table<'_, '_>, of: &str) -> Option<OptionSpec> {
        self.keys(table, OPTION);
        let what = format!("an option of {of}");
        let before = self.problems.len();
        let name = self.name(table, &what);
        let summary = self.summary(table, &what);
        let kind: Option<OptionKind> = self.word(table, "type", KINDS, &what);
        let choices = self.strings(table, "choices");
        if choices.len() > MOST {
            self.problem(choices[MOST].1.clone(), format!("{what} has more than {MOST} choices"), "leave some out");
        }
        for (choice, at) in &choices {
            if choice.is_empty() || choice.chars().count() > LONGEST_SUMMARY || choice.contains(char::is_whitespace) {
                let message = format!("`{choice}` cannot be a choice");
                self.problem(at.clone(), message, "one word of at most 100 characters");
            }
        }
        let spec = OptionSpec {
            name: name.unwrap_or_default(),
            summary: summary.map(|(text, _)| text).unwrap_or_default(),
            kind: kind.unwrap_or(OptionKind::Text),
            required: self.flag(table, "required"),
            choices: choices.into_iter().map(|(text, _)| text.into()).collect(),
            rest: self.flag(table, "rest"),
            synonyms: self.option_synonyms(table),
        };
        for (word, means) in &spec.synonyms {
            if !grammar::takes_word(&spec, means) || grammar::takes_word(&spec, word) {
                let at = table.0.get("synonyms").map_or(table.1.clone(), Spanned::span);
                let message = format!("{what}: `{word}` cannot stand for `{means}`");
                self.problem(at, message, "write synonyms = { p1 = \"sev1\" }: another word, then one that it may be");
            }
        }
        if kind.is_some() && (spec.kind == OptionKind::Choice) == spec.choices.is_empty() {
            let hint = "type = \"choice\" and choices = [\"…\"] go together";
            self.problem(table.1.clone(), format!("{what}: `{}` and its choices do not fit", spec.name), hint);
        }
        if kind.is_some() && spec.rest && spec.kind != OptionKind::Text {
            self.problem(
                table.1.clone(),
                format!("{what}: only a text can take the rest of the line"),
                "take `rest` out",
            );
        }
        (self.problems.len() == before).then_some(spec)
    }

    /// What only shows when the whole file is read: its size, and whether the examples read as what they stand for.
    fn whole(&mut self, specs: &[CommandSpec]) {
        let size: usize = specs.iter().map(size).sum();
        if size > LONGEST_COMMAND {
            let message = format!("the names, summaries and choices are {size} characters long together");
            self.problem(0..0, message, format!("a chat platform takes at most {LONGEST_COMMAND}"));
        }
        if !self.problems.is_empty() {
            return;
        }
        let lexicon = Lexicon { commands: specs.to_vec() };
        for (name, example, at) in std::mem::take(&mut self.examples) {
            let wrong = match grammar::parse(&example, &lexicon) {
                Ok(call) if call.command == name => continue,
                Ok(call) => format!("it reads as `/{}`", call.command),
                Err(reject) => reject.message,
            };
            let message = format!("the example `{example}` does not read as `/{name}`: {wrong}");
            self.problem(at, message, "write it as one would say it");
        }
    }

    // What a table says, checked.

    fn keys(&mut self, table: &Table<'_, '_>, known: &[&str]) {
        for (key, _) in table.0 {
            let word = key.get_ref().as_ref();
            if known.contains(&word) {
                continue;
            }
            let fits = FOREIGN.iter().filter(|(_, ours)| known.contains(ours));
            let foreign = did_you_mean(word, fits.clone().map(|(foreign, _)| *foreign));
            let ours = did_you_mean(word, known.iter().copied()).is_none().then_some(foreign).flatten();
            let hint = match fits.clone().find(|(foreign, _)| Some(*foreign) == ours) {
                Some((_, ours)) => format!("it is called `{ours}` here"),
                None => suggest(word, known.iter().copied()),
            };
            self.problem(key.span(), format!("`{word}` is not known here"), hint);
        }
    }

    fn string(&mut self, table: &Table<'_, '_>, key: &str) -> Option<(String, Range<usize>)> {
        let value = table.0.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some((text.to_owned(), value.span())),
            None => {
                self.problem(value.span(), format!("`{key}` is not a text"), format!("write {key} = \"…\""));
                None
            }
        }
    }

    fn needed(&mut self, table: &Table<'_, '_>, key: &str, what: &str) -> Option<(String, Range<usize>)> {
        if table.0.get(key).is_none() {
            self.problem(table.1.clone(), format!("{what} has no `{key}`"), format!("write {key} = \"…\""));
        }
        self.string(table, key)
    }

    fn name(&mut self, table: &Table<'_, '_>, what: &str) -> Option<CompactString> {
        let (name, at) = self.needed(table, "name", what)?;
        if is_name(&name) {
            return Some(name.into());
        }
        self.problem(at, format!("`{name}` cannot be a name"), "a-z, 0-9, - and _, at most 32 characters");
        None
    }

    fn summary(&mut self, table: &Table<'_, '_>, what: &str) -> Option<(String, Range<usize>)> {
        let (summary, at) = self.needed(table, "summary", what)?;
        if summary.trim().is_empty() || summary.chars().count() > LONGEST_SUMMARY || summary.contains('\n') {
            let message = format!("the summary of {what} is not one line of 1 to {LONGEST_SUMMARY} characters");
            self.problem(at, message, "shorten it");
            return None;
        }
        Some((summary, at))
    }

    fn synonyms(&mut self, table: &Table<'_, '_>) -> Vec<CompactString> {
        let mut found = Vec::new();
        for (word, at) in self.strings(table, "synonyms") {
            if word.strip_prefix('/').unwrap_or(&word).split(' ').all(is_name) {
                found.push(word.into());
            } else {
                self.problem(at, format!("`{word}` cannot be a synonym"), "a-z, 0-9, - and _, at most 32 characters");
            }
        }
        found
    }

    /// `{ p1 = "sev1" }`, of a severity or a choice.
    fn option_synonyms(&mut self, table: &Table<'_, '_>) -> Vec<(CompactString, CompactString)> {
        let Some(value) = table.0.get("synonyms") else { return Vec::new() };
        let words = value.get_ref().as_table().and_then(|words| {
            let pairs = words.iter().map(|(word, means)| {
                let word = word.get_ref().as_ref();
                is_name(word).then(|| Some((word.into(), means.get_ref().as_str()?.into()))).flatten()
            });
            pairs.collect::<Option<Vec<_>>>()
        });
        words.unwrap_or_else(|| {
            self.problem(
                value.span(),
                "`synonyms` of an option is not a table of words",
                "write synonyms = { p1 = \"sev1\" }",
            );
            Vec::new()
        })
    }

    fn word<T: for<'d> Deserialize<'d>>(
        &mut self,
        table: &Table<'_, '_>,
        key: &str,
        known: &[&str],
        what: &str,
    ) -> Option<T> {
        let (word, at) = self.needed(table, key, what)?;
        let value: StrDeserializer<'_, ValueError> = word.as_str().into_deserializer();
        match T::deserialize(value) {
            Ok(value) => Some(value),
            Err(_) => {
                let hint = suggest(&word, known.iter().copied());
                self.problem(at, format!("`{word}` is no {key}"), hint);
                None
            }
        }
    }

    fn flag(&mut self, table: &Table<'_, '_>, key: &str) -> bool {
        let Some(value) = table.0.get(key) else { return false };
        if value.get_ref().as_bool().is_none() {
            self.problem(value.span(), format!("`{key}` is not true or false"), format!("write {key} = true"));
        }
        value.get_ref().as_bool().unwrap_or(false)
    }

    fn strings(&mut self, table: &Table<'_, '_>, key: &str) -> Vec<(String, Range<usize>)> {
        let Some(value) = table.0.get(key) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|array| array.iter().collect::<Vec<_>>());
        let texts: Option<Vec<_>> = items.and_then(|items| {
            items.into_iter().map(|item| Some((item.get_ref().as_str()?.to_owned(), item.span()))).collect()
        });
        texts.unwrap_or_else(|| {
            self.problem(value.span(), format!("`{key}` is not a list of texts"), format!("write {key} = [\"…\"]"));
            Vec::new()
        })
    }

    fn tables<'a, 'd>(&mut self, table: &Table<'a, 'd>, key: &str) -> Vec<Table<'a, 'd>> {
        let Some(value) = table.0.get(key) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|array| array.iter().collect::<Vec<_>>());
        let tables: Option<Vec<_>> = items
            .and_then(|items| items.into_iter().map(|item| Some((item.get_ref().as_table()?, item.span()))).collect());
        tables.unwrap_or_else(|| {
            self.problem(value.span(), format!("`{key}` is not a list of tables"), format!("write [[{key}]]"));
            Vec::new()
        })
    }

    /// Where the table of that name stands in a list of tables.
    fn tables_at(&self, table: &Table<'_, '_>, key: &str, name: &str) -> Range<usize> {
        let items = table.0.get(key).and_then(|value| value.get_ref().as_array());
        // The last of that name: where one stands twice, the second is too many.
        let mut names = items.into_iter().flatten().filter_map(|item| item.get_ref().as_table()?.get("name"));
        names.rfind(|value| value.get_ref().as_str() == Some(name)).map_or(table.1.clone(), Spanned::span)
    }
}

/// All ways to say a subcommand but its name: every first word with every second, and the whole phrases.
fn sub_phrases(firsts: &[&CompactString], second: &CompactString, synonyms: &[CompactString]) -> Vec<CompactString> {
    let seconds = || std::iter::once(second).chain(synonyms.iter().filter(|synonym| !synonym.starts_with('/')));
    let pairs = firsts.iter().flat_map(|first| seconds().map(move |second| format!("{first} {second}").into()));
    let wholes = synonyms.iter().filter_map(|synonym| synonym.strip_prefix('/').map(CompactString::from));
    pairs.skip(1).chain(wholes).collect()
}

/// Stands in for a name that cannot be read, so that the rest of the table is still looked at.
fn unnamed() -> CompactString {
    "…".into()
}

fn size(spec: &CommandSpec) -> usize {
    let option = |option: &OptionSpec| {
        let choices: usize = option.choices.iter().map(|choice| 2 * choice.chars().count()).sum();
        option.name.len() + option.summary.chars().count() + choices
    };
    spec.name.len() + spec.summary.chars().count() + spec.options.iter().map(option).sum::<usize>()
}

fn is_name(word: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !word.is_empty() && word.len() <= LONGEST_NAME && word.bytes().all(fits)
}

/// The word of a kind in a file.
fn word_of(kind: impl Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    match did_you_mean(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match known.collect::<Vec<_>>().as_slice() {
            [] => "take it out".to_owned(),
            known => format!("known: {}", known.join(", ")),
        },
    }
}
