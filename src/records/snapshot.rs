//! Snapshots: what changed since the last one, as bytes to be written at once. Pure; the store is in `store`.

use serde::{Deserialize, Serialize};

use super::slot::Slot;
use crate::domain::state::{Dirty, RecordKey, State};

/// The form of keys and values written by this release; another one is rebuilt from the journal.
pub const SCHEMA: u32 = 8;

/// How far the records reach. Part of every batch, so it is never ahead of or behind what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The last commit in them.
    pub seq: u64,
    /// Its hash in the journal; the caller compares.
    pub hash: String,
    /// The form of keys and values.
    pub schema: u32,
    /// How many open records there are, so that a lost one is noticed.
    pub open: Counts,
}

/// How many records State keeps, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Open incidents.
    pub incidents: usize,
    /// Firing alerts.
    pub alerts: usize,
    /// Notices still owed.
    pub notices: usize,
    /// Kept answers.
    pub answers: usize,
    /// Tokens in force.
    pub tokens: usize,
    /// Silences.
    #[serde(default)]
    pub silences: usize,
    /// Problems that are not closed.
    pub problems: usize,
    /// Incidents whose kind is remembered.
    pub recent: usize,
    /// Postmortems that wait.
    pub waiting: usize,
    /// Requests that are not over.
    #[serde(default)]
    pub requests: usize,
    /// Changes that are not over.
    #[serde(default)]
    pub changes: usize,
    /// Freezes.
    #[serde(default)]
    pub freezes: usize,
    /// Changes that are over, in short.
    #[serde(default)]
    pub past: usize,
    /// Runs of playbooks.
    #[serde(default)]
    pub runs: usize,
    /// Deployments.
    #[serde(default)]
    pub deployments: usize,
    /// Commits.
    #[serde(default)]
    pub commits: usize,
    /// Incidents that are over, in short.
    #[serde(default)]
    pub outages: usize,
}

/// One atomic step of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// How far it brings them.
    pub applied: Applied,
    /// Records as they are now. One that is put open leaves the closed ones by itself (it was reopened).
    pub puts: Vec<(Slot, Vec<u8>)>,
    /// Records that are no longer there.
    pub removes: Vec<Slot>,
}

