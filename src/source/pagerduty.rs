//! PagerDuty: what senders post to its Events API v2, its change events, and its own outgoing webhooks of version 3
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview>, `/docs/webhooks-overview`). The three are told
//! apart by their fields. `/v2/enqueue`, which answers as PagerDuty does, is `http/`'s.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{NAMELESS, Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    let signal = if let Some(event) = body.get("event").and_then(Value::as_object) {
        webhook(event)?
    } else if let Some(action) = body.get("event_action") {
        event(&body, action)?
    } else if body.get("payload").is_some_and(Value::is_object) {
        change(&body)?
    } else {
        return Err(unreadable(
            "$",
            "the body is neither an event (`event_action`), a change event (`payload`) nor a webhook (`event`)",
        ));
    };
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

fn unreadable(path: &str, message: &str) -> Unreadable {
    Unreadable {
        path: Some(path.to_owned()),
        message: message.to_owned(),
        hint: "send what PagerDuty's Events API v2 takes, or a PagerDuty webhook of version 3".to_owned(),
    }
}

/// The text of a field within the limits; blank is nothing.
fn text(value: Option<&Value>, max_chars: usize) -> Option<String> {
    value.and_then(body::scalar).and_then(|text| limits::line(&text, max_chars))
}

fn blank(kind: SignalKind, name: Option<String>, status: String, key: String) -> Signal {
    Signal {
        kind,
        service: None,
        name: name.unwrap_or_else(|| NAMELESS.to_owned()),
        severity: None,
        severity_word: None,
        status,
        key,
        summary: None,
        labels: BTreeMap::new(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// An event of a sender. A trigger without a dedup key gets the hash of what it says; `/v2/enqueue` makes a new one.
fn event(body: &Value, action: &Value) -> Result<Signal, Unreadable> {
    let kind = match action.as_str() {
        Some("trigger") => SignalKind::Alert,
        Some("acknowledge") => SignalKind::Ack,
        Some("resolve") => SignalKind::Resolve,
        _ => return Err(unreadable("$.event_action", "`event_action` is not trigger, acknowledge or resolve")),
    };
    let none = Value::Null;
    let payload = body.get("payload").unwrap_or(&none);
    let summary = payload.get("summary").and_then(body::scalar);
    let name = summary.as_deref().and_then(|text| limits::line(text, limits::NAME_CHARS));
    if kind == SignalKind::Alert && name.is_none() {
        return Err(unreadable("$.payload.summary", "a trigger needs `payload.summary`: what is wrong"));
    }
    // An empty key is not a key.
    let given = body.get("dedup_key").and_then(body::scalar).and_then(|key| limits::key(&key));
    let source = text(payload.get("source"), limits::NAME_CHARS);
    let key = match given {
        Some(key) => key,
        None if kind == SignalKind::Alert => {
            limits::hash([source.as_deref().unwrap_or_default(), summary.as_deref().unwrap_or_default()])
        }
        None => return Err(unreadable("$.dedup_key", "`dedup_key` is needed to find the alert again")),
    };
    let severity_word = text(payload.get("severity"), limits::WORD_CHARS);
    let mut labels = details(payload.get("custom_details"));
    for field in ["source", "component", "group", "class"] {
        if let Some(value) = text(payload.get(field), limits::LABEL_CHARS) {
            labels.insert(field.to_owned(), value);
        }
    }
    let link = body.get("links").and_then(|links| links.get(0)?.get("href")?.as_str()).and_then(limits::link);
    let client_url = || body.get("client_url").and_then(Value::as_str).and_then(limits::link);
    Ok(Signal {
        // A service that the details name as such wins over the place that the event comes from.
        service: labels.get("service").cloned().or(source),
        severity: severity_word.as_deref().and_then(AlertSeverity::from_word),
        severity_word,
        summary: summary
            .and_then(|text| limits::lines(&text, limits::SUMMARY_CHARS))
            .filter(|text| Some(text) != name.as_ref()),
        link: link.or_else(client_url),
        started_at: payload.get("timestamp").and_then(Value::as_str).and_then(time),
        labels,
        ..blank(kind, name, action.as_str().unwrap_or_default().to_owned(), key)
    })
}

/// PagerDuty also writes an offset without its colon: `+0000`.
fn time(text: &str) -> Option<crate::domain::time::Timestamp> {
    let text = text.trim();
    let colon = || {
        let at = text.len().checked_sub(5).filter(|at| text.is_char_boundary(*at))?;
        let (head, offset) = text.split_at(at);
        let digits = offset.strip_prefix(['+', '-'])?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| format!("{head}{}:{}", &offset[..3], &offset[3..]))
    };
    text.parse().ok().or_else(|| colon()?.parse().ok())
}

/// Texts, numbers and truth values as labels; what is nested stays behind.
fn details(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(map)) = value else { return BTreeMap::new() };
    let label = |(name, value): (&String, &Value)| {
        Some((limits::line(name, limits::NAME_CHARS)?, text(Some(value), limits::LABEL_CHARS)?))
    };
    map.iter().filter_map(label).take(limits::LABELS - 4).collect()
}

/// A change event: something was deployed or configured. It has no key and ends nothing.
fn change(body: &Value) -> Result<Signal, Unreadable> {
    let none = Value::Null;
    let payload = body.get("payload").unwrap_or(&none);
    let Some(name) = text(payload.get("summary"), limits::NAME_CHARS) else {
        return Err(unreadable("$.payload.summary", "a change event needs `payload.summary`: what was changed"));
    };
    let labels = details(payload.get("custom_details"));
    let status = ["build_state", "state", "status"].iter().find_map(|name| labels.get(*name));
    let status = status.and_then(|text| limits::line(text, limits::WORD_CHARS)).unwrap_or_else(|| "changed".to_owned());
    let source = text(payload.get("source"), limits::NAME_CHARS);
    let when = text(payload.get("timestamp"), limits::WORD_CHARS).unwrap_or_default();
    let key = limits::hash([source.as_deref().unwrap_or_default(), name.as_str(), when.as_str()]);
    Ok(Signal {
        service: source,
        link: body.get("links").and_then(|links| links.get(0)?.get("href")?.as_str()).and_then(limits::link),
        started_at: payload.get("timestamp").and_then(Value::as_str).and_then(time),
        labels,
        ..blank(SignalKind::Deploy, Some(name), status, key)
    })
}

/// A webhook that PagerDuty sends: `event_type` decides, not the status of the incident in it.
fn webhook(event: &Map<String, Value>) -> Result<Signal, Unreadable> {
    let Some(kind) = event.get("event_type").and_then(Value::as_str) else {
        return Err(unreadable("$.event.event_type", "the webhook does not say what happened (`event_type`)"));
    };
    let data = event.get("data").and_then(Value::as_object);
    let field = |name: &str| data.and_then(|data| data.get(name));
    let summary = |name: &str| field(name).and_then(|value| value.get("summary"));
    let kind = match kind {
        "incident.triggered" | "incident.reopened" => SignalKind::Alert,
        "incident.acknowledged" => SignalKind::Ack,
        "incident.resolved" => SignalKind::Resolve,
        // The test button of PagerDuty.
        "pagey.ping" => SignalKind::Ignore,
        other if other.starts_with("incident.") => SignalKind::StatusUpdate,
        _ => SignalKind::Ignore,
    };
    // Notes and responders stand beside their incident.
    let id = |value: &Value| value.get("id").and_then(body::scalar);
    let key = field("incident").and_then(id).or_else(|| field("id").and_then(body::scalar));
    let key = match key.and_then(|key| limits::key(&key)) {
        Some(key) => key,
        None if kind == SignalKind::Ignore => NAMELESS.to_owned(),
        None => return Err(unreadable("$.event.data.id", "the webhook names no incident (`data.id`)")),
    };
    let word = text(summary("priority"), limits::WORD_CHARS).or_else(|| text(field("urgency"), limits::WORD_CHARS));
    let severity = word.as_deref().and_then(|word| match word {
        // Urgency has two words; no other sender uses this one for a warning.
        "low" => Some(AlertSeverity::Warning),
        word => AlertSeverity::from_word(word),
    });
    let status = text(field("status"), limits::WORD_CHARS).unwrap_or_else(|| NAMELESS.to_owned());
    let service = text(summary("service"), limits::NAME_CHARS);
    Ok(Signal {
        labels: service.iter().map(|service| ("pagerduty_service".to_owned(), service.clone())).collect(),
        service,
        severity,
        severity_word: word,
        link: field("html_url").and_then(Value::as_str).and_then(limits::link),
        ..blank(kind, text(field("title"), limits::NAME_CHARS), status, key)
    })
}
