//! A place to serve at: a configuration, a data directory, receivers with their ledgers.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::client::Answer;
use crate::support::server::{Server, ending, opsbell, run, said};
use crate::support::webhook::{Received, Receiver};

/// The configuration of these tests: `bas` is paged first, `cleo` after an hour; the operators have a receiver of
/// their own. Words in capitals are replaced.
const CONFIG: &str = r#"
[defaults]
service = "api"
notify.high = ["webhook"]
notify.low = ["webhook"]
[operators]
webhooks = ["operators"]
[[webhook]]
id = "pager"
url = "PAGER"
[[webhook]]
id = "operators"
url = "OPERATORS"
[[person]]
id = "bas"
webhook = "pager"
[[person]]
id = "cleo"
webhook = "operators"
[[team]]
id = "payments"
escalation = "payments"
[[escalation]]
id = "payments"
steps = [{ page = ["person:bas"], escalate_after = "1h" }, { page = ["person:cleo"], escalate_after = "1h" }]
[[service]]
id = "api"
team = "payments"
[[integration]]
id = "prometheus"
source = "alertmanager"
key_env = "OPSBELL_KEY_PROMETHEUS"
"#;

/// Where one test serves.
pub struct Place {
    pub config: PathBuf,
    pub data: PathBuf,
    /// Where `bas` is paged.
    pub pager: Receiver,
    /// Where the operators are told.
    pub operators: Receiver,
    // Gone with the place.
    _dir: tempfile::TempDir,
}

impl Place {
    /// A fresh one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (config, data) = (dir.path().join("ops"), dir.path().join("data"));
        fs::create_dir(&config).expect("a directory");
        let place = Self { config, data, pager: Receiver::start(), operators: Receiver::start(), _dir: dir };
        place.configure(&place.usual());
        place
    }

    /// The usual configuration.
    pub fn usual(&self) -> String {
        CONFIG.replace("PAGER", &self.pager.url()).replace("OPERATORS", &self.operators.url())
    }

    /// Writes the configuration, as an editor does: the file is there as a whole or not at all.
    pub fn configure(&self, text: &str) {
        let fresh = self.config.join("fresh");
        fs::write(&fresh, text).expect("a file");
        fs::rename(fresh, self.config.join("opsbell.toml")).expect("a file");
    }

    /// Starts the server.
    pub fn serve(&self) -> Server {
        Server::start(&self.config, &self.data)
    }

    /// Starts it, waits until it listens, and stops it; whether that went well.
    pub fn serve_and_stop(&self) -> bool {
        let mut server = self.serve();
        server.address();
        server.stop().success()
    }

    /// Starts one that is expected to refuse; what it said and its exit status.
    pub fn refused(&self) -> (String, Option<i32>) {
        let mut command = opsbell();
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&self.config);
        command.arg("--data").arg(&self.data);
        let output = ending(command);
        (said(&output), output.status.code())
    }

    /// `opsbell journal verify`, which has to find the journal whole.
    pub fn verify(&self) {
        let output = run(&["journal", "verify", "--data", &text(&self.data)]);
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An Alertmanager payload with one alert of this name.
pub fn payload(name: &str) -> String {
    let labels = serde_json::json!({"alertname": name, "severity": "critical", "service": "api"});
    serde_json::json!({"version": "4", "alerts": [{"status": "firing", "labels": labels}]}).to_string()
}

/// Sends an alert.
pub fn alert(server: &mut Server, name: &str) -> Answer {
    server.sender().post("/v1/ingest/alertmanager", &[], payload(name).as_bytes()).expect("an answer")
}

/// Sends an alert that has to be taken.
pub fn fire(server: &mut Server, name: &str) {
    let answer = alert(server, name);
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// The pages of a ledger that are about something with this in its title.
pub fn pages<'a>(ledger: &'a [Received], title: &'a str) -> impl Iterator<Item = &'a Received> {
    ledger.iter().filter(move |received| {
        let body = received.json();
        body["type"] == "page" && body["title"].as_str().unwrap_or_default().contains(title)
    })
}

/// Waits for the first page with this in its title.
pub fn paged(receiver: &Receiver, title: &str) -> Received {
    let what = format!("a page about {title}");
    let ledger = receiver.ledger().wait_until(&what, |ledger| pages(ledger, title).next().is_some());
    let page = pages(&ledger, title).next();
    page.expect("waited for").clone()
}

/// Waits for a notice that says this.
pub fn noticed(receiver: &Receiver, words: &str) -> Value {
    let says = |received: &Received| {
        let body = received.json();
        body["type"] == "notice" && body["text"].as_str().unwrap_or_default().contains(words)
    };
    let what = format!("a notice with {words:?}");
    let ledger = receiver.ledger().wait_until(&what, |ledger| ledger.iter().any(says));
    let notice = ledger.iter().find(|received| says(received));
    notice.expect("waited for").json()
}
