//! How incidents read in a reply: short, with the id and the next step. Times are `<t:SECS:…>`, for the face to
//! render in the reader's zone. Titles and other text from outside are put in as they are; faces escape them.

use std::fmt::Write as _;

use super::record::{Incident, IncidentState};
use crate::domain::actor::Actor;
use crate::domain::change::suspect;
use crate::domain::delivery::{Delivery, DeliveryStatus, Destination};
use crate::domain::id::PersonId;
use crate::domain::org::Org;
use crate::domain::paging::{PageState, escalate};
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// `INC-1 sev1 payments-api: replication lag`.
pub fn headline(incident: &Incident) -> String {
    let mark = match (incident.private, incident.unrouted) {
        (true, _) => "[private] ",
        (false, true) => "[unrouted] ",
        (false, false) => "",
    };
    format!("{} {} {}: {mark}{}", incident.id, incident.severity, incident.service, incident.title)
}

/// Who is being paged, and what comes next. Channels and webhooks have no page of their own that ends: they are told
/// of as long as they were paged together with somebody who still is, or last of all.
pub fn who_is_paged(incident: &Incident) -> String {
    if incident.state != IncidentState::Triggered {
        return "Nobody is paged.".to_owned();
    }
    let running = || incident.pages.iter().filter(|page| page.state.running());
    let loose = || {
        incident.deliveries.iter().filter(|delivery| {
            let told = matches!(delivery.status, DeliveryStatus::Owed { .. } | DeliveryStatus::Accepted { .. });
            delivery.page.is_none() && delivery.is_page() && told
        })
    };
    let since = running().map(|page| page.opened_at).min().or_else(|| loose().map(|delivery| delivery.owed_at).max());
    let mut names: Vec<String> = Vec::new();
    let others = loose().filter(|delivery| Some(delivery.owed_at) >= since).map(|delivery| match &delivery.to {
        Destination::Person { person, .. } => person.to_string(),
        other => other.to_string(),
    });
    for name in running().map(|page| page.person.to_string()).chain(others) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let paged = if names.is_empty() { "Nobody is paged.".to_owned() } else { format!("Paged: {}.", names.join(", ")) };
    match &incident.escalation {
        Some(escalation) if escalation.held && escalation.reason == escalate::UNREACHED => {
            format!("Nobody could be reached. It pages again <t:{}:R>.", escalation.due.unix_secs())
        }
        Some(escalation) if escalation.held => {
            format!("Nobody is paged yet: a remedy is tried, until <t:{}:T>.", escalation.due.unix_secs())
        }
        Some(escalation) => format!("{paged} Next step <t:{}:R>.", escalation.due.unix_secs()),
        None => paged,
    }
}

/// One line of a list.
pub fn line(incident: &Incident) -> String {
    let whose = match (&incident.holder, incident.state) {
        (Some(holder), IncidentState::Acknowledged | IncidentState::Mitigated) => format!(", {} has it", holder.actor),
        (_, IncidentState::Triggered) if incident.exhausted_at.is_some() => ", NOBODY ANSWERED".to_owned(),
        _ => String::new(),
    };
    format!("{} · {}{whose} · <t:{}:R>", headline(incident), incident.state, incident.opened_at.unix_secs())
}

/// Asks for a commander, on an incident bad enough to need one that nobody commands.
pub fn wants_commander(incident: &Incident) -> Option<String> {
    let wanted = incident.severity.high_urgency() && incident.state.open() && incident.roles.commander.is_none();
    wanted.then(|| {
        format!(
            "\n{} needs a commander: /incident role {} commander NAME (you, without a name)",
            incident.severity, incident.id
        )
    })
}

/// `/incident list`: open ones that the asker may see, worst and oldest first.
pub fn list(state: &State, org: &Org, asker: &Actor) -> String {
    let mut open: Vec<&Incident> = state.open_for(org, asker).collect();
    if open.is_empty() {
        return "No open incidents. Something broken? /incident declare \"what\" service:…".to_owned();
    }
    open.sort_by_key(|incident| (incident.severity, incident.id));
    let mut text = format!("{} open:\n", open.len());
    for incident in open.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{}", line(incident));
    }
    if open.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/incidents has all)", open.len() - LIST_MAX);
    }
    text.push_str("One of them: /incident show INC-n");
    text
}

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;

