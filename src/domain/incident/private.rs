//! Private incidents: a leaked key, a person's case. Only those see one who opened it, are invited, are paged about it
//! or work on it, and administrators. Everything that shows incidents asks `may_see`, everything that only names one
//! `may_know`; every reply goes through `guarded`, and what is told in a channel or to a webhook through `discreet`.

use std::ops::Range;

use compact_str::{CompactString, format_compact};

use super::apply::Stamp;
use super::record::Incident;
use crate::domain::actor::{ADMINISTRATOR, Actor};
use crate::domain::delivery::{Content, Destination, Method, PageContent, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::input::Reply;
use crate::domain::org::{Org, Role};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::state::State;

/// What a page says of a private incident where others read along.
const MASK: &str = "private incident: whoever is invited sees what it is";
/// What stands in place of the id of one.
const UNNAMED: &str = "a private incident";

/// Whether somebody may see an incident.
pub fn may_see(org: &Org, actor: &Actor, incident: &Incident) -> bool {
    if !incident.private {
        return true;
    }
    match actor {
        Actor::Timer(_) => true,
        Actor::Integration(_) | Actor::Member(_) => false,
        Actor::Person(person) => administers(org, person) || incident.admits(person),
    }
}

/// Whether somebody may be told of an incident by its id. Of a private one that is closed, and so not in State, only
/// administrators are.
pub fn may_know(org: &Org, state: &State, actor: &Actor, id: IncidentId) -> bool {
    !state.meta.private.contains(&id)
        || actor.person().is_some_and(|person| administers(org, person))
        || state.incidents.get(&id).is_some_and(|incident| may_see(org, actor, incident))
}

/// Where a text names incidents, by their ids or by those of their pages.
pub fn named(text: &str) -> impl Iterator<Item = (Range<usize>, IncidentId)> + '_ {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.match_indices(IncidentId::PREFIX).filter_map(move |(from, prefix)| {
        let number = &text[from + prefix.len()..];
        let number = &number[..digits(number)];
        let to = from + prefix.len() + number.len();
        let page = text[to..].strip_prefix(".p").map_or(0, digits);
        let to = if page > 0 { to + 2 + page } else { to };
        Some((from..to, IncidentId(number.parse().ok()?)))
    })
}

/// The text without the ids that are hidden.
pub fn unnamed(text: &str, hidden: impl Fn(IncidentId) -> bool) -> String {
    let (mut told, mut at) = (String::with_capacity(text.len()), 0);
    for (place, _) in named(text).filter(|(_, id)| hidden(*id)) {
        told.push_str(&text[at..place.start]);
        told.push_str(UNNAMED);
        at = place.end;
    }
    told.push_str(&text[at..]);
    told
}

/// A reply as whoever asked may read it: private incidents that they may not see stand there without their ids, and
/// where there are some that they may see, nobody reads along.
pub fn guarded(draft: &Draft<'_>, mut reply: Reply) -> Reply {
    let here = |id: IncidentId| draft.any(id).ok();
    let private =
        |id: IncidentId| draft.state.meta.private.contains(&id) || here(id).is_some_and(|incident| incident.private);
    let knows = |id: IncidentId| match here(id) {
        Some(incident) => may_see(draft.org, draft.actor(), incident),
        None => may_know(draft.org, draft.state, draft.actor(), id),
    };
    let records = reply.records.iter().filter_map(|record| record.parse().ok());
    let told: Vec<IncidentId> = named(&reply.text).map(|(_, id)| id).chain(records).filter(|id| private(*id)).collect();
    let (known, hidden): (Vec<_>, Vec<_>) = told.into_iter().partition(|id| knows(*id));
    reply.private |= !known.is_empty();
    if !hidden.is_empty() {
        reply.text = unnamed(&reply.text, |id| hidden.contains(&id));
        reply.records.retain(|record| !record.parse().is_ok_and(|id| hidden.contains(&id)));
    }
    reply
}

/// Whether a person sees every private incident.
pub fn administers(org: &Org, person: &PersonId) -> bool {
    person.as_str() == ADMINISTRATOR || org.people.get(person).is_some_and(|known| known.role == Role::Admin)
}

