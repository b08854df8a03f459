//! Calls of Discord's REST interface: one client with time limits, our own limiter before it, errors in our own words
//! (the libraries' show addresses, and some of Discord's addresses are secrets). What is called stands elsewhere.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::limit::{Book, May, Route, Told, Urgency};

/// Discord's own.
const DISCORD: &str = "https://discord.com/api/v10";
const CONNECT: Duration = Duration::from_secs(3);
/// For one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// One call.
#[derive(Debug)]
pub struct Call {
    /// How.
    pub method: Method,
    /// `/channels/1/messages`.
    pub path: String,
    /// Whose limits it shares.
    pub route: Route,
    /// What is said.
    pub body: Option<Value>,
    /// What is attached to it: `attachments` of the body names it as its first.
    pub file: Option<File>,
    /// What it is for.
    pub urgency: Urgency,
    /// How long it may wait for its turn; beyond it `Busy`.
    pub patience: Duration,
    /// What several calls may want that needs only one; empty: nothing of the kind.
    pub whose: String,
}

impl Call {
    /// A call; `template` names its limits, with `{}` where `path` has ids.
    pub fn new(template: &'static str, path: String, major: &str) -> Self {
        let method = match template.split(' ').next() {
            Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some("PATCH") => Method::PATCH,
            Some("DELETE") => Method::DELETE,
            _ => Method::GET,
        };
        let route = Route { template, major: major.to_owned() };
        let (urgency, patience) = (Urgency::Other, Duration::from_secs(30));
        Self { method, path, route, body: None, file: None, urgency, patience, whose: String::new() }
    }

    /// The same for something that others may want as well, and only one of them has to get.
    #[must_use]
    pub fn whose(mut self, whose: &str) -> Self {
        self.whose = whose.to_owned();
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same with something attached.
    #[must_use]
    pub fn file(mut self, file: Option<File>) -> Self {
        self.file = file;
        self
    }

    /// The same for another purpose, which may wait less.
    #[must_use]
    pub fn urgency(mut self, urgency: Urgency, patience: Duration) -> Self {
        (self.urgency, self.patience) = (urgency, patience);
        self
    }
}

/// A file that is sent along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// How it is called, `dora.png`.
    pub name: &'static str,
    /// What it is, `image/png`.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What parts a form; what is said is JSON, in which `\r\n` cannot stand, and nothing else of it is from outside.
const FORM: &str = "multipart/form-data; boundary=opsbell-5d1f0b8e7a2c4963";
const PART: &str = "\r\n--opsbell-5d1f0b8e7a2c4963";

/// What is said and a file, as Discord wants them ("Uploading Files").
fn form(said: &[u8], file: &File) -> Vec<u8> {
    let head = "\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n";
    let File { name, kind, bytes } = file;
    let attached = format!(
        "\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
    );
    let begin = &PART.as_bytes()[2..];
    [begin, head.as_bytes(), said, PART.as_bytes(), attached.as_bytes(), bytes, PART.as_bytes(), b"--\r\n"].concat()
}

/// Why a call did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not taken: Discord's limits ask for this wait.
    #[error("Discord's limits ask to wait {} ms", after.as_millis())]
    Busy {
        /// How long.
        after: Duration,
    },
    /// No answer.
    #[error("{reason}")]
    NoAnswer {
        /// Why, in our own words.
        reason: String,
        /// Whether it may have been taken all the same.
        unknown: bool,
    },
    /// Discord is failing; it may have been taken all the same.
    #[error("Discord answered {status}")]
    Failing {
        /// 500 to 599.
        status: u16,
    },
    /// Discord will not do this.
    #[error("Discord answered {status}: {message} (code {code})")]
    Refused {
        /// 400 to 499.
        status: u16,
        /// Discord's own number, 0 where there is none.
        code: u64,
        /// Discord's words, inert and short.
        message: String,
    },
}

impl CallError {
    /// Discord's own number for what is wrong.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The status of a refusal.
    pub fn refused(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The client.
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: HeaderValue,
    book: Mutex<Book>,
    changed: Notify,
    start: Instant,
}

/// Why there is no client. Shows no secret.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The token cannot be sent.
    #[error("Discord's token has characters that no token has; copy it again, whole")]
    Token,
    /// The library does not start.
    #[error("the HTTP client does not start ({0}); check this machine's TLS certificates")]
    Http(reqwest::Error),
}

