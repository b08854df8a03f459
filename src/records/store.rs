//! The store: one sled tree, used by one thread. Everything here may block, fail or panic; `mod.rs` stands before it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use sled::IVec;

use super::folio::{self, Folio};
use super::slot::{self, Place};
use super::snapshot::{Applied, Counts, SCHEMA, Snapshot};
use super::trouble::Trouble;
use crate::domain::alert::Alert;
use crate::domain::change::deployed::{Deployed, KnownCommit};
use crate::domain::change::{Change, Freeze, Past};
use crate::domain::delivery::Delivery;
use crate::domain::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::incident::Incident;
use crate::domain::org::Policy;
use crate::domain::playbook::Run;
use crate::domain::postmortem::Waiting;
use crate::domain::problem::{Problem, Recent};
use crate::domain::report::dora::Outage;
use crate::domain::request::ServiceRequest;
use crate::domain::silence::Silence;
use crate::domain::state::{Meta, OpenRecords};

/// sled's page cache in bytes. Its default is 1 GiB.
const CACHE_BYTES: u64 = 8 << 20;

/// How often sled's own thread writes and syncs. Each of its syncs makes the journal's wait, so it is rare; what a crash
/// takes from the records, the journal gives back at the next start (a tail of about so many milliseconds).
const FLUSH_EVERY_MS: u64 = 5_000;

/// So many different policies are looked through to share one among the escalations that hold equal ones.
const POLICIES_SHARED: usize = 32;

/// An error without its place, which `Records` adds.
pub(super) enum Fault {
    Broken(String),
    Schema(u32),
}

impl Fault {
    pub(super) fn at(self, place: &str) -> Trouble {
        let place = place.to_owned();
        match self {
            Self::Broken(reason) => Trouble::Broken { place, reason },
            Self::Schema(found) => Trouble::Schema { place, found, expected: SCHEMA },
        }
    }
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

type Outcome<T> = Result<T, Fault>;

/// The tree, and what is known about it without looking.
pub(super) struct Store {
    db: sled::Db,
    /// The highest incident and alert that were ever written: a number above it has no older copy to look for.
    newest_incident: u64,
    newest_alert: u64,
}

/// How often, and how far apart, a database that is still locked is tried.
const LOCK_TRIES: (u32, std::time::Duration) = (100, std::time::Duration::from_millis(20));

/// Opens the database. After a close in the same process sled's own threads hold its lock for a moment longer.
fn open_when_free(dir: &Path) -> sled::Result<sled::Db> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MS))
        .mode(sled::Mode::LowSpace);
    for _ in 1..LOCK_TRIES.0 {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(LOCK_TRIES.1);
            }
            opened => return opened,
        }
    }
    config.open()
}

impl Store {
    pub(super) fn open(dir: &Path) -> Outcome<Self> {
        let db = open_when_free(dir)?;
        let newest = |prefixes: [&'static [u8]; 2]| -> Outcome<u64> {
            let mut newest = 0;
            for prefix in prefixes {
                if let Some((key, value)) = db.scan_prefix(prefix).next_back().transpose()? {
                    let bytes = unpack(&key, &value)?;
                    newest = newest.max(entries(prefix, &key, &bytes)?.last().map_or(0, |(n, _)| *n));
                }
            }
            Ok(newest)
        };
        let newest_incident = newest([slot::OPEN_INCIDENTS, slot::CLOSED_INCIDENTS])?;
        let newest_alert = newest([slot::OPEN_ALERTS, slot::CLOSED_ALERTS])?;
        Ok(Self { db, newest_incident, newest_alert })
    }

