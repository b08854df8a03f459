//! A mail server: takes mails on 127.0.0.1 in the clear, writes down every message that came whole, in the order of
//! arrival, and fails at any stage it is told to.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use super::{Gate, Ledger, Listener, lock};

/// A stage of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the server has said anything.
    Greeting,
    /// At `EHLO`.
    Hello,
    /// At `AUTH`.
    Auth,
    /// At `MAIL FROM`.
    From,
    /// At `RCPT TO`.
    To,
    /// At `DATA`.
    Data,
    /// After the whole message; it is in the ledger.
    Message,
}

/// What goes wrong at a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This reply: code and words.
    Reply(u16, &'static str),
    /// The connection is closed.
    Drop,
    /// Nothing more is said, until the server is released or dropped.
    Hang,
}

/// One message that came whole.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its place in the order of arrival, from 0.
    pub n: usize,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The message, dots unstuffed, lines ended by `\r\n`.
    pub data: String,
    /// Whether its client was told that it was taken.
    pub taken: bool,
}

impl Mail {
    /// A header, unfolded but not decoded; empty when it is missing.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
        let known = |line: &&str| line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
        let found = head.split("\r\n").find(known).and_then(|line| line.split_once(':'));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    /// The body as its reader sees it (decoded from quoted-printable or base64), lines ended by `\n`.
    pub fn text(&self) -> String {
        let body = self.data.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let bytes = match self.header("Content-Transfer-Encoding").as_str() {
            "base64" => {
                use base64::Engine as _;
                let joined: String = body.split_whitespace().collect();
                base64::engine::general_purpose::STANDARD.decode(joined).expect("base64")
            }
            "quoted-printable" => unquoted(body),
            _ => body.as_bytes().to_vec(),
        };
        String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n").trim_end().to_owned()
    }
}

/// A mail server on 127.0.0.1.
pub struct MailServer {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Ledger<Mail>,
    /// For the next conversations, one each; afterwards all goes well.
    script: Mutex<VecDeque<(Stage, Fault)>>,
    gate: Gate,
}

impl MailServer {
    /// One that takes everything, also any login by `AUTH PLAIN`.
    pub fn start() -> Self {
        let shared = Arc::new(Shared { ledger: Ledger::default(), script: Mutex::default(), gate: Gate::default() });
        let served = shared.clone();
        Self { listener: Listener::start(move |stream| Conversation::start(stream, &served)?.run()), shared }
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What arrived.
    pub fn ledger(&self) -> &Ledger<Mail> {
        &self.shared.ledger
    }

    /// Fails so in the next conversation that nothing else was said for.
    pub fn next(&self, stage: Stage, fault: Fault) {
        lock(&self.shared.script).push_back((stage, fault));
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.listener.connections()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.shared.gate.open();
    }
}

struct Conversation<'a> {
    shared: &'a Shared,
    fault: Option<(Stage, Fault)>,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl<'a> Conversation<'a> {
    fn start(stream: TcpStream, shared: &'a Shared) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let fault = lock(&shared.script).pop_front();
        Ok(Self { shared, fault, writer: stream.try_clone()?, reader: BufReader::new(stream) })
    }

    /// Replies as scripted, or well; an error ends the conversation.
    fn reply(&mut self, stage: Stage, well: &str) -> io::Result<()> {
        match &self.fault {
            Some((at, fault)) if *at == stage => match fault {
                Fault::Reply(code, words) => write!(self.writer, "{code} {words}\r\n"),
                Fault::Drop => Err(io::ErrorKind::ConnectionAborted.into()),
                Fault::Hang => {
                    self.shared.gate.wait(None);
                    Err(io::ErrorKind::TimedOut.into())
                }
            },
            _ => write!(self.writer, "{well}\r\n"),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    fn run(&mut self) -> io::Result<()> {
        self.reply(Stage::Greeting, "220 fake.example ESMTP")?;
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = self.line()?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match word.as_str() {
                "EHLO" | "HELO" => self.reply(Stage::Hello, "250-fake.example\r\n250-8BITMIME\r\n250 AUTH PLAIN")?,
                "AUTH" => self.reply(Stage::Auth, "235 2.7.0 Welcome")?,
                "MAIL" => {
                    from = address(&line);
                    self.reply(Stage::From, "250 2.1.0 Ok")?;
                }
                "RCPT" => {
                    to.push(address(&line));
                    self.reply(Stage::To, "250 2.1.5 Ok")?;
                }
                "DATA" => {
                    self.reply(Stage::Data, "354 Go on")?;
                    if matches!(self.fault, Some((Stage::Data, _))) {
                        continue;
                    }
                    let data = self.message()?;
                    let taken = !matches!(self.fault, Some((Stage::Message, _)));
                    let (from, to) = (std::mem::take(&mut from), std::mem::take(&mut to));
                    self.shared.ledger.add(|n| Mail { n, from, to, data, taken });
                    self.reply(Stage::Message, "250 2.0.0 Taken")?;
                }
                "QUIT" => return write!(self.writer, "221 2.0.0 Bye\r\n"),
                _ => write!(self.writer, "502 5.5.2 Not here\r\n")?,
            }
        }
    }

    fn message(&mut self) -> io::Result<String> {
        let mut data = String::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(data);
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
            data.push_str("\r\n");
        }
    }
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn unquoted(body: &str) -> Vec<u8> {
    let joined = body.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).expect("two hex digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}
