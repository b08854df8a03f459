//! Every command, button and form, driven end to end through the gateway: what is registered and what a button can carry
//! is read from where it stands, so that a new one which nobody drives here fails these tests.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use opsbell::catalog::words::builtin;
use opsbell::domain::command::grammar;
use regex::Regex;
use serde_json::Value;

use crate::stage::{BAS, CLEO, DEWI, Stage, steady};
use crate::support::discord::{Callback, Discord, Shown};
use crate::support::server::poll;

const MORE: &str = r#"
[[change-model]]
id = "restart"
summary = "Restart it"
plan = "Roll every instance"
rollback = "None is needed"
for = "15m"
"#;

/// A playbook that asks.
const ASKS: &str = r#"
kind = "runbook"
summary = "Look at it together"
[[step]]
id = "sure"
ask = "Is the replica up?"
"#;

/// A playbook with a step that may not be done twice.
const HOLDS: &str = r#"
kind = "runbook"
summary = "Hold it"
[[step]]
id = "hold"
run = "/usr/bin/sleep"
args = ["30"]
timeout = "5m"
"#;

/// What steps may run.
const PROGRAMS: &str = "\n[perform]\nprograms = [\"/usr/bin/sleep\"]\n";

/// What is said, by whom. INC-1 is an alert's, sev1; the rest comes from these lines.
const SAID: &str = r#"
bas /help
bas /whoami
bas /status
bas /contact list
bas /contact test
bas /connect
bas /disconnect
bas /oncall who
bas /oncall next
bas /service status
bas /service show payments-api
bas /service impact payments-api
bas /service maintenance payments-api for:1h reason:"the rack moves"
bas /service maintenance payments-api end:now
bas /alert list
bas /alert show ALR-1
bas /alert silence service:payments-api for:1h reason:"we know"
bas /alert silences
bas /alert unsilence SIL-1
cleo /incident declare "cards fail" service:payments-api severity:sev3
cleo /incident declare "cards fail too" service:payments-api severity:sev3
bas /incident list
bas /incident show INC-1
bas /incident ack INC-1
bas /incident note INC-1 "restarted db-2"
bas /incident update INC-1 "failing over"
bas /incident severity sev2 incident:INC-1
bas /incident role scribe incident:INC-1
cleo /incident escalate INC-2
bas /ack INC-2
bas /incident ack-all
bas /snooze 30m incident:INC-2
bas /incident timeline INC-1
bas /incident pages INC-1
bas /incident times incident:INC-1
bas /incident link related incident:INC-1 to:INC-2
bas /incident merge INC-3 INC-2
bas /incident mitigate INC-1
cleo /incident declare "a key leaked" service:payments-api private:yes
cleo /incident invite dewi incident:INC-4
dewi /page cleo "can you look?"
bas /runbook list
bas /runbook run look incident:INC-1
bas /runbook show RUN-1
bas /runbook answer RUN-1 yes
bas /runbook run look incident:INC-1
bas /runbook resume RUN-2 again
bas /runbook cancel RUN-2 "not now"
bas /resolve fixed "rolled back" incident:INC-2
bas /incident resolve recovered incident:INC-1
bas /incident reopen "it is back" incident:INC-1
bas /incident resolve fixed incident:INC-1
bas /incident close fixed incident:INC-2
bas /postmortem list
bas /postmortem show INC-1
bas /postmortem edit INC-1 root-cause "the disk was full"
bas /postmortem publish INC-1
bas /problem open "pods run out of memory" service:payments-api
bas /problem list
bas /problem show PRB-1
bas /problem link PRB-1 incident:INC-1
bas /problem root-cause PRB-1 "the pool has 20 connections"
bas /problem workaround PRB-1 "restart it"
bas /problem known-error PRB-1
bas /problem resolve PRB-1 "it has 60 now"
bas /problem close PRB-1
bas /request list
bas /request new "a test card" service:payments-api for:cleo due:2d
bas /request show REQ-1
bas /request approve REQ-1
bas /request take REQ-1
bas /request fulfil REQ-1 "it ends in 4242"
cleo /request close REQ-1
bas /request new "a lounge" service:payments-api
cleo /request reject REQ-2 "not ours"
bas /request new "a chair" service:payments-api
bas /request cancel REQ-3 "found one"
bas /request retry REQ-1
bas /change new "raise the pool" service:payments-api plan:"set 60" rollback:"set 20" for:30m
bas /change list
bas /change show CHG-1
bas /change edit CHG-1 plan:"set 80"
bas /change check payments-api for:30m
cleo /change approve CHG-1
bas /change schedule CHG-1 at:10:00 for:30m
bas /change cancel CHG-1 "not needed"
bas /change new "lower the pool" service:payments-api plan:"set 10" rollback:"set 20" for:30m
cleo /change reject CHG-2 "not tested"
bas /change standard restart service:payments-api
bas /change start CHG-3
bas /change done CHG-3
bas /change review CHG-3 "went well" outcome:successful
bas /change emergency INC-5 authoriser:cleo "fail over" service:payments-api plan:"fail over" rollback:"fail back"
cleo /change approve CHG-4
bas /change rollback CHG-4 "errors"
bas /change emergency INC-5 authoriser:cleo "fail over again" service:payments-api plan:"fail over" rollback:"fail back"
bas /change fail CHG-5 "it locks"
bas /change delegate
bas /change calendar payments-api
bas /change gate payments-api 1.4.1
bas /freeze start service:payments-api reason:"the migration" for:1h
bas /freeze end service:payments-api
bas /report dora days:30
bas /report changes
"#;

