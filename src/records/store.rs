//! The store: one sled tree, used by one thread. Everything here may block, fail or panic; `mod.rs` stands before it.

use std::path::Path;
use std::sync::Arc;

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use sled::IVec;

use super::slot::{self, Slot};
use super::snapshot::{Applied, Counts, SCHEMA, Snapshot};
use super::trouble::Trouble;
use crate::domain::alert::Alert;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AlertId, IncidentId};
use crate::domain::incident::Incident;
use crate::domain::org::Policy;
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
                if let Some((key, _)) = db.scan_prefix(prefix).next_back().transpose()? {
                    newest = newest.max(numbered_by(prefix, &key)?);
                }
            }
            Ok(newest)
        };
        let newest_incident = newest([slot::OPEN_INCIDENTS, slot::CLOSED_INCIDENTS])?;
        let newest_alert = newest([slot::OPEN_ALERTS, slot::CLOSED_ALERTS])?;
        Ok(Self { db, newest_incident, newest_alert })
    }

    /// Writes a snapshot as one batch. sled's batches are atomic within a tree, and there is only this one.
    pub(super) fn write(&mut self, snapshot: &Snapshot) -> Outcome<()> {
        let mut batch = sled::Batch::default();
        let (mut newest_incident, mut newest_alert) = (self.newest_incident, self.newest_alert);
        for (slot, value) in &snapshot.puts {
            let key = slot.key();
            match slot {
                Slot::OpenIncident(IncidentId(n)) | Slot::ClosedIncident(IncidentId(n)) => {
                    newest_incident = newest_incident.max(*n);
                }
                Slot::OpenAlert(AlertId(n)) | Slot::ClosedAlert(AlertId(n)) => newest_alert = newest_alert.max(*n),
                _ => {}
            }
            // An older record that is open now and was not before has come back from the closed ones.
            if let Some((_, _, closed)) = slot.opened().filter(|(kind, n, _)| self.may_exist(kind, *n))
                && !self.db.contains_key(&key)?
            {
                batch.remove(closed.key());
            }
            batch.insert(key, value.as_slice());
        }
        for slot in &snapshot.removes {
            if slot.opened().is_none_or(|(kind, n, _)| self.may_exist(kind, n)) {
                batch.remove(slot.key());
            }
        }
        batch.insert(slot::APPLIED, serde_json::to_vec(&snapshot.applied).map_err(unreadable("applied"))?);
        self.db.apply_batch(batch)?;
        (self.newest_incident, self.newest_alert) = (newest_incident, newest_alert);
        Ok(())
    }

    fn may_exist(&self, kind: &[u8], n: u64) -> bool {
        n <= if kind == slot::OPEN_INCIDENTS { self.newest_incident } else { self.newest_alert }
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
        self.each(slot::OPEN_INCIDENTS, beat, |key, value| {
            let mut incident: Incident = parse(key, value)?;
            same(key, slot::OPEN_INCIDENTS, incident.id.0)?;
            if let Some(escalation) = &mut incident.escalation {
                share(&mut policies, &mut escalation.policy);
            }
            records.incidents.push(incident);
            Ok(())
        })?;
        self.each(slot::OPEN_ALERTS, beat, |key, value| {
            let alert: Alert = parse(key, value)?;
            same(key, slot::OPEN_ALERTS, alert.id.0)?;
            records.alerts.push(alert);
            Ok(())
        })?;
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
        let found = Counts {
            incidents: records.incidents.len(),
            alerts: records.alerts.len(),
            notices: records.notices.len(),
            answers: records.answers.len(),
            tokens: records.tokens.len(),
        };
        if found != applied.open {
            return Err(Fault::Broken(format!("{found:?} found where {:?} were written", applied.open)));
        }
        Ok(Some((applied, records)))
    }

    fn each(&self, prefix: &[u8], beat: &dyn Fn(), mut take: impl FnMut(&IVec, &IVec) -> Outcome<()>) -> Outcome<()> {
        for (n, entry) in self.db.scan_prefix(prefix).enumerate() {
            let (key, value) = entry?;
            take(&key, &value)?;
            if n % 1024 == 0 {
                beat();
            }
        }
        Ok(())
    }

    pub(super) fn incident(&self, id: IncidentId) -> Outcome<Option<Incident>> {
        self.one(slot::CLOSED_INCIDENTS, id.0, |incident: &Incident| incident.id.0)
    }

    pub(super) fn alert(&self, id: AlertId) -> Outcome<Option<Alert>> {
        self.one(slot::CLOSED_ALERTS, id.0, |alert: &Alert| alert.id.0)
    }

    fn one<T: DeserializeOwned>(&self, prefix: &[u8], n: u64, id: impl Fn(&T) -> u64) -> Outcome<Option<T>> {
        let key = slot::numbered(prefix, n);
        let Some(value) = self.db.get(&key)? else { return Ok(None) };
        let record = parse(&key, &value)?;
        same(&key, prefix, id(&record))?;
        Ok(Some(record))
    }

    pub(super) fn incidents(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Incident>> {
        self.newest_first(slot::CLOSED_INCIDENTS, below, limit, |incident: &Incident| incident.id.0)
    }

    pub(super) fn alerts(&self, below: Option<u64>, limit: usize) -> Outcome<Vec<Alert>> {
        self.newest_first(slot::CLOSED_ALERTS, below, limit, |alert: &Alert| alert.id.0)
    }

    fn newest_first<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
        below: Option<u64>,
        limit: usize,
        id: impl Fn(&T) -> u64,
    ) -> Outcome<Vec<T>> {
        let from = slot::numbered(prefix, 0);
        let entries = match below {
            Some(below) => self.db.range(from..slot::numbered(prefix, below)),
            None => self.db.range(from..=slot::numbered(prefix, u64::MAX)),
        };
        let mut records = Vec::new();
        for entry in entries.rev().take(limit) {
            let (key, value) = entry?;
            let record = parse(&key, &value)?;
            same(&key, prefix, id(&record))?;
            records.push(record);
        }
        Ok(records)
    }

    pub(super) fn flush(&self) -> Outcome<()> {
        self.db.flush()?;
        Ok(())
    }
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

fn numbered_by(prefix: &[u8], key: &[u8]) -> Outcome<u64> {
    slot::number(prefix, key).ok_or_else(|| Fault::Broken(format!("`{}` is not a key", key.escape_ascii())))
}

/// A record must stand under its own number.
fn same(key: &[u8], prefix: &[u8], id: u64) -> Outcome<()> {
    let n = numbered_by(prefix, key)?;
    if n == id { Ok(()) } else { Err(Fault::Broken(format!("record {id} stands where {n} should"))) }
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
