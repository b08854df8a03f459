//! Intake: what a signal does. Deduplicated by (integration, key), routed to a service (or, marked, to the default
//! one), grouped into an open incident or opening one; a recovery resolves the incident of which it was the last.

use compact_str::{CompactString, format_compact};

use super::{Alert, Labels};
use crate::domain::actor::Actor;
use crate::domain::change::deployment;
use crate::domain::draft::Draft;
use crate::domain::event::{AlertOpened, Event, IncidentOpened};
use crate::domain::id::{AlertId, IncidentId, IntegrationId, ServiceId};
use crate::domain::incident::{IncidentState, Resolution, Severity, life};
use crate::domain::input::Reply;
use crate::domain::org::{Integration, Org};
use crate::domain::paging::escalate;
use crate::domain::playbook::remedy;
use crate::domain::problem::recurrence;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};
use crate::domain::silence::{self, matcher::Subject};

/// The longest title, in characters; the alert keeps the whole text.
const TITLE_MAX: usize = 200;

/// Decides what a signal does.
pub fn receive(draft: &mut Draft<'_>, integration: &IntegrationId, signal: &Signal) -> Result<Reply, Reject> {
    let org = draft.org;
    let Some(sender) = org.integrations.get(integration) else {
        return Err(Reject::new(RejectCode::NotFound, format!("integration {integration} is no longer configured")));
    };
    match signal.kind {
        SignalKind::Alert => Ok(fire(draft, sender, signal)),
        SignalKind::Resolve => Ok(recover(draft, sender, signal)),
        SignalKind::Ack => Ok(acknowledge(draft, sender, signal)),
        SignalKind::StatusUpdate => Ok(remark(draft, sender, signal)),
        SignalKind::Deploy => deployment::receive(draft, sender, signal),
        SignalKind::Ci => Ok(deployment::commits(draft, signal, "a build is no alert")),
        SignalKind::Confirm | SignalKind::Ignore => Ok(deployment::commits(draft, signal, "it asks for nothing")),
    }
}

/// How the answer to a signal begins that was understood and led to nothing; HTTP counts it as ignored.
pub const IGNORED: &str = "ignored: ";

fn ignored(why: &str) -> Reply {
    Reply::done(format!("{IGNORED}{why}"))
}

/// What changes an existing thing and opens nothing: a note for what fires, if it says something.
fn remark(draft: &mut Draft<'_>, sender: &Integration, signal: &Signal) -> Reply {
    let Some(text) = signal.summary.as_deref().filter(|text| !text.trim().is_empty()) else {
        return ignored("an update that changes nothing here");
    };
    let Some(alert) = draft.state.firing(&sender.id, &signal.key) else {
        return ignored("nothing fires under that key");
    };
    let (alert, incident) = (alert.id, alert.incident);
    if draft.incident(incident).is_none() {
        return ignored("its incident is closed");
    }
    draft.emit(Event::IncidentNoted { incident, text: text.into() });
    Reply::done(format!("noted on {incident}")).about(incident).about(alert)
}

fn fire(draft: &mut Draft<'_>, sender: &Integration, signal: &Signal) -> Reply {
    if let Some(known) = draft.state.firing(&sender.id, &signal.key) {
        return repeat(draft, known, signal);
    }
    let route = route(draft.org, sender, signal);
    let severity = signal.severity.unwrap_or(draft.org.defaults.severity);
    let group = group(sender, signal, &route);
    let unrouted = route.unrouted();
    let opened = AlertOpened {
        alert: draft.next_alert(),
        integration: sender.id.clone(),
        key: signal.key.as_str().into(),
        incident: IncidentId::NONE,
        service: route.service,
        named_service: route.named,
        name: signal.name.as_str().into(),
        severity,
        summary: signal.summary.as_deref().map(CompactString::from),
        environment: signal.environment.as_deref().map(CompactString::from),
        labels: Labels::from(&signal.labels),
        link: signal.link.as_deref().map(CompactString::from),
        started_at: signal.started_at,
    };
    if let Some(silence) = silence::hold::silence_of(draft, &Subject::from(&opened), None) {
        return silence::hold::suppress(draft, opened, group, unrouted, silence);
    }
    let alert = opened.alert;
    let incident = land(draft, opened, group, unrouted, None);
    Reply::done(format!("{alert} in {incident}")).about(incident).about(alert)
}