/// Where the API is: `api_base` with `/api/v10` behind it, unless it names its own.
pub fn base_of(api_base: Option<&str>) -> String {
    let Some(base) = api_base.map(|base| base.trim_end_matches('/')) else { return DISCORD.to_owned() };
    let last = base.rsplit('/').next().unwrap_or_default();
    let numbered = last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if numbered && base.contains("/api/") {
        return base.to_owned();
    }
    if base.ends_with("/api") { format!("{base}/v10") } else { format!("{base}/api/v10") }
}

impl Rest {
    /// A client of Discord, or of a compatible server.
    ///
    /// # Errors
    /// The token is none, or the machine has no TLS.
    pub fn new(api_base: Option<&str>, token: &str) -> Result<Self, NoClient> {
        let mut token = HeaderValue::from_str(&format!("Bot {}", token.trim())).map_err(|_| NoClient::Token)?;
        token.set_sensitive(true);
        let http = reqwest::Client::builder()
            .user_agent(concat!("DiscordBot (https://github.com/opsbell/opsbell, ", env!("CARGO_PKG_VERSION"), ")"))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()
            .map_err(NoClient::Http)?;
        let (book, changed, start) = (Mutex::default(), Notify::new(), Instant::now());
        Ok(Self { http, base: base_of(api_base), token, book, changed, start })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits for a call's turn.
    async fn turn(&self, call: &Call, until: Instant) -> Result<(), CallError> {
        loop {
            let changed = self.changed.notified();
            let may = {
                let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
                book.ask(self.now(), &call.route, call.urgency, &call.whose)
            };
            let left = until.saturating_duration_since(Instant::now());
            match may {
                May::Go => return Ok(()),
                May::In(ms) => {
                    let wait = Duration::from_millis(ms);
                    if wait > left {
                        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
                        let after = book.promise(self.now(), &call.route, call.urgency, &call.whose, ms);
                        return Err(CallError::Busy { after: Duration::from_millis(after) });
                    }
                    tokio::time::sleep(wait).await;
                }
                May::AfterAnother => {
                    if tokio::time::timeout(left, changed).await.is_err() {
                        return Err(CallError::Busy { after: Duration::from_secs(1) });
                    }
                }
            }
        }
    }

    /// What came of a call; of an answer, when the call began.
    fn heard(&self, route: &Route, told: Option<(u64, &Told)>) {
        let now = self.now();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Some((began, told)) => book.heard(now, began, route, told),
            None => book.lost(route),
        }
        drop(book);
        self.changed.notify_waiters();
    }

    /// Calls, and calls again after a 429 as long as its patience allows; nothing else is tried twice.
    ///
    /// # Errors
    /// As `CallError` says.
    pub async fn call(&self, call: &Call) -> Result<Value, CallError> {
        let until = Instant::now() + call.patience;
        loop {
            self.turn(call, until).await?;
            // Dropped in the middle (a deadline above us), the call must not count as under way for ever.
            let mut way = UnderWay { rest: self, route: &call.route, over: false };
            let began = self.now();
            let answer = self.send(call).await;
            way.over = true;
            let (told, body) = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    self.heard(&call.route, None);
                    return Err(error);
                }
            };
            self.heard(&call.route, Some((began, &told)));
            match told.status {
                200..=299 => return Ok(body),
                429 => {}
                status @ (500..=599 | 408) => return Err(CallError::Failing { status }),
                status => return Err(refused(status, &body)),
            }
        }
    }

    async fn send(&self, call: &Call) -> Result<(Told, Value), CallError> {
        let mut request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        if call.urgency != Urgency::Callback {
            request = request.header(AUTHORIZATION, self.token.clone());
        }
        if let Some(body) = &call.body {
            let said = serde_json::to_vec(body).unwrap_or_default();
            let (kind, bytes) = match &call.file {
                Some(file) => (FORM, form(&said, file)),
                None => ("application/json", said),
            };
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind)).body(bytes);
        }
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_MAX => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                // What was done stands; only what was said about it is lost.
                Ok(Some(_)) | Err(_) if status >= 300 => break,
                Ok(Some(_)) => {
                    return Err(CallError::NoAnswer { reason: "an answer of more than 8 MiB".into(), unknown: true });
                }
                Err(error) => return Err(no_answer(&error)),
            }
        }
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok((told(status, &headers, &body), body))
    }
}

/// Gives a call's place in its bucket back when it is dropped in the middle.
struct UnderWay<'a> {
    rest: &'a Rest,
    route: &'a Route,
    over: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.rest.heard(self.route, None);
        }
    }
}

