//! How a run goes on: step after step, until something outside, a person or time has to be waited for. A step that is
//! owed to the outside is done at most once for each time that it stands in the journal as begun; after a crash one that
//! may be done twice is begun again, any other asks a person what happened.

use compact_str::{CompactString, format_compact};

use super::question::{self, Answers};
use super::spec::{Does, OnFailure, Part, Step};
use super::text::{Values, fill, fill_json, fill_url};
use super::{Doing, Ending, Move, OUTPUT_MAX, Performed, PlaybookMoved, Run, Work, act, remedy, signal};
use crate::domain::change::rules::Group;
use crate::domain::change::{self, Outcome};
use crate::domain::delivery::{Content, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::RunId;
use crate::domain::limits;
use crate::domain::org::{Org, Role};
use crate::domain::request;
use crate::domain::time::Span;

/// So much longer than a step may take its receipt is waited for: the performer ends it before.
pub const GRACE: Span = Span::mins(1);
/// Whoever could say what happened to a step is asked again after so long …
const REMINDED: Span = Span::hours(1);
/// … and then so often.
const REMINDED_AGAIN: Span = Span::days(1);
/// The longest wait before a step is tried again.
const BACKOFF_MAX: Span = Span::hours(1);

/// Adds an event to the draft and does to the copy of the run what it will do to the record.
pub(super) fn step(draft: &mut Draft<'_>, run: &mut Run, step: Move) {
    run.moved(&draft.stamp(), &step);
    request::asked::went_on(draft, run, &step);
    draft.emit(Event::PlaybookMoved(Box::new(PlaybookMoved { run: run.id, incident: run.incident, step })));
}

/// A run as it will be with what this decision has done so far.
pub(in crate::domain) fn so_far(draft: &Draft<'_>, run: &Run) -> Run {
    let mut run = run.clone();
    for event in draft.events() {
        if let Event::PlaybookMoved(moved) = event
            && moved.run == run.id
        {
            run.moved(&draft.stamp(), &moved.step);
        }
    }
    run
}

/// A moment of a run has come.
pub fn due(draft: &mut Draft<'_>, id: RunId) {
    let Some(mut run) = draft.state.runs.get(&id).map(|run| (**run).clone()) else { return };
    match run.doing.clone() {
        Doing::Next { .. } | Doing::Again { .. } => go(draft, &mut run),
        Doing::Waiting { .. } => done(draft, &mut run, None),
        Doing::Asking { .. } => failed(draft, &mut run, "nobody answered in time".into(), None, false),
        Doing::Hearing { awaited, .. } => {
            let reason = format_compact!("it was not heard in time that {awaited}");
            failed(draft, &mut run, reason, None, false);
        }
        Doing::Heard { failure: None, output, .. } => done(draft, &mut run, output),
        Doing::Heard { failure: Some(reason), output, .. } => failed(draft, &mut run, reason, output, false),
        Doing::Owed { .. } => unknown(draft, &mut run, "it did not come back in time"),
        Doing::Unclear { reason, .. } => remind(draft, &mut run, &reason),
        Doing::Over => {}
    }
}

/// What was done outside has come back. What nobody waits for any more changes nothing.
pub fn performed(draft: &mut Draft<'_>, id: RunId, attempt: u16, outcome: &Performed) {
    let Some(mut run) = draft.state.runs.get(&id).map(|run| (**run).clone()) else { return };
    if run.attempt != attempt || !matches!(run.doing, Doing::Owed { .. }) {
        return;
    }
    let kept = |text: &str| limits::lines(text, OUTPUT_MAX).map(CompactString::from);
    match outcome {
        Performed::Done { output } => done(draft, &mut run, kept(output)),
        Performed::Failed { reason, output } => {
            let reason = kept(reason).unwrap_or_else(|| "it failed".into());
            failed(draft, &mut run, reason, kept(output), true);
        }
        Performed::Unknown { reason } => unknown(draft, &mut run, reason),
    }
}

/// The process has begun anew: whatever was owed to the outside may have been done or not.
pub fn restarted(draft: &mut Draft<'_>) {
    let owed = |run: &Run| matches!(run.doing, Doing::Owed { .. });
    let ids: Vec<RunId> = draft.state.runs.values().filter(|run| owed(run)).map(|run| run.id).collect();
    for id in ids {
        let Some(mut run) = draft.state.runs.get(&id).map(|run| (**run).clone()) else { continue };
        if run.step().is_some_and(|step| step.idempotent) {
            go(draft, &mut run);
        } else {
            unclear(draft, &mut run, "Opsbell was restarted in the middle of it");
        }
    }
}

/// Goes on with the next step, and those after it that take no time.
pub(super) fn go(draft: &mut Draft<'_>, run: &mut Run) {
    loop {
        let Some(next) = run.step().cloned() else {
            match run.part {
                Part::Steps if !run.playbook.verify.is_empty() => {
                    step(draft, run, Move::Turned { part: Part::Verify, reason: None });
                    continue;
                }
                Part::Steps | Part::Verify => return finish(draft, run, Ending::Done, None),
                Part::Rollback => return finish(draft, run, Ending::RolledBack, None),
            }
        };
        let values = all_values(run);
        let private = run.incident.is_some_and(|id| draft.state.meta.private.contains(&id));
        let (id, now) = (next.id.clone(), draft.now);
        let doing = match &next.does {
            Does::Say { text, channel } => {
                let text = fill(text, &values);
                step(draft, run, Move::Began { step: id.clone(), doing: Doing::Next { since: now } });
                match channel {
                    Some(channel) if !private => say_in(draft, channel.clone(), text.to_string()),
                    _ => post(draft, run, text.to_string()),
                }
                step(draft, run, Move::Ended { step: id, failure: None, output: Some(text) });
                continue;
            }
            Does::Note(text) => {
                let text = fill(text, &values);
                step(draft, run, Move::Began { step: id.clone(), doing: Doing::Next { since: now } });
                note(draft, run, &text);
                step(draft, run, Move::Ended { step: id, failure: None, output: Some(text) });
                continue;
            }
            Does::Wait(span) => Doing::Waiting { until: now.after(*span) },
            Does::Act(said) => {
                let said = said.map(&|text| fill(text, &values));
                return act::act(draft, run, &next, &said);
            }
            Does::Until { awaited, within } => {
                let awaited = awaited.map(&|text| fill(text, &values));
                let doing = match signal::now(draft, run, &awaited) {
                    None => Doing::Hearing { awaited, until: now.after(*within) },
                    Some(Ok(output)) => Doing::Heard { since: now, failure: None, output: Some(output) },
                    Some(Err(why)) => Doing::Heard { since: now, failure: Some(why), output: None },
                };
                return step(draft, run, Move::Began { step: id, doing });
            }
            Does::Ask { question, of, within } => {
                let question = fill(question, &values);
                let until = now.after(*within);
                step(draft, run, Move::Began { step: id, doing: Doing::Asking { question: question.clone(), until } });
                return ask(draft, run, &question, of.as_deref(), until);
            }
            Does::Http(_) | Does::Run(_) => match work(&next, &values) {
                Ok(work) => Doing::Owed { work, until: now.after(next.timeout).after(GRACE) },
                Err(reason) => {
                    step(draft, run, Move::Began { step: id, doing: Doing::Next { since: now } });
                    return failed(draft, run, reason, None, false);
                }
            },
        };
        return step(draft, run, Move::Began { step: id, doing });
    }
}

/// The values of a run with those that every run has.
pub(super) fn all_values(run: &Run) -> Values {
    let mut values = run.values.clone();
    values.insert("run".into(), format_compact!("{}", run.id));
    values.insert("by".into(), format_compact!("{}", run.by));
    // Of a request for somebody else it is said.
    values.entry("for".into()).or_insert_with(|| format_compact!("{}", run.by));
    values.extend(run.change.map(|change| ("change".into(), format_compact!("{change}"))));
    values.extend(run.request.map(|request| ("request".into(), format_compact!("{request}"))));
    values.extend(run.incident.map(|incident| ("incident".into(), format_compact!("{incident}"))));
    values
}

/// What a step asks of the outside, with the values in it.
pub(super) fn work(step: &Step, values: &Values) -> Result<Work, CompactString> {
    Ok(match &step.does {
        Does::Http(http) => {
            let url = fill_url(&http.url, values)
                .map_err(|name| format_compact!("`{name}` is nothing but dots, and would lead to another address"))?;
            let json = http.json.as_ref().map(|json| fill_json(json, values));
            let expect = http
                .expect
                .as_ref()
                .map(|expect| super::spec::Expected { is: fill_json(&expect.is, values), ..expect.clone() });
            Work::Http(super::spec::Http { url, json, expect, ..http.clone() })
        }
        Does::Run(program) => {
            let args = program.args.iter().map(|arg| fill(arg, values)).collect();
            Work::Run(super::spec::Program { args, ..program.clone() })
        }
        _ => return Err("it asks nothing of the outside".into()),
    })
}

/// The step was done.
pub(super) fn done(draft: &mut Draft<'_>, run: &mut Run, output: Option<CompactString>) {
    let Some(id) = run.step().map(|step| step.id.clone()) else { return };
    step(draft, run, Move::Ended { step: id, failure: None, output });
    go(draft, run);
}

/// The step failed: it is tried again, or what its `on_failure` says follows.
pub(super) fn failed(
    draft: &mut Draft<'_>,
    run: &mut Run,
    reason: CompactString,
    output: Option<CompactString>,
    again: bool,
) {
    let Some(failed) = run.step().cloned() else { return };
    if again && u32::from(run.attempt) <= failed.retries {
        let doubled = 1i64 << run.attempt.saturating_sub(1).min(20);
        let wait = Span(failed.backoff.0.saturating_mul(doubled)).min(BACKOFF_MAX);
        let at = draft.now.after(wait);
        return step(draft, run, Move::Retried { step: failed.id, reason, at });
    }
    let (id, told) = (failed.id.clone(), format_compact!("{}: {reason}", failed.id));
    step(draft, run, Move::Ended { step: id, failure: Some(reason), output });
    match failed.on_failure {
        OnFailure::Continue => go(draft, run),
        OnFailure::Rollback if run.part != Part::Rollback && !run.playbook.rollback.is_empty() => {
            post(draft, run, format!("{}: {told}. It is being taken back.", run.headline()));
            step(draft, run, Move::Turned { part: Part::Rollback, reason: Some(told) });
            go(draft, run);
        }
        OnFailure::Rollback | OnFailure::Stop => finish(draft, run, Ending::Failed, Some(told)),
    }
}

/// Nobody knows whether the step was done: one that may be done twice is tried again like one that failed.
fn unknown(draft: &mut Draft<'_>, run: &mut Run, reason: &str) {
    if run.step().is_some_and(|step| step.idempotent) {
        failed(draft, run, reason.into(), None, true);
    } else {
        unclear(draft, run, reason);
    }
}

/// Asks a person what happened.
fn unclear(draft: &mut Draft<'_>, run: &mut Run, reason: &str) {
    let Some(id) = run.step().map(|step| step.id.clone()) else { return };
    let reason: CompactString = limits::line(reason, 300).unwrap_or_default().into();
    let remind = Some(draft.now.after(REMINDED));
    step(draft, run, Move::Unclear { step: id.clone(), reason: reason.clone(), remind });
    let text = format!(
        "{}: nobody knows whether {id} was done: {reason}.\nLook, then say: /runbook resume {1} done, again or failed",
        run.headline(),
        run.id
    );
    question::put(draft, run, &text, (run.by.person(), Answers::Happened));
    remedy::not_worked(draft, run, &format!("nobody knows whether {id} was done: {reason}"));
}

/// Nobody has said yet what happened to the step: it is asked again, each day.
fn remind(draft: &mut Draft<'_>, run: &mut Run, reason: &str) {
    let Some(id) = run.step().map(|step| step.id.clone()) else { return };
    let since = run.change.map(|change| format!(" {change} goes on meanwhile.")).unwrap_or_default();
    let text = format!(
        "{} still waits to be told whether {id} was done: {reason}.{since}\n/runbook resume {1} done, again or failed; to give it up: /runbook cancel {1}",
        run.headline(),
        run.id
    );
    question::put(draft, run, &text, (run.by.person(), Answers::Happened));
    step(draft, run, Move::Reminded { step: id, remind: draft.now.after(REMINDED_AGAIN) });
}

/// The run is over, and with it the change that it carried out.
pub(super) fn finish(draft: &mut Draft<'_>, run: &mut Run, ending: Ending, reason: Option<CompactString>) {
    // What was taken back says why; the last word is that of the failure before.
    let why = reason.clone().or_else(|| {
        let bad = run.done.iter().rfind(|done| done.part != Part::Rollback && done.failure.is_some())?;
        (ending != Ending::Done).then(|| format_compact!("{}: {}", bad.step, bad.failure.as_deref().unwrap_or("")))
    });
    step(draft, run, Move::Finished { ending, reason });
    let because = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let told = format!("{} is {ending}{because}", run.headline());
    note(draft, run, &told);
    remedy::ended(draft, run, ending, why.as_deref());
    request::carry::ended(draft, run, ending, why.as_deref());
    let outcome = match ending {
        Ending::Done => Outcome::Successful,
        Ending::RolledBack => Outcome::RolledBack,
        Ending::Failed | Ending::Cancelled => Outcome::Failed,
    };
    let ended = run.change.and_then(|id| change::carry::end(draft, id, outcome, Some(&told)).ok());
    // The end of a change is told by the change.
    if ended.is_none() {
        post(draft, run, told);
    }
}

/// Writes a line into the record that the run belongs to.
pub(super) fn note(draft: &mut Draft<'_>, run: &Run, text: &str) {
    if let Some(incident) = run.incident.filter(|id| draft.open(*id).is_ok())
        && let Some(text) = limits::lines(text, OUTPUT_MAX)
    {
        draft.emit(Event::IncidentNoted { incident, text: text.into() });
    }
}

/// Tells whoever follows: the room of the incident, else the channel of the service's team.
pub(super) fn post(draft: &mut Draft<'_>, run: &Run, text: String) {
    post_content(draft, run, Content::Post { text });
}

/// The same of anything that can be said in a channel.
pub(super) fn post_content(draft: &mut Draft<'_>, run: &Run, content: Content) {
    match run.incident {
        Some(incident) if draft.incident(incident).is_some() => draft.post_content(incident, content),
        // Of a private incident nothing is told in a channel, also when it is closed.
        Some(incident) if draft.state.meta.private.contains(&incident) => {}
        _ => change::life::post_content(draft, &run.team, content),
    }
}

fn say_in(draft: &mut Draft<'_>, channel: crate::domain::delivery::ChannelRef, text: String) {
    if draft.org.chat_connected {
        let channel = draft.org.channel(&channel);
        draft.owe(None, None, Destination::Channel(channel), Priority::Post, Content::Post { text });
    }
}

fn ask(draft: &mut Draft<'_>, run: &Run, question: &str, of: Option<&str>, until: crate::domain::time::Timestamp) {
    let who = of.and_then(group);
    let names = who.as_ref().map(|who| format!(" ({who} answers)")).unwrap_or_default();
    let id = run.id;
    let text = format!(
        "{} asks{names}: {question}\nUntil <t:{}:f>: /runbook answer {id} yes, or /runbook answer {id} no",
        run.headline(),
        until.unix_secs()
    );
    let person = match &who {
        Some(Group::Person(person)) => Some(person),
        None => run.by.person(),
        Some(_) => None,
    };
    question::put(draft, run, &text, (person, Answers::YesOrNo));
}

/// `person:cleo`, `team:payments`, `role:admin`.
pub fn group(text: &str) -> Option<Group> {
    match text.split_once(':')? {
        ("person", id) => Some(Group::Person(id.into())),
        ("team", id) => Some(Group::Team(id.into())),
        ("role", "admin") => Some(Group::Role(Role::Admin)),
        ("role", "responder") => Some(Group::Role(Role::Responder)),
        ("role", "stakeholder") => Some(Group::Role(Role::Stakeholder)),
        _ => None,
    }
}

/// The service that a run is on, by its parameter.
pub(super) fn service_of(org: &Org, values: &Values) -> Option<crate::domain::id::ServiceId> {
    let service = values.get("service").map(|name| crate::domain::id::ServiceId(name.clone()))?;
    org.services.contains_key(&service).then_some(service)
}
