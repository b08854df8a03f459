//! What is common to the life of a change, and its ends: looking one up, telling the team, cancelling, reviewing.
//!
//! | from | by | to |
//! |---|---|---|
//! | – | `/change new` | requested (something is missing), awaiting-approval, or scheduled where nobody has to agree |
//! | – | `/change standard` | scheduled, by its model |
//! | – | `/change emergency` | implementing |
//! | planned | `/change edit`, `/change schedule` | requested, awaiting-approval or scheduled anew; approvals are void |
//! | awaiting-approval | enough approvals | scheduled |
//! | scheduled | an approval expires | awaiting-approval |
//! | scheduled | `/change start`, the gate | implementing |
//! | implementing | done, fail, rollback | review; a standard change without trouble is closed at once |
//! | review | `/change review` | closed |
//! | planned | cancel, reject | closed (cancelled), rejected |
//! | implementing, review, closed | `/incident link … caused-by` | failed, in review |

use super::authority::earned::{self, Harm};
use super::rules::Group;
use super::{Change, ChangeState, Outcome, Step, facts, step};
use crate::domain::delivery::{Content, Destination, Judged, Method, Priority};
use crate::domain::draft::Draft;
use crate::domain::id::{ChangeId, IncidentId, PersonId};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};

/// A change, open or closed; else a refusal that says what there is.
pub fn any<'a>(draft: &Draft<'a>, id: ChangeId) -> Result<&'a Change, Reject> {
    draft.change(id).ok_or_else(|| {
        let message = match draft.state.meta.changes {
            0 => format!("There is no {id}: no change has been asked for yet."),
            last => format!("There is no {id}; the last one is CHG-{last}."),
        };
        Reject::new(RejectCode::NotFound, message).hint("See what is open: /change list")
    })
}

/// A change that is not over; else a refusal.
pub fn open<'a>(draft: &Draft<'a>, id: ChangeId) -> Result<&'a Change, Reject> {
    let change = any(draft, id)?;
    if change.state.over() {
        let message = format!("{id} is {}: it is no longer changed.", change.state);
        return Err(Reject::new(RejectCode::Conflict, message).hint("Ask for another one: /change new …"));
    }
    Ok(change)
}

/// Posts in the channel of the team that owns the service; changes own no deliveries, so it is a notice.
pub fn post(draft: &mut Draft<'_>, change: &Change, text: String) {
    post_to(draft, &change.team, text);
}

/// Asks whoever may approve a change, in the channel of the team that owns the service and of the teams that its rules
/// name; what waits for nobody is only told.
pub fn ask(draft: &mut Draft<'_>, change: &Change, text: String) {
    if change.state != ChangeState::AwaitingApproval && change.approval_due.is_none() {
        return post(draft, change, text);
    }
    let mut teams = vec![change.team.clone()];
    for group in draft.org.needs(&change.content).into_iter().flat_map(|need| need.approvers) {
        if let Group::Team(team) = group
            && !teams.contains(&team)
        {
            teams.push(team);
        }
    }
    let channels: Vec<_> = teams.iter().filter_map(|team| draft.org.teams.get(team)?.channel.clone()).collect();
    for channel in channels.into_iter().filter(|_| draft.org.chat_connected) {
        let content = Content::Ask { text: text.clone(), about: Judged::Change(change.id) };
        draft.owe(None, None, Destination::Channel(channel), Priority::Post, content);
    }
}

/// Posts in a team's channel, where it has one and a chat is connected.
pub fn post_to(draft: &mut Draft<'_>, team: &crate::domain::id::TeamId, text: String) {
    post_content(draft, team, Content::Post { text });
}

/// The same of anything that can be said in a channel.
pub fn post_content(draft: &mut Draft<'_>, team: &crate::domain::id::TeamId, content: Content) {
    let channel = draft.org.teams.get(team).and_then(|team| team.channel.clone());
    if let Some(channel) = channel.filter(|_| draft.org.chat_connected) {
        draft.owe(None, None, Destination::Channel(channel), Priority::Post, content);
    }
}

/// Tells a person, by the first of their ways for what is not urgent.
pub fn tell(draft: &mut Draft<'_>, person: &PersonId, text: String) {
    tell_content(draft, person, None, Content::Notice { text });
}

/// The same of anything that can be said to a person; about an incident, only its people read it in the journal.
pub fn tell_content(draft: &mut Draft<'_>, person: &PersonId, about: Option<IncidentId>, content: Content) {
    if draft.org.people.get(person).is_none_or(|known| known.left) {
        return;
    }
    let connected = draft.org.chat_connected;
    if let Some(rule) = draft.org.rules(person, false).iter().find(|rule| connected || rule.method != Method::Chat) {
        let to = Destination::Person { person: person.clone(), method: rule.method };
        draft.owe(about, None, to, Priority::Notice, content);
    }
}

/// `/change cancel`.
pub fn cancel(draft: &mut Draft<'_>, id: ChangeId, reason: Option<&str>) -> Result<Reply, Reject> {
    let change = open(draft, id)?;
    if !change.state.planned() {
        let message = format!("{id} is {}: it has begun, and cannot be cancelled.", change.state);
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint(format!("To take it back: /change rollback {id} …; to give it up: /change fail {id} …")));
    }
    step(draft, id, Step::Cancelled { reason: reason.map(Into::into) });
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let text = format!("{} cancelled by {}{why}", change.headline(), draft.actor());
    post(draft, change, text);
    Ok(Reply::done(format!("{id} cancelled. Its record stays: /change show {id}")).about(id))
}

/// `/change review`.
pub fn review(draft: &mut Draft<'_>, id: ChangeId, outcome: Option<Outcome>, text: &str) -> Result<Reply, Reject> {
    let change = any(draft, id)?;
    match change.state {
        ChangeState::Review => {}
        ChangeState::Closed => {
            return Ok(Reply::done(format!("{id} is closed already. Nothing changed.")).about(id));
        }
        state => {
            return Err(Reject::new(RejectCode::Conflict, format!("{id} is {state}: there is nothing to review yet."))
                .hint(format!("See what comes next: /change show {id}")));
        }
    }
    if let Some(due) = change.approval_due {
        let message =
            format!("{id} was an emergency, and is not approved: that is owed until <t:{}:f>.", due.unix_secs());
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint(format!("First somebody else approves or rejects it: /change approve {id}")));
    }
    let known = change.outcome.unwrap_or(Outcome::Successful);
    let outcome = outcome.unwrap_or(known);
    if outcome == Outcome::Successful && !change.caused.is_empty() {
        let caused = change.caused.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Reject::new(RejectCode::Conflict, format!("{id} caused {caused}: it was not successful."))
            .hint(format!("Review it as failed or rolled-back: /change review {id} outcome:failed \"…\"")));
    }
    let facts = facts::of(draft, change);
    step(draft, id, Step::Reviewed { outcome, text: text.into(), facts });
    match (outcome, change.outcome) {
        (Outcome::Successful, _) => earned::ran(draft, change),
        (Outcome::Failed | Outcome::RolledBack, Some(Outcome::Successful)) => {
            earned::harmed(draft, change, &Harm::Ended(outcome));
        }
        _ => {}
    }
    let told = format!("{} reviewed by {}: {outcome}. {text}", change.headline(), draft.actor());
    post(draft, change, told);
    Ok(Reply::done(format!("{id} closed: {outcome}. Its record stays: /change show {id}")).about(id))
}
