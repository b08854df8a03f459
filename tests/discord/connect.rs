//! `/connect` over Discord: a code for its owner's eyes, an administrator's word, and what a linked account may then do.

use std::time::Duration;

use crate::stage::{BAS, DEWI, STRANGER, Stage};
use crate::support::discord::Callback;
use crate::support::server::poll;

const EVA: &str = "\n[[person]]\nid = \"eva\"\nnotify.high = [\"chat\"]\nnotify.low = [\"chat\"]\n";

fn said(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

fn code_in(text: &str) -> String {
    let found = regex::Regex::new(r"\*\*([A-Z2-9]{5}-[A-Z2-9]{5})\*\*").expect("a pattern");
    found.captures(text).unwrap_or_else(|| panic!("no code in {text:?}"))[1].to_owned()
}

#[test]
fn a_member_is_linked_by_a_code_and_an_administrators_word_and_pages_reach_them() {
    let mut stage = Stage::with(EVA, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("general");
    let shown = stage.discord.command(STRANGER, ops, "connect", &[]);
    assert_eq!(shown.data["flags"], 64, "only the asker sees it: {shown:?}");
    let code = code_in(&said(&shown));
    let journal = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
    assert!(journal.contains("account.offered") && !journal.contains(&code), "{journal}");

    let refused = stage.discord.command(DEWI, ops, "connect", &[("code", &code), ("person", "eva")]);
    assert!(said(&refused).contains("needs an administrator"), "{refused:?}");
    let own = stage.discord.command(STRANGER, ops, "connect", &[("code", &code)]);
    assert!(said(&own).contains("does not know who you are"), "{own:?}");
    let linked = stage.discord.command(BAS, ops, "connect", &[("code", &code), ("person", "eva")]);
    assert!(said(&linked).contains("is eva from now on"), "{linked:?}");
    assert_eq!(linked.data["flags"], 64, "{linked:?}");

    // A page reaches the account at once, also in the next process.
    stage.discord.command(BAS, ops, "page", &[("target", "eva"), ("text", "help")]);
    let page = stage.page_of(STRANGER, "INC-1");
    assert_eq!(page.notified, [STRANGER]);
    let mut stage = stage.killed_and_started();
    stage.discord.press(STRANGER, &page, "Acknowledge");
    assert_eq!(stage.incident("INC-1")["roles"]["lead"], "eva");

    let gone = stage.discord.command(STRANGER, ops, "disconnect", &[]);
    assert!(said(&gone).contains("no linked account any more"), "{gone:?}");
    poll("the link's end", Duration::from_secs(60), || {
        let who = stage.discord.command(STRANGER, ops, "whoami", &[]);
        said(&who).contains("linked to no person").then_some(())
    });
    stage.discord.nothing_was_wrong();
}

#[test]
fn whoever_is_known_gets_no_code_and_a_guest_by_direct_message_neither() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("general");
    let known = stage.discord.command(BAS, ops, "connect", &[]);
    assert!(said(&known).contains("is bas already"), "{known:?}");
    let direct = stage.discord.direct(STRANGER);
    let guest = stage.discord.command(STRANGER, direct, "connect", &[]);
    assert!(said(&guest).contains("own guild"), "{guest:?}");
    let journal = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
    assert!(!journal.contains("account.offered"), "{journal}");
}

#[test]
fn a_person_links_themselves_by_a_code_from_their_own_terminal() {
    let mut stage = Stage::with(EVA, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("general");
    let as_administrator = stage.server.say("eva", "/connect").text();
    assert!(as_administrator.contains("A code is shown in Discord"), "in her name is not by her: {as_administrator}");
    let made = stage.server.client().post("/v1/tokens", &[], br#"{"person":"eva"}"#).unwrap().json();
    let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let mut eva = crate::support::client::Client::new(stage.server.address(), &token);
    let shown = eva.post("/v1/say", &[], br#"{"text":"/connect"}"#).unwrap().json();
    let text = shown["text"].as_str().unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(shown["private"], true, "{shown}");
    let code = regex::Regex::new(r"Your code: ([A-Z2-9]{5}-[A-Z2-9]{5})\n").expect("a pattern");
    let code = code.captures(text).unwrap_or_else(|| panic!("no code in {text:?}"))[1].to_owned();
    assert!(text.contains(&format!("/connect code:{code}")), "{text}");

    let wrong = stage.discord.command(STRANGER, ops, "connect", &[("code", "AAAAA-AAAAA")]);
    assert!(said(&wrong).contains("counts for nothing"), "{wrong:?}");
    let linked = stage.discord.command(STRANGER, ops, "connect", &[("code", &code)]);
    assert!(said(&linked).contains("You are eva from now on") && linked.data["flags"] == 64, "{linked:?}");
    stage.discord.command(BAS, ops, "page", &[("target", "eva"), ("text", "help")]);
    stage.page_of(STRANGER, "INC-1");
    let journal = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
    assert!(journal.contains("account.code-shown") && !journal.contains(&code), "{journal}");
    assert!(!stage.server.log().contains(&code));
    stage.discord.nothing_was_wrong();
}
