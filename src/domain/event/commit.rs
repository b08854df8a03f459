//! A commit: the events of one input, with who caused them and when. What an event says stands in `event`.

use super::Event;
use crate::domain::actor::By;
use crate::domain::time::Timestamp;

/// One commit: what one input led to. A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub by: By,
    /// What happened, in order; not empty.
    pub events: Vec<Event>,
}
