//! The text grammar: `/incident declare "API 500s" service:api` → a `Call`. It knows the words (the lexicon) and what
//! values look like, not the organisation: whether a service exists is `meaning`'s question.
//!
//! - A line begins with `/`. Words and names of options may be in any case.
//! - `name:value` gives an option. Quotes are those of a shell, and “…”; `name: value` is read as meant.
//! - A word without a name goes to the first of these that is not given yet: an option whose look it has (`INC-7`,
//!   `sev2`, `30m`, one of the choices), the next required option, the next optional one. A bare number is an
//!   incident where the next required option would not take it.
//! - An option marked `rest` takes the words up to the end of the line, or up to the next `option:value`, as they are.
//!   Where they are a word and a text in quotes, the text is the rest and the word another option's; where the last is a
//!   severity that the command takes, it says neither, and is asked about.

use compact_str::CompactString;

use super::Call;
use super::help::usage;
use super::spec::{CommandSpec, Lexicon, OptionKind, OptionSpec, Permission};
use super::word::{Word, clean, next_word, option_name, quoted, raw_end, shown, skip_space};
use crate::domain::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::time::Span;

/// Reads one line. Errors say what is wrong, what was probably meant, and how the command is used.
pub fn parse(text: &str, lexicon: &Lexicon) -> Result<Call, Reject> {
    let text = clean(text)?;
    let line = text.trim();
    let (spec, at) = command(line, lexicon)?;
    let mut reader = Reader::new(spec, line, at);
    while reader.step()? {}
    if let Some(missing) = spec.options.iter().find(|option| option.required && !reader.has(&option.name)) {
        let message = format!("`/{}` needs `{}`: {}", spec.name, missing.name, missing.summary);
        return Err(Reject::new(RejectCode::Missing, message).hint(usage_hint(spec)));
    }
    Ok(Call { command: spec.name.clone(), options: reader.given })
}

/// A call as a line that reads back as the same call, every option by name.
pub fn render(call: &Call) -> String {
    let mut line = format!("/{}", call.command);
    for (name, value) in &call.options {
        line.push(' ');
        line.push_str(name);
        line.push(':');
        line.push_str(&quoted(value));
    }
    line
}

/// How the command is used and an example, for the end of a refusal.
pub(super) fn usage_hint(spec: &CommandSpec) -> String {
    match spec.examples.first() {
        Some(example) => format!("usage: {}\nfor example: {example}", usage(spec)),
        None => format!("usage: {}", usage(spec)),
    }
}

/// All ways to say a command: its name, then its synonyms.
pub fn phrases(spec: &CommandSpec) -> impl Iterator<Item = &str> {
    std::iter::once(spec.name.as_str()).chain(spec.synonyms.iter().map(CompactString::as_str))
}

/// The command that a line begins with, and where its options begin.
pub(super) fn command<'l>(line: &str, lexicon: &'l Lexicon) -> Result<(&'l CommandSpec, usize), Reject> {
    let Some(words) = line.strip_prefix('/') else {
        return Err(no_slash(line, lexicon));
    };
    let offset = line.len() - words.len();
    let first_at = skip_space(line, offset);
    let first_end = raw_end(line, first_at);
    let first = line[first_at..first_end].to_lowercase();
    if first.is_empty() {
        return Err(Reject::new(RejectCode::UnknownWord, "a command is missing after the /")
            .hint("`/help` lists what you can say"));
    }
    let second_at = skip_space(line, first_end);
    let second_end = raw_end(line, second_at);
    let second = line[second_at..second_end].to_lowercase();

    let named = |phrase: &str| lexicon.commands.iter().find(|spec| phrases(spec).any(|known| known == phrase));
    if !second.is_empty()
        && let Some(spec) = named(&format!("{first} {second}"))
    {
        return Ok((spec, second_end));
    }
    if let Some(spec) = named(&first) {
        return Ok((spec, first_end));
    }
    let subs = subcommands(&first, lexicon);
    let Some((_, bare)) = subs.first().copied() else {
        return Err(unknown_command(&first, lexicon));
    };
    let is_option = option_name(&line[second_at..]).is_some_and(|name| option(bare, name).is_some());
    if second.is_empty() || is_option || second.starts_with(['"', '\'', '“', '”', '„']) {
        return Ok((bare, first_end));
    }
    let meant = did_you_mean(&second, subs.iter().map(|(word, _)| *word));
    if meant.is_none() && bare.permission == Permission::Read && !bare.options.is_empty() {
        return Ok((bare, first_end));
    }
    let message = format!("`/{first}` has no `{}`", shown(&second));
    let hint = match meant.and_then(|word| subs.iter().find(|(known, _)| *known == word)) {
        Some((word, spec)) => meant_hint(&format!("{first} {word}"), spec),
        None => {
            let names = subs.iter().filter(|(word, spec)| spec.name.split(' ').nth(1) == Some(word));
            format!("it has: {}", names.map(|(word, _)| *word).collect::<Vec<_>>().join(", "))
        }
    };
    Err(Reject::new(RejectCode::UnknownWord, message).hint(hint))
}

