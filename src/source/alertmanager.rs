//! Prometheus Alertmanager's webhook body, versions 3 and 4, and the hand-made bodies that look like it
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>). Grafana's unified body is near enough
//! to be read here; its extra fields are not used. What Prometheus posts *to* an Alertmanager is another source.
//!
//! Only an alert's own labels count: common labels can contradict them, so they lend a missing name and nothing else.
//! `groupKey` is not read (version 3 writes it as an integer that no integer type holds), nor is `endsAt` (resolved
//! alerts come with Go's zero time in it).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::object::{Entries, NULL, Object};
use super::{Reading, Rejected, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};
use crate::domain::time::Timestamp;

/// Name of an alert that brings none.
const UNNAMED: &str = "unnamed alert";
/// Labels that name what is affected, the first that is there.
const SERVICE_LABELS: [&str; 5] = ["service", "job", "host", "hostname", "instance"];
const ENVIRONMENT_LABELS: [&str; 2] = ["environment", "env"];
const SUMMARY_ANNOTATIONS: [&str; 2] = ["summary", "description"];
const RUNBOOK_ANNOTATIONS: [&str; 2] = ["runbook_url", "runbook"];
/// How Go writes "no time".
const GO_ZERO_TIME_PREFIX: &str = "0001-01-01";

/// The fields of the body that are looked at; all others are skipped without being understood.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(default)]
    status: Value,
    #[serde(default, borrow, deserialize_with = "present")]
    alerts: Option<&'a RawValue>,
    /// Looked into only for an alert without a name.
    #[serde(default, borrow)]
    common_labels: Option<&'a RawValue>,
    #[serde(default, borrow)]
    group_labels: Option<&'a RawValue>,
    #[serde(default)]
    truncated_alerts: Value,
}

/// Tells a null (`Some`) from a field that is not there (`None`).
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// The fields of an alert that are looked at.
#[derive(Default)]
struct Alert {
    labels: Option<Object<Texts>>,
    annotations: Option<Object<Texts>>,
    fingerprint: Value,
    status: Value,
    generator: Value,
    starts_at: Value,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Labels,
    Annotations,
    Fingerprint,
    Status,
    #[serde(rename = "generatorURL")]
    Generator,
    StartsAt,
    #[serde(other)]
    Other,
}

impl Entries for Alert {
    type Key = Field;

    fn take<'de, A: MapAccess<'de>>(&mut self, key: Field, map: &mut A) -> Result<(), A::Error> {
        match key {
            Field::Labels => self.labels = Some(map.next_value()?),
            Field::Annotations => self.annotations = Some(map.next_value()?),
            Field::Fingerprint => self.fingerprint = map.next_value()?,
            Field::Status => self.status = map.next_value()?,
            Field::Generator => self.generator = map.next_value()?,
            Field::StartsAt => self.starts_at = map.next_value()?,
            Field::Other => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// The first alerts of a list, and how many it has: a body of a million nothings must not become as many alerts.
#[derive(Default)]
struct Alerts {
    first: Vec<Object<Alert>>,
    sent: usize,
}

impl<'de> Deserialize<'de> for Alerts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Alerts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Alerts, A::Error> {
                let mut alerts = Alerts::default();
                while alerts.first.len() < limits::ALERTS {
                    let Some(alert) = list.next_element()? else { break };
                    alerts.first.push(alert);
                }
                alerts.sent = alerts.first.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    alerts.sent += 1;
                }
                Ok(alerts)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Values as text, whole and as they came: the key is made of these. An empty value is no label, as in Prometheus;
/// what should not be nested is kept as JSON.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl Entries for Texts {
    type Key = String;

    fn take<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        let text = match map.next_value()? {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        if text.is_empty() {
            self.0.remove(&name);
        } else {
            self.0.insert(name, text);
        }
        Ok(())
    }
}

/// Reads a webhook body. A body without a list `alerts` is unreadable; an alert that is not one is rejected alone.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    if body::first_byte(bytes) != Some(b'{') {
        return Err(match body::parse(bytes)? {
            Value::Array(_) => Unreadable {
                path: Some("$".to_owned()),
                message: "the body is a list, an Alertmanager webhook posts an object".to_owned(),
                hint: "let Alertmanager send to this address (webhook_configs), not Prometheus itself".to_owned(),
            },
            other => not_a_webhook("$", &format!("the body is {}, not an object", body::kind(&other))),
        });
    }
    let body: Body<'_> = body::parse(bytes)?;
    let alerts = match body.alerts {
        None => return Err(not_a_webhook("$.alerts", "the body has no list `alerts`")),
        Some(list) if list.get().starts_with('[') => body::parse::<Alerts>(list.get().as_bytes())?,
        Some(other) => match body::parse(other.get().as_bytes())? {
            // Go writes a list into which nothing was put as null.
            Value::Null => Alerts::default(),
            other => {
                let message = format!("`alerts` is {}, not a list", body::kind(&other));
                return Err(not_a_webhook("$.alerts", &message));
            }
        },
    };
    let group = Group { status: word(&body.status), labels: [body.common_labels, body.group_labels] };
    let mut reading = Reading::default();
    let sent = alerts.sent;
    for (at, Object(alert)) in alerts.first.into_iter().enumerate() {
        match read_alert(alert, &group, at) {
            Ok(signal) => reading.signals.push(signal),
            Err(rejected) => reading.rejected.push(rejected),
        }
    }
    if sent > limits::ALERTS {
        reading.rejected.push(Rejected {
            path: format!("$.alerts[{}]", limits::ALERTS),
            reason: format!(
                "{} alerts from here on were not read: at most {} in one body; set max_alerts in Alertmanager's webhook_configs or group by more labels",
                sent - limits::ALERTS,
                limits::ALERTS
            ),
        });
    }
    if let Some(missing) = body.truncated_alerts.as_u64().filter(|n| *n > 0) {
        reading.rejected.push(Rejected {
            path: "$.truncatedAlerts".to_owned(),
            reason: format!("Alertmanager itself left out {missing} alerts; raise max_alerts in its webhook_configs"),
        });
    }
    Ok(reading)
}

