//! Who may do what: every command and every button, by everybody there can be, against a table written here. A refused
//! attempt at something protected leaves one event and changes nothing else.

mod support_paging;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use opsbell::domain::actor::{ADMINISTRATOR, Actor, By};
use opsbell::domain::command::Call;
use opsbell::domain::command::spec::{CommandSpec, OptionKind};
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::{RunId, ServiceRequestId};
use opsbell::domain::input::{Answer, Button, Input, InputKind, Place};
use opsbell::domain::org::{Org, Role};
use opsbell::domain::playbook::question::{RunButton, Which};
use opsbell::domain::reject::RejectCode;
use opsbell::domain::request::{RequestState, ServiceRequest, Step};
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;
use proptest::prelude::*;
use support_paging::{START, example, example_with, input, press, say, sent, signal, small};

const READ: &[&str] = &[
    "alert list",
    "alert show",
    "alert silences",
    "change calendar",
    "change check",
    "change list",
    "change show",
    "help",
    "incident list",
    "incident pages",
    "incident show",
    "incident timeline",
    "oncall next",
    "oncall who",
    "postmortem list",
    "postmortem show",
    "problem list",
    "problem show",
    "runbook list",
    "request list",
    "request show",
    "runbook show",
    "report dora",
    "report changes",
    "service impact",
    "service show",
    "service status",
    "status",
];
/// About oneself: for everybody who is a person of the organisation.
const OWN: &[&str] = &["contact list", "contact test"];
/// For somebody else, as this test says them, for administrators only; for oneself by a code.
const ADMINISTER: &[&str] = &["connect", "disconnect"];
const DECLARE: &[&str] = &[
    "incident declare",
    "incident invite",
    "page",
    // Of these, who may is asked of the request as well: see below.
    "request approve",
    "request cancel",
    "request close",
    "request new",
    "request reject",
    // Whoever is asked, which the step says; of others it is refused all the same.
    "runbook answer",
];
const RESPOND: &[&str] = &[
    "ack",
    "alert silence",
    "alert unsilence",
    "change approve",
    "change cancel",
    "change delegate",
    "change done",
    "change edit",
    "change emergency",
    "change fail",
    "change gate",
    "change new",
    "change reject",
    "change review",
    "change rollback",
    "change schedule",
    "change standard",
    "change start",
    "freeze end",
    "freeze start",
    "incident ack",
    "incident ack-all",
    "incident close",
    "incident escalate",
    "incident link",
    "incident merge",
    "incident mitigate",
    "incident note",
    "incident reopen",
    "incident resolve",
    "incident role",
    "incident severity",
    "incident times",
    "incident update",
    "postmortem edit",
    "postmortem publish",
    "problem close",
    "problem known-error",
    "problem link",
    "problem open",
    "problem resolve",
    "problem root-cause",
    "problem workaround",
    "request fulfil",
    "request retry",
    "request take",
    "resolve",
    "runbook cancel",
    "runbook resume",
    "runbook run",
    "service maintenance",
    "snooze",
];

/// Everybody there can be, with the tables each of them may use.
fn everybody() -> Vec<(By, &'static [&'static str])> {
    let person = |name: &str| By::new(Actor::Person(name.into()), "api");
    vec![
        (person("sue"), &["own", "read", "declare"]),
        (person("ann"), &["own", "read", "declare", "respond"]),
        (person("op"), &["own", "read", "declare", "respond", "administer"]),
        (person("nobody"), &[]),
        (person(""), &[]),
        (person("Ann"), &[]),
        (person(ADMINISTRATOR), &["read", "administer"]),
        (By::new(Actor::Integration("prom".into()), "generic"), &[]),
        (By::timer("lane"), &[]),
    ]
}

/// INC-1 is open, INC-2 resolved, INC-3 acknowledged by ann.
fn core() -> Core {
    let mut core = Core::new(State::new("auth"), small());
    let firing = signal("prom", SignalKind::Alert, Some("api"), "k", Some(AlertSeverity::Critical));
    let inputs = [
        sent("prom", firing),
        say("ann", "/incident declare two service:cdn"),
        say("ann", "/resolve INC-2"),
        say("ann", "/incident declare three service:cdn"),
        say("ann", "/ack INC-3"),
    ];
    for input in inputs {
        let (answer, commit) = core.take(Timestamp(START), input);
        assert!(answer.reply.is_ok() && commit.is_some(), "{answer:?}");
        core.durable(&commit.expect("it was looked at"));
    }
    core
}

