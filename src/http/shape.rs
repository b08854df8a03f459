//! The JSON of records, as clients script against it: keys are always there (null where nothing is known), times are
//! RFC 3339 in UTC with milliseconds, actors are `bas`, `integration:prometheus` or `opsbell`. No contact address is
//! in any of it. The journal's own serialisation is not used, so that it can change without breaking a client.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::alert::Alert;
use crate::domain::delivery::{Delivery, DeliveryStatus, Destination};
use crate::domain::id::{IncidentId, PageId};
use crate::domain::incident::Incident;
use crate::domain::org::Service;
use crate::domain::paging::Page;
use crate::domain::silence::Silence;
use crate::domain::state::State;

/// A JSON response.
pub(crate) fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    // Only maps with keys that are no text could fail to be written; there are none.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    json_bytes(status, bytes)
}

/// A response of ready JSON.
pub(crate) fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An incident in a list.
pub(crate) fn incident_summary(incident: &Incident) -> Value {
    json!({
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
        "team": incident.team,
        "severity": incident.severity,
        "state": incident.state,
        "environment": incident.environment,
        "unrouted": incident.unrouted,
        "opened_at": incident.opened_at,
        "opened_by": incident.opened_by.to_string(),
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.holder.as_ref().map(|holder| holder.actor.to_string()),
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
        "resolution": incident.resolution,
        "closed_at": incident.closed_at,
        "alerts_firing": incident.alerts_firing,
        "alerts_total": incident.alerts_total,
        "private": incident.private,
        "merged_into": incident.merged_into,
    })
}

/// The whole record of an incident.
pub(crate) fn incident(incident: &Incident) -> Value {
    let mut whole = incident_summary(incident);
    let more = json!({
        "roles": {
            "commander": incident.roles.commander,
            "lead": incident.roles.lead,
            "communications": incident.roles.communications,
            "scribe": incident.roles.scribe,
            "responders": incident.roles.responders,
        },
        "ack_expires": incident.ack_expires,
        "closes": incident.closes,
        "escalation": incident.escalation.as_ref().map(|escalation| json!({
            "policy": escalation.policy.id,
            "next_step": escalation.step,
            "cycle": escalation.cycle,
            "due": escalation.due,
            "reason": escalation.reason,
        })),
        "exhausted_at": incident.exhausted_at,
        "links": incident.links.iter().map(|link| json!({"kind": link.kind.as_str(), "to": link.to})).collect::<Vec<_>>(),
        "invited": incident.invited,
        "update_due": incident.update_due,
        "assessed": incident.assessed,
        "pages": incident.pages.iter().map(|page| self::page(incident, page)).collect::<Vec<_>>(),
        // What belongs to a page stands there.
        "deliveries": incident.deliveries.iter().filter(|d| d.page.is_none()).map(delivery).collect::<Vec<_>>(),
        "timeline": incident.timeline.iter().map(|entry| json!({
            "at": entry.at,
            "by": entry.by.to_string(),
            "text": entry.text,
        })).collect::<Vec<_>>(),
        "timeline_left_out": incident.timeline_folded,
        "problem": incident.problem(),
        "times": incident.review.iter().flat_map(|review| &review.times).map(|stated| json!({
            "milestone": stated.milestone,
            "at": stated.at,
            "was": stated.was,
            "reason": stated.reason,
            "by": stated.by.to_string(),
            "stated_at": stated.stated_at,
        })).collect::<Vec<_>>(),
        "postmortem": incident.postmortem().map(|known| json!({
            "state": known.state,
            "revision": known.revision,
            "changed_at": known.changed_at,
            "authors": known.authors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "published_at": known.published_at,
        })),
    });
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

/// A page with its ledger.
pub(crate) fn page(incident: &Incident, page: &Page) -> Value {
    let mut whole = page_summary(incident.id, page);
    let own = incident.deliveries.iter().filter(|delivery| delivery.page == Some(page.n));
    whole["deliveries"] = own.map(delivery).collect();
    whole
}

/// A page in a list.
pub(crate) fn page_summary(incident: IncidentId, page: &Page) -> Value {
    json!({
        "id": PageId { incident, n: page.n },
        "incident": incident,
        "person": page.person,
        "state": page.state,
        "reason": page.reason,
        "opened_at": page.opened_at,
        "ended_at": page.ended_at,
        "next": page.next,
    })
}

fn delivery(delivery: &Delivery) -> Value {
    let (to, method) = match &delivery.to {
        Destination::Person { person, method } => (format!("person:{person}"), Some(method.as_str())),
        Destination::Channel(channel) => (format!("channel:{channel}"), None),
        Destination::Webhook(webhook) => (format!("webhook:{webhook}"), None),
        Destination::Host(integration) => (format!("code-host:{integration}"), None),
    };
    let (status, at, reason) = match &delivery.status {
        DeliveryStatus::Owed { trouble, .. } => ("owed", None, Some(trouble).filter(|trouble| !trouble.is_empty())),
        DeliveryStatus::Accepted { at } => ("accepted", Some(at), None),
        DeliveryStatus::Failed { at, reason } => ("failed", Some(at), Some(reason)),
        DeliveryStatus::Cancelled { at, reason } => ("cancelled", Some(at), Some(reason)),
    };
    json!({
        "id": delivery.id,
        "to": to,
        "method": method,
        "owed_at": delivery.owed_at,
        "status": status,
        "at": at,
        "reason": reason,
    })
}

/// An alert in a list.
pub(crate) fn alert_summary(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "name": alert.name,
        "service": alert.service,
        "severity": alert.severity,
        "state": if alert.resolved_at.is_some() { "resolved" } else { "firing" },
        "incident": (!alert.incident.is_none()).then_some(alert.incident),
        "suppressed": alert.suppressed.as_ref().map(|why| json!({
            "silence": why.silence,
            "reason": why.reason,
            "since": why.since,
        })),
        "integration": alert.integration,
        "key": alert.key,
        "environment": alert.environment,
        "opened_at": alert.opened_at,
        "resolved_at": alert.resolved_at,
    })
}

/// The whole record of an alert.
pub(crate) fn alert(alert: &Alert) -> Value {
    let mut whole = alert_summary(alert);
    whole["named_service"] = json!(alert.named_service);
    whole["summary"] = json!(alert.summary);
    whole["labels"] = json!(alert.labels);
    whole["link"] = json!(alert.link);
    whole["started_at"] = json!(alert.started_at);
    whole
}

/// A silence.
pub(crate) fn silence(state: &State, silence: &Silence) -> Value {
    json!({
        "id": silence.id,
        "matchers": silence.matchers,
        "maintenance": silence.maintenance,
        "reason": silence.reason,
        "by": silence.by.to_string(),
        "started_at": silence.started_at,
        "ends": silence.ends,
        "ended_at": silence.ended.as_ref().map(|ended| ended.at),
        "ended_by": silence.ended.as_ref().map(|ended| ended.by.to_string()),
        "suppressed_now": state.suppressed_by(silence.id).count(),
        "suppressed_total": silence.muted_total,
    })
}

/// A service as declared.
pub(crate) fn service(service: &Service) -> Value {
    json!({
        "id": service.id,
        "team": service.team,
        "depends_on": service.depends_on,
        "runbook": service.runbook,
    })
}
