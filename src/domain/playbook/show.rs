//! How playbooks and runs read.

use compact_str::CompactString;

use super::drive::all_values;
use super::person::{about, any, may_see, visible};
use super::spec::{Part, Playbook};
use super::text::fill;
use super::{Doing, Run, start};
use crate::domain::actor::Actor;
use crate::domain::draft::Draft;
use crate::domain::id::RunId;
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::reject::Reject;
use crate::domain::silence::matcher;
use crate::domain::state::State;

/// Lines of a step's output that are shown.
const OUTPUT_LINES: usize = 3;

/// `/runbook list`.
pub fn list(draft: &Draft<'_>) -> String {
    let running: Vec<String> = draft
        .state
        .runs
        .values()
        .filter(|run| run.ended.is_none() && may_see(draft, run))
        .map(|run| line(run))
        .take(50)
        .collect();
    let mut text = match running.as_slice() {
        [] => "Nothing runs.".to_owned(),
        some => format!("Running:\n{}", some.join("\n")),
    };
    if draft.org.playbooks.is_empty() {
        text.push_str("\nThere are no playbooks; each is a file playbooks/NAME.toml (docs/playbooks.md).");
        return text;
    }
    text.push_str("\nPlaybooks:");
    for playbook in draft.org.playbooks.values().take(100) {
        text.push_str(&format!("\n{} ({}): {}", playbook.id, playbook.kind, playbook.summary));
    }
    text.push_str("\nOne: /runbook show NAME; what it would do: /runbook run NAME with:\"…\" dry:yes");
    text
}

fn line(run: &Run) -> String {
    format!("{}: {}", run.headline(), doing(run))
}

/// Runs named in `/status`.
const STATUS_MAX: usize = 3;

/// `2 run; RUN-2 deploy payments-api asks`: how many go on, and those that wait for a person.
pub fn status(state: &State, org: &Org, asker: &Actor) -> Option<String> {
    let open: Vec<&Run> = state
        .runs
        .values()
        .map(|run| &**run)
        .filter(|run| run.ended.is_none() && visible(org, state, asker, run))
        .collect();
    if open.is_empty() {
        return None;
    }
    let waits: Vec<String> = open
        .iter()
        .filter_map(|run| match &run.doing {
            Doing::Asking { .. } => Some(format!("{} waits for an answer", run.headline())),
            Doing::Unclear { .. } => Some(format!("{} waits to be told what happened", run.headline())),
            _ => None,
        })
        .collect();
    let more = waits.len().saturating_sub(STATUS_MAX);
    let more = if more == 0 { Vec::new() } else { vec![format!("{more} more wait for somebody")] };
    let runs = if open.len() == 1 { "1 runs".to_owned() } else { format!("{} run", open.len()) };
    let all: Vec<String> = std::iter::once(runs).chain(waits.into_iter().take(STATUS_MAX)).chain(more).collect();
    Some(all.join("; "))
}

/// What it does just now, in words.
pub fn doing(run: &Run) -> String {
    let step = run.step().map(|step| step.id.as_str()).unwrap_or_default();
    let of = match run.part {
        Part::Steps => String::new(),
        part => format!(" ({part})"),
    };
    match &run.doing {
        Doing::Next { .. } => format!("about to do {step}{of}"),
        Doing::Waiting { until } => format!("{step}{of} waits until <t:{}:T>", until.unix_secs()),
        Doing::Asking { question, until } => {
            format!("{step}{of} asks “{question}” until <t:{}:f>", until.unix_secs())
        }
        Doing::Hearing { awaited, until } => {
            format!("{step}{of} waits until {awaited}, at most until <t:{}:f>", until.unix_secs())
        }
        Doing::Heard { .. } => format!("{step}{of} has heard what it waited for"),
        Doing::Owed { work, .. } => format!("{step}{of} is being done: {work}"),
        Doing::Again { at, reason } => {
            format!("{step}{of} failed ({reason}) and is tried again <t:{}:T>", at.unix_secs())
        }
        Doing::Unclear { reason, .. } => format!("nobody knows whether {step}{of} was done: {reason}"),
        Doing::Over => run.ended.as_ref().map(|ended| ended.ending.to_string()).unwrap_or_default(),
    }
}

