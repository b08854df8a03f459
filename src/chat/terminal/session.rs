//! A conversation: lines in, answers out, one after the other. Words without a slash are alerts where a `[[text-alert]]`
//! says so; else they are not sent anywhere, and answered with what was probably meant.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono_tz::Tz;

use super::edit::Editor;
use super::partner::{Partner, Told};
use super::{Lines, Terminal, render};
use crate::chat::Ended;
use crate::domain::actor::{Actor, By};
use crate::domain::alert::text;
use crate::domain::command::complete::Completion;
use crate::domain::command::grammar;
use crate::domain::command::offer::Offered;
use crate::domain::command::spec::{CommandSpec, Lexicon};
use crate::domain::desk::{Desk, View};
use crate::domain::id::PersonId;
use crate::domain::input::{Answer, Input, InputKind, Place, Reply, Unavailable};
use crate::domain::paging::look;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// After this time a person is told that the engine does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked at a key is answered within this time, or is no help.
const KEY_PATIENCE: Duration = Duration::from_millis(500);

/// Of a line that is longer, only the beginning is read; the words' own limit is far below.
const LINE_MAX: usize = 64 * 1024;

/// A desk, asked by a thread that may wait.
#[derive(Clone)]
pub struct Desked(pub Arc<dyn Desk>);

impl Desked {
    /// Looks at State and waits for what it may tell.
    ///
    /// # Errors
    /// The engine is too busy, ending, or does not answer within `patience`.
    pub fn look<T: Send + 'static>(
        &self,
        patience: Duration,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (tell, told) = crossbeam_channel::bounded(1);
        self.0.view(Box::new(move |view| {
            let seen = look(view);
            Box::new(move |released| {
                let _ = tell.send(released.map(|()| seen));
            })
        }))?;
        told.recv_timeout(patience).unwrap_or(Err(Unavailable::Busy))
    }

    /// Gives inputs that belong together and waits for their answers; `None`: none came in time.
    ///
    /// # Errors
    /// Nothing happened.
    pub fn ask_all(&self, inputs: Vec<Input>) -> Result<Option<Vec<Answer>>, Unavailable> {
        let (tell, told) = crossbeam_channel::bounded(1);
        self.0.submit(
            inputs,
            Box::new(move |answers| {
                let _ = tell.send(answers);
            }),
        );
        match told.recv_timeout(PATIENCE) {
            Ok(answers) => answers.map(Some),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Ok(None),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Err(Unavailable::ShuttingDown),
        }
    }

    /// Gives one input and waits for its answer; `None`: none came in time, and it may still take effect.
    ///
    /// # Errors
    /// Nothing happened.
    pub fn ask(&self, input: Input) -> Result<Option<Answer>, Unavailable> {
        Ok(self.ask_all(vec![input])?.and_then(|mut answers| answers.pop()))
    }
}

/// What came from the keyboard.
pub(super) enum Typed {
    /// A line.
    Line(String),
    /// Nothing to answer: the line was cleared.
    Nothing,
    /// It is over.
    End(Ended),
}

/// Reads and answers until it is over; messages appear after that, too.
pub(super) fn converse(terminal: &Terminal, partner: &Arc<dyn Partner>, lines: Lines) -> io::Result<Ended> {
    let ended = talk(terminal, partner, lines);
    terminal.screen.free();
    ended
}

fn talk(terminal: &Terminal, partner: &Arc<dyn Partner>, lines: Lines) -> io::Result<Ended> {
    let mut source = match lines {
        Lines::Plain(lines) => Source::Plain(lines),
        Lines::Editor { history } => Source::Editor(Box::new(Editor::new(terminal, partner, history)?)),
    };
    loop {
        if terminal.stop.load(Ordering::Relaxed) {
            return Ok(Ended::Stopped);
        }
        let line = match source.next(terminal)? {
            Typed::Line(line) => line,
            Typed::Nothing => continue,
            Typed::End(ended) => return Ok(ended),
        };
        let line = line.trim();
        if line.is_empty() {
            terminal.screen.free();
            continue;
        }
        if matches!(line, "/quit" | "/exit") {
            return Ok(Ended::Quit);
        }
        let answer = answer(terminal, &**partner, line);
        let told = terminal.screen.answer(answer);
        terminal.screen.free();
        told?;
        terminal.own.settle();
    }
}

enum Source {
    Plain(Box<dyn BufRead + Send>),
    Editor(Box<Editor>),
}

impl Source {
    fn next(&mut self, terminal: &Terminal) -> io::Result<Typed> {
        match self {
            Self::Editor(editor) => editor.next(terminal),
            Self::Plain(lines) => {
                let Some(line) = read_line(lines)? else { return Ok(Typed::End(Ended::EndOfInput)) };
                if !line.trim().is_empty() {
                    // Nobody sees what comes through a pipe; with it the output reads as a conversation.
                    let shown: String = line.trim().chars().take(500).collect();
                    terminal.screen.hold();
                    terminal.print(&format!("{}> {shown}", terminal.who()))?;
                }
                Ok(Typed::Line(line))
            }
        }
    }
}

