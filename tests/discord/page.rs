//! A page and what is done with it: by button, select, form and command.

use crate::stage::{BAS, CLEO, DEWI, STRANGER, Stage, steady};

#[test]
fn a_page_arrives_with_a_mention_and_three_buttons_and_is_acknowledged_by_one_tap() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    assert_eq!(page.notified, [BAS], "the mention stands in the content and is allowed");
    assert_eq!(page.labels(), ["Acknowledge", "Can't – page next", "Runbook → https://wiki.ej.example/payments"]);
    insta::assert_snapshot!("page", steady(&page.content));
    assert!(page.body["nonce"].as_str().is_some_and(|nonce| nonce.len() <= 25) && page.body["enforce_nonce"] == true);

    let answer = stage.discord.press(BAS, &page, "Acknowledge");
    assert_eq!(answer.kind, 7, "{answer:?}");
    assert_eq!(stage.incident("INC-1")["state"], "acknowledged");
    let shown = stage.discord.message(page.id);
    assert_eq!(
        shown.labels(),
        ["Update…", "Resolve", "More", "Take command", "Runbook → https://wiki.ej.example/payments"]
    );
    insta::assert_snapshot!("page_acknowledged", steady(&shown.content));
    stage.discord.nothing_was_wrong();
}

#[test]
fn what_follows_an_acknowledgement_is_one_tap_each() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    // Its room stands: what follows is said in the thread, and only what is for everybody in the channel.
    stage.discord.requests.wait_until("a pin", |all| all.iter().any(|one| one.path.contains("/pins/")));
    stage.discord.press(BAS, &page, "Acknowledge");

    let form = stage.discord.press(BAS, &stage.discord.message(page.id), "Update…");
    let now = stage.discord.message(page.id);
    let updated = stage.discord.fill(BAS, page.channel, &form, &[("text", "looking at the replica")], Some(&now));
    assert_eq!(updated.kind, 7, "{updated:?}");
    let commands = stage.discord.press(BAS, &stage.discord.message(page.id), "Take command");
    assert_eq!(commands.kind, 7, "{commands:?}");
    assert_eq!(stage.incident("INC-1")["roles"]["commander"], "bas");

    let more = stage.discord.press(BAS, &stage.discord.message(page.id), "More");
    let panel = stage.discord.answer_shown(more.interaction).unwrap();
    assert_eq!(panel.only, Some(BAS), "the panel is for whoever asked");
    stage.discord.choose(BAS, &panel, "Severity…", "sev2");
    assert_eq!(stage.incident("INC-1")["severity"], "sev2");

    let resolved = stage.discord.press(BAS, &stage.discord.message(page.id), "Resolve");
    assert_eq!(resolved.kind, 7, "{resolved:?}");
    assert_eq!(stage.incident("INC-1")["resolution"], "fixed");
    assert_eq!(stage.discord.message(page.id).labels(), Vec::<String>::new(), "nothing is left to press");
    let ops = stage.discord.channel("payments-ops");
    stage.discord.wait_for_message("the last post", |shown| {
        shown.channel == ops && shown.content.contains("resolved as fixed by")
    });
    // The first is the live message, which changes.
    let told: Vec<String> = stage.discord.messages_in(ops).iter().skip(1).map(|shown| steady(&shown.content)).collect();
    insta::assert_snapshot!("posts_in_the_channel", told.join("\n---\n"));
    stage.discord.nothing_was_wrong();
}

#[test]
fn who_cannot_come_says_so_and_the_next_one_is_paged() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    stage.discord.press(BAS, &page, "Can't – page next");
    let next = stage.page_of(CLEO, "INC-1");
    assert_eq!(next.notified, [CLEO]);
}

#[test]
fn commands_are_registered_from_the_files_and_answer() {
    let stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    let declared = stage.discord.command(
        CLEO,
        ops,
        "incident declare",
        &[("title", "checkout is **down** @everyone"), ("service", "payments-api"), ("severity", "sev1")],
    );
    let shown = stage.discord.answer_shown(declared.interaction).unwrap();
    assert_eq!(declared.kind, 4, "{declared:?}");
    insta::assert_snapshot!("declared", steady(&shown.content));
    assert_eq!(shown.labels()[0], "Acknowledge");
    assert_eq!(shown.notified, Vec::<u64>::new());

    let acked = stage.discord.command(CLEO, ops, "ack", &[("incident", "INC-1")]);
    let said = acked.data["content"].as_str().unwrap();
    assert!(said.contains("INC-1 acknowledged"), "{said}");
    let who = stage.discord.command(BAS, ops, "whoami", &[]);
    assert_eq!(who.data["flags"], 64, "a private answer is only for the asker: {who:?}");

    let found = stage.discord.complete(CLEO, ops, "ack", "incident", "1");
    assert_eq!(found, [("INC-1 · checkout is **down** @everyone".to_owned(), "INC-1".to_owned())]);
    let found = stage.discord.complete(CLEO, ops, "incident declare", "service", "pay");
    assert_eq!(found[0].1, "payments-api");
    stage.discord.nothing_was_wrong();
}

