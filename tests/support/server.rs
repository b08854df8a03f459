//! The real binary as a process: started on a configuration and a data directory, asked over HTTP, stopped or killed.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::PATIENCE;
use super::client::{Answer, Client};

/// The key of the integration `prometheus` in every configuration of these tests.
pub const KEY: &str = "key-of-prometheus";

/// The binary with what the configurations of these tests name in the environment.
pub fn opsbell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsbell"));
    command.env("OPSBELL_KEY_PROMETHEUS", KEY).env_remove("OPSBELL_CONFIG").env_remove("OPSBELL_DATA");
    command.stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn run(args: &[&str]) -> Output {
    opsbell().args(args).output().expect("the binary runs")
}

/// Waits for a command to end by itself; panics, and kills it, when it does not.
pub fn ending(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut ended = false;
    for _ in 0..PATIENCE.as_millis() / 10 {
        ended = child.try_wait().expect("a child").is_some();
        if ended {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().expect("its output");
    assert!(ended, "it goes on instead of ending: {}", said(&output));
    output
}

/// What it printed, for assertions.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Looks again and again until there is something; panics after a time that only a failing test ever waits.
pub fn poll<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    const STEP: Duration = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(waited < patience, "waited {patience:?} for {what}");
        // Looking less often as time passes keeps a busy machine free for the one that is waited for.
        let step = STEP.max(waited / 50);
        thread::sleep(step);
        waited += step;
    }
}

/// A running `opsbell serve`; killed when it is dropped.
pub struct Server {
    child: Child,
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts it on a free port. Its log is appended to `DATA.log`, beside the data directory.
    pub fn start(config: &Path, data: &Path) -> Self {
        let mut command = opsbell();
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).arg("--data").arg(data);
        Self::start_by(command, data)
    }

    /// The same by a command of one's own.
    pub fn start_by(mut command: Command, data: &Path) -> Self {
        let log = data.with_extension("log");
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().expect("it starts");
        Self { child, data: data.to_owned(), log }
    }

    /// Its number as a process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, once it does; `None` while it is starting.
    pub fn address_now(&self) -> Option<SocketAddr> {
        let told: serde_json::Value = serde_json::from_slice(&fs::read(self.data.join("server.json")).ok()?).ok()?;
        // What a killed process left there counts for nothing.
        (told["pid"] == self.pid()).then(|| told["address"].as_str()?.parse().ok())?
    }

    /// Where it listens; panics, with the end of its log, when it ends instead.
    pub fn address(&mut self) -> SocketAddr {
        poll("the server to listen", PATIENCE * 4, || {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("opsbell serve ended with {status}:\n{}", self.log());
            }
            self.address_now()
        })
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// A client with the administrator's token.
    pub fn client(&mut self) -> Client {
        let address = self.address();
        let token = fs::read_to_string(self.data.join("admin.token")).expect("a token");
        Client::new(address, token.trim())
    }

    /// A client with the integration's key.
    pub fn sender(&mut self) -> Client {
        Client::new(self.address(), KEY)
    }

    /// Says something as a person.
    pub fn say(&mut self, person: &str, text: &str) -> Answer {
        let body = serde_json::json!({"as": person, "text": text}).to_string();
        self.client().post("/v1/say", &[], body.as_bytes()).expect("an answer")
    }

    /// Asks for a path as the administrator; panics unless it is answered 200.
    pub fn get(&mut self, path: &str) -> serde_json::Value {
        let answer = self.client().get(path).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Sends a signal by its name (`TERM`, `HUP`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.expect("kill runs").success(), "no process {} to signal", self.pid());
    }

    /// Kills it: no clean-up of any kind.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Stops it by SIGTERM; panics unless it ends within ten seconds.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        // The promise is ten seconds; what comes on top is for a machine that is busy with other tests.
        poll("the end after SIGTERM", Duration::from_secs(10), || self.child.try_wait().expect("a child"))
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> ExitStatus {
        poll("the end", PATIENCE, || self.child.try_wait().expect("a child"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
