//! The real binary is killed by SIGKILL at random moments under load, again and again on the same data directory. What
//! was answered 202 has to be there, every page has to stand in the receiver's own ledger, every repeat has to say so.
//! `OPSBELL_CRASH_POINTS` (20) says how often, `OPSBELL_CRASH_SEED` repeats a run's plan (not its thread timing).

#![cfg(feature = "cli")]

#[path = "crash/check.rs"]
mod check;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/random.rs"]
mod random;
mod support;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use check::Summary;
use load::Load;
use random::Random;
use support::PATIENCE;
use support::server::{Server, poll, run, said};
use support::webhook::{Behaviour, Receiver};

/// Deaths of one data directory; a new one also sees the first start.
const POINTS_EACH: u64 = 25;
/// Connections that post.
const SENDERS: usize = 6;

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After so many more alerts were accepted: in the middle of writes.
    Accepted(u64),
    /// While the receiver holds a request: in the middle of a send.
    Held,
    /// So many microseconds after it was started, whether it listens or not.
    Starting(u64),
    /// As soon as it listens.
    Listening,
    /// When nothing is under way but the wait for the next step.
    Waiting,
    /// So many microseconds after SIGTERM.
    Stopping(u64),
}

impl Moment {
    fn random(random: &mut Random) -> Self {
        match random.below(16) {
            0..=5 => Self::Accepted(random.between(1, 15)),
            6..=9 => Self::Held,
            10 | 11 => Self::Starting(random.below(150_000)),
            12 => Self::Listening,
            13 | 14 => Self::Waiting,
            _ => Self::Stopping(random.below(20_000)),
        }
    }
}

#[test]
fn whenever_it_is_killed_no_accepted_alert_and_no_page_is_lost() {
    let points = number("OPSBELL_CRASH_POINTS").unwrap_or(20);
    let seed = number("OPSBELL_CRASH_SEED").unwrap_or_else(any_seed);
    // Past the test's own capture: a failure has to be repeatable.
    let tell = |text: &str| drop(writeln!(std::io::stderr(), "{text}"));
    tell(&format!("crash: {points} points, OPSBELL_CRASH_SEED={seed}"));
    let (mut sum, mut done) = (Summary::default(), 0);
    while done < points {
        let now = POINTS_EACH.min(points - done);
        sum += house(seed.wrapping_add(done), now);
        done += now;
        tell(&format!("crash: {done} of {points} points, {sum:?}"));
    }
    tell(&format!(
        "crash: {points} points, seed {seed}: {} alerts accepted, {} pages in {} requests, {} repeats, all marked, {} \
         acknowledged or resolved; {} writes were torn; 0 alerts lost, 0 pages missed",
        sum.alerts, sum.pages, sum.requests, sum.repeats, sum.answered, sum.torn
    ));
}

/// One data directory through all its lives.
fn house(seed: u64, points: u64) -> Summary {
    let dir = tempfile::tempdir().expect("a directory");
    let mut random = Random::new(seed, "plan");
    let receiver = Arc::new(Receiver::start());
    receiver.always_by(behaviours(seed));
    let (load, threads) = Load::start(seed, SENDERS, &receiver);
    let mut house = House {
        data: dir.path().join("data"),
        dir: dir.path().to_owned(),
        receiver,
        load,
        life: 0,
        head: None,
        torn: 0,
    };
    for _ in 0..points {
        house.load.more(random.between(4, 14));
        let moment = Moment::random(&mut random);
        let micros = random.below(4_000);
        house.live_and_die(moment, Duration::from_micros(micros));
        // Sometimes it stays dead until the second step is overdue.
        if random.below(8) == 0 {
            thread::sleep(Duration::from_millis(random.between(500, 2_500)));
        }
    }
    let summary = house.settle();
    for thread in threads {
        thread.join().expect("no thread has failed");
    }
    summary
}

struct House {
    dir: PathBuf,
    data: PathBuf,
    receiver: Arc<Receiver>,
    load: Arc<Load>,
    life: u32,
    /// What `journal verify` said last.
    head: Option<(u64, String)>,
    /// Deaths in the middle of a write, as it saw them.
    torn: u64,
}

impl House {
    fn start(&mut self) -> Server {
        self.life += 1;
        let config = self.dir.join("ops");
        fs::create_dir_all(&config).expect("a directory");
        let at = format!("http://{}/{}", self.receiver.address(), self.life);
        fs::write(config.join("opsbell.toml"), CONFIG.replace("RECEIVER", &at)).expect("a file");
        Server::start(&config, &self.data)
    }

    fn born(&self, server: &mut Server) {
        let address = server.address();
        let token = fs::read_to_string(self.data.join("admin.token")).expect("a token");
        self.load.born(self.life, address, token.trim().to_owned());
    }

