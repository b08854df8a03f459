//! Code hosts that hold a deployment until they are answered: the real binary, GitHub- and GitLab-shaped hosts whose own
//! ledgers are the evidence.

use std::fs;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::place::{Place, text};
use crate::support::client::{Answer, Client};
use crate::support::code_host::{CodeHost, Shape, Trouble};
use crate::support::server::{Server, run, said};

const GITHUB_KEY: &str = "key-of-github-7f3a90c1b2";
const GITLAB_KEY: &str = "key-of-gitlab-1d44e8f09a";
const TOKEN: &str = "token-for-answers-91c2";
const SHA: &str = "5e1f0c9a7b3d4e2f8a6c1b0d9e7f5a3c2b4d6e81";

/// A place with a GitHub and a GitLab.
struct Stage {
    place: Place,
    github: CodeHost,
    gitlab: CodeHost,
}

impl Stage {
    fn new() -> Self {
        let place = Place::new();
        let github = CodeHost::start(Shape::GitHub, TOKEN);
        let gitlab = CodeHost::start(Shape::GitLab, TOKEN);
        for (name, value) in [("github.key", GITHUB_KEY), ("gitlab.key", GITLAB_KEY), ("hosts.token", TOKEN)] {
            fs::write(place.config.join(name), value).expect("a file");
        }
        let mut config = place.usual();
        config.push_str("[change]\napprovals = { low = 1, medium = 1, high = 1 }\n");
        for (source, host) in [("github", &github), ("gitlab", &gitlab)] {
            let url = host.url();
            config.push_str(&format!(
                "[[integration]]\nid = \"{source}\"\nsource = \"{source}\"\nservice = \"api\"\nkey_file = \"{source}.key\"\n\
                 answer_url = \"{url}/\"\nanswer_token_file = \"hosts.token\"\n"
            ));
        }
        place.configure(&config);
        Self { place, github, gitlab }
    }

    /// GitHub holds a deployment and asks.
    fn github_asks(&self, server: &mut Server, run: u64) -> (String, Answer) {
        let path = format!("/repos/ej-airways/payments-api/actions/runs/{run}/deployment_protection_rule");
        self.github.hold(&path);
        let answer = post_github(server, &protection_rule(run, &format!("{}{path}", self.github.url())));
        (path, answer)
    }

    /// GitLab blocks a deployment and tells.
    fn gitlab_asks(&self, server: &mut Server, deployment: u64) -> String {
        let path = format!("/api/v4/projects/30/deployments/{deployment}/approval");
        self.gitlab.hold(&path);
        let body = json!({
            "object_kind": "deployment", "status": "blocked", "status_changed_at": "2026-11-10 09:14:05 +0100",
            "deployment_id": deployment, "deployable_id": 796, "environment": "production",
            "project": {"id": 30, "path_with_namespace": "ej-airways/payments-api", "default_branch": "main"},
            "short_sha": &SHA[..8], "ref": "1.5.0",
            "commit_url": format!("https://gitlab.example/ej-airways/payments-api/-/commit/{SHA}"),
        });
        let mut client = Client::new(server.address(), "");
        let answer = client.post("/v1/ingest/gitlab", &[("X-Gitlab-Token", GITLAB_KEY)], body.to_string().as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
        path
    }
}

fn protection_rule(run: u64, callback: &str) -> Value {
    json!({
        "action": "requested", "environment": "production", "event": "push", "sha": SHA, "ref": "refs/tags/1.4.1",
        "deployment_callback_url": callback,
        "deployment": {"id": 900 + run, "sha": SHA, "ref": "1.4.1", "environment": "production",
                       "created_at": "2026-11-10T09:14:05Z"},
        "pull_requests": [],
        "repository": {"full_name": "ej-airways/payments-api", "default_branch": "main"},
        "installation": {"id": 5}, "sender": {"login": "octocat"},
    })
}

fn post_github(server: &mut Server, body: &Value) -> Answer {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(GITHUB_KEY.as_bytes()).expect("a key");
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("sha256={hex}");
    let headers = [("X-GitHub-Event", "deployment_protection_rule"), ("X-Hub-Signature-256", signature.as_str())];
    Client::new(server.address(), "").post("/v1/ingest/github", &headers, body.as_bytes()).expect("an answer")
}

fn approve(server: &mut Server, change: &str) {
    let answer = server.say("bas", &format!("/change approve {change}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn shown(server: &mut Server, change: &str) -> String {
    server.say("bas", &format!("/change show {change}")).text()
}

#[test]
fn github_is_told_once_the_change_is_approved_and_never_again() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let (path, answer) = stage.github_asks(&mut server, 1);
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], 1);
    let told = shown(&mut server, "CHG-1");
    assert!(told.contains("awaiting-approval") && told.contains("asked by github (DEP-1); waits: it needs"), "{told}");
    assert!(stage.github.ledger().is_empty());
    // The same question again is the same question.
    let (_, again) = stage.github_asks(&mut server, 1);
    assert_eq!(again.json()["ignored"], 1, "{}", again.text());

