//! Changes by the rules of small organisations of their own: what depends on rules that the example does not have, and
//! what was wrong once.

mod support_paging;

use std::sync::Arc;

use opsbell::domain::actor::{Actor, By};
use opsbell::domain::change::suspect::suspects;
use opsbell::domain::change::{ChangeState, Outcome, Past};
use opsbell::domain::event::Event;
use opsbell::domain::id::{ChangeId, IncidentId};
use opsbell::domain::input::{Input, InputKind, Place};
use opsbell::domain::org::Org;
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

/// 2026-12-08T09:00Z, a Tuesday.
const START: i64 = 1_796_720_400_000;

/// A team of ann and ben, the administrator dot, and eve of nowhere.
fn org(more: &str) -> Arc<Org> {
    let people = ["ann", "ben", "dot", "eve"].map(|who| {
        let role = if who == "dot" { "admin" } else { "responder" };
        format!("[[person]]\nid = \"{who}\"\nemail = \"{who}@ej.example\"\nrole = \"{role}\"\n")
    });
    let base = r#"
[operators]
people = ["dot"]
[defaults]
service = "api"
notify.high = ["email"]
notify.low = ["email"]
[[team]]
id = "core"
escalation = "core"
[[escalation]]
id = "core"
steps = [{ page = ["person:ann", "person:ben"], escalate_after = "5m" }]
[[service]]
id = "api"
team = "core"
tier = 1
"#;
    support_paging::from_text(&format!("{base}{}{more}", people.concat()))
}

struct Desk {
    core: Core,
    now: Timestamp,
}

impl Desk {
    fn new(org: Arc<Org>) -> Self {
        Self { core: Core::new(State::new("chng"), org), now: Timestamp(START) }
    }

    /// What is answered; a refusal begins with `refused: `.
    fn say(&mut self, who: &str, text: &str) -> String {
        let by = By::new(Actor::Person(who.into()), "api");
        let kind = InputKind::Text { place: Place::default(), text: text.to_owned() };
        let (answer, _) = self.core.take(self.now, Input { by, idempotency: None, kind, closed: Vec::new() });
        match answer.reply {
            Ok(reply) => reply.text,
            Err(reject) => format!("refused: {reject}"),
        }
    }

    fn state(&self, id: u64) -> ChangeState {
        self.core.state().changes[&ChangeId(id)].state
    }
}

#[test]
fn whoever_answers_for_an_emergency_may_approve_it_at_its_risk() {
    // At low risk nobody is asked for; only dot approves what is of high risk.
    let mut desk = Desk::new(org("[[approval]]\nid = \"low\"\nrisk = [\"low\"]\napprovers = [\"team:core\"]\n\
         [[approval]]\nid = \"rest\"\nrisk = [\"medium\", \"high\"]\napprovers = [\"person:dot\"]\n"));
    desk.say("ann", "/incident declare \"Down\" service:api severity:sev1");
    let told = desk.say("ann", "/change emergency INC-1 authoriser:ben Restart it");
    assert!(told.contains("ben cannot answer for this emergency: ben is not one of its approvers"), "{told}");
    let told = desk.say("ann", "/change emergency INC-1 authoriser:dot Restart it");
    assert!(told.contains("dot answers for it"), "{told}");
}

#[test]
fn what_waits_for_nobody_any_more_begins() {
    let two = "[[approval]]\nid = \"two\"\napprovers = [\"team:core\", \"role:admin\"]\nquorum = 2\n";
    let mut desk = Desk::new(org(two));
    desk.say("eve", "/change new One service:api plan:a rollback:b");
    desk.say("ann", "/change approve CHG-1");
    desk.say("eve", "/change new Two service:api plan:a rollback:b");
    assert!(desk.say("eve", "/change start CHG-1").starts_with("refused: "));
    // One is enough now.
    desk.core.set_org(org("[[approval]]\nid = \"one\"\napprovers = [\"team:core\"]\nquorum = 1\n"));
    let told = desk.say("eve", "/change show CHG-1");
    assert!(told.ends_with("It may begin: /change start CHG-1"), "{told}");
    assert!(desk.say("eve", "/change start CHG-1").contains("CHG-1 has begun"));
    assert_eq!((desk.state(1), desk.state(2)), (ChangeState::Implementing, ChangeState::AwaitingApproval));
    assert!(desk.say("eve", "/change start CHG-2").starts_with("refused: "));
    desk.say("eve", "/change done CHG-1");
    // And now nobody is.
    desk.core.set_org(org("[change]\ncontrolled = []\n"));
    let told = desk.say("eve", "/change show CHG-2");
    assert!(told.ends_with("It may begin: /change start CHG-2"), "{told}");
    assert!(desk.say("eve", "/change start CHG-2").contains("CHG-2 has begun"));
}

