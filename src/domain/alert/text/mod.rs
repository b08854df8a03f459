//! Alerts in chat text: what a tool posts in a channel, read as signals. A [`TextRule`] says whose words are read, and
//! how: by patterns of the organisation, and by the built-in sets ([`Set`]). What the signals lead to is `intake`'s
//! work; nothing here knows a chat platform.
//!
//! `plain` takes away what is quoted, `shapes` reads messages of several lines, `sets` has the patterns of one line,
//! `pattern` what a pattern may be and what its groups mean.
//!
//! The work grows with the length of the text and no faster: each pattern sees each line once, and the `regex` engine
//! is linear in the line.

mod pattern;
mod plain;
mod sets;
mod shapes;

use std::collections::BTreeMap;

use compact_str::{CompactString, format_compact};

use crate::domain::actor::{Actor, By};
use crate::domain::delivery::ChannelRef;
use crate::domain::id::RequestId;
use crate::domain::input::{Input, InputKind, Place, Reply};
use crate::domain::limits;
use crate::domain::org::{Mapping, Org};
use crate::domain::reject::Reject;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};

pub use pattern::{Pattern, Refused};
pub use sets::Set;

/// The `source` of an integration that reads text.
pub const SOURCE: &str = "text";
/// Of a longer text only the beginning is read, in bytes: many times the longest message of any chat.
pub const TEXT_MAX: usize = 64 << 10;
/// Labels that name what is affected, the first that is there.
const SERVICE_LABELS: [&str; 7] = ["service", "job", "host", "hostname", "instance", "monitor", "namespace"];
const ENVIRONMENT_LABELS: [&str; 2] = ["environment", "env"];
/// States that mean recovered, in lower case, where the rule names none.
const RECOVERED: [&str; 9] = ["resolved", "recovery", "recovered", "ok", "up", "closed", "normal", "cleared", "fixed"];
const ACKNOWLEDGED: [&str; 4] = ["acknowledged", "acknowledgement", "acknowledge", "ack"];
/// The beginnings of states that change nothing about whether it fires.
const NO_CHANGE: [&str; 3] = ["flapping", "downtime", "custom"];
/// The state of an alert that does not say it.
const NO_STATUS: &str = "firing";

/// One `[[text-alert]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextRule {
    /// The organisation's own patterns; they come before the sets.
    pub patterns: Vec<Pattern>,
    /// The built-in sets.
    pub sets: Vec<Set>,
    /// In which channels it is read; empty: anywhere.
    pub channels: Vec<ChannelRef>,
    /// Whose words are read, by person or by the account's name on its platform; empty: anybody's.
    pub authors: Vec<String>,
}

impl TextRule {
    /// All built-in sets, for anybody anywhere.
    pub fn builtin() -> Self {
        Self { sets: Set::ALL.to_vec(), ..Self::default() }
    }

    fn hears(&self, heard: &Heard<'_>) -> bool {
        let here = |channel: &ChannelRef| {
            channel.name == heard.place.channel && channel.chat.as_ref().is_none_or(|chat| *chat == heard.place.chat)
        };
        let by = |author: &String| heard.authors.contains(&author.as_str());
        (self.channels.is_empty() || self.channels.iter().any(here))
            && (self.authors.is_empty() || self.authors.iter().any(by))
    }
}

/// One message, as a chat has verified it.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// Where.
    pub place: &'a Place,
    /// What its author goes by: the person, the account's id on its platform. The first one stands in the journal.
    pub authors: &'a [&'a str],
    /// The request that brought it, if one did.
    pub request: Option<&'a RequestId>,
    /// What was said.
    pub text: &'a str,
}

