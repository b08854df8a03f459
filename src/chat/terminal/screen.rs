//! The screen: one thread writes everything, so that a stopped terminal holds up nobody else, and so that messages
//! neither break the line being edited nor come between a command and its answer.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Messages that may wait for the screen.
const WAITING_MAX: usize = 1_024;

/// Erases from the cursor to the end of the screen (ECMA-48 ED).
const CLEAR_BELOW: &str = "\u{1b}[J";

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
    /// Given to the line editor, perhaps not yet written.
    fed: Vec<(String, Ack)>,
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
                // What the editor has drawn below (its menu) goes first, or would show behind lines that wrap.
                if editor.try_send(format!("{CLEAR_BELOW}{text}")).is_err() {
                    state.messages.push_front((text, ack));
                    break;
                }
                state.fed.push((text, ack));
            }
            written
        };
        written.into_iter().for_each(|(_, ack)| ack(true));
    }

    /// Takes the screen back from the line editor; messages wait until `free`. Unless it has `written` what it was given,
    /// that waits again.
    pub fn take_back(&self, written: bool) {
        let fed = {
            let mut state = self.0.lock();
            state.floor = Floor::Held;
            let fed = std::mem::take(&mut state.fed);
            if !written {
                fed.into_iter().rev().for_each(|message| state.messages.push_front(message));
                return;
            }
            fed
        };
        fed.into_iter().for_each(|(_, ack)| ack(true));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    fn noted(name: &'static str, acks: &crossbeam_channel::Sender<(&'static str, bool)>) -> (String, Ack) {
        let acks = acks.clone();
        let ack: Ack = Box::new(move |written| {
            let _ = acks.send((name, written));
        });
        (name.to_owned(), ack)
    }

    #[test]
    fn what_the_editor_was_given_is_acknowledged_once_it_was_written_and_else_waits_again() {
        let screen = Screen::new(Box::new(io::sink())).expect("a thread");
        let (acks, acked) = crossbeam_channel::unbounded();
        let (editor, given) = sync_channel(2);
        screen.lend();
        for name in ["one", "two", "three"] {
            let (text, ack) = noted(name, &acks);
            screen.put(text, ack).expect("room");
        }
        // The editor has room for two, and says nothing before it comes again.
        screen.feed(&editor);
        assert_eq!(acked.try_iter().count(), 0);
        assert_eq!(given.try_iter().collect::<Vec<_>>(), ["\u{1b}[Jone", "\u{1b}[Jtwo"]);
        screen.feed(&editor);
        assert_eq!(acked.try_iter().collect::<Vec<_>>(), [("one", true), ("two", true)]);
        // It is stopped with the third: the screen writes it itself, as soon as it may.
        screen.take_back(false);
        assert_eq!(acked.try_iter().count(), 0);
        screen.answer("an answer goes first".to_owned()).expect("written");
        assert_eq!(acked.try_iter().count(), 0);
        screen.free();
        assert_eq!(acked.recv().expect("told"), ("three", true));
    }

    #[test]
    fn more_than_can_wait_is_not_taken() {
        let screen = Screen::new(Box::new(io::sink())).expect("a thread");
        let (acks, _acked) = crossbeam_channel::unbounded();
        screen.hold();
        for _ in 0..WAITING_MAX {
            let (text, ack) = noted("waits", &acks);
            screen.put(text, ack).expect("room");
        }
        let (text, ack) = noted("one too many", &acks);
        assert_eq!(screen.put(text, ack), Err(NotTaken::Busy));
    }
}
