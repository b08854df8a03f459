//! An incident's room: the live message, its thread, what is said where, and what happens when it goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::{BAS, CLEO, DEWI, STRANGER, Stage, steady};
use crate::support::discord::{Discord, Fault, Seen, Shown};
use crate::support::server::poll;

/// The live message of an incident.
fn live(stage: &Stage, incident: &str) -> Shown {
    let ops = stage.discord.channel("payments-ops");
    stage.discord.wait_for_message("the live message", |shown| {
        shown.channel == ops
            && shown.content.contains(&format!("**{incident} sev"))
            && shown.content.contains("Opened <t:")
    })
}

/// Waits until the live message says something.
fn shows(stage: &Stage, live: &Shown, words: &str) -> Shown {
    let shown = || stage.discord.message(live.id);
    stage.discord.requests.wait_until(&format!("an edit with {words:?}"), |_| shown().content.contains(words));
    shown()
}

/// The first lines of what stands in a place now, without answers: these come beside the lines in no sure order.
fn said_in(stage: &Stage, place: u64) -> Vec<String> {
    let first = |shown: &Shown| shown.content.lines().next().map(steady).unwrap_or_default();
    let line = |text: &String| ["INC-1:", "INC-1 (", "🔴"].iter().any(|begin| text.starts_with(begin));
    stage.discord.messages_in(place).iter().map(first).filter(line).collect()
}

#[test]
fn a_bad_incident_has_a_live_message_with_a_thread_that_lives_as_long_as_it_does() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    stage.alert("replication lag 900s", "lag-1", "critical");
    let first = live(&stage, "INC-1");
    let thread = stage.discord.wait_for_thread(first.id);
    assert_eq!(stage.discord.place(thread).name, "INC-1 sev1 payments-api: lag-1: replication lag 900s");
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));

    // In the room the id may be left out; what is said there stays there, an update is for everybody.
    stage.discord.command(BAS, thread, "ack", &[]);
    let now = shows(&stage, &first, "bas has it since");
    assert_eq!(now.labels()[0], "Update…");
    stage.discord.requests.wait_until("bas in the thread", |_| stage.discord.place(thread).members.contains(&BAS));
    stage.discord.command(BAS, thread, "incident update", &[("text", "failing over to the replica")]);
    shows(&stage, &first, "failing over to the replica");
    insta::assert_snapshot!("live_message", steady(&stage.discord.message(first.id).content));

    let resolved = stage.discord.press(BAS, &stage.discord.message(first.id), "Resolve");
    assert_eq!(resolved.kind, 7, "{resolved:?}");
    stage.discord.requests.wait_until("the pin's end", |_| !stage.discord.pinned(first.id));
    stage.discord.command(BAS, ops, "incident close", &[("incident", "INC-1")]);
    stage.discord.requests.wait_until("the archive", |_| stage.discord.place(thread).archived);
    insta::assert_snapshot!("in_the_thread", said_in(&stage, thread).join("\n---\n"));
    insta::assert_snapshot!("in_the_channel", said_in(&stage, ops).join("\n---\n"));

    stage.discord.command(BAS, ops, "incident reopen", &[("incident", "INC-1")]);
    shows(&stage, &first, "Paged: bas.");
    stage.discord.requests.wait_until("the thread again", |_| !stage.discord.place(thread).archived);
    stage.discord.requests.wait_until("the pin again", |_| stage.discord.pinned(first.id));
    let rooms = stage.discord.requests.all().iter().filter(|one| one.path.ends_with("/threads")).count();
    assert_eq!(rooms, 1, "one incident, one room");
    stage.discord.nothing_was_wrong();
}

#[test]
fn what_is_not_bad_is_a_line_and_what_is_declared_has_a_room() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    stage.alert("disk at 80%", "disk-1", "warning");
    stage.discord.wait_for_message("a line", |shown| shown.channel == ops && shown.content.contains("INC-1"));
    stage.discord.command(
        CLEO,
        ops,
        "incident declare",
        &[("title", "slow"), ("severity", "sev4"), ("service", "payments-api")],
    );
    let declared = live(&stage, "INC-2");
    stage.discord.wait_for_thread(declared.id);
    let rooms = stage.discord.requests.all().iter().filter(|one| one.path.ends_with("/threads")).count();
    assert_eq!(rooms, 1);
    // It turns out to be bad: the line that says so asks for the room.
    stage.discord.command(CLEO, ops, "incident severity", &[("severity", "sev1"), ("incident", "INC-1")]);
    live(&stage, "INC-1");
}

