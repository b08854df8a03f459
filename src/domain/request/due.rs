//! What a request owes by a time: it is told of once when it is overdue, and each day after that, until somebody does it;
//! what is fulfilled is closed of itself.

use super::{AGAIN, RequestState, ServiceRequest, Step, open, step};
use crate::domain::draft::Draft;
use crate::domain::id::ServiceRequestId;
use crate::domain::input::{Wakeup, WakeupKind};
use crate::domain::time::Timestamp;

impl ServiceRequest {
    /// The moment it waits for. What a step asks for has the deadline of its run.
    pub fn wakeup(&self) -> Option<Wakeup> {
        let due = match self.state {
            RequestState::Fulfilled => self.closes?,
            state if !state.waits() || self.asked_by.is_some() => return None,
            _ => self.reminded_at.map_or(self.due?, |last| last.after(AGAIN)),
        };
        Some(Wakeup { due, kind: WakeupKind::Request(self.id) })
    }

    /// Whether it should have been done before now.
    pub fn overdue(&self, now: Timestamp) -> bool {
        self.state.waits() && self.due.is_some_and(|due| due <= now)
    }
}

/// A moment of a request has come.
pub fn due(draft: &mut Draft<'_>, id: ServiceRequestId) {
    let Some(mut request) = draft.state.requests.get(&id).map(|request| (**request).clone()) else { return };
    if request.state == RequestState::Fulfilled {
        return step(draft, &mut request, Step::Closed);
    }
    step(draft, &mut request, Step::Reminded);
    let since = request.due.map(|due| format!(" since <t:{}:f>", due.unix_secs())).unwrap_or_default();
    let text =
        format!("{} is overdue{since}: it is {}. {}", request.headline(), request.state, super::show::next(&request));
    open::tell_team(draft, &request, text.clone());
    if request.awaits_approval() {
        open::tell_approvers(draft, &request, &text);
    }
}
