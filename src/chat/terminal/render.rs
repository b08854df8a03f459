//! How things read in a terminal. Pure: messages and replies in, text out. Nothing from outside can move the cursor,
//! colour the screen or turn the direction of writing: control characters and direction marks are taken out.

use chrono_tz::Tz;

use super::partner::Told;
use crate::domain::delivery::{Content, Destination, Grant, Method};
use crate::domain::incident::Severity;
use crate::domain::paging::look;
use crate::domain::reject::Reject;

/// The longest line of a reply, in bytes; what is longer is cut.
const LINE_MAX: usize = 4_000;

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// Escape sequences for colour are written.
    pub colour: bool,
}

impl Paint {
    /// Colour only on a terminal that knows it, and not where `NO_COLOR` is set to anything (<https://no-color.org>).
    pub fn for_output(is_terminal: bool, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let unwanted = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env("TERM").is_some_and(|term| term == "dumb");
        Self { colour: is_terminal && !unwanted && !dumb }
    }

    fn put(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn strong(self, text: &str) -> String {
        self.put("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.put("2", text)
    }

    fn wrong(self, text: &str) -> String {
        self.put("33", text)
    }

    fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Sev1 => self.put("1;31", text),
            Severity::Sev2 => self.put("1;33", text),
            Severity::Sev3 => self.put("1", text),
            Severity::Sev4 => self.put("2", text),
        }
    }
}

/// A page, a post or a notice, as it arrives: when and for whom in front, then its look in the reader's zone.
pub fn grant(grant: &Grant, zone: Tz, paint: Paint) -> String {
    let look = look::look(grant, zone);
    let time = look::times(&format!("<t:{}:t>", grant.owed_at.unix_secs()), zone, grant.owed_at);
    let head = format!("{} {}", paint.dim(&time), paint.strong(&addressed(grant)));
    if simulated(&grant.to) {
        // A text message or a phone call has no room for more.
        return format!("{head} {}", look.subject);
    }
    let first = match &grant.content {
        Content::Page(page) => paint.severity(page.severity, &look.first_line),
        Content::Notice { .. } => paint.wrong(&look.first_line),
        _ => look.first_line.clone(),
    };
    let mut text = format!("{head} {first}");
    for line in &look.lines {
        text.push_str("\n      ");
        text.push_str(&if page(grant) { paint.dim(line) } else { line.clone() });
    }
    text
}

fn page(grant: &Grant) -> bool {
    matches!(grant.content, Content::Page(_))
}

/// Whether the terminal only shows what another channel would carry.
fn simulated(to: &Destination) -> bool {
    match to {
        Destination::Person { method, .. } => *method != Method::Chat,
        Destination::Channel(_) => false,
        Destination::Webhook(_) | Destination::Host(_) => true,
    }
}

/// `[page to bas]`, `#payments-ops`, `[sms to bas, simulated]`.
fn addressed(grant: &Grant) -> String {
    let what = match grant.content {
        Content::Page(_) => "page to",
        Content::Notice { .. } => "notice to",
        _ => "to",
    };
    let name = match &grant.to {
        Destination::Person { person, method: Method::Chat } => format!("[{what} {person}]"),
        Destination::Person { person, method } => format!("[{method} to {person}, simulated]"),
        Destination::Channel(channel) => format!("#{}", channel.name),
        Destination::Webhook(id) => format!("[webhook {id}, simulated]"),
        Destination::Host(id) => format!("[code host {id}, simulated]"),
    };
    look::line(&name, 100).into_owned()
}

/// An answer.
pub fn told(told: &Told, paint: Paint) -> String {
    let text = inert(&told.text);
    if told.ok { text } else { paint.wrong(&text) }
}

/// A refusal: what is wrong, and below it the next step.
pub fn refusal(reject: &Reject, paint: Paint) -> String {
    let mut text = format!("{} {}", paint.wrong("✗"), indented(&reject.message));
    if let Some(hint) = &reject.hint {
        text.push_str("\n  ");
        text.push_str(&indented(hint));
    }
    text
}

/// Text as inert lines, those after the first below the first.
fn indented(text: &str) -> String {
    inert(text).replace('\n', "\n  ")
}

/// Text without anything that a terminal obeys; line breaks stay.
pub fn inert(text: &str) -> String {
    text.lines().map(|line| look::line(line, LINE_MAX)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
