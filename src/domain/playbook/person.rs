//! What people do to a run: answer what it asks, say what happened to a step, stop it.

use super::acts::Act;
use super::drive::{self, done, failed, finish, go};
use super::question;
use super::spec::Does;
use super::{Doing, Ending, Run};
use crate::domain::actor::Actor;
use crate::domain::authorise::{authorise_by, word};
use crate::domain::command::Resumed;
use crate::domain::command::spec::Permission;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, RunId};
use crate::domain::incident::private;
use crate::domain::input::Reply;
use crate::domain::limits;
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::state::State;

/// Whether the asker may see a run: one for a private incident only its people, and whoever began it.
pub(super) fn may_see(draft: &Draft<'_>, run: &Run) -> bool {
    visible(draft.org, draft.state, draft.actor(), run)
}

/// The same for whoever reads otherwise.
pub fn visible(org: &Org, state: &State, actor: &Actor, run: &Run) -> bool {
    run.incident.is_none_or(|id| private::may_know(org, state, actor, id)) || run.by == *actor
}

/// A run; else a refusal that says what there is.
pub(super) fn any<'a>(draft: &Draft<'a>, id: RunId) -> Result<&'a Run, Reject> {
    if let Some(run) = draft.state.runs.get(&id).filter(|run| !may_see(draft, run)) {
        return Err(Reject::new(RejectCode::NotAllowed, format!("{} is for a private incident.", run.id))
            .hint("Ask one of its people to invite you: /incident invite"));
    }
    draft.state.runs.get(&id).map(|run| &**run).ok_or_else(|| {
        let last = draft.state.meta.runs;
        let message = match last {
            0 => format!("There is no {id}: nothing has been run yet."),
            _ if id.0 >= 1 && id.0 <= last => format!("{id} is over, and so long ago that only the journal has it."),
            _ => format!("There is no {id}; the last one is RUN-{last}."),
        };
        Reject::new(RejectCode::NotFound, message).hint("See what runs: /runbook list")
    })
}

/// A copy of a run that is not over.
fn open(draft: &Draft<'_>, id: RunId) -> Result<Run, Reject> {
    let run = any(draft, id)?;
    match &run.ended {
        None => Ok(run.clone()),
        Some(ended) => Err(Reject::new(RejectCode::Conflict, format!("{id} is over: {}.", ended.ending))
            .hint(format!("See it: /runbook show {id}"))),
    }
}

/// The run that carries a change out, while it does.
pub fn carrier(state: &State, change: ChangeId) -> Option<&Run> {
    state.runs.values().map(|run| &**run).find(|run| run.change == Some(change) && run.ended.is_none())
}

/// A change that a run carries out is ended by the run: else its steps would go on under a change that is over.
///
/// # Errors
/// A run carries it out.
pub fn hands_off(draft: &Draft<'_>, change: ChangeId) -> Result<(), Reject> {
    let Some(run) = carrier(draft.state, change) else { return Ok(()) };
    let step = run.step().map(|step| format!(", at {}", step.id)).unwrap_or_default();
    Err(Reject::new(RejectCode::Conflict, format!("{} carries {change} out{step}, and ends it.", run.id)).hint(
        format!("See it: /runbook show {0}. To stop it, and with it the change: /runbook cancel {0} WHY", run.id),
    ))
}

/// A reply about a run, and about its incident: of a private one only the asker reads it.
pub(super) fn about(run: &Run, reply: Reply) -> Reply {
    let reply = reply.about(run.id);
    match run.incident {
        Some(incident) => reply.about(incident),
        None => reply,
    }
}

fn told(run: &Run, said: &str) -> Reply {
    let next = match &run.ended {
        Some(ended) => format!("It is {}.", ended.ending),
        None => format!("Follow it: /runbook show {}", run.id),
    };
    about(run, Reply::done(format!("{}: {said}.\n{next}", run.headline())))
}

