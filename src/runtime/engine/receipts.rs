//! What comes back to the engine from the outside, beside the receipts of deliveries: steps of playbooks. And how
//! attempts are counted.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::domain::actor::By;
use crate::domain::delivery::Outcome;
use crate::domain::id::{DeliveryId, RunId};
use crate::domain::input::{Input, InputKind};
use crate::domain::playbook::Performed;
use crate::http::Ended;

/// Whether an input says what happened outside, and is taken again when its commit is lost.
pub(super) fn is_kept(kind: &InputKind) -> bool {
    use InputKind::{Arrived, ClockStepped, Performed, Receipt, Started};
    matches!(kind, Receipt { .. } | Arrived(_) | Performed { .. } | ClockStepped { .. } | Started { .. })
}

impl Engine {
    /// Starts the steps that runs owe to the outside.
    pub(super) fn errands(&mut self) {
        while let Some(errand) = self.core.errand() {
            let org = Arc::clone(self.core.org());
            self.dispatch.perform(errand, &org);
        }
    }

    pub(super) fn performed(&mut self, run: RunId, attempt: u16, outcome: Performed) {
        if let Performed::Failed { reason, .. } | Performed::Unknown { reason } = &outcome {
            tracing::warn!(%run, attempt, %reason, "a step of a playbook did not go well");
        }
        self.core.errand_ended(run, attempt);
        let kind = InputKind::Performed { run, attempt, outcome };
        self.keep(Input { by: By::timer("perform"), idempotency: None, kind, closed: Vec::new() });
    }

    pub(super) fn count(&self, delivery: &DeliveryId, outcome: &Outcome) {
        let ended = match outcome {
            Outcome::Accepted | Outcome::Placed(_) => Ended::Accepted,
            Outcome::Later { .. } | Outcome::Retryable { .. } => Ended::Retryable,
            Outcome::Permanent { .. } => Ended::Permanent,
        };
        // One that is owed no more was cancelled while it was under way.
        if let Some((_, delivery)) = self.core.state().owed_delivery(delivery) {
            let since = u64::try_from(self.clock.now().since(delivery.owed_at).0).unwrap_or(0);
            self.tally.attempt(delivery.is_page(), ended, Duration::from_millis(since));
        }
    }
}
