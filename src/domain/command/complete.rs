//! Completion: what could stand at the cursor, for the terminal chat and for chat platforms' own completion. Only
//! what the person may do is offered.

use super::grammar::{Reader, choices, command, option, subcommands};
use super::spec::{Lexicon, OptionKind, OptionSpec, Permission};
use super::word::{option_name, skip_space};
use crate::domain::id::{AlertId, IncidentId, PersonId, ScheduleId, ServiceId, ServiceRequestId, TeamId};
use crate::domain::org::Org;
use crate::domain::request::open::items;

/// The most that is offered at once; also what chat platforms show.
pub const MOST: usize = 25;

/// One thing that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the text begins that it replaces (bytes); it ends at the cursor.
    pub replace_from: usize,
    /// What to write there; without a space after it. The name of an option ends with `:`.
    pub text: String,
    /// What it is, in a few words; may be empty.
    pub description: String,
}

/// What completion can offer beside the words.
pub struct Around<'a> {
    /// The organisation's names.
    pub org: &'a Org,
    /// Open incidents with their titles, the likeliest first.
    pub incidents: &'a [(IncidentId, String)],
    /// Firing alerts with their names, the likeliest first.
    pub alerts: &'a [(AlertId, String)],
    /// Open requests with their titles, the likeliest first.
    pub requests: &'a [(ServiceRequestId, String)],
    /// What the person may do.
    pub may: &'a dyn Fn(Permission) -> bool,
}

/// What could stand at the end of `text` (the line up to the cursor), at most `MOST`, likeliest first. Nothing within
/// a quote or where free text is expected.
pub fn complete(text: &str, lexicon: &Lexicon, around: &Around<'_>) -> Vec<Completion> {
    let partial_at = text.rfind(char::is_whitespace).map_or(0, |at| skip_space(text, at));
    let head_at = skip_space(text, 0);
    let partial = &text[partial_at..];
    let mut found = if partial_at <= head_at {
        words(partial, partial_at, lexicon, around)
    } else {
        let mut found = subwords(&text[head_at..partial_at], partial, partial_at, lexicon, around);
        // After a first word that has second words, only those: the bare form is for people who know it.
        if found.is_empty() {
            found = options(text, head_at, partial_at, lexicon, around);
        }
        found
    };
    found.truncate(MOST);
    found
}

/// What an option's value could be that begins with `partial`, with a description each: for a chat platform's own
/// completion. At most `MOST`.
pub fn values(option: &OptionSpec, partial: &str, around: &Around<'_>) -> Vec<(String, String)> {
    let org = around.org;
    let people = || org.people.keys().map(PersonId::as_str);
    let teams = || org.teams.keys().map(TeamId::as_str);
    let services = || org.services.values().map(|service| (service.id.to_string(), format!("of {}", service.team)));
    let schedules = || org.schedules.keys().map(ScheduleId::as_str);
    let plain = |name: &str, what: &str| (name.to_owned(), what.to_owned());
    let prefixed = |kind: &str, name: &str| (format!("{kind}:{name}"), kind.to_owned());
    let all: Vec<(String, String)> = match option.kind {
        OptionKind::Text | OptionKind::Number | OptionKind::Problem | OptionKind::Change => Vec::new(),
        OptionKind::Request => around.requests.iter().map(|(id, title)| (id.to_string(), title.clone())).collect(),
        OptionKind::Item => items(org).map(|item| (item.id.to_string(), item.summary.to_string())).collect(),
        OptionKind::User => people().map(|name| plain(name, "person")).chain([plain("me", "whoever asks")]).collect(),
        OptionKind::Team => teams().map(|name| plain(name, "team")).collect(),
        OptionKind::Service => services().collect(),
        OptionKind::Schedule => schedules().map(|name| plain(name, "schedule")).collect(),
        OptionKind::Target => people()
            .map(|name| plain(name, "person"))
            .chain(teams().map(|name| prefixed("team", name)))
            .chain(org.services.keys().map(ServiceId::as_str).map(|name| prefixed("service", name)))
            .collect(),
        OptionKind::Oncall => schedules()
            .map(|name| plain(name, "schedule"))
            .chain(teams().map(|name| prefixed("team", name)))
            .chain(org.services.keys().map(ServiceId::as_str).map(|name| prefixed("service", name)))
            .collect(),
        OptionKind::Incident => around.incidents.iter().map(|(id, title)| (id.to_string(), title.clone())).collect(),
        OptionKind::Alert => around.alerts.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
        OptionKind::Severity | OptionKind::Choice => choices(option).map(|word| plain(word, "")).collect(),
        OptionKind::Duration => ["15m", "30m", "1h", "4h"].iter().map(|word| plain(word, "")).collect(),
    };
    let wanted = partial.to_lowercase();
    // What begins like it, then what contains it: `api` finds `payments-api` and `team:api`.
    let (mut first, then): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|(value, _)| value.to_lowercase().contains(&wanted))
        .partition(|(value, _)| value.to_lowercase().starts_with(&wanted));
    first.extend(then);
    first.truncate(MOST);
    first
}

