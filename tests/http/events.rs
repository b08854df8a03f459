//! `GET /v1/events`: who hears what, in what order, and what happens to those who cannot keep up.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use opsbell::http::{Feed, Limits};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::desk::{ADMIN, BAS, House, house, house_with, request};

/// A commit as the journal writes it.
fn line(seq: u64, events: &Value) -> String {
    let by = json!({"person": "cleo", "via": "api"});
    let at = "2026-12-25T02:00:00.000Z";
    json!({"prev": "", "v": 1, "install": "k3x9qz", "epoch": 1, "seq": seq, "batch": 1, "at": at, "by": by,
        "events": events, "hash": ""})
    .to_string()
}

fn owed(seq: u64, to: &Value, content: &Value) -> Value {
    json!({"type": "delivery.owed", "v": 1, "delivery": format!("k3x9qz-{seq}.1"), "incident": "INC-1", "page": 1,
        "to": to, "priority": "page", "content": content})
}

fn post(seq: u64, channel: &str, text: &str) -> String {
    line(seq, &json!([owed(seq, &json!({"channel": channel}), &json!({"post": {"text": text}}))]))
}

fn page(seq: u64, person: &str) -> String {
    let content = json!({"page": {"title": "lag", "severity": "sev1", "service": "ledger", "reason": "on call"}});
    let by = |method: &str| owed(seq, &json!({"person": {"person": person, "method": method}}), &content);
    line(seq, &json!([{"type": "page.opened", "v": 1, "page": "INC-1.p1"}, by("chat"), by("email")]))
}

/// A house whose journal can be written to.
struct Written {
    house: House,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Written {
    fn new(limits: Limits) -> Self {
        let house = house_with(limits);
        let lines = Arc::clone(&house.lines);
        Self { house, lines }
    }

    fn feed(&self) -> &Arc<Feed> {
        &self.house.feed
    }

    /// Writes commits, and says that they are durable.
    fn write(&self, commits: impl IntoIterator<Item = String>) {
        let last = {
            let mut lines = self.lines.lock().unwrap();
            lines.extend(commits);
            lines.len() as u64
        };
        self.feed().durable(last);
    }

    fn next(&self) -> u64 {
        self.lines.lock().unwrap().len() as u64 + 1
    }

    async fn listen(&self, path: &str, token: &str, after: Option<&str>) -> Heard {
        let mut request = request(&format!("GET {path}"), Some(token), Body::empty());
        if let Some(after) = after {
            request.headers_mut().insert("last-event-id", after.parse().unwrap());
        }
        let response = self.house.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut heard = Heard { body: response.into_body(), text: String::new() };
        assert!(heard.next().await.unwrap().starts_with("retry: 2000\nevent: hello\n"));
        heard
    }
}

struct Heard {
    body: Body,
    text: String,
}

impl Heard {
    /// The next block of the stream; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return Some(block);
            }
            let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await?;
            self.text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    /// The next event: its kind, number and data.
    async fn event(&mut self) -> (String, Option<u64>, Value) {
        let block = self.next().await.expect("an event");
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = serde_json::from_str(field("data").unwrap_or("null")).unwrap();
        (field("event").unwrap_or_default().to_owned(), field("id").map(|id| id.parse().unwrap()), data)
    }

    async fn told(&mut self) -> String {
        let (kind, id, data) = self.event().await;
        let id = id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let text = ["record", "text"].iter().find_map(|name| data[name].as_str()).unwrap_or_default();
        format!("{kind} {id} {}", text.lines().next().unwrap_or_default())
    }
}

#[tokio::test]
async fn what_is_posted_and_changed_is_told_once_it_is_durable() {
    let world = Written::new(Limits::default());
    let mut all = world.listen("/v1/events", BAS, None).await;
    let mut ops = world.listen("/v1/events?channel=discord:ops", BAS, None).await;
    // Written, and not durable: nobody hears of it.
    world.lines.lock().unwrap().push(post(1, "ops", "one"));
    tokio::task::yield_now().await;
    world.feed().durable(0);
    world.write([
        line(
            2,
            &json!([{"type": "incident.acknowledged", "v": 1, "incident": "INC-7"}, {"type": "config.loaded", "v": 1}]),
        ),
        post(3, "discord:payments-ops", "three"),
        post(4, "discord:ops", "four"),
    ]);
    assert_eq!(all.told().await, "post 1 one");
    assert_eq!(all.told().await, "record 2 INC-7");
    assert_eq!(all.told().await, "post 3 three");
    assert_eq!(all.told().await, "post 4 four");
    assert_eq!(ops.told().await, "post 1 one");
    assert_eq!(ops.told().await, "post 4 four");
}