/// The alerts of a message as inputs, to be submitted together as those of a webhook are; empty when it is none. The
/// first rule (by name) that finds any has it. A message that begins with a slash is a command and never an alert.
///
/// The actor of the inputs is the rule (`integration:ops-room`); `via` names the chat and the author (`terminal:bas`).
pub fn hear(org: &Org, heard: &Heard<'_>) -> Vec<Input> {
    if heard.text.trim_start().starts_with('/') {
        return Vec::new();
    }
    let author = heard.authors.first().copied().unwrap_or("somebody");
    for integration in org.integrations.values() {
        let Some(mapping) = integration.mapping.as_ref() else { continue };
        let Some(rule) = mapping.text.as_ref().filter(|rule| rule.hears(heard)) else { continue };
        let signals = read(heard.text, rule, mapping).signals;
        if signals.is_empty() {
            continue;
        }
        let by = By {
            actor: Actor::Integration(integration.id.clone()),
            via: format_compact!("{}:{author}", heard.place.chat),
            request: heard.request.cloned(),
            granted: None,
            factor: None,
        };
        let input = |signal| Input {
            by: by.clone(),
            idempotency: None,
            kind: InputKind::Signal { integration: integration.id.clone(), signal: Box::new(signal) },
            closed: Vec::new(),
        };
        return signals.into_iter().map(input).collect();
    }
    Vec::new()
}

/// What is answered to whoever said a text that was an alert: what became of each.
///
/// # Errors
/// None was taken: the first refusal.
pub fn told(replies: Vec<Result<Reply, Reject>>) -> Result<Reply, Reject> {
    const TOLD_MAX: usize = 10;
    let count = replies.len();
    let mut told = Reply::done(match count {
        1 => "Read as an alert.".to_owned(),
        _ => format!("Read as {count} alerts."),
    });
    let (mut incident, mut refused) = (None::<CompactString>, None);
    for (nth, reply) in replies.into_iter().enumerate() {
        let line = match reply {
            Ok(reply) => {
                let new = reply.records.iter().filter(|record| !told.records.contains(record)).cloned();
                told.records = told.records.iter().cloned().chain(new.collect::<Vec<_>>()).collect();
                incident = incident.or_else(|| reply.records.first().cloned());
                reply.text
            }
            Err(reject) => {
                let line = reject.message.clone();
                refused = refused.or(Some(reject));
                line
            }
        };
        if nth < TOLD_MAX {
            told.text.push('\n');
            told.text.push_str(&line);
        }
    }
    if count > TOLD_MAX {
        told.text.push_str(&format!("\n… and {} more", count - TOLD_MAX));
    }
    match (incident, refused) {
        (None, Some(reject)) => Err(reject),
        (Some(incident), _) => {
            told.text.push_str(&format!("\nNext: /incident show {incident}"));
            Ok(told)
        }
        (None, None) => Ok(told),
    }
}

/// What a text says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextReading {
    /// Its members, in their order.
    pub signals: Vec<Signal>,
    /// Bytes beyond [`TEXT_MAX`], and members beyond [`limits::ALERTS`], that were not looked at.
    pub unread: Option<String>,
    /// How many bytes patterns were tried on; for tests.
    pub work: u64,
}

/// Reads a text by a rule: its patterns first, then the sets; whichever finds something has the whole message, so that
/// a title is not read again beside its list.
pub fn read(text: &str, rule: &TextRule, mapping: &Mapping) -> TextReading {
    read_up_to(text, TEXT_MAX, rule, mapping)
}

fn read_up_to(text: &str, max: usize, rule: &TextRule, mapping: &Mapping) -> TextReading {
    let cut = plain::cut(text, max);
    let mut reading = TextReading::default();
    if cut.len() < text.len() {
        reading.unread = Some(format!("{} bytes of text were not read: at most {max}", text.len() - cut.len()));
    }
    let lines = plain::lines(cut);
    let mut found = Vec::new();
    for line in &lines {
        found.extend(rule.patterns.iter().find_map(|pattern| pattern.find(line, &mut reading.work)));
    }
    if found.is_empty() {
        found = shapes::read(&lines, &rule.sets);
    }
    if found.is_empty() {
        found = sets::read(&lines, &rule.sets, &mut reading.work);
    }
    for found in found {
        let signal = found.signal(mapping);
        let again = |known: &Signal| known.key == signal.key && known.kind == signal.kind;
        if reading.signals.iter().rev().take(SEEN_MAX).any(again) {
            continue;
        }
        if reading.signals.len() == limits::ALERTS {
            reading.unread = Some(format!("alerts beyond the first {} were not read", limits::ALERTS));
            break;
        }
        reading.signals.push(signal);
    }
    reading
}

