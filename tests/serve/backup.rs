//! A server that is lost and taken back: a backup under load, the data destroyed, restored, served on. What was answered
//! before the backup is answered again; what was owed is sent again, marked; the lost one's name is not used any more.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::place::{Place, fire, paged, pages, payload, text};
use crate::restart::{answers, quiet, same};
use crate::support::client::Client;
use crate::support::server::{KEY, Server, opsbell, poll, run, said};
use crate::support::webhook::Behaviour;
use crate::support::{PATIENCE, lock};

/// `opsbell backup` into a directory beside the data; where it is, and what it says of itself.
fn back_up(place: &Place) -> (String, serde_json::Value) {
    let folder = place.data.with_extension("backups");
    fs::create_dir_all(&folder).expect("a directory");
    let output = run(&["backup", &text(&folder), "--json", "--data", &text(&place.data)]);
    assert!(output.status.success(), "{}", said(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (told["path"].as_str().expect("a path").to_owned(), told)
}

fn restore(place: &Place, backup: &str) -> serde_json::Value {
    let output = run(&["restore", backup, "--json", "--data", &text(&place.data)]);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn install(server: &mut Server) -> String {
    server.get("/v1/journal/head")["install"].as_str().expect("a name").to_owned()
}

#[test]
fn a_lost_server_pages_again_from_its_backup() {
    let place = Place::new();
    let mut server = place.serve();
    for n in 1..=3 {
        fire(&mut server, &format!("before {n}"));
        paged(&place.pager, &format!("before {n}"));
    }
    assert_eq!(server.say("bas", "/ack INC-1").status, 200);
    assert_eq!(server.say("bas", "/incident resolve INC-2 fixed").status, 200);
    quiet(&mut server);
    let (before, old) = (answers(&mut server), install(&mut server));
    let token = {
        let output = run(&["token", "add", "bas", "--data", &text(&place.data)]);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    // One page is under way at the backup, and nobody knows whether it arrived.
    place.pager.next(Behaviour::Hang);
    fire(&mut server, "held");
    let held = paged(&place.pager, "held");
    let (backup, told) = back_up(&place);
    assert_eq!(told["install"], old.as_str());

    // What comes later is lost with the machine.
    fire(&mut server, "after");
    let after = paged(&place.pager, "after");
    server.kill().expect("it can be killed");
    fs::remove_dir_all(&place.data).expect("it is destroyed");
    let done = restore(&place, &backup);
    assert_eq!((&done["head"], &done["from"]), (&told["head"], &told["install"]));
    place.verify();
    let kept = done["config"].as_str().expect("the configuration in force");
    assert_eq!(fs::read_to_string(format!("{kept}/opsbell.toml")).expect("a file"), place.usual());

    let arrived = place.pager.ledger().len();
    let mut server = place.serve();
    server.address();
    // The held one is sent again under its old id, marked.
    let ledger =
        place.pager.ledger().wait_until("the held page", |ledger| pages(&ledger[arrived..], "held").count() > 0);
    let again = pages(&ledger[arrived..], "held").next().expect("waited for");
    assert_eq!((again.id(), again.possible_repeat()), (held.id(), true));
    quiet(&mut server);
    let now: Vec<_> =
        answers(&mut server).into_iter().filter(|(path, _)| !path.contains('?') && path != "/status").collect();
    for (path, record) in before.iter().filter(|(path, _)| !path.contains('?') && path != "/status") {
        let found = now.iter().find(|(now, _)| now == path).map(|(_, record)| record);
        assert_eq!(found, Some(record), "{path}");
    }
    assert_eq!(now.iter().filter(|(path, _)| path.starts_with("/v1/incidents/")).count(), 4, "and the held one's");

    // Paging goes on under another name, so that a number that is given out again is nobody's old button.
    let new = install(&mut server);
    assert_ne!(new, old);
    assert_eq!(done["install"], new.as_str());
    fire(&mut server, "resumed");
    let resumed = paged(&place.pager, "resumed");
    assert_eq!(resumed.json()["incident"], after.json()["incident"], "the number is given out again");
    assert!(resumed.id().starts_with(&format!("{new}-")), "{}", resumed.id());
    assert_ne!(resumed.id(), after.id(), "no receiver takes it for the lost one");
    assert!(!resumed.possible_repeat());
    // A personal token is as good as before; the administrator's is new.
    let mut bas = Client::new(server.address(), &token);
    assert_eq!(bas.post("/v1/say", &[], br#"{"text":"/ack INC-3"}"#).expect("an answer").status, 200);
    // Nothing that is secret is in the log or in the backup.
    let (log, tar) = (server.log(), fs::read(&backup).expect("a file"));
    let admin = fs::read_to_string(place.data.join("admin.token")).expect("a token");
    for secret in [KEY, admin.trim(), token.as_str()] {
        assert!(!log.contains(secret));
        assert!(!tar.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
    let before = answers(&mut server);
    assert!(server.stop().success());
    place.verify();
    fs::remove_dir_all(place.data.join("records")).expect("there are records");
    let mut server = place.serve();
    same(&mut server, &before, "without records, across two names");
    // A directory in use is not restored into, running or not.
    for _ in 0..2 {
        let output = run(&["restore", &backup, "--data", &text(&place.data)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("nothing is overwritten"), "{}", said(&output));
    }
    assert!(server.stop().success());
}

#[test]
fn a_backup_under_load_holds_all_that_was_answered_before_it_began() {
    let place = Place::new();
    place.pager.always(Behaviour::Ok);
    let mut server = place.serve();
    let address = server.address();
    let (over, answered) = (AtomicBool::new(false), std::sync::Mutex::new(Vec::new()));
    let (backup, known) = thread::scope(|scope| {
        for lane in 0..4 {
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                let mut sender = Client::new(address, KEY);
                for n in 0.. {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let name = format!("load {lane} {n}");
                    let body = payload(&name);
                    let answer = sender.post("/v1/ingest/alertmanager", &[], body.as_bytes()).expect("an answer");
                    if answer.status == 202 {
                        lock(answered).push(name);
                    }
                }
            });
        }
        poll("some load", PATIENCE, || (lock(&answered).len() > 100).then_some(()));
        let known = lock(&answered).clone();
        let made = back_up(&place);
        over.store(true, Ordering::SeqCst);
        (made.0, known)
    });
    server.kill().expect("it can be killed");
    fs::remove_dir_all(&place.data).expect("it is destroyed");
    restore(&place, &backup);
    place.verify();
    let mut export = opsbell();
    export.args(["journal", "export", "--data", &text(&place.data)]);
    let journal = String::from_utf8_lossy(&export.output().expect("it runs").stdout).into_owned();
    for name in &known {
        assert!(journal.contains(&format!("\"{name}\"")), "{name} was answered before the backup began");
    }
    assert!(place.serve_and_stop());
}

#[test]
fn a_backup_needs_no_server_and_names_what_it_needs() {
    let place = Place::new();
    assert!(place.serve_and_stop());
    let file = text(&place.data.with_extension("tar"));
    let output = run(&["backup", &file, "--data", &text(&place.data)]);
    assert!(output.status.success(), "{}", said(&output));
    let (told, sum) = (said(&output), std::process::Command::new("sha256sum").arg(&file).output().expect("it runs"));
    assert_eq!(told.lines().next(), String::from_utf8_lossy(&sum.stdout).lines().next(), "as sha256sum prints it");
    let again = run(&["backup", &file, "--data", &text(&place.data)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("no backup is overwritten"), "{}", said(&again));
    let nowhere = run(&["backup", &file, "--data", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert_eq!(run(&["restore", &file]).status.code(), Some(2), "a directory has to be named");
    // Half a restore is not served.
    let half = place.data.with_extension("half");
    fs::create_dir_all(half.join("restoring/journal")).expect("a directory");
    let mut command = opsbell();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&place.config).arg("--data").arg(&half);
    let output = command.output().expect("it runs");
    assert!(!output.status.success() && said(&output).contains("was interrupted"), "{}", said(&output));
}
