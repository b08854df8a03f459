//! Bad input at the running server: one clear answer each, nothing lost, nothing done twice.

use std::fs;

use serde_json::json;

use crate::place::{Place, alert, fire, paged, payload, text};
use crate::support::client::Client;
use crate::support::server::{KEY, run, said};

#[test]
fn bad_requests_get_one_clear_answer_each() {
    let place = Place::new();
    let mut server = place.serve();
    let address = server.address();
    let body = payload("x");
    let post = |key: &str, path: &str, body: &[u8]| Client::new(address, key).post(path, &[], body).expect("an answer");
    let ingest = "/v1/ingest/alertmanager";
    let huge = vec![b' '; (1 << 20) + 1];
    for (answer, status, code) in [
        (post("", ingest, body.as_bytes()), 401, "unauthorized"),
        (post("wrong", ingest, body.as_bytes()), 401, "unauthorized"),
        (post(KEY, "/v1/ingest/alertmanger", body.as_bytes()), 404, "not-found"),
        (post(KEY, ingest, b"{"), 400, "bad-body"),
        (post(KEY, ingest, b""), 400, "bad-body"),
        (post(KEY, ingest, &huge), 413, "too-large"),
        (post("wrong", "/v1/say", br#"{"text":"/status"}"#), 401, "unauthorized"),
        (post(KEY, "/v1/say", br#"{"text":"/status"}"#), 401, "unauthorized"),
    ] {
        let told = answer.json();
        assert_eq!((answer.status, told["error"]["code"].as_str()), (status, Some(code)), "{told}");
        assert!(told["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|words| !words.is_empty()), "{told}");
    }
    assert_eq!(server.get("/v1/incidents")["items"], json!([]), "none of it did anything");
    let nobody = server.client().post("/v1/say", &[], br#"{"text":"/status","as":"baz"}"#).expect("an answer");
    assert_eq!(nobody.status, 422);
    assert!(nobody.text().contains("did you mean `bas`?"), "{}", nobody.text());
    for (said, status, words) in [
        ("/incident show INC-9", 422, "There is no INC-9"),
        ("/incident shwo INC-1", 422, "show"),
        ("/ack", 422, ""),
        ("/nonsense", 422, "/help"),
        ("", 422, ""),
    ] {
        let answer = server.say("bas", said);
        assert_eq!(answer.status, status, "{said}: {}", answer.text());
        assert!(answer.text().contains(words), "{said}: {}", answer.text());
    }
    assert!(server.stop().success());
}

#[test]
fn an_unknown_service_in_a_signal_is_never_refused_and_pages_marked() {
    let place = Place::new();
    let mut server = place.serve();
    let body = payload("lost").replace("\"api\"", "\"nobody-knows\"");
    let answer = server.sender().post("/v1/ingest/alertmanager", &[], body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    let page = paged(&place.pager, "lost").json();
    assert_eq!(page["unrouted"], true);
    assert!(page["text"].as_str().is_some_and(|text| text.contains("[unrouted]")), "{page}");
    assert!(server.stop().success());
}

#[test]
fn an_idempotency_key_seen_before_gets_the_same_answer_also_after_a_restart() {
    let place = Place::new();
    let mut server = place.serve();
    let said = json!({"as": "bas", "text": "/incident declare title:\"slow\" service:api severity:sev2"}).to_string();
    let declare = |server: &mut crate::support::server::Server| {
        let key = [("idempotency-key", "declare-1")];
        let answer = server.client().post("/v1/say", &key, said.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.json()["text"].clone(), answer.json()["records"].clone())
    };
    let first = declare(&mut server);
    assert_eq!(first.1, json!(["INC-1"]));
    assert_eq!(declare(&mut server), first);
    server.kill().expect("it can be killed");
    let mut server = place.serve();
    assert_eq!(declare(&mut server), first);
    assert_eq!(server.get("/v1/incidents")["items"].as_array().map(Vec::len), Some(1));

    // The same for signals; without a key the alert is known by its own.
    for key in [Some("body-1"), Some("body-1"), None] {
        let headers: Vec<_> = key.iter().map(|key| ("idempotency-key", *key)).collect();
        let body = payload("twice");
        let answer = server.sender().post("/v1/ingest/alertmanager", &headers, body.as_bytes()).expect("an answer");
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(1)), "{}", answer.text());
    }
    assert_eq!(server.get("/v1/alerts")["items"].as_array().map(Vec::len), Some(1));
    assert!(server.stop().success());
}

#[test]
fn an_acknowledgement_that_was_given_before_says_whose_it_was() {
    let place = Place::new();
    let mut server = place.serve();
    fire(&mut server, "disk");
    paged(&place.pager, "disk");
    assert_eq!(server.say("bas", "/ack INC-1").status, 200);
    let seq = server.say("cleo", "/ack INC-1").json()["seq"].clone();
    let second = server.say("cleo", "/ack INC-1");
    assert_eq!(second.status, 200);
    assert!(second.text().contains("already acknowledged by bas"), "{}", second.text());
    assert_eq!(second.json()["seq"], seq, "it wrote nothing");
    assert_eq!(server.get("/v1/incidents/INC-1")["acknowledged_by"], "bas");
    server.say("bas", "/resolve INC-1");
    let over = server.say("cleo", "/ack INC-1");
    assert_eq!(over.status, 422);
    assert!(over.text().contains("/incident reopen INC-1"), "{}", over.text());
    server.say("bas", "/incident close INC-1");
    let closed = server.say("cleo", "/ack INC-1");
    assert_eq!(closed.status, 422);
    assert!(closed.text().contains("INC-1 is closed"), "{}", closed.text());
    assert!(server.stop().success());
}

#[test]
fn a_second_process_on_the_data_directory_is_refused_by_name() {
    let place = Place::new();
    let mut server = place.serve();
    server.address();
    let (said_by_it, status) = place.refused();
    assert!(status.is_some_and(|status| status != 0), "{said_by_it}");
    assert!(said_by_it.contains(&format!("in use by process {}", server.pid())), "{said_by_it}");
    assert!(said_by_it.contains(&text(&place.data)), "{said_by_it}");
    let rebuild = run(&["journal", "rebuild", "--data", &text(&place.data)]);
    assert!(!rebuild.status.success() && said(&rebuild).contains("in use by process"), "{}", said(&rebuild));
    // The first goes on, and clients still find it.
    let told = run(&["health", "--data", &text(&place.data)]);
    assert!(told.status.success(), "{}", said(&told));
    fire(&mut server, "still here");
    paged(&place.pager, "still here");
    assert!(server.stop().success());
}

#[test]
fn a_damaged_journal_stops_the_start_with_file_line_and_what_to_do() {
    let place = Place::new();
    let mut server = place.serve();
    for n in 0..5 {
        assert_eq!(alert(&mut server, &format!("alert {n}")).status, 202);
    }
    assert!(server.stop().success());
    let file = place.data.join("journal").join("00000000000000000001.jsonl");
    let whole = fs::read(&file).expect("a journal");
    let lines: Vec<usize> = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at).collect();
    let mut damaged = whole.clone();
    // In the fourth line, far from the end.
    damaged[lines[2] + 40] ^= 0x20;
    fs::write(&file, &damaged).expect("a file");
    let verify = run(&["journal", "verify", "--data", &text(&place.data)]);
    assert_eq!(verify.status.code(), Some(1), "{}", said(&verify));
    assert!(said(&verify).contains(&format!("{}:4", file.display())), "{}", said(&verify));
    // The records say how far all was well, so a start reads only the tail; without them everything is read.
    fs::remove_dir_all(place.data.join("records")).expect("there are records");
    let (told, status) = place.refused();
    assert!(status.is_some_and(|status| status != 0), "{told}");
    for words in [&format!("{}:4", file.display()), "damaged", "backup", "opsbell journal verify"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(fs::read(&file).expect("a file"), damaged, "nothing was changed");
    // Put back from the backup, all is there.
    fs::write(&file, &whole).expect("a file");
    let mut server = place.serve();
    assert_eq!(server.get("/v1/alerts")["items"].as_array().map(Vec::len), Some(5));
    assert!(server.stop().success());
}

#[test]
fn a_journal_cut_short_is_noticed_by_the_records() {
    let place = Place::new();
    let mut server = place.serve();
    for n in 0..5 {
        assert_eq!(alert(&mut server, &format!("alert {n}")).status, 202);
    }
    assert!(server.stop().success());
    // Opening passes what the journal holds on to the records; so the records know the end.
    assert!(place.serve_and_stop());
    let file = place.data.join("journal").join("00000000000000000001.jsonl");
    let whole = fs::read_to_string(&file).expect("a journal");
    let kept: Vec<&str> = whole.split_inclusive('\n').take(3).collect();
    fs::write(&file, kept.concat()).expect("a file");
    let (told, status) = place.refused();
    assert!(status.is_some_and(|status| status != 0), "{told}");
    assert!(told.contains("commits are missing") && told.contains("backup"), "{told}");
}
