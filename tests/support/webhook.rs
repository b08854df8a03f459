//! A receiver of webhooks: writes down every whole request before it answers, in the order of arrival, and answers as
//! it is told to. Its ledger is the evidence of what really arrived.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Gate, Ledger, Listener, lock};

/// The largest body that is read.
const BODY_MAX: usize = 16 << 20;

/// How a request is answered. It is in the ledger whichever way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// 200 with an empty body.
    Ok,
    /// This status, with these further headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Nothing, until the receiver is released or dropped; then 200.
    Hang,
    /// The connection is closed instead of an answer.
    Drop,
    /// 200 after this time.
    Slow(Duration),
    /// 200 and a body of so many KiB, whose length is not announced.
    Long(usize),
    /// 200 and part of its body, then nothing.
    HalfAnswer,
}

impl Behaviour {
    /// A status without further headers.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

/// One request that arrived whole.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its place in the order of arrival, from 0.
    pub n: usize,
    /// Of its connection.
    pub connection: u64,
    /// `POST /hook HTTP/1.1`.
    pub request_line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Received {
    /// A header by its name in lower case; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The idempotency key.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the message says that it may have arrived before.
    pub fn possible_repeat(&self) -> bool {
        self.json()["possible_repeat"] == true
    }
}

/// A receiver of webhooks on 127.0.0.1.
pub struct Receiver {
    listener: Listener,
    shared: Arc<Shared>,
}

/// Behaves so where nothing else was said; told the request's place in the order of arrival.
type Always = Box<dyn FnMut(usize) -> Behaviour + Send>;

struct Shared {
    ledger: Ledger<Received>,
    /// For the next requests, one each; afterwards `always`.
    script: Mutex<VecDeque<Behaviour>>,
    always: Mutex<Always>,
    gate: Gate,
    connections: AtomicU64,
}

impl Receiver {
    /// One that takes everything.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            ledger: Ledger::default(),
            script: Mutex::default(),
            always: Mutex::new(Box::new(|_| Behaviour::Ok)),
            gate: Gate::default(),
            connections: AtomicU64::new(0),
        });
        let served = shared.clone();
        Self { listener: Listener::start(move |stream| serve(stream, &served)), shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.listener.address())
    }

    /// What arrived.
    pub fn ledger(&self) -> &Ledger<Received> {
        &self.shared.ledger
    }

    /// Behaves so for the next request that nothing else was said for.
    pub fn next(&self, behaviour: Behaviour) {
        lock(&self.shared.script).push_back(behaviour);
    }

    /// Behaves so from now on, where nothing else was said.
    pub fn always(&self, behaviour: Behaviour) {
        self.always_by(move |_| behaviour.clone());
    }

    /// Behaves from now on as `choose` says for each request, where nothing else was said.
    pub fn always_by(&self, choose: impl FnMut(usize) -> Behaviour + Send + 'static) {
        *lock(&self.shared.always) = Box::new(choose);
    }

    /// Ends all hanging, for good.
    pub fn release(&self) {
        self.shared.gate.open();
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.listener.connections()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.release();
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = shared.connections.fetch_add(1, Ordering::SeqCst);
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some((request_line, headers)) = read_head(&mut reader)? {
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        let mut body = vec![0; length.unwrap_or(0).min(BODY_MAX)];
        reader.read_exact(&mut body)?;
        // Decided before it is in the ledger: who waits for the entry may then safely say what comes next.
        let behaviour = lock(&shared.script).pop_front();
        let behaviour = behaviour.unwrap_or_else(|| (*lock(&shared.always))(shared.ledger.len()));
        shared.ledger.add(|n| Received { n, connection, request_line, headers, body });
        match behaviour {
            Behaviour::Ok => answer(&mut writer, 200, &[])?,
            Behaviour::Status(status, headers) => answer(&mut writer, status, &headers)?,
            Behaviour::Drop => return Ok(()),
            Behaviour::Hang => {
                shared.gate.wait(None);
                answer(&mut writer, 200, &[])?;
            }
            Behaviour::Slow(time) => {
                shared.gate.wait(Some(time));
                answer(&mut writer, 200, &[])?;
            }
            Behaviour::Long(kib) => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = [b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat();
                for _ in 0..kib {
                    writer.write_all(&chunk)?;
                }
                writer.write_all(b"0\r\n\r\n")?;
            }
            Behaviour::HalfAnswer => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
                shared.gate.wait(None);
                return Ok(());
            }
        }
    }
    Ok(())
}

pub(super) type Head = (String, Vec<(String, String)>);

pub(super) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut request_line = String::new();
    if reader.read_line(&mut request_line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok(Some((request_line.trim_end().to_owned(), headers))),
        }
    }
}

fn answer(writer: &mut TcpStream, status: u16, headers: &[(&'static str, String)]) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Content-Length: 0\r\n\r\n");
    writer.write_all(head.as_bytes())
}
