//! Talking to the engine: call-backs become futures, silence becomes 503. What is asked is the handlers' business.

use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::App;
use super::error::Failure;
use crate::domain::desk::{RecordList, RecordQuery, View};
use crate::domain::input::{Answer, Input, Unavailable};

/// Submits inputs; the answers, in order, once all are durable.
pub(crate) async fn submit(app: &App, inputs: Vec<Input>) -> Result<Vec<Answer>, Failure> {
    let (tell, told) = oneshot::channel();
    app.http.desk.submit(
        inputs,
        Box::new(move |answers| {
            // Nobody listens any more when the client has gone; the inputs are recorded all the same.
            let _ = tell.send(answers);
        }),
    );
    heard(told, app.http.limits.answer_timeout)
        .await
        .map_err(|failure| if failure.is_silence() { Failure::perhaps_recorded() } else { failure })
}

/// Submits one input and returns its answer.
pub(crate) async fn submit_one(app: &App, input: Input) -> Result<Answer, Failure> {
    submit(app, vec![input]).await?.pop().ok_or_else(Failure::perhaps_recorded)
}

/// Looks at State; the answer comes once everything that was seen is durable.
pub(crate) async fn look<T: Send + 'static>(
    app: &App,
    see: impl FnOnce(&View<'_>) -> T + Send + 'static,
) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    app.http.desk.view(Box::new(move |view| {
        let seen = see(view);
        Box::new(move |released| {
            let _ = tell.send(released.map(|()| seen));
        })
    }))?;
    heard(told, app.http.limits.answer_timeout).await
}

/// Looks at State without waiting for the disk: for who a token is, for health and for numbers, never for records.
/// `places` bounds how many such questions, which anybody may cause, stand in the engine's queue.
pub(crate) async fn peek<T: Send + 'static>(
    app: &App,
    places: &Semaphore,
    wait: Duration,
    see: impl FnOnce(&View<'_>) -> T + Send + 'static,
) -> Result<T, Failure> {
    let Ok(Ok(_place)) = timeout(wait, places.acquire()).await else { return Err(Failure::no_answer()) };
    let (tell, told) = oneshot::channel();
    app.http.desk.view(Box::new(move |view| {
        let _ = tell.send(Ok(see(view)));
        Box::new(|_| ())
    }))?;
    heard(told, wait).await
}

/// Lists records, open and closed.
pub(crate) async fn list(app: &App, query: RecordQuery) -> Result<RecordList, Failure> {
    let (tell, told) = oneshot::channel();
    app.http.desk.list(
        query,
        Box::new(move |records| {
            let _ = tell.send(records);
        }),
    );
    heard(told, app.http.limits.answer_timeout).await
}

async fn heard<T>(told: oneshot::Receiver<Result<T, Unavailable>>, wait: Duration) -> Result<T, Failure> {
    match timeout(wait, told).await {
        Ok(Ok(answer)) => Ok(answer?),
        // The engine is silent, or has dropped the question.
        Err(_) | Ok(Err(_)) => Err(Failure::no_answer()),
    }
}