    // It waits through a death of the process.
    server.kill().expect("it can be killed");
    let mut server = stage.place.serve();
    approve(&mut server, "CHG-1");
    let calls = stage.github.ledger().wait_for(1);
    let call = &calls[0];
    assert_eq!(call.request_line, format!("POST {path} HTTP/1.1"));
    assert_eq!(call.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(call.header("accept"), "application/vnd.github+json");
    assert_eq!(call.body["environment_name"], "production");
    assert_eq!(call.body["state"], "approved");
    assert_eq!(call.status, 204);
    assert_eq!(stage.github.decided(&path).as_deref(), Some("approved"));
    crate::restart::quiet(&mut server);
    let told = shown(&mut server, "CHG-1");
    assert!(told.contains("implementing") && told.contains("; told: approved"), "{told}");

    // After another start nothing is owed: the next question is answered, and no other call is made.
    assert!(server.stop().success());
    let mut server = stage.place.serve();
    assert_eq!(stage.github_asks(&mut server, 1).1.json()["ignored"], 1);
    stage.gitlab_asks(&mut server, 15);
    approve(&mut server, "CHG-2");
    assert_eq!(server.say("bas", "/change done CHG-1").status, 200);
    stage.gitlab.ledger().wait_for(1);
    crate::restart::quiet(&mut server);
    assert_eq!(stage.github.ledger().len(), 1);
    assert!(server.stop().success());
    stage.place.verify();
}

#[test]
fn gitlab_is_told_with_its_own_header_and_words() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let path = stage.gitlab_asks(&mut server, 15);
    approve(&mut server, "CHG-1");
    let call = stage.gitlab.ledger().wait_for(1).remove(0);
    assert_eq!(call.request_line, format!("POST {path} HTTP/1.1"));
    assert_eq!((call.header("private-token"), call.header("authorization")), (TOKEN, ""));
    assert_eq!((&call.body["status"], call.status), (&json!("approved"), 201));
    assert_eq!(stage.gitlab.decided(&path).as_deref(), Some("approved"));
    // Rejected by a person: the host hears of it, with the reason.
    assert_eq!(server.say("bas", "/change done CHG-1").status, 200);
    let other = stage.github_asks(&mut server, 2).0;
    let answer = server.say("bas", "/change reject CHG-2 \"not on a Friday\"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let call = stage.github.ledger().wait_for(1).remove(0);
    assert_eq!(call.body["state"], "rejected");
    assert!(call.body["comment"].as_str().is_some_and(|text| text.contains("rejected")), "{}", call.body);
    assert_eq!(stage.github.decided(&other).as_deref(), Some("rejected"));
}

#[test]
fn in_a_freeze_it_is_rejected_at_once_with_the_reason() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    assert_eq!(server.say("bas", "/freeze start service:api reason:\"Quarter closing\" for:1h").status, 200);
    let (path, _) = stage.github_asks(&mut server, 3);
    let call = stage.github.ledger().wait_for(1).remove(0);
    assert_eq!(call.body["state"], "rejected");
    let comment = call.body["comment"].as_str().expect("a comment");
    assert!(comment.contains("frozen") && comment.contains("Quarter closing"), "{comment}");
    assert_eq!(stage.github.decided(&path).as_deref(), Some("rejected"));
}