fn call(spec: &CommandSpec) -> Call {
    // What is said in one of two ways is said in one; a preview changes nothing.
    let other = ["impact", "urgency", "matchers", "until", "preview", "end"];
    let said = spec.options.iter().filter(|option| !other.contains(&option.name.as_str()));
    let options = said.map(|option| {
        let value = match option.kind {
            OptionKind::Text if option.name == "silence" => "SIL-1",
            OptionKind::Text if spec.name == "help" => "status",
            OptionKind::Text if option.name == "freeze" => "FRZ-1",
            OptionKind::Text if option.name == "at" => "now",
            OptionKind::Text if option.name == "from" || option.name == "to" => "2026-12-01",
            OptionKind::Text if option.name == "run" => "RUN-1",
            OptionKind::Text if option.name == "with" => "a=b",
            OptionKind::Text => "some words",
            OptionKind::User | OptionKind::Target => "cas",
            OptionKind::Team => "core",
            OptionKind::Service => "api",
            OptionKind::Schedule | OptionKind::Oncall => "core-primary",
            OptionKind::Incident => "INC-1",
            OptionKind::Alert => "ALR-1",
            OptionKind::Problem => "PRB-1",
            OptionKind::Change => "CHG-1",
            OptionKind::Request => "REQ-1",
            OptionKind::Item => "an-item",
            OptionKind::Severity => "sev3",
            OptionKind::Duration => "30m",
            OptionKind::Choice => option.choices[0].as_str(),
            OptionKind::Number => "1",
        };
        (option.name.clone(), value.to_owned())
    });
    Call { command: spec.name.clone(), options: options.collect() }
}

/// Checks one attempt; `permission` is what the table says that it needs.
fn attempt(by: &By, may: &[&str], permission: &str, kind: InputKind, what: &str) {
    let mut core = core();
    let before = core.state().clone();
    let (answer, commit) = core.take(Timestamp(START).after(Span::secs(1)), input(by.clone(), kind));
    let refused = matches!(
        &answer.reply,
        Err(reject) if matches!(reject.code, RejectCode::NotAllowed | RejectCode::Unlinked)
    );
    assert_eq!(refused, !may.contains(&permission), "{what} by {:?}: {answer:?}", by.actor);
    if refused {
        said_how(&answer);
        left_only_a_trace(&before, core.state(), commit, permission, what);
    }
}

fn said_how(answer: &Answer) {
    let Err(reject) = &answer.reply else { return };
    assert!(reject.message.ends_with('.') && reject.message.len() < 120, "{reject}");
}

fn left_only_a_trace(before: &State, after: &State, commit: Option<Commit>, permission: &str, what: &str) {
    let Some(commit) = commit else {
        assert!(matches!(permission, "read" | "own"), "{what}: an attempt at something protected is written down");
        assert_eq!(before, after);
        return;
    };
    let [Event::AttemptRefused { incident, permission: lacking, .. }] = commit.events.as_slice() else {
        panic!("{what}: {:?}", commit.events)
    };
    assert_eq!(lacking, permission, "{what}");
    let (mut before, mut after) = (before.disassemble(), after.disassemble());
    for records in [&mut before, &mut after] {
        records.meta = opsbell::domain::state::Meta::default();
    }
    for record in &mut after.incidents {
        if Some(record.id) == *incident {
            let told = record.timeline.pop().expect("the attempt is told");
            assert!(told.text.starts_with("was refused /"), "{told:?}");
        }
    }
    assert_eq!(before, after, "{what}");
}

#[test]
fn every_command_is_in_the_table() {
    let org = small();
    let named: BTreeSet<&str> = org.lexicon.commands.iter().map(|spec| spec.name.as_str()).collect();
    let table: BTreeSet<&str> =
        READ.iter().chain(DECLARE).chain(RESPOND).chain(OWN).chain(ADMINISTER).chain(&["whoami"]).copied().collect();
    assert_eq!(named, table, "a new command needs a line in this test");
}