fn told(status: u16, headers: &HeaderMap, body: &Value) -> Told {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let ms = |secs: f64| if secs.is_finite() { (secs.max(0.0) * 1000.0).ceil() as u64 } else { 0 };
    let secs = |text: &str| text.parse::<f64>().ok().map(ms);
    let scope = text("x-ratelimit-scope");
    let retry = body["retry_after"].as_f64().map(ms);
    Told {
        status,
        bucket: text("x-ratelimit-bucket").map(str::to_owned),
        limit: text("x-ratelimit-limit").and_then(|text| text.parse().ok()),
        remaining: text("x-ratelimit-remaining").and_then(|text| text.parse().ok()),
        reset_after_ms: text("x-ratelimit-reset-after").and_then(secs),
        retry_after_ms: if status == 429 { retry.or_else(|| text(RETRY_AFTER.as_str()).and_then(secs)) } else { None },
        global: text("x-ratelimit-global").is_some() || scope == Some("global") || body["global"] == true,
        shared: scope == Some("shared"),
    }
}

fn refused(status: u16, body: &Value) -> CallError {
    let message = body["message"].as_str().unwrap_or("no reason given");
    let message = crate::domain::paging::look::line(message, 120).into_owned();
    CallError::Refused { status, code: body["code"].as_u64().unwrap_or(0), message }
}

fn no_answer(error: &reqwest::Error) -> CallError {
    // Once there was a connection, Discord may have read it.
    let unknown = !error.is_connect() && !error.is_builder();
    let mut cause = error.source();
    let mut io = None;
    while let Some(inner) = cause {
        io = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or(io);
        cause = inner.source();
    }
    let reason = match (unknown, error.is_timeout(), io) {
        (false, true, _) => "no connection to Discord in time".to_owned(),
        (true, true, _) => "no answer from Discord in time".to_owned(),
        (_, _, Some(kind)) if kind != std::io::ErrorKind::Other => format!("no answer from Discord: {kind}"),
        (false, ..) => "no connection to Discord".to_owned(),
        (true, ..) => "no answer from Discord: the connection ended".to_owned(),
    };
    CallError::NoAnswer { reason, unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_names_its_version_or_gets_one() {
        for (given, base) in [
            (None, "https://discord.com/api/v10"),
            (Some("http://127.0.0.1:9000"), "http://127.0.0.1:9000/api/v10"),
            (Some("http://127.0.0.1:9000/"), "http://127.0.0.1:9000/api/v10"),
            (Some("http://d.example/api"), "http://d.example/api/v10"),
            (Some("http://d.example/api/v9/"), "http://d.example/api/v9"),
            (Some("http://d.example/chat"), "http://d.example/chat/api/v10"),
            (Some("http://d.example/v2"), "http://d.example/v2/api/v10"),
        ] {
            assert_eq!(base_of(given), base, "{given:?}");
        }
    }

    #[test]
    fn a_file_stands_behind_what_is_said() {
        let file = File { name: "dora.png", kind: "image/png", bytes: b"\x89PNG".to_vec() };
        let bytes = form(br#"{"content":"\r\n--x"}"#, &file);
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        let expected = "--opsbell-5d1f0b8e7a2c4963\nContent-Disposition: form-data; name=\"payload_json\"\nContent-Type: application/json\n\n{\"content\":\"\\r\\n--x\"}\n--opsbell-5d1f0b8e7a2c4963\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"dora.png\"\nContent-Type: image/png\n\n\u{fffd}PNG\n--opsbell-5d1f0b8e7a2c4963--\n";
        assert_eq!(text, expected);
        assert!(FORM.ends_with(&PART[4..]));
    }

    #[test]
    fn limits_are_read_from_headers_and_body() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-ratelimit-bucket", "abcd"),
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "4"),
            ("x-ratelimit-reset-after", "1.25"),
            ("retry-after", "7"),
            ("x-ratelimit-scope", "shared"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let read = told(429, &headers, &Value::Null);
        assert_eq!((read.limit, read.remaining, read.reset_after_ms), (Some(5), Some(4), Some(1_250)));
        assert_eq!((read.retry_after_ms, read.shared, read.global), (Some(7_000), true, false));
        let body = serde_json::json!({"retry_after": 0.3, "global": true});
        assert_eq!(told(429, &headers, &body).retry_after_ms, Some(300));
        assert!(told(429, &headers, &body).global);
        headers.insert("x-ratelimit-reset-after", HeaderValue::from_static("NaN"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("-1"));
        let odd = told(200, &headers, &Value::Null);
        assert_eq!((odd.remaining, odd.reset_after_ms, odd.retry_after_ms), (None, Some(0), None));
    }
}