/// `/runbook show`, of a playbook or a run.
pub fn show(draft: &Draft<'_>, which: &str) -> Result<Reply, Reject> {
    let number = which.to_ascii_uppercase().starts_with(RunId::PREFIX);
    match which.parse::<RunId>() {
        Ok(id) if number || !draft.org.playbooks.contains_key(which) => {
            let shown = any(draft, id)?;
            Ok(about(shown, Reply::done(run(shown))))
        }
        _ => Ok(Reply::done(playbook(draft.org, start::find(draft.org, which)?))),
    }
}

fn playbook(org: &Org, playbook: &Playbook) -> String {
    let services = match playbook.services.as_slice() {
        [] => "for every service".to_owned(),
        some => format!("for {}", some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let expected = playbook.expected.map(|span| format!(", about {span}")).unwrap_or_default();
    let mut text = format!("{} ({}): {}\n{services}{expected}", playbook.id, playbook.kind, playbook.summary);
    for parameter in &playbook.parameters {
        let must = match (&parameter.default, parameter.required) {
            (Some(default), _) => format!(", {default} when left out"),
            (None, true) => ", needed".to_owned(),
            (None, false) => String::new(),
        };
        let of = match (parameter.values.as_slice(), &parameter.pattern) {
            ([], None) => String::new(),
            ([], Some(pattern)) => format!(" like {pattern}"),
            (values, _) => format!(" one of {}", values.join(", ")),
        };
        let summary = parameter.summary.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        text.push_str(&format!("\n  {}{of}{must}{summary}", parameter.name));
    }
    for part in [Part::Steps, Part::Verify, Part::Rollback] {
        if !playbook.part(part).is_empty() {
            text.push_str(&format!("\n{part}:\n{}", playbook.told(part)));
        }
    }
    for remedy in org.remedies.values().filter(|remedy| remedy.runbook == playbook.id) {
        text.push_str(&format!("\nBegun by itself ({}) when {} fires", remedy.id, matcher::join(&remedy.alerts)));
    }
    let said: Vec<String> =
        playbook.parameters.iter().filter(|it| it.required).map(|it| format!("{}=…", it.name)).collect();
    let with = if said.is_empty() { String::new() } else { format!(" with:\"{}\"", said.join(" ")) };
    text.push_str(&format!("\nWhat it would do: /runbook run {}{with} dry:yes", playbook.id));
    text
}

fn run(run: &Run) -> String {
    let mut text = format!("{}: {}", run.headline(), fill(&run.playbook.summary, &all_values(run)));
    let values: Vec<String> = run.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !values.is_empty() {
        text.push_str(&format!("\nwith {}", values.join(" ")));
    }
    let change = run.change.map(|change| format!(" in {change}")).unwrap_or_default();
    let incident = run.incident.map(|incident| format!(" for {incident}")).unwrap_or_default();
    let by = match &run.remedy {
        Some(remedy) => format!("the remedy {remedy}"),
        None => run.by.to_string(),
    };
    text.push_str(&format!("\nbegun by {by}{change}{incident}, <t:{}:f>", run.started_at.unix_secs()));
    for done in &run.done {
        let of = if done.part == Part::Steps { String::new() } else { format!(" ({})", done.part) };
        let times = if done.attempts > 1 { format!(", {} times", done.attempts) } else { String::new() };
        let how: CompactString = match &done.failure {
            Some(why) => compact_str::format_compact!("failed: {why}"),
            None => "done".into(),
        };
        text.push_str(&format!("\n<t:{}:T> {}{of}: {how}{times}", done.at.unix_secs(), done.step));
        for line in done.output.iter().flat_map(|output| output.lines().take(OUTPUT_LINES)) {
            text.push_str(&format!("\n    {}", line.chars().take(200).collect::<String>()));
        }
    }
    match &run.ended {
        Some(ended) => {
            let why = ended.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            text.push_str(&format!("\n<t:{}:T> {}{why}", ended.at.unix_secs(), ended.ending));
        }
        None => {
            text.push_str(&format!("\nNow: {}", doing(run)));
            text.push_str(&format!("\nNext: {}", next(run)));
        }
    }
    text
}

/// What can be said to it next.
pub fn next(run: &Run) -> String {
    match &run.doing {
        Doing::Asking { .. } => format!("/runbook answer {} yes or no", run.id),
        Doing::Unclear { .. } => format!("/runbook resume {} done, again or failed", run.id),
        Doing::Over => format!("/runbook show {}", run.id),
        _ => format!("/runbook cancel {}", run.id),
    }
}
