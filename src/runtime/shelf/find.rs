//! Finding records of any kind, newest first: what is in memory stands before what the store has, being newer. How a
//! look-up is run is the shelf's.

use std::collections::BTreeMap;

use super::{AtHand, Gathered, unreadable};
use crate::domain::alert::Alert;
use crate::domain::change::Change;
use crate::domain::desk::{Listed, RecordList};
use crate::domain::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::incident::Incident;
use crate::domain::input::Closed;
use crate::domain::problem::Problem;
use crate::domain::request::ServiceRequest;
use crate::domain::state::State;
use crate::records::Trouble;

/// A question with its answer at hand, or where to look; for the thread that waits for sled.
pub(super) type Job = Box<dyn FnOnce(Listed) + Send>;

/// Where records of one kind are in memory.
pub(super) struct Places<'s, I, R> {
    open: &'s BTreeMap<I, Box<R>>,
    /// Over, and not yet gathered.
    over: &'s BTreeMap<I, R>,
    /// Gathered, and not yet in the store.
    gathered: Option<&'s BTreeMap<I, R>>,
    /// Its number, from the record.
    id: fn(&R) -> I,
    told: fn(Vec<R>) -> RecordList,
}

pub(super) fn incidents<'s>(state: &'s State, gathered: Option<&'s Gathered>) -> Places<'s, IncidentId, Incident> {
    let (over, gathered) = (state.closed_incidents_since(), gathered.map(|it| &it.incidents));
    Places { open: &state.incidents, over, gathered, id: |it| it.id, told: RecordList::Incidents }
}

pub(super) fn alerts<'s>(state: &'s State, gathered: Option<&'s Gathered>) -> Places<'s, AlertId, Alert> {
    let (over, gathered) = (state.resolved_alerts_since(), gathered.map(|it| &it.alerts));
    Places { open: &state.alerts, over, gathered, id: |it| it.id, told: RecordList::Alerts }
}

pub(super) fn problems<'s>(state: &'s State, gathered: Option<&'s Gathered>) -> Places<'s, ProblemId, Problem> {
    let (over, gathered) = (state.closed_problems_since(), gathered.map(|it| &it.problems));
    Places { open: &state.problems, over, gathered, id: |it| it.id, told: RecordList::Problems }
}

pub(super) fn changes<'s>(state: &'s State, gathered: Option<&'s Gathered>) -> Places<'s, ChangeId, Change> {
    let (over, gathered) = (state.closed_changes_since(), gathered.map(|it| &it.changes));
    Places { open: &state.changes, over, gathered, id: |it| it.id, told: RecordList::Changes }
}

pub(super) fn requests<'s>(
    state: &'s State,
    gathered: Option<&'s Gathered>,
) -> Places<'s, ServiceRequestId, ServiceRequest> {
    let (over, gathered) = (state.closed_requests_since(), gathered.map(|it| &it.requests));
    Places { open: &state.requests, over, gathered, id: |it| it.id, told: RecordList::Requests }
}

impl<I: Ord + Copy + Send + 'static, R: Clone + Send + 'static> Places<'_, I, R> {
    fn closed(&self, id: I) -> Option<&R> {
        self.over.get(&id).or_else(|| self.gathered.and_then(|gathered| gathered.get(&id)))
    }

    /// Where a record is that an input names; `given`: whether there is one of its number.
    pub fn at_hand(&self, id: I, given: bool) -> AtHand
    where
        Closed: From<R>,
    {
        if !given || self.open.contains_key(&id) {
            return AtHand::NotClosed;
        }
        self.closed(id).map_or(AtHand::Stored, |closed| AtHand::Closed(closed.clone().into()))
    }

    /// One record.
    pub fn one(&self, id: I, stored: impl FnOnce(I) -> Result<Option<R>, Trouble> + Send + 'static) -> Job {
        let known = self.open.get(&id).map(|open| &**open).or_else(|| self.closed(id)).cloned();
        let told = self.told;
        Box::new(move |done| {
            let found = known.map_or_else(|| stored(id), |known| Ok(Some(known)));
            done(found.map(|found| told(found.into_iter().collect())).map_err(unreadable));
        })
    }

    /// So many records with numbers below one.
    pub fn below(
        &self,
        below: I,
        limit: usize,
        stored: impl FnOnce() -> Result<Vec<R>, Trouble> + Send + 'static,
    ) -> Job {
        let mut known: BTreeMap<I, R> = BTreeMap::new();
        for closed in self.gathered.into_iter().chain([self.over]) {
            known.extend(closed.range(..below).rev().take(limit).map(|(id, it)| (*id, it.clone())));
        }
        known.extend(self.open.range(..below).rev().take(limit).map(|(id, it)| (*id, (**it).clone())));
        let (id, told) = (self.id, self.told);
        Box::new(move |done| {
            let listed = stored().map(|stored| {
                for record in stored {
                    known.entry(id(&record)).or_insert(record);
                }
                told(known.into_values().rev().take(limit).collect())
            });
            done(listed.map_err(unreadable));
        })
    }
}
