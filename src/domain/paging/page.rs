//! Pages: how one person is reached about one incident, rule by rule.

use compact_str::format_compact;

use super::Page;
use super::escalate::{content, next_paged, priority};
use crate::domain::delivery::{Destination, NextPaged};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, PageId, PersonId};
use crate::domain::org::NotifyRule;
use crate::domain::time::{Span, Timestamp};

/// Pages a person by their rules; whether there is any way to reach them. A page that still runs for the same person
/// goes on: one cycle of rules per step activation, so that a short step cannot starve a late rule.
pub fn open(draft: &mut Draft<'_>, id: IncidentId, person: &PersonId, why: &str, next: Option<NextPaged>) -> bool {
    let Some(incident) = draft.incident(id) else { return false };
    if !draft.org.people.contains_key(person) {
        draft.warn(id, format_compact!("{person} is no longer configured"));
        return false;
    }
    let rules = draft.org.rules(person, incident.severity.high_urgency());
    let Some(first) = rules.first() else {
        draft.warn(id, format_compact!("{person} has no way to be reached"));
        return false;
    };
    let n = u32::try_from(incident.pages.len()).unwrap_or(u32::MAX - 1) + 1;
    let page = PageId { incident: id, n };
    let waits = first.after > Span::ZERO;
    draft.emit(Event::PageOpened {
        page,
        person: person.clone(),
        reason: why.into(),
        rules: rules.to_vec(),
        next: waits.then(|| draft.now.after(first.after)),
    });
    if !waits {
        start_rules(draft, page, next);
    }
    true
}

/// The moment of a page's next rule has come.
pub fn rule_due(draft: &mut Draft<'_>, page: PageId) {
    let next = next_paged(draft.org, draft.incident(page.incident), draft.now);
    start_rules(draft, page, next);
}

/// Starts the next rule of a page and those that share its delay; the one after is due by its distance from now, so
/// that rules overdue after an outage start one at a time.
pub fn start_rules(draft: &mut Draft<'_>, id: PageId, next: Option<NextPaged>) {
    let Some(page) = running(draft, id) else { return };
    let rules: Vec<NotifyRule> = page.rules.to_vec();
    let (person, why) = (page.person.clone(), page.reason.clone());
    let from = usize::from(page.used);
    let Some(first) = rules.get(from) else { return };
    let until = from + rules[from..].iter().take_while(|rule| rule.after == first.after).count();
    let due: Option<Timestamp> = rules.get(until).map(|rule| draft.now.after(Span(rule.after.0 - first.after.0)));
    for rule in &rules[from..until] {
        let to = Destination::Person { person: person.clone(), method: rule.method };
        let why = if rule.after > Span::ZERO {
            format!("{why}; {} after {}", rule.method, rule.after)
        } else {
            why.to_string()
        };
        send(draft, id.incident, Some(id.n), &to, &why, next.clone());
    }
    draft.emit(Event::PageAdvanced { page: id, used: u8::try_from(until).unwrap_or(u8::MAX), next: due });
}

/// A page that still runs.
pub fn running<'d>(draft: &'d Draft<'_>, id: PageId) -> Option<&'d Page> {
    draft.incident(id.incident)?.page(id.n).filter(|page| page.state.running())
}

/// Owes one message of a page.
pub fn send(
    draft: &mut Draft<'_>,
    id: IncidentId,
    page: Option<u32>,
    to: &Destination,
    why: &str,
    next: Option<NextPaged>,
) {
    let Some(incident) = draft.incident(id) else { return };
    let (content, priority) = (content(draft.state, draft.org, incident, why, next), priority(incident));
    draft.owe(Some(id), page, to.clone(), priority, content);
}
