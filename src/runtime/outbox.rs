//! The outbox: which owed delivery starts next. Lanes hold no work: they are an order over what State owes, one lane
//! per destination, ordered per incident, with a bounded number under way. Everything here is rebuilt from State.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::delivery::{Delivery, DeliveryStatus, Destination, Grant, Method, Priority};
use crate::domain::event::{Commit, Event};
use crate::domain::id::{DeliveryId, IncidentId, IntegrationId, PageId, WebhookId};
use crate::domain::org::Org;
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// Where deliveries queue up together: a slow destination holds up only its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A chat platform (all of its places share its limits).
    Chat,
    /// Mail.
    Email,
    /// One outgoing webhook.
    Webhook(WebhookId),
    /// The code host of one integration.
    Host(IntegrationId),
    /// A method that no adapter of this release sends, or whose address has vanished.
    Other(Method),
}

impl Lane {
    /// The lane of a destination.
    pub fn of(org: &Org, to: &Destination) -> Self {
        match to {
            Destination::Channel(_) | Destination::Person { method: Method::Chat, .. } => Self::Chat,
            Destination::Person { method: Method::Email, .. } => Self::Email,
            Destination::Webhook(id) => Self::Webhook(id.clone()),
            Destination::Host(id) => Self::Host(id.clone()),
            Destination::Person { method: Method::Webhook, person } => {
                match org.people.get(person).and_then(|person| person.webhook.clone()) {
                    Some(id) => Self::Webhook(id),
                    None => Self::Other(Method::Webhook),
                }
            }
            Destination::Person { method, .. } => Self::Other(*method),
        }
    }

    /// How many may be under way at once: enough to keep a fast receiver busy, few enough that a slow one holds
    /// little memory and few sockets.
    fn width(&self) -> usize {
        match self {
            Self::Chat => 4,
            Self::Email | Self::Host(_) => 4,
            Self::Webhook(_) => 64,
            Self::Other(_) => 16,
        }
    }
}

/// What is ready in one lane, most urgent and oldest first.
type Rank = (Priority, DeliveryId);

/// Deliveries of one incident in one lane that start in order; pages and the rest do not wait for each other.
type Turn = (Lane, IncidentId, bool);

/// Places beside a lane's width that only pages may take, so that a page never waits behind anything less.
const FOR_PAGES: usize = 4;

fn is_page(priority: Priority) -> bool {
    priority <= Priority::Page
}

#[derive(Debug, Default)]
struct Queue {
    ready: BTreeSet<Rank>,
    under_way: usize,
}

/// The order in which owed deliveries start.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: BTreeMap<Lane, Queue>,
    /// Lanes with something ready and a free place, so that a grant needs no search.
    open: BTreeSet<(Priority, Lane)>,
    /// Waiting for their next attempt.
    later: BTreeSet<(Timestamp, DeliveryId)>,
    /// Under way, with their lane, and whose turn it is.
    busy: BTreeMap<DeliveryId, (Lane, Option<Turn>)>,
    /// Turns that are taken by a delivery under way, and what waits behind it.
    behind: BTreeMap<Turn, BTreeSet<Rank>>,
    /// Came back, but the receipt is not durable yet: not to be started again.
    held: BTreeSet<DeliveryId>,
    /// Held until this commit is durable: their receipts changed nothing because of it.
    leaving: BTreeSet<(u64, DeliveryId)>,
    /// Everything owed up to this commit was owed before this process began.
    recovered: u64,
}

impl Outbox {
    /// The outbox of a fresh process.
    pub fn recover(state: &State, org: &Org) -> Self {
        let mut outbox = Self { recovered: state.meta.seq, ..Self::default() };
        outbox.fill(state, org, state.meta.seq);
        outbox
    }

    /// Starts over from a state that has lost commits; what is under way stays so, and what came back is held.
    pub fn lost(&mut self, state: &State, org: &Org) {
        self.leaving.clear();
        self.rebuild(state, org, state.meta.seq);
    }

    /// Files anew what was owed up to `durable`; what is under way stays so.
    pub fn rebuild(&mut self, state: &State, org: &Org, durable: u64) {
        for queue in self.lanes.values_mut() {
            queue.ready.clear();
        }
        self.open.clear();
        self.later.clear();
        self.behind.values_mut().for_each(BTreeSet::clear);
        self.fill(state, org, durable);
    }

    fn fill(&mut self, state: &State, org: &Org, durable: u64) {
        for (incident, delivery) in state.owed().take_while(|(_, delivery)| delivery.id.seq <= durable) {
            if self.busy.contains_key(&delivery.id) || self.held.contains(&delivery.id) {
                continue;
            }
            match &delivery.status {
                DeliveryStatus::Owed { not_before: Some(at), .. } => {
                    self.later.insert((*at, delivery.id.clone()));
                }
                _ => self.ready(Lane::of(org, &delivery.to), (delivery.priority, delivery.id.clone()), incident),
            }
        }
    }

    /// A commit is durable: what it owes may start.
    pub fn react(&mut self, commit: &Commit, org: &Org) {
        while let Some((seq, _)) = self.leaving.first()
            && *seq <= commit.seq
        {
            let Some((_, id)) = self.leaving.pop_first() else { break };
            self.held.remove(&id);
        }
        for event in &commit.events {
            match event {
                Event::DeliveryOwed(owed) => {
                    self.ready(Lane::of(org, &owed.to), (owed.priority, owed.delivery.clone()), owed.incident);
                }
                Event::DeliveryRetried { delivery, not_before, .. } => {
                    self.held.remove(delivery);
                    self.later.insert((*not_before, delivery.clone()));
                }
                Event::DeliveryAccepted { delivery, .. } | Event::DeliveryFailed { delivery, .. } => {
                    self.held.remove(delivery);
                }
                _ => {}
            }
        }
    }

