//! Who has to agree, who may, and who has. Everything is asked of the organisation in force at this moment: an approver
//! who has left, or lost the role, counts no longer, also after having approved. Nobody approves what they asked for,
//! carry out or wrote, by person and not by account.

use compact_str::{CompactString, format_compact};

use super::{Approval, Change, ChangeApproved, ChangeState, Class, Content, Risk, Step, life, risk, show, step};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, PersonId};
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// Why a person may not approve a change, by the organisation in force.
pub fn objection(org: &Org, change: &Change, person: &PersonId) -> Option<CompactString> {
    let Some(known) = org.people.get(person) else {
        return Some(format_compact!("{person} is not a person of this organisation"));
    };
    if known.left {
        return Some(format_compact!("{person} has left"));
    }
    if change.requester.person() == Some(person) {
        return Some(format_compact!("{person} asked for it"));
    }
    if change.content.implementer.as_ref() == Some(person) {
        return Some(format_compact!("{person} carries it out"));
    }
    if change.content.author.as_ref() == Some(person) {
        return Some(format_compact!("{person} wrote what it brings in"));
    }
    if change.editors.contains(person) {
        return Some(format_compact!("{person} edited it"));
    }
    if change.started.as_ref().is_some_and(|started| started.by.person() == Some(person)) {
        return Some(format_compact!("{person} began it"));
    }
    let mut groups = org.needs(&change.content).into_iter().flat_map(|need| need.approvers);
    if groups.any(|group| org.belongs(person, &group)) {
        return None;
    }
    Some(format_compact!("{person} is not one of its approvers"))
}

/// Why an approval does not count now; `None` where it does.
pub fn weakness(org: &Org, change: &Change, approval: &Approval, now: Timestamp) -> Option<CompactString> {
    if let Some(why) = &approval.void {
        return Some(why.clone());
    }
    if approval.hash != change.hash {
        return Some("it was edited after that".into());
    }
    if approval.used.is_some() {
        return Some("it was used".into());
    }
    if approval.expires <= now {
        return Some("it expired".into());
    }
    objection(org, change, &approval.person)
}

/// What is still lacking, a line for each rule; `also` counts as one who approves now, `but` count for nothing.
pub fn lacking(org: &Org, change: &Change, also: Option<&PersonId>, but: &[&PersonId], now: Timestamp) -> Vec<String> {
    let counts = |it: &&Approval| !but.contains(&&it.person) && weakness(org, change, it, now).is_none();
    let valid = change.approvals.iter().filter(counts);
    let mut people: Vec<&PersonId> = valid.map(|it| &it.person).chain(also).collect();
    people.sort_unstable();
    people.dedup();
    let needs = org.needs(&change.content);
    let open = needs.into_iter().filter_map(|need| {
        let has = people.iter().filter(|it| need.approvers.iter().any(|group| org.belongs(it, group))).count();
        let more = usize::from(need.quorum).saturating_sub(has);
        let groups: Vec<String> = need.approvers.iter().map(ToString::to_string).collect();
        (more > 0).then(|| format!("{more} more of {}", groups.join(" or ")))
    });
    open.collect()
}

/// The change as it is to be approved where its risk has risen since it was asked for; its approvals go on counting.
pub fn risen(change: &Change, risk: &Risk) -> Option<Change> {
    (risk.level > change.content.risk).then(|| {
        let content = Content { risk: risk.level, ..change.content.clone() };
        Change { content, ..change.clone() }
    })
}

/// Whether it needs nobody's approval: a standard change has that of its model.
pub fn free(org: &Org, change: &Change) -> bool {
    match change.content.class {
        Class::Standard => true,
        Class::Normal | Class::Emergency => org.needs(&change.content).iter().all(|need| need.quorum == 0),
    }
}

/// A refused attempt at an approval stands in the journal.
pub fn refused(draft: &mut Draft<'_>, command: &str, id: ChangeId, reject: Reject) -> Reject {
    draft.emit(Event::AttemptRefused {
        command: command.into(),
        permission: "approve".into(),
        incident: None,
        record: Some(format_compact!("{id}")),
    });
    reject
}

