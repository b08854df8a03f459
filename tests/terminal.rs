//! The terminal chat through pipes: lines in, answers and messages out; then the demo itself, as the binary people run.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opsbell::catalog;
use opsbell::chat::terminal::{Lines, OwnWords, Paint, Terminal};
use opsbell::chat::{Chat, Ended, PLATFORMS};
use opsbell::domain::command::spec::CommandSpec;
use opsbell::domain::delivery::{CHATS, ChannelRef, Content, Destination, Grant, Outcome, Priority};
use opsbell::domain::desk::{Answered, Desk, Listed, Look, RecordList, RecordQuery, Sender, View};
use opsbell::domain::id::DeliveryId;
use opsbell::domain::input::{Input, InputKind, Unavailable};
use opsbell::domain::org::Org;
use opsbell::domain::reject::Reject;
use opsbell::domain::state::State;
use opsbell::domain::time::Timestamp;
use opsbell::runtime::Core;

/// The night on which all of this happens.
fn night() -> Timestamp {
    "2026-12-25T02:00:00Z".parse().expect("a time")
}

fn org() -> Org {
    catalog::load_files(&catalog::example(), &|_| None).config.expect("the example").org
}

/// A desk that decides on the spot, at one moment of time; or is out of order.
struct FakeDesk {
    core: Mutex<Core>,
    org: Arc<Org>,
    broken: Option<Unavailable>,
    taken: Mutex<Vec<Input>>,
}

impl FakeDesk {
    fn new(broken: Option<Unavailable>) -> Arc<Self> {
        let org = Arc::new(org());
        let core = Mutex::new(Core::new(State::new("k3x9qz"), Arc::clone(&org)));
        Arc::new(Self { core, org, broken, taken: Mutex::default() })
    }
}

impl Desk for FakeDesk {
    fn submit(&self, inputs: Vec<Input>, done: Answered) {
        self.taken.lock().expect("taken").extend(inputs.iter().cloned());
        if let Some(broken) = &self.broken {
            return done(Err(broken.clone()));
        }
        let mut core = self.core.lock().expect("the core");
        done(Ok(inputs.into_iter().map(|input| core.take(night(), input).0).collect()));
    }

    fn view(&self, look: Look) -> Result<(), Unavailable> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let core = self.core.lock().expect("the core");
        let view = View { state: core.state(), org: &self.org, now: night(), durable: (0, ""), trouble: None };
        look(&view)(Ok(()));
        Ok(())
    }

    fn list(&self, _: RecordQuery, done: Listed) {
        done(Ok(RecordList::Incidents(Vec::new())));
    }
}

