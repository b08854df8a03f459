//! A code host that holds deployments: GitHub-shaped and GitLab-shaped. It knows which deployments wait and with which
//! token it may be answered, takes one answer for each, and writes down every call with what it answered. It misbehaves
//! on demand. The shapes are those of GitHub's "review custom deployment protection rules" and of GitLab's "approve or
//! reject a blocked deployment".

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::webhook::read_head;
use super::{Gate, Ledger, Listener, lock};

/// Whose API it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    GitHub,
    GitLab,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This status instead of an answer; nothing is taken.
    Status(u16),
    /// Nothing is answered and nothing taken, until the host ends.
    Hang,
    /// The answer is taken, and the connection is closed before that is said.
    TakenUnsaid,
}

/// One call that arrived whole.
#[derive(Debug, Clone)]
pub struct Called {
    /// `POST /api/v4/… HTTP/1.1`.
    pub request_line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; `null` where it is no JSON.
    pub body: Value,
    /// What was answered; 0 where nothing was.
    pub status: u16,
}

impl Called {
    /// A header by its name in lower case; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A code host on 127.0.0.1.
pub struct CodeHost {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    shape: Shape,
    token: String,
    ledger: Ledger<Called>,
    /// Deployments by the path of their answer: what was decided, once it was.
    held: Mutex<BTreeMap<String, Option<String>>>,
    troubles: Mutex<VecDeque<Trouble>>,
    gate: Gate,
}

impl CodeHost {
    /// One that is answered with this token.
    pub fn start(shape: Shape, token: &str) -> Self {
        let shared = Arc::new(Shared {
            shape,
            token: token.to_owned(),
            ledger: Ledger::default(),
            held: Mutex::default(),
            troubles: Mutex::default(),
            gate: Gate::default(),
        });
        let served = shared.clone();
        Self { listener: Listener::start(move |stream| serve(stream, &served)), shared }
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Holds a deployment until this path is answered.
    pub fn hold(&self, path: &str) {
        lock(&self.shared.held).insert(path.to_owned(), None);
    }

    /// What was decided about it.
    pub fn decided(&self, path: &str) -> Option<String> {
        lock(&self.shared.held).get(path).cloned().flatten()
    }

    /// Every call.
    pub fn ledger(&self) -> &Ledger<Called> {
        &self.shared.ledger
    }

    /// The next call goes wrong.
    pub fn trouble(&self, trouble: Trouble) {
        lock(&self.shared.troubles).push_back(trouble);
    }
}

impl Drop for CodeHost {
    fn drop(&mut self) {
        self.shared.gate.open();
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some((request_line, headers)) = read_head(&mut reader)? {
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
        let mut body = vec![0; header("content-length").parse().unwrap_or(0_usize).min(1 << 20)];
        reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let trouble = lock(&shared.troubles).pop_front();
        let (status, said) = match trouble {
            Some(Trouble::Status(status)) => (status, json!({"message": "trouble"})),
            Some(Trouble::Hang) => (0, Value::Null),
            _ => judge(shared, &request_line, &header, &body),
        };
        let told = if trouble == Some(Trouble::TakenUnsaid) { 0 } else { status };
        shared.ledger.add(|_| Called { request_line, headers: headers.clone(), body, status: told });
        match trouble {
            Some(Trouble::Hang) => {
                shared.gate.wait(None);
                return Ok(());
            }
            Some(Trouble::TakenUnsaid) => return Ok(()),
            _ => {
                let said = if status == 204 { String::new() } else { said.to_string() };
                let length = said.len();
                write!(writer, "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n{said}")?;
            }
        }
    }
    Ok(())
}

/// What the host says to a call, and does.
fn judge<'h>(shared: &Shared, line: &str, header: &dyn Fn(&str) -> &'h str, body: &Value) -> (u16, Value) {
    let says = |status: u16, message: &str| (status, json!({ "message": message }));
    let authorised = match shared.shape {
        Shape::GitHub => header("authorization") == format!("Bearer {}", shared.token),
        Shape::GitLab => header("private-token") == shared.token,
    };
    if !authorised {
        return says(401, "401 Unauthorized");
    }
    let mut words = line.split(' ');
    let (Some("POST"), Some(path)) = (words.next(), words.next()) else { return says(405, "405 Method Not Allowed") };
    if header("content-type") != "application/json" {
        return says(415, "415 Unsupported Media Type");
    }
    let (word, fits) = match shared.shape {
        Shape::GitHub => (&body["state"], body["environment_name"].is_string()),
        Shape::GitLab => (&body["status"], true),
    };
    let Some(word @ ("approved" | "rejected")) = word.as_str().filter(|_| fits && body["comment"].is_string()) else {
        return says(422, "Validation Failed");
    };
    let mut held = lock(&shared.held);
    match (held.get_mut(path), shared.shape) {
        (None, _) => says(404, "404 Not Found"),
        (Some(Some(_)), Shape::GitHub) => says(422, "No pending deployment requests to approve or reject"),
        (Some(Some(_)), Shape::GitLab) => says(400, "This deployment is not waiting for approvals."),
        (Some(open), shape) => {
            *open = Some(word.to_owned());
            match shape {
                Shape::GitHub => (204, Value::Null),
                Shape::GitLab => (201, json!({"user": {"id": 1}, "status": word, "comment": body["comment"]})),
            }
        }
    }
}