#[test]
fn commands_are_allowed_by_the_table() {
    for (by, may) in everybody() {
        for spec in &small().lexicon.commands {
            let name = spec.name.as_str();
            let permission = match name {
                "whoami" => "read",
                name if OWN.contains(&name) => "own",
                name if ADMINISTER.contains(&name) => "administer",
                name if READ.contains(&name) => "read",
                name if DECLARE.contains(&name) => "declare",
                _ => "respond",
            };
            let mut called = call(spec);
            if name == "page" {
                called.options.retain(|(option, _)| option != "incident");
            }
            attempt(&by, may, permission, InputKind::Call { place: Place::default(), call: called.clone() }, name);
            if called.options.iter().any(|(_, value)| value == "INC-1") {
                for other in ["INC-2", "INC-3", "INC-99"] {
                    let mut called = called.clone();
                    called.options.iter_mut().filter(|(_, value)| value == "INC-1").for_each(|(_, value)| {
                        other.clone_into(value);
                    });
                    attempt(&by, may, permission, InputKind::Call { place: Place::default(), call: called }, name);
                }
            }
        }
    }
}

#[test]
fn buttons_under_what_a_run_asks_are_allowed_by_the_table() {
    for (by, may) in everybody() {
        for button in RunButton::ALL {
            let permission = match button {
                RunButton::Yes | RunButton::No => "declare",
                RunButton::Done | RunButton::Again | RunButton::Failed => "respond",
            };
            for run in [0, 1, u64::MAX] {
                let which = Which { run: RunId(run), done: 0, attempt: 1 };
                let kind = InputKind::PressRun { place: Place::default(), button, which };
                attempt(&by, may, permission, kind, button.as_str());
            }
        }
    }
}

#[test]
fn buttons_are_allowed_by_the_table() {
    for (by, may) in everybody() {
        for button in Button::ALL {
            for incident in [1, 2, 3, 99, 0, u64::MAX] {
                let Input { kind, .. } = press("ann", button, incident);
                attempt(&by, may, "respond", kind, button.as_str());
            }
        }
    }
}

#[test]
fn tokens_are_for_administrators() {
    for (by, may) in everybody() {
        let token = InputKind::AddToken { token: "t1".into(), person: "ann".into(), sha256: "00".into() };
        attempt(&by, may, "administer", token, "token add");
        attempt(&by, may, "administer", InputKind::RevokeToken { token: "t1".into() }, "token revoke");
    }
}

#[test]
fn who_somebody_is_comes_from_the_envelope_only() {
    let mut core = core();
    // Words that claim to be somebody else are words.
    for text in ["/ack INC-1 as:op", "/ack INC-1 person:op", "op: /ack INC-1"] {
        let (answer, commit) = core.take(Timestamp(START), say("sue", text));
        assert!(answer.reply.is_err(), "{text}");
        assert!(commit.is_none_or(|commit| matches!(commit.events.as_slice(), [Event::AttemptRefused { .. }])));
    }
    assert!(core.state().incidents.values().next().is_some_and(|incident| incident.holder.is_none()));
}

/// Who agrees to an item is somebody else than who asks, by person: of an account that is nobody's that is not known.
#[test]
fn an_account_of_nobody_orders_nothing_that_needs_an_approval() {
    let mut core = Core::new(State::new("requests"), example());
    let order = |words: &str| Input { by: By::new(Actor::Member("discord:77".into()), "discord"), ..say("nur", words) };
    let (answer, commit) = core.take(Timestamp(START), order("/request new item:roster-access"));
    assert_eq!(answer.reply.expect_err("who asks is not known").code, RejectCode::Unlinked);
    assert!(commit.is_none_or(|commit| !commit.events.iter().any(|it| matches!(it, Event::RequestOpened(_)))));
    assert!(core.state().requests.is_empty());
    // What nobody has to approve is anybody's to ask for.
    let (answer, _) = core.take(Timestamp(START), order("/request new \"a lounge\" service:loyalty-api"));
    assert!(answer.reply.is_ok(), "{answer:?}");
}

