//! The handle: the desk that faces talk to. It only puts messages into the engine's bounded queue; a full queue is
//! answered at once with "busy", so that nobody waits without knowing.

use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};

use super::bell::Bell;
use crate::domain::delivery::Outcome;
use crate::domain::desk::{Answered, Desk, Listed, Look, RecordQuery, View};
use crate::domain::id::{DeliveryId, RunId};
use crate::domain::input::{Input, Unavailable};
use crate::domain::org::Org;
use crate::domain::playbook::Performed;
use crate::domain::time::Span;

/// How many messages of faces may wait for the engine: a quarter of a second at full speed. Beyond it: 503, busy.
pub const QUEUE: usize = 4_096;

/// What faces ask of the engine.
pub enum Ask {
    /// Decide these.
    Submit(Vec<Input>, Answered),
    /// Show State.
    View(Look),
    /// List records.
    List(RecordQuery, Listed),
}

/// What the runtime itself tells the engine; goes before what faces ask.
pub enum Tell {
    /// The writer.
    Written(super::writer::Written),
    /// An attempt ended.
    Receipt(DeliveryId, Outcome),
    /// A step that a run owed to the outside has come back: of which run, which attempt.
    Performed(RunId, u16, Performed),
    /// Closed records were loaded for a submission; the last commit that was applied when that began.
    Loaded(Vec<Input>, Answered, u64),
    /// Another organisation is in force.
    Reload(Arc<Org>),
    /// Decide this; nobody waits for the answer.
    Input(Box<Input>),
    /// Move the virtual clock forward, moment by moment; called back when all that was due has happened.
    Skip(Span, Box<dyn FnOnce() + Send>),
    /// End after what is under way; called back at the end.
    Stop(Box<dyn FnOnce() + Send>),
}

/// The engine, as everybody else sees it.
#[derive(Clone)]
pub struct Handle {
    pub(super) asks: Sender<Ask>,
    pub(super) tells: Sender<Tell>,
    pub(super) bell: Arc<Bell>,
}

impl Handle {
    /// Tells the engine something; nothing happens when it has ended.
    pub fn tell(&self, tell: Tell) {
        let _ = self.tells.send(tell);
        self.bell.ring();
    }

    /// Looks at State and waits for what it may tell; for threads that may wait, never for the engine's own.
    ///
    /// # Errors
    /// The engine is too busy, ending, or what was seen could not be made durable.
    pub fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (tell, told) = crossbeam_channel::bounded(1);
        self.view(Box::new(move |view| {
            let seen = look(view);
            Box::new(move |released| {
                let _ = tell.send(released.map(|()| seen));
            })
        }))?;
        told.recv().unwrap_or(Err(Unavailable::ShuttingDown))
    }

    /// Submits one input and waits for its answer; for threads that may wait.
    ///
    /// # Errors
    /// Nothing happened.
    pub fn ask(&self, input: Input) -> Result<crate::domain::input::Answer, Unavailable> {
        let (tell, told) = crossbeam_channel::bounded(1);
        self.submit(
            vec![input],
            Box::new(move |answers| {
                let _ = tell.send(answers);
            }),
        );
        let mut answers = told.recv().unwrap_or(Err(Unavailable::ShuttingDown))?;
        answers.pop().ok_or(Unavailable::ShuttingDown)
    }

    fn put(&self, ask: Ask) -> Result<(), (Ask, Unavailable)> {
        self.asks.try_send(ask).map_err(|error| match error {
            TrySendError::Full(ask) => (ask, Unavailable::Busy),
            TrySendError::Disconnected(ask) => (ask, Unavailable::ShuttingDown),
        })?;
        self.bell.ring();
        Ok(())
    }
}

impl Desk for Handle {
    fn submit(&self, inputs: Vec<Input>, done: Answered) {
        if let Err((Ask::Submit(_, done), why)) = self.put(Ask::Submit(inputs, done)) {
            done(Err(why));
        }
    }

    fn get_ready(&self) {
        self.bell.ring_soon();
    }

    fn view(&self, look: Look) -> Result<(), Unavailable> {
        self.put(Ask::View(look)).map_err(|(_, why)| why)
    }

    fn list(&self, query: RecordQuery, done: Listed) {
        if let Err((Ask::List(_, done), why)) = self.put(Ask::List(query, done)) {
            done(Err(why));
        }
    }
}
