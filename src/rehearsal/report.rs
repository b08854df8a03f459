//! How a rehearsal reads: the outcome of a story, and the transcript that explains a failure. Only texts; who prints
//! them, and with which exit status, is the caller's question.

use std::fmt;
use std::fmt::Write as _;

use chrono_tz::Tz;

use super::story::Line;
use super::times::clock;
use super::world::{Happening, What, World};
use crate::domain::delivery::{Content, Destination};
use crate::domain::paging::look;

/// How a story went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The story's name in messages.
    pub file: String,
    /// Statements that were run.
    pub statements: usize,
    /// Expectations that held.
    pub held: usize,
    /// Pages that were sent to people and webhooks.
    pub pages: usize,
    /// The first expectation that did not hold; the story stops there.
    pub failure: Option<Failure>,
    /// Each statement that was run, and what followed from it.
    pub transcript: String,
}

impl Outcome {
    /// Whether every expectation held.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

impl fmt::Display for Outcome {
    /// `FILE: 7 expectations held, 3 pages sent`, or the failure with its transcript.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        match &self.failure {
            Some(failure) => write!(f, "{failure}\n{}", self.transcript),
            None => {
                write!(f, "{}: {} held, {} sent", self.file, many(self.held, "expectation"), many(self.pages, "page"))
            }
        }
    }
}

/// Something that was expected and did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The story's name in messages.
    pub file: String,
    /// The line of the expectation.
    pub line: usize,
    /// What was expected, on one line.
    pub expected: String,
    /// What was there instead, on one line.
    pub got: String,
}

impl fmt::Display for Failure {
    /// `FILE:LINE: expected X; got Y`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: expected {}; got {}", self.file, self.line, self.expected, self.got)
    }
}

/// What has been run and what followed, as text.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    text: String,
    told: usize,
}

impl Transcript {
    /// Adds a statement before it is run.
    pub fn statement(&mut self, line: &Line) {
        let _ = writeln!(self.text, "{:>4}  {}", line.number, line.text);
    }

    /// Adds what has happened since the last call.
    pub fn follow(&mut self, world: &World, zone: Tz) {
        for happening in world.log().iter().skip(self.told) {
            let _ = writeln!(self.text, "        {}  {}", clock(happening.at, zone), told(happening, zone));
        }
        self.told = world.log().len();
    }

    /// The whole.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// One happening, further lines indented.
fn told(happening: &Happening, zone: Tz) -> String {
    let text = match &happening.what {
        What::Sent { to, content, possible_repeat, .. } => {
            let repeat = if *possible_repeat { " (possible repeat)" } else { "" };
            match content {
                Content::Page(page) => {
                    let next = page.next.as_ref();
                    let next = next.map(|next| format!("; next {} <t:{}:t>", next.who, next.at.unix_secs()));
                    let known = page.known_error.as_ref().map(|known| format!("; known error {known}"));
                    let (next, known) = (next.unwrap_or_default(), known.unwrap_or_default());
                    let suspect =
                        page.suspect.as_ref().map(|one| format!("; changed lately: {one}")).unwrap_or_default();
                    format!("page {}{repeat}: {}{next}{known}{suspect}", shown(to), page.reason)
                }
                Content::Post { text }
                | Content::Room { text }
                | Content::Ask { text, .. }
                | Content::Question { text, .. }
                | Content::Progress { text, .. } => {
                    format!("post {}{repeat}: {text}", shown(to))
                }
                Content::Notice { text } => format!("notice {}{repeat}: {text}", shown(to)),
                Content::Answer(answer) => format!("answer {}{repeat}: {}", shown(to), answer.shown()),
            }
        }
        What::NotSent { to, reason, .. } => format!("not sent {}: {reason}", shown(to)),
        What::Replied { person, reply: Ok(reply) } => format!("reply {person}: {}", reply.text),
        What::Replied { person, reply: Err(reject) } => format!("refused {person}: {reject}"),
        What::Signalled(Ok(reply)) => format!("signal: {}", reply.text),
        What::Signalled(Err(reject)) => format!("signal refused: {reject}"),
        What::Noted(text) => text.clone(),
    };
    look::times(&text, zone, happening.at).trim_end().replace('\n', "\n                               ")
}

fn shown(to: &Destination) -> String {
    match to {
        Destination::Channel(channel) => format!("#{channel}"),
        other => other.to_string(),
    }
}
