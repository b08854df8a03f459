//! Tests of the room: what the grammar refuses and how, what the world promises, who would be woken.

use std::path::Path;

use super::run::{Surroundings, play, run};
use super::story::Story;
use super::world::{What, World};
use super::{organisation, who_is_woken};
use crate::domain::change::deployed::Deployed;
use crate::domain::delivery::{Content, Destination};
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, IntegrationId};
use crate::domain::incident::IncidentState;
use crate::domain::input::Button;
use crate::domain::org::Org;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};
use crate::domain::time::{Span, Timestamp};

fn airline() -> Org {
    organisation(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ej-airways")).expect("the example loads")
}

fn errors(text: &str) -> Vec<String> {
    match Story::parse("s.txt", text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The one error of a statement that stands on the second line.
fn error(statement: &str) -> String {
    let found = errors(&format!("at 2026-12-25T03:00 Europe/Amsterdam\n{statement}\n"));
    assert_eq!(found.len(), 1, "{statement}: {found:?}");
    found[0].clone()
}

#[test]
fn every_statement_is_read() {
    let text = "\u{feff}# a story\r\n\n  at 2026-12-25T03:00 Europe/Amsterdam  # night\r\nat 2026-12-25T02:00:01Z\nadvance 1h30m\n\
        alert api \"it's \\\"down\\\"\" severity=critical key=\"a b\" environment=prod label.pod='x y' # c\nalert api down #c\n\
        clear api key=k\nsend alertmanager a.json\nas cleo: /ack INC-1 # she is awake\nas cleo in #ops: /incident note see #42\n\
        as cleo in discord:ops: /ack\npress bas hand-back INC-1\nfail chat\nfail sms bas\nrestore sms bas\nrestart\nconfig other\n\
        expect incident INC-1 triggered sev1 lead=none title=\"a b\"\nexpect change CHG-1 scheduled risk=low\n\
        expect problem PRB-1 open\nexpect request REQ-1 submitted item=none\nexpect page webhook:desk via webhook\nexpect no page\n\
        expect no page bas\nexpect reply bas contains \"x\"\nexpect reply bas lacks x\nexpect post #ops contains x\n\
        expect post payments lacks x";
    let story = Story::parse("s.txt", text).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(story.lines.len(), 27);
    insta::assert_debug_snapshot!(story.lines.iter().map(|line| &line.statement).collect::<Vec<_>>());
}

#[test]
fn what_is_not_understood_is_told_with_what_was_meant() {
    insta::assert_snapshot!(
        [
            "advanse 5m",
            "advance",
            "advance five",
            "advance 5m now",
            "advance 9y",
            "at 2026-12-24T03:00 Europe/Amsterdam",
            "at 2026-12-26T03:00",
            "at 2026-12-26T03:00 Europe/Amsterdan",
            "at 2026-12-26T03:00:00Z Europe/Amsterdam",
            "at 99999-12-26T03:00 Europe/Amsterdam",
            "at tomorrow",
            "alert api",
            "alert api down hard",
            "alert api down severty=high",
            "alert api down severity=horrible",
            "alert api down key=",
            "alert api down key=a key=b",
            "alert api \"down",
            "clear api",
            "clear api lag-1",
            "send alertmanger a.json",
            "as cleo /ack",
            "as cleo:",
            "as cleo on ops: /ack",
            "press bas akc INC-1",
            "press bas ack INC-x",
            "fail telepathy",
            "restart now",
            "expect",
            "expect incidnet INC-1 triggered",
            "expect incident INC-1 triggerd",
            "expect incident INC-1 triggered sev9",
            "expect incident INC-1 triggered leed=bas",
            "expect page bas",
            "expect page bas by sms",
            "expect page #ops via chat",
            "expect no sms",
            "expect reply bas has x",
            "expect reply bas contains \"\"",
            "expect change",
        ]
        .map(error)
        .join("\n")
    );
}

#[test]
fn a_story_begins_with_the_time_and_tells_all_its_errors() {
    assert_eq!(
        errors(""),
        ["s.txt:1: the story is empty; it begins with the time: at 2026-12-25T03:00 Europe/Amsterdam"]
    );
    assert_eq!(
        errors("# only this\nrestart\nfoo\nat 2026-12-25T03:00Z\n"),
        [
            "s.txt:2: a story begins with the time: at 2026-12-25T03:00 Europe/Amsterdam",
            "s.txt:3: there is no statement `foo`; it is one of at, advance, alert, clear, send, as, press, fail, restore, step, restart, config, expect",
            "s.txt:4: `2026-12-25T03:00Z` is not a time; write it like at 2026-12-25T03:00 Europe/Amsterdam, or at 2026-12-25T02:00:00Z",
        ]
    );
    assert_eq!(errors("at nowhere").len(), 1);
    // Hostile text is refused or read, and never more than that.
    for text in
        ["\0", "at \u{202e} x", "as :", "as \": :", "expect post #", "'", "\\", "alert \\", "at -1 Europe/Amsterdam"]
    {
        assert!(!errors(text).is_empty(), "{text:?}");
    }
    assert_eq!(errors(&"x ".repeat(100_000)).len(), 2);
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a test's time")
}

fn lag() -> Signal {
    Signal {
        kind: SignalKind::Alert,
        service: Some("payments-api".to_owned()),
        name: "lag".to_owned(),
        severity: Some(AlertSeverity::Critical),
        severity_word: None,
        status: "firing".to_owned(),
        key: "lag".to_owned(),
        summary: None,
        labels: std::collections::BTreeMap::new(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// Pages so far: which delivery, and whether it says that it may be a repeat.
fn pages(world: &World) -> Vec<(DeliveryId, bool)> {
    let pages = world.log().iter().filter_map(|happening| match &happening.what {
        What::Sent { delivery, content: Content::Page(_), possible_repeat, .. } => {
            Some((delivery.clone(), *possible_repeat))
        }
        _ => None,
    });
    pages.collect()
}

#[test]
fn a_page_without_its_receipt_is_sent_again_after_a_restart_and_says_so() {
    let mut world = World::new(airline(), at("2026-12-25T02:00:00Z"));
    world.hold(true);
    world.signal(&IntegrationId::from("story"), "story", lag()).expect("taken");
    let before = pages(&world);
    assert_eq!(before.len(), 1);
    assert!(!before[0].1);
    world.hold(false);
    world.restart().expect("the same state");
    let after = pages(&world);
    assert_eq!(after.len(), 2);
    assert_eq!(after[1], (before[0].0.clone(), true), "the same id, marked");
    world.restart().expect("the same state");
    assert_eq!(pages(&world).len(), 2, "its receipt has come by now");
}

#[test]
fn nothing_is_sent_again_when_it_was_acknowledged_before_the_restart() {
    let mut world = World::new(airline(), at("2026-12-25T02:00:00Z"));
    world.hold(true);
    world.signal(&IntegrationId::from("story"), "story", lag()).expect("taken");
    world.press(&"bas".into(), Button::Ack, crate::domain::id::IncidentId(1)).expect("acknowledged");
    world.hold(false);
    world.restart().expect("the same state");
    assert_eq!(pages(&world).len(), 1);
    world.go_to(world.now().after(Span::hours(1))).expect("time goes on");
    assert_eq!(pages(&world).len(), 1);
}

#[test]
fn what_an_integration_acknowledges_is_not_taken_from_a_person() {
    for may in [false, true] {
        let mut org = airline();
        let uptime = IntegrationId::from("uptime");
        org.integrations.get_mut(&uptime).expect("it is in the example").may_acknowledge = may;
        let mut world = World::new(org, at("2026-12-25T02:00:00Z"));
        let acknowledged = Signal { kind: SignalKind::Ack, ..lag() };
        let incident = |world: &World| world.incident(crate::domain::id::IncidentId(1)).expect("it opened").clone();
        world.signal(&uptime, "generic", lag()).expect("taken");
        let reply = world.signal(&uptime, "generic", acknowledged.clone()).expect("taken");
        let now = incident(&world);
        assert_eq!(
            now.state,
            if may { IncidentState::Acknowledged } else { IncidentState::Triggered },
            "{}",
            reply.text
        );
        assert_eq!(now.roles.lead, None, "an integration leads nothing");
        world.say(&"bas".into(), None, "/incident mitigate INC-1").expect("mitigated");
        world.signal(&uptime, "generic", acknowledged).expect("taken");
        assert_eq!(incident(&world).state, IncidentState::Mitigated);
    }
}

const LAG: &str = r#"{"version":"4","status":"firing","alerts":[
    {"status":"firing","labels":{"alertname":"Lag","service":"payments-api","severity":"critical"}},
    {"status":"firing","labels":{"alertname":"Lag","service":"payments-api","severity":"critical"}},
    {"status":"firing","labels":{"alertname":"Lag","service":"payments-api","severity":"critical","pod":"b"}},
    {"status":"firing","labels":{"alertname":"Cert","service":"ledger","severity":"info"}},
    {"status":"resolved","labels":{"alertname":"Gone","service":"ledger","severity":"info"}}]}"#;

#[test]
fn who_would_be_woken_is_told_until_the_policy_is_exhausted() {
    let woken = who_is_woken(airline(), at("2026-12-25T02:00:00Z"), "alertmanager", LAG.as_bytes()).expect("read");
    insta::assert_snapshot!(woken);
    insta::assert_snapshot!(serde_json::to_string_pretty(&woken.pages.first()).expect("JSON"));
}

#[test]
fn nobody_is_woken_by_what_pages_nobody() {
    let body = br#"{"alerts":[{"labels":{"alertname":"Cert","service":"ledger","severity":"info"}}]}"#;
    let woken = who_is_woken(airline(), at("2026-12-25T02:00:00Z"), "alertmanager", body).expect("read");
    assert_eq!(
        woken.to_string(),
        "Cert (ledger): opens INC-1 (sev4 ledger): for the record only, nobody is paged\n\nNobody is woken."
    );
    for body in [&b""[..], b"[]", b"{\"alerts\":[]}", b"\xff\xff"] {
        assert!(who_is_woken(airline(), at("2026-12-25T02:00:00Z"), "alertmanager", body).is_err());
    }
    assert!(who_is_woken(airline(), at("2026-12-25T02:00:00Z"), "alertmanger", LAG.as_bytes()).is_err());
}

#[test]
fn a_wrong_expectation_is_told_with_what_was_there() {
    let miss = |expect: &str| {
        let text = format!(
            "at 2026-12-25T03:00 Europe/Amsterdam\nalert payments-api lag severity=critical key=lag\n{expect}\nrestart\n"
        );
        let story = Story::parse("s.txt", &text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let around =
            Surroundings { load: &|_| Err("no such directory".to_owned()), read: &|_| Err("no such file".to_owned()) };
        let outcome = run(&story, airline(), &around);
        assert!(!outcome.transcript.contains("restart"), "the story stops there");
        outcome.failure.map(|failure| failure.to_string()).unwrap_or_else(|| panic!("{expect} holds"))
    };
    insta::assert_snapshot!(
        [
            "expect page bas via sms",
            "expect page bass via sms",
            "expect page webhook:duty via webhook",
            "expect no page",
            "expect no page bas",
            "expect no page bass",
            "expect incident INC-1 acknowledged sev2 lead=bas title=\"a b\"",
            "expect incident INC-2 triggered",
            "expect change CHG-1 scheduled",
            "expect reply bas contains hello",
            "expect post payments contains hello",
            "expect post payments lacks lag",
            "expect post paymints-ops lacks lag",
            "expect post booking contains lag",
            "fail chat bass",
            "config other",
            "send alertmanager a.json",
        ]
        .map(miss)
        .join("\n")
    );
}

/// Events about the questions of code hosts, of one deployment or of all.
fn questions(world: &World, of: Option<u64>) -> usize {
    let about = |event: &Event| match event {
        Event::DeploymentQuestion(moved) => of.is_none_or(|id| moved.deployment.0 == id),
        _ => false,
    };
    world.commits().map(|commit| commit.expect("it reads back")).flat_map(|commit| commit.events).filter(about).count()
}

#[test]
fn a_question_of_a_host_is_asked_again_when_its_answer_can_have_changed_and_writes_nothing_otherwise() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ej-airways/stories/payloads/github-asks.json");
    let payload = std::fs::read_to_string(file).expect("the payload");
    let asks = |service: &Path| {
        let service = service.to_string_lossy();
        let run = format!("/runs/{}/", 7_000 + service.len());
        let own = payload.replace("payments-api", &service).replace("/runs/7101/", &run);
        Ok(own.replace("901", &(900 + service.len()).to_string()).into_bytes())
    };
    let around = Surroundings { read: &asks, load: &|_| Err("none".to_owned()) };
    let begin = "at 2026-12-08T10:00 Europe/Amsterdam\nalert ledger \"slow\" severity=high key=l\n\
        send github payments-api\nsend github booking-api\nsend github fares\n";
    let counted = |more: &str, of: Option<u64>| {
        let story = Story::parse("s.txt", &format!("{begin}{more}")).unwrap_or_else(|errors| panic!("{errors:?}"));
        let (outcome, world) = play(&story, airline(), &around);
        assert!(outcome.failure.is_none(), "{}", outcome.transcript);
        questions(&world, of)
    };
    let asked = counted("", None);
    assert_eq!(asked, 6, "each was asked, and waits");
    // What is none of their business: an incident and a change elsewhere, from their beginning to their end, and restarts.
    let elsewhere = "restart\n\
        as bas: /incident declare \"no coffee\" service:platform severity:sev3\nas bas: /incident severity sev4 incident:INC-2\n\
        as bas: /incident resolve INC-2 fixed\n\
        as tariq: /change new \"Raise the pool\" service:platform plan:\"a\" rollback:\"b\" for:5m\nadvance 1s\n\
        as tariq: /change edit CHG-4 plan:c\nas tariq: /change cancel CHG-4 no\nadvance 1s\nrestart\nadvance 1m\n";
    assert_eq!(counted(elsewhere, None), asked);
    // What is about one of them asks that one, once, however much happens at the moment.
    let approved = "as sanne: /change approve CHG-1\nadvance 1s\n";
    assert_eq!((counted(approved, Some(1)), counted(approved, None)), (3, asked + 1));
    // Time alone asks each again, every ten minutes.
    assert_eq!(counted("advance 9m\n", None), asked);
    assert_eq!(counted("advance 10m\n", None), asked + 3);
    // Those that wait for an incident on what they need are asked when it is over, and no others.
    let story = Story::parse("s.txt", begin).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (_, world) = play(&story, airline(), &around);
    let waits = |it: &&Deployed| it.question.as_ref().is_some_and(|asked| asked.shown().contains("INC-1"));
    let waiting = world.state().deployments.values().filter(waits).count();
    assert!((1..3).contains(&waiting), "some need it, and some do not: {waiting}");
    assert_eq!(counted("as bas: /incident resolve INC-1 fixed\nadvance 1s\n", None), asked + waiting);
}

#[test]
fn what_a_run_for_a_private_incident_asks_is_written_down_as_the_incidents() {
    let text = "at 2026-12-08T10:00 Europe/Amsterdam\n\
        as bas: /incident declare \"Card numbers in a log\" service:payments-api private:yes\nas bas: /incident invite INC-1 daan\n\
        as bas: /runbook run report-a-leak incident:INC-1\nstep drain hangs\n\
        as bas: /runbook run drain-queue with:\"partner=sepa\" incident:INC-1\nas bas: /runbook answer RUN-2 yes\nrestart\n";
    let story = Story::parse("s.txt", text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let none = |_: &Path| Err("none".to_owned());
    let (outcome, world) = play(&story, airline(), &Surroundings { read: &none, load: &|_| Err("none".to_owned()) });
    assert!(outcome.failure.is_none(), "{}", outcome.transcript);
    let mut asked = Vec::new();
    for event in world.commits().flat_map(|commit| commit.expect("it reads back").events) {
        let Event::DeliveryOwed(owed) = event else { continue };
        let Content::Question { text, .. } = &owed.content else { continue };
        assert_eq!(owed.incident, Some(crate::domain::id::IncidentId(1)), "{text}");
        assert!(matches!(owed.to, Destination::Person { .. }), "{text} to {}", owed.to);
        asked.push(text.clone());
    }
    for words in ["asks daan for something", "Is sepa told", "nobody knows whether drain was done"] {
        assert!(asked.iter().any(|text| text.contains(words)), "{words}: {asked:?}");
    }
}
