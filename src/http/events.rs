//! `GET /v1/events`: server-sent events (WHATWG HTML, "Server-sent events"), for as long as somebody listens. What is
//! told is `told`; where it comes from is `feed`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::auth::{Caller, caller};
use super::error::Failure;
use super::told::{self, Listener, Told};
use super::{App, ask, document, query, say};
use crate::domain::delivery::ChannelRef;

/// Pieces that may wait for the connection; beyond it the listener falls behind in the feed's ring, and is told so.
const WAITING: usize = 16;

/// Commits that a listener who comes back is told one by one; who was away longer reads the records.
const RESUME_MAX: u64 = 10_000;

/// Commits read at once for a listener who comes back.
const RESUME_READ: usize = 200;

/// A listener who takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(60);

/// What the query may say.
#[derive(Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Only what concerns this channel: `payments-ops`, `discord:payments-ops`.
    #[param(max_length = 100)]
    channel: Option<String>,
    /// As whom, with the administrator's token; without it nobody's pages and notices are told.
    #[param(rename = "as")]
    person: Option<String>,
}

impl Asked {
    fn parse(uri: &Uri) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in query::pairs(uri)? {
            match name.as_str() {
                "channel" => asked.channel = Some(say::channel(value)?).filter(|name| !name.is_empty()),
                "as" => asked.person = Some(value),
                _ => return Err(query::unknown(&name, ["channel", "as"])),
            }
        }
        Ok(asked)
    }
}

/// The commit after which a listener wants to go on.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    const NAME: HeaderName = HeaderName::from_static("last-event-id");
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|value| value.trim().parse().ok());
    seq.map(Some).ok_or_else(|| {
        Failure::bad("Last-Event-ID", "Last-Event-ID is the number of a commit").hint("leave it out to begin with now")
    })
}

