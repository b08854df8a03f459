//! The life table, row by row and refusal by refusal.

use opsbell::domain::delivery::{Priority, retry_wait};
use opsbell::domain::input::Button;
use opsbell::domain::time::Span;

use crate::night::Night;

/// Brings INC-1 into a state.
fn in_state(state: &str) -> Night {
    let mut night = Night::new();
    night.say("ben", "/incident declare \"it is down\" service:api severity:sev2");
    let deeds: &[&str] = match state {
        "triggered" => &[],
        "acknowledged" => &["/ack INC-1"],
        "mitigated" => &["/incident mitigate INC-1"],
        "resolved" => &["/resolve INC-1"],
        "closed" => &["/resolve INC-1", "/incident close INC-1"],
        other => panic!("{other}"),
    };
    for deed in deeds {
        night.say("ann", deed);
    }
    assert_eq!(night.state(), state);
    night.paged();
    night
}

const STATES: [&str; 5] = ["triggered", "acknowledged", "mitigated", "resolved", "closed"];

/// What a deed makes of each state; `-` refuses, `=` changes nothing and says so.
#[test]
fn every_deed_in_every_state() {
    let table = [
        ("/ack INC-1", ["acknowledged", "=", "=", "-", "-"]),
        ("/snooze INC-1 30m", ["acknowledged", "acknowledged", "-", "-", "-"]),
        ("/incident mitigate INC-1", ["mitigated", "mitigated", "=", "-", "-"]),
        ("/incident escalate INC-1", ["triggered", "triggered", "triggered", "-", "-"]),
        ("/resolve INC-1", ["resolved", "resolved", "resolved", "=", "-"]),
        ("/incident close INC-1", ["-", "-", "-", "closed", "="]),
        ("/incident reopen INC-1", ["-", "-", "-", "triggered", "triggered"]),
        ("/incident note INC-1 \"a note\"", ["triggered", "acknowledged", "mitigated", "resolved", "-"]),
        ("/incident update INC-1 \"news\"", ["triggered", "acknowledged", "mitigated", "resolved", "-"]),
        ("/incident severity INC-1 sev3", ["triggered", "acknowledged", "mitigated", "resolved", "-"]),
        ("/incident severity INC-1 sev2", ["=", "=", "=", "=", "-"]),
        ("/incident role INC-1 scribe", ["triggered", "acknowledged", "mitigated", "-", "-"]),
        ("/page cas incident:INC-1", ["triggered", "acknowledged", "mitigated", "-", "-"]),
    ];
    for (deed, row) in table {
        for (from, to) in STATES.into_iter().zip(row) {
            let mut night = in_state(from);
            let told = night.say("ann", deed);
            assert!(told.contains("INC-1"), "{deed} when {from} names what it is about: {told}");
            match to {
                "-" => {
                    assert!(told.starts_with("refused: "), "{deed} when {from}: {told}");
                    assert!(told.lines().count() > 1 && told.contains('/'), "it tells the next step: {told}");
                    assert!(night.last.is_empty(), "{deed} when {from} writes nothing: {:?}", night.last);
                }
                "=" => {
                    assert!(!told.starts_with("refused: "), "{deed} when {from}: {told}");
                    assert!(told.contains("already"), "{deed} when {from}: {told}");
                    assert!(night.last.is_empty(), "{deed} when {from} writes nothing: {:?}", night.last);
                }
                to => {
                    assert!(!told.starts_with("refused: "), "{deed} when {from}: {told}");
                    assert_eq!(night.state(), to, "{deed} when {from}");
                    assert!(!night.last.is_empty());
                }
            }
        }
    }
}

/// The same for buttons; `=` changes nothing.
#[test]
fn every_button_in_every_state() {
    let table = [
        (Button::Ack, ["acknowledged", "=", "=", "-", "-"]),
        (Button::Cant, ["triggered", "=", "=", "-", "-"]),
        (Button::HandBack, ["-", "triggered", "-", "-", "-"]),
        (Button::Escalate, ["triggered", "triggered", "triggered", "-", "-"]),
        (Button::Resolve, ["resolved", "resolved", "resolved", "=", "-"]),
        (Button::FalseAlarm, ["resolved", "resolved", "resolved", "=", "-"]),
    ];
    for (button, row) in table {
        for (from, to) in STATES.into_iter().zip(row) {
            let mut night = in_state(from);
            let told = night.press("ann", button);
            match to {
                "-" => {
                    assert!(told.starts_with("refused: ") && night.last.is_empty(), "{button:?} when {from}: {told}")
                }
                "=" => assert!(told.contains("already") && night.last.is_empty(), "{button:?} when {from}: {told}"),
                to => assert_eq!((night.state(), night.last.is_empty()), (to, false), "{button:?} when {from}: {told}"),
            }
            // A second tap of the same button is told, and pages nobody.
            night.paged();
            let again = night.press("ann", button);
            if button != Button::Escalate {
                assert!(night.last.is_empty(), "{button:?} again when {from}: {again} {:?}", night.last);
                assert!(night.paged().is_empty());
            }
        }
    }
}

