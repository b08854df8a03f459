//! Approvals against a small model of their own: generated sequences of asking, editing, approving, beginning, people
//! who leave or lose their role, accounts that are linked, ids that are missing or foreign, and races. The model knows
//! nothing of how the domain decides; it says who could have agreed, and what must not have happened.
//!
//! `OPSBELL_APPROVAL_RUNS` says how many sequences; `./dev simulate --approvals` runs many.

#[path = "simulation/chance.rs"]
#[allow(dead_code, reason = "the simulation takes the rest")]
mod chance;
#[path = "approvals/model.rs"]
mod model;
mod support_paging;

use std::sync::Arc;

use chance::Chance;
use model::{Casting, Model, PEOPLE, SERVICES};
use opsbell::domain::actor::{Actor, By};
use opsbell::domain::change::{ChangeState, Step};
use opsbell::domain::event::Event;
use opsbell::domain::id::ChangeId;
use opsbell::domain::input::{Input, InputKind, Place};
use opsbell::domain::org::Org;
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

/// 2026-12-08T09:00Z, a Tuesday.
const START: i64 = 1_796_720_400_000;
/// What one sequence does at least.
const ACTIONS: usize = 24;

/// A world: the real core, and the model beside it.
struct World {
    core: Core,
    orgs: Vec<Arc<Org>>,
    model: Model,
    now: Timestamp,
    /// How many changes began, so that a test in which nothing ever may is noticed.
    began: usize,
    refused: usize,
    log: Vec<String>,
}

impl World {
    fn new(orgs: Vec<Arc<Org>>) -> Self {
        let core = Core::new(State::new("appr"), Arc::clone(&orgs[0]));
        let now = Timestamp(START);
        Self { core, orgs, model: Model::default(), now, began: 0, refused: 0, log: Vec::new() }
    }

    /// A person says something, by one of the accounts that are linked to them.
    fn say(&mut self, who: &str, via: &str, text: &str) {
        self.log.push(format!("{who} ({via}): {text}"));
        let by = By::new(Actor::Person(who.into()), via);
        let kind = InputKind::Text { place: Place::default(), text: text.to_owned() };
        let before: Vec<(ChangeId, ChangeState, usize)> = self.standing();
        let (answer, commit) = self.core.take(self.now, Input { by, idempotency: None, kind, closed: Vec::new() });
        let events = commit.map(|commit| commit.events).unwrap_or_default();
        if answer.reply.is_err() {
            // A refusal leaves a trace at most.
            assert_eq!(before, self.standing(), "a refusal changed something\n{}", self.log.join("\n"));
            assert!(events.iter().all(|event| matches!(event, Event::AttemptRefused { .. })), "{events:?}");
            self.refused += events.len();
        }
        for event in &events {
            self.judge(who, event);
        }
        self.agree();
    }

    fn standing(&self) -> Vec<(ChangeId, ChangeState, usize)> {
        self.core.state().changes.values().map(|it| (it.id, it.state, it.approvals.len())).collect()
    }

    /// Every event is one that the model allows.
    fn judge(&mut self, who: &str, event: &Event) {
        let told = || self.log.join("\n");
        match event {
            Event::ChangeOpened(opened) => {
                let content = &opened.content;
                let named = |person: &Option<_>| person.as_ref().map(ToString::to_string);
                let people = (named(&content.implementer), named(&content.author));
                self.model.opened(
                    opened.change.0,
                    who,
                    content.service.as_str(),
                    people,
                    opened.content.missing().is_empty(),
                );
                assert_ne!(opened.state, ChangeState::Scheduled, "nobody agreed\n{}", self.log.join("\n"));
            }
            Event::ChangeEdited(edited) => {
                let content = &edited.content;
                let named = |person: &Option<_>| person.as_ref().map(ToString::to_string);
                let people = (named(&content.implementer), named(&content.author));
                self.model.edited(edited.change.0, who, people, edited.content.missing().is_empty());
            }
            Event::ChangeApproved(approved) => {
                assert_eq!(approved.person.as_str(), who, "in whose name?\n{}", told());
                let id = approved.change.0;
                assert!(self.model.may_approve(id, who), "{who} may not approve CHG-{id}\n{}", told());
                self.model.approved(id, who, approved.expires.0);
                assert_eq!(
                    approved.enough,
                    self.model.enough(id, self.now.0),
                    "whether CHG-{id} has enough\n{}",
                    self.log.join("\n")
                );
            }
            Event::ChangeMoved(moved) => {
                let id = moved.change.0;
                match &moved.step {
                    Step::Started { .. } => {
                        assert!(self.model.responds(who), "{who} may begin nothing\n{}", told());
                        assert!(self.model.enough(id, self.now.0), "CHG-{id} began unauthorised\n{}", told());
                        self.model.began(id);
                        self.began += 1;
                    }
                    Step::Rejected { .. } => {
                        assert!(self.model.may_approve(id, who), "{who} may not reject CHG-{id}\n{}", told());
                        self.model.over(id);
                    }
                    Step::Cancelled { .. } => self.model.over(id),
                    Step::Ended { .. } | Step::Slotted(_) | Step::Reminded | Step::Voided { .. } => {}
                    Step::Reviewed { .. } | Step::Caused { .. } | Step::Unapproved { .. } => {
                        panic!("not asked for: {event:?}")
                    }
                }
            }
            Event::AttemptRefused { .. } | Event::DeliveryOwed(_) => {}
            other => panic!("{who} caused {other:?}\n{}", told()),
        }
    }

