//! What is said for the parameters of a playbook, checked against what each may be. Everything that is wrong is said at
//! once. What a value is used for does not matter here: one that is fit is fit for a program's argument.

use compact_str::CompactString;
use regex::{Regex, RegexBuilder};

use super::spec::{Parameter, ParameterKind, Playbook};
use super::text::Values;
use crate::domain::limits;
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::time::Span;

/// The longest value, in characters.
pub const VALUE_MAX: usize = 200;
/// What a text may be that says nothing of its own: no blank, no quote, nothing that a shell reads, no dash in front.
pub const PLAIN: &str = "[A-Za-z0-9_.+@:/][A-Za-z0-9_.+@:/-]*";

/// A pattern that all of a text has to match, in time linear in the text.
///
/// # Errors
/// It is no pattern, or one too large.
pub fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!(r"\A(?:{text})\z")).size_limit(1 << 18).dfa_size_limit(1 << 18).build()
}

/// The values of a run.
///
/// # Errors
/// What is wrong, all of it.
pub fn read(org: &Org, playbook: &Playbook, said: &[(CompactString, String)]) -> Result<Values, Reject> {
    let mut values = Values::new();
    let mut wrong = Vec::new();
    for (name, text) in said {
        let Some(parameter) = playbook.parameters.iter().find(|it| it.name.eq_ignore_ascii_case(name)) else {
            let known = || playbook.parameters.iter().map(|it| it.name.as_str());
            let shown = shown(name);
            wrong.push(match did_you_mean(name, known()) {
                Some(near) => format!("there is no parameter `{shown}` (did you mean `{near}`?)"),
                None if playbook.parameters.is_empty() => format!("there is no parameter `{shown}`, it takes none"),
                None => format!("there is no parameter `{shown}`; it takes {}", known().collect::<Vec<_>>().join(", ")),
            });
            continue;
        };
        if values.contains_key(&parameter.name) {
            wrong.push(format!("`{}` is said twice", parameter.name));
            continue;
        }
        match value(org, parameter, text) {
            Ok(value) => drop(values.insert(parameter.name.clone(), value)),
            Err(why) => wrong.push(format!("`{}`: {why}", parameter.name)),
        }
    }
    for parameter in &playbook.parameters {
        if values.contains_key(&parameter.name)
            || said.iter().any(|(name, _)| parameter.name.eq_ignore_ascii_case(name))
        {
            continue;
        }
        match &parameter.default {
            Some(default) => drop(values.insert(parameter.name.clone(), default.clone())),
            None if parameter.required => wrong.push(match &parameter.summary {
                Some(summary) => format!("`{}` is missing: {summary}", parameter.name),
                None => format!("`{}` is missing", parameter.name),
            }),
            None => {}
        }
    }
    if wrong.is_empty() {
        return Ok(values);
    }
    Err(Reject::new(RejectCode::BadValue, format!("{} does not run: {}.", playbook.id, wrong.join("; ")))
        .hint(format!("What it takes: /runbook show {}", playbook.id)))
}

/// One value, as its parameter may be.
///
/// # Errors
/// Why it may not be that.
pub fn value(org: &Org, parameter: &Parameter, text: &str) -> Result<CompactString, String> {
    let text = text.trim();
    if text.chars().count() > VALUE_MAX {
        return Err(format!("it is longer than {VALUE_MAX} characters"));
    }
    // Line ends and what turns the direction of writing belong into no argument, whatever a pattern says.
    if limits::line(text, VALUE_MAX).as_deref() != Some(text) {
        return Err("it is empty, or holds characters that cannot be seen".to_owned());
    }
    if !parameter.values.is_empty() {
        return match parameter.values.iter().find(|value| *value == text) {
            Some(value) => Ok(value.clone()),
            None => Err(format!("`{}` is none of {}", shown(text), parameter.values.join(", "))),
        };
    }
    let not = |what: &str, known: &mut dyn Iterator<Item = &str>| match did_you_mean(text, known) {
        Some(near) => Err(format!("there is no {what} `{}` (did you mean `{near}`?)", shown(text))),
        None => Err(format!("there is no {what} `{}`", shown(text))),
    };
    match parameter.kind {
        ParameterKind::Service if !org.services.contains_key(text) => {
            return not("service", &mut org.services.keys().map(|id| id.as_str()));
        }
        ParameterKind::Person if !org.people.contains_key(text) => {
            return not("person", &mut org.people.keys().map(|id| id.as_str()));
        }
        ParameterKind::Number if text.parse::<i64>().is_err() => {
            return Err(format!("`{}` is not a whole number", shown(text)));
        }
        ParameterKind::Duration if text.parse::<Span>().is_err() => {
            return Err(format!("`{}` is not a duration such as 30m", shown(text)));
        }
        _ => {}
    }
    let (wanted, named) = match &parameter.pattern {
        Some(own) => (own.as_str(), true),
        None if parameter.kind == ParameterKind::Text => (PLAIN, false),
        None => return Ok(text.into()),
    };
    match pattern(wanted) {
        Ok(regex) if regex.is_match(text) => Ok(text.into()),
        Ok(_) if named => Err(format!("`{}` does not match {wanted}", shown(text))),
        Ok(_) => Err(format!(
            "`{}` has characters that it may not have: letters, digits and _ . + @ : / - are taken, no dash in front",
            shown(text)
        )),
        // The catalogue refuses such a pattern.
        Err(_) => Err("its pattern cannot be read".to_owned()),
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}
