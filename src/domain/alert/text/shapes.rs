//! Messages of several lines: lists of labels under a heading (Alertmanager, Grafana), members under a title (a usual
//! template of Slack), and mails of `Key: value` lines (Nagios, Zabbix). Each walks the lines once. The first shape
//! that finds something has the message.

use std::borrow::Cow;

use super::sets::Set;
use super::{Found, plain};
use crate::domain::limits;
use crate::domain::signal::AlertSeverity;

/// What finds the members of one sender's layout among a message's lines.
type Shape = fn(&[Cow<'_, str>]) -> Vec<Found>;

/// What the shapes of these sets find.
pub fn read(lines: &[Cow<'_, str>], sets: &[Set]) -> Vec<Found> {
    let has = |set| sets.contains(&set);
    let shapes: [(bool, Shape); 4] = [
        (has(Set::Alertmanager) || has(Set::Grafana), lists),
        (has(Set::Alertmanager), members),
        (has(Set::Nagios), nagios),
        (has(Set::Zabbix), zabbix),
    ];
    let wanted = shapes.into_iter().filter(|(wanted, _)| *wanted);
    wanted.map(|(_, shape)| shape(lines)).find(|found| !found.is_empty()).unwrap_or_default()
}

/// A line without marks of bold and italic around it.
fn bare(line: &str) -> &str {
    plain::title(line).trim_matches(['*', '_', ' '])
}

/// The text behind `Key: `.
fn behind<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix(':').map(str::trim)
}

/// `**Firing**`, `Alerts Resolved:`: the state of what follows.
fn heading(bare: &str) -> Option<&'static str> {
    let word = bare.strip_prefix("Alerts ").unwrap_or(bare).trim_end_matches([':', '*', ' ']);
    match word {
        "Firing" => Some("firing"),
        "Resolved" => Some("resolved"),
        _ => None,
    }
}

/// `[FIRING:1] Name …`: the state, and the first word of the rest.
fn titled(bare: &str) -> Option<(&str, Option<&str>)> {
    let (state, rest) = bare.strip_prefix('[')?.split_once(']')?;
    let word = state.split(':').next().unwrap_or_default();
    matches!(word, "FIRING" | "RESOLVED").then(|| (state, rest.split_whitespace().next()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Labels,
    Annotations,
}

/// Lists of labels: Alertmanager's default text of Discord, Telegram and mail, Grafana's default message, and
/// templates that look like them.
fn lists(lines: &[Cow<'_, str>]) -> Vec<Found> {
    let mut all = Vec::new();
    let mut open: Option<Found> = None;
    // Whether its labels are the alert's own list, and not a choice that a template's author made.
    let mut whole = true;
    let (mut status, mut name) = (None::<String>, None::<String>);
    let mut section = Section::None;
    for line in lines {
        let bare = bare(line);
        let starts = heading(bare).map(|state| (state, None)).or_else(|| titled(bare));
        if let Some((state, first)) = starts {
            close(&mut all, open.take(), whole);
            status = Some(state.to_owned());
            name = first.map(str::to_owned).or(name);
            section = Section::None;
        } else if bare == "Labels:" {
            close(&mut all, open.take(), whole);
            if let Some(status) = &status {
                open = Some(Found { status: Some(status.clone()), ..Found::default() });
                whole = true;
                section = Section::Labels;
            }
        } else if bare == "Annotations:" {
            section = Section::Annotations;
        } else if let (Some(found), Some(item)) = (&mut open, item(line).filter(|_| section != Section::None)) {
            if section == Section::Labels {
                whole &= item.listed;
                found.labels.insert(item.name.to_owned(), item.value.to_owned());
                if found.name.is_none() {
                    found.name = found.labels.get("alertname").cloned().or_else(|| name.clone());
                }
                if item.name == "alertname" {
                    found.name = Some(item.value.to_owned());
                }
            } else if item.name == "summary" || (item.name == "description" && found.summary.is_none()) {
                found.summary = Some(item.value.to_owned());
            } else if matches!(item.name, "runbook_url" | "runbook") {
                found.link = Some(item.value.to_owned());
            }
        } else {
            section = Section::None;
            if let (Some(found), Some(link)) = (&mut open, behind(bare, "Source")) {
                found.link.get_or_insert_with(|| link.to_owned());
            }
        }
    }
    close(&mut all, open, whole);
    all
}

fn close(all: &mut Vec<Found>, open: Option<Found>, whole: bool) {
    let Some(mut found) = open.filter(|found| !found.labels.is_empty()) else { return };
    // The whole list is the alert, as a fingerprint is. Of a chosen few, the severity may change while it fires.
    let mut values = vec![found.name.as_deref().unwrap_or_default()];
    let other = |(name, _): &(&String, &String)| !matches!(name.as_str(), "severity" | "alertname");
    values.extend(found.labels.iter().filter(other).map(|(_, value)| value.as_str()));
    found.key = Some(if whole { limits::labels_key(&found.labels) } else { values.join("/") });
    all.push(found);
}

struct Item<'a> {
    name: &'a str,
    value: &'a str,
    /// ` - name = value`, as the default templates write it.
    listed: bool,
}

/// ` - name = value`, `  name: value`, `• name: value`; only what is set off counts.
fn item(line: &str) -> Option<Item<'_>> {
    let start = line.trim_start();
    let marked = ["- ", "• ", "* "].iter().find_map(|mark| start.strip_prefix(mark));
    let text = marked.or((start.len() < line.len()).then_some(start))?;
    let (name, value, listed) = match text.split_once(" = ") {
        Some((name, value)) => (name, value, marked.is_some()),
        None => text.split_once(": ").map(|(name, value)| (name, value, false))?,
    };
    let (name, value) = (name.trim(), value.trim());
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'));
    (plain && !name.is_empty() && !value.is_empty()).then_some(Item { name, value, listed })
}

const FIRES: [&str; 9] = [":fire:", ":red_circle:", ":rotating_light:", ":x:", ":exclamation:", "🔥", "🔴", "🚨", "❌"];
const IS_OVER: [&str; 5] = [":white_check_mark:", ":large_green_circle:", ":heavy_check_mark:", "✅", "🟢"];

/// Members by their marks, under `[CRITICAL - 2] [RESOLVED - 1] Name - what it means`. What is said of several is
/// never read as one: each member has a state of its own.
fn members(lines: &[Cow<'_, str>]) -> Vec<Found> {
    let mut all = Vec::new();
    let mut over: Option<Headline> = None;
    for line in lines {
        let line = line.trim();
        let marked = |marks: &[&str]| marks.iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim);
        let member = marked(&FIRES).map(|name| ("firing", name)).or(marked(&IS_OVER).map(|name| ("resolved", name)));
        match (member, &over) {
            (Some((status, member)), Some(headline)) if !member.is_empty() && !member.starts_with('[') => {
                let member = member.trim_matches(['*', '_', ' ']);
                all.push(Found {
                    status: Some(status.to_owned()),
                    name: Some(headline.name.clone()),
                    severity: headline.severity.clone(),
                    summary: headline.summary.clone(),
                    key: Some(format!("{}/{member}", headline.name)),
                    labels: [("instance".to_owned(), member.to_owned())].into(),
                    ..Found::default()
                });
            }
            _ => over = headline(line).or(over.filter(|_| !line.is_empty())),
        }
    }
    all
}

struct Headline {
    name: String,
    severity: Option<String>,
    summary: Option<String>,
}

fn headline(line: &str) -> Option<Headline> {
    let plain: String = plain::title(line).chars().filter(|c| !matches!(c, '*' | '_')).collect();
    let (mut rest, mut severity, mut states) = (plain.trim(), None, 0);
    while let Some((inner, behind)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
        let (word, counted) = match inner.split_once([':', '-']) {
            Some((word, count)) => (word.trim(), count.trim().parse::<u32>().is_ok()),
            None => (inner.trim(), false),
        };
        let severe = AlertSeverity::from_word(word).is_some();
        let state = matches!(word.to_ascii_uppercase().as_str(), "FIRING" | "RESOLVED");
        states += usize::from(state || severe && counted);
        if severe && severity.is_none() {
            severity = Some(word.to_owned());
        }
        rest = behind.trim_start();
    }
    let (name, summary) = match rest.split_once(" - ") {
        Some((name, summary)) => (name.trim(), Some(summary.trim().to_owned())),
        None => (rest.trim(), None),
    };
    (states > 0 && !name.is_empty()).then(|| Headline { name: name.to_owned(), severity, summary })
}

/// The mail of Nagios and Icinga: `Notification Type: PROBLEM` and the lines after it.
fn nagios(lines: &[Cow<'_, str>]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let mut info = false;
    for line in lines {
        let line = line.trim();
        if let Some(state) = behind(line, "Notification Type") {
            all.push(Found { status: Some(state.to_owned()), ..Found::default() });
            info = false;
            continue;
        }
        let Some(found) = all.last_mut() else { continue };
        if std::mem::take(&mut info) {
            found.summary = Some(line.to_owned());
        } else if let Some(service) = behind(line, "Service") {
            found.name.get_or_insert_with(|| service.to_owned());
        } else if let Some(host) = behind(line, "Host") {
            found.labels.entry("host".to_owned()).or_insert_with(|| host.to_owned());
        } else if let Some(state) = behind(line, "State") {
            found.severity.get_or_insert_with(|| state.to_owned());
        } else if let Some(told) = behind(line, "Additional Info").or_else(|| behind(line, "Info")) {
            info = told.is_empty();
            found.summary = Some(told.to_owned());
        }
    }
    all.retain(|found| found.labels.get("host").is_some_and(|host| !host.is_empty()));
    all
}

/// Zabbix' default message: `Problem started at …` or `Problem has been resolved at …`, and the lines after it.
fn zabbix(lines: &[Cow<'_, str>]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for line in lines {
        let line = line.trim();
        let state = if line.starts_with("Problem started at ") {
            Some("PROBLEM")
        } else if line.starts_with("Problem has been resolved ") {
            Some("RESOLVED")
        } else {
            None
        };
        if let Some(state) = state {
            all.push(Found { status: Some(state.to_owned()), ..Found::default() });
            continue;
        }
        let Some(found) = all.last_mut() else { continue };
        if let Some(name) = behind(line, "Problem name") {
            found.name.get_or_insert_with(|| name.to_owned());
        } else if let Some(host) = behind(line, "Host") {
            found.labels.entry("host".to_owned()).or_insert_with(|| host.to_owned());
        } else if let Some(severity) = behind(line, "Severity") {
            found.severity.get_or_insert_with(|| severity.to_owned());
        } else if let Some(data) = behind(line, "Operational data") {
            found.summary = Some(data.to_owned());
        }
    }
    all.retain(|found| found.name.is_some() && found.labels.get("host").is_some_and(|host| !host.is_empty()));
    all
}