fn not_a_webhook(path: &str, message: &str) -> Unreadable {
    Unreadable {
        path: Some(path.to_owned()),
        message: message.to_owned(),
        hint: "send an Alertmanager webhook body, or use the source `generic` with a mapping".to_owned(),
    }
}

/// What the group says for alerts that do not say it themselves.
struct Group<'a> {
    status: Option<String>,
    labels: [Option<&'a RawValue>; 2],
}

impl Group<'_> {
    fn name(&self) -> Option<String> {
        self.labels.iter().flatten().find_map(|labels| {
            let labels: Value = serde_json::from_str(labels.get()).ok()?;
            limits::line(labels.get("alertname")?.as_str()?, limits::NAME_CHARS)
        })
    }
}

fn read_alert(alert: Result<Alert, &str>, group: &Group<'_>, at: usize) -> Result<Signal, Rejected> {
    let rejected = |field: &str, reason: String| Rejected { path: format!("$.alerts[{at}]{field}"), reason };
    let alert = alert.map_err(|kind| rejected("", format!("an alert is an object; this is {kind}")))?;
    let labels = match alert.labels {
        Some(Object(Ok(Texts(labels)))) => labels,
        None | Some(Object(Err(NULL))) => BTreeMap::new(),
        Some(Object(Err(kind))) => return Err(rejected(".labels", format!("labels are an object; this is {kind}"))),
    };
    let annotations = match alert.annotations {
        Some(Object(Ok(Texts(annotations)))) => annotations,
        _ => BTreeMap::new(),
    };
    let fingerprint = body::scalar(&alert.fingerprint).and_then(|text| limits::key(&text));
    if labels.is_empty() && annotations.is_empty() && fingerprint.is_none() {
        return Err(rejected(
            ".labels",
            "nothing tells what this alert is: no labels, annotations or fingerprint".into(),
        ));
    }

    let summary = first(&annotations, &SUMMARY_ANNOTATIONS);
    let name = first(&labels, &["alertname"])
        .and_then(|name| limits::line(name, limits::NAME_CHARS))
        .or_else(|| group.name())
        .or_else(|| summary.and_then(|text| limits::line(text, limits::NAME_CHARS)))
        .unwrap_or_else(|| UNNAMED.to_owned());
    let status = word(&alert.status).or_else(|| group.status.clone()).unwrap_or_else(|| "firing".to_owned());
    let severity_word = first(&labels, &["severity"]).and_then(|word| limits::line(word, limits::WORD_CHARS));
    let link = first(&annotations, &RUNBOOK_ANNOTATIONS)
        .and_then(limits::link)
        .or_else(|| alert.generator.as_str().and_then(limits::link));
    let key = fingerprint
        .unwrap_or_else(|| if labels.is_empty() { limits::hash([name.as_str()]) } else { limits::labels_key(&labels) });
    Ok(Signal {
        kind: if status.eq_ignore_ascii_case("resolved") { SignalKind::Resolve } else { SignalKind::Alert },
        service: SERVICE_LABELS.iter().find_map(|label| limits::line(labels.get(*label)?, limits::NAME_CHARS)),
        severity: severity_word.as_deref().and_then(AlertSeverity::from_word),
        severity_word,
        status,
        key,
        summary: summary.and_then(|text| limits::lines(text, limits::SUMMARY_CHARS)),
        environment: first(&labels, &ENVIRONMENT_LABELS).and_then(|word| limits::line(word, limits::WORD_CHARS)),
        link,
        started_at: alert.starts_at.as_str().and_then(started_at),
        deployment: None,
        labels: shown(labels),
        name,
    })
}

/// The labels within the limits on text.
fn shown(labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let plain = |(name, value): (&String, &String)| {
        limits::is_line(name, limits::NAME_CHARS) && limits::is_line(value, limits::LABEL_CHARS)
    };
    if labels.len() <= limits::LABELS && labels.iter().all(plain) {
        return labels;
    }
    labels
        .iter()
        .filter_map(|(name, value)| {
            Some((limits::line(name, limits::NAME_CHARS)?, limits::line(value, limits::LABEL_CHARS)?))
        })
        .take(limits::LABELS)
        .collect()
}

/// The first of the named texts that is not blank.
fn first<'a>(texts: &'a BTreeMap<String, String>, names: &[&str]) -> Option<&'a str> {
    names.iter().filter_map(|name| texts.get(*name)).map(String::as_str).find(|text| !text.trim().is_empty())
}

fn word(value: &Value) -> Option<String> {
    limits::line(value.as_str()?, limits::WORD_CHARS)
}

/// When it began; `None` for Go's zero time, which also comes with an offset, and for what is no time.
fn started_at(text: &str) -> Option<Timestamp> {
    if text.starts_with(GO_ZERO_TIME_PREFIX) { None } else { text.trim().parse().ok() }
}
