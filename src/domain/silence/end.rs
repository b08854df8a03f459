//! The end of a silence: it is told beforehand and when it comes, and what still fires then fires again: it opens or
//! joins an incident and pages, unless another silence holds it back.

use compact_str::format_compact;

use super::matcher::{Matcher, Subject};
use super::{Silence, hold, show};
use crate::domain::alert::{Alert, intake};
use crate::domain::delivery::{ChannelRef, Content, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::{AlertOpened, Event};
use crate::domain::id::{IncidentId, SilenceId};
use crate::domain::incident::{Severity, life};
use crate::domain::signal::AlertSeverity;

/// Alerts let go in one commit; a storm under a silence is let go in several.
const CHUNK: usize = 200;
/// Teams that are told; a silence over more is told to whoever made it only.
const TEAMS_TOLD: usize = 5;

/// A moment of a silence has come.
pub fn due(draft: &mut Draft<'_>, id: SilenceId) {
    let Some(silence) = draft.state.silences.get(&id) else { return };
    if silence.ended.is_some() {
        return let_go(draft, silence);
    }
    if draft.now >= silence.ends {
        return finish(draft, silence);
    }
    draft.emit(Event::SilenceReminded { silence: id });
    let text = show::ends_soon(draft, silence);
    tell(draft, silence, &text);
}

/// Ends a silence now.
pub fn finish(draft: &mut Draft<'_>, silence: &Silence) {
    draft.emit(Event::SilenceEnded { silence: silence.id });
    let text = show::ended(draft, silence);
    tell(draft, silence, &text);
    // What got worse meanwhile is paged by the rules for that, and once.
    for incident in &silence.holds {
        let Some(severity) = draft.incident(*incident).map(|it| it.severity) else { continue };
        // First what costs little: a storm may have joined it, and each match looks at all silences.
        let worse = draft.state.alerts_of(*incident).filter(|it| Severity::from(it.severity) < severity);
        let freed = worse.filter(|it| hold::silence_of(draft, &Subject::from(*it), Some(silence.id)).is_none());
        if let Some(worst) = freed.max_by_key(|it| it.severity) {
            intake::raise(draft, *incident, worst.id, worst.severity);
        }
    }
    let why = format_compact!("{} is over", silence.id);
    for incident in &silence.holds {
        let fires = draft.incident(*incident).is_some_and(|incident| incident.alerts_firing > 0);
        if fires && hold::snoozed(draft, *incident) && hold::held_by(draft, *incident, Some(silence.id)).is_none() {
            life::restart(draft, *incident, why.clone());
        }
    }
    let_go(draft, silence);
}

/// Lets go of what an ended silence still holds back, so many at a time.
fn let_go(draft: &mut Draft<'_>, silence: &Silence) {
    let why = format_compact!("{} is over", silence.id);
    let mut held = draft.state.suppressed_by(silence.id);
    let mut chunk: Vec<&Alert> = held.by_ref().take(CHUNK).collect();
    // The worst first: an incident is raised once, and paged by the rules for that.
    chunk.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
    for alert in chunk {
        match hold::silence_of(draft, &Subject::from(alert), Some(silence.id)) {
            Some(other) => {
                let (silence, reason) = (other.id, other.reason.clone());
                draft.emit(Event::AlertMuted { alert: alert.id, silence, reason });
            }
            None => release(draft, alert, alert.severity, &why),
        }
    }
    if held.next().is_none() {
        draft.emit(Event::SilenceReleased { silence: silence.id });
    }
}

/// Lets go of one alert: without an incident it opens or joins one, as if it began to fire now.
pub fn release(draft: &mut Draft<'_>, alert: &Alert, severity: AlertSeverity, why: &str) {
    let Some(suppression) = alert.suppressed.as_deref() else { return };
    let Some(group) = suppression.group.clone().filter(|_| alert.incident.is_none()) else {
        draft.emit(Event::AlertUnmuted { alert: alert.id });
        intake::raise(draft, alert.incident, alert.id, severity);
        return hold::wake_held(draft, alert.incident, &alert.name);
    };
    let opened = AlertOpened {
        alert: alert.id,
        integration: alert.integration.clone(),
        key: alert.key.clone(),
        incident: IncidentId::NONE,
        service: alert.service.clone(),
        named_service: alert.named_service.clone(),
        name: alert.name.clone(),
        severity,
        summary: alert.summary.clone(),
        environment: alert.environment.clone(),
        labels: alert.labels.clone(),
        link: alert.link.clone(),
        started_at: alert.started_at,
    };
    intake::land(draft, opened, group, suppression.unrouted, Some(why));
}

/// Tells whoever made it, and the channels of the teams that it is about.
fn tell(draft: &mut Draft<'_>, silence: &Silence, text: &str) {
    if let Some(person) = silence.by.person()
        && draft.org.people.contains_key(person)
        && let Some(rule) = draft.org.rules(person, false).first()
    {
        let to = Destination::Person { person: person.clone(), method: rule.method };
        draft.owe(None, None, to, Priority::Notice, Content::Notice { text: text.to_owned() });
    }
    let muted = draft.state.suppressed_by(silence.id);
    let channels = channels(draft, &silence.matchers, muted);
    post(draft, &channels, text);
}

/// The channels of the teams that matchers are about: of the services that they name, else of those that are muted.
pub fn channels<'a>(
    draft: &Draft<'a>,
    matchers: &[Matcher],
    muted: impl Iterator<Item = &'a Alert>,
) -> Vec<&'a ChannelRef> {
    if !draft.org.chat_connected {
        return Vec::new();
    }
    let named: Vec<_> = matchers.iter().filter_map(Matcher::service).collect();
    let services =
        if named.is_empty() { muted.map(|alert| alert.service.clone()).take(CHUNK).collect() } else { named };
    let mut found: Vec<&ChannelRef> = Vec::new();
    for service in services {
        let team = draft.org.services.get(&service).and_then(|service| draft.org.teams.get(&service.team));
        if let Some(channel) = team.and_then(|team| team.channel.as_ref())
            && !found.contains(&channel)
        {
            found.push(channel);
        }
    }
    if found.len() > TEAMS_TOLD { Vec::new() } else { found }
}

/// Posts a line in channels.
pub fn post(draft: &mut Draft<'_>, channels: &[&ChannelRef], text: &str) {
    for channel in channels {
        let to = Destination::Channel((*channel).clone());
        draft.owe(None, None, to, Priority::Post, Content::Post { text: text.to_owned() });
    }
}
