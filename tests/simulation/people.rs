//! What people and senders do in a bad night, and what the model hears of it once they are answered.

use opsbell::domain::id::IncidentId;
use opsbell::domain::incident::Severity;
use opsbell::domain::input::{Answer, Button, Input};
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::state::State;

use crate::chance::Chance;
use crate::model::Model;
use crate::support_paging::{press, say, sent, signal};

/// What was asked.
#[derive(Debug, Clone)]
pub enum Asked {
    Alert { edge: bool, severity: Severity, key: (String, String) },
    Recovered { key: (String, String) },
    SenderAck,
    Declared { edge: bool, severity: Severity },
    Ack(IncidentId),
    Snooze(IncidentId, i64),
    Mitigate(IncidentId),
    Resolve(IncidentId),
    Reopen(IncidentId),
    HandBack(IncidentId),
    Severity(IncidentId, Severity),
    Cannot(IncidentId, &'static str),
    Escalate(IncidentId),
    Nothing,
}

/// One thing that somebody does.
pub fn anything(chance: &mut Chance, state: &State) -> (Input, Asked) {
    let last = state.meta.incidents.max(1);
    let open: Vec<IncidentId> = state.open_incidents().map(|incident| incident.id).collect();
    // Mostly something that is open; sometimes anything.
    let id = if open.is_empty() || chance.one_in(6) { IncidentId(1 + chance.below(last)) } else { chance.pick(&open) };
    let who = chance.pick(&["ann", "ben", "cas", "op"]);
    // A night with more than a handful of open incidents is quieter, so that lanes are not what is measured.
    let what = if open.len() >= 6 { 40 + chance.below(60) } else { chance.below(100) };
    match what {
        0..35 => alert(chance),
        35..40 => declare(chance, who),
        40..50 => recovery(chance, state),
        50..52 => {
            let key = chance.pick(&["k0", "k1", "k2"]);
            (sent("probe", signal("probe", SignalKind::Ack, None, key, None)), Asked::SenderAck)
        }
        52..62 if chance.one_in(2) => (press(who, Button::Ack, id.0), Asked::Ack(id)),
        52..62 => (say(who, &format!("/ack {id}")), Asked::Ack(id)),
        62..65 => {
            let minutes = chance.ms(1, 50);
            (say(who, &format!("/snooze {id} {minutes}m")), Asked::Snooze(id, minutes * 60_000))
        }
        65..68 => (press(who, Button::HandBack, id.0), Asked::HandBack(id)),
        68..73 => (press(who, Button::Cant, id.0), Asked::Cannot(id, who)),
        73..75 => (say(who, &format!("/incident escalate {id}")), Asked::Escalate(id)),
        75..78 => (say(who, &format!("/incident mitigate {id}")), Asked::Mitigate(id)),
        78..86 => (say(who, &format!("/resolve {id}")), Asked::Resolve(id)),
        86..88 => (say(who, &format!("/incident reopen {id}")), Asked::Reopen(id)),
        88..90 => (say(who, &format!("/incident close {id}")), Asked::Nothing),
        90..93 => {
            let severity = chance.pick(&[Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4]);
            (say(who, &format!("/incident severity {id} {severity}")), Asked::Severity(id, severity))
        }
        93..95 => (say(who, &format!("/page cas incident:{id}")), Asked::Nothing),
        95..97 => (say("sue", &format!("/ack {id}")), Asked::Nothing),
        97..98 => (say("nobody", &format!("/resolve {id}")), Asked::Nothing),
        _ => (say(who, &format!("/incident update {id} \"still at it\"")), Asked::Nothing),
    }
}

fn alert(chance: &mut Chance) -> (Input, Asked) {
    let integration = chance.pick(&["prom", "probe"]);
    let key = chance.pick(&["k0", "k1", "k2"]);
    let mut service = chance.pick(&[Some("api"), Some("cdn"), None]);
    let said = chance.pick(&[
        AlertSeverity::Critical,
        AlertSeverity::Critical,
        AlertSeverity::High,
        AlertSeverity::Warning,
        AlertSeverity::Info,
    ]);
    if said == AlertSeverity::Info {
        // One that names no service pages all the same, but as a repeat it is what it was: not for this model.
        service = Some("api");
    }
    let severity = match said {
        AlertSeverity::Critical => Severity::Sev1,
        AlertSeverity::High => Severity::Sev2,
        AlertSeverity::Warning => Severity::Sev3,
        AlertSeverity::Info => Severity::Sev4,
    };
    let input = sent(integration, signal(integration, SignalKind::Alert, service, key, Some(said)));
    let key = (integration.to_owned(), key.to_owned());
    (input, Asked::Alert { edge: service == Some("cdn"), severity, key })
}

fn declare(chance: &mut Chance, who: &str) -> (Input, Asked) {
    let (service, edge) = chance.pick(&[("api", false), ("cdn", true)]);
    let severity = chance.pick(&[Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4]);
    let text = format!("/incident declare \"something is odd\" service:{service} severity:{severity}");
    (say(who, &text), Asked::Declared { edge, severity })
}

fn recovery(chance: &mut Chance, state: &State) -> (Input, Asked) {
    let firing: Vec<(String, String)> =
        state.alerts.values().map(|alert| (alert.integration.to_string(), alert.key.to_string())).collect();
    let key = if firing.is_empty() { ("prom".to_owned(), "k0".to_owned()) } else { chance.pick(&firing) };
    (sent(&key.0, signal(&key.0, SignalKind::Resolve, None, &key.1, None)), Asked::Recovered { key })
}

/// The model hears what was answered; `now` is when it was decided.
pub fn hear(model: &mut Model, now: i64, asked: Asked, answer: &Answer) {
    let Ok(reply) = &answer.reply else { return };
    let incident = reply.records.first().and_then(|record| record.parse::<IncidentId>().ok());
    match asked {
        Asked::Alert { edge, severity, key } => {
            let id = incident.unwrap_or_else(|| panic!("an alert belongs to an incident: {reply:?}"));
            model.alert(now, id, edge, severity, key);
        }
        Asked::Recovered { key } => model.recovered(&key),
        Asked::SenderAck => {
            if let Some(id) = incident {
                model.acknowledged_by_sender(now, id);
            }
        }
        Asked::Declared { edge, severity } => {
            let id = incident.unwrap_or_else(|| panic!("it has a number: {reply:?}"));
            model.declared(now, id, edge, severity);
        }
        // Whoever is only asked to help takes nothing.
        Asked::Ack(_) if !reply.text.contains("nobody else is paged") => {}
        Asked::Ack(id) => model.acknowledged(now, id, None),
        Asked::Snooze(id, ms) => model.acknowledged(now, id, Some(ms)),
        Asked::Mitigate(id) => model.mitigated(id),
        Asked::Resolve(id) => model.resolved(id),
        Asked::Reopen(id) => model.reopened(now, id),
        Asked::HandBack(id) => model.reopened(now, id),
        Asked::Severity(id, severity) => model.severity(now, id, severity),
        Asked::Cannot(..) if reply.text.contains("Nothing changed") => {}
        Asked::Cannot(id, person) => model.cannot(id, person),
        Asked::Escalate(id) => model.unclear(id),
        Asked::Nothing => {}
    }
}