fn account(person: &str) -> u64 {
    match person {
        "bas" => BAS,
        "cleo" => CLEO,
        "dewi" => DEWI,
        other => panic!("{other} has no account here"),
    }
}

/// So many of the lines that are shown, without what changes from run to run.
fn lines(callback: &Callback, most: usize) -> String {
    let text = callback.data["content"].as_str().unwrap_or_default();
    let line = text.lines().take(most).map(steady).collect::<Vec<_>>().join("\n    ");
    let clock = Regex::new(r"\b\d{1,2}:\d{2}(:\d{2})?\b").expect("a pattern");
    let hash = Regex::new(r"\([0-9a-f]{12}\)").expect("a pattern");
    let line = hash.replace_all(&line, "(HASH)").into_owned();
    let date = Regex::new(r"\b20\d\d\\?-\d\d\\?-\d\d\b").expect("a pattern");
    let span = Regex::new(r"\b\d+ ?(ms|s|min|m|h|d)\b( \d+ ?(s|min|m|h))*").expect("a pattern");
    let line = date.replace_all(&line, "DATE").into_owned();
    let line = clock.replace_all(&line, "CLOCK").into_owned();
    span.replace_all(&line, "SPAN").into_owned()
}

fn told(callback: &Callback, most: usize) -> String {
    let how = match (callback.kind, callback.data["flags"] == 64) {
        (4, true) => "to the asker",
        (4, false) => "to all",
        (5, _) => "put off",
        (7, _) => "the message becomes",
        (9, _) => "a form",
        _ => "nothing",
    };
    let title = callback.data["title"].as_str().map(|title| format!(" {title}")).unwrap_or_default();
    format!("  {how}:{title} {}", lines(callback, most)).trim_end().trim_end_matches(':').to_owned()
}

/// All that can be said in Discord: `/incident ack` as `incident ack`, and what stands in the menu of a message.
fn registered(discord: &Discord) -> BTreeSet<String> {
    let text = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut all = BTreeSet::new();
    for command in discord.commands() {
        let options = command["options"].as_array().cloned().unwrap_or_default();
        let subs: Vec<&Value> = options.iter().filter(|option| option["type"] == 1).collect();
        if subs.is_empty() {
            all.insert(text(&command));
        }
        all.extend(subs.iter().map(|sub| format!("{} {}", text(&command), text(sub))));
    }
    all
}

#[test]
fn every_command_is_driven_through_the_gateway() {
    let discord = Discord::start();
    let made = crate::stage::config(&discord, "http://127.0.0.1:9/") + MORE;
    let mut stage = Stage::made_with(discord, &made, &[("playbooks/look.toml", ASKS)]);
    let ops = stage.discord.channel("general");
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
    let mut driven: BTreeSet<String> = BTreeSet::new();
    let mut shown = Vec::new();
    for line in SAID.lines().filter(|line| !line.is_empty()) {
        let (person, words) = line.split_once(' ').unwrap();
        let call = grammar::parse(words, &builtin()).unwrap_or_else(|reject| panic!("{line}: {reject}"));
        let options: Vec<(&str, &str)> =
            call.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = stage.discord.command(account(person), ops, &call.command, &options);
        assert!(matches!(answer.kind, 4 | 5 | 9), "{line}: {answer:?}");
        shown.push(format!("{line}\n{}", told(&answer, 1)));
        driven.insert(call.command.to_string());
    }
    let message = stage.discord.write(CLEO, true, ops, "no tickets are sold", serde_json::json!([]));
    let message = stage.discord.message(message);
    for (name, fields) in [
        ("Declare incident", &[("title", "no tickets are sold"), ("service", "payments-api")][..]),
        ("Add to timeline", &[("text", "cleo saw it"), ("incident", "INC-5")][..]),
    ] {
        let form = stage.discord.on_message(BAS, &message, name);
        let answer = stage.discord.fill(BAS, ops, &form, fields, None);
        shown.push(format!("bas, on a message: {name}\n{}\n{}", told(&form, 1), told(&answer, 1)));
        driven.insert(name.to_owned());
    }
    let missing: Vec<String> = registered(&stage.discord).difference(&driven).cloned().collect();
    assert!(missing.is_empty(), "nobody says these over Discord; add a line to SAID: {missing:?}");
    insta::assert_snapshot!("every_command", shown.join("\n"));
    stage.discord.nothing_was_wrong();
}