#[test]
fn a_private_incident_has_no_room() {
    let stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    let given = [("title", "a key leaked"), ("service", "payments-api"), ("severity", "sev1"), ("private", "yes")];
    stage.discord.command(CLEO, ops, "incident declare", &given);
    stage.page_of(BAS, "INC-1");
    stage.discord.command(CLEO, ops, "incident declare", &[("title", "slow"), ("service", "payments-api")]);
    live(&stage, "INC-2");
    let all = stage.discord.seen.all();
    let told =
        all.iter().filter(|seen| matches!(seen, Seen::Message(shown) if shown.channel == ops && shown.only.is_none()));
    assert!(told.clone().count() > 0 && !format!("{:?}", told.collect::<Vec<_>>()).contains("leaked"));
}

#[test]
fn case_13_thread_deleted_or_locked_under_the_bot_all_goes_on_in_the_channel() {
    for locked in [false, true] {
        let mut stage = Stage::start();
        let ops = stage.discord.channel("payments-ops");
        stage.alert("replication lag 900s", "lag-1", "critical");
        let first = live(&stage, "INC-1");
        let thread = stage.discord.wait_for_thread(first.id);
        stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));
        if locked {
            stage.discord.lock_thread(thread);
        } else {
            stage.discord.delete_place(thread);
        }
        let page = stage.page_of(BAS, "INC-1");
        stage.discord.press(BAS, &page, "Acknowledge");
        stage.discord.wait_for_message("the line", |shown| {
            shown.channel == ops && shown.content.contains("INC-1: acknowledged by bas.")
        });
        // It is known from then on, also after a restart.
        let stage = stage.killed_and_started();
        stage.discord.command(BAS, ops, "incident mitigate", &[("incident", "INC-1")]);
        stage.discord.wait_for_message("the next line", |shown| {
            shown.channel == ops && shown.content.contains("mitigated by bas")
        });
        let lines = stage.discord.requests.all();
        let refused =
            lines.iter().filter(|one| one.method == "POST" && one.path == format!("/channels/{thread}/messages"));
        assert_eq!(refused.filter(|one| one.status >= 400).count(), 1, "one line, one try");
        shows(&stage, &first, "mitigated");
    }
}

#[test]
fn live_message_deleted_under_the_bot_pages_and_lines_go_on() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let first = live(&stage, "INC-1");
    let thread = stage.discord.wait_for_thread(first.id);
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));
    stage.discord.delete_message(first.id);
    let page = stage.page_of(BAS, "INC-1");
    stage.discord.press(BAS, &page, "Acknowledge");
    stage
        .discord
        .wait_for_message("the line", |shown| shown.channel == thread && shown.content.contains("acknowledged by bas"));
    stage.alert("disk full", "disk-1", "critical");
    stage.page_of(BAS, "INC-2");
    live(&stage, "INC-2");
}

#[test]
fn without_leave_for_threads_the_live_message_stands_alone() {
    let stage = {
        let mut stage = Stage::start();
        let lacks = Fault::Answer(403, json!({"message": "Missing Permissions", "code": 50013}), Vec::new());
        stage.discord.fail("POST", "/threads", 1000, lacks);
        stage.alert("replication lag 900s", "lag-1", "critical");
        stage
    };
    let ops = stage.discord.channel("payments-ops");
    let first = live(&stage, "INC-1");
    stage.discord.command(BAS, ops, "ack", &[("incident", "INC-1")]);
    shows(&stage, &first, "bas has it since");
    stage
        .discord
        .wait_for_message("the line", |shown| shown.channel == ops && shown.content.contains("acknowledged by bas"));
}

#[test]
fn edits_that_failed_are_made_when_discord_is_back_and_only_the_newest() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let first = live(&stage, "INC-1");
    stage.discord.wait_for_thread(first.id);
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));
    let edits = |stage: &Stage| {
        stage.discord.seen.all().iter().filter(|seen| matches!(seen, Seen::Edit(shown) if shown.id == first.id)).count()
    };
    let before = edits(&stage);
    stage.discord.fail("PATCH", "/messages/", 1000, Fault::Answer(503, Value::Null, Vec::new()));
    let ops = stage.discord.channel("general");
    stage.discord.command(BAS, ops, "ack", &[("incident", "INC-1")]);
    stage.discord.requests.wait_until("a try", |all| all.iter().any(|one| one.method == "PATCH" && one.status == 503));
    stage.discord.command(BAS, ops, "incident update", &[("incident", "INC-1"), ("text", "first words")]);
    stage.discord.command(BAS, ops, "incident update", &[("incident", "INC-1"), ("text", "last words")]);
    stage.discord.mend();
    shows(&stage, &first, "last words");
    assert_eq!(edits(&stage), before + 1, "one edit, with what is true now");
    // A restart finds nothing to say anew, and a room is never made twice.
    let stage = stage.killed_and_started();
    stage.discord.command(BAS, ops, "incident mitigate", &[("incident", "INC-1")]);
    shows(&stage, &first, "mitigated");
    let rooms = stage.discord.requests.all().iter().filter(|one| one.path.ends_with("/threads")).count();
    assert_eq!(rooms, 1);
}

