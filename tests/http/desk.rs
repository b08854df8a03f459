//! A scripted engine, and a house around it: what the tests ask and what they see.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Request, StatusCode};
use hyper::body::Frame;
use opsbell::domain::alert::text::TextRule;
use opsbell::domain::desk::{Answered, Desk, Listed, Look, RecordList, RecordQuery, View};
use opsbell::domain::id::{IntegrationId, PersonId, ServiceId};
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{Answer, Input, Reply, Unavailable};
use opsbell::domain::org::{Integration, Mapping, Org, Person, Role, Service};
use opsbell::domain::reject::Reject;
use opsbell::domain::signal::{Signal, SignalKind};
use opsbell::domain::state::{State, Token};
use opsbell::domain::time::Timestamp;
use opsbell::http::{Feed, Http, Keys, Limits, ReadError, ReadOutcome, Secret, router};
use serde_json::Value;
use tower::ServiceExt;

/// What the engine does with the next submission; with no word it answers `done` to every input.
pub enum Does {
    Refuses(Vec<Result<Reply, Reject>>),
    IsUnavailable(Unavailable),
    SaysNothing,
}

#[derive(Default)]
pub struct FakeDesk {
    pub state: Mutex<State>,
    pub org: Arc<Org>,
    pub submitted: Mutex<Vec<Vec<Input>>>,
    pub script: Mutex<VecDeque<Does>>,
    pub trouble: Mutex<Option<String>>,
    pub closed_door: Mutex<Option<Unavailable>>,
    pub silent: AtomicBool,
    pub looks: AtomicU64,
    pub durable: AtomicU64,
}

impl Desk for FakeDesk {
    fn submit(&self, inputs: Vec<Input>, done: Answered) {
        let n = inputs.len();
        self.submitted.lock().unwrap().push(inputs);
        let seq = |i: usize| 7 + i as u64;
        match self.script.lock().unwrap().pop_front() {
            None => {
                let reply = || Ok(Reply::done("done <t:0:R>").about("INC-1"));
                done(Ok((0..n).map(|i| Answer { seq: seq(i), reply: reply() }).collect()));
            }
            Some(Does::Refuses(replies)) => {
                let answer = |(i, reply)| Answer { seq: seq(i), reply };
                done(Ok(replies.into_iter().enumerate().map(answer).collect()));
            }
            Some(Does::IsUnavailable(why)) => done(Err(why)),
            // Kept for ever: neither called nor dropped.
            Some(Does::SaysNothing) => std::mem::forget(done),
        }
    }

