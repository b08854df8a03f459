//! Runs of playbooks by the rules of small organisations of their own: in whose name their steps act, and how long that
//! counts. How runs go otherwise is told by the stories `playbook-*.txt`.

mod support_paging;

use std::sync::Arc;

use opsbell::domain::actor::{Actor, By};
use opsbell::domain::event::Event;
use opsbell::domain::id::{IncidentId, RunId};
use opsbell::domain::incident::Severity;
use opsbell::domain::input::{Input, InputKind, Place};
use opsbell::domain::org::{Org, Role};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;
use support_paging::START;

const CONFIG: &str = r#"
[operators]
people = ["dot"]
[defaults]
service = "api"
notify.high = ["email"]
notify.low = ["email"]
[[person]]
id = "dot"
email = "dot@ej.example"
role = "admin"
[[person]]
id = "eve"
email = "eve@ej.example"
role = "stakeholder"
[[team]]
id = "core"
escalation = "core"
[[escalation]]
id = "core"
steps = [{ page = ["person:dot"], escalate_after = "50m" }]
[[service]]
id = "api"
team = "core"
[[service]]
id = "web"
team = "core"
[[service]]
id = "app"
team = "core"
"#;

struct Desk {
    core: Core,
    now: Timestamp,
    refused: usize,
}

impl Desk {
    /// One whose playbook `calm` has these steps; an incident is open.
    fn new(steps: &str) -> Self {
        let playbook = format!("kind = 'runbook'\nsummary = 'Calm'\npermission = 'respond'\n{steps}");
        let org: Arc<Org> = support_paging::with_playbook(CONFIG, "calm", &playbook);
        let mut desk = Self { core: Core::new(State::new("runs"), org), now: Timestamp(START), refused: 0 };
        desk.say("dot", None, "/incident declare \"Down\" service:api severity:sev2").expect("declared");
        desk
    }

    /// Words of somebody, whom the roles of their chat grant something.
    fn say(&mut self, who: &str, granted: Option<Role>, text: &str) -> Result<String, String> {
        let by = By { granted, ..By::new(Actor::Person(who.into()), "discord") };
        let kind = InputKind::Text { place: Place::default(), text: text.to_owned() };
        let (answer, _) = self.core.take(self.now, Input { by, idempotency: None, kind, closed: Vec::new() });
        answer.reply.map(|reply| reply.text).map_err(|reject| reject.to_string())
    }

    /// Time passes; what comes due happens.
    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(next) = self.core.state().next_wakeup().map(|wakeup| wakeup.due).filter(|due| *due <= until) {
            self.now = self.now.max(next);
            let Some(input) = self.core.due(self.now) else { break };
            let (_, commit) = self.core.take(self.now, input);
            let events = commit.into_iter().flat_map(|commit| commit.events);
            self.refused += events.filter(|event| matches!(event, Event::AttemptRefused { .. })).count();
        }
        self.now = until;
    }

    fn severity(&self) -> Severity {
        self.core.state().incidents[&IncidentId(1)].severity
    }

    /// Why a step of the run failed.
    fn failure(&self) -> Option<String> {
        let run = &self.core.state().runs[&RunId(1)];
        run.done.iter().find_map(|done| done.failure.as_ref().map(ToString::to_string))
    }
}

const RUN: &str = "/runbook run calm incident:INC-1";
const SEVERITY: &str = "[[step]]\nid = 'worse'\nset-severity = 'sev1'\n";

#[test]
fn what_a_chat_grants_counts_at_once() {
    let mut desk = Desk::new(SEVERITY);
    assert!(desk.say("eve", None, RUN).is_err(), "eve only reads along");
    desk.say("eve", Some(Role::Responder), RUN).unwrap();
    desk.pass(Span::secs(1));
    assert_eq!((desk.severity(), desk.failure()), (Severity::Sev1, None));
}