    /// Writes a snapshot as one batch. sled's batches are atomic within a tree, and there is only this one.
    pub(super) fn write(&mut self, snapshot: Snapshot) -> Outcome<()> {
        let mut batch = sled::Batch::default();
        let mut folios = Folios { store: self, changed: BTreeMap::new() };
        for (slot, value) in snapshot.puts {
            match slot.place() {
                Place::Key(key) => batch.insert(key, value),
                Place::Folio(prefix, n) => {
                    // A record that is open now and was not before may have come back from the closed ones.
                    if let Some(closed) = slot::closed(prefix)
                        && !folios.of(prefix, n)?.contains(n)
                    {
                        folios.of(closed, n)?.remove(n);
                    }
                    folios.of(prefix, n)?.put(n, value);
                }
            }
        }
        for slot in snapshot.removes {
            match slot.place() {
                Place::Key(key) => batch.remove(key),
                Place::Folio(prefix, n) => folios.of(prefix, n)?.remove(n),
            }
        }
        let (mut newest_incident, mut newest_alert) = (self.newest_incident, self.newest_alert);
        for ((prefix, key), folio) in folios.changed.into_iter().filter(|(_, folio)| folio.changed()) {
            match counted(prefix) {
                Some(Counted::Incidents) => newest_incident = newest_incident.max(folio.last()),
                Some(Counted::Alerts) => newest_alert = newest_alert.max(folio.last()),
                None => {}
            }
            match folio.write() {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(slot::APPLIED, serde_json::to_vec(&snapshot.applied).map_err(unreadable("applied"))?);
        self.db.apply_batch(batch)?;
        (self.newest_incident, self.newest_alert) = (newest_incident, newest_alert);
        Ok(())
    }

    /// The folio that record `n` stands in or will stand in; `None` when there is none yet.
    fn folio(&self, prefix: &'static [u8], key: &[u8], n: u64) -> Outcome<Option<Folio>> {
        let newest = match counted(prefix) {
            Some(Counted::Incidents) => Some(self.newest_incident),
            Some(Counted::Alerts) => Some(self.newest_alert),
            None => None,
        };
        // A folio behind the newest record was never written: no need to look for it.
        if newest.is_some_and(|newest| n > newest && !folio::together(n, newest)) {
            return Ok(None);
        }
        let Some(value) = self.db.get(key)? else { return Ok(None) };
        let bytes = unpack(key, &value)?;
        entries(prefix, key, &bytes).map(|entries| Some(Folio::of(&entries)))
    }

    /// How far the records reach; `None` when there are none.
    pub(super) fn applied(&self) -> Outcome<Option<Applied>> {
        let Some(bytes) = self.db.get(slot::APPLIED)? else {
            return if self.db.iter().next().is_none() {
                Ok(None)
            } else {
                Err(Fault::Broken("there are records, but not how far they reach".into()))
            };
        };
        // The schema is read by itself: another one may have other fields beside it.
        #[derive(serde::Deserialize)]
        struct Form {
            schema: u32,
        }
        let form: Form = parse(slot::APPLIED, &bytes)?;
        if form.schema != SCHEMA {
            return Err(Fault::Schema(form.schema));
        }
        parse(slot::APPLIED, &bytes).map(Some)
    }

    /// Everything that State keeps. `beat` is called now and then to show that it goes on.
    pub(super) fn load_open(&self, beat: &dyn Fn()) -> Outcome<Option<(Applied, OpenRecords)>> {
        let Some(applied) = self.applied()? else { return Ok(None) };
        let meta = self.db.get(slot::META)?.ok_or_else(|| Fault::Broken("the numbers and marks are missing".into()))?;
        let meta: Meta = parse(slot::META, &meta)?;
        if meta.seq != applied.seq {
            return Err(Fault::Broken(format!(
                "marks of commit {} beside records of commit {}",
                meta.seq, applied.seq
            )));
        }
        let mut records = OpenRecords { meta, ..OpenRecords::default() };
        let mut policies: Vec<Arc<Policy>> = Vec::new();
        records.incidents.reserve(applied.open.incidents.min(1 << 20));
        let id = |incident: &Incident| incident.id.0;
        self.each_numbered(slot::OPEN_INCIDENTS, beat, id, |mut incident: Incident| {
            if let Some(escalation) = &mut incident.escalation {
                share(&mut policies, &mut escalation.policy);
            }
            incident.pack();
            records.incidents.push(incident);
        })?;
        records.alerts.reserve(applied.open.alerts.min(1 << 20));
        let id = |alert: &Alert| alert.id.0;
        self.each_numbered(slot::OPEN_ALERTS, beat, id, |alert| records.alerts.push(alert))?;
        self.each_numbered(slot::OPEN_PROBLEMS, beat, problem_id, |problem| records.problems.push(problem))?;
        self.each_numbered(slot::OPEN_REQUESTS, beat, request_id, |request| records.requests.push(request))?;
        self.each_numbered(slot::OPEN_CHANGES, beat, change_id, |change| records.changes.push(change))?;
        let id = |past: &Past| past.change.0;
        self.each_numbered(slot::PAST, beat, id, |past| records.past.push(past))?;
        let id = |it: &Deployed| it.id.0;
        self.each_numbered(slot::DEPLOYMENTS, beat, id, |it| records.deployments.push(it))?;
        let id = |(n, _): &(u64, KnownCommit)| *n;
        self.each_numbered(slot::COMMITS, beat, id, |it| records.commits.push(it))?;
        let id = |it: &Outage| it.incident.0;
        self.each_numbered(slot::OUTAGES, beat, id, |it| records.outages.push(it))?;
        self.each(slot::FREEZES, beat, |key, value| {
            records.freezes.push(parse::<Freeze>(key, value)?);
            Ok(())
        })?;
        self.each(slot::RUNS, beat, |key, value| {
            records.runs.push(parse::<Run>(key, value)?);
            Ok(())
        })?;
        let id = |recent: &Recent| recent.incident.0;
        self.each_numbered(slot::RECENT, beat, id, |recent| records.recent.push(recent))?;
        let id = |waiting: &Waiting| waiting.incident.0;
        self.each_numbered(slot::WAITING, beat, id, |waiting| records.waiting.push(waiting))?;
        self.each(slot::NOTICES, beat, |key, value| {
            records.notices.push(parse::<Delivery>(key, value)?);
            Ok(())
        })?;
        self.each(slot::ANSWERS, beat, |key, value| {
            records.answers.push((name(slot::ANSWERS, key)?, parse(key, value)?));
            Ok(())
        })?;
        self.each(slot::TOKENS, beat, |key, value| {
            records.tokens.push((name(slot::TOKENS, key)?, parse(key, value)?));
            Ok(())
        })?;
        self.each(slot::SILENCES, beat, |key, value| {
            records.silences.push(parse::<Silence>(key, value)?);
            Ok(())
        })?;
        let found = Counts {
            incidents: records.incidents.len(),
            alerts: records.alerts.len(),
            notices: records.notices.len(),
            answers: records.answers.len(),
            tokens: records.tokens.len(),
            silences: records.silences.len(),
            problems: records.problems.len(),
            recent: records.recent.len(),
            waiting: records.waiting.len(),
            requests: records.requests.len(),
            changes: records.changes.len(),
            freezes: records.freezes.len(),
            past: records.past.len(),
            runs: records.runs.len(),
            deployments: records.deployments.len(),
            commits: records.commits.len(),
            outages: records.outages.len(),
        };
        if found != applied.open {
            return Err(Fault::Broken(format!("{found:?} found where {:?} were written", applied.open)));
        }
        Ok(Some((applied, records)))
    }

    /// Every record of a kind that stands in folios, by number.
    fn each_numbered<T: DeserializeOwned>(
        &self,
        prefix: &'static [u8],
        beat: &dyn Fn(),
        id: impl Fn(&T) -> u64,
        mut take: impl FnMut(T),
    ) -> Outcome<()> {
        self.each(prefix, beat, |key, value| {
            let bytes = unpack(key, value)?;
            for (n, record) in entries(prefix, key, &bytes)? {
                take(numbered(prefix, n, record, &id)?);
            }
            Ok(())
        })
    }

    fn each(&self, prefix: &[u8], beat: &dyn Fn(), mut take: impl FnMut(&IVec, &IVec) -> Outcome<()>) -> Outcome<()> {
        for (n, entry) in self.db.scan_prefix(prefix).enumerate() {
            let (key, value) = entry?;
            take(&key, &value)?;
            if n % 256 == 0 {
                beat();
            }
        }
        Ok(())
    }

    pub(super) fn incident(&self, id: IncidentId) -> Outcome<Option<Incident>> {
        self.one(slot::CLOSED_INCIDENTS, id.0, |incident: &Incident| incident.id.0)
    }

    pub(super) fn problem(&self, id: ProblemId) -> Outcome<Option<Problem>> {
        self.one(slot::CLOSED_PROBLEMS, id.0, problem_id)
    }

    pub(super) fn problems(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Problem>> {
        self.newest_first(slot::CLOSED_PROBLEMS, below, limit, problem_id)
    }

    pub(super) fn request(&self, id: ServiceRequestId) -> Outcome<Option<ServiceRequest>> {
        self.one(slot::CLOSED_REQUESTS, id.0, request_id)
    }

    pub(super) fn requests(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<ServiceRequest>> {
        self.newest_first(slot::CLOSED_REQUESTS, below, limit, request_id)
    }

    pub(super) fn change(&self, id: ChangeId) -> Outcome<Option<Change>> {
        self.one(slot::CLOSED_CHANGES, id.0, change_id)
    }

    pub(super) fn changes(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Change>> {
        self.newest_first(slot::CLOSED_CHANGES, below, limit, change_id)
    }

    pub(super) fn alert(&self, id: AlertId) -> Outcome<Option<Alert>> {
        self.one(slot::CLOSED_ALERTS, id.0, |alert: &Alert| alert.id.0)
    }

    fn one<T: DeserializeOwned>(&self, prefix: &'static [u8], n: u64, id: impl Fn(&T) -> u64) -> Outcome<Option<T>> {
        let key = folio::key(prefix, n);
        let Some(value) = self.db.get(&key)? else { return Ok(None) };
        let bytes = unpack(&key, &value)?;
        let entries = entries(prefix, &key, &bytes)?;
        let Some((_, record)) = entries.iter().find(|(known, _)| *known == n) else { return Ok(None) };
        numbered(prefix, n, record, &id).map(Some)
    }

    pub(super) fn incidents(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Incident>> {
        self.newest_first(slot::CLOSED_INCIDENTS, below, limit, |incident: &Incident| incident.id.0)
    }

    pub(super) fn alerts(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Alert>> {
        self.newest_first(slot::CLOSED_ALERTS, below, limit, |alert: &Alert| alert.id.0)
    }

    fn newest_first<T: DeserializeOwned>(
        &self,
        prefix: &'static [u8],
        below: Option<u64>,
        limit: usize,
        id: impl Fn(&T) -> u64,
    ) -> Outcome<Vec<T>> {
        let below = below.unwrap_or(u64::MAX);
        let mut records = Vec::new();
        for entry in self.db.range(folio::key(prefix, 0)..=folio::key(prefix, below)).rev() {
            let (key, value) = entry?;
            let bytes = unpack(&key, &value)?;
            for (n, record) in entries(prefix, &key, &bytes)?.into_iter().rev().filter(|(n, _)| *n < below) {
                if records.len() >= limit {
                    return Ok(records);
                }
                records.push(numbered(prefix, n, record, &id)?);
            }
        }
        Ok(records)
    }

    pub(super) fn flush(&self) -> Outcome<()> {
        self.db.flush()?;
        Ok(())
    }
}

fn request_id(request: &ServiceRequest) -> u64 {
    request.id.0
}

fn change_id(change: &Change) -> u64 {
    change.id.0
}

fn problem_id(problem: &Problem) -> u64 {
    problem.id.0
}

fn unreadable(key: impl AsRef<[u8]>) -> impl FnOnce(serde_json::Error) -> Fault {
    // Only where it went wrong, never what stands there: a value may hold what a log must not.
    move |error| {
        let (key, at) = (key.as_ref().escape_ascii(), error.column());
        Fault::Broken(format!("the value of `{key}` cannot be read: {:?} error at byte {at}", error.classify()))
    }
}

fn parse<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Outcome<T> {
    serde_json::from_slice(value).map_err(unreadable(key))
}

/// What stands in a folio's value.
fn unpack(key: &[u8], value: &[u8]) -> Outcome<Vec<u8>> {
    folio::unpack(value).ok_or_else(|| no_folio(key))
}

fn no_folio(key: &[u8]) -> Fault {
    Fault::Broken(format!("the folio `{}` cannot be read", key.escape_ascii()))
}

/// The records in a folio's unpacked value, by number.
fn entries<'a>(prefix: &[u8], key: &[u8], bytes: &'a [u8]) -> Outcome<Vec<(u64, &'a [u8])>> {
    let entries = folio::entries(bytes).filter(|entries| entries.iter().all(|(n, _)| folio::key(prefix, *n) == key));
    entries.ok_or_else(|| no_folio(key))
}

/// A record of a folio. It must stand under its own number.
fn numbered<T: DeserializeOwned>(prefix: &[u8], n: u64, record: &[u8], id: impl Fn(&T) -> u64) -> Outcome<T> {
    let record = serde_json::from_slice(record).map_err(unreadable(slot::numbered(prefix, n)))?;
    match id(&record) {
        id if id == n => Ok(record),
        id => Err(Fault::Broken(format!("record {id} stands where {n} should"))),
    }
}

/// What is numbered so often that the newest number is remembered.
enum Counted {
    Incidents,
    Alerts,
}

/// By which newest number a kind of record goes, if by one. What is remembered of an incident's kind is written with the
/// incident or after it.
fn counted(prefix: &[u8]) -> Option<Counted> {
    match prefix {
        slot::OPEN_INCIDENTS | slot::CLOSED_INCIDENTS | slot::RECENT => Some(Counted::Incidents),
        slot::OPEN_ALERTS | slot::CLOSED_ALERTS => Some(Counted::Alerts),
        _ => None,
    }
}

/// The folios that a snapshot touches.
struct Folios<'a> {
    store: &'a Store,
    changed: BTreeMap<(&'static [u8], Vec<u8>), Folio>,
}

impl Folios<'_> {
    /// The folio of record `n`, to be changed.
    fn of(&mut self, prefix: &'static [u8], n: u64) -> Outcome<&mut Folio> {
        match self.changed.entry((prefix, folio::key(prefix, n))) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let folio = self.store.folio(prefix, &place.key().1, n)?;
                Ok(place.insert(folio.unwrap_or_default()))
            }
        }
    }
}

fn name(prefix: &[u8], key: &[u8]) -> Outcome<CompactString> {
    let text = key.strip_prefix(prefix).and_then(|name| std::str::from_utf8(name).ok());
    text.map(CompactString::from).ok_or_else(|| Fault::Broken(format!("`{}` is not a key", key.escape_ascii())))
}

/// Lets escalations with equal rules hold the same copy: a hundred thousand open incidents have few policies.
fn share(known: &mut Vec<Arc<Policy>>, policy: &mut Arc<Policy>) {
    if let Some(same) = known.iter().find(|known| *known == policy) {
        *policy = Arc::clone(same);
    } else if known.len() < POLICIES_SHARED {
        known.push(Arc::clone(policy));
    }
}
