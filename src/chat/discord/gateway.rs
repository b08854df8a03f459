//! The gateway: one socket on which Discord tells what happens, in order. HELLO, IDENTIFY or RESUME, heartbeats whose
//! answers are watched, reconnecting with growing waits. What a dispatch means is `Hears`'s business.
//! Source: <https://discord.com/developers/docs/events/gateway>.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::wire::{Frame, Hello, Ready};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// For a connection, and for the first word on it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait before the next attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The wait when trying again cannot help until somebody changes something.
const HOPELESS_WAIT: Duration = Duration::from_secs(300);
/// For READY or RESUMED, counted from our own first word or from the last thing that was told again.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The most that one message may have.
const MESSAGE_MAX: usize = 16 * 1024 * 1024;

/// Guilds, their messages and reactions, direct messages.
pub const INTENTS: u64 = 1 | 1 << 9 | 1 << 10 | 1 << 12;
/// What messages say; has to be allowed in Discord's developer portal.
pub const MESSAGE_CONTENT: u64 = 1 << 15;

/// Who hears what comes in.
pub trait Hears: Send + Sync {
    /// Where the gateway is; asked before every fresh connection.
    fn address(&self) -> impl Future<Output = Result<String, NoGateway>> + Send;

    /// The token, without `Bot`.
    fn token(&self) -> String;

    /// What to hear of.
    fn intents(&self) -> u64;

    /// A session has begun.
    fn ready(&self, ready: &Ready);

    /// A session goes on where it was.
    fn resumed(&self);

    /// Something happened. Called in order; it must not wait.
    fn dispatch(&self, name: &str, data: &str);

    /// The session is over for now.
    fn lost(&self, why: &str);

    /// Discord takes us for nobody, and will until somebody changes something.
    fn refused(&self, why: &str);

    /// Something that a person has to put right.
    fn trouble(&self, what: &str);

    /// A number in 0..=1000, for waits that must not be the same everywhere.
    fn chance(&self) -> u64;
}

/// Why nobody knows where the gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoGateway {
    /// It may be known soon.
    Lost(String),
    /// It will not be known until somebody changes something.
    Hopeless(String),
}

/// What is said of a token that Discord does not know, with what to do.
pub const WRONG_TOKEN: &str = "Discord does not know the token, so no page goes out by chat and each person's next \
     method starts at once. Copy it again, whole, from the Bot page of https://discord.com/developers/applications \
     (Reset Token) into OPSBELL_DISCORD_TOKEN or the file of `token_file`, then restart Opsbell; `opsbell discord check` \
     tries it";

/// By what a session is taken up again.
struct Resume {
    session: String,
    address: String,
    seq: u64,
}

/// How a connection ended.
enum End {
    /// Take the session up again.
    Resume(String),
    /// Begin another session.
    Anew(String),
    /// What was asked for is not allowed: without it.
    Intents,
    /// It will not work until somebody changes something.
    Hopeless(String),
}

