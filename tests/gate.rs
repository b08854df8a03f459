//! What waits at the gate, and what is let go by it, in small organisations of their own: what was agreed to, by whom, and
//! no more. The words of the gate are told by the stories `gate-*.txt` and `host-*.txt`.

mod support_paging;

use std::sync::Arc;

use opsbell::domain::change::deployed::KnownCommit;
use opsbell::domain::change::gate::{Decision, Verdict};
use opsbell::domain::change::{ChangeState, Class, OPEN_MAX};
use opsbell::domain::command::GateAsked;
use opsbell::domain::event::Event;
use opsbell::domain::id::{ChangeId, DeploymentId};
use opsbell::domain::input::InputKind;
use opsbell::domain::org::Org;
use opsbell::domain::signal::{CodeHost, Deployment, Progress, Question, ReviewSays, Reviewing, Signal, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;
use support_paging::{input, person, say, sent, signal};

/// 2026-12-08T09:00Z, a Tuesday.
const START: i64 = 1_796_720_400_000;

/// Two commits that begin alike, and another one.
const ONE: &str = "5e1f0c9a7b3d4e2f8a6c1b0d9e7f5a3c2b4d6e81";
const ALIKE: &str = "5e1f0c9fffffffffffffffffffffffffffffffff";
const OTHER: &str = "77aa88bb99cc00dd11ee22ff33445566778899aa";

/// A team of ann and ben, the administrator dot, and eve of nowhere; a code host that holds deployments.
const BASE: &str = r#"
[operators]
people = ["dot"]
[defaults]
service = "api"
notify.high = ["email"]
notify.low = ["email"]
[[person]]
id = "ann"
email = "ann@ej.example"
github = "ann-ej"
[[person]]
id = "ben"
email = "ben@ej.example"
github = "ben-ej"
[[person]]
id = "dot"
email = "dot@ej.example"
role = "admin"
[[person]]
id = "eve"
email = "eve@ej.example"
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
[[service]]
id = "shop"
team = "core"
[[integration]]
id = "github"
source = "github"
service = "api"
key_env = "KEY"
answer_token_env = "TOKEN"
"#;

fn org(more: &str) -> Arc<Org> {
    support_paging::from_text(&format!("{BASE}{more}"))
}

/// The same with a playbook that deploys, and has to earn that it may.
fn with_deploy(more: &str) -> Arc<Org> {
    let playbook = "kind = 'standard-change'\nsummary = 'Deploy'\nrisk = 'high'\nearn_after = 1\n\
        [[parameter]]\nname = 'service'\ntype = 'service'\nrequired = true\n[[step]]\nid = 'wait'\nwait = '1h'\n[[rollback]]\nid = 'back'\nwait = '1s'\n";
    support_paging::with_playbook(&format!("{BASE}{more}"), "deploy", playbook)
}

struct Desk {
    core: Core,
    now: Timestamp,
    /// How often something was written about questions of the code host.
    written: usize,
}

impl Desk {
    fn new(org: Arc<Org>) -> Self {
        Self { core: Core::new(State::new("gate"), org), now: Timestamp(START), written: 0 }
    }

    /// One that knows who wrote a commit.
    fn wrote(org: Arc<Org>, who: &str) -> Self {
        let mut state = State::new("gate");
        state.commits.insert(1, KnownCommit { author: Some(who.into()), ..KnownCommit::bare(ONE) });
        Self { core: Core::new(state, org), ..Self::new(self::org("")) }
    }

    fn take(&mut self, input: opsbell::domain::input::Input) -> Result<String, String> {
        let (answer, commit) = self.core.take(self.now, input);
        let events = commit.into_iter().flat_map(|commit| commit.events);
        self.written += events.filter(|event| matches!(event, Event::DeploymentQuestion(_))).count();
        answer.reply.map(|reply| reply.text).map_err(|reject| reject.to_string())
    }

    /// What is answered; a refusal begins with `refused: `.
    fn say(&mut self, who: &str, text: &str) -> String {
        self.take(say(who, text)).unwrap_or_else(|why| format!("refused: {why}"))
    }

    /// Time passes; what comes due happens.
    fn pass(&mut self, span: Span) {
        let until = self.now.after(span);
        while let Some(next) = self.core.state().next_wakeup().map(|wakeup| wakeup.due).filter(|due| *due <= until) {
            self.now = self.now.max(next);
            let Some(input) = self.core.due(self.now) else { break };
            self.take(input).expect("a moment");
        }
        self.now = until;
    }

    /// A pipeline asks, in somebody's name.
    fn gate(&mut self, who: &str, asked: GateAsked) -> Verdict {
        let told = self.take(input(person(who), InputKind::Gate(asked))).expect("a verdict");
        serde_json::from_str(&told).expect("a verdict")
    }

    /// The same for a version of `api` as a commit.
    fn asks(&mut self, version: &str, sha: Option<&str>) -> (Decision, Option<u64>) {
        let verdict = self.gate("eve", asked(version, sha));
        (verdict.decision, verdict.change.map(|id| id.0))
    }

    /// The code host tells something.
    fn hears(&mut self, key: &str, environment: &str, told: Deployment) -> String {
        let kind = if told.review.is_some() { SignalKind::Ignore } else { SignalKind::Deploy };
        let signal = Signal {
            environment: Some(environment.to_owned()),
            deployment: Some(Box::new(told)),
            ..signal("github", kind, None, key, None)
        };
        self.take(sent("github", signal)).unwrap_or_else(|why| format!("refused: {why}"))
    }

    /// The code host holds a deployment, and asks.
    fn host_asks(&mut self, n: u64, environment: &str, version: &str, sha: &str) -> String {
        self.host_asks_for(&[], n, environment, version, sha)
    }

    /// The same, set off by these accounts.
    fn host_asks_for(&mut self, by: &[&str], n: u64, environment: &str, version: &str, sha: &str) -> String {
        let by = by.iter().map(|&account| account.to_owned()).collect();
        let to = format!("https://api.github.com/repos/o/r/actions/runs/{n}/deployment_protection_rule");
        let question = Question { host: CodeHost::GitHub, to, environment: environment.to_owned(), by };
        let (version, sha) = (Some(version.to_owned()), Some(sha.to_owned()));
        let question = Some(Box::new(question));
        self.hears(&n.to_string(), environment, Deployment { version, sha, question, ..Deployment::default() })
    }

    /// How the question of a deployment stands.
    fn question(&self, n: u64) -> String {
        self.core.state().deployments[&DeploymentId(n)].question.as_ref().expect("a question").shown()
    }

    fn state(&self, id: u64) -> ChangeState {
        self.core.state().changes[&ChangeId(id)].state
    }
}

fn asked(version: &str, sha: Option<&str>) -> GateAsked {
    GateAsked {
        service: "api".into(),
        version: version.to_owned(),
        environment: None,
        author: None,
        by: Vec::new(),
        sha: sha.map(Into::into),
    }
}

#[test]
fn one_approval_lets_one_commit_go() {
    use Decision::{Allow, Wait};
    // However it began, and however its commit is told: by a word, by a pipeline that told none, or only its beginning.
    let short = &ONE[..7];
    for (begun, first) in [(None, None), (Some(None), None), (Some(Some(short)), Some(short)), (Some(Some(ONE)), None)]
    {
        for then in [ONE, &ONE[..12]] {
            let mut desk = Desk::new(org(""));
            desk.say("ben", "/change new One service:api version:1.4 plan:a rollback:b");
            desk.say("ann", "/change approve CHG-1");
            match begun {
                None => assert!(desk.say("ben", "/change start CHG-1").contains("CHG-1 has begun")),
                Some(sha) => assert_eq!(desk.asks("1.4", sha), (Allow, Some(1)), "{begun:?}"),
            }
            assert_eq!(desk.asks("1.4", first), (Allow, Some(1)));
            assert_eq!(desk.asks("1.4", Some(then)), (Allow, Some(1)), "{begun:?} {then}");
            assert_eq!(desk.asks("1.4", Some(ONE)), (Allow, Some(1)), "the same one goes on");
            // No other one, nor one that begins like it.
            assert_eq!(desk.asks("1.4", Some(OTHER)), (Wait, Some(2)), "{begun:?} {then}");
            assert_eq!(desk.asks("1.4", Some(ALIKE)), (Wait, Some(3)), "{begun:?} {then}");
            assert_eq!(desk.asks("1.4", Some(ONE)), (Allow, Some(1)));
            let change = &desk.core.state().changes[&ChangeId(1)];
            assert_eq!(change.commit.as_deref(), Some(ONE), "{begun:?} {then}");
        }
    }
    // A pipeline that tells only the beginning of what was approved whole does not widen it.
    let mut desk = Desk::new(org(""));
    assert_eq!(desk.asks("1.4", Some(ONE)), (Wait, Some(1)));
    desk.say("ann", "/change approve CHG-1");
    assert_eq!(desk.asks("1.4", Some(short)), (Allow, Some(1)));
    assert_eq!(desk.asks("1.4", Some(ALIKE)), (Wait, Some(2)));
}

const ONE_OF_ALL: &str = "[[approval]]\nid = \"a\"\napprovers = [\"team:core\", \"role:admin\"]\nquorum = 1\n";
const TWO_OF_ALL: &str = "[[approval]]\nid = \"a\"\napprovers = [\"team:core\", \"role:admin\"]\nquorum = 2\n";

#[test]
fn who_wrote_a_commit_does_not_wave_it_through_whoever_tells_that() {
    // The pipeline names nobody, and the push has told it.
    let mut desk = Desk::wrote(org(ONE_OF_ALL), "ann");
    assert_eq!(desk.asks("1.4", Some(ONE)), (Decision::Wait, Some(1)));
    let told = desk.say("ann", "/change approve CHG-1");
    assert!(told.contains("ann wrote what it brings in"), "{told}");
    // The pipeline names somebody else: neither counts.
    let mut desk = Desk::wrote(org(TWO_OF_ALL), "ann");
    desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
    desk.say("ann", "/change approve CHG-1");
    desk.say("ben", "/change approve CHG-1");
    assert_eq!(desk.state(1), ChangeState::Scheduled);
    let verdict = desk.gate("eve", GateAsked { author: Some("ben".into()), ..asked("1.4", Some(ONE)) });
    assert_eq!(verdict.decision, Decision::Wait);
    assert!(verdict.reasons[0].text.contains("2 more of"), "{verdict:?}");
    // Told only after it was begun by a word: what its author alone approved is not let go, what somebody else did too is.
    for (rules, decision) in [(ONE_OF_ALL, Decision::Deny), (TWO_OF_ALL, Decision::Allow)] {
        let mut desk = Desk::wrote(org(rules), "ann");
        desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
        desk.say("ann", "/change approve CHG-1");
        desk.say("dot", "/change approve CHG-1");
        desk.core.set_org(org(ONE_OF_ALL));
        assert!(desk.say("eve", "/change start CHG-1").contains("CHG-1 has begun"));
        let verdict = desk.gate("eve", asked("1.4", Some(ONE)));
        assert_eq!(verdict.decision, decision, "{verdict:?}");
        assert_eq!(desk.core.state().changes[&ChangeId(1)].commit.is_some(), decision == Decision::Allow);
    }
}

#[test]
fn who_sets_a_deployment_off_does_not_approve_it() {
    // The change is somebody else's, and there before; and whoever made the tag is another one than who began the run.
    for by in [&["ann-ej"][..], &["robot", "ann-ej"], &["ben-ej", "ann-ej"]] {
        let mut desk = Desk::new(org(ONE_OF_ALL));
        desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
        desk.say("ann", "/change approve CHG-1");
        desk.host_asks_for(by, 1, "production", "1.4", ONE);
        desk.pass(Span::mins(30));
        assert_eq!(desk.state(1), ChangeState::AwaitingApproval, "{by:?}: {}", desk.question(1));
        assert!(desk.question(1).contains("what ann approved does not count: ann begins it"), "{}", desk.question(1));
        // A word does not make up for it.
        let told = desk.say("eve", "/change start CHG-1");
        assert!(told.contains("what ann approved does not count: ann begins it"), "{told}");
        // Somebody else approves it as well, and it goes.
        let told = desk.say("dot", "/change approve CHG-1");
        assert!(told.contains("CHG-1 approved"), "{told}");
        desk.pass(Span::secs(1));
        assert_eq!(desk.state(1), ChangeState::Implementing, "{by:?}: {}", desk.question(1));
    }
    // Nor who wrote it, as the push has told.
    let mut desk = Desk::wrote(org(ONE_OF_ALL), "ann");
    desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
    desk.say("ann", "/change approve CHG-1");
    desk.host_asks(1, "production", "1.4", ONE);
    assert!(desk.question(1).contains("what ann approved does not count: ann wrote it"), "{}", desk.question(1));
    desk.say("dot", "/change approve CHG-1");
    desk.pass(Span::secs(1));
    assert_eq!(desk.state(1), ChangeState::Implementing, "{}", desk.question(1));
    assert!(desk.say("ben", "/change approve CHG-1").contains("it needs no more approvals"));
}

#[test]
fn who_wrote_it_does_not_approve_it_where_only_the_record_knows_the_commit() {
    // The version is the hash; or it is told once, and not when it is asked again.
    for (first, then) in [((ONE, None), (ONE, None)), (("1.4", Some(ONE)), ("1.4", None))] {
        let mut desk = Desk::wrote(org(ONE_OF_ALL), "ann");
        assert_eq!(desk.gate("eve", asked(first.0, first.1)).decision, Decision::Wait);
        desk.say("ann", "/change approve CHG-1");
        let verdict = desk.gate("eve", asked(then.0, then.1));
        assert_eq!(verdict.decision, Decision::Wait, "{verdict:?}");
        let told = desk.say("eve", "/change start CHG-1");
        assert!(told.starts_with("refused: "), "{told}");
        desk.say("dot", "/change approve CHG-1");
        let verdict = desk.gate("eve", asked(then.0, then.1));
        assert_eq!(verdict.decision, Decision::Allow, "{verdict:?}");
    }
}

#[test]
fn who_wrote_it_does_not_approve_it_where_the_pipeline_names_another_author() {
    let mut desk = Desk::wrote(org(ONE_OF_ALL), "ann");
    let verdict = desk.gate("eve", GateAsked { author: Some("ben".into()), ..asked("1.4", Some(ONE)) });
    assert_eq!(verdict.decision, Decision::Wait);
    desk.say("ann", "/change approve CHG-1");
    // It is deployed all the same.
    let (version, sha) = (Some("1.4".to_owned()), Some(ONE.to_owned()));
    let told = Deployment { progress: Some(Progress::Started), version, sha, ..Deployment::default() };
    desk.hears("7", "production", told);
    assert_eq!(desk.state(1), ChangeState::Implementing);
    let unapproved = desk.core.state().changes[&ChangeId(1)].unapproved.clone().unwrap_or_default();
    assert!(unapproved.contains("what ann approved does not count: ann wrote it"), "{unapproved}");
}

#[test]
fn who_is_told_to_have_a_part_only_by_the_pipeline_is_made_up_for_by_another_approver() {
    let wrote = GateAsked { author: Some("ann".into()), ..asked("1.4", None) };
    let set_off = GateAsked { by: vec!["ann".into()], ..asked("1.4", None) };
    for (who, asked, how) in [
        ("eve", wrote, "ann wrote it"),
        ("eve", set_off, "ann begins it"),
        ("ann", asked("1.4", None), "ann begins it"),
    ] {
        let mut desk = Desk::new(org(ONE_OF_ALL));
        desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
        desk.say("ann", "/change approve CHG-1");
        assert_eq!(desk.state(1), ChangeState::Scheduled);
        let verdict = desk.gate(who, asked.clone());
        assert_eq!(verdict.decision, Decision::Wait, "{how}");
        assert!(verdict.reasons.iter().any(|reason| reason.text.contains(how)), "{verdict:?}");
        assert_eq!(verdict.state, Some(ChangeState::AwaitingApproval), "{how}");
        assert_eq!(desk.state(1), ChangeState::AwaitingApproval, "{how}");
        // Asking again writes nothing, and what was approved stands for what somebody else brings in.
        let before = desk.core.state().meta.seq;
        desk.gate(who, asked.clone());
        assert_eq!(desk.core.state().meta.seq, before, "{how}");
        assert!(desk.say("ann", "/change approve CHG-1").contains("You have approved CHG-1 already"));
        let told = desk.say("dot", "/change approve CHG-1");
        assert!(told.contains("CHG-1 approved"), "{told}");
        let verdict = desk.gate(who, asked);
        assert_eq!(verdict.decision, Decision::Allow, "{how}: {verdict:?}");
    }
}

#[test]
fn what_somebody_approved_lets_go_what_others_set_off() {
    // Two deployments of one version wait: one was set off by who approves it then, the other by nobody in particular.
    let mut desk = Desk::new(org(ONE_OF_ALL));
    desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
    desk.host_asks_for(&["ann-ej"], 1, "production", "1.4", ONE);
    desk.host_asks_for(&["robot"], 2, "production", "1.4", ONE);
    desk.say("ann", "/change approve CHG-1");
    desk.pass(Span::secs(1));
    assert_eq!(desk.state(1), ChangeState::Implementing, "{}\n{}", desk.question(1), desk.question(2));
    assert!(desk.question(2).contains("approved"), "{}", desk.question(2));
    assert!(desk.question(1).starts_with("rejected"), "{}", desk.question(1));
}

#[test]
fn who_sets_it_off_does_not_approve_it_though_somebody_else_began_it() {
    let set_off = GateAsked { by: vec!["ann".into()], ..asked("1.4", None) };
    for (who, asked) in [("eve", set_off), ("ann", asked("1.4", None))] {
        for (rules, decision) in [(ONE_OF_ALL, Decision::Deny), (TWO_OF_ALL, Decision::Allow)] {
            let mut desk = Desk::new(org(rules));
            desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
            desk.say("ann", "/change approve CHG-1");
            desk.say("dot", "/change approve CHG-1");
            desk.core.set_org(org(ONE_OF_ALL));
            assert!(desk.say("ben", "/change start CHG-1").contains("CHG-1 has begun"));
            let verdict = desk.gate(who, asked.clone());
            assert_eq!(verdict.decision, decision, "{who}: {verdict:?}");
        }
    }
}

#[test]
fn ones_own_work_is_judged_at_the_risk_at_which_it_began() {
    // At low risk nobody is asked; while something is broken somebody is, and it was whoever wrote it.
    let mut desk = Desk::wrote(org("[change]\napprovals = { low = 0 }\n"), "ann");
    desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
    desk.say("ben", "/incident declare \"Down\" service:api severity:sev2");
    desk.say("ann", "/change approve CHG-1");
    assert!(desk.say("eve", "/change start CHG-1").contains("CHG-1 has begun"));
    let verdict = desk.gate("eve", asked("1.4", Some(ONE)));
    assert_eq!(verdict.decision, Decision::Deny, "{verdict:?}");
}

#[test]
fn what_needed_nobody_needs_somebody_where_its_risk_has_risen() {
    let mut desk = Desk::new(org("[change]\napprovals = { low = 0 }\n"));
    desk.say("eve", "/change new One service:api version:1.4 plan:a rollback:b");
    assert_eq!(desk.state(1), ChangeState::Scheduled, "at low risk nobody is asked");
    desk.say("ben", "/incident declare \"Down\" service:api severity:sev2");
    let told = desk.say("eve", "/change start CHG-1");
    assert!(told.starts_with("refused: ") && told.contains("its risk is medium now"), "{told}");
    let verdict = desk.gate("eve", asked("1.4", None));
    let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!((verdict.decision, codes), (Decision::Wait, vec!["approval", "approval", "incident"]));
    desk.say("ann", "/change approve CHG-1");
    assert!(desk.say("eve", "/change start CHG-1").contains("CHG-1 has begun"));
}

#[test]
fn what_waits_is_denied_where_its_change_is_no_pipelines_to_begin() {
    // Its change has become a standard one, which nobody has to approve.
    let playbook = "kind = 'standard-change'\nsummary = 'Deploy'\nrisk = 'high'\n\
        [[parameter]]\nname = 'service'\ntype = 'service'\nrequired = true\n[[step]]\nid = 'wait'\nwait = '1h'\n";
    let free = support_paging::with_playbook(BASE, "deploy", playbook);
    // Or one that others approve, and a playbook carries out.
    for (org, class) in [(free, Class::Standard), (with_deploy(""), Class::Normal)] {
        let mut desk = Desk::new(org);
        desk.host_asks(1, "production", "1.4", ONE);
        assert_eq!(desk.state(1), ChangeState::AwaitingApproval);
        let told = desk.say("ben", "/change edit CHG-1 class:standard model:deploy");
        assert!(told.contains("CHG-1 edited"), "{told}");
        desk.say("ann", "/change approve CHG-1");
        let change = &desk.core.state().changes[&ChangeId(1)];
        assert_eq!((change.content.class, change.state), (class, ChangeState::Scheduled));
        desk.pass(Span::mins(30));
        assert_eq!(desk.state(1), ChangeState::Scheduled, "{class}");
        assert!(desk.question(1).contains("rejected"), "{}", desk.question(1));
    }
}

#[test]
fn what_a_playbook_carries_out_is_begun_by_no_pipeline() {
    let mut desk = Desk::new(with_deploy(""));
    desk.say("ben", "/change standard deploy service:api version:1.4");
    desk.say("ann", "/change approve CHG-1");
    let change = &desk.core.state().changes[&ChangeId(1)];
    assert_eq!((change.content.class, change.state), (Class::Normal, ChangeState::Scheduled), "it is to be earned");
    // One that asks for that version gets a change of its own.
    assert_eq!(desk.asks("1.4", Some(ONE)), (Decision::Wait, Some(2)));
    assert_eq!(desk.asks("1.4", None), (Decision::Wait, Some(2)));
    assert_eq!((desk.state(1), desk.state(2)), (ChangeState::Scheduled, ChangeState::AwaitingApproval));
}

#[test]
fn what_is_denied_does_not_begin() {
    // Its environment was free, and named so; while it waits for its time, that is gone from the configuration.
    let mut desk = Desk::new(org("[change]\nuncontrolled = [\"prod-eu\"]\n"));
    desk.say("ben", "/change new One service:api version:1.4 environment:prod-eu plan:a rollback:b at:12:00 for:1h");
    assert_eq!(desk.state(1), ChangeState::Scheduled);
    desk.host_asks(1, "prod-eu", "1.4", ONE);
    assert!(desk.question(1).contains("it is planned for"), "{}", desk.question(1));
    // Asked last at 11:50; at 12:00 nothing else stands against it.
    desk.pass(Span::mins(175));
    desk.core.set_org(org(""));
    desk.pass(Span::mins(30));
    assert_eq!(desk.state(1), ChangeState::Scheduled, "{}", desk.question(1));
    assert!(desk.question(1).contains("rejected"), "{}", desk.question(1));
}

const REVIEWED: &str = "[[approval]]\nid = \"a\"\napprovers = [\"team:core\"]\naccept = [\"pull-request\"]\n";

fn review(says: ReviewSays) -> Deployment {
    review_of(ONE, says)
}

fn review_of(head: &str, says: ReviewSays) -> Deployment {
    let review = Reviewing {
        host: CodeHost::GitHub,
        number: 12,
        head: head.to_owned(),
        reviewer: Some("ann-ej".to_owned()),
        author: Some("ben-ej".to_owned()),
        author_email: None,
        says,
    };
    Deployment { repository: Some("ej/api".into()), review: Some(review), ..Deployment::default() }
}

#[test]
fn a_review_begins_one_change() {
    let mut desk = Desk::new(org(REVIEWED));
    desk.hears("-", "", review(ReviewSays::Approved));
    // Two tags of the commit that was reviewed, approved both while something is broken.
    desk.say("ben", "/incident declare \"Down\" service:api severity:sev2");
    assert_eq!(desk.asks("1.4", Some(ONE)), (Decision::Wait, Some(1)));
    assert_eq!(desk.asks("1.5", Some(ONE)), (Decision::Wait, Some(2)));
    assert_eq!((desk.state(1), desk.state(2)), (ChangeState::Scheduled, ChangeState::Scheduled));
    desk.say("ben", "/incident resolve INC-1 fixed");
    assert_eq!(desk.asks("1.4", Some(ONE)), (Decision::Allow, Some(1)));
    desk.say("eve", "/change done CHG-1");
    let verdict = desk.gate("eve", asked("1.5", Some(ONE)));
    assert_eq!(verdict.decision, Decision::Wait, "{verdict:?}");
    let why: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert!(why.join("\n").contains("what was reviewed has begun another change"), "{why:?}");
    assert!(desk.say("eve", "/change start CHG-2").starts_with("refused: "));
    // Also where the same is reviewed once more, by whomever.
    desk.hears("-", "", review(ReviewSays::Withdrawn));
    desk.hears("-", "", review(ReviewSays::Approved));
    assert_eq!(desk.asks("1.5", Some(ONE)).0, Decision::Wait);
    assert_eq!(desk.asks("1.6", Some(ONE)), (Decision::Wait, Some(3)));
    assert_eq!(desk.state(3), ChangeState::AwaitingApproval);
    // What is written and reviewed after that is other code; and that does not make the first one new again.
    desk.hears("-", "", review_of(OTHER, ReviewSays::Approved));
    assert_eq!(desk.asks("1.7", Some(OTHER)), (Decision::Allow, Some(4)));
    // Told twice it is nothing new; and the older code is no longer what was reviewed, elsewhere either.
    let last = desk.core.state().meta.seq;
    desk.hears("-", "", review_of(OTHER, ReviewSays::Approved));
    assert_eq!(desk.core.state().meta.seq, last);
    let reviews = &desk.core.state().meta.authority.reviews;
    let standing: Vec<&str> = reviews.iter().filter(|it| it.stands).map(|it| it.head.as_str()).collect();
    assert_eq!(standing, [OTHER]);
    desk.say("eve", "/change done CHG-4");
    desk.hears("-", "", review(ReviewSays::Approved));
    assert_eq!(desk.asks("1.8", Some(ONE)), (Decision::Wait, Some(5)));
    assert_eq!(desk.state(5), ChangeState::AwaitingApproval);
}

#[test]
fn what_nobody_approved_earns_nothing() {
    for (approved, runs) in [(true, 1), (false, 0)] {
        let mut desk = Desk::new(with_deploy(ONE_OF_ALL));
        let told = desk.say("ben", "/change standard deploy service:api version:1.4");
        assert!(told.contains("CHG-1") && told.contains("is not pre-authorised"), "{told}");
        if approved {
            desk.say("ann", "/change approve CHG-1");
        }
        let told = |progress| Deployment {
            progress: Some(progress),
            version: Some("1.4".into()),
            sha: Some(ONE.into()),
            ..Deployment::default()
        };
        desk.hears("7", "production", told(Progress::Started));
        assert_eq!(desk.state(1), ChangeState::Implementing, "it has begun elsewhere");
        assert_eq!(desk.core.state().changes[&ChangeId(1)].unapproved.is_some(), !approved);
        desk.hears("7", "production", told(Progress::Succeeded));
        desk.say("ann", "/change review CHG-1 \"It went well\"");
        let track = desk.core.state().meta.authority.models.get("deploy");
        assert_eq!(track.map_or(0, |track| track.clean), runs, "approved: {approved}");
        assert_eq!(track.is_some_and(|track| track.earned), approved);
    }
}

#[test]
fn a_place_that_becomes_free_is_for_who_waits_longest() {
    let mut desk = Desk::new(org(""));
    desk.say("eve", "/change new One service:shop plan:a rollback:b");
    let mut state = desk.core.state().clone();
    let one = state.changes[&ChangeId(1)].clone();
    for n in 2..=OPEN_MAX as u64 {
        let mut more = one.clone();
        more.id = ChangeId(n);
        state.changes.insert(more.id, more);
    }
    state.meta.changes = OPEN_MAX as u64;
    desk.core = Core::new(state, org(""));
    for n in 1..=3 {
        desk.host_asks(n, "production", &format!("1.{n}"), ONE);
        assert!(desk.question(n).contains("changes are open"), "{}", desk.question(n));
    }
    desk.pass(Span::mins(1));
    let before = desk.written;
    // One is over: the first one asks, and no other.
    desk.say("eve", "/change cancel CHG-5 no");
    desk.pass(Span::secs(1));
    assert_eq!(desk.written, before + 1);
    let change = desk.core.state().deployments[&DeploymentId(1)].change;
    assert_eq!(change, Some(ChangeId(OPEN_MAX as u64 + 1)));
    assert!(desk.question(1).contains("it needs"), "{}", desk.question(1));
    // Two are over, by whatever they end, and what is no end frees nothing.
    desk.say("eve", "/change edit CHG-6 plan:c");
    desk.pass(Span::secs(1));
    assert_eq!(desk.written, before + 1);
    desk.say("eve", "/change cancel CHG-6 no");
    desk.say("ann", "/change reject CHG-7 no");
    desk.pass(Span::secs(1));
    for n in 2..=3 {
        assert!(desk.question(n).contains("it needs"), "{}", desk.question(n));
    }
    assert_eq!(desk.core.state().changes.len(), OPEN_MAX);
}

#[test]
fn what_stands_against_it_and_is_not_named_is_heard_of_too() {
    // Nobody is short of approvers where the risk is high: more than a host is told.
    let many: Vec<String> = (0..30).map(|n| format!("{}{n}", "approver-of-what-is-dangerous-".repeat(2))).collect();
    let people: String =
        many.iter().map(|id| format!("[[person]]\nid = \"{id}\"\nemail = \"a@ej.example\"\n")).collect();
    let named: Vec<String> = many.iter().map(|id| format!("\"person:{id}\"")).collect();
    let needs: String =
        (0..3).map(|n| format!("[[service]]\nid = \"needs{n}\"\nteam = \"core\"\ndepends_on = [\"api\"]\n")).collect();
    let mut desk = Desk::new(org(&format!(
        "{people}{needs}[[approval]]\nid = \"low\"\nrisk = [\"low\", \"medium\"]\napprovers = [\"team:core\"]\nquorum = 1\n\
         [[approval]]\nid = \"high\"\nrisk = [\"high\"]\napprovers = [{}]\nquorum = 1\n",
        named.join(", ")
    )));
    desk.host_asks(1, "production", "1.4", ONE);
    desk.say("ben", "/incident declare \"Down\" service:api severity:sev2");
    desk.say("ann", "/change approve CHG-1");
    desk.pass(Span::secs(1));
    let why = desk.question(1);
    assert!(why.contains("it needs 1 more of") && !why.contains("risk is") && !why.contains("INC-1"), "{why}");
    // What happens all at once asks once.
    let before = desk.written;
    for n in 2..=40 {
        desk.say("ben", &format!("/incident declare \"Nothing {n}\" service:shop severity:sev4"));
        desk.say("ben", &format!("/incident resolve INC-{n} fixed"));
    }
    desk.pass(Span::secs(30));
    assert_eq!(desk.written, before + 1);
    assert_ne!(desk.state(1), ChangeState::Implementing);
    // And what stood against it is over.
    desk.say("ben", "/incident resolve INC-1 fixed");
    desk.pass(Span::secs(11));
    assert_eq!(desk.state(1), ChangeState::Implementing, "{}", desk.question(1));
}
