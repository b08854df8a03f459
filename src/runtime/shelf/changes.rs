//! Looking up changes: what is in memory, newest first, before what the store has. How a look-up is run is the shelf's.

use std::collections::BTreeMap;

use super::{Gathered, unreadable};
use crate::domain::change::Change;
use crate::domain::desk::{Listed, RecordList};
use crate::domain::id::ChangeId;
use crate::domain::state::State;
use crate::records::Records;

type Job = Box<dyn FnOnce(Listed) + Send>;

/// One change.
pub(super) fn one(state: &State, gathered: Option<&Gathered>, records: Records, id: ChangeId) -> Job {
    let gathered = gathered.and_then(|gathered| gathered.changes.get(&id));
    let open = state.changes.get(&id).map(|open| &**open);
    let known = open.or(state.closed_change_since(id)).or(gathered).cloned();
    Box::new(move |done| {
        let found = known.map_or_else(|| records.get_change(id), |known| Ok(Some(known)));
        done(found.map(|found| RecordList::Changes(found.into_iter().collect())).map_err(unreadable));
    })
}

/// Changes with numbers below one, newest first.
pub(super) fn list(
    state: &State,
    gathered: Option<&Gathered>,
    records: Records,
    below: Option<u64>,
    limit: usize,
) -> Job {
    let range = ..ChangeId(below.unwrap_or(u64::MAX));
    let mut known: BTreeMap<ChangeId, Change> = BTreeMap::new();
    if let Some(gathered) = gathered {
        known.extend(gathered.changes.range(range).rev().take(limit).map(|(id, it)| (*id, it.clone())));
    }
    known.extend(state.closed_changes_since().range(range).rev().take(limit).map(|(id, it)| (*id, it.clone())));
    known.extend(state.changes.range(range).rev().take(limit).map(|(id, it)| (*id, (**it).clone())));
    Box::new(move |done| {
        let listed = records.list_changes(below, limit).map(|closed| {
            for change in closed {
                known.entry(change.id).or_insert(change);
            }
            RecordList::Changes(known.into_values().rev().take(limit).collect())
        });
        done(listed.map_err(unreadable));
    })
}
