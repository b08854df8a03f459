//! The ledger: what was started, in which process, and how it came out in truth. It judges every start.

use std::collections::{BTreeMap, BTreeSet};

use opsbell::domain::delivery::{Destination, Grant, Method, Priority};
use opsbell::domain::event::{Commit, DeliveryOwed, Event};
use opsbell::domain::id::{DeliveryId, IncidentId};

/// How an attempt came out in truth, whoever heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It arrived, or may have.
    MayHaveArrived,
    /// It surely did not.
    Refused,
}

#[derive(Default)]
pub struct Ledger {
    /// Owed by a durable commit.
    owed: BTreeMap<DeliveryId, DeliveryOwed>,
    /// Until which commit an incident's pages are not to start any more: the last acknowledgement or resolution that
    /// is applied and not lost.
    quiet: BTreeMap<IncidentId, u64>,
    started: BTreeMap<DeliveryId, Vec<Truth>>,
    under_way: BTreeSet<DeliveryId>,
    /// What was owed before this process began.
    born_at: u64,
    pub repeats: u64,
}

impl Ledger {
    /// A commit was applied, whether or not it will be durable.
    pub fn applied(&mut self, commit: &Commit) {
        for event in &commit.events {
            if let Event::IncidentAcknowledged { incident, .. } | Event::IncidentResolved { incident, .. } = event {
                self.quiet.insert(*incident, commit.seq);
            }
        }
    }

    /// A commit is durable.
    pub fn durable(&mut self, commit: &Commit) {
        for event in &commit.events {
            if let Event::DeliveryOwed(owed) = event {
                let before = self.owed.insert(owed.delivery.clone(), (**owed).clone());
                assert!(before.is_none(), "{} is owed twice", owed.delivery);
                assert_eq!(owed.delivery.seq, commit.seq);
                assert!(owed.delivery.to_string().len() <= 25);
            }
        }
    }

    /// Commits were lost: only these are left.
    pub fn lost(&mut self, journal: &[Commit]) {
        self.quiet.clear();
        for commit in journal {
            self.applied(commit);
        }
    }

    /// Another process begins with these commits.
    pub fn reborn(&mut self, journal: &[Commit]) {
        self.lost(journal);
        self.under_way.clear();
        self.born_at = journal.len() as u64;
    }

    /// Judges a start.
    pub fn start(&mut self, grant: &Grant, truth: Truth) {
        let id = &grant.id;
        let Some(owed) = self.owed.get(id) else { panic!("{id} starts and no durable commit owes it") };
        assert_eq!((&owed.to, &owed.content, owed.priority), (&grant.to, &grant.content, grant.priority), "{id}");
        let page = matches!(grant.priority, Priority::CriticalPage | Priority::Page);
        if let Some(incident) = owed.incident.filter(|_| page) {
            let quiet = self.quiet.get(&incident).copied().unwrap_or(0);
            assert!(id.seq > quiet, "{id} about {incident} starts after its acknowledgement (commit {quiet})");
        }
        assert!(self.under_way.insert(id.clone()), "{id} is started while it is under way");
        let before = self.started.entry(id.clone()).or_default();
        let may_have_arrived = before.contains(&Truth::MayHaveArrived);
        assert!(grant.possible_repeat || !may_have_arrived, "{id} may repeat and does not say so: {before:?}");
        if grant.possible_repeat {
            self.repeats += 1;
            assert!(!before.is_empty() || id.seq <= self.born_at, "{id} says that it may repeat and cannot");
        }
        before.push(truth);
    }

    /// An attempt has come back.
    pub fn ended(&mut self, id: &DeliveryId) {
        self.under_way.remove(id);
    }

    /// Of everything that was ever owed durably, how much was started at least once.
    pub fn started_of_owed(&self) -> (usize, usize) {
        (self.started.len(), self.owed.len())
    }
}

/// Where messages queue up together, as DESIGN §1 says: a lane per destination.
pub fn lane(to: &Destination) -> String {
    match to {
        Destination::Channel(_) | Destination::Person { method: Method::Chat, .. } => "chat".to_owned(),
        Destination::Person { method: Method::Webhook, .. } | Destination::Webhook(_) => "webhook".to_owned(),
        Destination::Host(integration) => format!("host {integration}"),
        Destination::Person { method, .. } => method.to_string(),
    }
}