/// What each command about a request says of who may, on the loaded object: an item of the crew team that platform
/// fulfils, asked for by nur for margriet; and something asked of the loyalty team by ivo.
#[test]
fn requests_are_judged_fulfilled_and_closed_by_whom_they_concern() {
    // ivo and hana are loyalty, nur and wei crew, sanne and tariq platform and administrators, margriet a stakeholder.
    let everybody = ["bas", "hana", "ivo", "margriet", "nur", "sanne", "tariq", "wei"];
    let before: [&[(&str, &str)]; 4] = [
        &[
            ("nur", "/request new item:roster-access for:margriet"),
            ("ivo", "/request new \"a lounge\" service:loyalty-api"),
        ],
        &[("hana", "/request take REQ-2")],
        &[("hana", "/request fulfil REQ-2")],
        &[("wei", "/request reject REQ-1 no")],
    ];
    // The commands that begun so far, the command, and who may; everybody else is refused, on the record.
    let table: [(usize, &str, &[&str]); 10] = [
        (1, "/request approve REQ-1", &["wei"]),
        (1, "/request reject REQ-1 no", &["wei"]),
        (1, "/request cancel REQ-1", &["margriet", "nur", "sanne", "tariq"]),
        (1, "/request take REQ-2", &["hana", "ivo", "sanne", "tariq"]),
        (1, "/request fulfil REQ-2", &["hana", "ivo", "sanne", "tariq"]),
        (2, "/request reject REQ-2 no", &["hana", "ivo", "sanne", "tariq"]),
        (2, "/request cancel REQ-2", &["ivo", "sanne", "tariq"]),
        (3, "/request close REQ-2", &["ivo", "sanne", "tariq"]),
        // Not approved yet: those who could approve it do not take it, and those who could take it may not yet.
        (1, "/request take REQ-1", &[]),
        (4, "/request approve REQ-1", &[]),
    ];
    for (done, command, may) in table {
        for who in everybody {
            let mut core = Core::new(State::new("requests"), example());
            for (who, text) in before.iter().take(done).copied().flatten() {
                let (answer, commit) = core.take(Timestamp(START), say(who, text));
                assert!(answer.reply.as_ref().is_ok_and(|reply| reply.ok), "{who}: {text}: {answer:?}");
                core.durable(&commit.expect("it was done"));
            }
            let state = |core: &Core| serde_json::to_value(&core.state().disassemble().requests).expect("plain data");
            let was = state(&core);
            let (answer, commit) = core.take(Timestamp(START).after(Span::secs(1)), say(who, command));
            assert_eq!(answer.reply.is_ok(), may.contains(&who), "{who}: {command}: {answer:?}");
            if let Err(reject) = &answer.reply {
                assert_eq!(state(&core), was, "{who}: {command}");
                let traced =
                    commit.is_some_and(|commit| matches!(commit.events.as_slice(), [Event::AttemptRefused { .. }]));
                assert_eq!(traced, reject.code == RejectCode::NotAllowed, "{who}: {command}: {reject}");
            } else {
                assert_ne!(state(&core), was, "{who}: {command}");
            }
        }
    }
}

/// What is approved later is run as what the requester may do then, and what a role of the chat grants counts just now.
#[test]
fn a_role_of_the_chat_orders_nothing_that_is_approved_later() {
    const ITEM: &str = r#"
kind = "request"
summary = "The keys"
approvers = ["team:payments"]
[[step]]
id = "tell"
note = "{{for}} gets them"
"#;
    let mut core = Core::new(State::new("requests"), example_with("keys", ITEM));
    let granted = |text: &str| {
        let mut input = say("margriet", text);
        input.by.granted = Some(Role::Responder);
        input
    };
    for words in ["/request new item:keys", "/runbook run keys"] {
        let (answer, commit) = core.take(Timestamp(START), granted(words));
        let reject = answer.reply.expect_err("it could never be approved");
        assert_eq!(reject.code, RejectCode::NotAllowed, "{reject}");
        assert!(reject.message.contains("you have it only by a role of the chat"), "{reject}");
        let events = commit.expect("it is on the record").events;
        assert!(matches!(events.as_slice(), [Event::AttemptRefused { .. }]), "{events:?}");
    }
    assert!(core.state().requests.is_empty());
    // Somebody who has it by the configuration asks for them; and it can be approved.
    let (answer, _) = core.take(Timestamp(START), say("daan", "/request new item:keys for:margriet"));
    assert!(answer.reply.is_ok(), "{answer:?}");
    let (answer, _) = core.take(Timestamp(START), say("bas", "/request approve REQ-1"));
    assert!(answer.reply.is_ok(), "{answer:?}");
}