#[test]
fn a_thread_that_could_not_be_started_at_once_is_started_from_the_same_message() {
    let mut stage = Stage::start();
    stage.discord.fail("POST", "/threads", 2, Fault::Answer(503, Value::Null, Vec::new()));
    stage.discord.fail("POST", "/threads", 1, Fault::Dropped);
    stage.alert("replication lag 900s", "lag-1", "critical");
    let first = live(&stage, "INC-1");
    let thread = first.id;
    let ops = stage.discord.channel("general");
    stage
        .discord
        .requests
        .wait_until("the thread", |all| all.iter().any(|one| one.path.ends_with("/threads") && one.status == 400));
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));
    stage.discord.command(BAS, ops, "ack", &[("incident", "INC-1")]);
    stage
        .discord
        .wait_for_message("the line", |shown| shown.channel == thread && shown.content.contains("acknowledged by bas"));
    let posts = stage.discord.messages_in(stage.discord.channel("payments-ops"));
    assert_eq!(posts.iter().filter(|shown| shown.content.contains("Opened <t:")).count(), 1);
}

#[test]
fn a_pin_by_a_responder_notes_a_message_once_and_anybody_elses_notes_nothing() {
    let mut stage = Stage::start();
    stage.alert("replication lag 900s", "lag-1", "critical");
    let thread = stage.discord.wait_for_thread(live(&stage, "INC-1").id);
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(thread));
    let said = stage.discord.write(CLEO, true, thread, "the replica *lost* its disk @everyone", json!([]));
    let other = stage.discord.write(CLEO, true, thread, "me too", json!([]));
    let elsewhere = stage.discord.write(CLEO, true, stage.discord.channel("general"), "lunch?", json!([]));
    stage.discord.react(STRANGER, said, "📌");
    stage.discord.react(DEWI, other, "📌");
    stage.discord.react(BAS, other, "👍");
    stage.discord.react(BAS, elsewhere, "📌");
    stage.discord.react(crate::support::discord::BOT, other, "📌");
    // One that was refused does not stand in the way of one that is not.
    let again = stage.discord.write(CLEO, true, thread, "second look", json!([]));
    stage.discord.react(DEWI, again, "📌");
    poll("the refusal", Duration::from_secs(60), || {
        let journal = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
        (journal.matches("attempt.refused").count() >= 2).then_some(())
    });
    stage.discord.react(BAS, again, "📌");
    let done = format!("/messages/{again}/reactions/%E2%9C%85/@me");
    stage.discord.requests.wait_until("it is noted", |all| all.iter().any(|one| one.path.ends_with(&done)));
    for _ in 0..2 {
        stage.discord.react(BAS, said, "📌");
        stage.discord.react(CLEO, said, "📌");
    }
    let done = format!("/messages/{said}/reactions/%E2%9C%85/@me");
    stage.discord.requests.wait_until("the answer", |all| all.iter().any(|one| one.path.ends_with(&done)));
    // Behind all of them in the engine's queue.
    stage.discord.command(BAS, thread, "incident note", &[("text", "last")]);
    let timeline = stage.server.client().get("/v1/journal?limit=200").unwrap().text();
    assert_eq!(timeline.matches("the replica *lost* its disk").count(), 1, "{timeline}");
    assert!(timeline.contains("user204255221017214978: the replica"), "whose words they are: {timeline}");
    for silent in ["me too", "lunch?"] {
        assert!(!timeline.contains(silent), "{silent}: {timeline}");
    }
    stage.discord.nothing_was_wrong();
}

/// An organisation whose rooms are channels, or as told.
fn with_rooms(discord: Discord, lines: &str) -> Stage {
    let table = format!("[chat.discord]\n{lines}");
    let made = crate::stage::config(&discord, "http://127.0.0.1:9/").replace("[chat.discord]", &table);
    Stage::made(discord, &made)
}

