//! The load: senders post alerts that nobody has sent before, people acknowledge and resolve some of what they are
//! paged for. They go on over every death of the server, and write down what was answered, in which life.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use serde_json::json;

use crate::random::Random;
use crate::support::client::Client;
use crate::support::server::KEY;
use crate::support::webhook::Receiver;
use crate::support::{PATIENCE, lock};

/// One body: alerts that are posted, and posted again with the same `Idempotency-Key`, until it is answered 202.
#[derive(Debug, Clone)]
struct Body {
    key: String,
    names: Vec<String>,
}

/// An acknowledgement or a resolution that was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Of which incident.
    pub incident: String,
    /// In which life.
    pub life: u32,
    /// Durable up to this commit.
    pub seq: u64,
    /// How much the receiver had in its ledger when the answer was read.
    pub received: usize,
}

/// Who serves at this moment.
#[derive(Debug, Clone)]
struct Life {
    number: u32,
    address: SocketAddr,
    token: String,
}

#[derive(Default)]
struct State {
    life: Option<Life>,
    /// It is about to be killed: whatever goes wrong now is no failure.
    doomed: bool,
    /// Bodies that may still be made.
    budget: u64,
    made: u64,
    /// Bodies whose answer was lost or was 503.
    again: VecDeque<Body>,
    under_way: usize,
    accepted: BTreeSet<String>,
    over: bool,
    /// How far the people have read what they were paged for, and how much of it they still want to answer.
    read: usize,
    unsaid: usize,
    found: Found,
}

/// What the load has seen.
#[derive(Debug, Default, Clone)]
pub struct Found {
    /// Acknowledged and resolved.
    pub answered: Vec<Answered>,
    /// A commit and its hash, as last told by a living server.
    pub head: Option<(u64, String)>,
    /// What should not have happened while the server lived.
    pub complaints: Vec<String>,
}

/// What senders, people and the test share.
pub struct Load {
    seed: u64,
    state: Mutex<State>,
    changed: Condvar,
}

impl Load {
    /// Starts `senders` connections that post, and one on which people answer.
    pub fn start(seed: u64, senders: usize, receiver: &Arc<Receiver>) -> (Arc<Self>, Vec<thread::JoinHandle<()>>) {
        let load = Arc::new(Self { seed, state: Mutex::default(), changed: Condvar::new() });
        let mut threads: Vec<_> = (0..senders)
            .map(|_| {
                let load = load.clone();
                thread::spawn(move || load.post())
            })
            .collect();
        let (people, receiver) = (load.clone(), receiver.clone());
        threads.push(thread::spawn(move || people.answer(&receiver)));
        (load, threads)
    }

    /// A server serves.
    pub fn born(&self, number: u32, address: SocketAddr, token: String) {
        let mut state = lock(&self.state);
        (state.life, state.doomed) = (Some(Life { number, address, token }), false);
        self.changed.notify_all();
    }

    /// It is about to be killed.
    pub fn doom(&self) {
        lock(&self.state).doomed = true;
    }

    /// It is dead.
    pub fn dead(&self) {
        lock(&self.state).life = None;
    }

    /// So many more bodies are sent.
    pub fn more(&self, bodies: u64) {
        lock(&self.state).budget += bodies;
        self.changed.notify_all();
    }

    /// Waits until so many alerts were accepted or there is nothing more to send.
    pub fn wait_for_accepted(&self, alerts: usize) {
        self.wait("alerts to be accepted", |state| state.accepted.len() >= alerts || state.idle());
    }

    /// Waits until everything was sent and accepted.
    pub fn wait_until_sent(&self) {
        self.wait("everything to be accepted", |state| state.idle() || !state.found.complaints.is_empty());
    }

    fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        let state = lock(&self.state);
        let (state, ended) =
            self.changed.wait_timeout_while(state, PATIENCE * 4, |state| !done(state)).expect("no thread has failed");
        assert!(
            !ended.timed_out(),
            "waited for {what}: {} accepted, {} to be sent again, {} under way; {:?}",
            state.accepted.len(),
            state.again.len(),
            state.under_way,
            state.found.complaints
        );
    }

    /// The names of all alerts that were answered 202.
    pub fn accepted(&self) -> BTreeSet<String> {
        lock(&self.state).accepted.clone()
    }

    /// How many alerts were answered 202.
    pub fn accepted_count(&self) -> usize {
        lock(&self.state).accepted.len()
    }

    /// Whether people have read so much of the receiver's ledger and answered what they wanted to.
    pub fn answered_all_of(&self, received: usize) -> bool {
        let state = lock(&self.state);
        state.read >= received && state.unsaid == 0
    }

    /// What was seen so far.
    pub fn found(&self) -> Found {
        lock(&self.state).found.clone()
    }

    /// Ends all threads.
    pub fn end(&self) {
        lock(&self.state).over = true;
        self.changed.notify_all();
    }

    fn post(&self) {
        let (mut client, mut shunned): (Option<(u32, Client)>, u32) = (None, 0);
        while let Some((life, body)) = self.next(shunned) {
            if client.as_ref().is_none_or(|(number, _)| *number != life.number) {
                client = Some((life.number, Client::new(life.address, KEY)));
            }
            let Some((_, client)) = &mut client else { continue };
            let alerts: Vec<_> = body
                .names
                .iter()
                .map(|name| {
                    let labels = json!({"alertname": name, "severity": "critical", "service": "api"});
                    json!({"status": "firing", "labels": labels, "annotations": {}})
                })
                .collect();
            let payload = json!({"version": "4", "status": "firing", "alerts": alerts}).to_string();
            let answer = client.post("/v1/ingest/alertmanager", &[("idempotency-key", &body.key)], payload.as_bytes());
            let mut state = lock(&self.state);
            state.under_way -= 1;
            match answer {
                Ok(answer) if answer.status == 202 => {
                    if answer.json()["accepted"] != body.names.len() {
                        state.found.complaints.push(format!("{body:?}: {}", answer.text()));
                    }
                    state.accepted.extend(body.names);
                }
                Ok(answer) if answer.status == 503 => state.again.push_back(body),
                Ok(answer) => state.found.complaints.push(format!("{body:?}: {} {}", answer.status, answer.text())),
                Err(error) => {
                    shunned = life.number;
                    state.lost(&life, &format!("{}: {error}", body.key));
                    state.again.push_back(body);
                }
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next body and who takes it; waits for both. `None` at the end. Nothing is sent to a server that has failed.
    fn next(&self, shunned: u32) -> Option<(Life, Body)> {
        let nothing = |state: &mut State| {
            let life = state.life.as_ref().is_some_and(|life| life.number != shunned);
            !state.over && !(life && (state.budget > 0 || !state.again.is_empty()))
        };
        let mut state = self.changed.wait_while(lock(&self.state), nothing).expect("no thread has failed");
        if state.over {
            return None;
        }
        let life = state.life.clone()?;
        state.under_way += 1;
        if let Some(body) = state.again.pop_front() {
            return Some((life, body));
        }
        state.budget -= 1;
        state.made += 1;
        let n = state.made;
        // Mostly one; several make batches of several commits, which can be torn.
        let alerts = Random::new(self.seed, &format!("body {n}")).below(10).saturating_sub(6).max(1);
        Some((life, Body { key: format!("body-{n}"), names: (0..alerts).map(|i| format!("alert-{n}-{i}")).collect() }))
    }

    /// People: a third of what pages `bas` is acknowledged, a tenth resolved, as soon as somebody serves.
    fn answer(&self, receiver: &Receiver) {
        let mut client: Option<(u32, Client)> = None;
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut unsaid: VecDeque<(&str, String)> = VecDeque::new();
        let (mut read, mut shunned) = (0, 0);
        while !lock(&self.state).over {
            for page in receiver.ledger().after(read) {
                read += 1;
                let incident = page.json()["incident"].as_str().unwrap_or_default().to_owned();
                if page.request_line.contains("/bas ") && seen.insert(incident.clone()) {
                    match Random::new(self.seed, &incident).below(10) {
                        0..=2 => unsaid.push_back(("ack", incident)),
                        3 => unsaid.push_back(("resolve", incident)),
                        _ => {}
                    }
                }
            }
            let life = {
                let mut state = lock(&self.state);
                (state.read, state.unsaid) = (read, unsaid.len());
                state.life.clone().filter(|life| life.number != shunned)
            };
            let Some((life, (word, incident))) = life.and_then(|life| Some((life, unsaid.pop_front()?))) else {
                thread::sleep(Duration::from_millis(2));
                continue;
            };
            if client.as_ref().is_none_or(|(number, _)| *number != life.number) {
                client = Some((life.number, Client::new(life.address, &life.token)));
            }
            let Some((_, client)) = &mut client else { continue };
            match self.say(client, &life, receiver, word, &incident) {
                Said::Done => {}
                Said::Later => unsaid.push_back((word, incident)),
                Said::Lost => {
                    unsaid.push_back((word, incident));
                    shunned = life.number;
                }
            }
        }
    }

    fn say(&self, client: &mut Client, life: &Life, receiver: &Receiver, word: &str, incident: &str) -> Said {
        let said = json!({"as": "bas", "text": format!("/{word} {incident}")}).to_string();
        let answer = client.post("/v1/say", &[], said.as_bytes());
        let received = receiver.ledger().len();
        // The line of the last commit that this answer waited for: a head that somebody has seen.
        let head = answer.as_ref().ok().and_then(|answer| answer.json()["seq"].as_u64()).and_then(|seq| {
            let cursor = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("journal:{}", seq - 1));
            let told = client.get(&format!("/v1/journal?limit=1&cursor={cursor}")).ok()?.json();
            let line = &told["items"][0];
            Some((line["seq"].as_u64().filter(|told| *told == seq)?, line["hash"].as_str()?.to_owned()))
        });
        let mut state = lock(&self.state);
        state.found.head = head.into_iter().chain(state.found.head.take()).max();
        match answer {
            Ok(answer) if answer.status == 200 => {
                let seq = answer.json()["seq"].as_u64().unwrap_or(u64::MAX);
                let incident = incident.to_owned();
                state.found.answered.push(Answered { incident, life: life.number, seq, received });
                Said::Done
            }
            Ok(answer) if answer.status == 503 => Said::Later,
            Ok(answer) => {
                state.found.complaints.push(format!("/{word} {incident}: {}", answer.text()));
                Said::Done
            }
            Err(error) => {
                state.lost(life, &format!("/{word} {incident}: {error}"));
                Said::Lost
            }
        }
    }
}

/// What came of saying something.
enum Said {
    /// It was answered.
    Done,
    /// Not now.
    Later,
    /// The server is gone.
    Lost,
}

impl State {
    fn idle(&self) -> bool {
        self.budget == 0 && self.again.is_empty() && self.under_way == 0
    }

    /// An answer was lost; that is a failure unless its server was being killed.
    fn lost(&mut self, life: &Life, what: &str) {
        let lives = self.life.as_ref().is_some_and(|now| now.number == life.number);
        if lives && !self.doomed {
            self.found.complaints.push(format!("lost while life {} went on: {what}", life.number));
        }
    }
}
