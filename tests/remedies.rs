//! A page is never lost to a remedy: alerts begin a runbook whose steps work, fail, hang or are interrupted, people step in
//! or do not, the process dies at any moment, and in every one of these nights the page goes out when it has to, and not
//! before. `OPSBELL_REMEDY_RUNS` (400) says how many nights, each with a seed of its own.

mod support_paging;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use opsbell::catalog;
use opsbell::domain::actor::By;
use opsbell::domain::delivery::Outcome;
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::RunId;
use opsbell::domain::incident::{Incident, IncidentState, Severity};
use opsbell::domain::input::{Input, InputKind};
use opsbell::domain::org::Org;
use opsbell::domain::playbook::remedy::Told;
use opsbell::domain::playbook::{Ending, Errand, Performed};
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;
use support_paging::{START, input, say, sent, signal};

const HOLD: Span = Span::mins(5);

const CONFIG: &str = r#"
[defaults]
service = "api"
notify.high = ["email"]
notify.low = ["email"]
[operators]
people = ["ann"]
[mail]
host = "smtp.example"
from = "opsbell@example.org"
[perform]
programs = ["/bin/true"]
[[person]]
id = "ann"
email = "ann@example.org"
[[team]]
id = "core"
escalation = "core"
[[escalation]]
id = "core"
steps = [{ page = ["person:ann"], escalate_after = "20m" }]
[[service]]
id = "api"
team = "core"
[[integration]]
id = "prom"
source = "generic"
key_env = "KEY"
[[remedy]]
id = "heal"
runbook = "heal"
alerts = "service=api"
before_page = "5m"
per_hour = 3
"#;

/// One step that may be done twice, one that may not, a wait and a question.
const HEAL: &str = r#"
kind = "runbook"
summary = "Heal"
[[step]]
id = "twice"
run = "/bin/true"
idempotent = true
retries = 1
timeout = "30s"
[[step]]
id = "once"
run = "/bin/true"
timeout = "30s"
[[step]]
wait = "30s"
[[step]]
ask = "Is it well?"
within = "1m"
on_failure = "continue"
"#;

fn org() -> Arc<Org> {
    org_with(HEAL)
}

fn org_with(heal: &str) -> Arc<Org> {
    let files = BTreeMap::from([
        (PathBuf::from("opsbell.toml"), CONFIG.to_owned()),
        (PathBuf::from("playbooks/heal.toml"), heal.to_owned()),
    ]);
    let loaded = catalog::load_files(&files, &|_| Some("a-secret-of-some-length".to_owned()));
    Arc::new(loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings)).org)
}

/// Numbers by chance, the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }
}

struct Night {
    core: Core,
    org: Arc<Org>,
    now: Timestamp,
    journal: Vec<Commit>,
    outside: Vec<Errand>,
    /// Alerts that were sent, by their number.
    sent: u64,
    /// What happened, for whoever reads a failure.
    told: Vec<String>,
}

impl Night {
    fn new(org: &Arc<Org>) -> Self {
        let mut night = Self {
            core: Core::new(State::new("remedy"), Arc::clone(org)),
            org: Arc::clone(org),
            now: Timestamp(START),
            journal: Vec::new(),
            outside: Vec::new(),
            sent: 0,
            told: Vec::new(),
        };
        night.started();
        night
    }

    fn started(&mut self) {
        let at = self.now;
        self.take(input(By::timer("engine"), InputKind::Started { version: "test".into(), at }));
    }

    fn take(&mut self, input: Input) -> bool {
        let (answer, commit) = self.core.take(self.now, input);
        if let Some(commit) = commit {
            self.core.durable(&commit);
            self.journal.push(commit);
        }
        // Providers take everything at once.
        while let Some(grant) = self.core.grant(self.now) {
            self.core.ended(&grant.id);
            let kind = InputKind::Receipt { delivery: grant.id, outcome: Outcome::Accepted };
            let (_, commit) = self.core.take(self.now, input_by("lane", kind));
            if let Some(commit) = commit {
                self.core.durable(&commit);
                self.journal.push(commit);
            }
        }
        while let Some(errand) = self.core.errand() {
            self.outside.push(errand);
        }
        answer.reply.is_ok()
    }