/// Listens: what is posted and said, records that change, the listener's own pages.
///
/// Events: `hello` (who listens), `post`, `said`, `record`, `page` and `notice` (to the listener only), `lagged`
/// (something was left out). The `id` is the commit's number.
#[utoipa::path(
    get, path = "/v1/events", tag = "words", security(("person" = []), ("administrator" = [])),
    params(
        Asked,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last `id` seen: what came after it is told first"),
    ),
    responses(
        (status = 200, description = "Until either side ends it", body = String, content_type = "text/event-stream"),
        document::Listening,
    )
)]
pub(crate) async fn events(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let caller = caller(&app, &headers).await?;
    let asked = Asked::parse(&uri)?;
    let after = last_event_id(&headers)?;
    let person = match (caller, asked.person) {
        (Caller::Administrator, None) => None,
        (caller, named) => Some(say::speaker(&app, caller, named).await?),
    };
    let org = ask::look(&app, |view| Arc::clone(view.org)).await?;
    let place = Arc::clone(&app.listeners).try_acquire_owned().map_err(|_| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many listen already").retry_after(10)
    })?;
    let channel = asked.channel.map(|name| ChannelRef::parse(name.trim_start_matches('#')));
    let (to, pieces) = mpsc::channel(WAITING);
    // Before the durable commit is looked at: nothing falls between what is read and what is heard.
    let heard = app.http.feed.listen(&app);
    let durable = app.http.feed.watch();
    let stream = Stream { app, listener: Listener { person, channel, org }, headers, to, at: 0 };
    tokio::spawn(stream.run(heard, durable, after));

    let mut response = Response::new(Body::new(Pieces { pieces, _place: place }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would gather events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The body: pieces as they come, until the other end is dropped.
struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// It is over: the listener has gone, or the process ends.
struct Over;

struct Stream {
    app: Arc<App>,
    listener: Listener,
    /// With the token, which is looked at again from time to time.
    headers: HeaderMap,
    to: mpsc::Sender<Bytes>,
    /// The last commit that was told, or passed over.
    at: u64,
}

impl Stream {
    async fn run(
        mut self,
        heard: broadcast::Receiver<Arc<Told>>,
        mut durable: watch::Receiver<Option<u64>>,
        after: Option<u64>,
    ) {
        let (to, upto) = (self.to.clone(), *durable.borrow());
        tokio::select! {
            _ = self.tell(heard, upto, after) => {}
            () = to.closed() => {}
            _ = durable.wait_for(Option::is_none) => {}
        }
    }

    async fn tell(
        &mut self,
        mut heard: broadcast::Receiver<Arc<Told>>,
        durable: Option<u64>,
        after: Option<u64>,
    ) -> Result<(), Over> {
        let upto = durable.ok_or(Over)?;
        self.at = upto;
        let posts = self.listener.org.chat_connected;
        let hello = json!({"person": self.listener.person, "channel": self.listener.channel, "posts": posts});
        // A client that was never told a number could not come back to this place.
        let from = after.map_or(upto, |after| after.min(upto));
        self.write(format!("retry: 2000\n{}", event("hello", &hello, Some(from)))).await?;
        if let Some(after) = after {
            self.resume(after, upto).await?;
        }
        let mut beat = interval(self.app.http.limits.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        loop {
            tokio::select! {
                told = heard.recv() => match told {
                    Ok(told) => self.pass_on(&told).await?,
                    Err(RecvError::Lagged(_)) => self.lagged().await?,
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = beat.tick() => self.beat().await?,
            }
        }
    }

    /// What came after a commit that the listener has seen, up to what is heard anyway.
    async fn resume(&mut self, after: u64, upto: u64) -> Result<(), Over> {
        if after > upto || upto - after > RESUME_MAX {
            return self.lagged().await;
        }
        self.at = after;
        while self.at < upto {
            let limit = usize::try_from(upto - self.at).unwrap_or(RESUME_READ).min(RESUME_READ);
            match told::read(&self.app, self.at, limit).await {
                Ok(commits) if !commits.is_empty() => {
                    for told in commits {
                        self.pass_on(&told).await?;
                    }
                }
                Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(reason) => {
                    tracing::warn!(%reason, "a listener cannot be told what it has missed");
                    self.at = upto;
                    return self.lagged().await;
                }
            }
        }
        Ok(())
    }

    async fn pass_on(&mut self, told: &Told) -> Result<(), Over> {
        if told.gap {
            self.lagged().await?;
        }
        if told.seq != 0 && told.seq <= self.at {
            return Ok(());
        }
        self.at = self.at.max(told.seq);
        let events = told.to(&self.listener, &self.app);
        // Only the last one has the number: who is cut off in the middle of a commit is told all of it again.
        let last = events.len();
        let mut text = String::new();
        for (n, (kind, data)) in events.iter().enumerate() {
            text += &event(kind, data, (n + 1 == last && told.seq != 0).then_some(told.seq));
        }
        if text.is_empty() { Ok(()) } else { self.write(text).await }
    }

    async fn lagged(&mut self) -> Result<(), Over> {
        let told = "some events are left out; the records are at /v1/incidents";
        self.write(event("lagged", &json!({"after": self.at, "text": told}), None)).await
    }

    /// Keeps the connection, moves the number on, and looks whether the token is still in force.
    async fn beat(&mut self) -> Result<(), Over> {
        if let Err(failure) = caller(&self.app, &self.headers).await
            && failure.status == StatusCode::UNAUTHORIZED
        {
            return Err(Over);
        }
        if let Ok(org) = ask::look(&self.app, |view| Arc::clone(view.org)).await {
            self.listener.org = org;
        }
        // A block without data is no event; its number counts all the same.
        self.write(format!(": still here\nid: {}\n\n", self.at)).await
    }

    async fn write(&self, text: String) -> Result<(), Over> {
        match timeout(STUCK, self.to.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }
}

/// One event; JSON has no line breaks in it.
fn event(kind: &str, data: &Value, id: Option<u64>) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {kind}\n{id}data: {data}\n\n")
}