    fn view(&self, look: Look) -> Result<(), Unavailable> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        if let Some(why) = &*self.closed_door.lock().unwrap() {
            return Err(why.clone());
        }
        if self.silent.load(Ordering::Relaxed) {
            std::mem::forget(look);
            return Ok(());
        }
        let (state, trouble) = (self.state.lock().unwrap(), self.trouble.lock().unwrap());
        let view = View {
            state: &state,
            org: &self.org,
            now: Timestamp(1_798_160_400_000),
            durable: (self.durable.load(Ordering::Relaxed), "00"),
            trouble: trouble.as_deref(),
        };
        look(&view)(Ok(()));
        Ok(())
    }

    fn list(&self, query: RecordQuery, done: Listed) {
        let state = self.state.lock().unwrap();
        let under = |below: Option<u64>, n: u64| below.is_none_or(|below| n < below);
        done(Ok(match query {
            RecordQuery::Incidents { below, limit } => {
                let found = state.incidents.values().rev().filter(|incident| under(below, incident.id.0));
                RecordList::Incidents(found.take(limit).map(|boxed| Incident::clone(boxed)).collect())
            }
            RecordQuery::Incident(id) => RecordList::Incidents(
                state.incidents.get(&id).map(|boxed| Incident::clone(boxed)).into_iter().collect(),
            ),
            RecordQuery::Alerts { below, limit } => {
                let found = state.alerts.values().rev().filter(|alert| under(below, alert.id.0));
                RecordList::Alerts(found.take(limit).map(|boxed| (**boxed).clone()).collect())
            }
            RecordQuery::Problems { below, limit } => {
                let found = state.problems.values().rev().filter(|problem| under(below, problem.id.0));
                RecordList::Problems(found.take(limit).map(|boxed| (**boxed).clone()).collect())
            }
            RecordQuery::Problem(id) => {
                RecordList::Problems(state.problems.get(&id).map(|boxed| (**boxed).clone()).into_iter().collect())
            }
            RecordQuery::Requests { below, limit } => {
                let found = state.requests.values().rev().filter(|request| under(below, request.id.0));
                RecordList::Requests(found.take(limit).map(|boxed| (**boxed).clone()).collect())
            }
            RecordQuery::Request(id) => {
                RecordList::Requests(state.requests.get(&id).map(|boxed| (**boxed).clone()).into_iter().collect())
            }
            RecordQuery::Changes { below, limit } => {
                let found = state.changes.values().rev().filter(|change| under(below, change.id.0));
                RecordList::Changes(found.take(limit).map(|boxed| (**boxed).clone()).collect())
            }
            RecordQuery::Change(id) => {
                RecordList::Changes(state.changes.get(&id).map(|boxed| (**boxed).clone()).into_iter().collect())
            }
            RecordQuery::Alert(id) => RecordList::Alerts(state.alert(id).cloned().into_iter().collect()),
        }));
    }
}

/// The administrator's token, a key of each integration, and the personal token of `bas`.
pub const ADMIN: &str = "Bearer admin-secret";
pub const PROMETHEUS: &str = "Bearer key-of-prometheus";
pub const BAS: &str = "Bearer obt_token-of-bas";

fn person(id: &str) -> (PersonId, Person) {
    let person = Person {
        id: id.into(),
        email: Some(format!("{id}@ej.example")),
        discord: Some("204255221017214977".into()),
        github: None,
        gitlab: None,
        gitlab_id: None,
        webhook: None,
        zone: chrono_tz::Europe::Amsterdam,
        role: Role::Stakeholder,
        left: false,
        notify_high: None,
        notify_low: None,
    };
    (id.into(), person)
}

fn integration(id: &str, source: &str) -> (IntegrationId, Integration) {
    let integration = Integration {
        id: id.into(),
        source: source.into(),
        service: None,
        group_by: Vec::new(),
        may_acknowledge: false,
        mapping: None,
        answers: None,
    };
    (id.into(), integration)
}

/// A `[[text-alert]]` with all built-in sets.
fn text_alert(id: &str) -> (IntegrationId, Integration) {
    let mapping = Mapping { text: Some(TextRule::builtin()), ..Mapping::default() };
    let (named, plain) = integration(id, "text");
    (named, Integration { mapping: Some(mapping), ..plain })
}

fn service(id: &str) -> (ServiceId, Service) {
    let runbook = Some("https://wiki.ej.example/x".into());
    (
        id.into(),
        Service {
            id: id.into(),
            team: "payments".into(),
            depends_on: vec!["ledger".into()],
            runbook,
            tier: 3,
            repositories: Vec::new(),
        },
    )
}

pub fn org() -> Org {
    Org {
        people: [person("bas"), person("cleo")].into(),
        services: [service("checkin"), service("ledger"), service("payments-api")].into(),
        integrations: [
            integration("old-pager", "pagerduty"),
            integration("prometheus", "alertmanager"),
            integration("scripts", "generic"),
            integration("wards", "opsgenie"),
            text_alert("room"),
        ]
        .into(),
        ..Org::default()
    }
}

