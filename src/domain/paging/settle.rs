//! Receipts: how an attempt ended, and what follows: a retry by the table, the person's next rule, the next step.

use compact_str::format_compact;

use super::{escalate, page};
use crate::domain::change::answer;
use crate::domain::counted::counted;
use crate::domain::delivery::{
    Content, Delivery, DeliveryStatus, Destination, Outcome, Priority, Reached, SEND_DEADLINE, STALE_AFTER, room_wait,
};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, IncidentId, PageId};
use crate::domain::incident::room;
use crate::domain::playbook;
use crate::domain::time::Timestamp;

/// The longest reason that is kept, in bytes.
const REASON_MAX: usize = 300;

/// Takes a receipt. One for a delivery that is no longer owed (it was cancelled while under way) changes nothing.
pub fn settle(draft: &mut Draft<'_>, id: &DeliveryId, outcome: &Outcome) {
    let Some((incident, delivery)) = draft.state.owed_delivery(id) else { return };
    let delivery_id = id.clone();
    if let Some(stale) = stale(draft, delivery, outcome) {
        return draft.emit(Event::DeliveryFailed { delivery: delivery_id, incident, reason: stale });
    }
    match outcome {
        Outcome::Accepted => {
            draft.emit_last(Event::DeliveryAccepted { delivery: delivery_id, incident, place: None });
            answer::settled(draft, delivery, Ok(()));
        }
        Outcome::Placed(place) => {
            let room = matches!(delivery.content.as_deref(), Some(Content::Room { .. }));
            let kept = Some(place.clone()).filter(|_| room);
            draft.emit_last(Event::DeliveryAccepted { delivery: delivery_id, incident, place: kept });
            playbook::board::placed(draft, delivery, place);
        }
        Outcome::Later { reason, after } => {
            let DeliveryStatus::Owed { attempts, unknown, .. } = delivery.status else { return };
            let Some(wait) = room_wait(draft.now.since(delivery.owed_at), *after) else {
                let outcome = Outcome::Retryable { reason: reason.clone(), after: Some(*after), unknown: false };
                return settle(draft, id, &outcome);
            };
            let not_before = draft.now.after(wait);
            draft.emit(Event::DeliveryRetried {
                delivery: delivery_id,
                incident,
                attempts,
                not_before,
                reason: cut(reason),
                unknown,
            });
            too_late(draft, incident, delivery, not_before);
        }
        Outcome::Retryable { reason, after, unknown } => {
            let DeliveryStatus::Owed { attempts, unknown: before, .. } = delivery.status else { return };
            let attempts = attempts.saturating_add(1);
            match delivery.retry_wait(attempts, *after) {
                Some(wait) => {
                    let not_before = draft.now.after(wait);
                    draft.emit(Event::DeliveryRetried {
                        delivery: delivery_id,
                        incident,
                        attempts,
                        not_before,
                        reason: cut(reason),
                        unknown: *unknown || before,
                    });
                    too_late(draft, incident, delivery, not_before);
                }
                None => {
                    let reason = format_compact!("given up after {}: {}", counted(attempts, "attempt"), cut(reason));
                    draft.emit(Event::DeliveryFailed { delivery: delivery_id, incident, reason: reason.clone() });
                    answer::settled(draft, delivery, Err(&reason));
                    after_failure(draft, incident, delivery);
                }
            }
        }
        Outcome::Permanent { reason } => {
            draft.emit(Event::DeliveryFailed { delivery: delivery_id, incident, reason: cut(reason) });
            room::fall_back(draft, incident, delivery, &cut(reason));
            answer::settled(draft, delivery, Err(&cut(reason)));
            after_failure(draft, incident, delivery);
        }
    }
}

/// Why a line in a channel is not tried again: what it says is told by the record, and by then other lines say more.
fn stale(draft: &Draft<'_>, delivery: &Delivery, outcome: &Outcome) -> Option<compact_str::CompactString> {
    let (Outcome::Later { reason, .. } | Outcome::Retryable { reason, .. }) = outcome else { return None };
    let old = draft.now.since(delivery.owed_at) > STALE_AFTER;
    (delivery.priority == Priority::Post && old).then(|| format_compact!("no longer news: {}", cut(reason)))
}

/// A message of a page that will not have gone out in time: the person's next rule starts now, while it is still
/// tried. Once for each rule: the one that starts has its own time.
fn too_late(draft: &mut Draft<'_>, incident: Option<IncidentId>, delivery: &Delivery, not_before: Timestamp) {
    let (Some(incident), Some(n)) = (incident, delivery.page) else { return };
    let id = PageId { incident, n };
    let Some(page) = page::running(draft, id) else { return };
    if usize::from(page.used) >= page.rules.len() {
        return;
    }
    let Some(record) = draft.incident(incident) else { return };
    let started = || record.deliveries.iter().filter(|other| other.page == Some(n) && !failed(other));
    let newest = started().map(|other| other.owed_at).max().unwrap_or(delivery.owed_at);
    let arrived = started().any(|other| matches!(other.status, DeliveryStatus::Accepted { .. }));
    if !arrived && not_before.since(newest) > SEND_DEADLINE {
        page::rule_due(draft, id);
    }
}

/// A message will never arrive: the person's next rule starts now, and where nobody can be reached any more, the next
/// step.
fn after_failure(draft: &mut Draft<'_>, incident: Option<IncidentId>, delivery: &Delivery) {
    let Some(incident) = incident.filter(|_| delivery.is_page()) else { return };
    if let Some(n) = delivery.page {
        let id = PageId { incident, n };
        let Some(record) = draft.incident(incident) else { return };
        // A rule that has a twin on its way, or one that arrived, does not bring the next one forward.
        let twin = record.deliveries.iter().any(|other| other.page == Some(n) && !failed(other));
        if let Some(page) = page::running(draft, id).filter(|_| !twin) {
            let (person, more) = (page.person.clone(), usize::from(page.used) < page.rules.len());
            if more {
                return page::rule_due(draft, id);
            }
            draft.warn(incident, format_compact!("{person} could not be reached by any method"));
        }
    }
    let Some(record) = draft.incident(incident) else { return };
    // A line in a channel wakes nobody: it does not end the asking.
    let asking = record.escalation.is_some();
    let wakes = |it: &Delivery| it.is_page() && (asking || !matches!(it.to, Destination::Channel(_)));
    let enough = if asking { Reached::Channel } else { Reached::Somebody };
    let hope = record.reached >= enough
        || record.deliveries.iter().any(|other| other.owed() && wakes(other))
        || record.pages.iter().any(|page| page.state.running() && page.next.is_some());
    match &record.escalation {
        _ if hope => {}
        Some(escalation) if escalation.held => {}
        Some(_) => escalate::advance(draft, incident, Some(escalate::UNREACHED)),
        None => escalate::after_nobody(draft, incident),
    }
}

fn failed(delivery: &Delivery) -> bool {
    matches!(delivery.status, DeliveryStatus::Failed { .. })
}

fn cut(reason: &str) -> compact_str::CompactString {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].chars().filter(|c| !c.is_control()).collect()
}
