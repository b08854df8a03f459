//! The auditor's eye: looks at State, independently of the timers, for anything that should have happened. It says
//! what it finds and mends nothing.

use crate::domain::delivery::DeliveryStatus;
use crate::domain::incident::IncidentState;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// A moment may pass by this much before it counts as missed.
const MOMENT_GRACE: Span = Span::secs(30);
/// An owed message may wait this long for its first attempt (or its next one) before it counts as stuck.
const SEND_GRACE: Span = Span::mins(2);

/// Everything overdue, in words; at most `most`.
pub fn overdue(state: &State, now: Timestamp, most: usize) -> Vec<String> {
    let moments = state
        .wakeups()
        .take_while(|wakeup| wakeup.due.after(MOMENT_GRACE) < now)
        .map(|wakeup| format!("{} was due {} ago", wakeup.kind, now.since(wakeup.due)));
    let sends = state.owed().filter_map(|(incident, delivery)| {
        let DeliveryStatus::Owed { not_before, .. } = &delivery.status else { return None };
        let since = not_before.unwrap_or(delivery.owed_at);
        let about = incident.map(|id| format!(" about {id}")).unwrap_or_default();
        (since.after(SEND_GRACE) < now)
            .then(|| format!("{}{about} to {} waits since {}", delivery.id, delivery.to, now.since(since)))
    });
    let orphans = state.all_open_incidents().filter(|incident| {
        incident.state == IncidentState::Triggered
            && incident.severity.pages()
            && incident.escalation.is_none()
            && incident.exhausted_at.is_none()
    });
    let orphans = orphans.map(|incident| format!("{} is triggered and nothing escalates it", incident.id));
    moments.chain(sends).chain(orphans).take(most).collect()
}