#[test]
fn what_a_chat_grants_counts_over_no_wait() {
    for wait in ["wait = '1s'", "wait = '3h'", "ask = 'Go on?'\nof = 'person:dot'"] {
        let mut desk = Desk::new(&format!("[[step]]\n{wait}\n{SEVERITY}"));
        desk.say("eve", Some(Role::Responder), RUN).unwrap();
        desk.pass(Span::secs(2));
        if wait.starts_with("ask") {
            desk.say("dot", None, "/runbook answer RUN-1 yes").unwrap();
        }
        desk.pass(Span::hours(4));
        let failure = desk.failure().unwrap_or_default();
        assert_eq!(desk.severity(), Severity::Sev2, "{wait}");
        assert!(failure.contains("a role of the chat grants does not count after a wait"), "{wait}: {failure}");
        assert_eq!(desk.refused, 1, "{wait}: the attempt stands in the journal");
    }
}

#[test]
fn what_a_chat_grants_is_read_again_where_they_answer() {
    for (granted, severity) in [(Some(Role::Responder), Severity::Sev1), (None, Severity::Sev2)] {
        let mut desk = Desk::new(&format!("[[step]]\nask = 'Go on?'\nof = 'person:eve'\nwithin = '2h'\n{SEVERITY}"));
        desk.say("eve", Some(Role::Responder), RUN).unwrap();
        desk.pass(Span::hours(1));
        desk.say("eve", granted, "/runbook answer RUN-1 yes").ok();
        desk.pass(Span::hours(3));
        assert_eq!(desk.severity(), severity, "{granted:?}");
    }
}

#[test]
fn a_role_of_the_configuration_counts_over_a_wait() {
    let mut desk = Desk::new(&format!("[[step]]\nwait = '3h'\n{SEVERITY}"));
    desk.say("dot", None, RUN).unwrap();
    desk.pass(Span::hours(4));
    assert_eq!((desk.severity(), desk.failure()), (Severity::Sev1, None));
}

#[test]
fn the_last_to_end_are_kept_whenever_they_began() {
    // Two wait on services of their own, while ninety-nine that began later are over before them; all at one moment.
    let mut desk =
        Desk::new("[[parameter]]\nname = 'service'\nrequired = true\n[[step]]\nid = 'breathe'\nwait = '1h'\n");
    let run = |desk: &mut Desk, service: &str| {
        let told = desk.say("dot", None, &format!("/runbook run calm with:\"service={service}\" incident:INC-1"));
        told.unwrap_or_else(|why| panic!("{service}: {why}"));
    };
    let cancel = |desk: &mut Desk, id: u64| _ = desk.say("dot", None, &format!("/runbook cancel RUN-{id}")).unwrap();
    let kept = |desk: &Desk| desk.core.state().runs.keys().map(|id| id.0).collect::<Vec<_>>();
    let first_and = |range: std::ops::RangeInclusive<u64>| std::iter::once(1).chain(range).collect::<Vec<_>>();
    run(&mut desk, "api");
    run(&mut desk, "web");
    for id in 3..=101 {
        run(&mut desk, "app");
        cancel(&mut desk, id);
    }
    cancel(&mut desk, 2);
    cancel(&mut desk, 1);
    assert_eq!(
        kept(&desk),
        [vec![1, 2], (4..=101).collect()].concat(),
        "the first to end is gone, not the first to begin"
    );
    assert!(desk.say("dot", None, "/runbook show RUN-1").unwrap().contains("cancelled"));
    for id in 102..=200 {
        run(&mut desk, "app");
        cancel(&mut desk, id);
    }
    assert_eq!(kept(&desk), first_and(102..=200));
    // One that runs an hour shows its end, whatever ended meanwhile.
    run(&mut desk, "web");
    for id in 202..=320 {
        run(&mut desk, "app");
        cancel(&mut desk, id);
    }
    desk.pass(Span::hours(2));
    assert!(desk.core.state().runs[&RunId(201)].ended.is_some(), "it shows its end");
    assert_eq!(kept(&desk), [vec![201], (222..=320).collect()].concat());
}
