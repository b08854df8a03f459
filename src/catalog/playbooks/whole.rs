//! What playbooks say together: whom they use (never in a circle), the names in their texts, what their steps reach, and
//! the commands and change models that they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::{Drafted, Line, told};
use crate::catalog::draft::Draft;
use crate::catalog::finding::{Finding, Spot};
use crate::catalog::value::{cut, meant};
use crate::domain::change::rules::Model;
use crate::domain::command::playbook::RUNS;
use crate::domain::playbook::spec::{Does, Kind, Parameter, ParameterKind, Part, Playbook, STEPS_MAX, Step};
use crate::domain::playbook::text::{OWN, Values, fill, fill_json, fill_url, names};
use crate::domain::playbook::values;

/// Scheme, host, port, and whether that is the scheme's own, of a URL without names before its path.
pub fn authority(url: &str) -> Option<(&str, &str, u16, bool)> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let whole = &rest[..end];
    let (host, port) = match whole.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
        None => (whole, usual),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    (!host.is_empty() && host.chars().all(fits)).then_some((scheme, host, port, port == usual))
}

/// Judges all playbooks, and puts those without a mistake in force.
pub fn whole(draft: &mut Draft<'_>) {
    let all = std::mem::take(&mut draft.playbooks);
    for (name, drafted) in &all {
        let mut playbook = drafted.playbook.clone();
        for (part, lines) in &drafted.parts {
            let mut steps: Vec<(Step, Spot)> = Vec::new();
            let mut path = vec![name.clone()];
            expand(draft, &all, lines, &mut path, &mut steps);
            let mut known: Vec<&str> = Vec::new();
            for (step, spot) in &steps {
                if known.contains(&step.id.as_str()) {
                    let finding = Finding::error(spot, format!("a second step `{}` in the {part}", step.id));
                    draft.sink.add(finding.hint("give one of them another `id`"));
                }
                known.push(&step.id);
                spoken(draft, &drafted.playbook, step, spot);
                reached(draft, step, spot);
            }
            let steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
            match part {
                Part::Steps => playbook.steps = steps,
                Part::Verify => playbook.verify = steps,
                Part::Rollback => playbook.rollback = steps,
            }
        }
        let count = playbook.steps.len() + playbook.verify.len() + playbook.rollback.len();
        if count > STEPS_MAX {
            let message = format!("this playbook has {count} steps, with those of the playbooks it uses");
            draft.sink.add(Finding::error(&drafted.spot, message).hint(format!("at most {STEPS_MAX}; split it")));
        }
        said(draft, &playbook, &drafted.spot);
        model(draft, &playbook, &drafted.spot);
        draft.org.playbooks.insert(name.clone(), Arc::new(playbook));
    }
    commands(draft);
}

