//! Who has to agree, who may, and who has. Everything is asked of the organisation in force at this moment: an approver
//! who has left, or lost the role, counts no longer, also after having approved. Nobody approves what they asked for,
//! carry out or wrote, by person and not by account.

use std::collections::BTreeSet;

use compact_str::{CompactString, format_compact};

use super::authority::{Authority, factor};
use super::{Approval, Change, ChangeApproved, ChangeState, Class, Content, Risk, Step, life, risk, show, step};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, PersonId};
use crate::domain::input::Reply;
use crate::domain::org::{Org, Role};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// What approvals are weighed by: the organisation in force, who stands in for whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Scales<'a> {
    /// The organisation in force.
    pub org: &'a Org,
    /// Whose word counts beside what it says.
    pub authority: &'a Authority,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Scales<'a> {
    /// Those of a moment.
    pub fn new(state: &'a State, org: &'a Org, now: Timestamp) -> Self {
        Self { org, authority: &state.meta.authority, now }
    }

    /// Those of a decision.
    pub fn of(draft: &Draft<'a>) -> Self {
        Self::new(draft.state, draft.org, draft.now)
    }
}

/// Why a person has a part in a change, or no say in anything; `None`: they may judge it, if their place lets them.
fn bias(org: &Org, change: &Change, person: &PersonId) -> Option<CompactString> {
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
    None
}

/// Whether a person is of one of the groups that approve a change.
fn placed(org: &Org, change: &Change, person: &PersonId) -> bool {
    let mut groups = org.needs(&change.content).into_iter().flat_map(|need| need.approvers);
    groups.any(|group| org.belongs(person, &group))
}

fn responds(org: &Org, person: &PersonId) -> bool {
    org.people.get(person).is_some_and(|known| known.role >= Role::Responder)
}

/// For whom a person approves a change: for themselves (`None`), or as the one who stands in for another approver.
///
/// # Errors
/// Why they may not.
pub fn voice(scales: Scales<'_>, change: &Change, person: &PersonId) -> Result<Option<PersonId>, CompactString> {
    if let Some(why) = bias(scales.org, change, person) {
        return Err(why);
    }
    if placed(scales.org, change, person) {
        return Ok(None);
    }
    let mut why = format_compact!("{person} is not one of its approvers");
    // Whoever only reads along stands in for nobody.
    if !responds(scales.org, person) {
        return Err(why);
    }
    for other in scales.authority.stands_in_for(person, scales.now) {
        if !placed(scales.org, change, other) {
            continue;
        }
        match bias(scales.org, change, other) {
            None => return Ok(Some(other.clone())),
            Some(bias) => why = format_compact!("{person} stands in for {other}, and {bias}"),
        }
    }
    Err(why)
}

/// Why a person may not approve a change, by the organisation in force.
pub fn objection(scales: Scales<'_>, change: &Change, person: &PersonId) -> Option<CompactString> {
    voice(scales, change, person).err()
}

/// Why an approval does not count now; `None` where it does.
pub fn weakness(scales: Scales<'_>, change: &Change, approval: &Approval) -> Option<CompactString> {
    if let Some(why) = &approval.void {
        return Some(why.clone());
    }
    if approval.hash != change.hash {
        return Some("it was edited after that".into());
    }
    if approval.used.is_some() {
        return Some("it was used".into());
    }
    if approval.expires <= scales.now {
        return Some("it expired".into());
    }
    if approval.review.as_ref().is_some_and(|place| scales.authority.spent_for(place, change)) {
        return Some("what was reviewed has begun another change".into());
    }
    let person = &approval.person;
    if let Some(why) = bias(scales.org, change, person) {
        return Some(why);
    }
    let Some(other) = &approval.stands_for else {
        return (!placed(scales.org, change, person)).then(|| format_compact!("{person} is not one of its approvers"));
    };
    if !responds(scales.org, person) {
        return Some(format_compact!("{person} only reads along"));
    }
    if !scales.authority.stands_in_for(person, scales.now).any(|known| known == other) {
        return Some(format_compact!("{person} stands in for {other} no longer"));
    }
    if let Some(why) = bias(scales.org, change, other) {
        return Some(format_compact!("{person} stands in for {other}, and {why}"));
    }
    (!placed(scales.org, change, other)).then(|| format_compact!("{other} is not one of its approvers"))
}

