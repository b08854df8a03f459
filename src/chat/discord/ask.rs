//! Asking the desk from tasks: what is asked is in the engine's queue when these functions return, so that things said
//! one after the other are decided in that order; only the answers are waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Discord;
use crate::domain::desk::{Desk, View};
use crate::domain::input::{Answer, Input, Unavailable};

/// An answer to come.
pub struct Coming<T>(oneshot::Receiver<Result<T, Unavailable>>);

impl<T> Coming<T> {
    /// Waits for it.
    pub async fn get(self) -> Result<T, Unavailable> {
        self.0.await.unwrap_or(Err(Unavailable::ShuttingDown))
    }
}

/// Messages whose alerts may wait for the engine.
pub const ALERTS_MAX: usize = 1_000;

/// The longest wait between two attempts to give the same alerts.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Gives alerts to the engine, message by message, each until it is taken: Discord tells of a message once, so what the
/// engine cannot take now has to wait here. `wait` is the first pause; what was taken without our knowing counts once.
pub async fn give_alerts(desk: Arc<dyn Desk>, mut queue: mpsc::Receiver<Vec<Input>>, wait: Duration) {
    while let Some(inputs) = queue.recv().await {
        let mut pause = wait;
        loop {
            let (tell, told) = oneshot::channel();
            desk.submit(
                inputs.clone(),
                Box::new(move |answers| {
                    let _ = tell.send(answers);
                }),
            );
            match Coming(told).get().await {
                Ok(answers) => {
                    for refused in answers.into_iter().filter_map(|answer| answer.reply.err()) {
                        tracing::warn!(%refused, "an alert in Discord was refused");
                    }
                    break;
                }
                Err(Unavailable::ShuttingDown) => return,
                Err(error) => tracing::warn!(%error, "an alert in Discord waits for the engine"),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(WAIT_MAX);
        }
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

    /// Gives the alerts of one message, behind those of the messages before it.
    pub(super) fn submit_alerts(&self, inputs: Vec<Input>) {
        if inputs.is_empty() {
            return;
        }
        if let Some(alerts) = self.alerts.get()
            && let Err(error) = alerts.try_send(inputs)
        {
            tracing::error!(%error, "alerts of a message in Discord are lost: too many wait for the engine");
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::actor::By;
    use crate::domain::desk::{Answered, Listed, Look, RecordQuery};
    use crate::domain::input::{InputKind, Reply};

    /// An engine that cannot take what it is given so many times.
    struct Stubborn {
        refuses: Mutex<u32>,
        taken: Mutex<Vec<String>>,
    }

    impl Desk for Stubborn {
        fn submit(&self, inputs: Vec<Input>, done: Answered) {
            let mut refuses = self.refuses.lock().unwrap();
            if *refuses > 0 {
                *refuses -= 1;
                let why =
                    if refuses.is_multiple_of(2) { Unavailable::Busy } else { Unavailable::Journal("full".into()) };
                return done(Err(why));
            }
            let answers = inputs.iter().map(|_| Answer { seq: 1, reply: Ok(Reply::default()) }).collect();
            self.taken
                .lock()
                .unwrap()
                .extend(inputs.into_iter().filter_map(|input| Some(input.idempotency?.to_string())));
            done(Ok(answers));
        }

        fn view(&self, _: Look) -> Result<(), Unavailable> {
            Err(Unavailable::Busy)
        }

        fn list(&self, _: RecordQuery, done: Listed) {
            done(Err(Unavailable::Busy));
        }
    }

    #[tokio::test]
    async fn what_the_engine_cannot_take_now_is_given_again_in_order_and_none_is_lost() {
        let desk = Arc::new(Stubborn { refuses: Mutex::new(5), taken: Mutex::default() });
        let (alerts, queue) = mpsc::channel(ALERTS_MAX);
        for key in ["first", "second", "third"] {
            let kind = InputKind::TellOperators { text: key.to_owned() };
            let input = Input { by: By::timer("test"), idempotency: Some(key.into()), kind, closed: Vec::new() };
            alerts.try_send(vec![input]).unwrap();
        }
        drop(alerts);
        give_alerts(desk.clone(), queue, Duration::ZERO).await;
        assert_eq!(*desk.taken.lock().unwrap(), ["first", "second", "third"]);
    }
}