pub struct House {
    pub desk: Arc<FakeDesk>,
    pub keys: Arc<Keys>,
    pub router: Router,
    pub feed: Arc<Feed>,
    /// Commits of the journal; without any there are twenty of no content.
    pub lines: Arc<Mutex<Vec<String>>>,
    pub starting: Arc<AtomicBool>,
    /// Milliseconds of the stopwatch.
    pub clock: Arc<AtomicU64>,
}

/// A parser for the tests: JSON with `signals`, a list of names; `reject` makes an entry of its own.
fn read(body: &[u8]) -> Result<ReadOutcome, ReadError> {
    let wrong = |path: Option<&str>, message: &str| ReadError {
        path: path.map(str::to_owned),
        message: message.to_owned(),
        hint: None,
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| wrong(None, &format!("not JSON: {error}")))?;
    assert_ne!(value["panic"], true, "the parser was asked to panic");
    let names = value["signals"].as_array().ok_or_else(|| wrong(Some("signals"), "`signals` is no array"))?;
    let mut outcome = ReadOutcome::default();
    for (i, name) in names.iter().filter_map(Value::as_str).enumerate() {
        if name == "reject" {
            outcome.rejected.push((format!("signals[{i}]"), "makes no sense".to_owned()));
            continue;
        }
        outcome.signals.push(Signal {
            kind: if name == "ignore" { SignalKind::Ignore } else { SignalKind::Alert },
            service: Some("payments-api".into()),
            name: name.to_owned(),
            severity: None,
            severity_word: Some("weird".into()),
            status: "firing".into(),
            key: format!("key-{name}"),
            summary: None,
            labels: Default::default(),
            environment: None,
            link: None,
            started_at: None,
            deployment: None,
        });
    }
    Ok(outcome)
}

/// The real parser of a source, for the tests of paths that look into the body themselves.
fn real(name: &str, body: &[u8]) -> Result<ReadOutcome, ReadError> {
    match (opsbell::source::find(name).unwrap().read)(body, &Mapping::default()) {
        Ok(reading) => Ok(ReadOutcome {
            signals: reading.signals,
            ignored: reading.ignored,
            rejected: reading.rejected.into_iter().map(|rejected| (rejected.path, rejected.reason)).collect(),
        }),
        Err(error) => Err(ReadError { path: error.path, message: error.message, hint: Some(error.hint) }),
    }
}

pub fn house() -> House {
    house_with(Limits::default())
}

