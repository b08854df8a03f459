//! Listening at `/v1/events` on a thread of its own: comes back after a loss, says so, and writes what it hears as the
//! terminal does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender};
use serde_json::Value;

use super::stream::{Event, Stream};
use super::{in_query, refused};
use crate::chat::terminal::{NotTaken, Terminal, render};
use crate::cli::client::Client;
use crate::domain::id::PersonId;

/// A connection that is silent for three signs of life is lost.
const SILENCE: Duration = Duration::from_secs(50);
/// A server that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// The first wait before coming back; it doubles up to the longest.
const WAIT: Duration = Duration::from_secs(1);
const WAIT_LONGEST: Duration = Duration::from_secs(30);

/// How it began.
pub enum Begun {
    /// The server knows the listener as this person.
    As(PersonId),
    /// It does not want to be listened to.
    Refused(String),
    /// It is not there.
    Unreachable(String),
}

/// A place to listen at.
pub struct Listening {
    url: String,
    token: String,
    http: reqwest::Client,
    tokio: tokio::runtime::Runtime,
}

/// What is known after the first greeting.
struct Seat {
    terminal: Arc<Terminal>,
    who: PersonId,
}

/// How a connection ended.
enum Lost {
    /// It may come back.
    Cut,
    /// The server said no.
    Refused(String),
    /// Nobody reads along any more.
    Closed,
}

impl Listening {
    pub fn new(client: &Client, person: Option<&str>, channel: Option<&str>) -> anyhow::Result<Self> {
        let mut url = format!("{}/v1/events", client.base());
        let named = [("as", person), ("channel", channel)].into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (n, (name, value)) in named.enumerate() {
            url += &format!("{}{name}={}", if n == 0 { '?' } else { '&' }, in_query(value));
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).no_proxy().build();
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        Ok(Self { url, token: client.token().to_owned(), http: http.context("no HTTP client")?, tokio })
    }

    /// Listens until the process ends, or the server does not want it any more.
    pub fn run(self, begin: &Sender<Begun>, terminal: &Receiver<Arc<Terminal>>) {
        let mut seat = None;
        let mut stream = Stream::default();
        let mut wait = WAIT;
        loop {
            let lost = self.tokio.block_on(self.once(&mut stream, &mut seat, &mut wait, begin, terminal));
            let Some(seat) = &seat else { return };
            let told = match lost {
                Lost::Closed => return,
                Lost::Refused(why) => {
                    let _ = seat.terminal.show(format!("(nothing more is heard: {})", render::inert(&why)));
                    return;
                }
                Lost::Cut => format!("(the connection is lost; trying again in {} s)", wait.as_secs()),
            };
            if seat.terminal.show(told) == Err(NotTaken::Closed) {
                return;
            }
            self.tokio.block_on(tokio::time::sleep(wait));
            wait = (wait * 2).min(WAIT_LONGEST);
        }
    }

    async fn once(
        &self,
        stream: &mut Stream,
        seat: &mut Option<Seat>,
        wait: &mut Duration,
        begin: &Sender<Begun>,
        terminal: &Receiver<Arc<Terminal>>,
    ) -> Lost {
        let mut request = self.http.get(&self.url).bearer_auth(&self.token);
        if let Some(id) = &stream.last_id {
            request = request.header("last-event-id", id);
        }
        stream.begin();
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let hint = "is the server running? start it with `opsbell serve`, or name it with --listen";
                let _ = begin.try_send(Begun::Unreachable(format!("no answer: {}; {hint}", error.without_url())));
                return Lost::Cut;
            }
        };
        let status = response.status().as_u16();
        if status != 200 {
            let body = response.bytes().await.unwrap_or_default();
            let why = refused(status, &serde_json::from_slice(&body).unwrap_or_default()).to_string();
            if matches!(status, 429 | 500..=599) {
                let _ = begin.try_send(Begun::Unreachable(why));
                return Lost::Cut;
            }
            let _ = begin.try_send(Begun::Refused(why.clone()));
            return Lost::Refused(why);
        }
        let mut records = false;
        while let Ok(Some(piece)) = response.chunk().await {
            for event in stream.take(&piece) {
                let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
                if event.kind == "hello" {
                    records = data["posts"] == false;
                    *wait = WAIT;
                    match seat {
                        Some(seat) => drop(seat.terminal.show("(connected again)".to_owned())),
                        None => {
                            let who: PersonId = data["person"].as_str().unwrap_or_default().into();
                            let _ = begin.try_send(Begun::As(who.clone()));
                            let Ok(terminal) = terminal.recv() else { return Lost::Closed };
                            *seat = Some(Seat { terminal, who });
                        }
                    }
                } else if let Some(seat) = &*seat
                    && let Some(text) = written(&event, &data, &seat.who, records)
                    && seat.terminal.show(text) == Err(NotTaken::Closed)
                {
                    return Lost::Closed;
                }
            }
        }
        Lost::Cut
    }
}