/// Whether the asker may decide about a change; else the refusal, which is recorded.
fn approver(draft: &mut Draft<'_>, command: &str, change: &Change) -> Result<PersonId, Reject> {
    let id = change.id;
    let Some(person) = draft.person().cloned() else {
        let reject = Reject::new(RejectCode::NotAllowed, "Only a person can approve.");
        return Err(refused(draft, command, id, reject));
    };
    if let Some(why) = objection(draft.org, change, &person) {
        let needs = show::approvers(draft.org, &change.content);
        let reject = Reject::new(RejectCode::NotAllowed, format!("{person} may not decide about {id}: {why}."))
            .hint(format!("It needs {needs}"));
        return Err(refused(draft, command, id, reject));
    }
    Ok(person)
}

/// `/change approve`.
pub fn approve(draft: &mut Draft<'_>, id: ChangeId) -> Result<Reply, Reject> {
    let change = life::any(draft, id)?;
    let person = approver(draft, "change approve", change)?;
    let owed = change.approval_due.is_some();
    let risen = risen(change, &risk::assess(draft.org, draft.state, &change.content, draft.now));
    let asked = risen.as_ref().unwrap_or(change);
    let more = change.state == ChangeState::Scheduled && !lacking(draft.org, asked, None, &[], draft.now).is_empty();
    if change.state != ChangeState::AwaitingApproval && !owed && !more {
        return match change.state {
            ChangeState::Requested => {
                let missing = change.content.missing().join(" and ");
                Err(Reject::new(RejectCode::Conflict, format!("{id} is not complete: its {missing} is not said."))
                    .hint(format!("Say it: /change edit {id} {}:\"…\"", change.content.missing().join(":\"…\" "))))
            }
            ChangeState::Rejected | ChangeState::Closed => Err(Reject::new(
                RejectCode::Conflict,
                format!("{id} is {}: there is nothing to approve.", change.state),
            )
            .hint(format!("See it: /change show {id}"))),
            _ => Ok(Reply::done(format!(
                "{id} is {} already: it needs no more approvals. Nothing changed.",
                change.state
            ))
            .about(id)),
        };
    }
    let (org, now) = (draft.org, draft.now);
    let valid = |it: &&Approval| it.person == person && weakness(org, change, it, now).is_none();
    if change.approvals.iter().any(|it| valid(&it)) {
        return Ok(Reply::done(format!("You have approved {id} already. Nothing changed.")).about(id));
    }
    let lacking = lacking(org, asked, Some(&person), &[], now);
    let enough = lacking.is_empty();
    draft.emit(Event::ChangeApproved(Box::new(ChangeApproved {
        change: id,
        person: person.clone(),
        hash: change.hash.clone(),
        expires: now.after(org.changes.expires),
        enough,
    })));
    let next = match (enough, owed) {
        (false, _) => format!("It still needs {}.", lacking.join("; ")),
        (true, true) => "It is approved, after it began.".to_owned(),
        (true, false) => match change.window() {
            Some(window) => format!("It is scheduled for <t:{}:f>.", window.from.unix_secs()),
            None => format!("It may begin: /change start {id}, or /change schedule {id} at:…"),
        },
    };
    life::post(draft, change, format!("{} approved by {person}. {next}", change.headline()));
    Ok(Reply::done(format!("{id} approved, as it reads now ({}). {next}", &change.hash[..12.min(change.hash.len())]))
        .about(id))
}

/// `/change reject`.
pub fn reject(draft: &mut Draft<'_>, id: ChangeId, reason: &str) -> Result<Reply, Reject> {
    let change = life::any(draft, id)?;
    let person = approver(draft, "change reject", change)?;
    let owed = change.approval_due.is_some() && !change.state.over();
    if !(change.state.planned() || owed) {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is {}: it is no longer rejected.", change.state))
            .hint(format!("See it: /change show {id}")));
    }
    step(draft, id, Step::Rejected { reason: reason.into() });
    life::post(draft, change, format!("{} rejected by {person}: {reason}", change.headline()));
    let next =
        if owed { format!("It has begun: end it, then /change review {id} …") } else { "It will not begin.".into() };
    Ok(Reply::done(format!("{id} rejected. {next}")).about(id))
}