/// An alert that nothing holds back joins the open incident of its group, or opens one. `why` says what let it go,
/// where it fires already and was held back.
pub fn land(
    draft: &mut Draft<'_>,
    mut opened: AlertOpened,
    group: CompactString,
    unrouted: bool,
    why: Option<&str>,
) -> IncidentId {
    // Every signal lands: one that no service owns always pages, however mild it says it is.
    let wanted = Severity::from(opened.severity);
    let wanted = if unrouted { wanted.min(Severity::Sev3) } else { wanted };
    let joined = draft.grouped(&group);
    let incident = match joined {
        Some(incident) => incident,
        None => {
            let incident = open_incident(draft, &opened, unrouted, wanted, group);
            recurrence::opened(draft, incident);
            incident
        }
    };
    opened.incident = incident;
    let (alert, name, severity) = (opened.alert, opened.name.clone(), opened.severity);
    let remedied = (!draft.org.remedies.is_empty()).then(|| opened.clone());
    draft.emit(Event::AlertOpened(Box::new(opened)));
    match joined {
        Some(_) => {
            raise_to(draft, incident, wanted, &format!("{alert} is {}", severity.as_str()));
            tell_joined(draft, incident, &name);
            back_from_mitigated(draft, incident, &name);
            silence::hold::wake_held(draft, incident, &name);
            escalate::after_last_resort(draft, incident, "new alert after the policy was exhausted");
        }
        None => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let held = remedied.as_ref().and_then(|opened| remedy::hold(draft, incident, opened));
            life::begin_held(draft, incident, format_compact!("opened by {alert}{why}"), held);
            recurrence::begun(draft, incident);
        }
    }
    if let Some(opened) = &remedied {
        remedy::consider(draft, incident, opened);
    }
    match &remedied {
        Some(opened) if joined.is_some() => remedy::joined(draft, incident, opened),
        // The remedy that the page waited for is no longer configured.
        None if joined.is_some() => remedy::page_now(draft, incident, "another alert fires"),
        _ => {}
    }
    incident
}

/// Alerts beyond this number join without a word in the channel; `/incident show` counts them.
const JOINED_TOLD: u32 = 5;

fn tell_joined(draft: &mut Draft<'_>, id: IncidentId, name: &str) {
    let Some(incident) = draft.incident(id).filter(|incident| incident.alerts_total <= JOINED_TOLD) else { return };
    let now = match incident.alerts_firing {
        1 => "1 alert".to_owned(),
        n => format!("{n} alerts"),
    };
    let text = format!("{id}: {name} fires as well, {now} now. {}", incident.state);
    draft.post(id, text);
}

/// The impact is not over when something new fires: somebody is paged again.
fn back_from_mitigated(draft: &mut Draft<'_>, id: IncidentId, name: &str) {
    if draft.incident(id).is_some_and(|incident| incident.state == IncidentState::Mitigated) {
        life::restart(draft, id, format_compact!("{name} fires after it was mitigated"));
    }
}

/// The same key again: only what is new is written.
fn repeat(draft: &mut Draft<'_>, known: &Alert, signal: &Signal) -> Reply {
    let severity = signal.severity.unwrap_or(known.severity);
    let summary = signal.summary.as_deref().map(CompactString::from);
    if severity != known.severity || summary != known.summary {
        draft.emit(Event::AlertUpdated { alert: known.id, severity, summary });
        if known.suppressed.is_some() {
            silence::hold::severity_changed(draft, known, severity);
        } else if severity > known.severity {
            raise(draft, known.incident, known.id, severity);
        }
    }
    if known.incident.is_none() {
        return Reply::done(format!("{} still fires, suppressed", known.id)).about(known.id);
    }
    Reply::done(format!("{} still fires in {}", known.id, known.incident)).about(known.incident).about(known.id)
}

/// A worse alert raises its incident, unless a person has said how bad it is.
pub fn raise(draft: &mut Draft<'_>, id: IncidentId, alert: AlertId, severity: AlertSeverity) {
    raise_to(draft, id, Severity::from(severity), &format!("{alert} is {}", severity.as_str()));
}

fn raise_to(draft: &mut Draft<'_>, id: IncidentId, wanted: Severity, reason: &str) {
    let Some(incident) = draft.incident(id) else { return };
    if wanted < incident.severity && !incident.severity_by_person && incident.state.open() {
        life::change_severity(draft, id, wanted, Some(reason.into()), None);
    }
}

