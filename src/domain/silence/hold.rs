//! Holding back: an alert that comes in under a silence opens and joins nothing. Also what a changed severity and a
//! neighbour that no silence matches mean for what is held back.

use compact_str::{CompactString, format_compact};

use super::matcher::Subject;
use super::{AlertSuppressed, Silence};
use crate::domain::alert::Alert;
use crate::domain::draft::Draft;
use crate::domain::event::{AlertOpened, Event};
use crate::domain::id::{IncidentId, SilenceId};
use crate::domain::incident::{IncidentState, life};
use crate::domain::input::Reply;
use crate::domain::signal::AlertSeverity;

/// The silence that mutes an alert now: of several the one that ends last. `but` is one that no longer counts.
pub fn silence_of<'a>(draft: &Draft<'a>, alert: &Subject<'_>, but: Option<SilenceId>) -> Option<&'a Silence> {
    let silences = draft.state.silences.values();
    let matching = silences.filter(|it| Some(it.id) != but && it.in_force(draft.now) && it.matches(alert));
    matching.max_by_key(|it| (it.ends, it.id))
}

/// Suppresses an alert that comes in under a silence.
pub fn suppress(
    draft: &mut Draft<'_>,
    alert: AlertOpened,
    group: CompactString,
    unrouted: bool,
    silence: &Silence,
) -> Reply {
    let (id, reason) = (alert.alert, silence.reason.clone());
    let silence = silence.id;
    draft.emit(Event::AlertSuppressed(Box::new(AlertSuppressed { alert, group, unrouted, silence, reason })));
    Reply::done(format!("{id} is suppressed by {silence}")).about(id).about(silence)
}

/// A suppressed alert says another severity: where no silence matches it so, it is let go at once.
pub fn severity_changed(draft: &mut Draft<'_>, alert: &Alert, severity: AlertSeverity) {
    let Some(suppression) = &alert.suppressed else { return };
    let subject = Subject::from(alert).with_severity(severity);
    let kept = draft.state.silences.get(&suppression.silence);
    if kept.is_some_and(|silence| silence.in_force(draft.now) && silence.matches(&subject)) {
        return;
    }
    match silence_of(draft, &subject, Some(suppression.silence)) {
        Some(other) => {
            let (silence, reason) = (other.id, other.reason.clone());
            draft.emit(Event::AlertMuted { alert: alert.id, silence, reason });
        }
        None => {
            let why = format_compact!(
                "{} is {} now, which {} does not mute",
                alert.id,
                severity.as_str(),
                suppression.silence
            );
            super::end::release(draft, alert, severity, &why);
        }
    }
}

/// An alert that no silence mutes has joined an incident that was snoozed by one: somebody has to be paged.
pub fn wake_held(draft: &mut Draft<'_>, id: IncidentId, name: &str) {
    if let Some(silence) = held_by(draft, id, None) {
        life::restart(draft, id, format_compact!("{name} fires, which {silence} does not mute"));
    }
}

/// The silence in force that snoozed an incident; `None` when somebody has taken it meanwhile.
pub fn held_by(draft: &Draft<'_>, id: IncidentId, but: Option<SilenceId>) -> Option<SilenceId> {
    if !snoozed(draft, id) {
        return None;
    }
    let mut silences = draft.state.silences.values();
    silences.find(|it| Some(it.id) != but && it.in_force(draft.now) && it.holds.contains(&id)).map(|it| it.id)
}

/// Whether an incident is put off, and not by whoever does something to it now: they know what they do.
pub fn snoozed_by_another(draft: &Draft<'_>, id: IncidentId) -> bool {
    let own = draft.incident(id).and_then(|it| it.holder.as_ref()).is_some_and(|it| it.actor == *draft.actor());
    snoozed(draft, id) && !own
}

/// Whether an incident is put off and nobody works on it.
pub fn snoozed(draft: &Draft<'_>, id: IncidentId) -> bool {
    draft.incident(id).is_some_and(|incident| {
        incident.state == IncidentState::Acknowledged && incident.holder.as_ref().is_some_and(|holder| holder.snoozed)
    })
}