#[test]
fn declaring_without_options_opens_a_form_and_asks_for_the_service() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    let form = stage.discord.command(DEWI, ops, "incident declare", &[]);
    let asked = stage.discord.fill(DEWI, ops, &form, &[("title", "no *tickets* sold"), ("severity", "sev3")], None);
    let asked = stage.discord.answer_shown(asked.interaction).unwrap();
    assert_eq!(asked.only, Some(DEWI));
    let declared = stage.discord.choose(DEWI, &asked, "Which service?", "payments-api");
    let said = declared.data["content"].as_str().unwrap();
    assert!(said.contains("INC-1"), "{said}");
    let incident = stage.incident("INC-1");
    assert_eq!((&incident["title"], &incident["severity"]), (&"no *tickets* sold".into(), &"sev3".into()));
    stage.discord.nothing_was_wrong();
}

#[test]
fn what_asks_for_an_approval_has_its_buttons() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    let options =
        [("title", "Rotate the key"), ("service", "payments-api"), ("plan", "By the vault"), ("rollback", "x")];
    stage.discord.command(BAS, ops, "change new", &options);
    let asks = stage.discord.wait_for_message("what asks for it", |shown| {
        shown.channel == ops && shown.content.contains("asked for by bas")
    });
    assert_eq!(asks.labels(), ["Approve", "Reject"]);
    for (user, words) in [(BAS, "bas asked for it"), (DEWI, "needs a responder"), (CLEO, "CHG-1 approved")] {
        let answer = stage.discord.press(user, &asks, "Approve");
        assert_eq!((answer.kind, &answer.data["flags"]), (4, &64.into()), "only for whoever pressed: {answer:?}");
        assert!(answer.data["content"].as_str().unwrap().contains(words), "{answer:?}");
    }
    let second = stage.discord.press(CLEO, &asks, "Reject");
    assert!(second.data["content"].as_str().unwrap().contains("CHG-1 rejected"), "{second:?}");
    let third = stage.discord.press(CLEO, &asks, "Approve");
    assert!(third.data["content"].as_str().unwrap().contains("CHG-1 is rejected by cleo"), "{third:?}");
    assert_eq!(stage.server.get("/v1/changes/CHG-1")["state"], "rejected");
    stage.discord.nothing_was_wrong();
}

#[test]
fn whoever_may_not_is_told_so_alone_and_nothing_happens() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    for (user, words) in [(DEWI, "needs a responder"), (STRANGER, "is not a person of this organisation")] {
        let refused = stage.discord.press(user, &page, "Acknowledge");
        assert_eq!((refused.kind, &refused.data["flags"]), (4, &64.into()), "{refused:?}");
        assert!(refused.data["content"].as_str().unwrap().contains(words), "{refused:?}");
    }
    assert_eq!(stage.incident("INC-1")["state"], "triggered");
    let ops = stage.discord.channel("general");
    let declared = stage.discord.command(STRANGER, ops, "incident declare", &[("title", "I see smoke")]);
    assert!(declared.data["content"].as_str().unwrap().contains("INC-2"), "a member may declare: {declared:?}");
    let listed = stage.discord.command(STRANGER, ops, "incident list", &[]);
    assert!(listed.data["content"].as_str().unwrap().contains("INC-2"), "and read: {listed:?}");
    let acked = stage.discord.command(STRANGER, ops, "ack", &[("incident", "INC-2")]);
    assert!(acked.data["content"].as_str().unwrap().contains("linked to no person"), "{acked:?}");
}

#[test]
fn a_private_incident_is_never_declared_by_a_form_that_would_forget_it() {
    let stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    let answer = stage.discord.command(BAS, ops, "incident declare", &[("private", "yes")]);
    let said = answer.data["content"].as_str().unwrap_or_default();
    assert_eq!(answer.kind, 4, "no form: {answer:?}");
    assert!(said.contains("needs") && said.contains("What is wrong, in a few words"), "{answer:?}");
    stage.discord.nothing_was_wrong();
}

#[test]
fn a_stranger_who_comes_by_direct_message_reads_and_declares_nothing() {
    let stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    stage.discord.command(BAS, ops, "incident declare", &[("title", "cards fail"), ("service", "payments-api")]);
    let direct = stage.discord.direct(STRANGER);
    for (words, options) in [("incident list", &[][..]), ("incident declare", &[("title", "let me in")][..])] {
        let answer = stage.discord.command(STRANGER, direct, words, options);
        let said = answer.data["content"].as_str().unwrap_or_default();
        assert!(said.contains("is not a person of this organisation"), "{answer:?}");
        assert!(!said.contains("cards fail"), "{answer:?}");
    }
    stage.discord.nothing_was_wrong();
}

#[test]
fn case_07_mention_stands_in_the_content_since_one_in_an_embed_notifies_nobody() {
    let mut stage = Stage::start();
    // Also when a sender writes one: his is text, ours alone wakes.
    stage.alert(&format!("<@{CLEO}> replication lag @everyone"), "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    assert!(page.content.starts_with(&format!("<@{BAS}> ")), "{}", page.content);
    assert_eq!(page.notified, [BAS], "the fake wakes whom the content mentions and `allowed_mentions` allows");
    assert_eq!(page.body["allowed_mentions"]["parse"], serde_json::json!([]));
    let embeds = page.body["embeds"].to_string();
    assert!(!embeds.contains(&format!("<@{BAS}>")) && !embeds.contains(&format!("<@{CLEO}>")), "{embeds}");
    stage.discord.nothing_was_wrong();
}