/// An event as the terminal shows it; `None`: it is not for people. `records`: whether changed records are told, where
/// no post tells of them.
fn written(event: &Event, data: &Value, who: &PersonId, records: bool) -> Option<String> {
    let text = |name: &str| render::inert(data[name].as_str().unwrap_or_default());
    let channel = || {
        let channel = text("channel");
        format!("#{}", channel.split_once(':').map_or(channel.as_str(), |(_, name)| name))
    };
    let below = |text: String| text.replace('\n', "\n      ");
    Some(match event.kind.as_str() {
        "post" => format!("{} {} {}", text("time"), channel(), below(text("text"))),
        "page" => {
            let methods: Vec<&str> =
                data["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let methods = render::inert(&methods.join(" and "));
            format!("{} [page to {}, by {methods}] {}", text("time"), text("person"), below(text("text")))
        }
        "notice" => format!("{} [notice to {}] {}", text("time"), text("person"), below(text("text"))),
        // One's own words stand there already.
        "said" if data["person"] != who.as_str() => {
            let said = format!("{} {}> {}", channel(), text("person"), text("text"));
            format!("{said}\n      {}", below(text("reply")))
        }
        "record" if records && data["by"] != who.as_str() => {
            let changes: Vec<String> = data["changes"].as_array().into_iter().flatten().filter_map(change).collect();
            if changes.is_empty() {
                return None;
            }
            format!("{} {} by {}", text("record"), render::inert(&changes.join(", ")), text("by"))
        }
        "lagged" => format!("({})", text("text")),
        _ => return None,
    })
}

/// `acknowledged` of `incident.acknowledged`; how it escalates and is paged is not told.
fn change(kind: &Value) -> Option<String> {
    let (practice, change) = kind.as_str()?.split_once('.')?;
    (!matches!(practice, "escalation" | "page")).then(|| change.replace('-', " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(kind: &str, data: &Value, records: bool) -> Option<String> {
        let event = Event { kind: kind.to_owned(), data: String::new() };
        written(&event, data, &"bas".into(), records)
    }

    #[test]
    fn what_is_heard_reads_as_in_a_chat() {
        let all = [
            shown(
                "post",
                &json!({"channel": "discord:payments-ops", "time": "03:05", "text": "INC-1 open\nlag"}),
                false,
            ),
            shown(
                "page",
                &json!({"person": "bas", "methods": ["chat", "sms"], "time": "03:05", "text": "SEV1 lag"}),
                false,
            ),
            shown("notice", &json!({"person": "bas", "time": "03:05", "text": "the disk is full"}), false),
            shown(
                "said",
                &json!({"channel": "ops", "person": "cleo", "text": "/ack INC-1", "reply": "INC-1 is yours"}),
                false,
            ),
            shown(
                "record",
                &json!({"record": "INC-1", "by": "cleo", "changes": ["incident.role-set", "page.ended"]}),
                true,
            ),
            shown("lagged", &json!({"text": "some events are left out"}), false),
        ];
        let all: Vec<String> = all.into_iter().flatten().collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        03:05 #payments-ops INC-1 open
              lag
        03:05 [page to bas, by chat and sms] SEV1 lag
        03:05 [notice to bas] the disk is full
        #ops cleo> /ack INC-1
              INC-1 is yours
        INC-1 role set by cleo
        (some events are left out)
        ");
    }

    #[test]
    fn ones_own_words_and_what_posts_tell_are_not_repeated() {
        assert_eq!(shown("said", &json!({"channel": "ops", "person": "bas", "text": "x", "reply": "y"}), true), None);
        let record = json!({"record": "INC-1", "by": "cleo", "changes": ["incident.closed"]});
        assert_eq!(shown("record", &record, false), None);
        assert_eq!(shown("record", &json!({"record": "INC-1", "by": "cleo", "changes": ["page.ended"]}), true), None);
        assert_eq!(shown("unheard-of", &json!({}), true), None);
    }

    #[test]
    fn what_a_server_sends_cannot_move_the_cursor() {
        let told =
            shown("post", &json!({"channel": "\u{1b}[2J", "time": 3, "text": "a\u{1b}]0;x\u{7}\u{202e}b"}), true);
        assert!(told.is_some_and(|told| told.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}')));
        for odd in [json!(null), json!([]), json!({"methods": 3, "changes": "x"})] {
            for kind in ["post", "page", "notice", "said", "record", "lagged"] {
                let _ = shown(kind, &odd, true);
            }
        }
    }
}
