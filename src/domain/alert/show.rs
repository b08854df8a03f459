//! How alerts read in a reply.

use std::fmt::Write as _;

use super::Alert;
use crate::domain::state::State;

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;

/// `2 alerts fire`.
pub fn firing(state: &State) -> String {
    match state.alerts.len().saturating_sub(state.suppressed_count()) {
        0 => "No alert fires".to_owned(),
        1 => "1 alert fires".to_owned(),
        n => format!("{n} alerts fire"),
    }
}

/// `/alert list`: what fires, newest first.
pub fn list(state: &State) -> String {
    let hidden = match state.suppressed_count() {
        0 => String::new(),
        n => format!("\n{n} more suppressed: /alert list suppressed"),
    };
    let total = state.alerts.len().saturating_sub(state.suppressed_count());
    if total == 0 {
        return format!("No alert fires.{hidden}");
    }
    let mut text = format!("{}:\n", firing(state));
    for alert in state.alerts.values().rev().filter(|alert| alert.suppressed.is_none()).take(LIST_MAX) {
        let _ = writeln!(text, "{}", line(alert));
    }
    if total > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/alerts has all)", total - LIST_MAX);
    }
    let _ = write!(text, "One of them: /alert show ALR-n{hidden}");
    text
}

/// One line of a list.
pub fn line(alert: &Alert) -> String {
    let incident = if alert.incident.is_none() { String::new() } else { format!(" · {}", alert.incident) };
    format!(
        "{} {} {}: {}{incident} · <t:{}:R>",
        alert.id,
        alert.severity.as_str(),
        service(alert),
        alert.name,
        alert.opened_at.unix_secs()
    )
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
    if let Some(why) = &alert.suppressed {
        let _ = writeln!(text, "suppressed by {} since <t:{}:f>: {}", why.silence, why.since.unix_secs(), why.reason);
    }
    if alert.incident.is_none() {
        text.push_str("It opened no incident. What is silenced: /alert silences");
    } else {
        let _ = write!(text, "Its incident: /incident show {}", alert.incident);
    }
    text
}

fn service(alert: &Alert) -> String {
    match &alert.named_service {
        Some(named) => format!("[unrouted] {named}"),
        None => alert.service.to_string(),
    }
}