impl Incident {
    /// Whether a person belongs to a private incident: opened it, was invited, was paged or works on it.
    pub fn admits(&self, person: &PersonId) -> bool {
        let paged = || {
            self.deliveries.iter().any(|delivery| {
                delivery.is_page() && matches!(&delivery.to, Destination::Person { person: to, .. } if to == person)
            })
        };
        self.private
            && (self.opened_by.person() == Some(person)
                || self.invited.contains(person)
                || self.involves(person)
                || paged())
    }

    /// Somebody may see it from now on.
    pub(super) fn invite(&mut self, stamp: &Stamp<'_>, person: &PersonId) {
        if !self.invited.contains(person) {
            self.invited.push(person.clone());
            self.say(stamp, format_compact!("{person} is invited"));
        }
    }
}

/// What is said to whoever may not see it; it tells whom to ask.
pub fn hidden(org: &Org, id: IncidentId) -> Reject {
    let hint = match administrators(org) {
        names if names.is_empty() => "Ask whoever opened it to invite you.".to_owned(),
        names => format!("To be invited, ask an administrator: {}", names.join(", ")),
    };
    Reject::new(RejectCode::NotAllowed, format!("{id} is private.")).hint(hint)
}

/// The administrators, who see every private incident.
pub fn administrators(org: &Org) -> Vec<&str> {
    org.people.values().filter(|person| person.role == Role::Admin).map(|person| person.id.as_str()).collect()
}

/// Who sees a private incident, for whoever has just declared it.
pub fn who_sees(org: &Org, incident: &Incident) -> String {
    let named = match administrators(org) {
        names if names.is_empty() => String::new(),
        names => format!(" and the administrators ({})", names.join(", ")),
    };
    format!(
        "Private: only you, whoever is paged or invited{named} see it. Invite somebody: /incident invite {} NAME",
        incident.id
    )
}

/// What may be sent of a message about an incident: all of it to a person, and where others read along nothing but
/// that somebody is needed.
pub fn discreet(incident: &Incident, to: &Destination, content: Content) -> Option<Content> {
    match (to, content) {
        (_, content) if !incident.private => Some(content),
        (Destination::Person { .. }, content) => Some(content),
        (_, Content::Page(page)) => Some(Content::Page(masked(page))),
        (_, _) => None,
    }
}

/// A page of a private incident as others may read it.
pub fn masked(page: PageContent) -> PageContent {
    PageContent { title: CompactString::const_new(MASK), known_error: None, suspect: None, ..page }
}

/// Tells a private incident's people, each in chat, what would else be posted in the team's channel.
pub fn tell(draft: &mut Draft<'_>, id: IncidentId, content: &Content) {
    let Some(incident) = draft.incident(id).filter(|_| draft.org.chat_connected) else { return };
    let opened_by = incident.opened_by.person().into_iter();
    let mut people: Vec<PersonId> = Vec::new();
    for person in opened_by.chain(&incident.invited).chain(&incident.roles.responders) {
        let asks = draft.person() == Some(person);
        if !asks && !people.contains(person) && draft.org.people.contains_key(person) {
            people.push(person.clone());
        }
    }
    for person in people {
        let to = Destination::Person { person, method: Method::Chat };
        draft.owe(Some(id), None, to, Priority::Post, content.clone());
    }
}

/// `/incident invite`.
pub fn invite(draft: &mut Draft<'_>, id: IncidentId, person: &PersonId) -> Result<Reply, Reject> {
    let incident = draft.open(id)?;
    if !incident.private {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is not private: {person} sees it already."))
            .hint(format!("To have their help: /page {person} incident:{id}")));
    }
    if may_see(draft.org, &Actor::Person(person.clone()), incident) {
        return Ok(Reply::done(format!("{person} sees {id} already. Nothing changed.")).about(id));
    }
    let headline = super::show::headline(incident);
    draft.emit(Event::IncidentInvited { incident: id, person: person.clone() });
    let told = draft.org.chat_connected;
    if told {
        let text =
            format!("{} invites you to a private incident.\n{headline}\nRead on: /incident show {id}", draft.actor());
        let to = Destination::Person { person: person.clone(), method: Method::Chat };
        draft.owe(Some(id), None, to, Priority::Notice, Content::Post { text });
    }
    let how = if told { "was told" } else { "has to be told by you: no chat is connected" };
    Ok(Reply::done(format!("{person} sees {id} from now on and {how}. To wake them: /page {person} incident:{id}"))
        .about(id))
}
