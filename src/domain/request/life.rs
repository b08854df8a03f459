//! What people do to a request:
//!
//! | from | by | to |
//! |---|---|---|
//! | – | `/request new`, by an item that somebody has to approve; or in words; a playbook's step `request` | submitted |
//! | – | `/request new`, `/runbook run`, by an item that nobody has to approve | approved, and its run begins |
//! | submitted | `/request approve`, by one of the item's approvers | approved, and its run begins |
//! | submitted (in words), approved | `/request take` | in-fulfilment, by a person |
//! | approved | its run begins | in-fulfilment, by the run |
//! | in-fulfilment | the run ends badly | approved: a person takes it, or `/request retry` begins another run |
//! | in-fulfilment, by a person; or not taken yet | `/request fulfil` | fulfilled |
//! | in-fulfilment | the run is done | fulfilled |
//! | fulfilled | `/request close`, or three days | closed |
//! | before it is fulfilled, and no run at it | `/request reject`, `/request cancel` | rejected, cancelled |
//!
//! Nobody approves what they asked for or get, by person and not by account. The team that fulfils it, those whom a step
//! asks, and administrators fulfil it. A refused attempt stands in the journal.

use compact_str::{CompactString, format_compact};

use super::open::{tell_requester, tell_team};
use super::{CLOSES_AFTER, RequestState, ServiceRequest, Step, TEXT_MAX, carry, show, step};
use crate::domain::authorise::authorise_by;
use crate::domain::change::rules::Group;
use crate::domain::command::spec::Permission;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::ServiceRequestId;
use crate::domain::input::Reply;
use crate::domain::limits;
use crate::domain::playbook::drive::group;
use crate::domain::playbook::person;
use crate::domain::reject::{Reject, RejectCode};

/// A request, open or over; else a refusal that says what there is.
pub fn any<'a>(draft: &Draft<'a>, id: ServiceRequestId) -> Result<&'a ServiceRequest, Reject> {
    draft.request(id).ok_or_else(|| {
        let message = match draft.state.meta.requests {
            0 => format!("There is no {id}: nothing has been requested yet."),
            last => format!("There is no {id}; the last one is REQ-{last}."),
        };
        Reject::new(RejectCode::NotFound, message).hint("See what is open: /request list")
    })
}

/// A copy of a request that is not over.
pub(super) fn open(draft: &Draft<'_>, id: ServiceRequestId) -> Result<ServiceRequest, Reject> {
    let request = any(draft, id)?;
    if request.state.over() {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is {}: nothing more comes of it.", request.state))
            .hint("Still wanted? Ask for it anew: /request new …"));
    }
    Ok(request.clone())
}

/// A refused attempt stands in the journal.
fn refused(draft: &mut Draft<'_>, command: &str, permission: &str, id: ServiceRequestId, reject: Reject) -> Reject {
    draft.emit(Event::AttemptRefused {
        command: format_compact!("request {command}"),
        permission: permission.into(),
        incident: None,
        record: Some(format_compact!("{id}")),
    });
    reject
}

fn not_allowed(message: String, request: &ServiceRequest) -> Reject {
    Reject::new(RejectCode::NotAllowed, message).hint(format!("See it: /request show {}", request.id))
}

/// Who fulfils it, in words.
pub(super) fn fulfillers(request: &ServiceRequest) -> String {
    request.of.as_deref().and_then(group).map_or_else(|| format!("team {}", request.team), |who| who.to_string())
}

/// Whether whoever asks is an administrator.
fn administers(draft: &Draft<'_>) -> bool {
    authorise_by(draft.org, (draft.actor(), draft.by.granted), Permission::Administer, None).is_ok()
}

/// Asks whether whoever asks may fulfil it.
pub(super) fn may_fulfil(draft: &mut Draft<'_>, request: &ServiceRequest, command: &str) -> Result<(), Reject> {
    let who = match request.of.as_deref().and_then(group) {
        Some(who) => who,
        None => Group::Team(request.team.clone()),
    };
    let belongs = draft.person().is_some_and(|person| draft.org.belongs(person, &who));
    if belongs || administers(draft) {
        return Ok(());
    }
    let reject = not_allowed(format!("{} is for {} to fulfil.", request.id, fulfillers(request)), request);
    Err(refused(draft, command, "fulfil", request.id, reject))
}