/// The subcommands of a first word, each with the word it is said by, in the order of their file.
pub(super) fn subcommands<'l>(first: &str, lexicon: &'l Lexicon) -> Vec<(&'l str, &'l CommandSpec)> {
    let mut subs = Vec::new();
    for spec in &lexicon.commands {
        for phrase in phrases(spec) {
            if let Some((head, sub)) = phrase.split_once(' ')
                && head == first
            {
                subs.push((sub, spec));
            }
        }
    }
    subs
}

fn meant_hint(phrase: &str, spec: &CommandSpec) -> String {
    match spec.examples.first() {
        Some(example) => format!("did you mean `/{phrase}`? For example: {example}"),
        None => format!("did you mean `/{phrase}`?"),
    }
}

fn no_slash(line: &str, lexicon: &Lexicon) -> Reject {
    let reject = Reject::new(RejectCode::UnknownWord, "commands start with /");
    let word = line.split_whitespace().next().unwrap_or_default().to_lowercase();
    let known = lexicon.commands.iter().flat_map(phrases).any(|phrase| phrase.split(' ').next() == Some(&word));
    if known {
        reject.hint(format!("did you mean `/{}`?", shown(line)))
    } else {
        reject.hint("`/help` lists what you can say")
    }
}

fn unknown_command(first: &str, lexicon: &Lexicon) -> Reject {
    let reject = Reject::new(RejectCode::UnknownWord, format!("there is no command `/{}`", shown(first)));
    // `/declare` for `/incident declare`: the second word alone.
    let sub = lexicon.commands.iter().find(|spec| spec.name.split(' ').nth(1) == Some(first));
    if let Some(spec) = sub {
        return reject.hint(meant_hint(&spec.name, spec));
    }
    let firsts = lexicon.commands.iter().flat_map(phrases).filter_map(|phrase| phrase.split(' ').next());
    let example = did_you_mean(first, firsts).and_then(|word| {
        let whole = lexicon.commands.iter().find(|spec| phrases(spec).any(|p| p == word));
        let first = || lexicon.commands.iter().find(|spec| phrases(spec).any(|p| p.split(' ').next() == Some(word)));
        let spec = whole.or_else(first)?;
        Some(meant_hint(word, spec))
    });
    reject.hint(example.unwrap_or_else(|| "`/help` lists what you can say".to_owned()))
}

/// The option of that name, in any case.
pub(super) fn option<'s>(spec: &'s CommandSpec, name: &str) -> Option<&'s OptionSpec> {
    spec.options.iter().find(|option| option.name.eq_ignore_ascii_case(name))
}

/// Reads the options of one line, a word at a time.
pub(super) struct Reader<'s, 't> {
    spec: &'s CommandSpec,
    line: &'t str,
    at: usize,
    /// What has been read, in order.
    pub given: Vec<(CompactString, String)>,
    /// Whether a `rest` option has taken everything up to the end.
    pub in_rest: bool,
}

