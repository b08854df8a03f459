//! Links between records: an incident is related to another, caused by it, or tells the same. Both sides keep the link,
//! so that whoever reads one finds the other. Ending a duplicate is `merge`'s.

use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::record::Incident;
use crate::domain::change::{self, carry};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, IncidentId};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};

/// An incident has at most so many links.
const LINKS_MAX: usize = 100;

/// How one record belongs to another. The last two are the other side of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// They have something to do with each other.
    Related,
    /// The other one is its cause.
    CausedBy,
    /// The other one tells the same.
    DuplicateOf,
    /// It is the cause of the other one.
    Caused,
    /// The other one was found to tell the same.
    HasDuplicate,
}

impl LinkKind {
    /// Those that can be said.
    pub const SAID: [Self; 3] = [Self::Related, Self::CausedBy, Self::DuplicateOf];

    /// The word, as it is said.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::CausedBy => "caused-by",
            Self::DuplicateOf => "duplicate-of",
            Self::Caused => "caused",
            Self::HasDuplicate => "has-duplicate",
        }
    }

    /// The same link, seen from the other side.
    pub fn back(self) -> Self {
        match self {
            Self::Related => Self::Related,
            Self::CausedBy => Self::Caused,
            Self::DuplicateOf => Self::HasDuplicate,
            Self::Caused => Self::CausedBy,
            Self::HasDuplicate => Self::DuplicateOf,
        }
    }
}

impl fmt::Display for LinkKind {
    /// As it reads before an id: `caused by`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Related => "related to",
            Self::CausedBy => "caused by",
            Self::DuplicateOf => "a duplicate of",
            Self::Caused => "the cause of",
            Self::HasDuplicate => "told again by",
        })
    }
}

/// One link of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// How it belongs to the other one.
    pub kind: LinkKind,
    /// The other one, `INC-7`.
    pub to: CompactString,
}

/// It belongs to another record; the other side has an event of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentLinked {
    /// Which.
    pub incident: IncidentId,
    /// How.
    pub kind: LinkKind,
    /// To what, `INC-7`.
    pub to: CompactString,
}

impl Incident {
    /// Adds a link, once.
    pub(super) fn link(&mut self, stamp: &Stamp<'_>, linked: &IncidentLinked) {
        let link = Link { kind: linked.kind, to: linked.to.clone() };
        if !self.links.contains(&link) {
            self.say(stamp, format_compact!("{} {}", link.kind, link.to));
            self.links.push(link);
        }
    }
}

/// `/incident link INC-1 caused-by CHG-7`: the change failed. Related only stands on the incident.
pub fn to_change(draft: &mut Draft<'_>, id: IncidentId, kind: LinkKind, to: ChangeId) -> Result<Reply, Reject> {
    match kind {
        LinkKind::CausedBy => return carry::caused(draft, id, to),
        LinkKind::Related => {}
        _ => {
            return Err(Reject::new(RejectCode::BadValue, format!("An incident is no duplicate of {to}."))
                .hint(format!("/incident link {id} caused-by {to}, or related {to}")));
        }
    }
    let incident = draft.open(id)?;
    change::life::any(draft, to)?;
    let wanted = Link { kind, to: format_compact!("{to}") };
    if incident.links.contains(&wanted) {
        return Ok(Reply::done(format!("{id} is already {kind} {to}. Nothing changed.")).about(id).about(to));
    }
    if incident.links.len() >= LINKS_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} has {LINKS_MAX} links, and takes no more."))
            .hint(format!("See them: /incident show {id}")));
    }
    draft.emit(Event::IncidentLinked(Box::new(IncidentLinked { incident: id, kind, to: wanted.to })));
    Ok(Reply::done(format!("{id} is {kind} {to}.\nSee it: /change show {to}")).about(id).about(to))
}

/// `/incident link`. Whether the person may see both has been asked.
pub fn link(draft: &mut Draft<'_>, id: IncidentId, kind: LinkKind, to: IncidentId) -> Result<Reply, Reject> {
    if id == to {
        return Err(Reject::new(RejectCode::BadValue, format!("{id} cannot be linked to itself."))
            .hint("Say the other one: /incident link INC-1 related INC-2"));
    }
    let incident = draft.open(id)?;
    let wanted = Link { kind, to: format_compact!("{to}") };
    let other_closed = draft.any(to).map(|_| draft.incident(to).is_none())?;
    if incident.links.contains(&wanted) {
        return Ok(Reply::done(format!("{id} is already {kind} {to}. Nothing changed.")).about(id).about(to));
    }
    for side in [Some(id), Some(to).filter(|_| !other_closed)].into_iter().flatten() {
        if draft.incident(side).is_some_and(|incident| incident.links.len() >= LINKS_MAX) {
            return Err(Reject::new(RejectCode::Conflict, format!("{side} has {LINKS_MAX} links, and takes no more."))
                .hint(format!("See them: /incident show {side}")));
        }
    }
    draft.emit(Event::IncidentLinked(Box::new(IncidentLinked { incident: id, kind, to: wanted.to })));
    if !other_closed {
        let back = IncidentLinked { incident: to, kind: kind.back(), to: format_compact!("{id}") };
        draft.emit(Event::IncidentLinked(Box::new(back)));
    }
    let next = match kind {
        LinkKind::DuplicateOf if !other_closed => format!("To end it as a duplicate: /incident merge {id} {to}"),
        _ if other_closed => format!("{to} is closed, so only {id} tells of it."),
        _ => format!("Both tell of it: /incident show {to}"),
    };
    Ok(Reply::done(format!("{id} is {kind} {to}.\n{next}")).about(id).about(to))
}