/// Hears for ever; ends when it is dropped.
pub async fn run(hears: &impl Hears) {
    let mut resume: Option<Resume> = None;
    let mut failures = 0_u32;
    let mut less = false;
    let mut hopeless: Option<String> = None;
    loop {
        let connected = match &resume {
            Some(resume) => Ok(resume.address.clone()),
            None => hears.address().await,
        };
        let mut was_up = false;
        let end = match connected {
            Ok(address) => match connect(&address).await {
                Ok(socket) => {
                    let begin = Begin { address: &address, less, within: READY_WITHIN };
                    session(hears, socket, &begin, &mut resume, &mut was_up).await
                }
                Err(why) => End::Resume(why),
            },
            Err(NoGateway::Lost(why)) => End::Resume(why),
            Err(NoGateway::Hopeless(why)) => End::Hopeless(why),
        };
        if was_up {
            hopeless = None;
        }
        failures = if was_up { 0 } else { failures.saturating_add(1) };
        let wait = match end {
            End::Resume(why) => {
                hears.lost(&why);
                // An address that no longer answers may have moved.
                if failures >= 3 {
                    resume = None;
                }
                // Never at once: a server that takes the line and drops it would be asked without end.
                backoff(failures.max(1), hears.chance())
            }
            End::Anew(why) => {
                hears.lost(&why);
                resume = None;
                backoff(failures.max(1), hears.chance())
            }
            End::Intents if !less => {
                hears.trouble(
                    "Discord refuses to tell what messages say: turn on \"Message Content Intent\" on the Bot page of \
                     https://discord.com/developers/applications, then restart Opsbell. Until then alerts posted as \
                     text are not read; all else works.",
                );
                less = true;
                resume = None;
                Duration::ZERO
            }
            End::Intents => {
                let why = "Discord refuses the intents that Opsbell needs; check the bot's page";
                hears.refused(why);
                if hopeless.as_deref() != Some(why) {
                    hears.trouble(why);
                    hopeless = Some(why.to_owned());
                }
                HOPELESS_WAIT
            }
            End::Hopeless(why) => {
                hears.refused(&why);
                // It is tried again for ever, and told once.
                if hopeless.as_ref() != Some(&why) {
                    hears.trouble(&why);
                    hopeless = Some(why);
                }
                resume = None;
                HOPELESS_WAIT
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Nothing, then 1 s, 2 s, 4 s … 30 s, each between half and whole of it.
fn backoff(failures: u32, chance: u64) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let whole = LONGEST_WAIT.min(Duration::from_secs(1 << (failures - 1).min(6)));
    whole.mul_f64(0.5 + chance.min(1000) as f64 / 2000.0)
}

async fn connect(address: &str) -> Result<Socket, String> {
    let mut url = address.trim_end_matches('/').to_owned();
    if !url.contains('?') {
        // Without a path the request's target would be empty.
        if url.splitn(4, '/').count() < 4 {
            url.push('/');
        }
        url.push_str("?v=10&encoding=json");
    }
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    match timeout(PATIENCE, connect_async_with_config(url, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(format!("the gateway cannot be reached: {}", own_words(&error))),
        Err(_) => Err("the gateway does not answer".to_owned()),
    }
}

fn own_words(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Io(error) => error.kind().to_string(),
        tungstenite::Error::Http(response) => format!("it answered {}", response.status().as_u16()),
        tungstenite::Error::Tls(_) => "its TLS certificate is not accepted".to_owned(),
        tungstenite::Error::Url(_) => "its address is none".to_owned(),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => "it hung up".to_owned(),
        tungstenite::Error::Capacity(_) => "a message was too long".to_owned(),
        _ => "it does not speak WebSocket".to_owned(),
    }
}

/// How a session is begun.
struct Begin<'a> {
    address: &'a str,
    /// Without what messages say.
    less: bool,
    /// The time for READY or RESUMED.
    within: Duration,
}

async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    hears: &impl Hears,
    mut socket: WebSocketStream<S>,
    begin: &Begin<'_>,
    resume: &mut Option<Resume>,
    was_up: &mut bool,
) -> End {
    let hello = match timeout(PATIENCE, next(&mut socket)).await {
        Ok(Said::Text(text)) => read(&text).filter(|frame| frame.op == 10).and_then(|frame| {
            let hello: Hello = serde_json::from_str(frame.d?.get()).ok()?;
            Some(hello)
        }),
        Ok(Said::End(end)) => return end,
        _ => None,
    };
    let Some(hello) = hello else { return End::Resume("the gateway did not begin with HELLO".to_owned()) };
    let every = Duration::from_millis(hello.heartbeat_interval.clamp(100, 3_600_000));
    let first = match resume {
        Some(resume) => json!({"op": 6, "d": {
            "token": hears.token(), "session_id": resume.session, "seq": resume.seq,
        }}),
        None => json!({"op": 2, "d": {
            "token": hears.token(),
            "intents": if begin.less { hears.intents() & !MESSAGE_CONTENT } else { hears.intents() },
            "properties": {"os": "linux", "browser": "opsbell", "device": "opsbell"},
            "compress": false,
        }}),
    };
    let mut seq = resume.as_ref().map(|resume| resume.seq);
    if let Err(end) = say(&mut socket, &first).await {
        return end;
    }
    let mut beat = Instant::now() + every.mul_f64(hears.chance().min(1000) as f64 / 1000.0);
    let mut answered = true;
    let mut ready_by = Instant::now() + begin.within;
    loop {
        let said = tokio::select! {
            said = next(&mut socket) => said,
            () = tokio::time::sleep_until(beat) => Said::Beat,
            // A server that takes us in and then forgets us would answer heartbeats for ever.
            () = tokio::time::sleep_until(ready_by), if !*was_up => {
                return End::Anew("the gateway took us in and did not say READY".to_owned());
            }
        };
        let text = match said {
            Said::Text(text) => text,
            Said::Nothing => continue,
            Said::End(end) => return end,
            Said::Beat => {
                if !answered {
                    // The line is dead without a word: hanging up with 1000 would end the session, so just drop it.
                    return End::Resume("a heartbeat was not answered".to_owned());
                }
                answered = false;
                beat = Instant::now() + every;
                if let Err(end) = say(&mut socket, &json!({"op": 1, "d": seq})).await {
                    return end;
                }
                continue;
            }
        };
        let Some(frame) = read(&text) else { continue };
        match frame.op {
            0 => {
                ready_by = Instant::now() + begin.within;
                if let Some(now) = frame.s {
                    seq = Some(now);
                    if let Some(resume) = resume {
                        resume.seq = now;
                    }
                }
                let (Some(name), data) = (frame.t, frame.d.map_or("null", |d| d.get())) else { continue };
                match name.as_str() {
                    "READY" => match serde_json::from_str::<Ready>(data) {
                        Ok(ready) => {
                            *was_up = true;
                            let again = ready.resume_gateway_url.clone().filter(|url| !url.is_empty());
                            *resume = Some(Resume {
                                session: ready.session_id.clone(),
                                address: again.unwrap_or_else(|| begin.address.to_owned()),
                                seq: seq.unwrap_or(0),
                            });
                            hears.ready(&ready);
                        }
                        Err(_) => return End::Anew("READY cannot be read".to_owned()),
                    },
                    "RESUMED" => {
                        *was_up = true;
                        hears.resumed();
                    }
                    name => hears.dispatch(name, data),
                }
            }
            1 => {
                if let Err(end) = say(&mut socket, &json!({"op": 1, "d": seq})).await {
                    return end;
                }
            }
            7 => return End::Resume("Discord asks to reconnect".to_owned()),
            9 => {
                let again = frame.d.is_some_and(|d| d.get() == "true");
                // Discord wants a wait of one to five seconds here.
                tokio::time::sleep(Duration::from_millis(1_000 + 2 * hears.chance().min(1000))).await;
                let why = "the session is no longer valid".to_owned();
                return if again { End::Resume(why) } else { End::Anew(why) };
            }
            11 => answered = true,
            _ => {}
        }
    }
}

fn read(text: &str) -> Option<Frame<'_>> {
    serde_json::from_str(text).ok()
}