    fn ready(&mut self, lane: Lane, rank: Rank, incident: Option<IncidentId>) {
        if let Some(incident) = incident
            && let Some(behind) = self.behind.get_mut(&(lane.clone(), incident, is_page(rank.0)))
        {
            behind.insert(rank);
            return;
        }
        let queue = self.lanes.entry(lane.clone()).or_default();
        Self::shut(&mut self.open, &lane, queue);
        queue.ready.insert(rank);
        Self::reopen(&mut self.open, lane, queue);
    }

    /// Takes a lane off the list of open ones, before its first place changes.
    fn shut(open: &mut BTreeSet<(Priority, Lane)>, lane: &Lane, queue: &Queue) {
        if let Some((priority, _)) = queue.ready.first() {
            open.remove(&(*priority, lane.clone()));
        }
    }

    fn reopen(open: &mut BTreeSet<(Priority, Lane)>, lane: Lane, queue: &Queue) {
        if let Some((priority, _)) = queue.ready.first()
            && queue.under_way < lane.width() + if is_page(*priority) { FOR_PAGES } else { 0 }
        {
            open.insert((*priority, lane));
        }
    }

    /// When the next retry may start.
    pub fn next_retry(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        self.busy.len()
    }

    /// Grants the most urgent start that is allowed now.
    pub fn grant(&mut self, state: &State, org: &Org, now: Timestamp) -> Option<Grant> {
        self.wake_later(state, org, now);
        loop {
            let (_, lane) = self.open.first()?.clone();
            let queue = self.lanes.get_mut(&lane)?;
            Self::shut(&mut self.open, &lane, queue);
            let Some(rank) = queue.ready.pop_first() else { continue };
            let stays = self.busy.contains_key(&rank.1) || self.held.contains(&rank.1);
            let Some((incident, delivery)) = state.owed_delivery(&rank.1).filter(|_| !stays) else {
                // Acknowledged, cancelled or settled meanwhile: it does not start. One that is under way starts again
                // only by its own receipt.
                Self::reopen(&mut self.open, lane, queue);
                continue;
            };
            let turn = incident.map(|incident| (lane.clone(), incident, is_page(rank.0)));
            if let Some(turn) = &turn {
                if let Some(behind) = self.behind.get_mut(turn) {
                    behind.insert(rank);
                    Self::reopen(&mut self.open, lane, queue);
                    continue;
                }
                self.behind.insert(turn.clone(), BTreeSet::new());
            }
            queue.under_way += 1;
            Self::reopen(&mut self.open, lane.clone(), queue);
            self.busy.insert(rank.1, (lane, turn));
            return Some(self.granted(incident, delivery));
        }
    }

    fn granted(&self, incident: Option<IncidentId>, delivery: &Delivery) -> Grant {
        let (attempts, unknown) = match delivery.status {
            DeliveryStatus::Owed { attempts, unknown, .. } => (attempts, unknown),
            _ => (0, false),
        };
        Grant {
            id: delivery.id.clone(),
            to: delivery.to.clone(),
            priority: delivery.priority,
            incident,
            page: incident.zip(delivery.page).map(|(incident, n)| PageId { incident, n }),
            content: delivery.content.as_deref().cloned().unwrap_or_else(|| crate::domain::delivery::Content::Notice {
                text: format!("{} is owed", delivery.id),
            }),
            attempt: attempts.saturating_add(1),
            possible_repeat: unknown || delivery.id.seq <= self.recovered,
            owed_at: delivery.owed_at,
        }
    }

    /// Retries whose time has come are ready again (or filed again, where the clock was shifted).
    fn wake_later(&mut self, state: &State, org: &Org, now: Timestamp) {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.later.pop_first() else { return };
            let Some((incident, delivery)) = state.owed_delivery(&id) else { continue };
            match &delivery.status {
                DeliveryStatus::Owed { not_before: Some(at), .. } if *at > now => {
                    self.later.insert((*at, id));
                }
                _ => self.ready(Lane::of(org, &delivery.to), (delivery.priority, id), incident),
            }
        }
    }

    /// An attempt has come back: its place is free, and what waited behind it for the same incident is ready.
    pub fn ended(&mut self, id: &DeliveryId) {
        let Some((lane, turn)) = self.busy.remove(id) else { return };
        self.held.insert(id.clone());
        if let Some(queue) = self.lanes.get_mut(&lane) {
            Self::shut(&mut self.open, &lane, queue);
            queue.under_way = queue.under_way.saturating_sub(1);
            if let Some(behind) = turn.and_then(|turn| self.behind.remove(&turn)) {
                queue.ready.extend(behind);
            }
            Self::reopen(&mut self.open, lane, queue);
        }
    }

    /// Its receipt changed nothing at the state of commit `seq` (the delivery was cancelled while under way). It is held
    /// until that is durable: if the cancellation is lost, the receipt has to be heard again.
    pub fn release(&mut self, id: &DeliveryId, seq: u64, durable: u64) {
        if seq <= durable {
            self.held.remove(id);
        } else if self.held.contains(id) {
            self.leaving.insert((seq, id.clone()));
        }
    }

    /// Whether nothing is kept for any delivery.
    pub fn is_idle(&self) -> bool {
        self.lanes.values().all(|queue| queue.ready.is_empty() && queue.under_way == 0)
            && self.open.is_empty()
            && self.later.is_empty()
            && self.busy.is_empty()
            && self.behind.is_empty()
            && self.held.is_empty()
            && self.leaving.is_empty()
    }
}