    /// Time passes; every moment on the way is taken.
    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            if let Some(input) = self.core.due(self.now) {
                self.take(input);
            }
            self.check();
        }
        self.now = until;
    }

    fn alert(&mut self) {
        self.sent += 1;
        let key = format!("k{}", self.sent);
        self.take(sent("prom", signal("prom", SignalKind::Alert, Some("api"), &key, Some(AlertSeverity::Critical))));
    }

    fn recover(&mut self, n: u64) {
        self.take(sent("prom", signal("prom", SignalKind::Resolve, Some("api"), &format!("k{n}"), None)));
    }

    fn back(&mut self, outcome: Performed) {
        if let Some(errand) = self.outside.pop() {
            self.core.errand_ended(errand.run, errand.attempt);
            let kind = InputKind::Performed { run: errand.run, attempt: errand.attempt, outcome };
            self.take(input_by("perform", kind));
        }
    }

    fn die(&mut self) {
        self.core = Core::new(self.core.state().clone(), Arc::clone(&self.org));
        self.outside.clear();
        self.started();
    }

    fn something(&mut self, chance: &mut Chance) {
        let run = self.core.state().meta.runs;
        let incident = self.core.state().meta.incidents;
        let what = match chance.below(16) {
            0..=2 => {
                self.back(Performed::Done { output: String::new() });
                "a step works"
            }
            3 => {
                self.back(Performed::Failed { reason: "no".into(), output: String::new() });
                "a step fails"
            }
            4 => {
                self.back(Performed::Unknown { reason: "silence".into() });
                "nobody knows of a step"
            }
            5 => {
                self.die();
                "it dies"
            }
            6 => {
                self.alert();
                "an alert"
            }
            7 => {
                self.recover(1 + chance.below(self.sent.max(1)));
                "one recovers"
            }
            8 if chance.below(4) == 0 => {
                self.take(say("ann", &format!("/ack INC-{incident}")));
                "somebody takes it"
            }
            9 if chance.below(3) == 0 => {
                self.take(say("ann", &format!("/runbook cancel RUN-{run}")));
                "a run is cancelled"
            }
            10 => {
                self.take(say("ann", &format!("/runbook resume RUN-{run} done")));
                "somebody says what happened"
            }
            11 => {
                self.take(say("ann", &format!("/runbook answer RUN-{run} yes")));
                "somebody answers"
            }
            _ => "nothing",
        };
        self.told.push(format!("{} {what}", self.now));
        self.check();
        let span = Span(i64::try_from(chance.below(90_000)).unwrap_or(0));
        self.pass(span);
        self.check();
    }

    /// Whether people were paged about it, or need not be.
    fn check(&self) {
        let state = self.core.state();
        for incident in state.incidents.values().filter(|it| it.state == IncidentState::Triggered) {
            let paged = !incident.pages.is_empty();
            let late = self.now >= incident.opened_at.after(HOLD) && !self.is_due(incident);
            assert!(paged || !late, "nobody was paged about {} in time\n{}", incident.id, self.told.join("\n"));
            let run = state.runs.values().find(|run| run.incident == Some(incident.id));
            let Some(run) = run else {
                assert!(paged, "no remedy for {}, and nobody is paged\n{}", incident.id, self.told.join("\n"));
                continue;
            };
            let bad = run.ended.as_ref().is_some_and(|ended| ended.ending != Ending::Done) || run.word() == "unclear";
            assert!(paged || !bad, "{} is {}, and nobody is paged\n{}", run.id, run.word(), self.told.join("\n"));
            // Nobody is woken while it may still help, unless it was unclear before.
            let failed = self.journal.iter().flat_map(|commit| &commit.events).any(|event| {
                matches!(event, Event::Remedied(told)
                    if told.incident == incident.id && matches!(told.what, Told::Failed { .. } | Told::Stayed))
            });
            assert!(!paged || failed, "{} is paged about for no reason\n{}", incident.id, self.told.join("\n"));
        }
        assert!(self.begun_lately() <= 3, "too many runs in an hour\n{}", self.told.join("\n"));
    }

    /// The moment of its page has come, and is taken next.
    fn is_due(&self, incident: &Incident) -> bool {
        self.core.state().next_wakeup().is_some_and(|wakeup| wakeup.due <= self.now)
            && incident.escalation.as_ref().is_some_and(|escalation| escalation.held)
    }

    fn begun_lately(&self) -> usize {
        let started =
            |event: &&Event| matches!(event, Event::Remedied(told) if matches!(told.what, Told::Started { .. }));
        let lately = self.journal.iter().filter(|commit| self.now.since(commit.at) < Span::hours(1));
        lately.flat_map(|commit| &commit.events).filter(started).count()
    }
}

fn input_by(part: &str, kind: InputKind) -> Input {
    input(By::timer(part), kind)
}

#[test]
fn whatever_becomes_of_a_remedy_the_page_goes_out_in_time() {
    let nights = catalog::process_env("OPSBELL_REMEDY_RUNS").and_then(|n| n.parse().ok()).unwrap_or(400);
    let org = org();
    let (mut helped, mut failed, mut guarded) = (0, 0, 0);
    for seed in 0..nights {
        let mut chance = Chance(seed);
        let mut night = Night::new(&org);
        night.alert();
        for _ in 0..40 {
            night.something(&mut chance);
        }
        night.pass(HOLD);
        night.check();
        let mut replayed = State::new("remedy");
        night.journal.iter().for_each(|commit| replayed.apply(commit));
        assert!(replayed == *night.core.state(), "seed {seed}: the replayed state differs");
        for event in night.journal.iter().flat_map(|commit| &commit.events) {
            if let Event::Remedied(told) = event {
                match told.what {
                    Told::Succeeded { .. } => helped += 1,
                    Told::Failed { .. } | Told::Stayed => failed += 1,
                    Told::Guarded { .. } => guarded += 1,
                    Told::Started { .. } => {}
                }
            }
        }
        assert!(night.core.state().runs.contains_key(&RunId(1)), "seed {seed}: no remedy was ever tried");
    }
    // The nights are of all kinds.
    assert!(helped > nights / 20 && failed > nights / 10 && guarded > nights / 10, "{helped} {failed} {guarded}");
}

#[test]
fn a_remedy_neither_calms_nor_snoozes_what_it_is_for() {
    for step in ["set-severity = \"sev4\"", "silence = 'service=api'\nfor = \"24h\"\nreason = \"calm\""] {
        let heal = format!(
            "kind = \"runbook\"\nsummary = \"Heal\"\n[[step]]\n{step}\n[[step]]\nrun = \"/bin/true\"\ntimeout = \"30s\"\n"
        );
        let mut night = Night::new(&org_with(&heal));
        night.alert();
        night.pass(Span::secs(1));
        night.back(Performed::Failed { reason: "no".into(), output: String::new() });
        night.pass(Span::secs(1));
        let incident = night.core.state().incidents.values().next().expect("an incident");
        assert_eq!((incident.state, incident.severity), (IncidentState::Triggered, Severity::Sev1), "{step}");
        assert!(!incident.pages.is_empty(), "{step}: the runbook failed, and nobody is paged");
    }
}
