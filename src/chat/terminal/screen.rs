//! The screen: one thread writes everything, so that a stopped terminal holds up nobody else, and so that messages
//! neither break the line being edited nor come between a command and its answer.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Messages that may wait for the screen.
const WAITING_MAX: usize = 1_024;

/// Told once whether the text was written.
pub type Ack = Box<dyn FnOnce(bool) + Send>;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Too much waits.
    Busy,
    /// Nobody can read it any more.
    Closed,
}

/// Who has the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// Messages are written as they come.
    Free,
    /// A command waits for its answer; messages wait behind it.
    Held,
    /// The line editor; it takes the messages itself, by `feed`.
    Editor,
}

struct State {
    floor: Floor,
    /// Answers, written before anything else.
    answers: VecDeque<(String, Ack)>,
    /// Messages, in the order in which they came.
    messages: VecDeque<(String, Ack)>,
    /// Given to the line editor, not yet written.
    fed: Vec<Ack>,
    writing: bool,
    closed: bool,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

/// The screen; cheap to clone.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

impl Screen {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new(out: Box<dyn Write + Send>) -> io::Result<Self> {
        let state = State {
            floor: Floor::Free,
            answers: VecDeque::new(),
            messages: VecDeque::new(),
            fed: Vec::new(),
            writing: false,
            closed: false,
        };
        let inner = Arc::new(Inner { state: Mutex::new(state), changed: Condvar::new() });
        let writer = Arc::clone(&inner);
        // It ends with the process, or when nobody can read any more.
        std::thread::Builder::new().name("screen".into()).spawn(move || writer.write_all(out))?;
        Ok(Self(inner))
    }

    /// Puts a message into the queue; `ack` is called when it was written.
    ///
    /// # Errors
    /// It is not taken, and `ack` is not called.
    pub fn put(&self, text: String, ack: Ack) -> Result<(), NotTaken> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(NotTaken::Closed);
        }
        if state.messages.len() >= WAITING_MAX {
            return Err(NotTaken::Busy);
        }
        state.messages.push_back((text, ack));
        self.0.changed.notify_all();
        Ok(())
    }

    /// Writes an answer before all messages that wait, and waits until it is written.
    ///
    /// # Errors
    /// The output is closed.
    pub fn answer(&self, text: String) -> io::Result<()> {
        let (tell, told) = crossbeam_channel::bounded(1);
        {
            let mut state = self.0.lock();
            if state.closed {
                return Err(closed());
            }
            let ack: Ack = Box::new(move |written| {
                let _ = tell.send(written);
            });
            match state.floor {
                Floor::Editor => state.messages.push_back((text, ack)),
                Floor::Free | Floor::Held => state.answers.push_back((text, ack)),
            }
            self.0.changed.notify_all();
        }
        if told.recv().unwrap_or(false) { Ok(()) } else { Err(closed()) }
    }

    /// Lets messages wait until `free`.
    pub fn hold(&self) {
        self.0.lock().floor = Floor::Held;
    }

    /// Lets messages through.
    pub fn free(&self) {
        self.0.lock().floor = Floor::Free;
        self.0.changed.notify_all();
    }

    /// Gives the screen to the line editor, as soon as nothing is being written.
    pub fn lend(&self) {
        let mut state = self.0.lock();
        while (state.writing || !state.answers.is_empty()) && !state.closed {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.floor = Floor::Editor;
    }

    /// Called by the line editor, each time before it writes what it was given: what it was given last time is
    /// written by now.
    pub fn feed(&self, editor: &SyncSender<String>) {
        let written = {
            let mut state = self.0.lock();
            let written = std::mem::take(&mut state.fed);
            while let Some((text, ack)) = state.messages.pop_front() {
                match editor.try_send(text) {
                    Ok(()) => state.fed.push(ack),
                    Err(TrySendError::Full(text) | TrySendError::Disconnected(text)) => {
                        state.messages.push_front((text, ack));
                        break;
                    }
                }
            }
            written
        };
        written.into_iter().for_each(|ack| ack(true));
    }

    /// Takes the screen back from the line editor; messages wait until `free`. `written`: it wrote what it was given.
    pub fn take_back(&self, written: bool) {
        let fed = {
            let mut state = self.0.lock();
            state.floor = Floor::Held;
            std::mem::take(&mut state.fed)
        };
        fed.into_iter().for_each(|ack| ack(written));
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the terminal's output is closed")
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut out: Box<dyn Write + Send>) {
        loop {
            let (text, ack) = self.next();
            let written = writeln!(out, "{text}").and_then(|()| out.flush()).is_ok();
            let lost = {
                let mut state = self.lock();
                state.writing = false;
                let mut lost = Vec::new();
                if !written {
                    state.closed = true;
                    lost.extend(state.answers.drain(..).map(|(_, ack)| ack));
                    lost.extend(state.messages.drain(..).map(|(_, ack)| ack));
                }
                self.changed.notify_all();
                lost
            };
            ack(written);
            if !written {
                lost.into_iter().for_each(|ack| ack(false));
                return;
            }
        }
    }

    /// Waits for what is to be written next.
    fn next(&self) -> (String, Ack) {
        let mut state = self.lock();
        loop {
            let next = match state.floor {
                Floor::Editor => None,
                Floor::Held => state.answers.pop_front(),
                Floor::Free => state.answers.pop_front().or_else(|| state.messages.pop_front()),
            };
            if let Some(next) = next {
                state.writing = true;
                return next;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