/// The steps of a part with those of the playbooks that it uses; `path` are the playbooks that led here.
fn expand(
    draft: &Draft<'_>,
    all: &BTreeMap<CompactString, Drafted>,
    lines: &[Line],
    path: &mut Vec<CompactString>,
    steps: &mut Vec<(Step, Spot)>,
) {
    for line in lines {
        let (id, named, with) = match line {
            Line::Step(step, spot) => {
                if steps.len() <= STEPS_MAX {
                    steps.push(((**step).clone(), spot.clone()));
                }
                continue;
            }
            Line::Use { id, playbook, with } => (id, playbook, with),
        };
        let Some((name, used)) = all.get_key_value(named.value.as_str()) else {
            let finding = Finding::error(&named.spot, format!("there is no playbook `{}`", cut(&named.value)));
            let near = meant(&named.value, all.keys().map(CompactString::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            draft.sink.add(finding.maybe_hint(hint.or_else(|| Some("each is a file playbooks/NAME.toml".to_owned()))));
            continue;
        };
        if let Some(at) = path.iter().position(|known| known == name) {
            // Each circle is told once: by the playbook of it that comes first.
            if at == 0 && path.iter().min() == Some(name) {
                let circle: Vec<&str> = path.iter().chain([name]).map(CompactString::as_str).collect();
                let message = format!("playbooks go in a circle: {}", circle.join(" → "));
                draft.sink.add(Finding::error(&named.spot, message).hint("take one `use` out of it"));
            }
            continue;
        }
        if path.len() > 8 || steps.len() > STEPS_MAX {
            continue;
        }
        let Some(outer) = path.last().and_then(|outer| all.get(outer)) else { continue };
        let given = given(draft, &outer.playbook, &used.playbook, with, &named.spot);
        let mut inner = Vec::new();
        path.push(name.clone());
        expand(draft, all, &used.parts[0].1, path, &mut inner);
        path.pop();
        for (mut step, _) in inner {
            step.id = format_compact!("{id}.{}", step.id);
            step.does = renamed(step.does, &given);
            steps.push((step, named.spot.clone()));
        }
    }
}

/// What stands for the parameters of a playbook that is used: a value, or a name of the one that uses it.
fn given(draft: &Draft<'_>, outer: &Playbook, used: &Playbook, with: &Values, spot: &Spot) -> Values {
    let mut found: Values = OWN.iter().map(|name| ((*name).into(), format_compact!("{{{{{name}}}}}"))).collect();
    let wrong = |message: String, hint: String| {
        draft.sink.add(Finding::error(spot, told(&message)).maybe_hint(Some(hint).filter(|hint| !hint.is_empty())));
    };
    for name in with.keys().filter(|name| !used.parameters.iter().any(|it| it.name == **name)) {
        let near = meant(name, used.parameters.iter().map(|it| it.name.as_str()));
        let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
        wrong(format!("`{}` has no parameter `{}`", used.id, cut(name)), hint);
    }
    for parameter in &used.parameters {
        let name = &parameter.name;
        let same = outer.parameters.iter().find(|it| it.name == *name);
        let text = match (with.get(name), same, &parameter.default) {
            (Some(text), _, _) => text.clone(),
            (None, Some(_), _) => format_compact!("{{{{{name}}}}}"),
            (None, None, Some(default)) => default.clone(),
            (None, None, None) if parameter.required => {
                wrong(format!("`{}` needs `{name}` here", used.id), format!("write with = {{ {name} = \"…\" }}"));
                continue;
            }
            (None, None, None) => continue,
        };
        match names(&text).as_slice() {
            [] => {
                if let Err(why) = values::value(&draft.org, parameter, &text) {
                    wrong(format!("`{name}` of `{}`: {why}", used.id), String::new());
                }
            }
            // What one playbook refuses must not come in by another.
            [only] if text == format!("{{{{{only}}}}}") => {
                let allows = |it: &Parameter| (it.kind, it.values.clone(), it.pattern.clone());
                let own = outer.parameters.iter().find(|it| it.name == *only);
                if own.is_some_and(|own| allows(own) != allows(parameter)) {
                    let message = format!("`{only}` may be something that `{name}` of `{}` may not", used.id);
                    wrong(message, "give both the same type, values and pattern".to_owned());
                }
            }
            _ => wrong(
                format!("`{name}` of `{}` is made of several texts", used.id),
                "write one value, or one name such as \"{{version}}\"".to_owned(),
            ),
        }
        found.insert(name.clone(), text);
    }
    found
}

/// A step with other names, or values, for its names.
fn renamed(does: Does, given: &Values) -> Does {
    let text = |text: &CompactString| fill(text, given);
    match does {
        Does::Say { text: said, channel } => Does::Say { text: text(&said), channel },
        Does::Note(said) => Does::Note(text(&said)),
        Does::Wait(span) => Does::Wait(span),
        Does::Ask { question, of, within } => Does::Ask { question: text(&question), of, within },
        Does::Act(act) => Does::Act(act.map(&|said| fill(said, given))),
        Does::Until { awaited, within } => Does::Until { awaited: awaited.map(&|said| fill(said, given)), within },
        Does::Http(mut http) => {
            // A value is made fit for a URL; a name is, when it has its value.
            let fit = given.iter().map(|(name, text)| {
                let plain = if names(text).is_empty() {
                    let alone = Values::from([("x".into(), text.clone())]);
                    fill_url("{{x}}", &alone).unwrap_or_else(|_| "-".into())
                } else {
                    text.clone()
                };
                (name.clone(), plain)
            });
            let fit: Values = fit.collect();
            http.url = fill(&http.url, &fit);
            http.json = http.json.as_ref().map(|json| fill_json(json, given));
            Does::Http(http)
        }
        Does::Run(mut program) => {
            program.args = program.args.iter().map(text).collect();
            Does::Run(program)
        }
    }
}

/// Every name in the texts of a step is a parameter, or one of those that every run has.
fn spoken(draft: &Draft<'_>, playbook: &Playbook, step: &Step, spot: &Spot) {
    let mut texts: Vec<String> = Vec::new();
    match &step.does {
        Does::Say { text, .. } | Does::Note(text) | Does::Ask { question: text, .. } => texts.push(text.to_string()),
        Does::Wait(_) => {}
        Does::Act(act) => texts.extend(act.texts().into_iter().map(str::to_owned)),
        Does::Until { awaited, .. } => texts.extend(awaited.texts().into_iter().map(str::to_owned)),
        Does::Http(http) => {
            texts.push(http.url.to_string());
            texts.extend(http.json.as_ref().map(ToString::to_string));
        }
        Does::Run(program) => texts.extend(program.args.iter().map(ToString::to_string)),
    }
    named(draft, playbook, texts.iter().flat_map(|text| names(text)), spot);
}

/// The names in the summary, which becomes the title of a change.
fn said(draft: &Draft<'_>, playbook: &Playbook, spot: &Spot) {
    named(draft, playbook, names(&playbook.summary).into_iter(), spot);
    for parameter in &playbook.parameters {
        for text in parameter.default.iter().chain(&parameter.values) {
            if let Err(why) = values::value(&draft.org, parameter, text) {
                let message = format!("`{}` of the parameter `{}`: {why}", cut(text), parameter.name);
                draft.sink.add(Finding::error(spot, told(&message)));
            }
        }
    }
}

fn named<'t>(draft: &Draft<'_>, playbook: &Playbook, said: impl Iterator<Item = &'t str>, spot: &Spot) {
    let known = || playbook.parameters.iter().map(|it| it.name.as_str()).chain(OWN);
    for name in said.filter(|name| !known().any(|known| known == *name)) {
        let finding = Finding::error(spot, format!("there is no parameter `{}`", cut(name)));
        draft.sink.add(match meant(name, known()) {
            Some(near) => finding.hint(format!("did you mean {{{{{near}}}}}?")),
            None => finding.hint("declare it: [[parameter]] with a `name`"),
        });
    }
}

/// Whether a step may reach what it names.
fn reached(draft: &Draft<'_>, step: &Step, spot: &Spot) {
    let allowed = &draft.org.allowed;
    match &step.does {
        Does::Http(http) => {
            let Some((scheme, host, port, usual)) = authority(&http.url) else { return };
            let entry = allowed.hosts.iter().find(|entry| entry.is(host, port, usual));
            let shown = if usual { host.to_owned() } else { format!("{host}:{port}") };
            match entry {
                None => {
                    let finding = Finding::error(spot, format!("steps may not ask `{}`", cut(&shown)));
                    let near = meant(&shown, allowed.hosts.iter().map(|entry| entry.host.as_str()));
                    draft.sink.add(match near {
                        Some(near) => finding.hint(format!("did you mean `{near}`?")),
                        None => finding.hint(format!("if they may: [[http-host]] with host = \"{}\"", cut(&shown))),
                    });
                }
                Some(entry) if scheme == "http" && !entry.private => {
                    let finding = Finding::error(spot, format!("`{}` would be asked without TLS", cut(&shown)));
                    draft.sink.add(finding.hint("write https://, or private = true at its [[http-host]]"));
                }
                Some(_) => {}
            }
        }
        Does::Run(program) if !allowed.programs.contains(&program.path) => {
            let finding = Finding::error(spot, format!("steps may not run `{}`", cut(&program.path)));
            let near = meant(&program.path, allowed.programs.iter().map(CompactString::as_str));
            draft.sink.add(match near {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding.hint("if they may, name it in `programs` of [perform] in opsbell.toml"),
            });
        }
        _ => {}
    }
}

/// The model of a standard change that a playbook is.
fn model(draft: &mut Draft<'_>, playbook: &Playbook, spot: &Spot) {
    if playbook.kind != Kind::StandardChange {
        return;
    }
    if draft.org.changes.models.contains_key(&playbook.id) {
        let message = format!("there is a [[change-model]] `{}` as well", playbook.id);
        return draft.sink.add(Finding::error(spot, message).hint("leave one out: this playbook is its own model"));
    }
    let service = playbook.parameters.iter().any(|it| it.name == "service" && it.kind == ParameterKind::Service);
    if !service && playbook.services.len() != 1 {
        let finding = Finding::error(spot, "a standard change is about one service, and this playbook says none");
        draft.sink.add(finding.hint("add a [[parameter]] with name = \"service\" and type = \"service\""));
    }
    let rollback = match playbook.rollback.is_empty() {
        true => CompactString::from("None is written down"),
        false => playbook.told(Part::Rollback).into(),
    };
    let model = Model {
        id: playbook.id.clone(),
        summary: playbook.summary.clone(),
        services: playbook.services.clone(),
        plan: playbook.told(Part::Steps).into(),
        rollback,
        expects: playbook.expects.clone(),
        length: playbook.expected,
        up_to: playbook.risk,
        earn_after: playbook.earn_after,
    };
    draft.org.changes.models.insert(playbook.id.clone(), model);
}

/// An organisation's own commands run playbooks that there are, with parameters that they have.
fn commands(draft: &Draft<'_>) {
    for (command, spot) in &draft.own_runs {
        let Some(name) = command.run.strip_prefix(RUNS) else { continue };
        let Some(playbook) = draft.org.playbooks.get(name) else {
            let finding = Finding::error(spot, format!("there is no playbook `{}`", cut(name)));
            let near = meant(name, draft.org.playbooks.keys().map(CompactString::as_str));
            let hint = near.map_or_else(
                || "each is a file playbooks/NAME.toml".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            draft.sink.add(finding.hint(hint));
            continue;
        };
        for option in command.options.iter().filter(|it| !["incident", "dry"].contains(&it.name.as_str())) {
            if !playbook.parameters.iter().any(|it| it.name == option.name) {
                let message = format!("`/{}`: `{name}` has no parameter `{}`", command.name, option.name);
                let near = meant(&option.name, playbook.parameters.iter().map(|it| it.name.as_str()));
                draft
                    .sink
                    .add(Finding::error(spot, message).maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
            }
        }
        for parameter in playbook.parameters.iter().filter(|it| it.required && it.default.is_none()) {
            if !command.options.iter().any(|it| it.name == parameter.name) {
                let message =
                    format!("`/{}` does not ask for `{}`, which `{name}` needs", command.name, parameter.name);
                draft.sink.add(Finding::error(spot, message).hint("add it to the options"));
            }
        }
    }
}