/// An output that can be read, and can be closed.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<(Vec<u8>, bool)>>);

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("output").0.clone()).expect("UTF-8")
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut output = self.0.lock().expect("output");
        if output.1 {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        output.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn terminal(input: impl Into<Vec<u8>>, output: &Output, own: Box<dyn OwnWords>) -> Terminal {
    let lines = Lines::Plain(Box::new(Cursor::new(input.into())));
    Terminal::new(Box::new(output.clone()), Paint::default(), lines, "bas".into(), own).expect("a terminal")
}

/// Says these lines to a fresh organisation; how it ended, and all that was shown.
fn talk(input: impl Into<Vec<u8>>, desk: &Arc<FakeDesk>) -> (Ended, String) {
    let output = Output::default();
    let ended = terminal(input, &output, Box::new(())).converse(desk.clone()).expect("it can be read");
    (ended, output.text())
}

fn post(text: &str) -> Grant {
    Grant {
        id: DeliveryId { install: "k3x9qz".into(), seq: 1, n: 0 },
        to: Destination::Channel(ChannelRef::parse("payments-ops")),
        priority: Priority::Post,
        incident: None,
        page: None,
        content: Content::Post { text: text.into() },
        attempt: 1,
        possible_repeat: false,
        owed_at: night(),
    }
}

#[test]
fn a_conversation() {
    let desk = FakeDesk::new(None);
    let (ended, text) = talk(
        "/incident declare \"cards fail\" service:payments-api severity:sev2\n\n  /ack  \nack\nhello there\n/resolv\n/quit\n/status\n",
        &desk,
    );
    assert_eq!(ended, Ended::Quit);
    insta::assert_snapshot!(text, @r#"
    bas> /incident declare "cards fail" service:payments-api severity:sev2
    INC-1 sev2 payments-api: cards fail declared.
    Paged: bas. Next step in 5 minutes.
    Next: /ack INC-1 or /incident update INC-1 "…"
    bas> /ack
    INC-1 acknowledged: nobody else is paged. It counts until 11:00.
    sev2 needs a commander: /incident role INC-1 commander NAME (you, without a name)
    Next: /incident update INC-1 "…", then /resolve INC-1
    bas> ack
    ✗ commands start with /
      did you mean `/ack`?
    bas> hello there
    ✗ commands start with /
      `/help` lists what you can say
    bas> /resolv
    ✗ there is no command `/resolv`
      did you mean `/resolve`? For example: /resolve INC-7 fixed "rolled back to 1.4.2"
    bas> /quit
    "#);
    // Only words with a slash went to the desk, as bas, from the terminal; nothing after /quit.
    let taken = desk.taken.lock().expect("taken");
    let said: Vec<&str> = taken
        .iter()
        .map(|input| {
            assert_eq!((input.by.actor.to_string().as_str(), input.by.via.as_str()), ("bas", "terminal"));
            let InputKind::Text { place, text } = &input.kind else { panic!("not a text: {input:?}") };
            assert_eq!(place.chat, "terminal");
            text.as_str()
        })
        .collect();
    assert_eq!(said, ["/incident declare \"cards fail\" service:payments-api severity:sev2", "/ack", "/resolv"]);
}

#[test]
fn a_line_that_is_an_alert_is_taken_as_one() {
    let desk = FakeDesk::new(None);
    let (_, text) = talk(
        "[FIRING:1] DiskFilling (eu-central-1b critical)\n> [FIRING:1] DiskFilling (quoted)\n[RESOLVED] DiskFilling (eu-central-1b critical)\n",
        &desk,
    );
    insta::assert_snapshot!(text, @r"
    bas> [FIRING:1] DiskFilling (eu-central-1b critical)
    Read as an alert.
    ALR-1 in INC-1
    Next: /incident show INC-1
    bas> > [FIRING:1] DiskFilling (quoted)
    ✗ commands start with /
      `/help` lists what you can say
    bas> [RESOLVED] DiskFilling (eu-central-1b critical)
    Read as an alert.
    ALR-1 recovered
    Next: /incident show INC-1
    ");
    let taken = desk.taken.lock().expect("taken");
    let by: Vec<String> = taken.iter().map(|input| format!("{} {}", input.by.actor, input.by.via)).collect();
    assert_eq!(by, ["integration:alerts-room terminal:bas"; 2], "the quoted line went nowhere");
}

#[test]
fn whatever_comes_through_the_pipe_is_answered() {
    let desk = FakeDesk::new(None);
    assert_eq!(talk("", &desk), (Ended::EndOfInput, String::new()));
    assert_eq!(talk("\n \n\t\r\n", &desk), (Ended::EndOfInput, String::new()));
    // The last line has no end.
    let (ended, text) = talk("/whoami", &desk);
    assert_eq!(ended, Ended::EndOfInput);
    assert!(text.starts_with("bas> /whoami\nYou are bas (responder"), "{text}");

    let (_, text) = talk(b"/ack \xff\xfe\x00\n/\n/ack INC-99999999999999999999999\n/ack INC-7\n".to_vec(), &desk);
    assert_eq!(text.matches('✗').count(), 4, "{text}");

    // Of a line without end only the beginning is taken, and the next line is read as one.
    let mut huge = b"/incident note ".to_vec();
    huge.resize(3 << 20, b'x');
    huge.extend_from_slice(b"\n/whoami\n");
    let (_, text) = talk(huge, &desk);
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(text.contains("✗") && text.contains("You are bas"), "{text}");
}

#[test]
fn what_others_write_cannot_command_the_terminal() {
    let desk = FakeDesk::new(None);
    let line =
        "/incident declare \"\u{1b}[2J\u{1b}]0;owned\u{7} cards\u{202e}\" service:payments-api\n/incident list\n";
    let (_, text) = talk(line, &desk);
    let tame = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
    assert!(text.contains("cards"), "{text:?}");
    assert!(text.chars().all(tame), "{text:?}");
}

#[test]
fn a_desk_out_of_order_is_told() {
    let desk = FakeDesk::new(Some(Unavailable::Journal("No space left on device".to_owned())));
    let (ended, text) = talk("/ack\nhello\n", &desk);
    assert_eq!(ended, Ended::EndOfInput);
    insta::assert_snapshot!(text, @r"
    bas> /ack
    ✗ the journal cannot be written (No space left on device); nothing was recorded, try again
    bas> hello
    ✗ commands start with /
      `/help` lists what you can say
    ");
}

#[tokio::test]
async fn a_message_is_accepted_once_it_was_written_and_never_by_a_closed_output() {
    let (output, org) = (Output::default(), org());
    let terminal = terminal("", &output, Box::new(()));
    assert_eq!(terminal.send(&post("INC-1: acknowledged by bas."), &org).await, Outcome::Accepted);
    assert_eq!(output.text(), "03:00 #payments-ops INC-1: acknowledged by bas.\n");
    // The zone is that of whoever sits there.
    terminal.seat("nur".into());
    assert_eq!(terminal.send(&post("<t:1798164000:t>"), &org).await, Outcome::Accepted);
    assert!(output.text().ends_with("10:00 #payments-ops 10:00\n"), "{}", output.text());

    output.0.lock().expect("output").1 = true;
    for _ in 0..2 {
        let outcome = terminal.send(&post("anybody there?"), &org).await;
        assert_eq!(outcome, Outcome::Permanent { reason: "the terminal's output is closed".to_owned() });
    }
    assert!(terminal.print("anybody?").is_err());
}

/// Words that cause a message before they answer.
struct Eager;

impl OwnWords for Eager {
    fn commands(&self) -> &[CommandSpec] {
        &[]
    }

    fn said(&self, terminal: &Terminal, line: &str) -> Option<Result<String, Reject>> {
        let org = org();
        // Asked once, so that it stands in the queue; nobody waits for the receipt.
        let waker = std::task::Waker::noop();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio");
        let _time = runtime.enter();
        let grant = post("from elsewhere");
        let mut sending = terminal.send(&grant, &org);
        assert!(sending.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        match line {
            "/answer" => Some(Ok("the answer".to_owned())),
            _ => None,
        }
    }
}

#[test]
fn no_message_comes_between_a_command_and_its_answer() {
    let output = Output::default();
    let terminal = terminal("/answer\n/whoami\n", &output, Box::new(Eager));
    assert_eq!(terminal.converse(FakeDesk::new(None)).expect("it can be read"), Ended::EndOfInput);
    // The messages are written after the first answer and around the second, but never within.
    let text = output.text();
    assert!(text.starts_with("bas> /answer\nthe answer\n"), "{text}");
    assert!(text.contains("bas> /whoami\nYou are bas"), "{text}");
}

#[test]
fn a_platform_is_registered_by_a_name_that_channels_can_have() {
    for platform in PLATFORMS {
        assert!(CHATS.contains(&platform.chat), "{}", platform.chat);
    }
}

/// The demo as a process; ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn demo(data: &std::path::Path) -> Demo {
    let child = Command::new(env!("CARGO_BIN_EXE_opsbell"))
        .args(["demo", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    Demo(child.expect("the binary"))
}

#[test]
fn the_demo_from_alert_to_timeline() {
    let data = tempfile::tempdir().expect("a directory");
    let mut demo = demo(data.path());
    let mut input = demo.0.stdin.take().expect("its input");
    input
        .write_all(
            b"/demo alert\n/demo skip 5m\n/ack\n/incident update \"9 in 10 work again\"\n/resolve\n/status\n\
              /demo as margriet\n/ack INC-1\n/demo as nobody\n/demo alert payment-api\n/demo skip 9y\n/demo skip soon\n\
              curl http://127.0.0.1\n/demo help\n/quit\n",
        )
        .expect("it reads");
    let mut text = String::new();
    demo.0.stdout.take().expect("its output").read_to_string(&mut text).expect("UTF-8");
    assert!(demo.0.wait().expect("its status").success(), "{text}");
    let mut rest = text.as_str();
    for expected in [
        "you are bas, on call for its payments",
        "curl -sS http://127.0.0.1:",
        "-H 'Authorization: Bearer ",
        "bas> /demo alert\nALR-1 fires at payments-api and opens INC-1.\n",
        "[page to bas] 🔴 SEV1 payments-api: ",
        "Why: on call for payments-primary, step 1 of payments\n",
        "bas> /demo skip 5m\n",
        "[sms to bas, simulated] SEV1 payments-api: ",
        "[page to cleo] 🔴 SEV1 payments-api: ",
        "Why: step 2 of payments, nobody has acknowledged\n",
        "5m later: ",
        "bas> /ack\nINC-1 acknowledged",
        "#payments-ops INC-1: acknowledged by bas.\n",
        "bas> /incident update \"9 in 10 work again\"\n",
        "#payments-ops INC-1 (sev1, acknowledged): 9 in 10 work again",
        "bas> /resolve\nINC-1 resolved",
        "bas> /status\nAll quiet: no open incidents.\n",
        "You are margriet now",
        "margriet> /ack INC-1\n✗ margriet may not do that",
        "✗ there is no person `nobody`\n",
        "✗ there is no service `payment-api`\n  did you mean `/demo alert payments-api`?",
        "✗ ",
        "✗ ",
        "✗ that is no command\n  that goes into another terminal",
        "/demo skip 5m",
        "opsbell init ./ops",
    ] {
        let at = rest
            .find(expected)
            .unwrap_or_else(|| panic!("{expected:?} is missing after this:\n{}", text.len() - rest.len()));
        rest = &rest[at + expected.len()..];
    }
}

#[test]
fn a_headless_demo_prints_a_curl_that_pages_and_serves_until_it_is_told_to_stop() {
    let data = tempfile::tempdir().expect("a directory");
    let mut keys = Vec::new();
    for round in 0..2 {
        let mut demo = demo(data.path());
        // The end of input at once.
        drop(demo.0.stdin.take());
        let (tell, told) = std::sync::mpsc::channel();
        let output = BufReader::new(demo.0.stdout.take().expect("its output"));
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        // Generous: only a demo that never says it waits so long.
        let line_with = |part: &str| loop {
            let line = told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no line with {part:?}"));
            if line.contains(part) {
                return line;
            }
        };
        let curl = line_with("curl -sS");
        keys.push(curl.split("Bearer ").nth(1).and_then(|rest| rest.split('\'').next()).expect("a key").to_owned());
        line_with("serves until SIGTERM");
        match Command::new("sh").args(["-c", &curl]).output() {
            Ok(said) if said.status.success() => {
                let said = String::from_utf8_lossy(&said.stdout).into_owned();
                assert!(said.starts_with("{\"accepted\":1,\"ignored\":0,\"rejected\":[],"), "{said}");
                if round == 0 {
                    let page = line_with("[page to bas]");
                    assert!(page.contains("CardPaymentsFail: 1 in 8 card payments fails"), "{page}");
                }
            }
            other => println!("no curl here, so it is not tried: {other:?}"),
        }
        let pid = demo.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        assert!(demo.0.wait().expect("its status").success());
        line_with("opsbell init ./ops");
    }
    assert_eq!(keys[0], keys[1], "the key is that of the data directory");
}