/// `/runbook answer`.
pub fn answer(draft: &mut Draft<'_>, id: RunId, yes: bool, text: Option<&str>) -> Result<Reply, Reject> {
    let mut run = open(draft, id)?;
    let asked = run.step().map(|step| step.does.clone());
    let of = match asked {
        Some(Does::Ask { of, .. }) => Some(of),
        Some(Does::Act(Act::Request { of, .. })) => Some(Some(of)),
        _ => None,
    };
    let (Doing::Asking { until, .. }, Some(of)) = (&run.doing, of) else {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} asks nothing just now."))
            .hint(format!("See it: /runbook show {id}")));
    };
    let until = *until;
    may_answer(draft, &run, of.as_deref())?;
    // The moment at which that fails the step may be behind this in the queue.
    if draft.now >= until {
        return Err(question::late(id, until));
    }
    let word = if yes { "yes" } else { "no" };
    let who = draft.actor().clone();
    let words = text.and_then(|text| limits::line(text, 500)).map(|text| format!(": {text}")).unwrap_or_default();
    if yes {
        done(draft, &mut run, Some(format!("{who} says yes{words}").into()));
    } else {
        failed(draft, &mut run, format!("{who} says no{words}").into(), None, false);
    }
    Ok(told(&run, &format!("you said {word}")))
}

/// Only those may answer who are asked; where nobody is named, whoever may run it.
fn may_answer(draft: &mut Draft<'_>, run: &Run, of: Option<&str>) -> Result<(), Reject> {
    let by = (draft.actor(), draft.by.granted);
    let refusal = match (of.and_then(drive::group), draft.person()) {
        (Some(group), Some(person)) if draft.org.belongs(person, &group) => return Ok(()),
        (Some(group), _) => Reject::new(RejectCode::NotAllowed, format!("{} asks {group}, not you.", run.id))
            .hint(format!("See it: /runbook show {}", run.id)),
        (None, _) => match authorise_by(draft.org, by, run.playbook.permission.max(Permission::Respond), None) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        },
    };
    draft.emit(Event::AttemptRefused {
        command: "runbook answer".into(),
        permission: of.unwrap_or(word(run.playbook.permission)).into(),
        incident: None,
        record: Some(compact_str::format_compact!("{}", run.id)),
    });
    Err(refusal)
}

/// `/runbook resume`: what happened to a step of which nobody knew.
pub fn resume(draft: &mut Draft<'_>, id: RunId, how: Resumed) -> Result<Reply, Reject> {
    let mut run = open(draft, id)?;
    if !matches!(run.doing, Doing::Unclear { .. }) {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} does not wait for that."))
            .hint(format!("See what it does: /runbook show {id}")));
    }
    let who = draft.actor().clone();
    let said = match how {
        Resumed::Done => {
            done(draft, &mut run, Some(format!("{who} says that it was done").into()));
            "the step counts as done"
        }
        Resumed::Again => {
            go(draft, &mut run);
            "the step is done again"
        }
        Resumed::Failed => {
            failed(draft, &mut run, format!("{who} says that it failed").into(), None, false);
            "the step counts as failed"
        }
    };
    Ok(told(&run, said))
}

/// `/runbook cancel`. What is under way outside is not called back; whatever it answers counts no more.
pub fn cancel(draft: &mut Draft<'_>, id: RunId, reason: Option<&str>) -> Result<Reply, Reject> {
    let mut run = open(draft, id)?;
    let outside = matches!(run.doing, Doing::Owed { .. });
    let who = draft.actor().clone();
    let why = reason.and_then(|text| limits::line(text, 300)).map(|text| format!(": {text}")).unwrap_or_default();
    let step = run.step().map(|step| step.id.to_string()).unwrap_or_default();
    finish(draft, &mut run, Ending::Cancelled, Some(format!("by {who}, at {step}{why}").into()));
    let under_way =
        if outside { format!(" {step} was under way, and may be done all the same.") } else { String::new() };
    let back = match run.playbook.rollback.is_empty() {
        true => String::new(),
        false => format!("\nNothing was taken back. How: /runbook show {}", run.playbook.id),
    };
    Ok(about(&run, Reply::done(format!("{} is cancelled.{under_way}{back}", run.headline()))))
}
