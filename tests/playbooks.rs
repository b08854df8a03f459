//! The real binary is killed by SIGKILL inside every kind of step, and started again: what may be done twice is done again,
//! of what may not a person is asked, what was done inside Opsbell stands there once, and everything that waits goes on.

#![cfg(feature = "cli")]
// What is unwrapped is what the test is about.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::PATIENCE;
use support::server::{Server, poll};
use support::webhook::{Behaviour, Receiver};

const CONFIG: &str = r#"
[defaults]
service = "api"
notify.high = ["webhook"]
notify.low = ["webhook"]
[operators]
webhooks = ["pages"]
[[webhook]]
id = "pages"
url = "http://PAGES/"
[[person]]
id = "bas"
webhook = "pages"
[[team]]
id = "payments"
escalation = "payments"
[[escalation]]
id = "payments"
steps = [{ page = ["person:bas"], escalate_after = "2h" }]
[[service]]
id = "api"
team = "payments"
[[integration]]
id = "prometheus"
source = "alertmanager"
key_env = "OPSBELL_KEY_PROMETHEUS"
[perform]
programs = ["/usr/bin/sleep"]
[[http-host]]
host = "OUTSIDE"
private = true
[[remedy]]
id = "heal"
runbook = "heal"
alerts = "name=Sick"
before_page = "30m"
"#;

/// Each with the step in which it is when the process dies.
const PLAYBOOKS: [(&str, &str); 9] = [
    ("once", "id = 'here'\nhttp = 'POST http://OUTSIDE/once'"),
    ("again", "id = 'here'\nhttp = 'POST http://OUTSIDE/again'\nidempotent = true"),
    ("program", "id = 'here'\nrun = '/usr/bin/sleep'\nargs = ['60']\ntimeout = '10m'"),
    ("pause", "id = 'here'\nwait = '1h'"),
    ("question", "id = 'here'\nask = 'Is it well?'"),
    ("demand", "id = 'here'\nrequest = 'Look at the line'\nof = 'team:payments'"),
    ("signal", "id = 'here'\nwait = 'recovery'\nalerts = 'name=Slow'"),
    (
        "acts",
        "say = 'It begins'\n[[step]]\nnote = 'It is noted'\n[[step]]\nset-severity = 'sev1'\n[[step]]\nsilence = 'name=Noise'\nfor = '1h'\nreason = 'known'\n\
         [[step]]\nchange = 'Turn it'\nservice = 'api'\nplan = 'turn'\nrollback = 'turn back'\n[[step]]\npage = 'team:payments'\ntext = 'Help'\n\
         [[step]]\nid = 'here'\nask = 'Go on?'",
    ),
    ("heal", "id = 'here'\nhttp = 'POST http://OUTSIDE/heal'\nidempotent = true"),
];

fn configure(dir: &Path, outside: &Receiver, pages: &Receiver) {
    let own = |text: &str| {
        text.replace("OUTSIDE", &outside.address().to_string()).replace("PAGES", &pages.address().to_string())
    };
    fs::create_dir_all(dir.join("playbooks")).unwrap();
    fs::write(dir.join("opsbell.toml"), own(CONFIG)).unwrap();
    for (name, steps) in PLAYBOOKS {
        let text = own(&format!("kind = 'runbook'\nsummary = '{name}'\n[[step]]\n{steps}\n"));
        fs::write(dir.join(format!("playbooks/{name}.toml")), text).unwrap();
    }
}