/// What came next.
enum Said {
    Text(String),
    Nothing,
    Beat,
    End(End),
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Said {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => Said::Text(text.as_str().to_owned()),
        Some(Ok(Message::Close(frame))) => Said::End(closed(frame.map(|frame| u16::from(frame.code)))),
        Some(Ok(_)) => Said::Nothing,
        Some(Err(error)) => Said::End(End::Resume(format!("the line to the gateway broke: {}", own_words(&error)))),
        None => Said::End(End::Resume("the line to the gateway ended without a word".to_owned())),
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    words: &serde_json::Value,
) -> Result<(), End> {
    match timeout(PATIENCE, socket.send(Message::text(words.to_string()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(End::Resume(format!("the line to the gateway broke: {}", own_words(&error)))),
        Err(_) => Err(End::Resume("the gateway takes nothing any more".to_owned())),
    }
}

/// What a close code asks for (Discord's reference, "Gateway Close Event Codes").
fn closed(code: Option<u16>) -> End {
    match code {
        Some(4004) => End::Hopeless(WRONG_TOKEN.to_owned()),
        Some(code @ (4010..=4012)) => End::Hopeless(format!("the gateway closed with {code}, which no restart mends")),
        Some(4013 | 4014) => End::Intents,
        Some(code @ (4003 | 4007 | 4009)) => End::Anew(format!("the gateway closed the session ({code})")),
        Some(code) => End::Resume(format!("the gateway closed the line ({code})")),
        None => End::Resume("the gateway closed the line".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_at_half_a_minute() {
        assert_eq!(backoff(0, 1000), Duration::ZERO);
        let whole: Vec<u64> = (1..9).map(|n| backoff(n, 1000).as_secs()).collect();
        assert_eq!(whole, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff(1, 0), Duration::from_millis(500));
    }

    #[test]
    fn close_codes_say_how_to_go_on() {
        assert!(matches!(closed(None), End::Resume(_)));
        assert!(matches!(closed(Some(1006)), End::Resume(_)));
        assert!(matches!(closed(Some(4009)), End::Anew(_)));
        assert!(matches!(closed(Some(4004)), End::Hopeless(_)));
        assert!(matches!(closed(Some(4014)), End::Intents));
    }

    struct Nobody;

    impl Hears for Nobody {
        async fn address(&self) -> Result<String, NoGateway> {
            Err(NoGateway::Lost("nowhere".to_owned()))
        }
        fn token(&self) -> String {
            "t".to_owned()
        }
        fn intents(&self) -> u64 {
            INTENTS
        }
        fn ready(&self, _: &Ready) {}
        fn resumed(&self) {}
        fn dispatch(&self, _: &str, _: &str) {}
        fn lost(&self, _: &str) {}
        fn refused(&self, _: &str) {}
        fn trouble(&self, _: &str) {}
        fn chance(&self) -> u64 {
            1000
        }
    }

    #[tokio::test]
    async fn a_gateway_that_never_says_ready_is_left_although_it_answers_heartbeats() {
        use tokio_tungstenite::tungstenite::protocol::Role;
        let (ours, theirs) = tokio::io::duplex(4_096);
        let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let mut theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        let server = tokio::spawn(async move {
            let hello = json!({"op": 10, "d": {"heartbeat_interval": 100}});
            theirs.send(Message::text(hello.to_string())).await.unwrap();
            while let Some(Ok(Message::Text(text))) = theirs.next().await {
                if read(&text).is_some_and(|frame| frame.op == 1)
                    && theirs.send(Message::text(json!({"op": 11}).to_string())).await.is_err()
                {
                    return;
                }
            }
        });
        let begin = Begin { address: "ws://x/", less: false, within: Duration::from_millis(350) };
        let (mut resume, mut was_up) = (None, false);
        match session(&Nobody, ours, &begin, &mut resume, &mut was_up).await {
            End::Anew(why) => assert!(why.contains("READY"), "{why}"),
            End::Resume(why) | End::Hopeless(why) => panic!("{why}"),
            End::Intents => panic!("intents"),
        }
        server.await.unwrap();
    }
}
