//! What stands in the calendar, and the calendar as an iCalendar feed (RFC 5545).

use super::ChangeState;
use super::content::Window;
use crate::domain::id::ServiceId;
use crate::domain::org::Org;
use crate::domain::state::State;
use crate::domain::time::{LATEST, Span, Timestamp};

/// One thing in the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is, the same at each reading.
    pub id: String,
    /// From when until when.
    pub window: Window,
    /// What it is, in words.
    pub title: String,
    /// More words.
    pub about: String,
    /// Which services; empty: all.
    pub services: Vec<ServiceId>,
}

/// Entries of one reading.
const ENTRIES_MAX: usize = 5_000;

/// What stands in the calendar within a window: planned and running changes, freezes by word and by configuration,
/// windows for changes.
pub fn entries(state: &State, org: &Org, within: Window) -> Vec<Entry> {
    let mut found = Vec::new();
    for change in state.changes.values().filter(|it| it.state < ChangeState::Review) {
        let started = change.started.as_ref().map(|started| Window {
            from: started.at,
            until: change
                .window()
                .map_or(started.at.after(org.changes.length), |planned| planned.until.max(started.at)),
        });
        if let Some(window) = started.or(change.window()).filter(|it| it.meets(&within)) {
            let content = &change.content;
            let by = content.implementer.as_ref().map(|person| format!(", by {person}")).unwrap_or_default();
            let title = format!("{} ({}{by})", change.headline(), change.state);
            let about = format!("{} change, risk {}", content.class, content.risk);
            let services = vec![content.service.clone()];
            found.push(Entry { id: change.id.to_string(), window, title, about, services });
        }
    }
    for freeze in state.freezes.values() {
        let window = Window { from: freeze.started_at, until: freeze.ends.unwrap_or(LATEST) };
        if window.meets(&within) {
            let title = format!("{} frozen: {}", freeze.what(), freeze.name());
            let services = freeze.service.iter().cloned().collect();
            let about = format!("by {}", freeze.by);
            found.push(Entry { id: freeze.id.to_string(), window, title, about, services });
        }
    }
    let periods = org.changes.freezes.iter().map(|it| ("freeze", it));
    let periods = periods.chain(org.changes.windows.iter().map(|it| ("window", it)));
    for (kind, period) in periods {
        for window in period.within(&within) {
            let title = match kind {
                "freeze" => format!("freeze {}", period.name()),
                _ => format!("window for changes {}", period.name()),
            };
            let id = format!("{kind}-{}-{}", period.id, window.from.unix_secs());
            found.push(Entry { id, window, title, about: String::new(), services: period.services.clone() });
        }
    }
    found.sort_by(|one, two| (one.window, &one.id).cmp(&(two.window, &two.id)));
    found.truncate(ENTRIES_MAX);
    found
}

/// The calendar from a week ago to 90 days ahead, as `text/calendar`.
pub fn calendar(state: &State, org: &Org, now: Timestamp) -> String {
    let within = Window { from: Timestamp(now.0 - Span::days(7).0), until: now.after(Span::days(90)) };
    let mut text = String::new();
    line(&mut text, "BEGIN:VCALENDAR");
    line(&mut text, "VERSION:2.0");
    line(&mut text, "PRODID:-//Opsbell//changes//EN");
    line(&mut text, "X-WR-CALNAME:Changes");
    for entry in entries(state, org, within) {
        line(&mut text, "BEGIN:VEVENT");
        line(&mut text, &format!("UID:{}@{}.opsbell", escape(&entry.id), state.meta.install));
        line(&mut text, &format!("DTSTAMP:{}", stamp(now)));
        line(&mut text, &format!("DTSTART:{}", stamp(entry.window.from)));
        line(&mut text, &format!("DTEND:{}", stamp(entry.window.until)));
        line(&mut text, &format!("SUMMARY:{}", escape(&entry.title)));
        if !entry.about.is_empty() {
            line(&mut text, &format!("DESCRIPTION:{}", escape(&entry.about)));
        }
        line(&mut text, "END:VEVENT");
    }
    line(&mut text, "END:VCALENDAR");
    text
}

fn stamp(at: Timestamp) -> String {
    at.utc().format("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as a value: what means something to a reader is escaped, control characters are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// One content line, folded at 75 bytes and never within a character.
fn line(text: &mut String, content: &str) {
    const LONGEST: usize = 75;
    let mut length = 0;
    for c in content.chars() {
        if length + c.len_utf8() > LONGEST {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(c);
        length += c.len_utf8();
    }
    text.push_str("\r\n");
}
