//! Reminders: somebody has an incident, and nobody was told anything for longer than its severity allows. The
//! commander (or the lead) is asked for an update; an update or a snooze begins the wait anew. While nobody has it,
//! paging speaks; when it is over, nobody is asked.

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::record::{Incident, IncidentState};
use crate::domain::delivery::{Content, Destination, Method, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{Span, Timestamp};

/// Who has not answered so many reminders is not asked again before the next update: it would only be noise.
const REMINDERS_MAX: u8 = 6;

/// When an update is asked for was set anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateDue {
    /// Of which incident.
    pub incident: IncidentId,
    /// When it is asked for; `None`: not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// How often it was asked for since the last update.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reminded: u8,
    /// What the timeline says of it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<CompactString>,
}

fn is_zero(n: &u8) -> bool {
    *n == 0
}

impl Incident {
    /// The moment is another one.
    pub(super) fn update_is_due(&mut self, stamp: &Stamp<'_>, due: &UpdateDue) {
        self.update_due = due.due;
        self.reminded = due.reminded;
        if let Some(text) = &due.told {
            self.say(stamp, text.clone());
        }
    }
}

/// How long an incident may go without an update; `None` where nobody is to be asked.
fn interval(draft: &Draft<'_>, incident: &Incident) -> Option<Span> {
    let held = matches!(incident.state, IncidentState::Acknowledged | IncidentState::Mitigated);
    draft.org.defaults.update_every.get(&incident.severity).copied().filter(|_| held)
}

/// The wait begins anew: somebody took it, gave an update, or it is of another severity. What was asked and not yet
/// sent is not sent.
pub fn restart(draft: &mut Draft<'_>, id: IncidentId) {
    cancel(draft, id, "an update was given");
    let Some(incident) = draft.incident(id) else { return };
    let due = interval(draft, incident).map(|every| draft.now.after(every));
    if due != incident.update_due || incident.reminded > 0 {
        draft.emit(Event::UpdateDue(UpdateDue { incident: id, due, reminded: 0, told: None }));
    }
}

/// Nobody is asked any more: it is over. The record itself forgets the moment.
pub fn stop(draft: &mut Draft<'_>, id: IncidentId, why: &str) {
    cancel(draft, id, why);
}

/// Reminders that have not started are not sent.
fn cancel(draft: &mut Draft<'_>, id: IncidentId, why: &str) {
    let Some(incident) = draft.incident(id).filter(|incident| incident.reminded > 0) else { return };
    let reminders = incident
        .deliveries
        .iter()
        .filter(|delivery| delivery.owed() && matches!(delivery.content.as_deref(), Some(Content::Notice { .. })));
    let ids: Vec<_> = reminders.map(|delivery| delivery.id.clone()).collect();
    for delivery in ids {
        draft.emit(Event::DeliveryCancelled { delivery, incident: Some(id), reason: why.into() });
    }
}

/// The moment has come.
pub fn due(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    let Some(every) = interval(draft, incident) else {
        // The configuration asks for none any more, or nobody has it.
        return draft.emit(Event::UpdateDue(UpdateDue { incident: id, due: None, reminded: 0, told: None }));
    };
    let reminded = incident.reminded.saturating_add(1);
    let last = reminded >= REMINDERS_MAX;
    let again = if last {
        "This is not asked again before the next update.".to_owned()
    } else {
        format!("Later: /snooze {id} {every} reminder")
    };
    let text = format!(
        "{}\nA {} wants an update every {every}, and none was given. Tell everybody how it stands: /incident update {id} \"…\"\n{again}",
        super::show::headline(incident),
        incident.severity
    );
    let asked = asked(incident);
    let who = asked.as_ref().map_or("everybody", |person| person.as_str());
    let told = format_compact!("{who} was asked for an update, due every {every}");
    let due = Some(draft.now.after(every)).filter(|_| !last);
    draft.emit(Event::UpdateDue(UpdateDue { incident: id, due, reminded, told: Some(told) }));
    match asked.and_then(|person| reach(draft, &person)) {
        Some(to) => draft.owe(Some(id), None, to, Priority::Notice, Content::Notice { text }),
        None => draft.post(id, text),
    }
}

/// Whose business it is: the commander's, else the lead's, else whoever has it.
fn asked(incident: &Incident) -> Option<PersonId> {
    let roles = &incident.roles;
    let holder = || incident.holder.as_ref().and_then(|holder| holder.actor.person().cloned());
    roles.commander.clone().or_else(|| roles.lead.clone()).or_else(holder)
}

/// How somebody is reached gently: in chat, else by the first of their rules for low urgency that is not chat.
fn reach(draft: &Draft<'_>, person: &PersonId) -> Option<Destination> {
    draft.org.people.get(person)?;
    let other = || {
        let rules = draft.org.rules(person, false).iter().chain(draft.org.rules(person, true));
        rules.map(|rule| rule.method).find(|method| !matches!(method, Method::Chat | Method::Voice))
    };
    let method = if draft.org.chat_connected { Some(Method::Chat) } else { other() }?;
    Some(Destination::Person { person: person.clone(), method })
}

/// `/snooze … reminder`.
pub fn snooze(draft: &mut Draft<'_>, id: IncidentId, span: Span) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    if interval(draft, incident).is_none() {
        let why = match incident.state {
            IncidentState::Triggered => "nobody has it yet",
            IncidentState::Resolved | IncidentState::Closed => "it is over",
            _ => "the configuration asks for none at its severity",
        };
        return Err(Reject::new(RejectCode::Conflict, format!("{id} reminds nobody of an update: {why}."))
            .hint(format!("To hold back its pages: /snooze {id} {span}")));
    }
    let due = draft.now.after(span);
    cancel(draft, id, "snoozed");
    let told = Some("the reminder about an update is snoozed".into());
    draft.emit(Event::UpdateDue(UpdateDue { incident: id, due: Some(due), reminded: 0, told }));
    let at = due.unix_secs();
    Ok(Reply::done(format!("{id} asks for an update <t:{at}:R>, unless one is given: /incident update {id} \"…\""))
        .about(id))
}
