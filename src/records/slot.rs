//! Slots: under which key each record stands in the tree. No values here.

use compact_str::CompactString;

use crate::domain::id::{AlertId, DeliveryId, IncidentId};

/// The place of one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// An incident that State keeps.
    OpenIncident(IncidentId),
    /// A closed incident.
    ClosedIncident(IncidentId),
    /// An alert that fires.
    OpenAlert(AlertId),
    /// A resolved alert.
    ClosedAlert(AlertId),
    /// A notice that is still owed.
    Notice(DeliveryId),
    /// A kept answer.
    Answer(CompactString),
    /// A personal token.
    Token(CompactString),
    /// Numbers and marks.
    Meta,
}

pub(super) const OPEN_INCIDENTS: &[u8] = b"o/i/";
pub(super) const CLOSED_INCIDENTS: &[u8] = b"c/i/";
pub(super) const OPEN_ALERTS: &[u8] = b"o/a/";
pub(super) const CLOSED_ALERTS: &[u8] = b"c/a/";
pub(super) const NOTICES: &[u8] = b"n/";
pub(super) const ANSWERS: &[u8] = b"r/";
pub(super) const TOKENS: &[u8] = b"t/";
pub(super) const META: &[u8] = b"m";
/// How far the records reach; part of every batch.
pub(super) const APPLIED: &[u8] = b"applied";

/// A prefix and a number, big-endian, so that the tree's order is the numbers' order.
pub(super) fn numbered(prefix: &[u8], n: u64) -> Vec<u8> {
    [prefix, &n.to_be_bytes()].concat()
}

/// The number in a key made by `numbered`.
pub(super) fn number(prefix: &[u8], key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(prefix)?.try_into().ok()?))
}

impl Slot {
    /// Its key in the tree.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::OpenIncident(id) => numbered(OPEN_INCIDENTS, id.0),
            Self::ClosedIncident(id) => numbered(CLOSED_INCIDENTS, id.0),
            Self::OpenAlert(id) => numbered(OPEN_ALERTS, id.0),
            Self::ClosedAlert(id) => numbered(CLOSED_ALERTS, id.0),
            Self::Notice(id) => [NOTICES, id.to_string().as_bytes()].concat(),
            Self::Answer(key) => [ANSWERS, key.as_bytes()].concat(),
            Self::Token(name) => [TOKENS, name.as_bytes()].concat(),
            Self::Meta => META.to_vec(),
        }
    }

    /// For a record that is kept open: the prefix of its kind, its number, and where it stands once closed.
    pub(super) fn opened(&self) -> Option<(&'static [u8], u64, Self)> {
        match self {
            Self::OpenIncident(id) => Some((OPEN_INCIDENTS, id.0, Self::ClosedIncident(*id))),
            Self::OpenAlert(id) => Some((OPEN_ALERTS, id.0, Self::ClosedAlert(*id))),
            _ => None,
        }
    }
}
