//! What an event is about.

use super::Event;
use crate::domain::id::{DeliveryId, IncidentId};

impl Event {
    /// The incident that an event is about, if it is about one.
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::EngineStarted { .. }
            | Self::ConfigLoaded { .. }
            | Self::ClockStepped { .. }
            | Self::InstallRenewed { .. }
            | Self::RequestAnswered { .. }
            | Self::TokenAdded { .. }
            | Self::TokenRevoked { .. }
            | Self::AccountOffered(_)
            | Self::CodeShown(_)
            | Self::AccountLinked(_)
            | Self::AccountUnlinked { .. }
            | Self::CodeRefused
            | Self::AlertUpdated { .. }
            | Self::AlertResolved { .. }
            | Self::AlertSuppressed(_)
            | Self::AlertMuted { .. }
            | Self::AlertUnmuted { .. }
            | Self::SilenceStarted(_)
            | Self::SilenceReminded { .. }
            | Self::SilenceEnded { .. }
            | Self::SilenceReleased { .. }
            | Self::ProblemOpened(_)
            | Self::ProblemChanged { .. }
            | Self::RequestOpened(_)
            | Self::RequestMoved(_)
            | Self::ChangeOpened(_)
            | Self::ChangeEdited(_)
            | Self::ChangeApproved(_)
            | Self::ChangeMoved(_)
            | Self::AuthorityChanged(_)
            | Self::FreezeStarted(_)
            | Self::FreezeEnded { .. }
            | Self::PlaybookStarted(_)
            | Self::PlaybookMoved(_)
            | Self::DeploymentTold(_)
            | Self::DeploymentQuestion(_)
            | Self::EvidenceTaken { .. }
            | Self::CommitsSeen { .. }
            | Self::SummaryPlanned { .. }
            | Self::SummaryDropped { .. }
            | Self::SummaryPosted { .. } => None,
            Self::IncidentTimeStated(stated) => Some(stated.incident),
            Self::PostmortemDrafted(drafted) => Some(drafted.incident),
            Self::PostmortemEdited(edited) => Some(edited.incident),
            Self::PostmortemPublished(published) => Some(published.incident),
            Self::AlertOpened(opened) => Some(opened.incident),
            Self::IncidentOpened(opened) => Some(opened.incident),
            Self::IncidentMerged(merged) => Some(merged.incident),
            Self::IncidentLinked(linked) => Some(linked.incident),
            Self::UpdateDue(due) => Some(due.incident),
            Self::Remedied(told) => Some(told.incident),
            Self::IncidentAcknowledged { incident, .. }
            | Self::IncidentUnacknowledged { incident, .. }
            | Self::IncidentMitigated { incident }
            | Self::IncidentResolved { incident, .. }
            | Self::IncidentReopened { incident, .. }
            | Self::IncidentClosed { incident }
            | Self::IncidentSeveritySet { incident, .. }
            | Self::IncidentRoleSet { incident, .. }
            | Self::IncidentNoted { incident, .. }
            | Self::IncidentUpdated { incident, .. }
            | Self::IncidentWarned { incident, .. }
            | Self::IncidentInvited { incident, .. }
            | Self::RoomLost { incident, .. }
            | Self::ProblemProposed { incident, .. }
            | Self::ProblemLinked { incident, .. }
            | Self::EscalationStarted { incident, .. }
            | Self::EscalationStepped { incident, .. }
            | Self::EscalationExhausted { incident }
            | Self::EscalationStopped { incident, .. } => Some(*incident),
            Self::PageOpened { page, .. } | Self::PageAdvanced { page, .. } | Self::PageEnded { page, .. } => {
                Some(page.incident)
            }
            Self::DeliveryOwed(owed) => owed.incident,
            Self::AttemptRefused { incident, .. }
            | Self::DeliveryAccepted { incident, .. }
            | Self::DeliveryRetried { incident, .. }
            | Self::DeliveryFailed { incident, .. }
            | Self::DeliveryCancelled { incident, .. } => *incident,
        }
    }

    /// The delivery that an event is about, if it is about one.
    pub fn delivery(&self) -> Option<&DeliveryId> {
        match self {
            Self::DeliveryOwed(owed) => Some(&owed.delivery),
            Self::DeliveryAccepted { delivery, .. }
            | Self::DeliveryRetried { delivery, .. }
            | Self::DeliveryFailed { delivery, .. }
            | Self::DeliveryCancelled { delivery, .. } => Some(delivery),
            _ => None,
        }
    }
}