fn recover(draft: &mut Draft<'_>, sender: &Integration, signal: &Signal) -> Reply {
    let Some(alert) = draft.state.firing(&sender.id, &signal.key) else {
        return Reply::done("nothing fires under that key");
    };
    let (alert, incident) = (alert.id, alert.incident);
    draft.emit(Event::AlertResolved { alert });
    draft.alert_recovered(incident, alert);
    let Some(record) = draft.incident(incident) else { return Reply::done(format!("{alert} recovered")).about(alert) };
    if record.alerts_firing == 0 && record.state.open() {
        // What a person has said is broken is not over because an alert is.
        let said = record.kept_open || record.opened_by.person().is_some();
        if let Some(commander) = record.roles.commander.clone() {
            let text = format!("{incident}: all alerts have recovered. {commander} has command and resolves it.");
            draft.post(incident, text);
        } else if said {
            let how = if record.kept_open { "reopened" } else { "declared" };
            let text = format!(
                "{incident}: all alerts have recovered. It was {how} by a person: /resolve {incident} when it is over."
            );
            draft.post(incident, text);
        } else {
            life::resolve(draft, incident, Resolution::Recovered, None);
        }
    }
    Reply::done(format!("{alert} recovered")).about(incident).about(alert)
}

/// An acknowledgement in the sender's own tool stops the escalation only where the integration may.
fn acknowledge(draft: &mut Draft<'_>, sender: &Integration, signal: &Signal) -> Reply {
    let Some(alert) = draft.state.firing(&sender.id, &signal.key) else {
        return Reply::done("nothing fires under that key");
    };
    let (alert, incident) = (alert.id, alert.incident);
    debug_assert!(matches!(draft.actor(), Actor::Integration(_)));
    if incident.is_none() {
        return Reply::done(format!("{alert} is suppressed: nobody is paged about it")).about(alert);
    }
    let reply = |text: String| Reply::done(text).about(incident).about(alert);
    // What a person has taken, mitigated or snoozed is not taken from them.
    let triggered = draft.incident(incident).is_some_and(|incident| incident.state == IncidentState::Triggered);
    if !sender.may_acknowledge {
        return reply(format!("{} may not acknowledge: {incident} goes on", sender.id));
    }
    if triggered {
        life::acknowledge(draft, incident, None);
    }
    reply(format!("{alert} acknowledged by {}", sender.id))
}

/// Where a signal goes.
struct Route {
    service: ServiceId,
    /// The service it named, where that is not the one it went to.
    named: Option<CompactString>,
    /// Whether no known service was named and none is configured for its sender.
    lost: bool,
}

impl Route {
    fn unrouted(&self) -> bool {
        self.lost
    }
}

/// A known service that the signal names; else, where it names none of its own, its sender's; else the default one.
/// A name that a parser only guessed from other labels (`job`, `instance`) does not hide the sender's service.
fn route(org: &Org, sender: &Integration, signal: &Signal) -> Route {
    let named = signal.service.as_deref().filter(|name| !name.trim().is_empty());
    if let Some((known, _)) = named.and_then(|name| org.services.get_key_value(name)) {
        return Route { service: known.clone(), named: None, lost: false };
    }
    let explicit = named.is_some() && (signal.labels.is_empty() || signal.labels.contains_key("service"));
    match &sender.service {
        Some(service) if !explicit => Route { service: service.clone(), named: None, lost: false },
        _ => Route { service: org.defaults.service.clone(), named: named.map(CompactString::from), lost: true },
    }
}

/// Alerts of one service (as named), one environment and the same values of the grouping labels share an incident.
fn group(sender: &Integration, signal: &Signal, route: &Route) -> CompactString {
    let mut group = format_compact!("{}", route.service);
    let mut add = |name: &str, value: &str| {
        group.push('\u{1f}');
        group.push_str(name);
        group.push('=');
        group.push_str(value);
    };
    add("named", route.named.as_deref().unwrap_or(""));
    add("environment", signal.environment.as_deref().unwrap_or(""));
    let mut labelled = false;
    for label in &sender.group_by {
        if let Some(value) = signal.labels.get(label.as_str()) {
            add(label, value);
            labelled = true;
        }
    }
    if !labelled {
        add("name", &signal.name);
    }
    group
}

fn open_incident(
    draft: &mut Draft<'_>,
    alert: &AlertOpened,
    unrouted: bool,
    severity: Severity,
    group: CompactString,
) -> IncidentId {
    let incident = draft.next_incident();
    let team = draft.org.services.get(&alert.service).map(|service| service.team.clone()).unwrap_or_default();
    let name = alert.name.as_str();
    let title = match alert.summary.as_deref().filter(|summary| !summary.trim().is_empty()) {
        Some(summary) if summary.contains(name) => summary.to_owned(),
        Some(summary) => format!("{name}: {summary}"),
        None => name.to_owned(),
    };
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    draft.emit(Event::IncidentOpened(Box::new(IncidentOpened {
        incident,
        title: title.chars().take(TITLE_MAX).collect(),
        service: alert.service.clone(),
        team,
        severity,
        group,
        environment: alert.environment.clone(),
        unrouted,
        place: None,
        private: false,
        assessed: None,
    })));
    incident
}