impl<'s, 't> Reader<'s, 't> {
    /// Begins after the words of the command.
    pub fn new(spec: &'s CommandSpec, line: &'t str, at: usize) -> Self {
        Self { spec, line, at, given: Vec::new(), in_rest: false }
    }

    /// Whether the option has been given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| given == name)
    }

    /// Options not given yet, in order.
    pub fn open(&self) -> impl Iterator<Item = &'s OptionSpec> + '_ {
        self.spec.options.iter().filter(|option| !self.has(&option.name))
    }

    /// Reads one option; `false` at the end of the line.
    pub fn step(&mut self) -> Result<bool, Reject> {
        let start = skip_space(self.line, self.at);
        if start == self.line.len() {
            return Ok(false);
        }
        // A `rest` option takes apostrophes as they are, so it is looked at before the word's quotes are read.
        if let Some(named) = option_name(&self.line[start..]).and_then(|name| option(self.spec, name)) {
            self.named(named, start + named.name.len() + 1)?;
            return Ok(true);
        }
        let Some(word) = next_word(self.line, start)? else { return Ok(false) };
        self.unknown_name(&word)?;
        let mut option = self.taker(&word)?;
        if option.rest && !word.quoted {
            option = self.before_quoted(word.end).unwrap_or(option);
        }
        if option.rest && !self.line[start..].starts_with(QUOTES) {
            self.take_rest(option, start)?;
        } else {
            let value = match word.name {
                Some(name) => format!("{name}:{}", word.value),
                None => word.value,
            };
            self.at = word.end;
            self.give(option, value)?;
        }
        Ok(true)
    }

    /// The option that a word is for which stands before a text in quotes, with nothing else but words that have the look
    /// of what they are for: `payments-api "API 500s" sev1`. `None`: there is none, or it is all one text.
    fn before_quoted(&self, word_end: usize) -> Option<&'s OptionSpec> {
        let (mut at, mut quoted) = (skip_space(self.line, word_end), false);
        while at < self.line.len() {
            let rest = &self.line[at..];
            let named = option_name(rest).is_some_and(|name| option(self.spec, name).is_some());
            if named {
                break;
            }
            let word = next_word(self.line, at).ok()??;
            match (rest.starts_with(TEXT_QUOTES), quoted) {
                (true, false) => quoted = true,
                (false, _) if self.open().any(|option| looks_like(option, &word.value)) => {}
                _ => return None,
            }
            at = skip_space(self.line, word.end);
        }
        let other = |option: &&OptionSpec| option.kind != OptionKind::Text && takes_any(option.kind);
        self.open().find(other).filter(|_| quoted)
    }

    /// `name:value`; the value begins at `value_at`, or after white space where nothing else follows the colon.
    fn named(&mut self, option: &'s OptionSpec, value_at: usize) -> Result<(), Reject> {
        let spaced = skip_space(self.line, value_at);
        let next_is_option =
            || option_name(&self.line[spaced..]).is_some_and(|name| self::option(self.spec, name).is_some());
        if spaced == self.line.len() || (spaced > value_at && next_is_option()) {
            let message = format!("`{}:` has no value", option.name);
            return Err(Reject::new(RejectCode::Missing, message).hint(usage_hint(self.spec)));
        }
        let value_at = spaced;
        if option.rest && !self.line[value_at..].starts_with(QUOTES) {
            return self.take_rest(option, value_at);
        }
        let Some(word) = next_word(self.line, value_at)? else { return Ok(()) };
        self.at = word.end;
        let value = match word.name {
            Some(name) => format!("{name}:{}", word.value),
            None => word.value,
        };
        self.give(option, value)
    }

    /// Refuses words that end in a severity which the command takes: pages depend on it, and it would be text.
    fn severity_last(&self, option: &OptionSpec, value: &str) -> Result<(), Reject> {
        let Some((text, last)) = value.rsplit_once(char::is_whitespace) else { return Ok(()) };
        let Some(severity) = self.open().find(|open| open.kind == OptionKind::Severity && takes_word(open, last))
        else {
            return Ok(());
        };
        // One that is said by name behind the text is what is meant.
        if self.line[self.at..].split_whitespace().any(|word| option_name(word) == Some(severity.name.as_str())) {
            return Ok(());
        }
        let message = format!("`{}` at the end could be the {}, or a part of the {}", last, severity.name, option.name);
        let hint = format!(
            "say which: /{} {} {}:{last}, or all of the {} in quotes",
            self.spec.name,
            quoted(&shown(text.trim_end())),
            severity.name,
            option.name
        );
        Err(Reject::new(RejectCode::BadValue, message).hint(hint))
    }

    /// Gives the option the words up to the end, or up to the next option by name.
    fn take_rest(&mut self, option: &'s OptionSpec, from: usize) -> Result<(), Reject> {
        let mut end = self.line.len();
        let mut at = raw_end(self.line, from);
        loop {
            at = skip_space(self.line, at);
            if at == self.line.len() {
                break;
            }
            let raw = &self.line[at..raw_end(self.line, at)];
            if let Some(name) = option_name(raw).filter(|name| raw.len() > name.len() + 1) {
                if self::option(self.spec, name).is_some() {
                    end = at;
                    break;
                }
                self.near_name(name, &raw[name.len() + 1..])?;
            }
            at += raw.len();
        }
        self.in_rest = end == self.line.len();
        self.at = end;
        let value = self.line[from..end].trim_end().to_owned();
        self.severity_last(option, &value)?;
        self.give(option, value)
    }

    fn give(&mut self, option: &'s OptionSpec, value: String) -> Result<(), Reject> {
        if self.has(&option.name) {
            let message = format!("`{}` is given twice", option.name);
            let hint = format!("say it once; put text that contains `{}:` in quotes", option.name);
            return Err(Reject::new(RejectCode::BadValue, message).hint(hint));
        }
        self.given.push((option.name.clone(), value));
        Ok(())
    }

    /// Refuses `titel:…` and `owner:payments`, where a word looks like an option that there is not. Links, times,
    /// ports (`db:5432`) and `note: text` are words; so is `team:payments` where a target is taken.
    fn unknown_name(&self, word: &Word<'_>) -> Result<(), Reject> {
        let Some(name) = word.name else { return Ok(()) };
        let raw = &self.line[word.value_at..word.end];
        let targets = self.open().any(|o| matches!(o.kind, OptionKind::Target | OptionKind::Oncall));
        if targets && TARGET_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Ok(());
        }
        if raw.is_empty() || raw.starts_with("//") || raw.starts_with(|c: char| c.is_ascii_digit()) {
            return self.near_name(name, raw);
        }
        Err(self.no_such_option(name))
    }

    /// Refuses a name that is nearly that of an option.
    fn near_name(&self, name: &str, value: &str) -> Result<(), Reject> {
        let near = did_you_mean(name, self.spec.options.iter().map(|option| option.name.as_str()));
        if near.is_some() && !value.starts_with("//") { Err(self.no_such_option(name)) } else { Ok(()) }
    }

    fn no_such_option(&self, name: &str) -> Reject {
        let message = format!("`/{}` has no option `{}`", self.spec.name, shown(name));
        let near = did_you_mean(name, self.spec.options.iter().map(|option| option.name.as_str()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}:`?\n{}", usage_hint(self.spec)),
            None => format!("put it in quotes if it is text\n{}", usage_hint(self.spec)),
        };
        Reject::new(RejectCode::UnknownWord, message).hint(hint)
    }

    /// The option that a word without a name goes to.
    fn taker(&self, word: &Word<'_>) -> Result<&'s OptionSpec, Reject> {
        let value = word.value.as_str();
        let text = self.spec.options.iter().any(|option| option.kind == OptionKind::Text);
        let next_required = self.open().find(|option| option.required);
        if !word.quoted {
            if let Some(option) = self.open().find(|option| looks_like(option, value)) {
                return Ok(option);
            }
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            if digits && !next_required.is_some_and(|option| takes_digits(option, value)) {
                let id = self.open().find(|o| matches!(o.kind, OptionKind::Incident | OptionKind::Alert));
                if let Some(option) = id {
                    return Ok(option);
                }
            }
        }
        if let Some(option) = next_required {
            return Ok(option);
        }
        if !word.quoted {
            for option in self.open() {
                if let Some(meant) = did_you_mean(value, choices(option)) {
                    let message = format!("`{}` is not a {}", shown(value), option.name);
                    let hint = format!("did you mean `{meant}`? Put it in quotes if it is text");
                    return Err(Reject::new(RejectCode::BadValue, message).hint(hint));
                }
            }
        }
        if let Some(option) = self.open().find(|option| takes_any(option.kind)) {
            return Ok(option);
        }
        // A word after a quoted text is rather the rest of the text than a wrong id.
        if !text && let Some(option) = self.open().next() {
            return Ok(option);
        }
        let message = format!("`{}` is more than `/{}` takes", shown(value), self.spec.name);
        let quotes = if text { "put a text of several words in quotes\n" } else { "" };
        Err(Reject::new(RejectCode::UnknownWord, message).hint(format!("{quotes}{}", usage_hint(self.spec))))
    }
}

/// What opens a text in quotes; an apostrophe may belong to a word.
const TEXT_QUOTES: [char; 4] = ['"', '“', '”', '„'];

/// What opens a quote.
const QUOTES: [char; 5] = ['"', '\'', '“', '”', '„'];

/// What may stand before the name of a target.
pub(super) const TARGET_NAMES: [&str; 4] = ["person", "team", "service", "schedule"];

/// The words that a severity or a choice may be.
pub fn choices(option: &OptionSpec) -> impl Iterator<Item = &str> {
    let severities: &[&str] = if option.kind == OptionKind::Severity { &["sev1", "sev2", "sev3", "sev4"] } else { &[] };
    option.choices.iter().map(CompactString::as_str).chain(severities.iter().copied())
}

/// Whether a word is one of those that a severity or a choice may be.
pub fn takes_word(option: &OptionSpec, word: &str) -> bool {
    choices(option).any(|choice| choice.eq_ignore_ascii_case(word))
}

/// Whether a word has the unmistakable look of what the option takes.
fn looks_like(option: &OptionSpec, value: &str) -> bool {
    match option.kind {
        OptionKind::Incident => has_prefix(value, IncidentId::PREFIX) && value.parse::<IncidentId>().is_ok(),
        OptionKind::Alert => has_prefix(value, AlertId::PREFIX) && value.parse::<AlertId>().is_ok(),
        OptionKind::Problem => has_prefix(value, ProblemId::PREFIX) && value.parse::<ProblemId>().is_ok(),
        OptionKind::Change => has_prefix(value, ChangeId::PREFIX) && value.parse::<ChangeId>().is_ok(),
        OptionKind::Request => has_prefix(value, ServiceRequestId::PREFIX) && value.parse::<ServiceRequestId>().is_ok(),
        OptionKind::Severity | OptionKind::Choice => {
            let meant = option.meant(value);
            choices(option).any(|choice| choice.eq_ignore_ascii_case(meant))
        }
        OptionKind::Duration => value.parse::<Span>().is_ok(),
        _ => false,
    }
}

fn has_prefix(value: &str, prefix: &str) -> bool {
    value.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Whether a required option takes a bare number for itself.
fn takes_digits(option: &OptionSpec, digits: &str) -> bool {
    match option.kind {
        OptionKind::Text
        | OptionKind::Number
        | OptionKind::Incident
        | OptionKind::Alert
        | OptionKind::Problem
        | OptionKind::Change
        | OptionKind::Request => true,
        OptionKind::Severity => crate::domain::incident::Severity::from_word(digits).is_some(),
        OptionKind::Choice => choices(option).any(|choice| choice == digits),
        _ => false,
    }
}

/// Whether any word could be what the option takes.
fn takes_any(kind: OptionKind) -> bool {
    !matches!(
        kind,
        OptionKind::Incident
            | OptionKind::Alert
            | OptionKind::Problem
            | OptionKind::Change
            | OptionKind::Request
            | OptionKind::Severity
            | OptionKind::Choice
            | OptionKind::Duration
            | OptionKind::Number
    )
}