/// An Alertmanager posts one alert.
fn alert(server: &mut Server, name: &str, status: &str) {
    let body = format!(
        r#"{{"version":"4","status":"{status}","alerts":[{{"status":"{status}","labels":{{"alertname":"{name}","service":"api","severity":"critical"}},"annotations":{{}},"startsAt":"2026-12-08T09:00:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"{name}"}}]}}"#
    );
    let answer = server.sender().post("/v1/ingest/alertmanager", &[], body.as_bytes()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Waits until a run stands like this.
fn stands(server: &mut Server, playbook: &str, state: &str) {
    let mut seen = serde_json::Value::Null;
    poll(&format!("{playbook} to be {state}"), PATIENCE, || {
        seen = server.get("/v1/runs?limit=50");
        let runs = seen["items"].as_array().unwrap();
        runs.iter().any(|run| run["playbook"] == playbook && run["state"] == state).then_some(())
    });
}

fn id(server: &mut Server, playbook: &str) -> String {
    let runs = server.get("/v1/runs?limit=50");
    let run = runs["items"].as_array().unwrap().iter().find(|run| run["playbook"] == playbook).unwrap().clone();
    run["id"].as_str().unwrap().to_owned()
}

#[test]
fn killed_inside_every_kind_of_step() {
    let dir = tempfile::tempdir().unwrap();
    let (outside, pages) = (Receiver::start(), Receiver::start());
    outside.always(Behaviour::Hang);
    let (config, data) = (dir.path().join("ops"), dir.path().join("data"));
    configure(&config, &outside, &pages);
    let asked = |path: &str| {
        let line = format!("POST /{path} ");
        outside.ledger().all().iter().filter(|it| it.request_line.starts_with(&line)).count()
    };

    let mut server = Server::start(&config, &data);
    alert(&mut server, "Slow", "firing");
    alert(&mut server, "Sick", "firing");
    for (name, _) in PLAYBOOKS.iter().filter(|(name, _)| *name != "heal") {
        let incident = if *name == "acts" { " incident:INC-1" } else { "" };
        let answer = server.say("bas", &format!("/runbook run {name}{incident}"));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    for (name, state) in [
        ("once", "running"),
        ("again", "running"),
        ("program", "running"),
        ("pause", "waiting"),
        ("question", "asking"),
        ("demand", "asking"),
        ("signal", "waiting"),
        ("acts", "asking"),
        ("heal", "running"),
    ] {
        stands(&mut server, name, state);
    }
    poll("the steps to reach the outside", PATIENCE, || {
        (asked("once") == 1 && asked("again") == 1 && asked("heal") == 1).then_some(())
    });
    server.kill().unwrap();

    outside.always(Behaviour::Ok);
    let mut server = Server::start(&config, &data);
    // What may be done twice was done again; of anything else somebody is asked, and it is not done.
    for (name, state) in [
        ("again", "done"),
        ("heal", "done"),
        ("once", "unclear"),
        ("program", "unclear"),
        ("pause", "waiting"),
        ("question", "asking"),
        ("demand", "asking"),
        ("signal", "waiting"),
        ("acts", "asking"),
    ] {
        stands(&mut server, name, state);
    }
    assert_eq!((asked("once"), asked("again"), asked("heal")), (1, 2, 2));
    // What was done inside Opsbell was done once.
    let count = |server: &mut Server, path: &str| server.get(path)["items"].as_array().unwrap().len();
    assert_eq!(count(&mut server, "/v1/changes"), 1);
    assert_eq!(count(&mut server, "/v1/silences"), 1);
    assert_eq!(count(&mut server, "/v1/incidents"), 3, "two by alerts, one by the step that pages");
    assert_eq!(server.get("/v1/incidents/INC-1")["severity"], "sev1");
    assert_eq!(server.get("/v1/changes/CHG-1")["implementer"], "bas");
    // The page that waits for the remedy waits on.
    let sick = server.get("/v1/incidents/INC-2");
    assert_eq!((sick["state"].as_str(), sick["pages"].as_array().unwrap().len()), (Some("triggered"), 0));
    assert!(sick["escalation"]["due"].is_string(), "{sick}");
    // Everything goes on from where it was.
    for (name, how) in [("once", "resume RUN done"), ("program", "resume RUN failed"), ("question", "answer RUN yes")] {
        let run = id(&mut server, name);
        let answer = server.say("bas", &format!("/runbook {}", how.replace("RUN", &run)));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    alert(&mut server, "Slow", "resolved");
    for (name, state) in [("once", "done"), ("program", "failed"), ("question", "done"), ("signal", "done")] {
        stands(&mut server, name, state);
    }
    assert_eq!(asked("once"), 1);
    outside.release();
    assert!(server.stop().success());
}
