//! The ways in which chat fails, each by its name; the fake's ledger is the evidence.

use serde_json::{Value, json};

use crate::stage::{BAS, CLEO, Stage};
use crate::support::discord::{Do, Fault, Seen};
use crate::support::webhook::Receiver;

/// How often an account was notified about an incident.
fn notified(stage: &Stage, user: u64) -> usize {
    let all = stage.discord.seen.all();
    all.iter().filter(|seen| matches!(seen, Seen::Message(shown) if shown.notified.contains(&user))).count()
}

#[test]
fn case_01_page_sent_then_killed_before_the_receipt_is_one_message() {
    let mut stage = Stage::start();
    stage.discord.fail("POST", "/messages", 1, Fault::Dropped);
    // Done, and the line cut: whether it arrived is unknown to the process, which is killed in that moment.
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
    let mut stage = stage.killed_and_started();
    stage.discord.seen.wait_until("the second try", |all| all.iter().any(|seen| matches!(seen, Seen::Twin(_))));
    assert_eq!(notified(&stage, BAS), 1, "Discord knows the nonce");
    let page = stage.page_of(BAS, "INC-1");
    stage.discord.press(BAS, &page, "Acknowledge");
    assert_eq!(stage.incident("INC-1")["state"], "acknowledged", "its button works in the next process");
}

#[test]
fn case_05_alert_resolved_while_the_bot_is_down_leaves_nothing_to_send() {
    let mut stage = Stage::start();
    stage.discord.fail("POST", "/messages", 1000, Fault::Answer(503, Value::Null, Vec::new()));
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.discord.requests.wait_until("a try", |all| all.iter().any(|one| one.status == 503));
    stage.clear("replication lag 900s", "lag-1");
    // Nothing is under way any more when Discord answers again.
    let down = stage.killed();
    down.discord.mend();
    let mut stage = down.start_again();
    stage.alert("disk full", "disk-1", "critical");
    stage.page_of(BAS, "INC-2");
    let seen = stage.discord.seen.all();
    let stale = seen.iter().any(|seen| matches!(seen, Seen::Message(shown) if shown.content.contains("(INC-1)")));
    assert!(!stale, "nobody is woken by what is over: {seen:?}");
}

#[test]
fn case_06_a_400_is_followed_by_plain_text() {
    let mut stage = Stage::start();
    let refused = json!({"code": 50035, "message": "Invalid Form Body"});
    let direct = stage.discord.direct(BAS);
    stage.discord.fail("POST", &format!("/channels/{direct}/"), 1, Fault::Answer(400, refused, Vec::new()));
    stage.alert(&"x".repeat(5_000), "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    assert_eq!(page.notified, [BAS], "the mention is still there");
    assert!(page.body["embeds"].as_array().is_none_or(Vec::is_empty), "nothing but text: {}", page.body);
    stage.discord.nothing_was_wrong();
}

#[test]
fn case_08_a_5xx_after_the_message_was_created_is_one_message() {
    let mut stage = Stage::start();
    stage.discord.fail("POST", "/messages", 1, Fault::DoneThen(502));
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
    stage.discord.seen.wait_until("the second try", |all| all.iter().any(|seen| matches!(seen, Seen::Twin(_))));
    assert_eq!(notified(&stage, BAS), 1);
}

#[test]
fn case_12_dm_closed_the_page_goes_to_the_teams_channel_at_once() {
    let mut stage = Stage::start();
    stage.discord.close_direct(BAS);
    stage.alert("replication lag 900s", "lag-1", "critical");
    let ops = stage.discord.channel("payments-ops");
    let page = stage.discord.wait_for_message("the page", |shown| shown.channel == ops && shown.notified == [BAS]);
    assert_eq!(page.labels()[0], "Acknowledge");
    stage.discord.press(BAS, &page, "Acknowledge");
    assert_eq!(stage.incident("INC-1")["state"], "acknowledged");
}

#[test]
fn dm_closed_a_private_page_says_nothing_of_it_in_the_teams_channel() {
    let stage = Stage::start();
    stage.discord.close_direct(BAS);
    let ops = stage.discord.channel("payments-ops");
    let given = [("title", "a key leaked"), ("service", "payments-api"), ("severity", "sev1"), ("private", "yes")];
    stage.discord.command(CLEO, ops, "incident declare", &given);
    let page = stage.discord.wait_for_message("the page", |shown| shown.channel == ops && shown.notified == [BAS]);
    assert!(page.body.to_string().contains("private incident"), "{}", page.body);
    assert!(!page.body.to_string().contains("leaked"), "{}", page.body);
}

#[test]
fn case_16_two_people_press_acknowledge_in_the_same_millisecond() {
    let mut stage = Stage::start();
    stage.discord.close_direct(BAS);
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.discord.wait_for_message("the page", |shown| shown.notified == [BAS]);
    let first = stage.discord.start_press(CLEO, &page, "Acknowledge");
    let second = stage.discord.start_press(BAS, &page, "Acknowledge");
    assert_eq!(stage.discord.answer(first).kind, 7);
    let late = stage.discord.answer(second);
    assert_eq!((late.kind, &late.data["flags"]), (4, &json!(64)), "only for whoever was late: {late:?}");
    assert!(late.data["content"].as_str().unwrap().contains("by cleo"), "it says who was first: {late:?}");
    assert_eq!(stage.incident("INC-1")["roles"]["lead"], "cleo");
}

#[test]
fn case_18_dispatches_told_twice_and_out_of_order_count_once() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    let ack = page.part("Acknowledge").unwrap();
    let (first, body) = stage.discord.press_of(BAS, &page, &ack, None);
    let (second, other) = stage.discord.press_of(BAS, &page, &page.part("Can't – page next").unwrap(), None);
    // The second arrives first, and both arrive twice.
    for body in [&other, &body, &other, &body] {
        stage.discord.dispatch("INTERACTION_CREATE", body.clone());
    }
    stage.discord.answer(first);
    stage.discord.answer(second);
    let mut server = stage.server.client();
    let timeline = server.get("/v1/journal?limit=200").unwrap().text();
    assert_eq!(timeline.matches("incident.acknowledged").count(), 1, "{timeline}");
    // After a restart, too: the engine remembers what was asked.
    let mut stage = stage.killed_and_started();
    stage.discord.dispatch("INTERACTION_CREATE", body);
    let listed = stage.discord.command(BAS, page.channel, "incident list", &[]);
    assert!(listed.data["content"].as_str().unwrap().contains("INC-1"));
    let timeline = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
    assert_eq!(timeline.matches("incident.acknowledged").count(), 1, "{timeline}");
}