/// What a button, select or form can carry, as the program writes it.
fn marks() -> BTreeSet<String> {
    let source = fs::read_to_string("src/chat/discord/button.rs").expect("its source");
    let entry = Regex::new(r#"\("([a-z-]+)", Act::"#).expect("a pattern");
    let all: BTreeSet<String> = entry.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    assert!(all.len() >= 19, "{all:?}");
    all
}

/// A night in which everything that can be pressed, chosen and filled in is.
struct Night {
    stage: Stage,
    shown: Vec<String>,
}

impl Night {
    fn saw(&mut self, what: &str, answer: &Callback) {
        self.shown.push(format!("{what}\n{}", told(answer, 4)));
    }

    fn press(&mut self, user: u64, message: &Shown, label: &str) -> Callback {
        let now = self.stage.discord.message(message.id);
        let answer = self.stage.discord.press(user, &now, label);
        self.saw(label, &answer);
        answer
    }

    fn choose(&mut self, user: u64, panel: &Shown, placeholder: &str, value: &str) {
        let answer = self.stage.discord.choose(user, panel, placeholder, value);
        self.saw(&format!("{placeholder} {value}"), &answer);
    }

    fn more(&mut self, user: u64, message: &Shown) -> Shown {
        let more = self.press(user, message, "More");
        self.stage.discord.answer_shown(more.interaction).expect("a panel")
    }

    /// An alert's page to somebody.
    fn page(&mut self, key: &str, user: u64, incident: &str) -> Shown {
        self.stage.alert("replication lag 900s", key, "critical");
        self.stage.page_of(user, incident)
    }
}

#[test]
fn every_button_select_and_form_is_driven_through_the_gateway() {
    let discord = Discord::start();
    let made = crate::stage::config(&discord, "http://127.0.0.1:9/") + PROGRAMS;
    let files = [("playbooks/look.toml", ASKS), ("playbooks/hold.toml", HOLDS)];
    let mut night = Night { stage: Stage::made_with(discord, &made, &files), shown: Vec::new() };
    let ops = night.stage.discord.channel("general");
    let page = night.page("lag-1", BAS, "INC-1");
    let problem = page.part("Acknowledge").unwrap().replace(":ack:", ":prob:");
    night.press(BAS, &page, "Can't – page next");
    let page = night.stage.page_of(CLEO, "INC-1");
    night.press(CLEO, &page, "Acknowledge");
    let form = night.press(CLEO, &page, "Update…");
    let now = night.stage.discord.message(page.id);
    let updated = night.stage.discord.fill(CLEO, page.channel, &form, &[("text", "looking")], Some(&now));
    night.saw("the form of Update…", &updated);
    night.press(CLEO, &page, "Take command");
    let panel = night.more(CLEO, &page);
    night.choose(CLEO, &panel, "Severity…", "sev2");
    night.choose(CLEO, &panel, "I take the role…", "scribe");
    night.choose(CLEO, &panel, "Snooze for…", "30m");
    for label in ["Hand back", "Escalate"] {
        let answer = night.stage.discord.press(CLEO, &panel, label);
        night.saw(label, &answer);
    }
    night.stage.discord.command(CLEO, ops, "ack", &[("incident", "INC-1")]);
    let panel = night.more(CLEO, &page);
    night.choose(CLEO, &panel, "Resolve as…", "recovered");
    // Carried by what the thread says of a bad incident in other chats; here it is said as a command.
    let (id, body) = night.stage.discord.press_of(CLEO, &page, &problem, None);
    night.stage.discord.dispatch("INTERACTION_CREATE", body);
    let answer = night.stage.discord.answer(id);
    night.saw("a problem", &answer);

    let page = night.page("disk-1", BAS, "INC-2");
    night.press(BAS, &page, "Acknowledge");
    night.press(BAS, &page, "Resolve");
    let page = night.page("cpu-1", BAS, "INC-3");
    night.press(BAS, &page, "Acknowledge");
    let panel = night.more(BAS, &page);
    let answer = night.stage.discord.press(BAS, &panel, "False alarm");
    night.saw("False alarm", &answer);

    let page = night.page("net-1", BAS, "INC-4");
    night.press(BAS, &page, "Acknowledge");
    let panel = night.more(BAS, &page);
    let answer = night.stage.discord.press(BAS, &panel, "Emergency change");
    night.saw("Emergency change", &answer);
    for (title, label) in [("rotate the key", "Approve"), ("raise the pool", "Reject")] {
        let options = [("title", title), ("service", "payments-api"), ("plan", "by hand"), ("rollback", "set it back")];
        night.stage.discord.command(BAS, ops, "change new", &options);
        let asks = night.stage.discord.wait_for_message("what asks for it", |shown| {
            shown.content.contains(title) && shown.labels().contains(&label.to_owned())
        });
        night.press(CLEO, &asks, label);
    }

    for (run, label) in [("RUN-1", "Yes"), ("RUN-2", "No")] {
        night.stage.discord.command(BAS, ops, "runbook run", &[("playbook", "look")]);
        let asks = night
            .stage
            .discord
            .wait_for_message("the question", |shown| shown.content.contains(&format!("{run} look asks")));
        night.press(BAS, &asks, label);
    }
    night.stage.discord.command(BAS, ops, "runbook run", &[("playbook", "hold")]);
    poll("the step to begin", Duration::from_secs(60), || {
        night
            .stage
            .server
            .client()
            .get("/v1/journal?limit=200")
            .ok()?
            .text()
            .contains(r#""owed":{"work""#)
            .then_some(())
    });
    night.stage = night.stage.killed_and_started();
    let asks = night
        .stage
        .discord
        .wait_for_message("what happened", |shown| shown.content.contains("nobody knows whether hold was done"));
    night.press(BAS, &asks, "Do it again");
    // The buttons are gone; who still sees them is told what has become of it.
    for label in ["It was done", "It failed"] {
        let answer = night.stage.discord.press(BAS, &asks, label);
        night.saw(label, &answer);
    }

    let listed = night.stage.discord.command(DEWI, ops, "incident list", &[]);
    let listed = night.stage.discord.answer_shown(listed.interaction).unwrap();
    let form = night.press(DEWI, &listed, "Declare…");
    let asked = night.stage.discord.fill(DEWI, ops, &form, &[("title", "no tickets")], None);
    night.saw("the form of Declare…", &asked);
    let asked = night.stage.discord.answer_shown(asked.interaction).unwrap();
    night.choose(DEWI, &asked, "Which service?", "payments-api");

    let written = night.stage.discord.write(CLEO, true, ops, "I see smoke", serde_json::json!([]));
    let written = night.stage.discord.message(written);
    let form = night.stage.discord.on_message(BAS, &written, "Add to timeline");
    let fields = [("text", "cleo: I see smoke"), ("incident", "INC-5")];
    let noted = night.stage.discord.fill(BAS, ops, &form, &fields, None);
    night.saw("the form of Add to timeline", &noted);

    let form = night.stage.discord.command(BAS, ops, "postmortem edit", &[("incident", "INC-1")]);
    night.saw("/postmortem edit INC-1", &form);
    let cause = form.data["components"].as_array().into_iter().flatten().find_map(|row| {
        row["components"][0]["custom_id"].as_str().filter(|name| name.ends_with(":root-cause")).map(str::to_owned)
    });
    let filled = night.stage.discord.fill(BAS, ops, &form, &[(&cause.unwrap(), "the disk was full")], None);
    night.saw("its form", &filled);

    let used: BTreeSet<String> = night
        .stage
        .discord
        .used()
        .iter()
        .filter_map(|custom_id| custom_id.split(':').nth(2).map(str::to_owned))
        .collect();
    let missing: Vec<String> = marks().difference(&used).cloned().collect();
    assert!(missing.is_empty(), "nobody presses, chooses or fills in these over Discord: {missing:?}");
    insta::assert_snapshot!("every_button", night.shown.join("\n"));
    night.stage.discord.nothing_was_wrong();
}

/// The cases of failure that the product is built for, each with a test of this name.
const CASES: usize = 20;

#[test]
fn each_case_of_failure_has_a_test_named_after_it() {
    let mut found = BTreeSet::new();
    let named = Regex::new(r"#\[test\]\nfn case_(\d\d)_").expect("a pattern");
    for entry in fs::read_dir("tests/discord").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "rs") {
            let source = fs::read_to_string(path).unwrap();
            found.extend(named.captures_iter(&source).map(|found| found[1].parse::<usize>().unwrap()));
        }
    }
    assert_eq!(found, (1..=CASES).collect());
}