#[tokio::test]
async fn events_look_like_this() {
    let world = Written::new(Limits::default());
    let mut heard = world.listen("/v1/events", BAS, None).await;
    world.write([
        post(1, "payments-ops", "since <t:1798164000:t>\u{1b}[2J"),
        page(2, "bas"),
        line(3, &json!([{"type": "alert.resolved", "v": 1, "alert": "ALR-3"}])),
    ]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(heard.next().await.unwrap());
    }
    insta::assert_snapshot!(seen.join("\n\n"));
}

#[tokio::test]
async fn a_page_is_told_to_its_person_only() {
    let world = Written::new(Limits::default());
    let mut bas = world.listen("/v1/events?channel=ops", BAS, None).await;
    let mut cleo = world.listen("/v1/events?as=cleo", ADMIN, None).await;
    let mut nobody = world.listen("/v1/events", ADMIN, None).await;
    world.write([page(1, "cleo"), page(2, "bas"), post(3, "ops", "end")]);
    // The page of another is a changed record, no more; with a channel not even that.
    let (kind, _, data) = bas.event().await;
    assert_eq!((kind.as_str(), &data["person"], &data["methods"]), ("page", &json!("bas"), &json!(["chat", "email"])));
    assert_eq!(bas.told().await, "post 3 end");
    assert_eq!(cleo.event().await.0, "page");
    for _ in 0..2 {
        assert_eq!(cleo.event().await.0, "record");
    }
    for wanted in ["record", "record", "post"] {
        assert_eq!(nobody.event().await.0, wanted);
    }
}

