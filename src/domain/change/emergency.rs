//! Emergencies: a change that begins at once, for an open incident. A named person answers for it, and it is approved
//! afterwards; pressed as a button, that person is found.

use compact_str::format_compact;

use super::content::Class;
use super::open::{Begin, begin, fresh, lay};
use super::{Change, ChangeOpened, ChangeState, approve, carry, life, risk, rules, show};
use crate::domain::command::ChangeAsked;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, IncidentId, PersonId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::oncall;
use crate::domain::org::{Org, Target};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// `/change emergency`: it begins at once; a named person answers for it, and it is approved afterwards.
pub fn emergency(
    draft: &mut Draft<'_>,
    incident: IncidentId,
    authoriser: &PersonId,
    asked: ChangeAsked,
) -> Result<Reply, Reject> {
    let record = draft.open(incident)?;
    if !record.state.open() {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{incident} is {}: an emergency needs one that is open.", record.state),
        )
        .hint("Ask for a normal change: /change new …"));
    }
    if record.private {
        return Err(Reject::new(RejectCode::Conflict, format!("{incident} is private, and everybody reads changes."))
            .hint("Ask for a normal change in words that tell nothing: /change new …"));
    }
    let trial = trial(draft, incident, &asked)?;
    let content = trial.content.clone();
    let needed = draft.org.needs(&content).iter().any(|need| need.quorum > 0);
    let due = needed.then(|| draft.now.after(draft.org.changes.emergency));
    let begun = Begin {
        state: Some(ChangeState::Implementing),
        why: Some(format_compact!("an emergency for {incident}; {authoriser} answers for it")),
        incident: Some(incident),
        authoriser: Some(authoriser.clone()),
        approval_due: due,
        lapses: None,
    };
    let why = approve::objection(approve::Scales::of(draft), &trial, authoriser)
        .filter(|_| draft.org.changes.controls(&content.environment));
    if let Some(why) = why {
        let needs = show::approvers(draft.org, &content);
        let reject =
            Reject::new(RejectCode::BadValue, format!("{authoriser} cannot answer for this emergency: {why}."))
                .hint(format!("Name one of those who could approve it: {needs}"));
        return Err(approve::refused(draft, "change emergency", trial.id, reject));
    }
    let change = begin(draft, content, begun)?;
    carry::raise_fence(draft, &change);
    draft.emit(Event::IncidentNoted {
        incident,
        text: format_compact!("{} begins: {}", change.id, change.content.title),
    });
    let due = due.map(|due| format!("; it is to be approved until <t:{}:f>", due.unix_secs())).unwrap_or_default();
    let text =
        format!("{} begins now: an emergency for {incident}. {authoriser} answers for it{due}.", change.headline());
    life::ask(draft, &change, text.clone());
    life::tell(
        draft,
        authoriser,
        format!("{text}\nLook at it: /change show {}, then /change approve or reject", change.id),
    );
    Ok(Reply::done(format!(
        "{text}\nWhen it is over: /change done {0}, /change fail {0} … or /change rollback {0} …",
        change.id
    ))
    .about(change.id)
    .about(incident))
}

/// The record of an emergency as it will be: whether somebody may answer for it is asked of that, at the risk that it has.
fn trial(draft: &Draft<'_>, incident: IncidentId, asked: &ChangeAsked) -> Result<Change, Reject> {
    let record = draft.open(incident)?;
    let mut content = fresh(draft, Class::Emergency);
    content.service = record.service.clone();
    content.environment = rules::environment(record.environment.as_deref().unwrap_or_default());
    content.reason = Some(format_compact!("{incident}"));
    let mut content = lay(draft, asked, content, None)?;
    let at = content.window.map_or(draft.now, |window| window.from);
    content.risk = risk::assess(draft.org, draft.state, &content, at).level;
    let opened = ChangeOpened {
        change: ChangeId(draft.state.meta.changes + 1),
        hash: content.hash(),
        team: Default::default(),
        state: ChangeState::Implementing,
        content,
        why: None,
        risk: Default::default(),
        incident: None,
        authoriser: None,
        approval_due: None,
        lapses: None,
    };
    Ok(Change::opened(&draft.stamp(), &opened))
}

/// The button under an incident: an emergency at once. Who answers for it is found: whoever leads, else whoever of the
/// approvers is on call, else the first of them; never whoever pressed.
pub fn now(draft: &mut Draft<'_>, incident: IncidentId) -> Result<Reply, Reject> {
    let record = draft.open(incident)?;
    let running = draft.state.changes.values().find(|it| {
        it.incident == Some(incident) && it.state == ChangeState::Implementing && it.content.class == Class::Emergency
    });
    if let Some(known) = running {
        let by = known.started.as_ref().map(|started| format!(", begun by {}", started.by)).unwrap_or_default();
        return Ok(Reply::done(format!(
            "{} runs already{by}. Nothing changed.\nSee it: /change show {}",
            known.headline(),
            known.id
        ))
        .about(known.id)
        .about(incident));
    }
    let asked =
        ChangeAsked { title: Some(format!("Emergency for {incident}: {}", record.title)), ..Default::default() };
    let trial = trial(draft, incident, &asked)?;
    let leads = [&record.roles.commander, &record.roles.lead].into_iter().flatten().cloned();
    let found = leads.chain(on_call(draft.org, &trial.content.service, draft.now));
    let found: Vec<PersonId> = found.chain(draft.org.people.keys().cloned()).collect();
    let scales = approve::Scales::of(draft);
    let Some(authoriser) = found.into_iter().find(|person| approve::objection(scales, &trial, person).is_none()) else {
        return Err(Reject::new(RejectCode::Conflict, "Nobody is here who could answer for an emergency.")
            .hint(format!("It needs {}", show::approvers(draft.org, &trial.content))));
    };
    emergency(draft, incident, &authoriser, asked)
}

/// Who is on call for a service now, by the steps of its team's policy.
fn on_call(org: &Org, service: &ServiceId, at: Timestamp) -> Vec<PersonId> {
    let team = org.services.get(service).and_then(|service| org.teams.get(&service.team));
    let policy = team.and_then(|team| org.policies.get(&team.escalation));
    let targets = policy.into_iter().flat_map(|policy| policy.steps.iter().flat_map(|step| &step.page));
    let people = targets.into_iter().flat_map(|target| match target {
        Target::Person(person) => vec![person.clone()],
        Target::Schedule(id) => {
            let shifts = org.schedules.get(id).map(|schedule| oncall::holders(schedule, at)).unwrap_or_default();
            shifts.into_iter().flatten().map(|shift| shift.person).collect()
        }
        Target::Channel(_) | Target::Webhook(_) => Vec::new(),
    });
    people.collect()
}
