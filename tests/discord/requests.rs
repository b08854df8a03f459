//! Requests: whoever may approve one is asked with buttons, where they read; whoever may not is told who may.

use crate::stage::{BAS, CLEO, DEWI, STRANGER, Stage};
use crate::support::discord::{Callback, Discord, Shown};

const PROGRAMS: &str = "\n[perform]\nprograms = [\"/usr/bin/false\"]\n";

/// Agreed to by the team, and fails.
const CARD: &str = r#"
kind = "request"
summary = "A card for *tests*, @everyone"
services = ["payments-api"]
permission = "declare"
approvers = ["team:payments", "person:cleo"]
[[step]]
id = "issue"
run = "/usr/bin/false"
"#;

fn said(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

fn asks(stage: &Stage, place: u64, words: &str) -> Shown {
    stage.discord.wait_for_message(words, |shown| {
        shown.channel == place && shown.content.contains(words) && !shown.labels().is_empty()
    })
}

#[test]
fn a_request_is_approved_and_rejected_by_its_buttons() {
    let discord = Discord::start();
    let made = crate::stage::config(&discord, "http://127.0.0.1:9/") + PROGRAMS;
    let mut stage = Stage::made_with(discord, &made, &[("playbooks/card.toml", CARD)]);
    let (general, ops) = (stage.discord.channel("general"), stage.discord.channel("payments-ops"));
    let order = |stage: &Stage| stage.discord.command(DEWI, general, "request new", &[("item", "card")]);
    let ordered = order(&stage);
    assert!(said(&ordered).contains("REQ-1 payments-api"), "{ordered:?}");
    let posted = asks(&stage, ops, "REQ-1 payments-api");
    let direct = asks(&stage, stage.discord.direct(CLEO), "REQ-1 payments-api");
    for shown in [&posted, &direct] {
        assert_eq!(shown.labels(), ["Approve", "Reject"]);
        assert!(shown.content.contains("A card for \\*tests\\*") && !shown.content.contains("@everyone"));
    }
    assert!(posted.notified.is_empty(), "{:?}", posted.notified);
    for (user, why) in [(DEWI, "REQ-1 is for you: somebody else approves it, of team payments or cleo"), (STRANGER, "")]
    {
        let refused = stage.discord.press(user, &posted, "Approve");
        assert!(refused.data["flags"] == 64 && said(&refused).contains(why), "{user}: {refused:?}");
    }
    let of = |stage: &mut Stage, id: &str| -> serde_json::Value { stage.server.get(&format!("/v1/requests/{id}")) };
    assert_eq!(of(&mut stage, "REQ-1")["state"], "submitted");
    let approved = stage.discord.press(CLEO, &direct, "Approve");
    assert!(said(&approved).contains("RUN-1 fulfils it"), "{approved:?}");
    assert_eq!(of(&mut stage, "REQ-1")["approved_by"], "cleo");
    let again = stage.discord.press(BAS, &posted, "Approve");
    assert!(said(&again).contains("approved already. Nothing changed"), "{again:?}");
    // It fails, and is tried again.
    stage.discord.wait_for_message("that it failed", |shown| {
        shown.channel == ops && shown.content.contains("to try it again: /request retry REQ-1")
    });
    let retried = stage.discord.command(BAS, general, "request retry", &[("request", "REQ-1")]);
    assert!(said(&retried).contains("RUN-2 fulfils it"), "{retried:?}");
    order(&stage);
    let posted = asks(&stage, ops, "REQ-2 payments-api");
    let rejected = stage.discord.press(BAS, &posted, "Reject");
    assert!(said(&rejected).contains("REQ-2 is rejected"), "{rejected:?}");
    assert_eq!(of(&mut stage, "REQ-2")["state"], "rejected");
    stage.discord.nothing_was_wrong();
}
