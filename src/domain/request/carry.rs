//! The run that fulfils an item of the catalogue. It is begun in the requester's name, with what they may do; what was
//! approved is what is run, so an item that was edited since is not. One that failed may be begun again by whoever fulfils
//! the request; what would be done a second time by that, is said before.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::open::{hash, tell_requester, tell_team};
use super::{CLOSES_AFTER, RequestState, ServiceRequest, Step, life, show, step};
use crate::domain::authorise::{authorise, word};
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, RunId, ServiceRequestId};
use crate::domain::input::Reply;
use crate::domain::playbook::acts::Act;
use crate::domain::playbook::spec::{self, Does, Kind, Playbook};
use crate::domain::playbook::{Ending, Run, start, values};
use crate::domain::reject::{Reject, RejectCode};

/// The item of a request as it stands now, if it may be run for its requester.
///
/// # Errors
/// It is gone, or was edited; or the requester may not have it any more.
pub(super) fn current(draft: &Draft<'_>, request: &ServiceRequest) -> Result<Option<Arc<Playbook>>, Reject> {
    let Some(ordered) = &request.item else { return Ok(None) };
    let anew = format!("Have it asked for anew: /request reject {} \"ask anew\"", request.id);
    let known = draft.org.playbooks.get(&ordered.playbook).filter(|playbook| playbook.kind == Kind::Request);
    let Some(playbook) = known.filter(|playbook| hash(playbook) == ordered.hash) else {
        let what = if known.is_some() { "was edited since it was asked for" } else { "is no longer in the catalogue" };
        return Err(Reject::new(RejectCode::Conflict, format!("The item {} {what}.", ordered.playbook)).hint(anew));
    };
    let said: Vec<(CompactString, String)> =
        ordered.values.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
    values::read(draft.org, playbook, &said)?;
    if authorise(draft.org, &request.requester, playbook.permission, None).is_err() {
        let message = format!(
            "{} may not have {}: that takes the permission `{}` by the configuration, and what a role of the chat grants counts only while they ask.",
            request.requester,
            ordered.playbook,
            word(playbook.permission)
        );
        return Err(Reject::new(RejectCode::Conflict, message).hint(anew));
    }
    Ok(Some(playbook.clone()))
}

/// Begins the run.
///
/// # Errors
/// Too much runs already.
pub(super) fn begin(
    draft: &mut Draft<'_>,
    request: &mut ServiceRequest,
    playbook: &Arc<Playbook>,
) -> Result<RunId, Reject> {
    let run = start::by_request(draft, playbook, request)?;
    step(draft, request, Step::Began { run });
    Ok(run)
}

/// `/request retry`: the item runs again, as it was approved.
///
/// # Errors
/// Whoever asks does not fulfil it, there is nothing to run, or the last run did what would be done a second time and
/// `again` does not say that this is meant.
pub(super) fn retry(draft: &mut Draft<'_>, id: ServiceRequestId, again: bool) -> Result<Reply, Reject> {
    let mut request = life::open(draft, id)?;
    life::may_fulfil(draft, &request, "retry")?;
    life::hands_off(&request)?;
    life::approved(&request)?;
    let stands = |why: &str| {
        Reject::new(RejectCode::Conflict, format!("{id} {why}: there is nothing to run again."))
            .hint(show::next(&request))
    };
    if request.state != RequestState::Approved {
        return Err(stands(&format!("is {}", request.state)));
    }
    let Some(playbook) = current(draft, &request)? else { return Err(stands("was asked for in words")) };
    let twice = twice(draft, id);
    if let (Some(what), false) = (&twice, again) {
        return Err(Reject::new(RejectCode::Conflict, format!("{what} Run again, that is done a second time."))
            .hint(format!("If it may be: /request retry {id} again:yes; else by hand: /request take {id}")));
    }
    let run = begin(draft, &mut request, &playbook)?;
    let though = twice.map(|what| format!(" {what} It may be done a second time.")).unwrap_or_default();
    let told = format!("{} is tried again by {}: {run} fulfils it.{though}", request.headline(), draft.actor());
    tell_requester(draft, &request, &told);
    tell_team(draft, &request, told.clone());
    Ok(Reply::done(format!("{told}\n{}", show::next(&request))).about(id).about(run))
}

