//! How a page, a post or a notice reads as plain text, and how `<t:SECS:R>` times read in a zone. Pure. Faces with a
//! look of their own (buttons, embeds) build it from the `Grant`; addresses, encodings and sending are not here.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{Datelike, NaiveDateTime, Timelike};
use chrono_tz::Tz;

use crate::domain::delivery::{Content, Grant, PageContent};
use crate::domain::incident::Severity;
use crate::domain::time::Timestamp;

/// The longest subject, in characters.
pub const SUBJECT_MAX: usize = 120;
/// The longest title, reason or list of names within a line, in characters.
const PART_MAX: usize = 300;
/// The longest workaround, in characters: it is what helps, so it may be long.
const KNOWN_ERROR_MAX: usize = 800;
/// The longest name of a service within a line, in characters.
const SERVICE_MAX: usize = 60;
/// The longest text of a post or a notice, in characters.
const TEXT_MAX: usize = 10_000;

/// What marks a message that may have arrived before.
pub const POSSIBLE_REPEAT: &str = "[possible repeat]";
/// What marks a signal that named no known service.
pub const UNROUTED: &str = "[unrouted]";

/// A message as plain text. No line holds a control character or a mark that turns the direction of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// One line of at most `SUBJECT_MAX` characters, safe as a mail header.
    pub subject: String,
    /// What matters most: what broke, and who is next when.
    pub first_line: String,
    /// The lines below it; an empty one is a blank line.
    pub lines: Vec<String>,
}

impl Look {
    /// All lines, joined by `\n`, without a trailing one.
    pub fn text(&self) -> String {
        joined(&self.first_line, &self.lines)
    }
}

