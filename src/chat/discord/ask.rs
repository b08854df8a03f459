//! Asking the desk from tasks: what is asked is in the engine's queue when these functions return, so that things said
//! one after the other are decided in that order; only the answers are waited for.

use tokio::sync::oneshot;

use super::Discord;
use crate::domain::desk::View;
use crate::domain::input::{Answer, Input, Unavailable};

/// An answer to come.
pub struct Coming<T>(oneshot::Receiver<Result<T, Unavailable>>);

impl<T> Coming<T> {
    /// Waits for it.
    pub async fn get(self) -> Result<T, Unavailable> {
        self.0.await.unwrap_or(Err(Unavailable::ShuttingDown))
    }
}

impl Discord {
    /// Gives one input.
    pub(super) fn submit(&self, input: Input) -> Coming<Answer> {
        let (tell, told) = oneshot::channel();
        if let Some(desk) = self.desk.get() {
            desk.submit(
                vec![input],
                Box::new(move |answers| {
                    let one = |mut answers: Vec<Answer>| answers.pop().ok_or(Unavailable::ShuttingDown);
                    let _ = tell.send(answers.and_then(one));
                }),
            );
        }
        Coming(told)
    }

    /// Gives several inputs in one submission; nobody waits for the answers.
    pub(super) fn submit_all(&self, inputs: Vec<Input>) {
        if let Some(desk) = self.desk.get().filter(|_| !inputs.is_empty()) {
            desk.submit(
                inputs,
                Box::new(|answers| match answers {
                    Ok(answers) => {
                        for refused in answers.into_iter().filter_map(|answer| answer.reply.err()) {
                            tracing::warn!(%refused, "an alert in Discord was refused");
                        }
                    }
                    Err(error) => tracing::error!(%error, "an alert in Discord was not taken"),
                }),
            );
        }
    }

    /// Looks at State.
    pub(super) fn look<T: Send + 'static>(&self, look: impl FnOnce(&View<'_>) -> T + Send + 'static) -> Coming<T> {
        let (tell, told) = oneshot::channel();
        if let Some(desk) = self.desk.get() {
            // Refused, the sender is dropped, and whoever waits hears it.
            let _ = desk.view(Box::new(move |view| {
                let seen = look(view);
                Box::new(move |released| {
                    let _ = tell.send(released.map(|()| seen));
                })
            }));
        }
        Coming(told)
    }
}