/// What the runs for a request did, or may have done, that is not the same when it is done twice; `None`: nothing.
/// What failed is known not to have been done, as wherever a step is tried again.
fn twice(draft: &Draft<'_>, id: ServiceRequestId) -> Option<String> {
    let mut runs = draft.state.runs.values().filter(|run| run.request == Some(id)).peekable();
    if runs.peek().is_none() {
        return Some(format!("What was done for {id} is so long ago that only the journal has it."));
    }
    let told: Vec<String> = runs.filter_map(|run| done_by(run)).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

fn done_by(run: &Run) -> Option<String> {
    let counts = |step: &spec::Step| {
        let outside = matches!(&step.does, Does::Http(_) | Does::Run(_));
        let inside = matches!(&step.does, Does::Act(act) if !matches!(act, Act::Request { .. }));
        (outside || inside) && !step.idempotent
    };
    let of = |part, name: &str| run.playbook.part(part).iter().find(|step| step.id == name);
    let mut did: Vec<&str> = Vec::new();
    for done in run.done.iter().filter(|done| done.failure.is_none()) {
        if of(done.part, &done.step).is_some_and(counts) && !did.contains(&done.step.as_str()) {
            did.push(&done.step);
        }
    }
    let perhaps = run.step().filter(|step| run.attempt > 0 && counts(step)).map(|step| step.id.as_str());
    let did = (!did.is_empty()).then(|| format!("did {}", did.join(", ")));
    let perhaps = perhaps.map(|step| format!("may have done {step}"));
    let what: Vec<String> = did.into_iter().chain(perhaps).collect();
    (!what.is_empty()).then(|| format!("{} {}.", run.id, what.join(" and ")))
}

/// A run is over: the request that it was begun for is fulfilled, or waits for a person.
pub fn ended(draft: &mut Draft<'_>, run: &Run, ending: Ending, why: Option<&str>) {
    let Some(mut request) = run.request.and_then(|id| of(draft, id)) else { return };
    if request.state != RequestState::InFulfilment || request.run != Some(run.id) {
        return;
    }
    let id = request.id;
    if ending == Ending::Done {
        let closes = draft.now.after(CLOSES_AFTER);
        step(draft, &mut request, Step::Fulfilled { text: None, closes });
        let text = format!(
            "{} is fulfilled, by {}.\nAs you wanted it? /request close {id}; it is closed of itself <t:{}:f>",
            request.headline(),
            run.id,
            closes.unix_secs()
        );
        return tell_requester(draft, &request, &text);
    }
    let because = why.map(|why| format!(": {why}")).unwrap_or_default();
    step(draft, &mut request, Step::Stalled { reason: format_compact!("{} is {ending}{because}", run.id) });
    let told = format!("{} is not fulfilled: {} is {ending}{because}.", request.headline(), run.id);
    tell_team(
        draft,
        &request,
        format!(
            "{told}\nTo do it by hand: /request take {id}; to try it again: /request retry {id}; to give it up: /request reject {id} WHY"
        ),
    );
    tell_requester(draft, &request, &format!("{told}\nTeam {} has been told.", request.team));
}

/// A run has asked for a change: its request names it.
pub fn asked_for(draft: &mut Draft<'_>, run: &Run, change: ChangeId) {
    if let Some(mut request) = run.request.and_then(|id| of(draft, id)) {
        step(draft, &mut request, Step::Linked { change });
    }
}

fn of(draft: &Draft<'_>, id: ServiceRequestId) -> Option<ServiceRequest> {
    draft.state.requests.get(&id).map(|request| (**request).clone())
}
