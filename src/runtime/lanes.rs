//! Lanes at work: performs what the engine grants. Each send runs as a task of its own with a hard deadline, so that
//! an adapter that panics or hangs costs one attempt and stops nothing else.

use std::sync::Arc;
use std::time::Duration;

use super::handle::{Handle, Tell};
use super::outbox::Lane;
use crate::domain::delivery::{Grant, Outcome};
use crate::domain::desk::Sender;
use crate::domain::id::DeliveryId;
use crate::domain::org::Org;

/// No attempt takes longer, whatever its adapter does; adapters have shorter deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(30);

/// Performs grants.
pub trait Dispatch: Send {
    /// Starts one attempt and returns at once; its receipt goes to the engine.
    fn start(&self, grant: Grant, org: &Arc<Org>);
}

/// The adapters that deliver.
#[derive(Clone, Default)]
pub struct Senders {
    /// Chat, if one is connected.
    pub chat: Option<Arc<dyn Sender>>,
    /// Mail, if configured.
    pub email: Option<Arc<dyn Sender>>,
    /// Outgoing webhooks.
    pub webhook: Option<Arc<dyn Sender>>,
    /// Stands in for methods that this release does not build; only the demo has one.
    pub simulated: Option<Arc<dyn Sender>>,
}

impl Senders {
    fn of(&self, lane: &Lane) -> Option<&Arc<dyn Sender>> {
        let own = match lane {
            Lane::Chat => self.chat.as_ref(),
            Lane::Email => self.email.as_ref(),
            Lane::Webhook(_) => self.webhook.as_ref(),
            Lane::Other(_) => None,
        };
        own.or(self.simulated.as_ref())
    }
}

/// Lanes on tokio.
pub struct TokioLanes {
    /// Where the tasks run.
    pub tokio: tokio::runtime::Handle,
    /// Who sends.
    pub senders: Arc<std::sync::RwLock<Senders>>,
    /// Where receipts go.
    pub engine: Handle,
}

impl Dispatch for TokioLanes {
    fn start(&self, grant: Grant, org: &Arc<Org>) {
        let lane = Lane::of(org, &grant.to);
        let sender = self.senders.read().unwrap_or_else(std::sync::PoisonError::into_inner).of(&lane).cloned();
        let receipt = Receipt { engine: self.engine.clone(), delivery: Some(grant.id.clone()) };
        let Some(sender) = sender else {
            return receipt.give(Outcome::Permanent { reason: unreachable(&lane) });
        };
        let org = Arc::clone(org);
        self.tokio.spawn(async move {
            let outcome = tokio::time::timeout(DEADLINE, sender.send(&grant, &org)).await;
            receipt.give(outcome.unwrap_or_else(|_| Outcome::Retryable {
                reason: format!("no answer within {} s", DEADLINE.as_secs()),
                after: None,
                unknown: true,
            }));
        });
    }
}

fn unreachable(lane: &Lane) -> String {
    match lane {
        Lane::Chat => "no chat is connected".to_owned(),
        Lane::Email => "no [mail] is configured".to_owned(),
        Lane::Webhook(_) => "webhooks are not available".to_owned(),
        Lane::Other(method) => format!("{method} is not built in this release or has no address"),
    }
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