    /// What stands in State is what the model knows.
    fn agree(&self) {
        for change in self.core.state().changes.values() {
            let standing = change.standing().filter(|it| it.used.is_none() && it.expires > self.now).count();
            let known = self.model.standing(change.id.0, self.now.0);
            assert_eq!(standing, known, "approvals of {}\n{}", change.id, self.log.join("\n"));
            assert_eq!(change.hash, change.content.hash(), "the hash is of what it says");
        }
    }

    /// Time passes; what is due is taken.
    fn wait(&mut self, span: Span) {
        let until = self.now.after(span);
        self.log.push(format!("wait {span}"));
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let Some(input) = self.core.due(self.now) else { break };
            let (_, commit) = self.core.take(self.now, input);
            for event in commit.iter().flat_map(|commit| &commit.events) {
                assert!(matches!(event, Event::DeliveryOwed(_) | Event::ChangeMoved(_)), "{event:?}");
                if let Event::ChangeMoved(moved) = event {
                    assert!(matches!(moved.step, Step::Voided { .. } | Step::Reminded), "{moved:?}");
                }
            }
        }
        self.now = until;
        self.agree();
    }

    /// Another organisation: somebody left, or has another role.
    fn cast(&mut self, n: usize) {
        self.log.push(format!("cast {n}"));
        self.core.set_org(Arc::clone(&self.orgs[n]));
        self.model.casting = Casting::ALL[n];
    }
}

/// The four organisations of the model.
fn orgs() -> Vec<Arc<Org>> {
    Casting::ALL.iter().map(|casting| support_paging::from_text(&casting.config())).collect()
}

fn act(world: &mut World, chance: &mut Chance) {
    let who = chance.pick(&PEOPLE);
    // Whichever account is used, the person is the same.
    let via = chance.pick(&["api", "discord", "terminal"]);
    let last = world.core.state().meta.changes;
    let id = match chance.below(12) {
        0 => "CHG-0".to_owned(),
        1 => format!("CHG-{}", last + 1),
        2 => chance.pick(&["INC-1", "", "CHG-", "CHG--1", "CHG-18446744073709551616", "\u{202e}CHG-1"]).to_owned(),
        _ => format!("CHG-{}", 1 + chance.below(last.max(1))),
    };
    let text = match chance.below(20) {
        0..=2 if last < 4 => {
            let service = chance.pick(&SERVICES);
            let mut text = format!("/change new \"Change {last}\" service:{service}");
            if !chance.one_in(6) {
                text.push_str(" plan:a rollback:b");
            }
            for role in ["implementer", "author"] {
                if chance.one_in(3) {
                    text.push_str(&format!(" {role}:{}", chance.pick(&PEOPLE)));
                }
            }
            text
        }
        0..=3 => match chance.below(4) {
            0 => format!("/change edit {id} plan:{}", chance.pick(&["a", "b", "c"])),
            1 => format!("/change edit {id} rollback:{}", chance.pick(&["a", "b"])),
            2 => format!("/change edit {id} implementer:{}", chance.pick(&PEOPLE)),
            _ => format!("/change edit {id} author:{}", chance.pick(&PEOPLE)),
        },
        4..=10 => format!("/change approve {id}"),
        11 => format!("/change reject {id} no"),
        12 => format!("/change cancel {id}"),
        13..=16 => format!("/change start {id}"),
        17 => format!("/change done {id}"),
        18 => return world.cast(usize::try_from(chance.below(4)).unwrap_or(0)),
        _ => return world.wait(chance.pick(&[Span::mins(5), Span::hours(7), Span::days(4), Span::days(7)])),
    };
    world.say(who, via, &text);
}

