//! Looking up requests: what is in memory, newest first, before what the store has. How a look-up is run is the shelf's.

use std::collections::BTreeMap;

use super::{Gathered, unreadable};
use crate::domain::desk::{Listed, RecordList};
use crate::domain::id::ServiceRequestId;
use crate::domain::request::ServiceRequest;
use crate::domain::state::State;
use crate::records::Records;

type Job = Box<dyn FnOnce(Listed) + Send>;

/// One that is over and not yet in the store.
pub(super) fn in_memory<'s>(
    state: &'s State,
    gathered: Option<&'s Gathered>,
    id: ServiceRequestId,
) -> Option<&'s ServiceRequest> {
    state.closed_requests_since().get(&id).or_else(|| gathered.and_then(|gathered| gathered.requests.get(&id)))
}

/// One request.
pub(super) fn one(state: &State, gathered: Option<&Gathered>, records: Records, id: ServiceRequestId) -> Job {
    let open = state.requests.get(&id).map(|open| &**open);
    let known = open.or_else(|| in_memory(state, gathered, id)).cloned();
    Box::new(move |done| {
        let found = known.map_or_else(|| records.get_request(id), |known| Ok(Some(known)));
        done(found.map(|found| RecordList::Requests(found.into_iter().collect())).map_err(unreadable));
    })
}

/// Requests with numbers below one, newest first.
pub(super) fn list(
    state: &State,
    gathered: Option<&Gathered>,
    records: Records,
    below: Option<u64>,
    limit: usize,
) -> Job {
    let range = ..ServiceRequestId(below.unwrap_or(u64::MAX));
    let mut known: BTreeMap<ServiceRequestId, ServiceRequest> = BTreeMap::new();
    if let Some(gathered) = gathered {
        known.extend(gathered.requests.range(range).rev().take(limit).map(|(id, it)| (*id, it.clone())));
    }
    known.extend(state.closed_requests_since().range(range).rev().take(limit).map(|(id, it)| (*id, it.clone())));
    known.extend(state.requests.range(range).rev().take(limit).map(|(id, it)| (*id, (**it).clone())));
    Box::new(move |done| {
        let listed = records.list_requests(below, limit).map(|closed| {
            for request in closed {
                known.entry(request.id).or_insert(request);
            }
            RecordList::Requests(known.into_values().rev().take(limit).collect())
        });
        done(listed.map_err(unreadable));
    })
}
