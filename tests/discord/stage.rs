//! The organisation of these tests, served beside a fake Discord.

use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::discord::{Discord, Shown, TOKEN};
use crate::support::server::{Server, opsbell};

/// On call first.
pub const BAS: u64 = 204_255_221_017_214_977;
/// On call second.
pub const CLEO: u64 = 204_255_221_017_214_978;
/// May read and declare.
pub const DEWI: u64 = 204_255_221_017_214_979;
/// Nobody of the organisation.
pub const STRANGER: u64 = 204_255_221_017_214_999;

/// The configuration; `{api}` is where Discord is, `{hook}` where webhooks go.
const CONFIG: &str = r#"
[server]
link_hosts = ["wiki.ej.example"]
[operators]
webhooks = ["desk"]
channel = "discord:platform-ops"
[defaults]
service = "platform"
notify.high = ["chat", "webhook after 3m"]
notify.low = ["chat"]
[chat.discord]
api_base = "{api}"
[[webhook]]
id = "desk"
url = "{hook}"
[[person]]
id = "bas"
discord = "204255221017214977"
webhook = "desk"
role = "admin"
[[person]]
id = "cleo"
discord = "204255221017214978"
webhook = "desk"
[[person]]
id = "dewi"
discord = "204255221017214979"
webhook = "desk"
role = "stakeholder"
[[team]]
id = "payments"
channel = "discord:payments-ops"
escalation = "payments"
[[escalation]]
id = "payments"
steps = [
  { page = ["person:bas"], escalate_after = "5m" },
  { page = ["person:cleo"], escalate_after = "10m" },
]
[[service]]
id = "payments-api"
team = "payments"
runbook = "https://wiki.ej.example/payments"
[[service]]
id = "platform"
team = "payments"
runbook = "https://elsewhere.example/platform"
[[integration]]
id = "prometheus"
source = "alertmanager"
service = "payments-api"
key_env = "OPSBELL_KEY_PROMETHEUS"
"#;

/// The configuration on a Discord, with webhooks going somewhere.
pub fn config(discord: &Discord, hook: &str) -> String {
    CONFIG.replace("{api}", &discord.api_base()).replace("{hook}", hook)
}

/// A served organisation.
pub struct Stage {
    /// Its Discord.
    pub discord: Discord,
    /// The process.
    pub server: Server,
    dir: TempDir,
}

impl Stage {
    /// Everything as usual; webhooks go nowhere.
    pub fn start() -> Self {
        Self::with("", "http://127.0.0.1:9/")
    }

    /// With more configuration, and somewhere for webhooks to go.
    pub fn with(more: &str, hook: &str) -> Self {
        Self::on(Discord::start(), more, hook)
    }

    /// The same on a Discord that was prepared.
    pub fn on(discord: Discord, more: &str, hook: &str) -> Self {
        let config = config(&discord, hook) + more;
        Self::made(discord, &config)
    }

    /// The same of which Discord will know nothing.
    pub fn unconnected(discord: Discord, more: &str, hook: &str) -> Self {
        let config = config(&discord, hook) + more;
        Self::served(discord, &config, &[])
    }

    fn served(discord: Discord, config: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("it works");
        fs::create_dir(dir.path().join("config")).expect("it works");
        for (name, text) in files {
            let path = dir.path().join("config").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it works");
            fs::write(path, text).expect("it works");
        }
        fs::write(dir.path().join("config/opsbell.toml"), config).expect("it works");
        let server = serve(&dir);
        let mut stage = Self { discord, server, dir };
        stage.server.address();
        stage
    }

    /// By a configuration of one's own.
    pub fn made(discord: Discord, config: &str) -> Self {
        Self::made_with(discord, config, &[])
    }

    /// The same with more files beside it.
    pub fn made_with(discord: Discord, config: &str, files: &[(&str, &str)]) -> Self {
        let stage = Self::served(discord, config, files);
        stage.discord.wait_for_sessions(1);
        stage.discord.requests.wait_until("the commands", |all| {
            all.iter().any(|one| one.method == "PUT" && one.path.ends_with("/commands"))
        });
        stage
    }

    /// Another configuration, taken while it runs.
    pub fn reconfigure(&self, config: &str) {
        fs::write(self.dir.path().join("config/opsbell.toml"), config).expect("it works");
        self.server.signal("HUP");
    }

    /// Where `config` and `data` are.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The process is killed and started again on the same data.
    pub fn killed_and_started(self) -> Self {
        self.killed().start_again()
    }

    /// The process is killed.
    pub fn killed(self) -> Down {
        let Self { discord, server, dir } = self;
        server.kill().expect("it works");
        Down { discord, dir }
    }

    /// One alert fires under a key.
    pub fn alert(&mut self, title: &str, key: &str, severity: &str) {
        self.send(title, key, severity, "firing");
    }

    /// It is over.
    pub fn clear(&mut self, title: &str, key: &str) {
        self.send(title, key, "critical", "resolved");
    }

    fn send(&mut self, title: &str, key: &str, severity: &str, status: &str) {
        let body = alert_body(title, key, severity, status);
        let answer =
            self.server.sender().post("/v1/ingest/alertmanager", &[], body.to_string().as_bytes()).expect("it works");
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// The page of somebody about an incident.
    pub fn page_of(&self, user: u64, incident: &str) -> Shown {
        let direct = self.discord.direct(user);
        let wanted = format!("({incident})");
        self.discord.wait_for_message(&format!("a page of {user}"), |shown| {
            shown.channel == direct && shown.content.contains(&wanted)
        })
    }

    /// An incident's record.
    pub fn incident(&mut self, id: &str) -> serde_json::Value {
        self.server.get(&format!("/v1/incidents/{id}"))
    }
}

/// What Alertmanager posts of one alert.
pub fn alert_body(title: &str, key: &str, severity: &str, status: &str) -> serde_json::Value {
    let ends = if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-12-25T03:00:00Z" };
    serde_json::json!({
        "version": "4", "groupKey": key, "status": status, "receiver": "opsbell", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example",
        "alerts": [{
            "status": status, "fingerprint": key, "startsAt": "2026-12-25T02:00:00Z", "endsAt": ends,
            "labels": {"alertname": key, "severity": severity, "service": "payments-api"},
            "annotations": {"summary": title}, "generatorURL": "http://p.example"
        }]
    })
}

/// An organisation that nobody serves just now.
pub struct Down {
    /// Its Discord.
    pub discord: Discord,
    dir: TempDir,
}

impl Down {
    /// The process is started on the same data.
    pub fn start_again(self) -> Stage {
        let sessions = self.discord.gateway.all().iter().filter(|line| line.starts_with("identified")).count();
        let mut server = serve(&self.dir);
        server.address();
        self.discord.wait_for_sessions(sessions + 1);
        Stage { discord: self.discord, server, dir: self.dir }
    }
}

fn serve(dir: &TempDir) -> Server {
    let mut command = opsbell();
    command.env("OPSBELL_DISCORD_TOKEN", TOKEN).stdin(Stdio::null());
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(dir.path().join("config"));
    command.arg("--data").arg(dir.path().join("data"));
    Server::start_by(command, &dir.path().join("data"))
}

/// A text without what changes from run to run: times, ids of deliveries, numbers of channels.
pub fn steady(text: &str) -> String {
    let times = regex::Regex::new(r"<t:\d+:").expect("it works");
    let ids = regex::Regex::new(r"\b[a-z0-9]{4,8}-[0-9a-z]+\.\d+\b").expect("it works");
    ids.replace_all(&times.replace_all(text, "<t:…:"), "DELIVERY").into_owned()
}