/// What is still lacking, a line for each rule; `also` counts as one that is given now, what `but` have a part in counts
/// for nothing. Whoever stands in for somebody counts as them, and so once with them.
pub fn lacking(scales: Scales<'_>, change: &Change, also: Option<&Approval>, but: &[&PersonId]) -> Vec<String> {
    let org = scales.org;
    let barred =
        |it: &Approval| but.contains(&&it.person) || it.stands_for.as_ref().is_some_and(|it| but.contains(&it));
    let counts = |it: &&Approval| !barred(it) && weakness(scales, change, it).is_none();
    // Who approves now has not approved twice.
    let earlier = |it: &&Approval| also.is_none_or(|also| also.person != it.person);
    let valid: Vec<&Approval> = change.approvals.iter().filter(earlier).filter(counts).chain(also).collect();
    let open = org.needs(&change.content).into_iter().filter_map(|need| {
        let fits = |it: &&&Approval| (it.factor || !need.factor) && (it.review.is_none() || need.pull_request);
        let voices = valid.iter().filter(fits).map(|it| it.stands_for.as_ref().unwrap_or(&it.person));
        let has: BTreeSet<&PersonId> =
            voices.filter(|it| need.approvers.iter().any(|group| org.belongs(it, group))).collect();
        let more = usize::from(need.quorum).saturating_sub(has.len());
        let groups: Vec<String> = need.approvers.iter().map(ToString::to_string).collect();
        let how = if need.factor { ", with a second factor" } else { "" };
        (more > 0).then(|| format!("{more} more of {}{how}", groups.join(" or ")))
    });
    open.collect()
}