/// First words: `/inc` → `/incident`.
fn words(partial: &str, at: usize, lexicon: &Lexicon, around: &Around<'_>) -> Vec<Completion> {
    let wanted = partial.strip_prefix('/').unwrap_or(partial).to_lowercase();
    if !partial.is_empty() && !partial.starts_with('/') {
        return Vec::new();
    }
    let mut found: Vec<Completion> = Vec::new();
    for spec in lexicon.commands.iter().filter(|spec| (around.may)(spec.permission)) {
        let (first, group) = match spec.name.split_once(' ') {
            Some((first, _)) => (first, true),
            None => (spec.name.as_str(), false),
        };
        let text = format!("/{first}");
        if first.starts_with(&wanted) && !found.iter().any(|known| known.text == text) {
            let description = if group { format!("{first} …") } else { spec.summary.clone() };
            found.push(Completion { replace_from: at, text, description });
        }
    }
    found
}

/// Second words: `/incident de` → `declare`.
fn subwords(head: &str, partial: &str, at: usize, lexicon: &Lexicon, around: &Around<'_>) -> Vec<Completion> {
    let Some(first) = head.trim().strip_prefix('/') else { return Vec::new() };
    let wanted = partial.to_lowercase();
    subcommands(&first.to_lowercase(), lexicon)
        .into_iter()
        .filter(|(_, spec)| (around.may)(spec.permission))
        // Synonyms are understood, not offered.
        .filter(|(word, spec)| spec.name.split(' ').nth(1) == Some(*word) && word.starts_with(&wanted))
        .map(|(word, spec)| Completion { replace_from: at, text: word.to_owned(), description: spec.summary.clone() })
        .collect()
}

/// Options by name, and values for the one that is named or comes next.
fn options(text: &str, head_at: usize, at: usize, lexicon: &Lexicon, around: &Around<'_>) -> Vec<Completion> {
    let head = &text[head_at..at];
    let partial = &text[at..];
    let Ok((spec, options_at)) = command(head, lexicon) else { return Vec::new() };
    if !(around.may)(spec.permission) {
        return Vec::new();
    }
    let mut reader = Reader::new(spec, head, options_at);
    loop {
        match reader.step() {
            Ok(true) => {}
            Ok(false) => break,
            // An open quote or a wrong word before the cursor: nothing sensible can be offered.
            Err(_) => return Vec::new(),
        }
    }
    let completion =
        |from: usize| move |(text, description): (String, String)| Completion { replace_from: from, text, description };
    if let Some(named) = option_name(partial).and_then(|name| option(spec, name)) {
        let from = at + named.name.len() + 1;
        return values(named, &text[from..], around).into_iter().map(completion(from)).collect();
    }
    let mut found = Vec::new();
    if !reader.in_rest {
        let open: Vec<&OptionSpec> = reader.open().collect();
        let required = open.iter().find(|option| option.required);
        // Values of the next needed option, and of those that are recognised by their look.
        for option in &open {
            let by_look = matches!(
                option.kind,
                OptionKind::Incident
                    | OptionKind::Alert
                    | OptionKind::Request
                    | OptionKind::Severity
                    | OptionKind::Choice
            );
            let next = required.map_or(!by_look, |required| required.name == option.name);
            if by_look || next {
                found.extend(values(option, partial, around).into_iter().map(completion(at)));
            }
        }
    }
    if reader.in_rest && partial.is_empty() {
        return found;
    }
    let wanted = partial.to_lowercase();
    for option in reader.open().filter(|option| option.name.starts_with(&wanted)) {
        found.push(Completion {
            replace_from: at,
            text: format!("{}:", option.name),
            description: option.summary.clone(),
        });
    }
    found
}