#[test]
fn case_19_gateway_ended_without_a_close_frame_is_taken_up_where_it_was() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    stage.discord.to_socket(Do::Cut);
    // Pressed while nobody listens; Discord tells it after the RESUME.
    let id = stage.discord.start_press(BAS, &page, "Acknowledge");
    stage.discord.gateway.wait_until("RESUME", |all| all.iter().any(|line| line == "resumed"));
    stage.discord.answer(id);
    assert_eq!(stage.incident("INC-1")["state"], "acknowledged");
}

#[test]
fn gateway_that_is_silent_is_noticed_by_its_heartbeats() {
    let discord = crate::support::discord::Discord::start();
    discord.heartbeat_every(200);
    let stage = Stage::on(discord, "", "http://127.0.0.1:9/");
    stage.discord.mute_acks.store(true, std::sync::atomic::Ordering::SeqCst);
    stage.discord.gateway.wait_until("RESUME", |all| all.iter().any(|line| line == "resumed"));
    stage.discord.mute_acks.store(false, std::sync::atomic::Ordering::SeqCst);
}

#[test]
fn gateway_down_pages_go_on_by_rest() {
    let mut stage = Stage::start();
    stage.discord.fail("GET", "/gateway/bot", 1000, Fault::Answer(503, Value::Null, Vec::new()));
    stage.discord.refuse_resume();
    stage.discord.to_socket(Do::Cut);
    stage.discord.gateway.wait_until("a refusal", |all| all.iter().any(|line| line == "resume refused"));
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
}

#[test]
fn case_04_one_target_failing_beside_another_holds_it_up_nowhere() {
    let desk = Receiver::start();
    let more = "\n[[escalation]]\nid = \"both\"\nsteps = [{ page = [\"person:bas\", \"person:cleo\"], escalate_after = \"5m\" }]\n[[team]]\nid = \"both\"\nescalation = \"both\"\n";
    let stage = Stage::with(more, &desk.url());
    // Bas cannot be reached by chat in any way.
    stage.discord.close_direct(BAS);
    let bas = stage.discord.direct(BAS);
    stage.discord.fail("POST", &format!("/channels/{bas}/"), 1000, Fault::Hang);
    let ops = stage.discord.channel("general");
    stage.discord.command(CLEO, ops, "page", &[("target", "team:both"), ("text", "help")]);
    let page = stage.page_of(CLEO, "INC-1");
    assert_eq!(page.notified, [CLEO]);
}

#[test]
fn case_20_own_or_another_bots_message_that_looks_like_a_command_is_none() {
    let rule = "\n[[text-alert]]\nid = \"ops-room\"\nsets = [\"alertmanager\"]\nservice = \"payments-api\"\nchannels = [\"discord:payments-ops\"]\n";
    let mut stage = Stage::with(rule, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("payments-ops");
    let robot = 300_000_000_000_000_001;
    for author in [crate::support::discord::BOT, robot] {
        for text in ["/incident declare \"no\"", "/ack INC-1", "!page bas"] {
            stage.discord.write(author, false, ops, text, json!([]));
        }
    }
    stage.discord.write(crate::support::discord::BOT, false, ops, "[FIRING:1] OwnWords (critical)", json!([]));
    stage.discord.write(BAS, true, ops, "[FIRING:1] SaidByAPerson (critical)", json!([]));
    let hostile =
        format!("[FIRING:1] @everyone [win](https://evil.example) \u{202e}gnp {} (critical)", "Z\u{301}".repeat(400));
    stage.discord.write(robot, false, ops, &hostile, json!([]));
    let page = stage.page_of(BAS, "INC-1");
    assert_eq!(page.notified, [BAS]);
    assert!(page.content.contains("@\u{2060}everyone") && !page.content.contains("](http"), "{}", page.content);
    assert!(page.content.chars().count() <= 2000 && !page.content.contains('\u{202e}'));
    let listed = stage.server.get("/v1/incidents");
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "only the other bot's alert is one: {listed}");
    stage.discord.nothing_was_wrong();
}
