//! Lanes at work: performs what the engine grants. Each send runs as a task of its own with a hard deadline, so that
//! an adapter that panics or hangs costs one attempt and stops nothing else.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::handle::{Handle, Tell};
use crate::domain::delivery::{Grant, Outcome};
use crate::domain::desk::Sender;
use crate::domain::id::DeliveryId;
use crate::domain::id::RunId;
use crate::domain::org::Org;
use crate::domain::playbook::drive::GRACE;
use crate::domain::playbook::{Errand, Performed};
use crate::notify::{Notifiers, Timeouts};
use crate::perform::Performer;

/// No attempt takes longer, whatever its adapter does. Adapters have shorter deadlines of their own, and know better
/// whether something may have arrived: mail's, the longest, is `EMAIL.total` and a second to part, so this is above it.
const DEADLINE: Duration = Duration::from_secs(Timeouts::EMAIL.total.as_secs() + 5);

/// Performs grants.
pub trait Dispatch: Send {
    /// Starts one attempt of each and returns at once; the receipts go to the engine.
    fn start(&self, grants: Vec<Grant>, org: &Arc<Org>);
    /// Starts one step that a run owes to the outside and returns at once; what came of it goes to the engine.
    fn perform(&self, errand: Errand, org: &Arc<Org>);
}

/// Lanes on tokio.
pub struct TokioLanes {
    /// Where the tasks run.
    pub tokio: tokio::runtime::Handle,
    /// Who sends; replaced as a whole when a configuration is.
    pub notifiers: Arc<RwLock<Arc<Notifiers>>>,
    /// Who does the steps of playbooks; replaced with it.
    pub performer: Arc<RwLock<Arc<Performer>>>,
    /// Where receipts go.
    pub engine: Handle,
}

impl Dispatch for TokioLanes {
    fn start(&self, grants: Vec<Grant>, org: &Arc<Org>) {
        if grants.is_empty() {
            return;
        }
        let notifiers = Arc::clone(&self.notifiers.read().unwrap_or_else(PoisonError::into_inner));
        let begun = |grant: Grant| {
            let receipt = Receipt { engine: self.engine.clone(), delivery: Some(grant.id.clone()) };
            attempt(receipt, grant, Arc::clone(&notifiers), Arc::clone(org))
        };
        let mut attempts: Vec<_> = grants.into_iter().map(begun).collect();
        if attempts.len() == 1
            && let Some(only) = attempts.pop()
        {
            self.tokio.spawn(only);
            return;
        }
        // A task that is started from within wakes no other thread: those of one round cost one wake-up.
        self.tokio.spawn(async move {
            for attempt in attempts {
                tokio::spawn(attempt);
            }
        });
    }

    fn perform(&self, errand: Errand, org: &Arc<Org>) {
        let performer = Arc::clone(&self.performer.read().unwrap_or_else(PoisonError::into_inner));
        let back = Back { engine: self.engine.clone(), errand: Some((errand.run, errand.attempt)) };
        let org = Arc::clone(org);
        // The performer ends by itself at the errand's own timeout; this is for one that does not.
        let most = errand.timeout.0.saturating_add(GRACE.0 / 2);
        let most = Duration::from_millis(u64::try_from(most).unwrap_or(0));
        self.tokio.spawn(async move {
            let performed = tokio::time::timeout(most, performer.perform(&errand, &org.allowed)).await;
            let late = |_| Performed::Unknown { reason: "it did not end in time".to_owned() };
            back.give(performed.unwrap_or_else(late));
        });
    }
}

/// Makes sure that every errand comes back exactly once.
struct Back {
    engine: Handle,
    errand: Option<(RunId, u16)>,
}

impl Back {
    fn give(mut self, performed: Performed) {
        if let Some((run, attempt)) = self.errand.take() {
            self.engine.tell(Tell::Performed(run, attempt, performed));
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        if let Some((run, attempt)) = self.errand.take() {
            let reason = "the performer stopped in the middle (a bug; see the log)".to_owned();
            self.engine.tell(Tell::Performed(run, attempt, Performed::Unknown { reason }));
        }
    }
}

/// One attempt, and its receipt.
async fn attempt(receipt: Receipt, grant: Grant, notifiers: Arc<Notifiers>, org: Arc<Org>) {
    let outcome = tokio::time::timeout(DEADLINE, notifiers.send(&grant, &org)).await;
    receipt.give(outcome.unwrap_or_else(|_| Outcome::Retryable {
        reason: format!("no answer within {} s", DEADLINE.as_secs()),
        after: None,
        unknown: true,
    }));
}

/// Makes sure that every start has exactly one receipt: dropped without one (a panic), it says so.
struct Receipt {
    engine: Handle,
    delivery: Option<DeliveryId>,
}

impl Receipt {
    fn give(mut self, outcome: Outcome) {
        if let Some(delivery) = self.delivery.take() {
            self.engine.tell(Tell::Receipt(delivery, outcome));
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            let outcome = Outcome::Retryable {
                reason: "the adapter stopped in the middle (a bug; see the log)".to_owned(),
                after: None,
                unknown: true,
            };
            self.engine.tell(Tell::Receipt(delivery, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_ends_by_itself_before_it_is_ended() {
        for adapter in [Timeouts::EMAIL, Timeouts::WEBHOOK] {
            assert!(adapter.longest() < DEADLINE, "{adapter:?}");
        }
    }
}