pub fn house_with(limits: Limits) -> House {
    let token =
        Token { person: "bas".into(), sha256: Secret::of(b"obt_token-of-bas").hex(), added_at: Timestamp(1_000) };
    let gone = Token { person: "dirk".into(), sha256: Secret::of(b"obt_of-dirk").hex(), added_at: Timestamp(2_000) };
    let mut state = State::default();
    state.tokens = [("tok-1".into(), token), ("tok-2".into(), gone)].into();
    let desk = Arc::new(FakeDesk { state: Mutex::new(state), org: Arc::new(org()), ..FakeDesk::default() });
    let keys = Arc::new(Keys::new());
    let secrets = [
        ("old-pager", "key-of-old-pager"),
        ("prometheus", "key-of-prometheus"),
        ("scripts", "key-of-scripts"),
        ("wards", "key-of-wards"),
    ];
    keys.replace(&desk.org, secrets.map(|(id, secret)| (id.into(), secret.into())));
    let (starting, clock) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (time, feed) = (clock.clone(), Arc::new(Feed::new(0)));
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let written = Arc::clone(&lines);
    let http = Http {
        desk: desk.clone(),
        keys: keys.clone(),
        admin: Secret::of(b"admin-secret"),
        sources: vec!["alertmanager", "generic", "sns", "github", "gitlab"],
        read: Arc::new(|name, body, _| {
            let prometheus = body.starts_with(br#"{"alerts":"#);
            if prometheus || matches!(name, "pagerduty" | "opsgenie" | "github" | "gitlab") {
                real(name, body)
            } else {
                read(body)
            }
        }),
        render: Arc::new(|text, person| {
            text.replace("<t:0:R>", &format!("now for {}", person.map_or("", |p| p.as_str())))
        }),
        factors: Arc::new(|person, _| Ok(format!("SECRETOF{person}"))),
        oncall: Arc::new(|_, now| serde_json::json!([{"schedule": "payments-primary", "person": "bas", "at": now}])),
        journal: Arc::new(move |after, limit| {
            let written = written.lock().unwrap();
            if !written.is_empty() {
                let lines = (1..).zip(written.iter().cloned());
                return Ok(lines.skip(usize::try_from(after).unwrap()).take(limit).collect());
            }
            if after == 13 {
                return Err("the journal's segment is gone".to_owned());
            }
            Ok((after + 1..=20).take(limit).map(|seq| (seq, format!("{{\"seq\":{seq}}}\n"))).collect())
        }),
        tally: opsbell::http::Tally::default(),
        stopwatch: Arc::new(move || Duration::from_millis(time.load(Ordering::Relaxed))),
        feed: feed.clone(),
        chat: Arc::new(|| None),
        starting: starting.clone(),
        limits,
    };
    House { desk, keys, router: router(http).unwrap(), feed, lines, starting, clock }
}

pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body as text, where it is such.
    pub body: String,
    pub bytes: Bytes,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status, telling headers and body, with the request's id made the same every time.
    pub fn told(&self) -> String {
        let mut told = self.status.as_u16().to_string();
        for name in ["retry-after", "connection", "allow", "www-authenticate"] {
            if let Some(value) = self.headers.get(name) {
                told += &format!(" [{name}: {}]", value.to_str().unwrap());
            }
        }
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert!(id.len() == 18 && id.starts_with("r-"), "{id}");
        format!("{told} {}", self.body.replace(id, "r-ID"))
    }
}

impl House {
    pub async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10 << 20).await.unwrap();
        let text = if head.headers.get("content-type").is_some_and(|kind| kind == "image/png") {
            String::new()
        } else {
            String::from_utf8(body.to_vec()).unwrap()
        };
        Seen { status: head.status, headers: head.headers, body: text, bytes: body }
    }

    /// `METHOD PATH` with a token (or none) and a body.
    pub async fn ask(&self, line: &str, token: Option<&str>, body: &str) -> Seen {
        self.send(request(line, token, body.to_owned())).await
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.ask(&format!("GET {path}"), Some(ADMIN), "").await
    }

    /// All inputs that reached the engine, submission by submission.
    pub fn submitted(&self) -> Vec<Vec<Input>> {
        std::mem::take(&mut *self.desk.submitted.lock().unwrap())
    }

    pub fn next(&self, does: Does) {
        self.desk.script.lock().unwrap().push_back(does);
    }
}

pub fn request(line: &str, token: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    request.body(body.into()).unwrap()
}

/// What a body does when it is looked at.
type Polled = Box<dyn FnMut() -> Poll<Option<std::io::Result<Frame<Bytes>>>> + Send>;

struct Scripted(Polled);

impl HttpBody for Scripted {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        (self.0)()
    }
}

/// A body that must not be looked at.
pub fn untouchable() -> Body {
    Body::new(Scripted(Box::new(|| panic!("the body was read before its sender was known"))))
}

/// A body that never comes.
pub fn endless_wait() -> Body {
    Body::new(Scripted(Box::new(|| Poll::Pending)))
}

/// A body that comes in pieces, or breaks.
pub fn pieces_of(pieces: impl IntoIterator<Item = std::io::Result<&'static [u8]>>) -> Body {
    let mut pieces: VecDeque<_> = pieces.into_iter().collect();
    let next =
        move || Poll::Ready(pieces.pop_front().map(|piece| piece.map(|bytes| Frame::data(Bytes::from_static(bytes)))));
    Body::new(Scripted(Box::new(next)))
}