fn runs() -> u64 {
    // An environment variable, because the number is chosen by whoever runs the tests.
    #[allow(clippy::disallowed_methods, reason = "tests read what CI sets")]
    std::env::var("OPSBELL_APPROVAL_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

#[test]
fn nothing_happens_that_nobody_agreed_to() {
    let (orgs, runs) = (orgs(), runs());
    let (mut began, mut refused, mut approved) = (0, 0, 0);
    for seed in 0..runs {
        let mut chance = Chance::new(seed);
        let mut world = World::new(orgs.clone());
        for _ in 0..ACTIONS + usize::try_from(chance.below(12)).unwrap_or(0) {
            act(&mut world, &mut chance);
        }
        began += world.began;
        refused += world.refused;
        approved += world.model.given();
    }
    println!("{runs} sequences: {approved} approvals, {began} changes began, {refused} attempts were refused");
    // A test in which nothing may ever happen proves nothing.
    let runs = usize::try_from(runs).unwrap_or(usize::MAX);
    assert!(began > runs / 20, "only {began} changes began in {runs} sequences");
    assert!(refused > runs && approved > runs / 2, "{refused} refusals, {approved} approvals");
}

/// A hundred approvals at once, by everybody and by every account: one effect.
#[test]
fn a_hundred_racing_approvals_have_one_effect() {
    let orgs = orgs();
    for seed in 0..50 {
        let mut chance = Chance::new(seed);
        let mut world = World::new(orgs.clone());
        world.say("eve", "api", "/change new One service:api plan:a rollback:b");
        let mut effects = 0;
        for _ in 0..100 {
            let (who, via) = (chance.pick(&PEOPLE), chance.pick(&["api", "discord", "terminal"]));
            let before = world.core.state().changes[&ChangeId(1)].state;
            world.say(who, via, "/change approve CHG-1");
            let after = world.core.state().changes[&ChangeId(1)].state;
            effects += usize::from(before != after);
        }
        let change = &world.core.state().changes[&ChangeId(1)];
        assert_eq!((effects, change.state, change.approvals.len()), (1, ChangeState::Scheduled, 1), "{seed}");
        let mut begun = 0;
        for _ in 0..100 {
            world.say(chance.pick(&PEOPLE), "api", "/change start CHG-1");
            begun += world.began;
            world.began = 0;
        }
        assert_eq!(begun, 1);
    }
}

/// What was approved is what begins, whatever is edited between: the hash of each approval that is used is its own.
#[test]
fn what_begins_is_what_was_read() {
    let mut world = World::new(orgs());
    world.say("ann", "api", "/change new One service:pay plan:a rollback:b");
    let first = world.core.state().changes[&ChangeId(1)].hash.clone();
    world.say("ben", "api", "/change approve CHG-1");
    world.say("ann", "api", "/change edit CHG-1 plan:b");
    world.say("cas", "api", "/change approve CHG-1");
    let change = &world.core.state().changes[&ChangeId(1)];
    assert_eq!((change.state, change.standing().count()), (ChangeState::AwaitingApproval, 1));
    // Back to the first words: the hash is the old one, and what ben approved then stays void.
    world.say("ann", "api", "/change edit CHG-1 plan:a");
    let change = &world.core.state().changes[&ChangeId(1)];
    assert_eq!((change.hash == first, change.standing().count()), (true, 0));
    world.say("ann", "api", "/change start CHG-1");
    assert_eq!(world.began, 0);
    for who in ["ben", "cas"] {
        world.say(who, "api", "/change approve CHG-1");
    }
    world.say("ann", "api", "/change start CHG-1");
    assert_eq!(world.began, 1);
}
