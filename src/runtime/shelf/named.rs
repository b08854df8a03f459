//! Which records an input names: those that are closed are loaded before it is decided.

use super::NAMED_MAX;
use crate::domain::command::spec::{Lexicon, OptionKind};
use crate::domain::command::{Call, grammar};
use crate::domain::delivery::Judged;
use crate::domain::id::{ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::input::{Closed, InputKind};

/// A record that an input names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An incident.
    Incident(IncidentId),
    /// A problem.
    Problem(ProblemId),
    /// A change.
    Change(ChangeId),
    /// A request.
    Request(ServiceRequestId),
}

impl Named {
    /// The name of a closed record.
    pub(super) fn of(closed: &Closed) -> Self {
        match closed {
            Closed::Incident(incident) => Self::Incident(incident.id),
            Closed::Problem(problem) => Self::Problem(problem.id),
            Closed::Change(change) => Self::Change(change.id),
            Closed::Request(request) => Self::Request(request.id),
        }
    }
}

/// The records that an input names. A text that is no command names none; it is refused when it is decided.
pub(super) fn named(kind: &InputKind, lexicon: &Lexicon) -> Vec<Named> {
    let of = |call: &Call| -> Vec<Named> {
        let spec = lexicon.commands.iter().find(|spec| spec.name == call.command);
        let kind = |name: &str| spec.and_then(|spec| spec.options.iter().find(|o| o.name == name)).map(|o| o.kind);
        let values = call.options.iter().filter_map(|(name, value)| match kind(name)? {
            OptionKind::Incident => value.trim().parse().ok().map(Named::Incident),
            OptionKind::Change => value.trim().parse().ok().map(Named::Change),
            OptionKind::Request => value.trim().parse().ok().map(Named::Request),
            OptionKind::Problem => value.trim().parse().ok().map(Named::Problem),
            _ => None,
        });
        values.take(NAMED_MAX).collect()
    };
    match kind {
        InputKind::Text { text, .. } => grammar::parse(text, lexicon).map(|call| of(&call)).unwrap_or_default(),
        InputKind::Call { call, .. } => of(call),
        InputKind::PressJudge { on: Judged::Change(change), .. } => vec![Named::Change(*change)],
        InputKind::PressJudge { on: Judged::Request(request), .. } => vec![Named::Request(*request)],
        InputKind::Press { incident, .. } | InputKind::WritePostmortem { incident, .. } => {
            vec![Named::Incident(*incident)]
        }
        _ => Vec::new(),
    }
}