/// What may be done to the requests of a random day; by whom, is decided at random as well.
fn said_of_requests() -> impl Strategy<Value = (usize, String, i64)> {
    let words = prop::sample::select(vec![
        "/request new item:roster-access",
        "/request new item:roster-access for:wei",
        "/request new item:seat-map with:\"flight=EJ204\"",
        "/request new \"a lounge\" service:loyalty-api for:nur",
        "/request approve REQ-#",
        "/request approve REQ-#",
        "/request reject REQ-# no",
        "/request take REQ-#",
        "/request retry REQ-#",
        "/request fulfil REQ-#",
        "/request close REQ-#",
        "/request cancel REQ-#",
        "/runbook answer RUN-# yes",
        "/runbook answer RUN-# no",
        "/runbook cancel RUN-#",
    ]);
    (0..PEOPLE.len(), words, 0..6u32, prop::sample::select(vec![0i64, 1, 60, 3_600, 86_400]))
        .prop_map(|(who, words, n, secs)| (who, words.replace('#', &n.to_string()), secs))
}

const PEOPLE: [&str; 9] = ["bas", "daan", "hana", "ivo", "margriet", "nur", "sanne", "wei", "nobody"];

fn stalled(request: &ServiceRequest) -> bool {
    request.timeline.iter().any(|entry| entry.text.starts_with("not fulfilled"))
}

/// Whether a person may do a step to a request, from a table of its own.
fn may(who: &str, step: &Step, request: &ServiceRequest) -> bool {
    let admin = ["sanne", "tariq"].contains(&who);
    let is_for = request.is_for(&who.into());
    let team: &[&str] = match request.team.as_str() {
        "loyalty" => &["hana", "ivo"],
        "booking" => &["daan", "elif"],
        "platform" => &["sanne", "tariq"],
        other => panic!("a request of {other}"),
    };
    match step {
        Step::Approved => ["nur", "wei"].contains(&who) && !is_for,
        Step::Rejected { .. } if request.awaits_approval() => ["nur", "wei"].contains(&who) && !is_for,
        Step::Rejected { .. } | Step::Taken => team.contains(&who) || admin,
        // Whoever answers the last question of a run ends it, and with it what it was begun for.
        Step::Fulfilled { .. } if request.run.is_some() => true,
        Step::Fulfilled { .. } => team.contains(&who) || admin,
        // Who answers for a run, or stops it, is the run's to ask.
        Step::Closed | Step::Cancelled { .. } if request.asked_by.is_some() => true,
        Step::Closed | Step::Cancelled { .. } => is_for || admin,
        // By whoever asks or approves at once; where a run has ended badly before, by whoever fulfils it.
        Step::Began { .. } if stalled(request) => team.contains(&who) || admin,
        Step::Began { .. } | Step::Stalled { .. } | Step::Linked { .. } | Step::Reminded => true,
    }
}

