//! "Who would be woken?": one payload at one time in a fresh world, where nobody acknowledges, until every policy is
//! exhausted and an hour after.

use std::fmt;

use chrono_tz::Tz;
use serde::Serialize;

use super::run::{one_line, read};
use super::times::clock;
use super::world::{What, World};
use crate::domain::delivery::{Content, Destination};
use crate::domain::id::IncidentId;
use crate::domain::org::Org;
use crate::domain::signal::SignalKind;
use crate::domain::time::{LATEST, Span, Timestamp};

/// How long is looked on after the last policy is exhausted.
const AFTERWARDS: Span = Span::hours(1);
/// A rehearsal ends here even if something still escalates: the longest policies take days, not years.
const LONGEST: Span = Span::days(60);

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Woken {
    /// When the payload comes in.
    pub at: Timestamp,
    /// The IANA zone of `local`: that of the organisation.
    pub zone: String,
    /// What became of each alert, in the order of the payload.
    pub alerts: Vec<Landed>,
    /// Who is paged, in order of time.
    pub pages: Vec<Wake>,
    /// When the last policy was exhausted; absent when nobody is paged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Timestamp>,
}

/// What became of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Landed {
    /// Its name.
    pub name: String,
    /// The service it names.
    pub service: Option<String>,
    /// The incident it is part of.
    pub incident: Option<IncidentId>,
    /// In words: `opens INC-1 (sev1 payments-api)`, `still fires in INC-1: nobody is paged again`.
    pub outcome: String,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wake {
    /// When.
    pub at: Timestamp,
    /// The wall-clock time, `Fri 25 Dec 03:05:00`.
    pub local: String,
    /// The time since the payload, `5m`.
    pub after: String,
    /// `bas`, `webhook:duty-desk`, `channel:payments-ops`.
    pub who: String,
    /// The method: `chat`, `sms`, …; `chat (not connected)` where it would not arrive.
    pub method: String,
    /// Whether it would be sent: a server without a chat goes on to the next rule at once.
    pub sent: bool,
    /// Why: `on call for payments-primary, step 1 of payments`.
    pub why: String,
    /// About which incident.
    pub incident: Option<IncidentId>,
}

/// Asks who would be woken by a payload of a source at a time. Errors: an unknown source, an unreadable payload.
pub fn who_is_woken(org: Org, at: Timestamp, source: &str, body: &[u8]) -> Result<Woken, String> {
    let zone = org.defaults.zone;
    let mut world = World::new(org, at);
    let begin = world.log().len();
    let (integration, signals) = read(world.org(), source, body)?;
    let mut alerts = Vec::new();
    for signal in signals {
        let before = world.state().meta.incidents;
        let firing = world.state().firing(&integration, &signal.key).is_some();
        let (kind, name, service) = (signal.kind, signal.name.clone(), signal.service.clone());
        let reply = world.signal(&integration, source, signal);
        let said = reply.as_ref().map_or_else(ToString::to_string, |reply| reply.text.clone());
        let incident = reply.ok().and_then(|reply| reply.records.first().and_then(|record| record.parse().ok()));
        let opened = world.state().meta.incidents > before;
        let outcome = landed(&world, kind, firing, opened, incident, &said);
        alerts.push(Landed { name, service, incident, outcome });
    }
    let end = at.after(LONGEST).min(LATEST);
    while escalates(&world) {
        let next = world.state().next_wakeup().map(|wakeup| wakeup.due).filter(|due| *due <= end);
        let Some(next) = next else { break };
        world.go_to(next)?;
    }
    let exhausted = world.state().incidents.values().filter_map(|incident| incident.exhausted_at).max();
    world.go_to(world.now().after(AFTERWARDS))?;
    let pages = world.log().iter().skip(begin).filter_map(|happening| {
        let (to, content, incident, trouble) = match &happening.what {
            What::Sent { to, content, incident, .. } => (to, content, incident, None),
            What::NotSent { to, content, incident, reason } => (to, content, incident, Some(reason)),
            _ => return None,
        };
        let Content::Page(page) = content else { return None };
        let mut wake = wake(at, zone, happening.at, to, &page.reason, *incident);
        if let Some(trouble) = trouble {
            wake.method = format!("{} ({trouble})", wake.method);
            wake.sent = false;
        }
        Some(wake)
    });
    Ok(Woken { at, zone: zone.name().to_owned(), alerts, pages: pages.collect(), exhausted })
}

fn escalates(world: &World) -> bool {
    world.state().all_open_incidents().any(|incident| incident.escalation.is_some())
}

fn landed(
    world: &World,
    kind: SignalKind,
    firing: bool,
    opened: bool,
    incident: Option<IncidentId>,
    said: &str,
) -> String {
    let Some(record) = incident.and_then(|id| world.incident(id)) else { return one_line(said) };
    let id = record.id;
    let about =
        format!("{id} ({} {}{})", record.severity, record.service, if record.unrouted { ", [unrouted]" } else { "" });
    match kind {
        SignalKind::Alert if firing => format!("fires already in {id}: a repeat pages nobody again"),
        SignalKind::Alert if opened && !record.severity.pages() => {
            format!("opens {about}: for the record only, nobody is paged")
        }
        SignalKind::Alert if opened => format!("opens {about}"),
        SignalKind::Alert => format!("joins {about}: it is paged once for all its alerts"),
        _ => one_line(said),
    }
}

fn wake(begin: Timestamp, zone: Tz, at: Timestamp, to: &Destination, why: &str, incident: Option<IncidentId>) -> Wake {
    let (who, method) = match to {
        Destination::Person { person, method } => (person.to_string(), method.to_string()),
        Destination::Channel(channel) => (format!("channel:{channel}"), "chat".to_owned()),
        Destination::Webhook(id) => (format!("webhook:{id}"), "webhook".to_owned()),
        Destination::Host(id) => (format!("code-host:{id}"), "http".to_owned()),
    };
    let after = at.since(begin).to_string();
    Wake { at, local: clock(at, zone), after, who, method, sent: true, why: why.to_owned(), incident }
}

impl fmt::Display for Woken {
    /// The table: what became of each alert, then one line for each page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for alert in &self.alerts {
            let service = alert.service.as_deref().unwrap_or("no service");
            writeln!(f, "{} ({service}): {}", alert.name, alert.outcome)?;
        }
        if self.pages.is_empty() {
            return write!(f, "\nNobody is woken.");
        }
        writeln!(f, "\nIf nobody acknowledges ({}):", self.zone)?;
        let widest = |of: fn(&Wake) -> &str| self.pages.iter().map(|page| of(page).chars().count()).max().unwrap_or(0);
        let (local, after) = (widest(|page| &page.local), widest(|page| &page.after));
        let (who, method) = (widest(|page| &page.who), widest(|page| &page.method));
        for page in &self.pages {
            let incident = page.incident.map(|id| id.to_string()).unwrap_or_default();
            writeln!(
                f,
                "{:<local$}  +{:<after$}  {:<who$}  {:<method$}  {incident}  {}",
                page.local, page.after, page.who, page.method, page.why
            )?;
        }
        if !self.pages.iter().any(|page| page.sent) {
            write!(f, "\nNobody is woken: none of it arrives.")?;
        }
        match self.exhausted {
            Some(at) => {
                let zone = self.zone.parse().unwrap_or(Tz::UTC);
                write!(f, "\nNobody is left to page after {}.", clock(at, zone))
            }
            None => Ok(()),
        }
    }
}
