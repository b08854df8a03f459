//! Completion offers what could stand at the cursor, and only what the person may do.

use opsbell::catalog;
use opsbell::catalog::words::builtin;
use opsbell::domain::command::complete::{Around, complete, values};
use opsbell::domain::command::offer::takes;
use opsbell::domain::command::spec::Permission;
use opsbell::domain::id::{AlertId, IncidentId, ServiceRequestId};
use proptest::prelude::*;

use super::org;

fn offered_to(text: &str, may: &dyn Fn(Permission) -> bool) -> Vec<String> {
    let org = org();
    let incidents = [(IncidentId(7), "API 500s".to_owned()), (IncidentId(12), "lag".to_owned())];
    let alerts = [(AlertId(3), "HighLatency".to_owned())];
    let requests = [(ServiceRequestId(4), "a test card".to_owned())];
    let around = Around { org: &org, incidents: &incidents, alerts: &alerts, requests: &requests, may };
    let found = complete(text, &org.lexicon, &around);
    assert!(found.len() <= 25);
    found.into_iter().map(|completion| format!("{}{}", &text[..completion.replace_from], completion.text)).collect()
}

fn offered(text: &str) -> Vec<String> {
    offered_to(text, &|_| true)
}

#[test]
fn commands_and_subcommands() {
    assert_eq!(offered("/s"), ["/snooze", "/service", "/status"]);
    assert_eq!(offered("/INC"), ["/incident"]);
    assert!(offered("").len() >= 12);
    assert_eq!(offered("inc"), [""; 0]);
    assert_eq!(offered("/incident re"), ["/incident resolve", "/incident reopen"]);
    assert_eq!(offered("/oncall "), ["/oncall who", "/oncall next"]);
    assert_eq!(offered("/xyzzy "), [""; 0]);
}

#[test]
fn options_and_values() {
    assert_eq!(
        offered("/incident declare service:"),
        [
            "/incident declare service:booking",
            "/incident declare service:ledger",
            "/incident declare service:payments-api"
        ]
    );
    assert_eq!(offered("/incident declare service:API"), ["/incident declare service:payments-api"]);
    assert_eq!(
        offered("/incident declare \"x y\" se"),
        [
            "/incident declare \"x y\" sev1",
            "/incident declare \"x y\" sev2",
            "/incident declare \"x y\" sev3",
            "/incident declare \"x y\" sev4",
            "/incident declare \"x y\" service:",
            "/incident declare \"x y\" severity:",
        ]
    );
    assert_eq!(offered("/incident declare service:booking ser"), [""; 0]);
    assert_eq!(offered("/ack "), ["/ack INC-7", "/ack INC-12", "/ack incident:"]);
    assert_eq!(offered("/ack inc-1"), ["/ack INC-12"]);
    assert_eq!(offered("/alert show A"), ["/alert show ALR-3", "/alert show alert:"]);
    assert_eq!(
        offered("/incident role INC-7 c"),
        ["/incident role INC-7 commander", "/incident role INC-7 communications", "/incident role INC-7 scribe",]
    );
    assert_eq!(
        offered("/incident role INC-7 lead "),
        [
            "/incident role INC-7 lead bas",
            "/incident role INC-7 lead cleo",
            "/incident role INC-7 lead me",
            "/incident role INC-7 lead person:",
        ]
    );
    assert_eq!(offered("/page pay"), ["/page team:payments", "/page service:payments-api"]);
    assert_eq!(offered("/page team:p"), ["/page team:payments"]);
    assert_eq!(offered("/oncall next pri"), ["/oncall next primary"]);
    assert_eq!(offered("/request take "), ["/request take REQ-4", "/request take request:"]);
    // Free text and open quotes: nothing to offer.
    assert_eq!(offered("/incident note all is "), [""; 0]);
    assert_eq!(offered("/incident declare \"all is "), [""; 0]);
}

#[test]
fn only_what_the_person_may_do() {
    let reader = |permission| permission == Permission::Read;
    assert_eq!(
        offered_to("/", &reader),
        [
            "/incident",
            "/oncall",
            "/alert",
            "/service",
            "/contact",
            "/problem",
            "/request",
            "/change",
            "/runbook",
            "/postmortem",
            "/report",
            "/status",
            "/connect",
            "/disconnect",
            "/whoami",
            "/help"
        ]
    );
    assert_eq!(offered_to("/incident d", &reader), [""; 0]);
    assert_eq!(offered_to("/ack ", &reader), [""; 0]);
    assert_eq!(offered_to("/incident declare service:", &reader), [""; 0]);
}

#[test]
fn values_for_a_platforms_own_completion() {
    let org = org();
    let incidents = [(IncidentId(7), "API 500s".to_owned())];
    let around = Around { org: &org, incidents: &incidents, alerts: &[], requests: &[], may: &|_| true };
    let ack = org.lexicon.commands.iter().find(|spec| spec.name == "ack").expect("ack");
    assert_eq!(values(&ack.options[0], "7", &around), [("INC-7".to_owned(), "API 500s".to_owned())]);
    assert_eq!(values(&ack.options[0], "zzz", &around), []);
}

#[test]
fn the_items_of_the_catalogue_are_offered() {
    let key = |_: &_| Some("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0".to_owned());
    let org = catalog::load_files(&catalog::example(), &key).config.expect("the example loads").org;
    let around = Around { org: &org, incidents: &[], alerts: &[], requests: &[], may: &|_| true };
    let new = org.lexicon.commands.iter().find(|spec| spec.name == "request new").expect("request new");
    let item = new.options.iter().find(|option| option.name == "item").expect("item");
    let offered = values(item, "", &around);
    assert_eq!(
        offered.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["roster-access", "seat-map", "test-card"]
    );
    assert!(values(item, "deploy", &around).is_empty(), "a standard change is nothing to request");
}

proptest! {
    #[test]
    fn no_text_panics_and_every_offer_replaces_a_part_of_it(text in "\\PC{0,40}|/(incident|page|oncall) ?([a-z:\"“é ]{0,8} ?){0,5}") {
        let org = org();
        let incidents = [(IncidentId(7), String::new())];
        let around = Around { org: &org, incidents: &incidents, alerts: &[], requests: &[], may: &|_| true };
        for completion in complete(&text, &org.lexicon, &around) {
            prop_assert!(text.is_char_boundary(completion.replace_from), "{text:?}");
        }
    }
}

#[test]
fn a_hint_tells_what_a_command_takes_once_its_words_stand_there() {
    let lexicon = builtin();
    assert_eq!(takes("/incident update ", &lexicon).as_deref(), Some("text:TEXT [incident:INC-n]"));
    assert_eq!(takes("/ack ", &lexicon).as_deref(), Some("[incident:INC-n]"));
    for nothing in ["", "/", "/ack", "/ack INC-1 ", "/xyzzy ", "ack "] {
        assert_eq!(takes(nothing, &lexicon), None, "{nothing}");
    }
}