/// Asks whether whoever asks may judge it.
fn may_judge(draft: &mut Draft<'_>, request: &ServiceRequest, command: &str) -> Result<(), Reject> {
    let id = request.id;
    let Some(person) = draft.person() else {
        let reject = not_allowed(format!("Only a person of the organisation approves {id}."), request);
        return Err(refused(draft, command, "approve", id, reject));
    };
    if request.is_for(person) {
        let who = show::approvers(request);
        let reject = not_allowed(format!("{id} is for you: somebody else approves it, of {who}."), request);
        return Err(refused(draft, command, "approve", id, reject));
    }
    let groups = request.approvers.iter().filter_map(|who| group(who));
    if groups.into_iter().any(|who| draft.org.belongs(person, &who)) {
        return Ok(());
    }
    let reject = not_allowed(format!("{id} is for {} to approve.", show::approvers(request)), request);
    Err(refused(draft, command, "approve", id, reject))
}

/// A run that is at it ends it.
pub(super) fn hands_off(request: &ServiceRequest) -> Result<(), Reject> {
    let Some(run) = request.carrier() else { return Ok(()) };
    Err(Reject::new(RejectCode::Conflict, format!("{run} fulfils {}, and says when it is done.", request.id))
        .hint(format!("Follow it: /runbook show {run}; to stop it: /runbook cancel {run} WHY")))
}

/// `/request approve`.
pub fn approve(draft: &mut Draft<'_>, id: ServiceRequestId) -> Result<Reply, Reject> {
    let mut request = open(draft, id)?;
    if request.approvers.is_empty() {
        return Err(
            Reject::new(RejectCode::Conflict, format!("{id} needs nobody's approval.")).hint(show::next(&request))
        );
    }
    may_judge(draft, &request, "approve")?;
    if !request.awaits_approval() {
        return Ok(
            Reply::done(format!("{id} is approved already. Nothing changed.\n{}", show::next(&request))).about(id)
        );
    }
    let playbook = carry::current(draft, &request)?;
    step(draft, &mut request, Step::Approved);
    let mut reply = Reply::default();
    let mut told = format!("{} is approved by {}.", request.headline(), draft.actor());
    if let Some(playbook) = playbook {
        let run = carry::begin(draft, &mut request, &playbook)?;
        told.push_str(&format!(" {run} fulfils it."));
        reply = reply.about(id).about(run);
    } else {
        reply = reply.about(id);
    }
    tell_requester(draft, &request, &told);
    tell_team(draft, &request, told.clone());
    Ok(Reply { ok: true, text: format!("{told}\n{}", show::next(&request)), ..reply })
}

/// `/request reject`: by those who may approve it, as long as they have not; then by those who would fulfil it.
pub fn reject(draft: &mut Draft<'_>, id: ServiceRequestId, text: &str) -> Result<Reply, Reject> {
    let mut request = open(draft, id)?;
    if let Some(asked) = request.asked_by.clone() {
        may_fulfil(draft, &request, "reject")?;
        return person::answer(draft, asked.run, false, Some(text)).map(|reply| reply.about(id));
    }
    if request.awaits_approval() {
        may_judge(draft, &request, "reject")?;
    } else {
        may_fulfil(draft, &request, "reject")?;
    }
    if !request.state.waits() {
        return Err(
            Reject::new(RejectCode::Conflict, format!("{id} is {} already.", request.state)).hint(show::next(&request))
        );
    }
    hands_off(&request)?;
    let Some(reason) = limits::line(text, TEXT_MAX) else {
        return Err(Reject::new(RejectCode::Missing, "Why is it rejected?").hint(format!("/request reject {id} WHY")));
    };
    step(draft, &mut request, Step::Rejected { reason: reason.clone().into() });
    let told = format!("{} is rejected by {}: {reason}", request.headline(), draft.actor());
    tell_requester(draft, &request, &told);
    tell_team(draft, &request, told);
    Ok(Reply::done(format!("{id} is rejected. Its record stays: /request show {id}")).about(id))
}

/// `/request take`.
pub fn take(draft: &mut Draft<'_>, id: ServiceRequestId) -> Result<Reply, Reject> {
    let mut request = open(draft, id)?;
    may_fulfil(draft, &request, "take")?;
    hands_off(&request)?;
    approved(&request)?;
    if request.state == RequestState::Fulfilled {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is fulfilled already.")).hint(show::next(&request)));
    }
    if request.state == RequestState::InFulfilment && request.fulfiller.as_ref() == draft.person() {
        return Ok(Reply::done(format!("{id} is yours already. Nothing changed.\n{}", show::next(&request))).about(id));
    }
    step(draft, &mut request, Step::Taken);
    let told = format!("{} is taken by {}.", request.headline(), draft.actor());
    tell_requester(draft, &request, &told);
    tell_team(draft, &request, told);
    Ok(Reply::done(format!("{id} is yours.\n{}", show::next(&request))).about(id))
}

