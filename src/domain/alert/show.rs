//! How alerts read in a reply.

use std::fmt::Write as _;

use super::Alert;
use crate::domain::state::State;

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;

/// `2 alerts fire`.
pub fn firing(state: &State) -> String {
    match state.alerts.len() {
        0 => "No alert fires".to_owned(),
        1 => "1 alert fires".to_owned(),
        n => format!("{n} alerts fire"),
    }
}

/// `/alert list`: what fires, newest first.
pub fn list(state: &State) -> String {
    if state.alerts.is_empty() {
        return "No alert fires.".to_owned();
    }
    let mut text = format!("{}:\n", firing(state));
    for alert in state.alerts.values().rev().take(LIST_MAX) {
        let _ = writeln!(
            text,
            "{} {} {}: {} · {} · <t:{}:R>",
            alert.id,
            alert.severity.as_str(),
            service(alert),
            alert.name,
            alert.incident,
            alert.opened_at.unix_secs()
        );
    }
    if state.alerts.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/alerts has all)", state.alerts.len() - LIST_MAX);
    }
    text.push_str("One of them: /alert show ALR-n");
    text
}

/// `/alert show`.
pub fn show(alert: &Alert) -> String {
    let mut text = format!("{} {} {}: {}\n", alert.id, alert.severity.as_str(), service(alert), alert.name);
    if let Some(summary) = &alert.summary {
        let _ = writeln!(text, "{summary}");
    }
    let state = match alert.resolved_at {
        Some(at) => format!("recovered <t:{}:R>", at.unix_secs()),
        None => "fires".to_owned(),
    };
    let _ = writeln!(
        text,
        "{state} · from {} · key {} · since <t:{}:f>",
        alert.integration,
        alert.key,
        alert.opened_at.unix_secs()
    );
    for (name, value) in alert.labels.iter() {
        let _ = writeln!(text, "  {name}={value}");
    }
    let _ = write!(text, "Its incident: /incident show {}", alert.incident);
    text
}

fn service(alert: &Alert) -> String {
    match &alert.named_service {
        Some(named) => format!("[unrouted] {named}"),
        None => alert.service.to_string(),
    }
}