#[test]
fn it_is_tried_again_after_trouble_and_after_a_death_in_the_middle() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let (path, _) = stage.github_asks(&mut server, 4);
    stage.github.trouble(Trouble::Status(503));
    stage.github.trouble(Trouble::Hang);
    approve(&mut server, "CHG-1");
    // The second attempt hangs; the process dies with it under way.
    let calls = stage.github.ledger().wait_for(2);
    assert_eq!((calls[0].status, calls[1].status), (503, 0));
    server.kill().expect("it can be killed");
    let mut server = stage.place.serve();
    let calls = stage.github.ledger().wait_for(3);
    assert_eq!((calls[2].status, &calls[2].body), (204, &calls[0].body));
    assert_eq!(stage.github.decided(&path).as_deref(), Some("approved"));
    crate::restart::quiet(&mut server);
    assert_eq!(stage.github.ledger().len(), 3);
}

#[test]
fn what_a_host_does_not_take_is_told_to_people() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let (_, _) = stage.github_asks(&mut server, 5);
    stage.github.trouble(Trouble::Status(403));
    approve(&mut server, "CHG-1");
    let told = stage.place.operators.ledger().wait_until("the operators", |ledger| {
        ledger.iter().any(|it| it.json()["text"].as_str().is_some_and(|text| text.contains("could not be told")))
    });
    let told = told.iter().find_map(|it| it.json()["text"].as_str().map(str::to_owned)).expect("a text");
    assert!(told.contains("code host github") && told.contains("403") && !told.contains(TOKEN), "{told}");
    let told = shown(&mut server, "CHG-1");
    assert!(told.contains("; approved, but it could not be told: the receiver answered 403"), "{told}");
    assert_eq!(stage.github.ledger().len(), 1);
}

#[test]
fn an_answer_that_may_have_arrived_is_not_fought_over() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let (path, _) = stage.github_asks(&mut server, 6);
    stage.github.trouble(Trouble::TakenUnsaid);
    approve(&mut server, "CHG-1");
    let calls = stage.github.ledger().wait_for(2);
    assert_eq!((calls[0].status, calls[1].status), (0, 422));
    assert_eq!(stage.github.decided(&path).as_deref(), Some("approved"));
    crate::restart::quiet(&mut server);
    let told = shown(&mut server, "CHG-1");
    assert!(told.contains("an earlier attempt may have arrived"), "{told}");
    assert_eq!(stage.github.ledger().len(), 2);
}

#[test]
fn a_forged_callback_gets_no_token() {
    let stage = Stage::new();
    let mut server = stage.place.serve();
    let thief = CodeHost::start(Shape::GitHub, TOKEN);
    let rest = "/repos/ej-airways/payments-api/actions/runs/7/deployment_protection_rule";
    let (ours, theirs) = (stage.github.url(), thief.url());
    let bare = ours.trim_start_matches("http://");
    let forged = [
        format!("{theirs}{rest}"),
        format!("{ours}@{}{rest}", theirs.trim_start_matches("http://")),
        format!("{ours}.evil.example{rest}"),
        format!("https://{bare}{rest}"),
        format!("{ours}/../..{theirs}{rest}"),
        format!("{ours}/repos/a/../actions/runs/7/deployment_protection_rule"),
        format!("{ours}{rest}?to={theirs}"),
        format!("{ours}{rest}#x"),
        format!("{ours}/user/keys"),
        format!("{ours}//evil.example{rest}"),
        format!("{ours}\\@evil.example{rest}"),
        String::new(),
    ];
    for (n, callback) in (10..).zip(&forged) {
        let answer = post_github(&mut server, &protection_rule(n, callback));
        assert!(answer.status == 422 || answer.status == 400, "{callback}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains(TOKEN));
    }
    crate::restart::quiet(&mut server);
    assert!(thief.ledger().is_empty() && stage.github.ledger().is_empty());
    let listed = server.say("bas", "/change list").text();
    assert!(listed.contains("No open changes"), "{listed}");
    // On the record.
    assert!(server.stop().success());
    let output = run(&["journal", "export", "--data", &text(&stage.place.data)]);
    let journal = said(&output);
    assert!(journal.contains("deployment callback") && !journal.contains(TOKEN), "{journal}");
}