/// What `dirty` names, as it stands in `state`; `hash` is that of the commit `state.meta.seq`, which must be durable
/// before the snapshot is written. A record that cannot be written as JSON (none is known) is an error.
pub fn snapshot(state: &State, dirty: &Dirty, hash: &str) -> Result<Snapshot, serde_json::Error> {
    let mut puts = Vec::with_capacity(dirty.touched.len() + 1);
    let mut removes = Vec::new();
    let mut scratch = Vec::with_capacity(4096);
    puts.push((Slot::Meta, serde_json::to_vec(&state.meta)?));
    let mut place = |slot: Slot, now: Option<Vec<u8>>| match now {
        Some(bytes) => puts.push((slot, bytes)),
        None => removes.push(slot),
    };
    for key in &dirty.touched {
        match key {
            RecordKey::Meta => {}
            RecordKey::Incident(id) if dirty.closed_incidents.contains_key(id) && !state.incidents.contains_key(id) => {
            }
            RecordKey::Alert(id) if dirty.closed_alerts.contains_key(id) && !state.alerts.contains_key(id) => {}
            RecordKey::Incident(id) => place(Slot::OpenIncident(*id), json(&mut scratch, state.incidents.get(id))?),
            RecordKey::Alert(id) => place(Slot::OpenAlert(*id), json(&mut scratch, state.alerts.get(id))?),
            RecordKey::Notice(id) => place(Slot::Notice(id.clone()), json(&mut scratch, state.notices.get(id))?),
            RecordKey::Answer(key) => place(Slot::Answer(key.clone()), json(&mut scratch, state.answers.get(key))?),
            RecordKey::Problem(id) if dirty.closed_problems.contains_key(id) => {}
            RecordKey::Problem(id) => place(Slot::OpenProblem(*id), json(&mut scratch, state.problems.get(id))?),
            RecordKey::Request(id) if dirty.closed_requests.contains_key(id) => {}
            RecordKey::Request(id) => place(Slot::OpenRequest(*id), json(&mut scratch, state.requests.get(id))?),
            RecordKey::Change(id) if dirty.closed_changes.contains_key(id) && !state.changes.contains_key(id) => {}
            RecordKey::Change(id) => place(Slot::OpenChange(*id), json(&mut scratch, state.changes.get(id))?),
            RecordKey::Past(id) => place(Slot::Past(*id), json(&mut scratch, state.past.get(id))?),
            RecordKey::Deployment(id) => place(Slot::Deployment(*id), json(&mut scratch, state.deployments.get(id))?),
            RecordKey::Commit(n) => {
                place(Slot::Commit(*n), json(&mut scratch, state.commits.get(n).map(|it| (*n, it)).as_ref())?);
            }
            RecordKey::Outage(id) => place(Slot::Outage(*id), json(&mut scratch, state.outages.get(id))?),
            RecordKey::Freeze(id) => place(Slot::Freeze(*id), json(&mut scratch, state.freezes.get(id))?),
            RecordKey::Run(id) => place(Slot::Run(*id), json(&mut scratch, state.runs.get(id))?),
            RecordKey::Recent(id) => place(Slot::Recent(*id), json(&mut scratch, state.recent.get(id))?),
            RecordKey::Waiting(id) => {
                place(Slot::Waiting(*id), json(&mut scratch, state.waiting_postmortems.get(id))?);
            }
            RecordKey::Token(name) => place(Slot::Token(name.clone()), json(&mut scratch, state.tokens.get(name))?),
            RecordKey::Silence(id) => place(Slot::Silence(*id), json(&mut scratch, state.silences.get(id))?),
        }
    }
    // What was closed and came back within the same stretch is in State again: State has the last word.
    for (id, incident) in dirty.closed_incidents.iter().filter(|(id, _)| !state.incidents.contains_key(id)) {
        place(Slot::OpenIncident(*id), None);
        place(Slot::ClosedIncident(*id), json(&mut scratch, Some(incident))?);
    }
    for (id, alert) in dirty.closed_alerts.iter().filter(|(id, _)| !state.alerts.contains_key(id)) {
        place(Slot::OpenAlert(*id), None);
        place(Slot::ClosedAlert(*id), json(&mut scratch, Some(alert))?);
    }
    for (id, problem) in &dirty.closed_problems {
        place(Slot::OpenProblem(*id), None);
        place(Slot::ClosedProblem(*id), json(&mut scratch, Some(problem))?);
    }
    for (id, request) in &dirty.closed_requests {
        place(Slot::OpenRequest(*id), None);
        place(Slot::ClosedRequest(*id), json(&mut scratch, Some(request))?);
    }
    for (id, change) in dirty.closed_changes.iter().filter(|(id, _)| !state.changes.contains_key(id)) {
        place(Slot::OpenChange(*id), None);
        place(Slot::ClosedChange(*id), json(&mut scratch, Some(change))?);
    }
    let open = Counts {
        incidents: state.incidents.len(),
        alerts: state.alerts.len(),
        notices: state.notices.len(),
        answers: state.answers.len(),
        tokens: state.tokens.len(),
        silences: state.silences.len(),
        problems: state.problems.len(),
        recent: state.recent.len(),
        waiting: state.waiting_postmortems.len(),
        requests: state.requests.len(),
        changes: state.changes.len(),
        freezes: state.freezes.len(),
        past: state.past.len(),
        runs: state.runs.len(),
        deployments: state.deployments.len(),
        commits: state.commits.len(),
        outages: state.outages.len(),
    };
    let applied = Applied { seq: state.meta.seq, hash: hash.to_owned(), schema: SCHEMA, open };
    Ok(Snapshot { applied, puts, removes })
}

/// A record as JSON. It grows in `scratch`, so that what is kept is allocated once, at its size.
fn json<T: Serialize>(scratch: &mut Vec<u8>, record: Option<&T>) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let Some(record) = record else { return Ok(None) };
    scratch.clear();
    serde_json::to_writer(&mut *scratch, record)?;
    Ok(Some(scratch.as_slice().to_vec()))
}