#[test]
fn what_is_not_there_is_said_so() {
    let mut night = Night::new();
    let told = night.say("ann", "/ack INC-1");
    assert_eq!(
        told,
        "refused: There is no INC-1: no incident has been declared yet.\nSee what is open: /incident list"
    );
    let mut night = in_state("triggered");
    let told = night.say("ann", "/ack INC-7");
    assert_eq!(told, "refused: There is no INC-7; the last one is INC-1.\nSee what is open: /incident list");
    for id in ["INC-0", "INC-18446744073709551615"] {
        let told = night.say("ann", &format!("/ack {id}"));
        assert!(told.starts_with(&format!("refused: There is no {id}")), "{told}");
    }
}

#[test]
fn an_acknowledgement_runs_out_and_paging_starts_over() {
    let mut night = in_state("acknowledged");
    night.wait(44);
    assert_eq!((night.state(), night.paged()), ("acknowledged", vec![]));
    night.wait(1);
    assert_eq!(night.state(), "triggered");
    assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
    assert!(night.incident().timeline.iter().any(|entry| entry.text == "the acknowledgement of ann expired"));
}

#[test]
fn a_snooze_holds_for_its_time_and_not_for_the_policys() {
    let mut night = in_state("triggered");
    night.say("ann", "/snooze INC-1 2h");
    night.wait(119);
    assert_eq!((night.state(), night.paged()), ("acknowledged", vec![]));
    night.wait(1);
    assert_eq!((night.state(), night.paged()), ("triggered", vec!["ann via chat".into(), "ann via email".into()]));
}

#[test]
fn handed_back_it_starts_over_and_the_next_one_leads() {
    let mut night = in_state("acknowledged");
    assert_eq!(night.incident().roles.lead.as_ref().map(|lead| lead.as_str()), Some("ann"));
    night.press("ann", Button::HandBack);
    assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
    night.wait(3);
    night.say("cas", "/ack INC-1");
    assert_eq!(night.incident().roles.lead.as_ref().map(|lead| lead.as_str()), Some("cas"));
    night.wait(5);
    let told = night.say("ann", "/ack INC-1");
    assert_eq!(told, "INC-1 is already acknowledged by cas 5 minutes ago. Nothing changed.");
}

#[test]
fn a_mitigated_one_is_told_by_its_own_time() {
    let mut night = in_state("acknowledged");
    night.wait(10);
    night.say("cas", "/incident mitigate INC-1");
    night.wait(2);
    let told = night.say("ben", "/ack INC-1");
    assert_eq!(told, "INC-1 is already mitigated 2 minutes ago, ann has it. Nothing changed.");
    night.wait(500);
    assert_eq!((night.state(), night.paged()), ("mitigated", vec![]), "it does not run out");
}

#[test]
fn whoever_is_asked_to_help_can_end_their_own_page() {
    for button in [Button::Ack, Button::Cant] {
        let mut night = in_state("acknowledged");
        night.say("ben", "/page ann incident:INC-1");
        assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
        let told = night.press("ann", button);
        assert!(told.contains("no longer pages you"), "{told}");
        night.wait(40);
        assert_eq!(night.paged(), Vec::<String>::new(), "no text, no call");
        assert_eq!(night.state(), "acknowledged");
    }
}

#[test]
fn it_closes_of_itself_and_a_reopened_one_does_not() {
    let mut night = in_state("resolved");
    night.wait(119);
    assert_eq!(night.state(), "resolved");
    night.wait(1);
    assert_eq!(night.state(), "closed");
    let mut night = in_state("resolved");
    night.wait(60);
    night.say("ann", "/incident reopen INC-1");
    night.say("ann", "/ack INC-1");
    night.wait(70);
    assert_ne!(night.state(), "closed");
}

#[test]
fn a_post_that_is_owed_when_it_closes_is_sent_all_the_same() {
    let mut night = in_state("triggered");
    night.refuses = vec![];
    // Nothing is sent while time stands still in the lanes: the posts of both deeds are owed.
    let mut core = opsbell::runtime::Core::new(night.core.state().clone(), night.core.org().clone());
    let mut commits = Vec::new();
    for words in ["/resolve INC-1", "/incident close INC-1"] {
        commits.extend(core.take(night.now, crate::support_paging::say("ann", words)).1);
    }
    commits.iter().for_each(|commit| core.durable(commit));
    assert!(core.state().incidents.is_empty());
    let grant = core.grant(night.now).expect("the post");
    assert_eq!((grant.to.to_string().as_str(), grant.priority), ("channel core-ops", Priority::Post));
    let closed = &core.state().closed_incidents_since()[&opsbell::domain::id::IncidentId(1)];
    assert!(closed.deliveries.iter().all(|delivery| !delivery.owed()), "a closed record owes nothing");
}

#[test]
fn retries_wait_longer_and_end() {
    let waits: Vec<_> = (1..=8).map(|attempts| retry_wait(attempts, None).map(|wait| wait.0 / 1000)).collect();
    assert_eq!(waits, [Some(1), Some(2), Some(5), Some(15), Some(30), Some(60), Some(180), None]);
    assert_eq!(retry_wait(0, None), None);
    assert_eq!(retry_wait(u16::MAX, Some(Span::secs(1))), None);
    assert_eq!(retry_wait(1, Some(Span::secs(40))), Some(Span::secs(40)), "the provider's wish");
    assert_eq!(retry_wait(1, Some(Span::days(9))), Some(Span::mins(10)), "within reason");
    assert_eq!(retry_wait(3, Some(Span::secs(-40))), Some(Span::secs(5)));
}
