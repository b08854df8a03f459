//! Help, from the same data as everything else: what one may say, how one command is used. Only what the person may
//! do is shown.

use super::grammar::{phrases, subcommands};
use super::spec::{CommandSpec, Lexicon, OptionKind, OptionSpec, Permission};
use super::word::shown;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};

/// Help about everything, about a group (`incident`) or about one command (`incident declare`, `/ack`); plain text,
/// columns aligned for a fixed-width face. Errors: an unknown command, or one that the person may not give.
pub fn help(about: Option<&str>, lexicon: &Lexicon, may: &dyn Fn(Permission) -> bool) -> Result<String, Reject> {
    let about = about.unwrap_or_default().trim().trim_start_matches('/').to_lowercase();
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    if about.is_empty() {
        return Ok(everything(lexicon, may));
    }
    if let Some(spec) = lexicon.commands.iter().find(|spec| phrases(spec).any(|phrase| phrase == about)) {
        return if may(spec.permission) { Ok(one(spec)) } else { Err(not_allowed(&about)) };
    }
    let subs = subcommands(&about, lexicon);
    if subs.is_empty() {
        let firsts = lexicon.commands.iter().flat_map(phrases).filter_map(|phrase| phrase.split(' ').next());
        let near = did_you_mean(&about, lexicon.commands.iter().flat_map(phrases).chain(firsts));
        let hint = match near {
            Some(near) => format!("did you mean `/help {near}`?"),
            None => "`/help` lists what you can say".to_owned(),
        };
        let message = format!("there is no command `/{}`", shown(&about));
        return Err(Reject::new(RejectCode::UnknownWord, message).hint(hint));
    }
    let mut group: Vec<&CommandSpec> = Vec::new();
    for (_, spec) in subs {
        if may(spec.permission) && !group.iter().any(|known| known.name == spec.name) {
            group.push(spec);
        }
    }
    let Some(first) = group.first() else { return Err(not_allowed(&about)) };
    let rows = group.iter().map(|spec| (usage(spec), spec.summary.as_str())).collect::<Vec<_>>();
    let mut text = String::new();
    for (usage, summary) in rows {
        text.push_str(&format!("{usage}\n    {summary}\n"));
    }
    text.push_str(&format!("\n`/help {}` tells more about one of them, with examples.", first.name));
    Ok(text)
}

/// How a command is written: `/incident note text:TEXT [incident:INC-n]`.
pub fn usage(spec: &CommandSpec) -> String {
    let mut text = format!("/{}", spec.name);
    for option in &spec.options {
        let value = format!("{}:{}", option.name, placeholder(option));
        text.push_str(&if option.required { format!(" {value}") } else { format!(" [{value}]") });
    }
    text
}

fn placeholder(option: &OptionSpec) -> String {
    match option.kind {
        OptionKind::Text => "TEXT".to_owned(),
        OptionKind::User => "PERSON".to_owned(),
        OptionKind::Team => "TEAM".to_owned(),
        OptionKind::Service => "SERVICE".to_owned(),
        OptionKind::Schedule => "SCHEDULE".to_owned(),
        OptionKind::Target => "PERSON|team:TEAM|service:SERVICE".to_owned(),
        OptionKind::Oncall => "SCHEDULE|team:TEAM|service:SERVICE".to_owned(),
        OptionKind::Incident => "INC-n".to_owned(),
        OptionKind::Alert => "ALR-n".to_owned(),
        OptionKind::Problem => "PRB-n".to_owned(),
        OptionKind::Change => "CHG-n".to_owned(),
        OptionKind::Request => "REQ-n".to_owned(),
        OptionKind::Item => "ITEM".to_owned(),
        OptionKind::Severity => "sev1|sev2|sev3|sev4".to_owned(),
        OptionKind::Duration => "30m".to_owned(),
        OptionKind::Choice => option.choices.join("|"),
        OptionKind::Number => "N".to_owned(),
    }
}

fn not_allowed(about: &str) -> Reject {
    Reject::new(RejectCode::NotAllowed, format!("you may not use `/{}`", shown(about)))
        .hint("`/help` lists what you can say; an administrator can give you another role")
}

fn everything(lexicon: &Lexicon, may: &dyn Fn(Permission) -> bool) -> String {
    let allowed: Vec<&CommandSpec> = lexicon.commands.iter().filter(|spec| may(spec.permission)).collect();
    if allowed.is_empty() {
        return "There is nothing that you may do here. An administrator can give you a role.".to_owned();
    }
    // Groups (`/incident …`) each for themselves in the order of their files, then the single words.
    let mut groups: Vec<(&str, Vec<&CommandSpec>)> = Vec::new();
    let mut singles = Vec::new();
    for spec in &allowed {
        match spec.name.split_once(' ') {
            Some((first, _)) => match groups.iter_mut().find(|(known, _)| *known == first) {
                Some((_, members)) => members.push(spec),
                None => groups.push((first, vec![spec])),
            },
            None => singles.push(*spec),
        }
    }
    let width = allowed.iter().map(|spec| spec.name.chars().count() + 1).max().unwrap_or(0);
    let mut text = String::new();
    for members in groups.iter().map(|(_, members)| members).chain(std::iter::once(&singles)) {
        if members.is_empty() {
            continue;
        }
        for spec in members {
            text.push_str(&format!("{:width$}  {}\n", format!("/{}", spec.name), spec.summary));
        }
        text.push('\n');
    }
    let example = allowed.first().map(|spec| spec.name.as_str()).unwrap_or_default();
    text.push_str(&format!("`/help {example}` tells more about one of them, with examples."));
    text
}

fn one(spec: &CommandSpec) -> String {
    let mut text = format!("{}\n{}\n", usage(spec), spec.summary);
    if !spec.options.is_empty() {
        text.push_str("\nOptions\n");
        let width = spec.options.iter().map(|option| option.name.chars().count()).max().unwrap_or(0);
        for option in &spec.options {
            let needed = if option.required { " (needed)" } else { "" };
            text.push_str(&format!("  {:width$}  {}{needed}\n", option.name, option.summary));
        }
    }
    if !spec.examples.is_empty() {
        text.push_str("\nExamples\n");
        for example in &spec.examples {
            text.push_str(&format!("  {example}\n"));
        }
    }
    // Not every first word with every second: those of the same first word, and whole phrases, are enough to know.
    let first = spec.name.split(' ').next();
    let near = |phrase: &&str| !phrase.contains(' ') || phrase.split(' ').next() == first;
    let ways: Vec<String> = phrases(spec).skip(1).filter(near).map(|phrase| format!("/{phrase}")).collect();
    if !ways.is_empty() {
        text.push_str(&format!("\nAlso: {}\n", ways.join(", ")));
    }
    text.truncate(text.trim_end().len());
    text
}
