//! Every payload of the shared collection pages; stopping, starting and losing the records changes no answer.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::place::{Place, fire, paged, pages};
use crate::support::server::{KEY, Server, poll};
use crate::support::webhook::Behaviour;
use crate::support::{PATIENCE, client::Client};

/// Where the shared collection is, if it is there.
#[allow(clippy::disallowed_methods, reason = "a test is told by its environment where the collection lies")]
fn collection() -> PathBuf {
    match std::env::var_os("OPSBELL_FIXTURES") {
        Some(named) => named.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
    }
}

/// Everything that a person can read of the records, as one text.
pub fn answers(server: &mut Server) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    for list in ["incidents", "alerts", "pages"] {
        let path = format!("/v1/{list}?limit=200");
        let found = server.get(&path);
        for item in found["items"].as_array().expect("a list") {
            let one = format!("/v1/{list}/{}", item["id"].as_str().expect("an id"));
            let answer = server.get(&one);
            answers.push((one, answer));
        }
        answers.push((path, found));
    }
    // Each line ends with how long ago something was; how that grows is not what is compared here.
    let status = server.say("bas", "/status").json()["text"].as_str().unwrap_or_default().to_owned();
    let status: Vec<&str> = status.lines().map(|line| line.rsplit_once(" · ").map_or(line, |(line, _)| line)).collect();
    answers.push(("/status".into(), status.join("\n").into()));
    answers
}

/// Compares answers one by one.
pub fn same(server: &mut Server, before: &[(String, Value)], when: &str) {
    let now = answers(server);
    for (before, now) in before.iter().zip(&now) {
        assert_eq!(now, before, "{when}");
    }
    assert_eq!(now.len(), before.len(), "{when}");
}

/// Waits until nothing is owed any more.
pub fn quiet(server: &mut Server) {
    let mut client = server.client();
    poll("nothing to be owed", PATIENCE, || {
        let metrics = client.get("/metrics").expect("an answer").text();
        metrics.lines().any(|line| line == "opsbell_deliveries_owed 0").then_some(())
    });
}

