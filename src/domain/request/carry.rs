//! The run that fulfils an item of the catalogue. It is begun in the requester's name, with what they may do; what was
//! approved is what is run, so an item that was edited since is not.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::open::{hash, tell_requester, tell_team};
use super::{CLOSES_AFTER, RequestState, ServiceRequest, Step, step};
use crate::domain::authorise::authorise;
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, RunId, ServiceRequestId};
use crate::domain::playbook::spec::{Kind, Playbook};
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
        let message = format!("{} may not have {} any more.", request.requester, ordered.playbook);
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
        format!("{told}\nTo do it by hand: /request take {id}; to give it up: /request reject {id} WHY"),
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