#[test]
fn a_models_length_counts_without_a_time_too() {
    let model = "[[change-model]]\nid = \"m\"\nsummary = \"Flush\"\nplan = \"a\"\nrollback = \"b\"\nfor = \"3h\"\nup_to = \"high\"\n";
    let mut desk = Desk::new(org(&format!(
        "{model}[[freeze]]\nid = \"noon\"\nfrom = \"12:00\"\nuntil = \"13:00\"\nzone = \"UTC\"\n"
    )));
    desk.say("eve", "/change standard m service:api");
    // It is 09:00: an hour would be over at 10:00, three hours at 12:00.
    desk.now = desk.now.after(Span::mins(30));
    let told = desk.say("eve", "/change start CHG-1");
    assert!(told.contains("freeze"), "three hours from 09:30 meet the freeze: {told}");
    let told = desk.say("eve", "/change schedule CHG-1");
    assert!(told.contains(", 3h."), "{told}");
}

#[test]
fn what_comes_next_says_what_is_in_the_way() {
    let mut desk = Desk::new(org(""));
    desk.say("eve", "/change new One service:api plan:a rollback:b");
    desk.say("ann", "/change approve CHG-1");
    assert!(desk.say("eve", "/change show CHG-1").ends_with("It may begin: /change start CHG-1"));
    desk.say("eve", "/freeze start service:api reason:\"Stocktaking\" until:18:00");
    let told = desk.say("eve", "/change show CHG-1");
    let last: Vec<&str> = told.lines().rev().take(2).collect();
    assert!(last[1].starts_with("It may not begin now: ") && last[0].starts_with("Next free: "), "{told}");
    desk.say("ann", "/incident declare \"Down\" service:api severity:sev1");
    desk.say("ann", "/change emergency INC-1 authoriser:ben Restart it");
    let told = desk.say("eve", "/change show CHG-2");
    assert!(told.contains("It began before it was approved") && told.ends_with("/change done CHG-2"), "{told}");
}

#[test]
fn a_change_has_caused_no_more_incidents_than_fit() {
    let mut desk = Desk::new(org("[change]\ncontrolled = []\n"));
    desk.say("eve", "/change new One service:api plan:a rollback:b");
    desk.say("eve", "/change start CHG-1");
    for n in 1..=101 {
        desk.say("ann", &format!("/incident declare \"Down {n}\" service:api severity:sev4"));
        let told = desk.say("ann", &format!("/incident link INC-{n} caused-by CHG-1"));
        assert_eq!(told.starts_with("refused: CHG-1 has 100 incidents already"), n == 101, "{n}: {told}");
    }
    assert_eq!(desk.core.state().changes[&ChangeId(1)].caused.len(), 100);
    assert!(!desk.core.state().changes[&ChangeId(1)].caused.contains(&IncidentId(101)));
}

#[test]
fn suspects_are_of_the_service_the_place_and_the_day() {
    let org = org("");
    let mut state = State::new("susp");
    let at = Timestamp(START);
    for n in 0..2_000_u64 {
        let hours = i64::try_from(n % 100).unwrap();
        let past = Past {
            change: ChangeId(n),
            service: if n % 3 == 0 { "api".into() } else { "other".into() },
            environment: if n % 2 == 0 { "production".into() } else { "staging".into() },
            title: "Something".into(),
            version: None,
            risk: Default::default(),
            outcome: Some(Outcome::Successful),
            started: Some(Timestamp(at.0 - Span::hours(hours + 1).0)),
            ended: Timestamp(at.0 - Span::hours(hours).0),
        };
        state.past.insert(past.change, past);
    }
    let found = suspects(&state, &org, &"api".into(), "production", at);
    let found: Vec<u64> = found.iter().map(|it| it.change.0).collect();
    // Within the last hour, even, and divisible by three: the newest first.
    assert_eq!(found, [1_800, 1_500, 1_200]);
}

#[test]
fn a_standard_change_takes_no_approval() {
    let model = "[[change-model]]\nid = \"m\"\nsummary = \"Flush\"\nplan = \"a\"\nrollback = \"b\"\nup_to = \"high\"\n";
    let mut desk = Desk::new(org(model));
    desk.say("eve", "/change standard m service:api");
    let told = desk.say("ann", "/change approve CHG-1");
    assert!(told.contains("it needs no more approvals"), "{told}");
    assert!(desk.core.state().changes[&ChangeId(1)].approvals.is_empty());
}

#[test]
fn what_an_envelope_says_of_a_code_counts_for_nothing() {
    // Only the runtime knows secrets: whatever claims a right code in an envelope is asked anew.
    let mut desk = Desk::new(org("[change]\nsecond_factor = [\"low\", \"medium\", \"high\"]\n"));
    let by = By::new(Actor::Person("administrator".into()), "api");
    let kind = InputKind::EnrolFactor { person: "ann".into(), there: true };
    desk.core.take(desk.now, Input { by, idempotency: None, kind, closed: Vec::new() });
    desk.say("eve", "/change new One service:api plan:a rollback:b");
    let mut by = By::new(Actor::Person("ann".into()), "api");
    by.factor = Some(opsbell::domain::actor::Factor::Right { step: 1 });
    let kind = InputKind::Text { place: Place::default(), text: "/change approve CHG-1".to_owned() };
    let (answer, commit) = desk.core.take(desk.now, Input { by, idempotency: None, kind, closed: Vec::new() });
    assert!(answer.reply.is_err());
    let events = commit.map(|commit| commit.events).unwrap_or_default();
    assert!(events.iter().all(|event| matches!(event, Event::AttemptRefused { .. })), "{events:?}");
    assert_eq!(desk.state(1), ChangeState::AwaitingApproval);
}