#[test]
fn every_payload_of_the_collection_is_taken_and_every_new_incident_pages() {
    let folder = collection().join("alertmanager");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("not checked: no fixtures in {} (set OPSBELL_FIXTURES to their folder)", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let place = Place::new();
    let mut server = place.serve();
    let mut sender = server.sender();
    for file in &files {
        let answer = sender.post("/v1/ingest/alertmanager", &[], &fs::read(file).expect("a file")).expect("an answer");
        assert_eq!(answer.status, 202, "{}: {}", file.display(), answer.text());
        assert_eq!(answer.json()["rejected"], serde_json::json!([]), "{}", file.display());
    }
    let incidents = server.get("/v1/incidents?limit=200");
    let incidents = incidents["items"].as_array().expect("a list");
    assert!(incidents.len() >= 5, "{} files made {} incidents", files.len(), incidents.len());
    for incident in incidents {
        let of = |received: &&crate::support::webhook::Received| received.json()["incident"] == incident["id"];
        let ledger = place.pager.ledger().wait_until("every incident's page", |l| l.iter().any(|r| of(&r)));
        let page = ledger.iter().find(of).expect("waited for").json();
        assert_eq!(page["title"], incident["title"]);
        assert_eq!(page["unrouted"], incident["unrouted"], "no service of these payloads is configured");
        assert_eq!(page["possible_repeat"], false);
    }

    // Stopped and started, and started again without records: the same answers, and nothing is sent again.
    quiet(&mut server);
    let (before, received) = (answers(&mut server), place.pager.ledger().len());
    drop(sender);
    assert!(server.stop().success());
    place.verify();
    let mut server = place.serve();
    same(&mut server, &before, "after a stop and a start");
    assert!(server.stop().success());
    fs::remove_dir_all(place.data.join("records")).expect("there are records");
    let mut server = place.serve();
    same(&mut server, &before, "without records");
    server.kill().expect("it can be killed");
    fs::remove_dir_all(place.data.join("records")).expect("there are records");
    let mut server = place.serve();
    same(&mut server, &before, "without records after a kill");
    fire(&mut server, "one more");
    paged(&place.pager, "one more");
    assert_eq!(place.pager.ledger().len(), received + 1, "nothing else was sent again");
    assert!(server.stop().success());
}

#[test]
fn closed_records_are_answered_the_same_after_a_restart_without_records() {
    let place = Place::new();
    let mut server = place.serve();
    for n in 1..=3 {
        fire(&mut server, &format!("trouble {n}"));
        paged(&place.pager, &format!("trouble {n}"));
    }
    assert_eq!(server.say("bas", "/ack INC-1").status, 200);
    assert_eq!(server.say("bas", "/incident resolve INC-1 fixed").status, 200);
    let closed = server.say("bas", "/incident close INC-1");
    assert_eq!(closed.status, 200, "{}", closed.text());
    assert_eq!(server.say("bas", "/incident resolve INC-2 false-alarm").status, 200);
    quiet(&mut server);
    let before = answers(&mut server);
    assert!(before.iter().any(|(path, record)| path == "/v1/incidents/INC-1" && record["state"] == "closed"));
    assert!(server.stop().success());
    fs::remove_dir_all(place.data.join("records")).expect("there are records");
    let mut server = place.serve();
    same(&mut server, &before, "without records");
    // A closed one that only the records know is found by a command, and can be reopened.
    let reopened = server.say("bas", "/incident reopen INC-1");
    assert_eq!(reopened.status, 200, "{}", reopened.text());
    let again = |ledger: &[crate::support::webhook::Received]| pages(ledger, "trouble 1").count() == 2;
    place.pager.ledger().wait_until("the page of the reopened incident", again);
    assert!(server.stop().success());
}

#[test]
fn it_stops_in_time_while_a_receiver_hangs_and_says_the_same_thing_again_marked() {
    let place = Place::new();
    let mut server = place.serve();
    place.pager.next(Behaviour::Hang);
    fire(&mut server, "held");
    let first = paged(&place.pager, "held");
    assert!(!first.possible_repeat());
    // `stop` fails beyond ten seconds.
    assert!(server.stop().success());
    place.verify();
    let mut server = place.serve();
    server.address();
    let ledger = place.pager.ledger().wait_for(2);
    assert_eq!(ledger[1].id(), first.id());
    assert!(ledger[1].possible_repeat(), "its first attempt may have arrived");
    assert!(server.stop().success());
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody_else() {
    let place = Place::new();
    let mut server = place.serve();
    place.pager.always(Behaviour::Hang);
    // More than a lane sends at once.
    for n in 0..80 {
        fire(&mut server, &format!("stuck {n}"));
    }
    place.pager.ledger().wait_for(10);
    // Another receiver, and every answer, go on: cleo's page is on another webhook.
    let asked = server.say("bas", "/page person:cleo incident:INC-1");
    assert_eq!(asked.status, 200, "{}", asked.text());
    paged(&place.operators, "stuck 0");
    assert_eq!(Client::new(server.address(), "").get("/readyz").expect("an answer").status, 200);
    assert_eq!(server.get("/v1/incidents?limit=200")["items"].as_array().map(Vec::len), Some(80));
    assert_eq!(Client::new(server.address(), KEY).get("/healthz").expect("an answer").status, 200);
    server.kill().expect("it can be killed");
}

#[test]
fn stopping_is_quick_when_nothing_is_under_way_and_the_address_is_forgotten() {
    let place = Place::new();
    let mut server = place.serve();
    server.address();
    // A client that has said nothing yet does not hold it up.
    let _idle = std::net::TcpStream::connect(server.address()).expect("a connection");
    assert!(server.stop().success());
    assert!(!place.data.join("server.json").exists());
}

#[test]
fn each_configuration_in_force_is_kept_whole_also_after_a_kill_in_the_middle() {
    let place = Place::new();
    assert!(place.serve_and_stop());
    let kept = place.data.join("config");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(&kept).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    };
    let [hash] = names().try_into().expect("one");
    // As a kill would leave it: begun, and not whole.
    fs::rename(kept.join(hash.as_str()), kept.join(format!("{hash}.new"))).expect("a directory");
    fs::write(kept.join(format!("{hash}.new")).join("opsbell.toml"), "[defau").expect("a file");
    assert!(place.serve_and_stop());
    assert_eq!(names(), std::slice::from_ref(&hash));
    assert_eq!(fs::read_to_string(kept.join(hash).join("opsbell.toml")).expect("a file"), place.usual());
}