#[tokio::test]
async fn what_is_said_in_a_channel_is_told_there_and_a_private_answer_to_nobody() {
    let world = Written::new(Limits::default());
    let mut cleo = world.listen("/v1/events?channel=ops&as=cleo", ADMIN, None).await;
    let say = |channel: &str, text: &str| json!({"text": text, "channel": channel}).to_string();
    let private = opsbell::domain::input::Reply::done("your number is 7").private();
    world.house.next(crate::desk::Does::Refuses(vec![Ok(private)]));
    let said = |body: String| {
        let house = &world.house;
        async move { house.ask("POST /v1/say", Some(BAS), &body).await.status }
    };
    assert_eq!(said(say("ops", "/contact verify 7")).await, StatusCode::OK);
    assert_eq!(said(say("elsewhere", "/status")).await, StatusCode::OK);
    assert_eq!(said(json!({"text": "/status"}).to_string()).await, StatusCode::OK);
    world.house.next(crate::desk::Does::Refuses(vec![Err(opsbell::domain::reject::Reject::new(
        opsbell::domain::reject::RejectCode::NotAllowed,
        "no",
    ))]));
    assert_eq!(said(say("ops", "/resolve INC-1")).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(said(say("#ops", "/ack INC-1")).await, StatusCode::OK);
    let (kind, id, data) = cleo.event().await;
    assert_eq!((kind.as_str(), id), ("said", None), "{data}");
    assert_eq!(
        data,
        json!({"channel": "ops", "person": "bas", "text": "/ack INC-1", "reply": "done now for cleo", "records": ["INC-1"]})
    );
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_was_missed_once_and_in_order() {
    let world = Written::new(Limits::default());
    world.write((1..=450).map(|seq| post(seq, "ops", &format!("n{seq}"))));
    let mut heard = world.listen("/v1/events", BAS, Some("3")).await;
    world.write((451..=500).map(|seq| post(seq, "ops", &format!("n{seq}"))));
    for seq in 4..=500 {
        assert_eq!(heard.told().await, format!("post {seq} n{seq}"));
    }
    // From the future (a restored journal), or too long ago.
    let mut odd = world.listen("/v1/events", BAS, Some("100000")).await;
    assert_eq!(odd.told().await, "lagged - some events are left out; the records are at /v1/incidents");
    world.write([post(world.next(), "ops", "after")]);
    assert_eq!(odd.told().await, "post 501 after");
    for wrong in ["", "x", "-1", "1.5"] {
        let mut request = request("GET /v1/events", Some(BAS), Body::empty());
        request.headers_mut().insert("last-event-id", wrong.parse().unwrap());
        let seen = world.house.send(request).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{wrong}: {}", seen.body);
    }
}

#[tokio::test]
async fn whoever_does_not_keep_up_is_told_so_and_holds_up_nobody() {
    let world = Written::new(Limits::default());
    let mut slow = world.listen("/v1/events", BAS, None).await;
    let mut quick = world.listen("/v1/events", BAS, None).await;
    for _ in 0..30 {
        let next = world.next();
        world.write((next..next + 100).map(|seq| post(seq, "ops", &format!("n{seq}"))));
        for seq in next..next + 100 {
            assert_eq!(quick.told().await, format!("post {seq} n{seq}"));
        }
    }
    let (mut seen, mut lagged) = (Vec::new(), 0);
    while seen.last() != Some(&3_000) {
        let (kind, id, _) = slow.event().await;
        if kind == "lagged" { lagged += 1 } else { seen.extend(id) }
    }
    assert!(lagged >= 1 && seen.len() < 3_000, "{lagged} {}", seen.len());
    assert!(seen.is_sorted() && seen.len() > 900, "{}", seen.len());
}

#[tokio::test]
async fn a_sign_of_life_moves_the_number_on_and_a_revoked_token_ends_it() {
    let world = Written::new(Limits { heartbeat: Duration::from_millis(5), ..Limits::default() });
    let mut heard = world.listen("/v1/events?channel=ops", BAS, None).await;
    world.write([post(1, "elsewhere", "x")]);
    loop {
        let block = heard.next().await.expect("a sign of life");
        assert!(block.starts_with(": still here\nid: "), "{block}");
        if block.ends_with("id: 1") {
            break;
        }
    }
    world.house.desk.state.lock().unwrap().tokens.clear();
    while heard.next().await.is_some() {}
}

#[tokio::test]
async fn all_streams_end_with_the_process_and_give_their_places_back() {
    let world = Written::new(Limits { listeners: 2, ..Limits::default() });
    let (mut one, two) = (world.listen("/v1/events", BAS, None).await, world.listen("/v1/events", BAS, None).await);
    let seen = world.house.ask("GET /v1/events", Some(BAS), "").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "{}", seen.body);
    assert_eq!(seen.headers["retry-after"], "10");
    drop(two);
    drop(world.listen("/v1/events", BAS, None).await);
    world.feed().close();
    assert_eq!(one.next().await, None);
}

#[tokio::test]
async fn strangers_and_slips_are_refused() {
    let house = house();
    let asked = [
        ("/v1/events", None, 401),
        ("/v1/events", Some("Bearer obt_unknown"), 401),
        ("/v1/events?as=cleo", Some(BAS), 403),
        ("/v1/events?as=nobody", Some(ADMIN), 422),
        ("/v1/events?chanel=ops", Some(BAS), 400),
        ("/v1/events?channel=%00", Some(BAS), 422),
        ("/v1/complete?text=/", None, 401),
        ("/v1/complete", Some(BAS), 422),
        ("/v1/complete?text=/", Some(ADMIN), 422),
        ("/v1/complete?text=/&as=cleo", Some(BAS), 403),
        ("/v1/complete?txt=/", Some(BAS), 400),
    ];
    for (path, token, status) in asked {
        let seen = house.ask(&format!("GET {path}"), token, "").await;
        assert_eq!(seen.status.as_u16(), status, "{path}: {}", seen.body);
    }
    let long = format!("/v1/complete?text={}", "x".repeat(4_001));
    assert_eq!(house.ask(&format!("GET {long}"), Some(BAS), "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