#[test]
fn a_room_can_be_a_channel_under_a_category_which_is_put_away_and_fetched_back() {
    let discord = Discord::start();
    let (open, archive) = (discord.make_category("Incidents"), discord.make_category("Closed incidents"));
    // Made, and the answer lost: the second try finds it.
    discord.fail("POST", "/guilds/", 1, Fault::Dropped);
    let mut stage = with_rooms(
        discord,
        "rooms = \"channels\"\nrooms_category = \"incidents\"\nrooms_archive = \"Closed incidents\"\nstakeholders = [\"dewi for payments-api from sev2\", \"cleo for platform\"]",
    );
    let ops = stage.discord.channel("payments-ops");
    stage.alert("replication lag 900s", "lag-1", "critical");
    let first = live(&stage, "INC-1");
    stage.discord.requests.wait_until("the pin", |_| stage.discord.pinned(first.id));
    let room = stage.discord.channel("inc-1-payments-api");
    let made = stage
        .discord
        .requests
        .all()
        .iter()
        .filter(|one| one.path.starts_with("/guilds/") && one.method == "POST")
        .count();
    assert_eq!(made, 1, "one channel, though its answer was lost");
    let place = stage.discord.place(room);
    assert_eq!((place.kind, place.parent), (0, Some(open)));
    assert!(place.topic.starts_with("INC-1 sev1 payments-api: lag-1: replication lag 900s"), "{}", place.topic);
    shows(&stage, &first, &format!("worked on in <#{room}>"));
    stage.discord.requests.wait_until("dewi, who wants to know", |_| stage.discord.place(room).members.contains(&DEWI));
    assert!(!stage.discord.place(room).members.contains(&CLEO), "of another service");

    // There the id may be left out; what is said there stays there, an update is for everybody.
    stage.discord.command(BAS, room, "ack", &[]);
    stage.discord.requests.wait_until("bas in the room", |_| stage.discord.place(room).members.contains(&BAS));
    stage.discord.command(BAS, room, "incident update", &[("text", "failing over to the replica")]);
    shows(&stage, &first, "failing over to the replica");
    stage.discord.wait_for_message("the line", |shown| shown.channel == room && shown.content.contains("failing over"));
    let pinned = stage.discord.write(CLEO, true, room, "the replica is up", json!([]));
    stage.discord.react(BAS, pinned, "📌");
    let done = format!("/messages/{pinned}/reactions/%E2%9C%85/@me");
    stage.discord.requests.wait_until("it is noted", |all| all.iter().any(|one| one.path.ends_with(&done)));

    stage.discord.command(BAS, room, "resolve", &[]);
    // What is still on its way when the incident is closed goes on without its turn.
    stage
        .discord
        .wait_for_message("the draft", |shown| shown.channel == room && shown.content.contains("postmortem draft"));
    stage.discord.command(BAS, room, "incident close", &[("incident", "INC-1")]);
    stage.discord.requests.wait_until("it is put away", |_| stage.discord.place(room).parent == Some(archive));
    assert_eq!(stage.discord.place(room).name, "closed-inc-1-payments-api");
    stage.discord.wait_for_message("the last line", |shown| {
        shown.channel == room && shown.content.contains("Make it a problem?")
    });
    insta::assert_snapshot!("in_a_channel_of_its_own", said_in(&stage, room).join("\n---\n"));
    stage.discord.command(BAS, ops, "incident reopen", &[("incident", "INC-1")]);
    stage.discord.requests.wait_until("it is back", |_| stage.discord.place(room).parent == Some(open));
    assert_eq!(stage.discord.place(room).name, "inc-1-payments-api");

    // Deleted by somebody: all goes on in the team's channel.
    stage.discord.delete_place(room);
    stage.discord.command(BAS, ops, "incident mitigate", &[("incident", "INC-1")]);
    stage
        .discord
        .wait_for_message("the line", |shown| shown.channel == ops && shown.content.contains("INC-1: mitigated"));
    stage.discord.nothing_was_wrong();
}

#[test]
fn without_its_category_or_leave_a_room_is_a_thread() {
    for refused in [false, true] {
        let discord = Discord::start();
        if refused {
            discord.make_category("Incidents");
            let lacks = Fault::Answer(403, json!({"message": "Missing Permissions", "code": 50013}), Vec::new());
            discord.fail("POST", "/guilds/", 1000, lacks);
        }
        let mut stage = with_rooms(discord, "rooms = \"channels\"\nrooms_category = \"Incidents\"");
        stage.alert("replication lag 900s", "lag-1", "critical");
        let first = live(&stage, "INC-1");
        let thread = stage.discord.wait_for_thread(first.id);
        stage.discord.command(BAS, thread, "ack", &[]);
        assert_eq!(stage.incident("INC-1")["state"], "acknowledged");
        stage.discord.nothing_was_wrong();
    }
}

#[test]
fn rooms_can_be_turned_off_and_every_line_stands_in_the_channel() {
    let mut stage = with_rooms(Discord::start(), "rooms = \"off\"");
    let ops = stage.discord.channel("payments-ops");
    stage.alert("replication lag 900s", "lag-1", "critical");
    let page = stage.page_of(BAS, "INC-1");
    stage.discord.press(BAS, &page, "Acknowledge");
    stage
        .discord
        .wait_for_message("the line", |shown| shown.channel == ops && shown.content.contains("acknowledged by bas"));
    let all = stage.discord.requests.all();
    let rooms = all.iter().filter(|one| one.path.ends_with("/threads") || one.path.contains("/pins/")).count();
    assert_eq!(rooms, 0);
    assert!(!stage.discord.messages_in(ops).iter().any(|shown| shown.content.contains("Opened <t:")));
    stage.discord.nothing_was_wrong();
}
