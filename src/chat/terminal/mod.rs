//! The terminal as a chat: one screen on which everybody's messages appear, and one person who types. What is written
//! looks as `render` says, in the zone of whoever sits there.
//!
//! `screen` writes, `session` reads lines and answers them, `edit` is the line editor with completion and history.

mod edit;
mod partner;
pub mod render;
mod screen;
mod session;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::catalog::process_env;
use crate::chat::{Capabilities, Chat, Ended};
use crate::domain::command::spec::CommandSpec;
use crate::domain::delivery::{Grant, Outcome};
use crate::domain::desk::{Desk, Sender, Sending};
use crate::domain::id::PersonId;
use crate::domain::org::Org;
use crate::domain::reject::Reject;
use crate::domain::time::Span;

pub use partner::{Partner, Told};
pub use render::Paint;
pub use screen::NotTaken;
use screen::Screen;
pub use session::Desked;

/// What a terminal can do.
pub const CAPABILITIES: Capabilities = Capabilities {
    chat: "terminal",
    edits: false,
    threads: false,
    mentions: false,
    ephemeral: false,
    buttons: false,
    message_max: None,
};

/// A message that is not on the screen after this time may never be (somebody pressed Ctrl-S); another way is tried.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Words of the house beside those of the organisation: the demo's `/demo …`.
pub trait OwnWords: Send + Sync {
    /// The commands, for completion.
    fn commands(&self) -> &[CommandSpec];

    /// Answers a line that begins with a word of its own; `None`: it does not.
    fn said(&self, terminal: &Terminal, line: &str) -> Option<Result<String, Reject>>;

    /// Called after each line: what it caused can be waited for, so that it stands above the next line.
    fn settle(&self) {}

    /// Another hint for a line that is no command.
    fn hint(&self, _line: &str) -> Option<String> {
        None
    }
}

/// No words of its own.
impl OwnWords for () {
    fn commands(&self) -> &[CommandSpec] {
        &[]
    }

    fn said(&self, _: &Terminal, _: &str) -> Option<Result<String, Reject>> {
        None
    }
}

/// Where lines come from.
pub enum Lines {
    /// The line editor, with its history in this file.
    Editor {
        /// Where lines of earlier sessions are kept, if anywhere.
        history: Option<PathBuf>,
    },
    /// Lines as they come; each is shown before its answer.
    Plain(Box<dyn BufRead + Send>),
}

/// A terminal.
pub struct Terminal {
    screen: Screen,
    paint: Paint,
    who: RwLock<PersonId>,
    lines: Mutex<Option<Lines>>,
    own: Box<dyn OwnWords>,
    stop: Arc<AtomicBool>,
}

impl Terminal {
    /// A terminal that writes here; `who` sits at it.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new(
        out: Box<dyn Write + Send>,
        paint: Paint,
        lines: Lines,
        who: PersonId,
        own: Box<dyn OwnWords>,
    ) -> io::Result<Self> {
        Ok(Self {
            screen: Screen::new(out)?,
            paint,
            who: RwLock::new(who),
            lines: Mutex::new(Some(lines)),
            own,
            stop: Arc::default(),
        })
    }

    /// The terminal of this process: with the line editor where input and output are one, else plain lines.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn of_process(who: PersonId, history: Option<PathBuf>, own: Box<dyn OwnWords>) -> io::Result<Self> {
        let paint = Paint::for_output(io::stdout().is_terminal(), &process_env);
        let lines = if interactive() {
            Lines::Editor { history }
        } else {
            Lines::Plain(Box::new(io::BufReader::new(io::stdin())))
        };
        Self::new(Box::new(io::stdout()), paint, lines, who, own)
    }

    /// Who sits at it.
    pub fn who(&self) -> PersonId {
        self.who.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody else sits down.
    pub fn seat(&self, who: PersonId) {
        *self.who.write().unwrap_or_else(PoisonError::into_inner) = who;
    }

    /// Writes a text of the house, and waits until it is written. What is in it from outside is made inert.
    ///
    /// # Errors
    /// The output is closed.
    pub fn print(&self, text: &str) -> io::Result<()> {
        self.screen.answer(render::inert(text))
    }

    /// Shows a message of somebody else's, when the screen is free for it. What is in it from outside has to be inert.
    ///
    /// # Errors
    /// It is not shown: too many wait, or the output is closed.
    pub fn show(&self, text: String) -> Result<(), NotTaken> {
        self.screen.put(text, Box::new(|_| ()))
    }

    /// Takes what is typed to somebody who answers, until the conversation ends. Blocks.
    ///
    /// # Errors
    /// The terminal cannot be read any more.
    pub fn converse_with(&self, partner: Arc<dyn Partner>) -> io::Result<Ended> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        match lines {
            Some(lines) => session::converse(self, &partner, lines),
            None => Ok(Ended::EndOfInput),
        }
    }

    /// Lets messages through before the answer to what was said: for words that wait for messages.
    pub fn let_through(&self) {
        self.screen.free();
    }

    /// Lets what is said now be answered, and ends the conversation. A plain read that waits for input ends only with
    /// the process.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Whether somebody types at this process and reads along.
pub fn interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Chat for Terminal {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn converse(&self, desk: Arc<dyn Desk>) -> io::Result<Ended> {
        self.converse_with(Arc::new(Desked(desk)))
    }
}

impl Sender for Terminal {
    fn send<'a>(&'a self, grant: &'a Grant, org: &'a Org) -> Sending<'a> {
        let text = render::grant(grant, org.zone(Some(&self.who())), self.paint);
        let (tell, told) = tokio::sync::oneshot::channel();
        let taken = self.screen.put(
            text,
            Box::new(move |written| {
                let _ = tell.send(written);
            }),
        );
        Box::pin(async move {
            match taken {
                Ok(()) => {}
                Err(NotTaken::Busy) => return retry("too many messages wait for the terminal", false),
                Err(NotTaken::Closed) => return gone(),
            }
            match tokio::time::timeout(TIMEOUT, told).await {
                Ok(Ok(true)) => Outcome::Accepted,
                Ok(_) => gone(),
                Err(_) => retry("the terminal has not shown it within 10 s", true),
            }
        })
    }
}

fn retry(reason: &str, unknown: bool) -> Outcome {
    Outcome::Retryable { reason: reason.to_owned(), after: Some(Span::secs(1)), unknown }
}

fn gone() -> Outcome {
    Outcome::Permanent { reason: "the terminal's output is closed".to_owned() }
}