/// Reads a line, of an overlong one the beginning; `None` at the end. What is no UTF-8 is replaced.
fn read_line(lines: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut any = false;
    loop {
        let piece = match lines.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if piece.is_empty() {
            break;
        }
        any = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let text = &piece[..end.unwrap_or(piece.len())];
        line.extend_from_slice(&text[..text.len().min(LINE_MAX.saturating_sub(line.len()))]);
        let used = end.map_or(piece.len(), |end| end + 1);
        lines.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(any.then(|| String::from_utf8_lossy(&line).into_owned()))
}

/// What a line is answered with; messages wait meanwhile, unless the house's own words let them through.
fn answer(terminal: &Terminal, partner: &dyn Partner, line: &str) -> String {
    terminal.screen.hold();
    if let Some(said) = terminal.own.said(terminal, line) {
        return match said {
            Ok(text) => render::inert(&text),
            Err(reject) => render::refusal(&reject, terminal.paint),
        };
    }
    let hint = if line.starts_with('/') { None } else { terminal.own.hint(line) };
    let told = match hint {
        Some(hint) => Err(Reject::new(RejectCode::UnknownWord, "that is no command").hint(hint)),
        None => partner.answer(&terminal.who(), line),
    };
    match told {
        Ok(told) => render::told(&told, terminal.paint),
        Err(reject) => render::refusal(&reject, terminal.paint),
    }
}

impl Partner for Desked {
    fn answer(&self, who: &PersonId, line: &str) -> Result<Told, Reject> {
        let place = Place { chat: super::CAPABILITIES.chat.into(), ..Place::default() };
        let answer = if line.starts_with('/') {
            let by = By::new(Actor::Person(who.clone()), super::CAPABILITIES.chat);
            let kind = InputKind::Text { place, text: line.to_owned() };
            self.ask(Input { by, idempotency: None, kind, closed: Vec::new() })
                .map(|answer| answer.map(|answer| answer.reply))
        } else {
            alerts(self, who, &place, line).ok_or_else(|| no_command(self, line))?
        };
        match answer {
            Ok(Some(reply)) => {
                let reply = reply?;
                let (zone, now) = reader(self, who);
                Ok(Told { ok: reply.ok, text: look::times(&reply.text, zone, now) })
            }
            Ok(None) => {
                let reject = Reject::new(RejectCode::Conflict, "no answer yet; it may still take effect");
                Err(reject.hint("look how things are: /status"))
            }
            Err(why) => Err(Reject::new(RejectCode::Conflict, why.to_string())),
        }
    }

    fn complete(&self, who: &PersonId, text: &str, own: &[CommandSpec]) -> Vec<Completion> {
        let who = who.clone();
        let offered = self.look(KEY_PATIENCE, move |view| Offered::of(view, &who));
        offered.map(|offered| offered.complete(text, own)).unwrap_or_default()
    }

    fn lexicon(&self) -> Option<Lexicon> {
        self.look(KEY_PATIENCE, |view| Arc::clone(view.org)).ok().map(|org| org.lexicon.clone())
    }
}

/// What came of several inputs, or of one: `None` inside if no answer came in time.
type Heard = Result<Option<Result<Reply, Reject>>, Unavailable>;

/// What a line is answered with that a `[[text-alert]]` reads as alerts.
fn alerts(desk: &Desked, who: &PersonId, place: &Place, line: &str) -> Option<Heard> {
    let org = desk.look(PATIENCE, |view| Arc::clone(view.org)).ok()?;
    let inputs = text::hear(&org, &text::Heard { place, authors: &[who.as_str()], request: None, text: line });
    if inputs.is_empty() {
        return None;
    }
    let told = |answers: Vec<Answer>| text::told(answers.into_iter().map(|answer| answer.reply).collect());
    Some(desk.ask_all(inputs).map(|answers| answers.map(told)))
}

/// A hint for words without a slash.
fn no_command(desk: &Desked, line: &str) -> Reject {
    let org = desk.look(PATIENCE, |view| Arc::clone(view.org));
    let lexicon = org.map(|org| org.lexicon.clone()).unwrap_or_default();
    let plain = Reject::new(RejectCode::UnknownWord, "commands start with /").hint("`/help` lists what you can say");
    grammar::parse(line, &lexicon).err().unwrap_or(plain)
}

/// The reader's zone, and the engine's now.
fn reader(desk: &Desked, who: &PersonId) -> (Tz, Timestamp) {
    let who = who.clone();
    let seen = desk.look(PATIENCE, move |view| (view.org.zone(Some(&who)), view.now));
    seen.unwrap_or((Tz::UTC, Timestamp::default()))
}