/// Whether one of the rules by which somebody approves asks for a second factor.
fn asks_factor(org: &Org, change: &Change, voice: &PersonId) -> bool {
    let needs = org.needs(&change.content);
    needs.iter().any(|need| need.factor && need.approvers.iter().any(|group| org.belongs(voice, group)))
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

/// Who decides about a change, and for whom; else the refusal, which is recorded.
fn approver(draft: &mut Draft<'_>, command: &str, change: &Change) -> Result<(PersonId, Option<PersonId>), Reject> {
    let id = change.id;
    let Some(person) = draft.person().cloned() else {
        let reject = Reject::new(RejectCode::NotAllowed, "Only a person can approve.");
        return Err(refused(draft, command, id, reject));
    };
    match voice(Scales::of(draft), change, &person) {
        Ok(stands_for) => Ok((person, stands_for)),
        Err(why) => {
            let needs = show::approvers(draft.org, &change.content);
            let reject = Reject::new(RejectCode::NotAllowed, format!("{person} may not decide about {id}: {why}."))
                .hint(format!("It needs {needs}"));
            Err(refused(draft, command, id, reject))
        }
    }
}

/// The second factor that an approval needs: the step of its code, if one was given.
fn second_factor(draft: &mut Draft<'_>, id: ChangeId, person: &PersonId, needed: bool) -> Result<Option<u64>, Reject> {
    let step = match factor::given(draft, person) {
        Ok(step) => step,
        Err(reject) => return Err(refused(draft, "change approve", id, reject)),
    };
    if step.is_some() || !needed {
        return Ok(step);
    }
    let reject = match draft.state.meta.authority.factors.contains_key(person) {
        true => Reject::new(RejectCode::NotAllowed, format!("{id} is risky: its approval needs a second factor."))
            .hint(format!("Say the code of your authenticator: /change approve {id} code:NNNNNN")),
        false => factor::none(person),
    };
    Err(refused(draft, "change approve", id, reject))
}

/// `/change approve`.
pub fn approve(draft: &mut Draft<'_>, id: ChangeId) -> Result<Reply, Reject> {
    let change = life::any(draft, id)?;
    let (person, stands_for) = approver(draft, "change approve", change)?;
    let owed = change.approval_due.is_some();
    let risen = risen(change, &risk::assess(draft.org, draft.state, &change.content, draft.now));
    let asked = risen.as_ref().unwrap_or(change);
    // Enough have approved it; but its risk has risen.
    let more = change.state == ChangeState::Scheduled
        && !free(draft.org, asked)
        && !lacking(Scales::of(draft), asked, None, &[]).is_empty();
    if change.state != ChangeState::AwaitingApproval && !owed && !more {
        return match change.state {
            ChangeState::Requested => {
                let missing = change.content.missing().join(" and ");
                Err(Reject::new(RejectCode::Conflict, format!("{id} is not complete: its {missing} is not said."))
                    .hint(format!("Say it: /change edit {id} {}:\"…\"", change.content.missing().join(":\"…\" "))))
            }
            ChangeState::Rejected | ChangeState::Closed => Err(Reject::new(
                RejectCode::Conflict,
                format!("{id} is {}{}: there is nothing to approve.", change.state, decided(change)),
            )
            .hint(format!("See it: /change show {id}"))),
            _ => Ok(Reply::done(format!(
                "{id} is {} already{}: it needs no more approvals. Nothing changed.",
                change.state,
                decided(change)
            ))
            .about(id)),
        };
    }
    let (org, now, scales) = (draft.org, draft.now, Scales::of(draft));
    let needed = asks_factor(org, asked, stands_for.as_ref().unwrap_or(&person));
    let valid = |it: &&Approval| it.person == person && weakness(scales, change, it).is_none();
    if change.approvals.iter().any(|it| valid(&it) && (it.factor || !needed)) {
        return Ok(Reply::done(format!("You have approved {id} already. Nothing changed.")).about(id));
    }
    let code = second_factor(draft, id, &person, needed)?;
    let approval = Approval {
        person: person.clone(),
        hash: change.hash.clone(),
        at: now,
        expires: now.after(org.changes.expires),
        stands_for: stands_for.clone(),
        factor: code.is_some(),
        ..Approval::default()
    };
    let lacking = lacking(scales, asked, Some(&approval), &[]);
    let enough = lacking.is_empty();
    if let Some(code) = code {
        factor::spend(draft, &person, code);
    }
    draft.emit(Event::ChangeApproved(Box::new(ChangeApproved {
        change: id,
        person: approval.person,
        hash: approval.hash,
        expires: approval.expires,
        enough,
        stands_for: approval.stands_for,
        factor: approval.factor,
        review: None,
    })));
    let next = match (enough, owed) {
        (false, _) => format!("It still needs {}.", lacking.join("; ")),
        (true, true) => "It is approved, after it began.".to_owned(),
        (true, false) => match change.window() {
            Some(window) => format!("It is scheduled for <t:{}:f>.", window.from.unix_secs()),
            None => format!("It may begin: /change start {id}, or /change schedule {id} at:…"),
        },
    };
    let whose = stands_for.map(|other| format!(" for {other}")).unwrap_or_default();
    life::post(draft, change, format!("{} approved by {person}{whose}. {next}", change.headline()));
    Ok(Reply::done(format!(
        "{id} approved{whose}, as it reads now ({}). {next}",
        &change.hash[..12.min(change.hash.len())]
    ))
    .about(id))
}

/// Who decided about a change that waits for nobody any more: `: approved by cleo`.
fn decided(change: &Change) -> String {
    if change.state == ChangeState::Rejected {
        let last = change.timeline.iter().rev().find(|entry| entry.text.starts_with("rejected"));
        return last.map(|entry| format!(" by {}", entry.by)).unwrap_or_default();
    }
    let names: Vec<String> = change.standing().map(|it| it.person.to_string()).collect();
    if names.is_empty() { String::new() } else { format!(", approved by {}", names.join(", ")) }
}

/// `/change reject`.
pub fn reject(draft: &mut Draft<'_>, id: ChangeId, reason: &str) -> Result<Reply, Reject> {
    let change = life::any(draft, id)?;
    let (person, _) = approver(draft, "change reject", change)?;
    let owed = change.approval_due.is_some() && !change.state.over();
    if !(change.state.planned() || owed) {
        let message = format!("{id} is {}{}: it is no longer rejected.", change.state, decided(change));
        return Err(Reject::new(RejectCode::Conflict, message).hint(format!("See it: /change show {id}")));
    }
    step(draft, id, Step::Rejected { reason: reason.into() });
    life::post(draft, change, format!("{} rejected by {person}: {reason}", change.headline()));
    let next =
        if owed { format!("It has begun: end it, then /change review {id} …") } else { "It will not begin.".into() };
    Ok(Reply::done(format!("{id} rejected. {next}")).about(id))
}