/// A member is compared with this many before it: a mail says the same in its subject and its body.
const SEEN_MAX: usize = 50;

/// One member of a message, in the words of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    status: Option<String>,
    service: Option<String>,
    name: Option<String>,
    severity: Option<String>,
    key: Option<String>,
    summary: Option<String>,
    link: Option<String>,
    labels: BTreeMap<String, String>,
}

impl Found {
    fn signal(self, mapping: &Mapping) -> Signal {
        let first = |names: &[&str]| names.iter().find_map(|name| self.labels.get(*name));
        let service = self.service.as_ref().or_else(|| first(&SERVICE_LABELS));
        let service = service.and_then(|text| limits::line(text, limits::NAME_CHARS));
        let named = self.name.as_ref().or_else(|| self.labels.get("alertname"));
        let name = named.and_then(|text| limits::line(text, limits::NAME_CHARS));
        let key = self.key.as_deref().and_then(limits::key).unwrap_or_else(|| {
            let mut parts: Vec<&str> = Vec::new();
            let known = [service.as_deref(), name.as_deref()].into_iter().flatten();
            for part in known.chain(self.labels.values().map(String::as_str)) {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            limits::key(&parts.join("/")).unwrap_or_else(|| limits::hash(parts))
        });
        let name = name.or_else(|| service.clone()).unwrap_or_else(|| "unnamed alert".to_owned());
        // A host or the rest of a title says more than the name alone; a hash does not.
        let more = || Some(key.clone()).filter(|key| *key != name && key.contains(&name));
        let summary = self.summary.as_ref().and_then(|text| limits::lines(text, limits::SUMMARY_CHARS)).or_else(more);
        let word = |text: &String| limits::line(text, limits::WORD_CHARS);
        let severity_word = self.severity.as_ref().or_else(|| self.labels.get("severity")).and_then(word);
        let status = self.status.as_ref().and_then(word).unwrap_or_else(|| NO_STATUS.to_owned());
        let kind = kind(&status, mapping);
        // As a note, it has to say what happened.
        let summary = if kind == SignalKind::StatusUpdate { Some(format!("{status}: {key}")) } else { summary };
        Signal {
            kind,
            severity: severity_word.as_deref().and_then(|word| severity(word, mapping)),
            severity_word,
            status,
            key,
            summary,
            environment: first(&ENVIRONMENT_LABELS).and_then(word),
            link: self.link.as_deref().and_then(limits::link),
            started_at: None,
            deployment: None,
            labels: labels(&self.labels, service.as_ref().filter(|_| self.service.is_some())),
            service,
            name,
        }
    }
}

/// The labels within the limits. A service that the text names as such is one of them: routing tells it so from one
/// that is only guessed.
fn labels(found: &BTreeMap<String, String>, service: Option<&String>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = found
        .iter()
        .filter_map(|(name, value)| {
            Some((limits::line(name, limits::NAME_CHARS)?, limits::line(value, limits::LABEL_CHARS)?))
        })
        .take(limits::LABELS)
        .collect();
    if let Some(service) = service {
        labels.insert("service".to_owned(), service.clone());
    }
    labels
}

fn severity(word: &str, mapping: &Mapping) -> Option<AlertSeverity> {
    mapping.severities.get(&word.to_lowercase()).copied().or_else(|| AlertSeverity::from_word(word))
}

fn kind(status: &str, mapping: &Mapping) -> SignalKind {
    let status = status.to_lowercase();
    let word = status.split(':').next().unwrap_or_default().trim();
    let recovered = match mapping.resolved.as_slice() {
        [] => RECOVERED.contains(&word),
        own => own.iter().any(|own| *own == word || *own == status),
    };
    if recovered {
        SignalKind::Resolve
    } else if ACKNOWLEDGED.contains(&word) {
        SignalKind::Ack
    } else if NO_CHANGE.iter().any(|start| word.starts_with(start)) {
        SignalKind::StatusUpdate
    } else {
        SignalKind::Alert
    }
}

#[cfg(test)]
mod tests;