/// `/incident show`.
pub fn show(incident: &Incident, state: &State, org: &Org) -> String {
    let mut text = format!("{}\n", headline(incident));
    let at = |at: Timestamp| format!("<t:{}:f>", at.unix_secs());
    let mut status = format!("{} · team {}", incident.state, incident.team);
    if let Some(environment) = &incident.environment {
        let _ = write!(status, " · {environment}");
    }
    if let Some(how) = incident.resolution {
        let _ = write!(status, " · {how}");
    }
    if let Some(assessed) = incident.assessed {
        let _ = write!(status, " · {assessed}");
    }
    let _ = writeln!(text, "{status}");
    let _ = writeln!(text, "opened {} by {}", at(incident.opened_at), incident.opened_by);
    for (what, when) in [
        ("acknowledged", incident.acknowledged_at),
        ("mitigated", incident.mitigated_at),
        ("resolved", incident.resolved_at),
        ("closed", incident.closed_at),
    ] {
        if let Some(when) = when {
            let _ = writeln!(text, "{what} {} (after {})", at(when), when.since(incident.opened_at));
        }
    }
    if let (Some(holder), true) = (&incident.holder, incident.state.open()) {
        let until = incident.ack_expires.map(|at| format!(" until <t:{}:t>", at.unix_secs())).unwrap_or_default();
        let _ = writeln!(text, "{} has it{until}", holder.actor);
    }
    let roles = &incident.roles;
    let named = [
        ("commander", &roles.commander),
        ("lead", &roles.lead),
        ("communications", &roles.communications),
        ("scribe", &roles.scribe),
    ];
    let named: Vec<String> =
        named.iter().filter_map(|(role, who)| who.as_ref().map(|who| format!("{role} {who}"))).collect();
    if !named.is_empty() {
        let _ = writeln!(text, "{}", named.join(", "));
    }
    if let (Some(ask), false) = (wants_commander(incident), incident.state == IncidentState::Triggered) {
        let _ = writeln!(text, "{}", ask.trim_start());
    }
    if !incident.invited.is_empty() {
        let names: Vec<&str> = incident.invited.iter().map(PersonId::as_str).collect();
        let _ = writeln!(text, "invited: {}", names.join(", "));
    }
    for link in incident.links.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{} {}", link.kind, link.to);
    }
    for suspect in suspect::of(state, org, incident) {
        let _ = writeln!(text, "changed lately: {} ({})", suspect.what, suspect.why);
    }
    if let (Some(at), true) = (incident.update_due, incident.state.open()) {
        let _ = writeln!(text, "an update is asked for <t:{}:R>", at.unix_secs());
    }
    if incident.alerts_total > 0 {
        let firing = match incident.alerts_firing {
            0 => "none".to_owned(),
            n => n.to_string(),
        };
        let _ = writeln!(text, "alerts: {firing} firing, {} in all", incident.alerts_total);
        for alert in state.alerts_of(incident.id).take(5) {
            let _ = writeln!(text, "  {} {} ({})", alert.id, alert.name, alert.severity.as_str());
        }
    }
    if incident.state == IncidentState::Triggered {
        if let Some(at) = incident.exhausted_at {
            let _ = writeln!(text, "NOBODY ANSWERED: the last resort was called <t:{}:R>", at.unix_secs());
        }
        let _ = writeln!(text, "{}", who_is_paged(incident));
    }
    let id = incident.id;
    text.push_str(&match incident.state {
        IncidentState::Triggered => format!("Next: /ack {id}"),
        IncidentState::Acknowledged | IncidentState::Mitigated => {
            format!("Next: /incident update {id} \"…\" or /resolve {id}")
        }
        IncidentState::Resolved => format!("Not over? /incident reopen {id} · Done? /incident close {id}"),
        IncidentState::Closed if incident.merged_into.is_some() => {
            let into = incident.merged_into.unwrap_or(id);
            format!("It went on as {into}: /incident show {into}")
        }
        IncidentState::Closed => format!("What happened: /incident timeline {id}"),
    });
    text
}

/// `/incident timeline`: what happened, nobody typed it.
pub fn timeline(incident: &Incident) -> String {
    let mut text = format!("{}\n", headline(incident));
    for entry in &incident.timeline {
        let _ = writeln!(text, "<t:{}:T> {}: {}", entry.at.unix_secs(), entry.by, entry.text);
    }
    if incident.timeline_folded > 0 {
        let _ = writeln!(text, "… and {} more, all of them in the journal", incident.timeline_folded);
    }
    text.truncate(text.trim_end().len());
    text
}

/// `/incident pages`: who was paged, by what, why, and how it ended.
pub fn pages(incident: &Incident) -> String {
    if incident.pages.is_empty() && !incident.deliveries.iter().any(Delivery::is_page) {
        let why = if incident.severity.pages() { "" } else { ": sev4 is for the record only" };
        return format!("Nobody was paged about {}{why}.", incident.id);
    }
    let mut text = format!("{}\n", headline(incident));
    for page in &incident.pages {
        let ended = page.ended_at.map(|at| format!(" <t:{}:T>", at.unix_secs())).unwrap_or_default();
        let _ = writeln!(
            text,
            "{} {}: paged <t:{}:T>, {}{ended} ({})",
            page.id(incident.id),
            page.person,
            page.opened_at.unix_secs(),
            outcome(page.state),
            page.reason
        );
        for delivery in incident.deliveries.iter().filter(|delivery| delivery.page == Some(page.n)) {
            let _ = writeln!(text, "  {} ({})", ledger(delivery), delivery.id);
        }
    }
    for delivery in incident.deliveries.iter().filter(|delivery| delivery.page.is_none() && delivery.is_page()) {
        let _ = writeln!(text, "{} ({})", ledger(delivery), delivery.id);
    }
    text.truncate(text.trim_end().len());
    text
}

/// How a page stands, in words.
fn outcome(state: PageState) -> &'static str {
    match state {
        PageState::Owed => "on its way",
        PageState::Sent => "no answer yet",
        PageState::Acknowledged => "ended by the acknowledgement",
        PageState::Expired => "paged anew",
        PageState::Cancelled => "stopped",
    }
}

/// One line of a delivery ledger.
fn ledger(delivery: &Delivery) -> String {
    let status = match &delivery.status {
        DeliveryStatus::Owed { attempts: 0, .. } => "waits to be sent".to_owned(),
        DeliveryStatus::Owed { attempts, not_before, trouble, .. } => {
            let next = not_before.map(|at| format!(", next <t:{}:R>", at.unix_secs())).unwrap_or_default();
            let s = if *attempts == 1 { "" } else { "s" };
            let why = if trouble.is_empty() { String::new() } else { format!(": {trouble}") };
            format!("{attempts} attempt{s} failed{next}{why}")
        }
        DeliveryStatus::Accepted { at } => format!("sent <t:{}:T>", at.unix_secs()),
        DeliveryStatus::Failed { reason, .. } => format!("failed: {reason}"),
        DeliveryStatus::Cancelled { reason, .. } => format!("not sent: {reason}"),
    };
    format!("{}: {status}", delivery.to)
}