    fn live_and_die(&mut self, moment: Moment, then: Duration) {
        let mut server = self.start();
        if let Moment::Starting(micros) = moment {
            thread::sleep(Duration::from_micros(micros));
        } else {
            self.born(&mut server);
            let (accepted, received) = (self.load.accepted_count(), self.receiver.ledger().len());
            match moment {
                Moment::Accepted(more) => self.load.wait_for_accepted(accepted + more as usize),
                Moment::Held => {
                    self.load.more(1);
                    self.receiver.next(Behaviour::Slow(Duration::from_millis(300)));
                    self.receiver.ledger().wait_for(received + 1);
                }
                Moment::Waiting => self.load.wait_until_sent(),
                Moment::Starting(_) | Moment::Listening | Moment::Stopping(_) => {}
            }
            match moment {
                Moment::Stopping(_) => {}
                // Somewhere between the steps of what was paged.
                Moment::Waiting => thread::sleep(then * 300),
                _ => thread::sleep(then),
            }
        }
        self.load.doom();
        if let Moment::Stopping(micros) = moment {
            server.signal("TERM");
            thread::sleep(Duration::from_micros(micros));
        }
        server.kill().expect("it can be killed");
        self.load.dead();
        self.verify(moment);
    }

    /// The journal is whole, and none of what was noted before is missing from it.
    fn verify(&mut self, moment: Moment) {
        if !self.data.join("journal").is_dir() {
            assert_eq!(self.load.accepted_count(), 0, "alerts were accepted without a journal");
            return;
        }
        let told = self.load.found().head;
        let noted = self.head.take().into_iter().chain(told).max();
        let head = noted.as_ref().map(|(seq, hash)| format!("{seq}:{hash}"));
        let data = self.data.to_string_lossy().into_owned();
        let mut args = vec!["journal", "verify", "--json", "--data", &data];
        if let Some(head) = head.as_ref().filter(|head| !head.starts_with("0:")) {
            args.extend(["--head", head]);
        }
        let verified = run(&args);
        assert!(verified.status.success(), "life {} ended by {moment:?}: {}", self.life, said(&verified));
        let report: serde_json::Value = serde_json::from_slice(&verified.stdout).expect("JSON");
        let seq = report["last_seq"].as_u64().expect("a number");
        let answered = self.load.found().answered.iter().map(|answered| answered.seq).max().unwrap_or(0);
        assert!(seq >= answered, "life {}: commit {answered} was answered, the journal ends at {seq}", self.life);
        self.torn += report["torn"].as_u64().unwrap_or(0);
        self.head = Some((seq, report["last_hash"].as_str().expect("a hash").to_owned()));
    }

    /// The last life: everything is sent, everybody is paged, nothing is owed. Then all is compared.
    fn settle(mut self) -> Summary {
        self.receiver.always(Behaviour::Ok);
        let mut server = self.start();
        self.born(&mut server);
        self.load.wait_until_sent();
        let mut client = server.client();
        poll("all pages to arrive", PATIENCE * 4, || {
            let ledger = self.receiver.ledger().all();
            let owed = client.get("/metrics").expect("an answer").text();
            let owed = !owed.lines().any(|line| line == "opsbell_deliveries_owed 0");
            let still = !owed && self.load.answered_all_of(self.receiver.ledger().len());
            (still && check::waits(&mut client, &ledger).is_empty()).then_some(())
        });
        self.load.end();
        let (accepted, found) = (self.load.accepted(), self.load.found());
        let mut summary = check::check(&mut client, &accepted, &found, &self.receiver.ledger().all());
        drop(client);
        let status = server.stop();
        assert!(status.success(), "stopped by SIGTERM: {status}");
        self.verify(Moment::Waiting);
        summary.torn = self.torn;
        summary
    }
}

const CONFIG: &str = r#"
[defaults]
service = "api"
notify.high = ["webhook"]
notify.low = ["webhook"]
[operators]
webhooks = ["operators"]
[[webhook]]
id = "bas"
url = "RECEIVER/bas"
[[webhook]]
id = "cleo"
url = "RECEIVER/cleo"
[[webhook]]
id = "operators"
url = "RECEIVER/operators"
[[person]]
id = "bas"
webhook = "bas"
[[person]]
id = "cleo"
webhook = "cleo"
[[team]]
id = "payments"
escalation = "payments"
[[escalation]]
id = "payments"
steps = [
  { page = ["person:bas"], escalate_after = "2s" },
  { page = ["person:cleo"], escalate_after = "2h" },
]
[[service]]
id = "api"
team = "payments"
[[integration]]
id = "prometheus"
source = "alertmanager"
key_env = "OPSBELL_KEY_PROMETHEUS"
"#;

/// A receiver that is mostly well.
fn behaviours(seed: u64) -> impl FnMut(usize) -> Behaviour + Send + 'static {
    move |n| {
        let mut random = Random::new(seed, &format!("request {n}"));
        match random.below(100) {
            0..=4 => Behaviour::Slow(Duration::from_millis(random.between(5, 150))),
            5..=8 => Behaviour::status(if random.below(2) == 0 { 500 } else { 503 }),
            9..=12 => Behaviour::Drop,
            _ => Behaviour::Ok,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "how much is tested is said from outside")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn any_seed() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("randomness");
    u64::from(u32::from_le_bytes(bytes))
}
