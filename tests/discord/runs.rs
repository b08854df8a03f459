//! Runs of playbooks: what they ask is answered by buttons, and one message shows how a run stands, edited in place.

use std::time::Duration;

use crate::stage::{BAS, CLEO, DEWI, STRANGER, Stage, steady};
use crate::support::discord::{Callback, Discord, Seen, Shown};
use crate::support::server::poll;

const PROGRAMS: &str = "\n[perform]\nprograms = [\"/usr/bin/true\", \"/usr/bin/false\"]\n";

/// Goes well, asks, goes wrong, and is taken back.
const ROLL: &str = r#"
kind = "runbook"
summary = "Roll it out"
services = ["payments-api"]
[[step]]
id = "begin"
note = "It begins"
[[step]]
id = "roll-one"
run = "/usr/bin/true"
[[step]]
id = "sure"
ask = "Does *one* answer, @everyone?"
of = "person:cleo"
[[step]]
id = "roll-all"
run = "/usr/bin/false"
on_failure = "rollback"
[[step]]
id = "tell"
say = "It is out"
[[rollback]]
id = "roll-back"
run = "/usr/bin/true"
"#;

/// Asks twice.
const TWICE: &str = r#"
kind = "runbook"
summary = "Look twice"
services = ["payments-api"]
[[step]]
id = "first"
ask = "Is the first well?"
[[step]]
id = "second"
ask = "Is the second well?"
[[step]]
id = "third"
ask = "Is the third well?"
"#;

fn started() -> Stage {
    let discord = Discord::start();
    let made = crate::stage::config(&discord, "http://127.0.0.1:9/") + PROGRAMS;
    Stage::made_with(discord, &made, &[("playbooks/roll.toml", ROLL), ("playbooks/twice.toml", TWICE)])
}

fn run(stage: &Stage, playbook: &str, more: &[(&str, &str)]) {
    let general = stage.discord.channel("general");
    let options: Vec<(&str, &str)> = [("playbook", playbook)].iter().chain(more).copied().collect();
    let answer = stage.discord.command(BAS, general, "runbook run", &options);
    assert!(said(&answer).contains(" runs "), "{answer:?}");
}