fn follows(from: RequestState, step: &Step) -> bool {
    use RequestState::{Approved, Fulfilled, InFulfilment, Submitted};
    match step {
        Step::Approved => from == Submitted,
        Step::Began { .. } => from == Approved,
        Step::Stalled { .. } => from == InFulfilment,
        Step::Closed => from == Fulfilled,
        Step::Rejected { .. } | Step::Taken | Step::Fulfilled { .. } | Step::Cancelled { .. } => from.waits(),
        Step::Linked { .. } | Step::Reminded => from.waits(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is said in whatever order by whomever: no step is taken by somebody who may not, none that does not
    /// follow, and nothing pages.
    #[test]
    fn no_sequence_gives_a_request_what_it_may_not_have(said in prop::collection::vec(said_of_requests(), 20..60)) {
        let mut core = Core::new(State::new("requests"), example());
        let mut now = Timestamp(START);
        let mut known: BTreeMap<ServiceRequestId, ServiceRequest> = BTreeMap::new();
        for (who, text, secs) in said {
            now = now.after(Span::secs(secs));
            let mut inputs = VecDeque::from([say(PEOPLE[who], &text)]);
            // What is due comes first, as in production.
            while let Some(input) = core.due(now).or_else(|| inputs.pop_front()) {
                let by = input.by.actor.clone();
                known.extend(core.state().requests.iter().map(|(id, request)| (*id, (**request).clone())));
                let (_, commit) = core.take(now, input);
                let Some(commit) = commit else { continue };
                for event in &commit.events {
                    prop_assert!(!matches!(event, Event::PageOpened { .. } | Event::IncidentOpened(_)), "{text}: {event:?}");
                    match event {
                        Event::RequestOpened(opened) => {
                            prop_assert!(!known.contains_key(&opened.request), "a number is given once");
                        }
                        Event::RequestMoved(moved) => {
                            let Some(before) = known.get_mut(&moved.request) else { continue };
                            prop_assert!(follows(before.state, &moved.step), "{}: {:?}", before.state, moved.step);
                            if let Some(person) = by.person() {
                                prop_assert!(may(person.as_str(), &moved.step, before), "{person}: {:?}", moved.step);
                            }
                            // Steps of one commit follow each other.
                            match &moved.step {
                                Step::Approved => before.state = RequestState::Approved,
                                Step::Began { .. } | Step::Taken => before.state = RequestState::InFulfilment,
                                Step::Fulfilled { .. } => before.state = RequestState::Fulfilled,
                                Step::Stalled { .. } => before.state = RequestState::Approved,
                                _ => {}
                            }
                        }
                        _ => {}
                    }
                }
                core.durable(&commit);
                let over = known.keys().filter(|id| !core.state().requests.contains_key(id)).copied();
                for id in over.collect::<Vec<_>>() {
                    if let Some(request) = known.get_mut(&id) {
                        request.state = RequestState::Closed;
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_approved_is_what_was_asked_for_by_somebody_who_may_still_have_it() {
    let mut core = Core::new(State::new("requests"), example());
    let at = Timestamp(START);
    let (_, commit) = core.take(at, say("nur", "/request new item:roster-access"));
    core.durable(&commit.expect("it is asked for"));
    let edited = |edit: &dyn Fn(&mut Org)| {
        let mut org = Org::clone(&example());
        edit(&mut org);
        Arc::new(org)
    };
    let cases: [(Arc<Org>, &str); 3] = [
        (
            edited(&|org| {
                let mut playbook = (*org.playbooks["roster-access"]).clone();
                playbook.steps[0].retries += 1;
                org.playbooks.insert("roster-access".into(), Arc::new(playbook));
            }),
            "was edited since it was asked for",
        ),
        (edited(&|org| drop(org.playbooks.remove("roster-access"))), "is no longer in the catalogue"),
        (
            edited(&|org| org.people.get_mut("nur").expect("she is there").left = true),
            "nur may not have roster-access: that takes the permission",
        ),
    ];
    for (org, why) in cases {
        core.set_org(org);
        let (answer, commit) = core.take(at, say("wei", "/request approve REQ-1"));
        let reject = answer.reply.expect_err(why);
        assert!(reject.message.contains(why) && commit.is_none(), "{reject}");
    }
    core.set_org(example());
    for n in 0..100 {
        let (answer, commit) = core.take(at, say("wei", "/request approve REQ-1"));
        assert!(answer.reply.is_ok(), "{answer:?}");
        assert_eq!(commit.is_some(), n == 0, "100 approvals have one effect");
        commit.iter().for_each(|commit| core.durable(commit));
    }
    assert_eq!(core.state().runs.len(), 1);
    let run = core.state().runs.values().next().expect("it runs");
    assert_eq!(run.by, Actor::Person("nur".into()), "it is hers, though wei set it off");
}