/// Whether whoever has to agree to it has.
pub(super) fn approved(request: &ServiceRequest) -> Result<(), Reject> {
    if !request.awaits_approval() {
        return Ok(());
    }
    let id = request.id;
    Err(Reject::new(RejectCode::Conflict, format!("{id} is not approved yet."))
        .hint(format!("{} may: /request approve {id}", show::approvers(request))))
}

/// `/request fulfil`.
pub fn fulfil(draft: &mut Draft<'_>, id: ServiceRequestId, text: Option<&str>) -> Result<Reply, Reject> {
    let mut request = open(draft, id)?;
    may_fulfil(draft, &request, "fulfil")?;
    if let Some(asked) = request.asked_by.clone() {
        return person::answer(draft, asked.run, true, text).map(|reply| reply.about(id));
    }
    hands_off(&request)?;
    approved(&request)?;
    if request.state == RequestState::Fulfilled {
        return Ok(Reply::done(format!("{id} is fulfilled already. Nothing changed.")).about(id));
    }
    let said: Option<CompactString> = text.and_then(|text| limits::lines(text, TEXT_MAX)).map(Into::into);
    let closes = draft.now.after(CLOSES_AFTER);
    let how = said.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    step(draft, &mut request, Step::Fulfilled { text: said, closes });
    let told = format!("{} is fulfilled by {}{how}", request.headline(), draft.actor());
    let until = closes.unix_secs();
    let text = format!("{told}\nAs you wanted it? /request close {id}; it is closed of itself <t:{until}:f>");
    tell_requester(draft, &request, &text);
    tell_team(draft, &request, told);
    let text = format!("{id} is fulfilled. {} closes it, or it is closed <t:{until}:f>.", request.requester);
    Ok(Reply::done(format!("{text}\nSee it: /request show {id}")).about(id))
}

/// Asks whether whoever asks is the one who asked for it, or gets it.
fn own(draft: &mut Draft<'_>, request: &ServiceRequest, command: &str) -> Result<(), Reject> {
    let gets = draft.person().is_some_and(|person| request.is_for(person));
    if gets || request.requester == *draft.actor() || administers(draft) {
        return Ok(());
    }
    let reject = not_allowed(format!("{} is {}'s to {command}.", request.id, request.requester), request);
    Err(refused(draft, command, "own", request.id, reject))
}

/// `/request close`: it is as it was wanted.
pub fn close(draft: &mut Draft<'_>, id: ServiceRequestId) -> Result<Reply, Reject> {
    let request = any(draft, id)?;
    if request.state == RequestState::Closed {
        return Ok(Reply::done(format!("{id} is closed already. Nothing changed.")).about(id));
    }
    let mut request = open(draft, id)?;
    own(draft, &request, "close")?;
    if request.state != RequestState::Fulfilled {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is {}: it is not fulfilled yet.", request.state))
            .hint(format!("Wanted no longer? /request cancel {id}")));
    }
    step(draft, &mut request, Step::Closed);
    Ok(Reply::done(format!("{id} is closed. Its record stays: /request show {id}")).about(id))
}

/// `/request cancel`: it is wanted no longer.
pub fn cancel(draft: &mut Draft<'_>, id: ServiceRequestId, text: Option<&str>) -> Result<Reply, Reject> {
    let mut request = open(draft, id)?;
    own(draft, &request, "cancel")?;
    if let Some(asked) = &request.asked_by {
        return Err(Reject::new(RejectCode::Conflict, format!("{} asks for {id}, and waits for it.", asked.run))
            .hint(format!("To stop the run, and with it what it asks: /runbook cancel {}", asked.run)));
    }
    if !request.state.waits() {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is fulfilled: it cannot be cancelled."))
            .hint(format!("/request close {id}, or ask for what is missing: /request new …")));
    }
    hands_off(&request)?;
    let reason: Option<CompactString> = text.and_then(|text| limits::line(text, TEXT_MAX)).map(Into::into);
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    step(draft, &mut request, Step::Cancelled { reason });
    let told = format!("{} is cancelled by {}{why}", request.headline(), draft.actor());
    tell_requester(draft, &request, &told);
    tell_team(draft, &request, told);
    Ok(Reply::done(format!("{id} is cancelled. Its record stays: /request show {id}")).about(id))
}