fn joined(first_line: &str, lines: &[String]) -> String {
    let below: usize = lines.iter().map(|line| line.len() + 1).sum();
    let mut text = String::with_capacity(first_line.len() + below);
    text.push_str(first_line);
    for line in lines {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// `look(grant, zone).text()`, without the work for a subject.
pub fn text(grant: &Grant, zone: Tz) -> String {
    match &grant.content {
        Content::Page(page) => {
            let (first_line, lines) = page_lines(grant, page, zone);
            joined(&first_line, &lines)
        }
        Content::Post { .. }
        | Content::Room { .. }
        | Content::Ask { .. }
        | Content::Question { .. }
        | Content::Progress { .. }
        | Content::Answer(_)
        | Content::Notice { .. } => look(grant, zone).text(),
    }
}

/// How a grant reads for somebody in `zone`. The same grant always reads the same: times are absolute, told in
/// relation to the day on which the delivery was owed.
pub fn look(grant: &Grant, zone: Tz) -> Look {
    match &grant.content {
        Content::Page(page) => {
            let (first_line, lines) = page_lines(grant, page, zone);
            Look { subject: page_subject(grant, page), first_line, lines }
        }
        Content::Post { text }
        | Content::Room { text }
        | Content::Ask { text, .. }
        | Content::Question { text, .. }
        | Content::Progress { text, .. } => text_look(grant, "", text, zone),
        Content::Notice { text } => text_look(grant, "Opsbell: ", text, zone),
        Content::Answer(answer) => text_look(grant, "", &answer.shown(), zone),
    }
}

fn page_subject(grant: &Grant, page: &PageContent) -> String {
    let marks = marks(grant, page.unrouted);
    let severity = page.severity.as_str().to_ascii_uppercase();
    let service = line(page.service.as_str(), SERVICE_MAX);
    let about = grant.incident.map(|incident| format!(" ({incident})")).unwrap_or_default();
    let head = format!("{marks}{severity} {service}: ");
    let room = SUBJECT_MAX.saturating_sub(head.chars().count() + about.chars().count());
    format!("{head}{}{about}", line(&page.title, room))
}

/// The first line of a page, and those below it.
fn page_lines(grant: &Grant, page: &PageContent, zone: Tz) -> (String, Vec<String>) {
    let marks = marks(grant, page.unrouted);
    let severity = page.severity.as_str().to_ascii_uppercase();
    let service = line(page.service.as_str(), SERVICE_MAX);
    let about = grant.incident.map(|incident| format!(" ({incident})")).unwrap_or_default();
    let title = line(&page.title, PART_MAX);
    let mut first_line = format!("{marks}{} {severity} {service}: {title}. Next: ", dot(page.severity));
    match &page.next {
        Some(next) => {
            // Writing into a String cannot fail.
            let _ = write!(first_line, "{} {}", line(&next.who, PART_MAX), moment(next.at, grant.owed_at, zone));
        }
        None => first_line.push_str("nobody"),
    }
    first_line.push_str(&about);

    let mut lines = Vec::with_capacity(6);
    lines.push(format!("Why: {}", line(&page.reason, PART_MAX)));
    if let Some(known) = &page.known_error {
        lines.push(format!("Known error {}", line(known, KNOWN_ERROR_MAX)));
    }
    if let Some(suspect) = &page.suspect {
        lines.push(format!("Changed lately: {}", line(suspect, KNOWN_ERROR_MAX)));
    }
    if let Some(incident) = grant.incident {
        lines.push(format!("/ack {incident}, or can't: /incident escalate {incident}"));
    }
    if page.unrouted {
        lines.push(format!("{UNROUTED} The signal named no known service, so it went to {service}."));
    }
    if grant.possible_repeat {
        lines.push(repeat_line(grant));
    }
    lines.push(format!("Delivery {}, times in {zone}", grant.id));
    (first_line, lines)
}

fn text_look(grant: &Grant, sender: &str, text: &str, zone: Tz) -> Look {
    let marks = marks(grant, false);
    let text = block(&render(text, zone, Relative::Absolute { near: grant.owed_at }), TEXT_MAX);
    let mut rest = text.lines();
    let first = rest.next().unwrap_or("(no text)");
    let about = match grant.incident.map(|incident| incident.to_string()) {
        Some(incident) if !mentions(first, &incident) => format!(" ({incident})"),
        _ => String::new(),
    };
    let head = format!("{marks}{sender}");
    let room = SUBJECT_MAX.saturating_sub(head.chars().count() + about.chars().count());
    let subject = format!("{head}{}{about}", line(first, room));
    let first_line = format!("{marks}{first}");
    let mut lines: Vec<String> = rest.map(str::to_owned).collect();
    if grant.possible_repeat {
        lines.push(repeat_line(grant));
    }
    Look { subject, first_line, lines }
}

/// Whether a text names exactly this incident (`INC-1` is not named by `INC-12`).
fn mentions(text: &str, incident: &str) -> bool {
    text.match_indices(incident).any(|(at, _)| !text[at + incident.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

fn marks(grant: &Grant, unrouted: bool) -> String {
    let mut marks = String::new();
    for mark in [grant.possible_repeat.then_some(POSSIBLE_REPEAT), unrouted.then_some(UNROUTED)].into_iter().flatten() {
        marks.push_str(mark);
        marks.push(' ');
    }
    marks
}

fn repeat_line(grant: &Grant) -> String {
    format!("Possible repeat: an earlier attempt of delivery {} may have arrived.", grant.id)
}

fn dot(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev1 => "🔴",
        Severity::Sev2 => "🟠",
        Severity::Sev3 => "🟡",
        Severity::Sev4 => "⚪",
    }
}

/// Text from outside as one inert line of at most `max` characters: control characters and direction marks are gone,
/// line breaks and tabs are spaces; cut text ends in `…`. Borrows when nothing has to change.
pub fn line(text: &str, max: usize) -> Cow<'_, str> {
    let clean = |c: char| keep(c) && c != '\n' && c != '\t';
    if text.len() <= max && text.chars().all(clean) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut space = true;
    for c in text.chars() {
        if is_break(c) || c == '\t' || c == ' ' {
            // Breaks next to spaces become one space, so that `a\r\n b` reads `a b`.
            if !space {
                out.push(' ');
            }
            space = true;
        } else if keep(c) {
            out.push(c);
            space = false;
        }
        // Enough to know that it has to be cut; a title of megabytes is not copied.
        if out.len() > max.saturating_mul(4) {
            break;
        }
    }
    out.truncate(out.trim_end().len());
    cut(&mut out, max);
    Cow::Owned(out)
}

/// Text from outside as inert lines, at most `max` characters in all.
fn block(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max.saturating_mul(4)));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        if is_break(c) {
            out.push('\n');
        } else if keep(c) {
            out.push(c);
        }
        if out.len() > max.saturating_mul(4) {
            break;
        }
    }
    out.truncate(out.trim_end().len());
    cut(&mut out, max);
    out
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character may stand in a message: neither a control character (tab excepted) nor a mark that turns the
/// direction of what follows it (Unicode bidi embeddings, overrides and isolates).
fn keep(c: char) -> bool {
    (c == '\t' || !c.is_control()) && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') && !is_break(c)
}

/// Cuts to `max` characters; what is cut ends in `…`.
fn cut(text: &mut String, max: usize) {
    if text.chars().count() <= max {
        return;
    }
    let end = text.char_indices().nth(max.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    text.truncate(end);
    if max > 0 {
        text.push('…');
    }
}

/// How a relative time (`R`) is told.
#[derive(Clone, Copy)]
enum Relative {
    /// `in 5 minutes`, seen from this instant.
    From(Timestamp),
    /// `03:05`, for texts that are read later; the day is added when it is another than this instant's.
    Absolute { near: Timestamp },
}

/// Renders Discord's timestamps (`<t:SECS>`, `<t:SECS:t|T|d|D|f|F|R>`) for faces that do not know them. `now` is for
/// `R` only. Anything that is not such a timestamp, or lies outside the years 1–9999, stays as it is.
/// The forms are those of Discord's reference, "Message formatting"; dates are written `2026-12-25`.
pub fn times(text: &str, zone: Tz, now: Timestamp) -> String {
    render(text, zone, Relative::From(now))
}

fn render(text: &str, zone: Tz, relative: Relative) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<t:") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match timestamp(rest, zone, relative) {
            Some((shown, length)) => {
                out.push_str(&shown);
                rest = &rest[length..];
            }
            None => {
                out.push_str("<t:");
                rest = &rest[3..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Reads a timestamp at the start of a text; what it shows, and how many bytes it takes.
fn timestamp(text: &str, zone: Tz, relative: Relative) -> Option<(String, usize)> {
    // `<t:` + 12 digits and a sign + `:R>`; a longer one is none, and is not searched for.
    let end = text.bytes().take(24).position(|b| b == b'>')?;
    let (digits, style) = match text[3..end].split_once(':') {
        Some((digits, style)) => (digits, style),
        None => (&text[3..end], "f"),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let secs: i64 = digits.parse().ok()?;
    let at = Timestamp(secs.checked_mul(1000)?);
    if at != clamped(at) {
        return None;
    }
    let wall = wall(at, zone);
    let shown = match (style, relative) {
        ("R", Relative::From(now)) => distance(at, now),
        ("R", Relative::Absolute { near }) => moment(at, near, zone),
        ("t", _) => wall.format("%H:%M").to_string(),
        ("T", _) => wall.format("%H:%M:%S").to_string(),
        ("d", _) => wall.format("%Y-%m-%d").to_string(),
        ("D", _) => wall.format("%-d %B %Y").to_string(),
        ("f", _) => wall.format("%-d %b %Y %H:%M").to_string(),
        ("F", _) => wall.format("%A, %-d %B %Y %H:%M").to_string(),
        _ => return None,
    };
    Some((shown, end + 1))
}

/// A time of day, with the date where it is another day than that of `near`: `03:05`, `26 Dec 00:05`, `1 Jan 2027 00:05`.
fn moment(at: Timestamp, near: Timestamp, zone: Tz) -> String {
    let (at, near) = (wall(at, zone), wall(near, zone));
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // By hand: every page has one, and chrono reads its own pattern each time.
    let (hour, minute, day, year) = (at.hour(), at.minute(), at.day(), at.year());
    let month = MONTHS[at.month0() as usize % 12];
    match () {
        () if at.date() == near.date() => format!("{hour:02}:{minute:02}"),
        () if year == near.year() => format!("{day} {month} {hour:02}:{minute:02}"),
        () => format!("{day} {month} {year:04} {hour:02}:{minute:02}"),
    }
}

/// `in 5 minutes`, `2 hours ago`, `now`: one unit, rounded to the nearest.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let ms = i128::from(at.0) - i128::from(now.0);
    let rounded = |unit_ms: u128| (ms.unsigned_abs() + unit_ms / 2) / unit_ms;
    const STEPS: [(&str, u128, u128); 5] = [
        ("second", 1000, 60),
        ("minute", 60_000, 60),
        ("hour", 3_600_000, 24),
        ("day", 86_400_000, 30),
        ("month", 2_629_800_000, 12),
    ];
    let (n, unit) = STEPS
        .iter()
        .map(|(unit, unit_ms, below)| (rounded(*unit_ms), *unit, *below))
        .find(|(n, _, below)| n < below)
        .map_or((rounded(31_557_600_000), "year"), |(n, unit, _)| (n, unit));
    let s = if n == 1 { "" } else { "s" };
    match (n, ms < 0) {
        (0, _) => "now".to_owned(),
        (_, true) => format!("{n} {unit}{s} ago"),
        (_, false) => format!("in {n} {unit}{s}"),
    }
}

/// The wall-clock time in a zone of any instant at all: those outside the years 1–9999 are moved to the edge, since
/// chrono panics beyond its own.
fn wall(at: Timestamp, zone: Tz) -> NaiveDateTime {
    clamped(at).local(zone)
}

fn clamped(at: Timestamp) -> Timestamp {
    // 0001-01-02 and 9999-12-30, a day inside so that no zone leaves the range.
    Timestamp(at.0.clamp(-62_135_510_400_000, 253_402_214_400_000))
}

#[cfg(test)]
mod tests;
