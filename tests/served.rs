//! The binary from outside: what it serves without a chat, what a killed server leaves, and closed pipes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use support::server::{Server, opsbell, run, said};

const CONFIG: &str = r#"[defaults]
service = "api"
notify.high = ["webhook"]
notify.low = ["webhook"]
[operators]
webhooks = ["bas"]
[[webhook]]
id = "bas"
url = "http://127.0.0.1:9/bas"
[[person]]
id = "bas"
webhook = "bas"
role = "admin"
[[team]]
id = "payments"
channel = "payments-ops"
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
"#;

#[test]
fn a_server_without_a_chat_from_start_to_death() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    fs::create_dir(&config).unwrap();
    fs::write(config.join("opsbell.toml"), CONFIG).unwrap();
    let mut server = Server::start(&config, &data);
    let declared = server.say("bas", "/incident declare Payments fail service:api severity:sev2");
    assert_eq!(declared.status, 200, "{}", declared.text());
    let noted = server.say("bas", "/incident update looking");
    assert_eq!(noted.status, 200, "{}", noted.text());

    let mut client = server.client();
    let journal = client.get("/v1/journal?limit=100").unwrap().text();
    assert!(journal.contains("delivery.owed") && journal.contains("bas"), "somebody is paged: {journal}");
    assert!(!journal.contains("payments-ops"), "nothing is owed to a channel that nobody can reach: {journal}");
    assert!(journal.contains("api-administrator"), "words in another's name are told apart: {journal}");
    let last = BASE64_URL_SAFE_NO_PAD.encode(format!("journal:{}", u64::MAX));
    let beyond = client.get(&format!("/v1/journal?cursor={last}")).unwrap();
    assert_eq!(beyond.status, 200, "{}", beyond.text());
    assert!(!beyond.text().contains("delivery"), "{}", beyond.text());

    let at = data.display().to_string();
    assert_eq!(run(&["health", "--data", &at]).status.code(), Some(0));
    let placed = [
        (&["token", "revoke", "nobody"][..], 1, format!("opsbell token list --data {at}")),
        (&["token", "list"], 0, format!("opsbell token add --data {at} PERSON")),
        (&["journal", "verify"], 0, format!("`opsbell journal verify --data {at} --head SEQ:HASH`")),
    ];
    for head in ["3:9f2c", "3", "x:9f2c", "3:zz"] {
        let told = run(&["journal", "verify", "--head", head, "--data", &at]);
        assert_eq!((told.status.code(), said(&told).contains("is not SEQ:HASH")), (Some(2), true), "{}", said(&told));
    }
    for (words, status, hint) in placed {
        let told = run(&[words, &["--data", &at]].concat());
        assert_eq!(told.status.code(), Some(status), "{}", said(&told));
        assert!(said(&told).contains(&hint), "a hint can be typed as it is: {}", said(&told));
    }
    server.kill().unwrap();
    assert!(data.join("server.json").exists());
    let asked = run(&["health", "--data", &at]);
    assert_eq!(asked.status.code(), Some(3), "{}", said(&asked));
    assert!(said(&asked).contains("no server runs on"), "{}", said(&asked));
}

#[test]
fn rules_of_chat_alone_are_refused_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let (config, data) = (dir.path().display().to_string(), dir.path().join("data").display().to_string());
    fs::write(dir.path().join("opsbell.toml"), CONFIG.replace("low = [\"webhook\"]", "low = [\"chat\"]")).unwrap();
    let served = run(&["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data", &data]);
    assert_eq!(served.status.code(), Some(2), "{}", said(&served));
    assert!(said(&served).contains("opsbell.toml:4"), "{}", said(&served));
    assert!(said(&served).contains("add email or webhook"), "{}", said(&served));
}

#[test]
fn a_reader_who_has_enough_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("opsbell.toml"), CONFIG).unwrap();
    let config = dir.path().display().to_string();
    for words in [["oncall", "--json"], ["check", "--listen=127.0.0.1:1"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = opsbell();
        command.args(words).args(["--config", &config]).stdout(writer).stderr(Stdio::piped());
        let ended = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{words:?}: {}", said(&ended));
        assert_eq!(said(&ended), "", "{words:?}");
    }
}

#[test]
fn a_payload_alone_is_not_rehearsed() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().display().to_string();
    fs::write(dir.path().join("opsbell.toml"), CONFIG).unwrap();
    for (given, missing) in [
        (&[][..], "--source (one of alertmanager, "),
        (&["--at", "2026-12-25T03:00:00Z"], "--source, one of alertmanager, "),
        (&["--source", "grafana"], "--at, the time it comes in"),
    ] {
        let asked = run(&[&["rehearse", "--config", &config, "--alert", "payload.json"], given].concat());
        assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
        assert!(said(&asked).contains(&format!("--alert needs {missing}")), "{}", said(&asked));
        assert!(
            said(&asked).contains(&format!("for example: opsbell rehearse --config {config} --at ")),
            "{}",
            said(&asked)
        );
    }
}