fn said(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

/// The message of a run in a channel, as soon as it says something.
fn board(stage: &Stage, place: u64, words: &str) -> Shown {
    let found = || {
        let all = stage.discord.messages_in(place);
        all.into_iter().rev().find(|shown| shown.content.contains("\nBegun <t:") && shown.content.contains(words))
    };
    stage.discord.requests.wait_until(&format!("a board with {words:?}"), |_| found().is_some());
    found().expect("it was there just now")
}

fn boards(stage: &Stage, place: u64) -> usize {
    stage.discord.messages_in(place).iter().filter(|shown| shown.content.contains("\nBegun <t:")).count()
}

/// A question in a channel or a direct message.
fn question(stage: &Stage, place: u64, words: &str) -> Shown {
    stage.discord.wait_for_message(words, |shown| {
        shown.channel == place && shown.content.contains(words) && !shown.labels().is_empty()
    })
}

/// How often a step ended, by the journal.
fn ended(stage: &mut Stage, step: &str) -> usize {
    let journal = stage.server.client().get("/v1/journal?limit=200").expect("an answer").text();
    journal.matches(&format!(r#"{{"ended":{{"step":"{step}""#)).count()
}

#[test]
fn a_question_is_answered_by_its_button_once_and_by_nobody_else() {
    let mut stage = started();
    let ops = stage.discord.channel("payments-ops");
    run(&stage, "roll", &[]);
    let direct = question(&stage, stage.discord.direct(CLEO), "RUN-1 roll payments-api asks");
    let posted = question(&stage, ops, "RUN-1 roll payments-api asks");
    assert_eq!((direct.labels(), posted.labels()), (vec!["Yes".into(), "No".into()], vec!["Yes".into(), "No".into()]));
    assert!(direct.notified.contains(&CLEO) && posted.notified.is_empty(), "{:?}", posted.notified);
    // Whoever is not asked, may read only, or is nobody here.
    for (user, why) in [(BAS, "asks cleo, not you"), (DEWI, "asks cleo, not you"), (STRANGER, "asks cleo, not you")] {
        let refused = stage.discord.press(user, &posted, "Yes");
        assert!(refused.data["flags"] == 64 && said(&refused).contains(why), "{user}: {refused:?}");
    }
    assert_eq!(ended(&mut stage, "sure"), 0);
    let answered = stage.discord.press(CLEO, &direct, "Yes");
    assert_eq!(answered.kind, 7, "the question says so: {answered:?}");
    let now = stage.discord.message(direct.id);
    assert!(now.labels().is_empty() && now.content.contains("✓ cleo: yes"), "{}", now.content);
    assert!(now.content.contains("Does \\*one\\* answer"), "still inert: {}", now.content);
    // Twice, and by the other answer where it was posted: nothing is done again.
    for (user, message, label) in [(CLEO, &direct, "Yes"), (CLEO, &posted, "No"), (BAS, &posted, "No")] {
        let late = stage.discord.press(user, message, label);
        assert!(said(&late).contains("RUN-1 asks that no more, sure is over: cleo says yes"), "{late:?}");
    }
    board(&stage, ops, "rolled-back");
    assert_eq!((ended(&mut stage, "sure"), ended(&mut stage, "roll-all")), (1, 1));
    stage.discord.nothing_was_wrong();
}

#[test]
fn a_private_question_is_answered_where_only_its_people_read() {
    let mut stage = started();
    let ops = stage.discord.channel("payments-ops");
    let declared = [("title", "a key leaked"), ("service", "payments-api"), ("private", "yes")];
    stage.discord.command(BAS, stage.discord.channel("general"), "incident declare", &declared);
    run(&stage, "twice", &[("incident", "INC-1")]);
    let direct = question(&stage, stage.discord.direct(BAS), "Is the first well?");
    let stolen = stage.discord.press(CLEO, &direct, "Yes");
    assert!(said(&stolen).contains("RUN-1 is for a private incident"), "{stolen:?}");
    let answered = stage.discord.press(BAS, &direct, "Yes");
    assert_eq!(answered.kind, 7, "{answered:?}");
    question(&stage, stage.discord.direct(BAS), "Is the second well?");
    assert_eq!(ended(&mut stage, "first"), 1);
    assert!(!stage.discord.messages_in(ops).iter().any(|shown| shown.content.contains("RUN-1")), "told to all");
    stage.discord.nothing_was_wrong();
}

#[test]
fn one_message_shows_a_run_to_its_end_also_over_a_restart() {
    let stage = started();
    let ops = stage.discord.channel("payments-ops");
    run(&stage, "roll", &[]);
    let first = board(&stage, ops, "sure asks");
    insta::assert_snapshot!("asking", steady(&first.content));
    assert!(first.notified.is_empty() && !first.content.contains("@everyone"));
    let stage = stage.killed_and_started();
    let direct = question(&stage, stage.discord.direct(CLEO), "RUN-1 roll payments-api asks");
    stage.discord.press(CLEO, &direct, "Yes");
    let last = board(&stage, ops, "rolled-back <t:");
    assert_eq!(last.id, first.id, "the same message");
    insta::assert_snapshot!("rolled_back", steady(&last.content));
    assert_eq!(boards(&stage, ops), 1);
    // Nine steps and ends, and few edits: what happens together becomes one.
    let edits = stage
        .discord
        .seen
        .all()
        .iter()
        .filter(|seen| matches!(seen, Seen::Edit(shown) if shown.id == first.id))
        .count();
    assert!((1..=4).contains(&edits), "{edits}");
    // A restart has nothing to add.
    let stage = stage.killed_and_started();
    stage.discord.command(BAS, stage.discord.channel("general"), "status", &[]);
    assert_eq!(boards(&stage, ops), 1);
    stage.discord.nothing_was_wrong();
}

#[test]
fn a_deleted_message_is_made_anew_while_the_run_goes_on() {
    let mut stage = started();
    let ops = stage.discord.channel("payments-ops");
    run(&stage, "twice", &[]);
    let first = board(&stage, ops, "first asks");
    stage.discord.delete_message(first.id);
    let asks = question(&stage, stage.discord.direct(BAS), "Is the first well?");
    stage.discord.press(BAS, &asks, "Yes");
    let second = board(&stage, ops, "second asks");
    assert_ne!(second.id, first.id);
    // It is the one that is edited from now on.
    let asks = question(&stage, stage.discord.direct(BAS), "Is the second well?");
    stage.discord.press(BAS, &asks, "Yes");
    assert_eq!(board(&stage, ops, "third asks").id, second.id);
    // Nobody has to read on: at its end a deleted one stays deleted.
    stage.discord.delete_message(second.id);
    let asks = question(&stage, stage.discord.direct(BAS), "Is the third well?");
    stage.discord.press(BAS, &asks, "No");
    let path = format!("/messages/{}", second.id);
    stage.discord.requests.wait_until("the last edit", |all| {
        all.iter().any(|one| one.method == "PATCH" && one.path.ends_with(&path) && one.status == 404)
    });
    poll("that it is known", Duration::from_secs(60), || {
        let journal = stage.server.client().get("/v1/journal?limit=200").ok()?.text();
        (journal.matches("message-lost").count() == 2).then_some(())
    });
    assert_eq!(boards(&stage, ops), 0);
    let made = stage.discord.requests.all();
    let made = made.iter().filter(|one| {
        one.method == "POST" && one.body["content"].as_str().is_some_and(|text| text.contains("\nBegun <t:"))
    });
    assert_eq!(made.count(), 2, "one more, not two");
    stage.discord.nothing_was_wrong();
}

#[test]
fn the_message_of_a_run_for_an_incident_stands_in_its_room() {
    let mut stage = started();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let ops = stage.discord.channel("payments-ops");
    let live = stage
        .discord
        .wait_for_message("the live message", |shown| shown.channel == ops && shown.content.contains("**INC-1 sev"));
    let thread = stage.discord.wait_for_thread(live.id);
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(live.id));
    run(&stage, "twice", &[("incident", "INC-1")]);
    let shown = board(&stage, thread, "first asks");
    assert!(shown.content.contains("for INC-1, by bas"), "{}", shown.content);
    let asks = question(&stage, thread, "Is the first well?");
    stage.discord.press(CLEO, &asks, "Yes");
    assert_eq!(board(&stage, thread, "second asks").id, shown.id);
    assert_eq!((boards(&stage, thread), boards(&stage, ops)), (1, 0));
    // The room is still the room.
    assert_eq!(stage.incident("INC-1")["state"], "triggered");
    stage.discord.command(BAS, thread, "ack", &[]);
    assert_eq!(stage.incident("INC-1")["state"], "acknowledged");
    stage.discord.nothing_was_wrong();
}
