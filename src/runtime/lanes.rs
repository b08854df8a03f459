//! Lanes at work: performs what the engine grants. Each send runs as a task of its own with a hard deadline, so that
//! an adapter that panics or hangs costs one attempt and stops nothing else.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::handle::{Handle, Tell};
use crate::domain::delivery::{Grant, Outcome};
use crate::domain::desk::Sender;
use crate::domain::id::DeliveryId;
use crate::domain::org::Org;
use crate::notify::{Notifiers, Timeouts};

/// No attempt takes longer, whatever its adapter does. Adapters have shorter deadlines of their own, and know better
/// whether something may have arrived: mail's, the longest, is `EMAIL.total` and a second to part, so this is above it.
const DEADLINE: Duration = Duration::from_secs(Timeouts::EMAIL.total.as_secs() + 5);

/// Performs grants.
pub trait Dispatch: Send {
    /// Starts one attempt of each and returns at once; the receipts go to the engine.
    fn start(&self, grants: Vec<Grant>, org: &Arc<Org>);
}

/// Lanes on tokio.
pub struct TokioLanes {
    /// Where the tasks run.
    pub tokio: tokio::runtime::Handle,
    /// Who sends; replaced as a whole when a configuration is.
    pub notifiers: Arc<RwLock<Arc<Notifiers>>>,
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
        let attempts: Vec<_> = grants.into_iter().map(begun).collect();
        // A task that is started from within wakes no other thread: those of one round cost one wake-up.
        self.tokio.spawn(async move {
            for attempt in attempts {
                tokio::spawn(attempt);
            }
        });
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
