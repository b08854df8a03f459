//! Merging: two incidents turn out to be one. Alerts that fire, pages that run and responders go to the one that stays;
//! the other closes as its duplicate, with a link both ways. Later alerts of its group join the one that stays.

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::life;
use super::link::{Link, LinkKind};
use super::record::{Incident, IncidentState, Resolution};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{AlertId, IncidentId, PageId, PersonId};
use crate::domain::input::Reply;
use crate::domain::paging::{Page, PageState, escalate};
use crate::domain::playbook::remedy;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::hold;

/// One incident went into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentMerged {
    /// The one that ends.
    pub incident: IncidentId,
    /// The one that stays.
    pub into: IncidentId,
    /// Alerts that fire and go along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<AlertId>,
    /// Groups whose later alerts join the one that stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<CompactString>,
    /// Running pages that go along, by their number in the one that ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<u32>,
    /// Who worked on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responders: Vec<PersonId>,
    /// Who was invited to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invited: Vec<PersonId>,
}

/// `/incident merge`. Whether the person may see both has been asked.
pub fn merge(draft: &mut Draft<'_>, id: IncidentId, into: IncidentId) -> Result<Reply, Reject> {
    if id == into {
        return Err(Reject::new(RejectCode::BadValue, format!("{id} cannot be merged into itself."))
            .hint("Say the one that stays second: /incident merge INC-2 INC-1"));
    }
    let from = draft.open(id).map_err(|_| gone(draft, id, into))?;
    let to = draft.open(into)?;
    if !to.state.open() {
        return Err(Reject::new(RejectCode::Conflict, format!("{into} is {}: nothing more can join it.", to.state))
            .hint(format!(
                "If it is not over: /incident reopen {into}. If only {id} goes on: /incident merge {into} {id}"
            )));
    }
    if from.private != to.private {
        let (private, public) = if from.private { (id, into) } else { (into, id) };
        let message = format!("{private} is private and {public} is not: merged, the wrong people would see it.");
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint(format!("Link them, which tells nobody else which it is: /incident link {id} related {into}")));
    }
    let taken = to.state != IncidentState::Triggered;
    let (was, mitigated) = (from.severity, to.state == IncidentState::Mitigated);
    let needs_work = from.state == IncidentState::Triggered && from.severity.pages();
    let why = format!("merged into {into}");
    // Whoever is paged about the one that stays, or need not be since somebody has it, is not paged twice.
    let ends = |page: &&Page| page.state.running() && (taken || runs_for(to, &page.person));
    let over: Vec<PageId> = from.pages.iter().filter(ends).map(|page| page.id(id)).collect();
    let merged = IncidentMerged {
        incident: id,
        into,
        alerts: draft.state.alerts_of(id).map(|alert| alert.id).collect(),
        groups: std::iter::once(&from.group)
            .chain(&from.also_groups)
            .filter(|group| !group.is_empty())
            .cloned()
            .collect(),
        pages: from.pages.iter().filter(|page| page.state.running() && !ends(page)).map(|page| page.n).collect(),
        responders: from.roles.responders.clone(),
        invited: from.invited.clone(),
    };
    let text = told(from, to, &merged);
    let teams_differ = from.team != to.team;
    for page in over {
        draft.emit(Event::PageEnded { page, state: PageState::Cancelled, reason: why.as_str().into() });
    }
    draft.emit(Event::IncidentMerged(Box::new(merged)));
    // What is left running of the one that ends: its escalation, and pages to channels that have not started.
    escalate::stop(draft, id, PageState::Cancelled, &why);
    let said = format!("{id} merged into {into} by {}. {text}", draft.actor());
    if teams_differ {
        draft.post(id, said.clone());
    }
    super::remind::stop(draft, id, &why);
    draft.emit(Event::IncidentClosed { incident: id });
    draft.post(into, said);
    let raises = draft.incident(into).is_some_and(|to| was < to.severity && !to.severity_by_person);
    if raises {
        life::change_severity(draft, into, was, Some(format_compact!("{id} was {was}")), None);
    }
    let why = format_compact!("{id} needs work and was merged into it");
    if needs_work && (mitigated || hold::snoozed_by_another(draft, into)) {
        life::restart(draft, into, why);
    } else if needs_work {
        remedy::page_now(draft, into, &why);
        escalate::after_last_resort(draft, into, &why);
    }
    let next = match draft.incident(into) {
        Some(to) if to.state == IncidentState::Triggered => {
            format!("{}\nTake it: /ack {into}", super::show::who_is_paged(to))
        }
        _ => format!("Go on there: /incident show {into}"),
    };
    Ok(Reply::done(format!("{id} is merged into {into} and closed as its duplicate. {text}\n{next}"))
        .about(into)
        .about(id))
}

