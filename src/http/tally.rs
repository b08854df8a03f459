//! What the runtime counts for `/metrics`: deliveries and how they ended, how long a page took, syncs, queues, the
//! auditor. It is handed to the runtime, which alone knows these things; here it is only named and registered.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::playbook::Ending;
use crate::domain::playbook::remedy::Told;

/// Upper bounds for a sync, in seconds: a good disk takes one millisecond, one that hangs takes more than five seconds.
const SYNC: [f64; 12] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1.0, 5.0, 30.0];
/// Upper bounds from a page's owing to its acceptance, in seconds: at once, or after retries.
const PAGE: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Escalation {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Run {
    ending: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Remedy {
    outcome: &'static str,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Taken.
    Accepted,
    /// It is tried again, or given up after the last try.
    Retryable,
    /// It will never work.
    Permanent,
}

/// Counters and gauges that the runtime fills. A clone counts the same.
#[derive(Debug, Clone)]
pub struct Tally {
    attempts: Family<Attempt, Counter>,
    page: Histogram,
    escalations: Family<Escalation, Counter>,
    runs: Family<Run, Counter>,
    remedies: Family<Remedy, Counter>,
    sync: Histogram,
    failed_syncs: Counter,
    queued: Gauge,
    unwritten: Gauge,
    journal: Gauge,
    audited: Gauge,
    overdue: Gauge,
    connected: Gauge,
    in_force: Gauge,
    unread: Counter,
}

impl Default for Tally {
    fn default() -> Self {
        let in_force = Gauge::default();
        in_force.set(1);
        Self {
            attempts: Family::default(),
            page: Histogram::new(PAGE),
            escalations: Family::default(),
            runs: Family::default(),
            remedies: Family::default(),
            sync: Histogram::new(SYNC),
            failed_syncs: Counter::default(),
            queued: Gauge::default(),
            unwritten: Gauge::default(),
            journal: Gauge::default(),
            audited: Gauge::default(),
            overdue: Gauge::default(),
            connected: Gauge::default(),
            in_force,
            unread: Counter::default(),
        }
    }
}

impl Tally {
    /// An attempt ended; `page` where it was to wake somebody, owed `since` ago.
    pub fn attempt(&self, page: bool, ended: Ended, since: Duration) {
        let outcome = match ended {
            Ended::Accepted => "accepted",
            Ended::Retryable => "retryable",
            Ended::Permanent => "failed",
        };
        self.attempts.get_or_create(&Attempt { kind: if page { "page" } else { "message" }, outcome }).inc();
        if page && ended == Ended::Accepted {
            self.page.observe(since.as_secs_f64());
        }
    }

    /// A step after the first fired, or (`exhausted`) none was left.
    pub fn escalated(&self, exhausted: bool) {
        self.escalations.get_or_create(&Escalation { kind: if exhausted { "exhausted" } else { "step" } }).inc();
    }

    /// A run of a playbook is over.
    pub fn ran(&self, ending: Ending) {
        self.runs.get_or_create(&Run { ending: ending.as_str() }).inc();
    }

    /// Something happened to a remedy.
    pub fn remedied(&self, told: &Told) {
        self.remedies.get_or_create(&Remedy { outcome: told.word() }).inc();
    }

    /// A batch was written and synced, or could not be.
    pub fn synced(&self, took: Duration, done: bool) {
        self.sync.observe(took.as_secs_f64());
        if !done {
            self.failed_syncs.inc();
        }
    }

    /// What waits for the engine, and what is applied and waits for the disk.
    pub fn waiting(&self, queued: usize, unwritten: usize) {
        self.queued.set(number(queued));
        self.unwritten.set(number(unwritten));
    }

    /// The auditor has looked, at a time in Unix seconds, and found so much overdue.
    pub fn audited(&self, at: i64, overdue: usize) {
        self.audited.set(at);
        self.overdue.set(number(overdue));
    }

    /// Whether what stands in the configuration directory is in force.
    pub fn config_in_force(&self, is: bool) {
        self.in_force.set(i64::from(is));
    }

    /// As told last; nothing told, it is.
    pub(super) fn is_config_in_force(&self) -> bool {
        self.in_force.get() != 0
    }

    /// Whether the chat's connection is there, or none is wanted.
    pub fn connected(&self, there: bool) {
        self.connected.set(i64::from(there));
    }

    /// A message in chat could not be read.
    pub fn unread(&self) {
        self.unread.inc();
    }

    /// The length of all files of the journal, in bytes.
    pub fn journal(&self, bytes: u64) {
        self.journal.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        // From zero on: a rule about increases would otherwise miss the first of each.
        for (kind, outcome) in
            ["page", "message"].into_iter().flat_map(|kind| ["accepted", "retryable", "failed"].map(|end| (kind, end)))
        {
            let _ = self.attempts.get_or_create(&Attempt { kind, outcome });
        }
        for kind in ["step", "exhausted"] {
            let _ = self.escalations.get_or_create(&Escalation { kind });
        }
        for ending in Ending::ALL {
            let _ = self.runs.get_or_create(&Run { ending: ending.as_str() });
        }
        for outcome in Told::WORDS {
            let _ = self.remedies.get_or_create(&Remedy { outcome });
        }
        registry.register("runs", "Runs of playbooks that are over, by how", self.runs.clone());
        let text = "Remedies, by what happened to them";
        registry.register("remedies", text, self.remedies.clone());
        let text = "Attempts to deliver that ended, by what was sent and how it ended";
        registry.register("delivery_attempts", text, self.attempts.clone());
        let text = "From a page's owing to its acceptance by a provider";
        registry.register_with_unit("page", text, Unit::Seconds, self.page.clone());
        let text = "Steps of escalations after the first, and escalations without a step left";
        registry.register("escalations", text, self.escalations.clone());
        let text = "Writing and syncing a batch of the journal";
        registry.register_with_unit("journal_sync", text, Unit::Seconds, self.sync.clone());
        registry.register("journal_sync_failures", "Batches that could not be made durable", self.failed_syncs.clone());
        registry.register("queue_depth", "Requests that wait for the engine", self.queued.clone());
        registry.register("unwritten_commits", "Commits that wait for the disk", self.unwritten.clone());
        registry.register_with_unit("journal", "The length of the journal's files", Unit::Bytes, self.journal.clone());
        let text = "When the auditor last looked, as a Unix time";
        registry.register_with_unit("audited_timestamp", text, Unit::Seconds, self.audited.clone());
        let text = "0 while another configuration than that of the directory is in force";
        registry.register("config_in_force", text, self.in_force.clone());
        let text = "0 while Discord is configured and not connected";
        registry.register("discord_connected", text, self.connected.clone());
        let text = "Messages in Discord that could not be read; an alert posted as text in one is lost";
        registry.register("discord_unread_messages", text, self.unread.clone());
        registry.register("overdue", "What the auditor found overdue", self.overdue.clone());
    }
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
