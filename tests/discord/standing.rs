//! How the connection stands and what is said of it: a token that Discord does not know, several guilds, words that came
//! with a new configuration, what cannot be read. And what `opsbell discord check` sees of all that.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{BAS, CLEO, DEWI, STRANGER, Stage, config};
use crate::support::discord::{Callback, Discord, Do, Fault, TOKEN};
use crate::support::server::{opsbell, poll, said};
use crate::support::webhook::Receiver;

const EVA: &str = "\n[[person]]\nid = \"eva\"\nnotify.high = [\"chat\"]\nnotify.low = [\"chat\"]\n";

fn text(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

fn metric(stage: &mut Stage, name: &str) -> String {
    let all = stage.server.client().get("/metrics").expect("an answer").text();
    let line = all.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {all}"));
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// Links the stranger's account to eva.
fn link(stage: &Stage) {
    let general = stage.discord.channel("general");
    let shown = text(&stage.discord.command(STRANGER, general, "connect", &[]));
    let code = regex::Regex::new(r"\*\*([A-Z2-9]{5}-[A-Z2-9]{5})\*\*").expect("a pattern");
    let code = code.captures(&shown).unwrap_or_else(|| panic!("no code in {shown:?}"))[1].to_owned();
    let linked = stage.discord.command(BAS, general, "connect", &[("code", &code), ("person", "eva")]);
    assert!(text(&linked).contains("is eva from now on"), "{linked:?}");
}

fn check(dir: &std::path::Path, token: &str, data: Option<&std::path::Path>) -> (Option<i32>, String) {
    let mut command = opsbell();
    command.env("OPSBELL_DISCORD_TOKEN", token).args(["discord", "check", "--config"]).arg(dir);
    command.arg("--data").arg(data.unwrap_or(std::path::Path::new("/nowhere")));
    let output = command.output().expect("it runs");
    (output.status.code(), said(&output))
}

#[test]
fn a_wrong_token_is_told_as_that_with_what_to_do_and_pages_go_on_by_the_next_method() {
    let desk = Receiver::start();
    let discord = Discord::start();
    discord.reset_token();
    let mut stage = Stage::unconnected(discord, "", &desk.url());
    let told = desk.ledger().wait_until("the operators are told", |all| {
        all.iter().any(|one| one.json().to_string().contains("does not know the token"))
    });
    assert!(told.iter().any(|one| one.json().to_string().contains("Reset Token")), "and what to do");
    assert_eq!(stage.server.get("/readyz")["chat"], "refused", "signals are taken all the same");
    assert_eq!(metric(&mut stage, "opsbell_discord_connected"), "0");
    let log = stage.server.log();
    assert!(log.contains("does not know the token") && !log.contains("pages go on by REST"), "{log}");
    stage.alert("replication lag 900s", "lag-1", "critical");
    desk.ledger().wait_until("the next method", |all| all.iter().any(|one| one.json()["type"] == "page"));
}

#[test]
fn a_token_reset_while_running_is_told_once_and_a_lost_line_is_no_refusal() {
    let desk = Receiver::start();
    let mut stage = Stage::with("", &desk.url());
    assert_eq!(stage.server.get("/readyz")["chat"], "connected");
    assert_eq!(metric(&mut stage, "opsbell_discord_connected"), "1");
    stage.discord.fail("GET", "/gateway/bot", 1000, Fault::Answer(503, Value::Null, Vec::new()));
    stage.discord.refuse_resume();
    stage.discord.to_socket(Do::Cut);
    poll("the loss", Duration::from_secs(60), || (stage.server.get("/readyz")["chat"] == "lost").then_some(()));
    stage.discord.reset_token();
    stage.discord.mend();
    poll("the refusal", Duration::from_secs(60), || (stage.server.get("/readyz")["chat"] == "refused").then_some(()));
    let told = |one: &crate::support::webhook::Received| one.json().to_string().contains("does not know the token");
    desk.ledger().wait_until("the operators are told", |all| all.iter().any(told));
}

#[test]
fn a_message_that_cannot_be_read_is_counted_since_an_alert_may_be_in_it() {
    let rule = "\n[[text-alert]]\nid = \"room\"\nsets = [\"alertmanager\"]\nservice = \"payments-api\"\nchannels = [\"discord:payments-ops\"]\n";
    let mut stage = Stage::with(rule, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("payments-ops");
    for odd in [json!({"id": {}, "content": "[FIRING:1] Lost (critical)"}), json!("x"), json!(null)] {
        stage.discord.dispatch("MESSAGE_CREATE", odd);
    }
    stage.discord.write(300_000_000_000_000_001, false, ops, "[FIRING:1] Kept (critical)", json!([]));
    stage.page_of(BAS, "INC-1");
    assert_eq!(metric(&mut stage, "opsbell_discord_unread_messages_total"), "3");
    assert!(stage.server.log().contains("an alert in it would be lost"));
}

#[test]
fn links_are_known_at_once_while_discord_hangs() {
    const ROOMS: usize = 6;
    let stage = Stage::with(EVA, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("payments-ops");
    for n in 1..=ROOMS {
        let words = [("title", "slow"), ("service", "payments-api"), ("severity", "sev1")];
        stage.discord.command(CLEO, ops, "incident declare", &words);
        let id = format!("**INC-{n} ");
        let live = stage.discord.wait_for_message("its room", |shown| shown.content.contains(&id));
        stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(live.id));
    }
    stage.discord.fail("PATCH", "/channels/", 1000, Fault::Hang);
    stage.discord.fail("PUT", "/channels/", 1000, Fault::Hang);
    for n in 1..=ROOMS {
        let id = format!("INC-{n}");
        stage.discord.command(CLEO, ops, "incident update", &[("text", "still slow"), ("incident", &id)]);
    }
    stage.discord.requests.wait_until("an edit hangs", |all| all.iter().any(|one| one.status == 0));
    link(&stage);
    poll("the link", Duration::from_secs(100), || {
        let who = stage.discord.command(STRANGER, ops, "whoami", &[]);
        text(&who).contains("eva").then_some(())
    });
    // Each room's edit is waited for ten seconds.
    let hung = stage.discord.requests.all().iter().filter(|one| one.status == 0).count();
    assert!(hung < ROOMS, "links waited for {hung} edits");
}

#[test]
fn hints_name_the_commands_with_their_prefix_and_a_new_prefix_is_registered() {
    let discord = Discord::start();
    let prefixed = |prefix: &str| {
        let table = format!("[chat.discord]\ncommand_prefix = \"{prefix}\"");
        config(&discord, "http://127.0.0.1:9/").replace("[chat.discord]", &table)
    };
    let (first, second) = (prefixed("ops-"), prefixed("ob-"));
    let mut stage = Stage::made(discord, &first);
    let ops = stage.discord.channel("payments-ops");
    stage.alert("GET /status fails", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    assert!(page.content.contains("Take it: Acknowledge, or /ops-ack INC-1"), "{}", page.content);
    assert!(page.content.contains("GET /status fails"), "what a sender says stays: {}", page.content);
    let acked = stage.discord.press(BAS, &page, "Acknowledge");
    assert!(text(&acked).contains("then /ops-resolve INC-1"), "{acked:?}");
    let refused = stage.discord.command(DEWI, ops, "ops-resolve", &[("incident", "INC-1")]);
    assert!(text(&refused).contains("/ops-whoami and /ops-help"), "{refused:?}");
    let elsewhere = stage.server.say("dewi", "/resolve INC-1").text();
    assert!(elsewhere.contains("/whoami") && !elsewhere.contains("ops-"), "only in Discord: {elsewhere}");

    stage.reconfigure(&second);
    stage
        .discord
        .requests
        .wait_until("the new words", |_| stage.discord.commands().iter().any(|command| command["name"] == "ob-ack"));
    let listed = stage.discord.command(BAS, ops, "ob-incident list", &[]);
    assert!(text(&listed).contains("INC-1"), "{listed:?}");
    stage.discord.nothing_was_wrong();
}

#[test]
fn in_several_guilds_nothing_is_told_in_a_channel_by_its_name_until_one_is_named() {
    let desk = Receiver::start();
    let discord = Discord::start();
    discord.also_in(900_000_000_000_000_009);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("opsbell.toml"), config(&discord, &desk.url())).unwrap();
    let (status, looked) = check(dir.path(), TOKEN, None);
    assert_eq!(status, Some(1), "{looked}");
    assert!(looked.contains("LOST  guild: the bot is in 2 guilds") && looked.contains("guild = \""), "{looked}");

    let mut stage = Stage::on(discord, "", &desk.url());
    desk.ledger().wait_until("the operators are told", |all| {
        all.iter().any(|one| one.json().to_string().contains("the bot is in 2 guilds"))
    });
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
    let acked = stage.discord.command(BAS, stage.discord.direct(BAS), "ack", &[("incident", "INC-1")]);
    assert!(text(&acked).contains("INC-1 acknowledged"), "{acked:?}");
    poll("why there is no line", Duration::from_secs(60), || {
        let journal = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
        journal.contains("a channel's name says too little").then_some(())
    });
    let ops = stage.discord.channel("payments-ops");
    assert!(stage.discord.messages_in(ops).is_empty(), "{:?}", stage.discord.messages_in(ops));
}

#[test]
fn what_is_hidden_is_not_called_closed() {
    let stage = Stage::start();
    stage.discord.close_direct(BAS);
    let ops = stage.discord.channel("payments-ops");
    let given = [("title", "a key leaked"), ("service", "payments-api"), ("severity", "sev1"), ("private", "yes")];
    stage.discord.command(CLEO, ops, "incident declare", &given);
    let page = stage.discord.wait_for_message("the page", |shown| shown.channel == ops && shown.notified == [BAS]);
    let more = page.part("Acknowledge").unwrap().replace(":ack:", ":more:");
    let pressed = |user: u64, custom_id: &str| {
        let (id, body) = stage.discord.press_of(user, &page, custom_id, None);
        stage.discord.dispatch("INTERACTION_CREATE", body);
        stage.discord.answer(id)
    };
    let hidden = pressed(DEWI, &more);
    assert!(text(&hidden).contains("INC-1 is private") && hidden.data["flags"] == 64, "{hidden:?}");
    assert!(!hidden.data.to_string().contains("closed") && !hidden.data.to_string().contains("leaked"), "{hidden:?}");
    let shown = pressed(CLEO, &more);
    assert!(text(&shown).contains("a key leaked") && shown.data["flags"] == 64, "for her eyes: {shown:?}");
    let never = pressed(CLEO, &more.replace("INC-1", "INC-77"));
    assert!(!text(&never).contains("closed"), "{never:?}");
    stage.discord.command(CLEO, ops, "resolve", &[("incident", "INC-1")]);
    stage.discord.command(CLEO, ops, "incident close", &[("incident", "INC-1")]);
    let closed = pressed(BAS, &more);
    assert!(text(&closed).contains("INC-1 is closed"), "{closed:?}");
    let hidden = pressed(DEWI, &more);
    assert!(text(&hidden).contains("is private"), "closed, and hidden still: {hidden:?}");
}

#[test]
fn discord_check_sees_linked_accounts_and_ids_that_are_nothing() {
    let discord = Discord::start();
    let named = "[chat.discord]\nchannels = { alerts = \"1297000000000000002\" }\nroles = { \"1311000000000000003\" = \"responder\" }";
    let made = config(&discord, "http://127.0.0.1:9/").replace("[chat.discord]", named) + EVA;
    let stage = Stage::made(discord, &made);
    let (config, data) = (stage.dir().join("config"), stage.dir().join("data"));
    let (status, looked) = check(&config, TOKEN, Some(&data));
    assert_eq!(status, Some(1), "{looked}");
    assert!(looked.contains("LOST  channel alerts: 1297000000000000002 is no channel"), "{looked}");
    assert!(looked.contains("note  roles: the guild has no role 1311000000000000003"), "{looked}");
    assert!(looked.contains("person eva: no account: they say /connect"), "{looked}");
    link(&stage);
    let (_, looked) = check(&config, TOKEN, Some(&data));
    assert!(looked.contains("ok    person eva: direct messages are open"), "{looked}");
}