/// The one that is to end has ended already.
fn gone(draft: &Draft<'_>, id: IncidentId, into: IncidentId) -> Reject {
    match draft.open(id) {
        Err(reject) if draft.closed(id).is_some_and(|closed| closed.merged_into.is_none()) => Reject {
            hint: Some(format!("To note that it told the same: /incident link {into} related {id}")),
            ..reject
        },
        Err(reject) => reject,
        Ok(_) => Reject::new(RejectCode::Conflict, format!("{id} cannot be merged.")),
    }
}

fn runs_for(incident: &Incident, person: &PersonId) -> bool {
    incident.pages.iter().any(|page| page.state.running() && page.person == *person)
}

/// What goes along, in words.
fn told(from: &Incident, to: &Incident, merged: &IncidentMerged) -> String {
    let mut parts = Vec::new();
    match merged.alerts.len() {
        0 => {}
        1 => parts.push("1 alert".to_owned()),
        n => parts.push(format!("{n} alerts")),
    }
    let paged = merged.pages.iter().filter_map(|n| from.page(*n)).map(|page| page.person.to_string());
    let paged: Vec<String> = paged.collect();
    if !paged.is_empty() {
        parts.push(format!("the pages of {}", paged.join(", ")));
    }
    let new: Vec<&str> =
        merged.responders.iter().filter(|who| !to.roles.responders.contains(who)).map(PersonId::as_str).collect();
    if !new.is_empty() {
        parts.push(format!("{} as responders", new.join(", ")));
    }
    if parts.is_empty() { "Nothing had to move.".to_owned() } else { format!("Moved: {}.", parts.join("; ")) }
}

/// What a merge does to both records; alerts that fire are moved by State.
pub fn apply(stamp: &Stamp<'_>, merged: &IncidentMerged, from: &mut Incident, into: &mut Incident) {
    for n in &merged.pages {
        move_page(stamp, *n, from, into);
    }
    let firing = u32::try_from(merged.alerts.len()).unwrap_or(u32::MAX);
    into.alerts_firing = into.alerts_firing.saturating_add(firing);
    into.alerts_total = into.alerts_total.saturating_add(from.alerts_total);
    from.alerts_firing = from.alerts_firing.saturating_sub(firing);
    add_missing(&mut into.also_groups, &merged.groups);
    add_missing(&mut into.roles.responders, &merged.responders);
    add_missing(&mut into.invited, &merged.invited);
    add_missing(&mut into.links, &[Link { kind: LinkKind::HasDuplicate, to: format_compact!("{}", from.id) }]);
    add_missing(&mut from.links, &[Link { kind: LinkKind::DuplicateOf, to: format_compact!("{}", into.id) }]);
    into.kept_open |= from.kept_open || from.opened_by.person().is_some();
    into.say(stamp, format_compact!("{} merged into this one", from.id));
    from.say(stamp, format_compact!("merged into {}", into.id));
    from.state = IncidentState::Resolved;
    from.resolution = Some(Resolution::Duplicate);
    from.resolved_at.get_or_insert(stamp.at);
    from.ack_expires = None;
    from.update_due = None;
    from.closes = None;
    from.merged_into = Some(into.id);
}

/// The page goes on under a number of the other incident, with its ledger; in its place stays where it went.
fn move_page(stamp: &Stamp<'_>, n: u32, from: &mut Incident, into: &mut Incident) {
    let (old, new) = (from.id, u32::try_from(into.pages.len()).unwrap_or(u32::MAX - 1) + 1);
    let Some(page) = from.page_mut(n) else { return };
    let reason = format_compact!("{}; came with {old}", page.reason);
    into.pages.push(Page { n: new, reason, ..page.clone() });
    page.state = PageState::Cancelled;
    page.next = None;
    page.ended_at = Some(stamp.at);
    let (moved, stay): (Vec<_>, Vec<_>) =
        std::mem::take(&mut from.deliveries).into_iter().partition(|delivery| delivery.page == Some(n));
    from.deliveries = stay;
    for mut delivery in moved {
        delivery.page = Some(new);
        into.reached = into.reached.max(delivery.reached());
        into.deliveries.push(delivery);
    }
}

fn add_missing<T: PartialEq + Clone>(list: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}
