//! Approvals against a small model of their own: generated sequences of asking, editing, approving, beginning, people
//! who leave or lose their role, who stand in for others, codes, reviews of pull requests, models that are earned and lost,
//! accounts that are linked, ids that are missing or foreign, and races. The model knows
//! nothing of how the domain decides; it says who could have agreed, and what must not have happened.
//!
//! `OPSBELL_APPROVAL_RUNS` says how many sequences; `./dev simulate --approvals` runs many.

#[path = "simulation/chance.rs"]
#[allow(dead_code, reason = "the simulation takes the rest")]
mod chance;
#[path = "approvals/model.rs"]
mod model;
mod support_paging;

use std::collections::BTreeMap;
use std::sync::Arc;

use chance::Chance;
use model::{Casting, How, Model, PEOPLE, SERVICES, Says};
use opsbell::domain::actor::{Actor, By};
use opsbell::domain::change::gate::{Decision, Verdict};
use opsbell::domain::change::{Approval, ChangeState, Class, Content, Outcome, Step, authority};
use opsbell::domain::command::GateAsked;
use opsbell::domain::event::Event;
use opsbell::domain::id::ChangeId;
use opsbell::domain::input::{Input, InputKind, Place};
use opsbell::domain::org::Org;
use opsbell::domain::signal::{CodeHost, Deployment, ReviewSays, Reviewing, Signal, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::{Core, Factors};

/// 2026-12-08T09:00Z, a Tuesday.
const START: i64 = 1_796_720_400_000;
/// What one sequence does at least.
const ACTIONS: usize = 24;

/// A world: the real core, and the model beside it.
struct World {
    core: Core,
    orgs: Arc<Vec<Arc<Org>>>,
    model: Model,
    now: Timestamp,
    /// How many changes began, so that a test in which nothing ever may is noticed.
    began: usize,
    /// How many of them needed nobody.
    free: usize,
    refused: usize,
    /// What was done, for when something is wrong.
    log: Vec<(&'static str, &'static str, String)>,
}

/// What a change says, as the model sees it.
fn says(content: &Content) -> Says {
    let named = |person: &Option<_>| person.as_ref().map(ToString::to_string);
    Says {
        service: content.service.to_string(),
        people: (named(&content.implementer), named(&content.author)),
        complete: content.missing().is_empty(),
        standard: content.class == Class::Standard,
        by_model: content.model.is_some(),
        brings: content.commit.as_ref().or(content.version.as_ref()).map(ToString::to_string),
        commit: content.commit.as_ref().map(ToString::to_string),
        // What the gate writes down, and what reviews are of: the code alone.
        code: content.plan.as_deref() == Some("By its pipeline.") && content.title.starts_with("Deploy "),
    }
}

impl World {
    fn new(orgs: &Arc<Vec<Arc<Org>>>) -> Self {
        let core = Core::new(State::new("appr"), Arc::clone(&orgs[0])).with_factors(Factors::simulated());
        let now = Timestamp(START);
        let mut world = Self {
            core,
            orgs: Arc::clone(orgs),
            model: Model::default(),
            now,
            began: 0,
            free: 0,
            refused: 0,
            log: Vec::new(),
        };
        // eve has no second factor.
        for who in ["ann", "ben", "cas", "dot"] {
            let by = By::new(Actor::Person("administrator".into()), "api");
            let kind = InputKind::EnrolFactor { person: who.into(), there: true };
            let (answer, _) = world.core.take(now, Input { by, idempotency: None, kind, closed: Vec::new() });
            assert!(answer.reply.is_ok());
        }
        world
    }

    fn told(&self) -> String {
        let lines = self.log.iter().map(|(who, via, text)| format!("{who} ({via}): {text}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A person says something, by one of the accounts that are linked to them.
    fn say(&mut self, who: &'static str, via: &'static str, text: &str) {
        self.log.push((who, via, text.to_owned()));
        let by = By::new(Actor::Person(who.into()), via);
        let kind = InputKind::Text { place: Place::default(), text: text.to_owned() };
        self.take(who, Input { by, idempotency: None, kind, closed: Vec::new() });
    }

    /// A pipeline asks, and says which commit its version is.
    fn ask(&mut self, who: &'static str, service: &'static str, version: &str, sha: Option<&str>) {
        self.log.push((who, "gate", format!("{service} {version} {sha:?}")));
        let asked = GateAsked {
            service: service.into(),
            version: version.to_owned(),
            environment: None,
            author: None,
            by: Vec::new(),
            sha: sha.map(Into::into),
        };
        let input = Input {
            by: By::new(Actor::Person(who.into()), "api"),
            idempotency: None,
            kind: InputKind::Gate(asked),
            closed: Vec::new(),
        };
        let Some(reply) = self.take(who, input) else { return };
        let verdict: Verdict = serde_json::from_str(&reply).expect("a verdict");
        if let (Decision::Allow, Some(change), Some(sha)) = (verdict.decision, verdict.change, sha) {
            let change = &self.core.state().changes[&change];
            let known = change.commit.as_deref().or(change.content.commit.as_deref());
            assert!(known.is_none_or(|known| known == sha), "another commit goes in by {}\n{}", change.id, self.told());
        }
    }

    /// The code host tells of a pull request.
    fn hear(&mut self, review: Reviewing) {
        self.log.push(("github", "webhook", format!("{review:?}")));
        let told = Deployment { repository: Some("ej/app".into()), review: Some(review), ..Deployment::default() };
        let signal = Signal {
            kind: SignalKind::Ignore,
            service: None,
            name: "ej/app".into(),
            severity: None,
            severity_word: None,
            status: "submitted".into(),
            key: "-".into(),
            summary: None,
            labels: BTreeMap::new(),
            environment: None,
            link: None,
            started_at: None,
            deployment: Some(Box::new(told)),
        };
        let by = By::new(Actor::Integration("github".into()), "github");
        let kind = InputKind::Signal { integration: "github".into(), signal: Box::new(signal) };
        self.take("github", Input { by, idempotency: None, kind, closed: Vec::new() });
    }

    /// Gives what was answered, unless it is a refusal.
    fn take(&mut self, who: &'static str, input: Input) -> Option<String> {
        let before: Vec<(ChangeId, ChangeState, usize)> = self.standing();
        let (answer, commit) = self.core.take(self.now, input);
        let events = commit.map(|commit| commit.events).unwrap_or_default();
        if answer.reply.is_err() {
            // A refusal leaves a trace at most.
            assert_eq!(before, self.standing(), "a refusal changed something\n{}", self.told());
            self.refused += events.iter().filter(|event| matches!(event, Event::AttemptRefused { .. })).count();
            assert!(events.iter().all(leaves_a_trace), "{events:?}\n{}", self.told());
        }
        let mut code = false;
        for event in &events {
            self.judge(who, event, &mut code);
        }
        if !events.is_empty() {
            self.agree();
        }
        answer.reply.ok().map(|reply| reply.text)
    }

    fn standing(&self) -> Vec<(ChangeId, ChangeState, usize)> {
        self.core.state().changes.values().map(|it| (it.id, it.state, it.approvals.len())).collect()
    }

    /// Every event is one that the model allows. `code`: whether one was used just now.
    fn judge(&mut self, who: &str, event: &Event, code: &mut bool) {
        let now = self.now.0;
        match event {
            Event::ChangeOpened(opened) => {
                self.model.opened(opened.change.0, who, says(&opened.content));
                let free = opened.content.class == Class::Standard;
                assert_eq!(opened.state == ChangeState::Scheduled, free, "nobody agreed\n{}", self.told());
            }
            Event::ChangeEdited(edited) => self.model.edited(edited.change.0, who, says(&edited.content)),
            Event::ChangeApproved(approved) => {
                let (id, person) = (approved.change.0, approved.person.as_str());
                let stands_for = approved.stands_for.as_ref().map(ToString::to_string);
                if approved.review.is_some() {
                    let fits = self.model.may_review(id, person, now) && stands_for.is_none() && !approved.factor;
                    assert!(fits, "{person} reviewed nothing for CHG-{id}\n{}", self.told());
                } else {
                    assert_eq!(person, who, "in whose name?\n{}", self.told());
                    let may = self.model.may_approve(id, who, stands_for.as_deref(), now);
                    assert!(may, "{who} may not approve CHG-{id} for {stands_for:?}\n{}", self.told());
                    assert_eq!(approved.factor, *code, "whether a code was shown\n{}", self.told());
                }
                let (factor, review, expires) = (approved.factor, approved.review.is_some(), approved.expires.0);
                self.model.approved(id, person, How { stands_for, factor, review, expires });
                let enough = self.model.enough(id, None, now);
                assert_eq!(approved.enough, enough, "whether CHG-{id} has enough\n{}", self.told());
            }
            Event::ChangeMoved(moved) => {
                let id = moved.change.0;
                match &moved.step {
                    Step::Started { commit, .. } => {
                        let commit = commit.as_deref();
                        assert!(self.model.brings(id, commit), "CHG-{id} brings in another commit\n{}", self.told());
                        assert!(self.model.responds(who), "{who} may begin nothing\n{}", self.told());
                        assert!(self.model.enough(id, Some(who), now), "CHG-{id} began unauthorised\n{}", self.told());
                        self.model.began(id, who);
                        self.began += 1;
                        self.free += usize::from(self.model.needs_nobody(id));
                    }
                    Step::Rejected { .. } => {
                        assert!(self.model.has_a_say(id, who, now), "{who} may not reject CHG-{id}\n{}", self.told());
                        self.model.over(id);
                    }
                    Step::Cancelled { .. } => self.model.over(id),
                    Step::Ended { outcome, review_due, .. } => {
                        self.model.ended(id, *outcome == Outcome::Successful, review_due.is_none());
                    }
                    Step::Reviewed { outcome, .. } => self.model.ended(id, *outcome == Outcome::Successful, true),
                    Step::Voided { people, .. } if who == "github" => {
                        people.iter().for_each(|person| self.model.withdrawn(id, person.as_str()));
                    }
                    Step::Slotted(_)
                    | Step::AskedAnew { .. }
                    | Step::Bound { .. }
                    | Step::Reminded
                    | Step::Voided { .. } => {}
                    Step::Caused { .. } | Step::Unapproved { .. } => panic!("not asked for: {event:?}"),
                }
            }
            Event::AuthorityChanged(changed) => self.judge_authority(who, &changed.step, code),
            Event::AttemptRefused { .. } | Event::DeliveryOwed(_) => {}
            other => panic!("{who} caused {other:?}\n{}", self.told()),
        }
    }

    fn judge_authority(&mut self, who: &str, step: &authority::Step, code: &mut bool) {
        use authority::Step as Of;
        match step {
            Of::Delegated(it) => {
                assert_eq!(it.from.as_str(), who, "in whose name?\n{}", self.told());
                self.model.delegated(who, it.to.as_str(), it.starts.0, it.ends.0);
            }
            Of::DelegationEnded { from, to } => {
                assert_eq!(from.as_str(), who, "in whose name?\n{}", self.told());
                self.model.undelegated(who, to.as_str());
            }
            Of::FactorUsed { person, step } => {
                let said = self.log.last().is_some_and(|(_, _, text)| text.ends_with("code:now"));
                assert!(person.as_str() == who && said && who != "eve", "a code from nowhere\n{}", self.told());
                self.model.code_used(who, *step, self.now.0);
                *code = true;
            }
            Of::FactorRefused { person } => self.model.code_refused(person.as_str(), self.now.0),
            Of::Reviewed(it) => {
                self.model.reviewed(it.number, &it.head, it.person.as_str(), it.author.as_str(), it.stands);
            }
            Of::Merged { number, head, sha, .. } => self.model.merged(*number, head, sha),
            // Judged by what they add up to.
            Of::ModelRan { .. } | Of::ModelDemoted { .. } => {}
            Of::FactorEnrolled { .. } | Of::FactorRemoved { .. } => panic!("{who} enrolled\n{}", self.told()),
        }
    }

    /// What stands in State is what the model knows.
    fn agree(&self) {
        for change in self.core.state().changes.values() {
            let standing = change.standing().filter(|it| it.used.is_none() && it.expires > self.now).count();
            let known = self.model.standing(change.id.0, self.now.0);
            assert_eq!(standing, known, "approvals of {}\n{}", change.id, self.told());
            assert_eq!(change.hash, change.content.hash(), "the hash is of what it says");
        }
        let track = self.core.state().meta.authority.models.get("m");
        let track = track.map_or((0, false), |track| (track.clean, track.earned));
        assert_eq!(track, (self.model.clean, self.model.earned), "what the model m has earned\n{}", self.told());
    }

    /// Time passes; what is due is taken.
    fn wait(&mut self, span: Span) {
        let until = self.now.after(span);
        self.log.push(("time", "wait", span.to_string()));
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let Some(input) = self.core.due(self.now) else { break };
            let (_, commit) = self.core.take(self.now, input);
            for event in commit.iter().flat_map(|commit| &commit.events) {
                assert!(matches!(event, Event::DeliveryOwed(_) | Event::ChangeMoved(_)), "{event:?}");
                let Event::ChangeMoved(moved) = event else { continue };
                match &moved.step {
                    // What a pipeline asked for and nobody began.
                    Step::Cancelled { .. } => self.model.over(moved.change.0),
                    other => assert!(matches!(other, Step::Voided { .. } | Step::Reminded), "{moved:?}"),
                }
            }
        }
        self.now = until;
        self.agree();
    }

    /// Another organisation: somebody left, or has another role.
    fn cast(&mut self, n: usize) {
        self.log.push(("config", "reload", n.to_string()));
        self.core.set_org(Arc::clone(&self.orgs[n]));
        self.model.casting = Casting::ALL[n];
    }
}

fn leaves_a_trace(event: &Event) -> bool {
    match event {
        Event::AttemptRefused { .. } => true,
        Event::AuthorityChanged(changed) => matches!(changed.step, authority::Step::FactorRefused { .. }),
        _ => false,
    }
}

/// The four organisations of the model.
fn orgs() -> Arc<Vec<Arc<Org>>> {
    Arc::new(Casting::ALL.iter().map(|casting| support_paging::from_text(&casting.config())).collect())
}

/// Two commits that are read, and two that they become.
const HEADS: [&str; 2] = ["1111aaaa2222bbbb3333cccc4444dddd5555eeee", "2222bbbb3333cccc4444dddd5555eeee6666ffff"];
const MERGES: [&str; 2] = ["9999ffff8888eeee7777dddd6666cccc5555bbbb", "8888eeee7777dddd6666cccc5555bbbb4444aaaa"];

/// The code host tells of a pull request, by accounts of people and of nobody.
fn hosted(world: &mut World, chance: &mut Chance) {
    let accounts = ["ann-git", "ben-git", "cas-git", "dot-git", "eve-git", "ann-at-home"];
    let says = match chance.below(5) {
        0 => ReviewSays::Withdrawn,
        1 => ReviewSays::Merged { sha: chance.pick(&MERGES).to_owned() },
        _ => ReviewSays::Approved,
    };
    world.hear(Reviewing {
        host: CodeHost::GitHub,
        number: chance.below(2),
        head: chance.pick(&HEADS).to_owned(),
        says,
        reviewer: Some(chance.pick(&accounts).to_owned()).filter(|_| !chance.one_in(20)),
        author: Some(chance.pick(&accounts).to_owned()).filter(|_| !chance.one_in(10)),
        author_email: None,
    });
}

/// Asks for a change: of a service, of a commit, by a model; complete or not, in others' names.
fn asks(chance: &mut Chance, last: u64) -> String {
    if chance.one_in(3) {
        return "/change standard m service:api".to_owned();
    }
    let service = chance.pick(&SERVICES);
    let mut text = format!("/change new \"Change {last}\" service:{service}");
    if !chance.one_in(6) {
        text.push_str(" plan:a rollback:b");
    }
    if service == "app" && !chance.one_in(4) {
        let whole = if chance.one_in(2) { chance.pick(&HEADS) } else { chance.pick(&MERGES) };
        text.push_str(&format!(" version:{}", if chance.one_in(2) { whole } else { &whole[..12] }));
    }
    for role in ["implementer", "author"] {
        if chance.one_in(3) {
            text.push_str(&format!(" {role}:{}", chance.pick(&PEOPLE)));
        }
    }
    text
}

/// What people do one after the other when all goes well; anything may happen before and after it.
fn act_on(world: &mut World, chance: &mut Chance) {
    let team = ["ann", "ben", "cas"];
    let (one, other) = (chance.pick(&team), chance.pick(&team));
    let next = world.core.state().meta.changes + 1;
    let lines: Vec<(&'static str, String)> = match chance.below(4) {
        // A tag is moved after the approval.
        3 => {
            for (n, head) in HEADS.into_iter().enumerate() {
                world.ask("eve", "api", "1.0", Some(head));
                if n == 0 && chance.one_in(2) {
                    world.say(one, "api", &format!("/change approve CHG-{next}"));
                    world.ask("eve", "api", "1.0", Some(head).filter(|_| chance.one_in(2)));
                }
            }
            return;
        }
        0 => vec![
            ("eve", "/change standard m service:api".to_owned()),
            (one, format!("/change approve CHG-{next}")),
            ("eve", format!("/change start CHG-{next}")),
            ("eve", format!("/change done CHG-{next}")),
            (other, format!("/change review CHG-{next} well")),
        ],
        1 => {
            let asks = chance.pick(&["sue", "ann", "dot"]);
            let until = world.now.after(Span::hours(9));
            vec![
                (one, format!("/change delegate to:eve until:{until}")),
                (asks, format!("/change new \"Change {next}\" service:{} plan:a rollback:b", chance.pick(&SERVICES))),
                ("eve", format!("/change approve CHG-{next}")),
                (other, format!("/change approve CHG-{next} code:now")),
            ]
        }
        _ => {
            for says in [ReviewSays::Approved, ReviewSays::Merged { sha: MERGES[0].to_owned() }] {
                let (reviewer, author) = (Some(format!("{one}-git")), Some(format!("{other}-git")));
                let (host, head) = (CodeHost::GitHub, HEADS[0].to_owned());
                world.hear(Reviewing { host, number: 1, head, says, reviewer, author, author_email: None });
            }
            let text = match chance.below(3) {
                0 => format!("/change new \"Change {next}\" service:app plan:a rollback:b version:{}", MERGES[0]),
                _ => format!("/change gate app {}", MERGES[0]),
            };
            vec![("eve", text), ("eve", format!("/change start CHG-{next}"))]
        }
    };
    for (who, text) in lines {
        world.say(who, "api", &text);
        if chance.one_in(12) {
            act(world, chance);
        }
    }
}

fn act(world: &mut World, chance: &mut Chance) {
    let who = chance.pick(&PEOPLE);
    // Whichever account is used, the person is the same.
    let via = chance.pick(&["api", "discord", "terminal"]);
    let last = world.core.state().meta.changes;
    let id = match chance.below(30) {
        0 => "CHG-0".to_owned(),
        1 => format!("CHG-{}", last + 1),
        2 => chance.pick(&["INC-1", "", "CHG-", "CHG--1", "CHG-18446744073709551616", "\u{202e}CHG-1"]).to_owned(),
        _ => format!("CHG-{}", 1 + chance.below(last.max(1))),
    };
    let text = match chance.below(26) {
        0 if last < 8 && chance.one_in(3) => {
            let (version, sha) = (chance.pick(&["1.0", "1.1"]), chance.pick(&HEADS));
            return world.ask(who, chance.pick(&SERVICES), version, Some(sha).filter(|_| !chance.one_in(4)));
        }
        0..=1 if last < 8 => asks(chance, last),
        0..=3 => match chance.below(4) {
            0 => format!("/change edit {id} plan:{}", chance.pick(&["a", "b", "c"])),
            1 => format!("/change edit {id} rollback:{}", chance.pick(&["a", "b"])),
            2 => format!("/change edit {id} implementer:{}", chance.pick(&PEOPLE)),
            _ => format!("/change edit {id} author:{}", chance.pick(&PEOPLE)),
        },
        4..=7 => format!("/change approve {id}"),
        8..=10 => format!("/change approve {id} code:now"),
        11 => format!("/change approve {id} code:{}", chance.pick(&["000000", "\"\"", "1", "now-"])),
        12 => format!("/change reject {id} no"),
        13 => format!("/change cancel {id}"),
        14..=17 => format!("/change start {id}"),
        18 => match chance.below(6) {
            0 => format!("/change fail {id} no"),
            1 => format!("/change review {id} \"not so well\" outcome:failed"),
            2 | 3 => format!("/change review {id} well"),
            _ => format!("/change done {id}"),
        },
        19 => format!("/change done {id}"),
        20 | 21 => {
            let to = chance.pick(&PEOPLE);
            let until = world.now.after(chance.pick(&[Span::mins(10), Span::hours(8), Span::days(5)]));
            match chance.below(4) {
                0 => format!("/change delegate to:{to} until:now"),
                1 => format!("/change delegate to:{to} from:{} until:{until}", world.now.after(Span::mins(5))),
                _ => format!("/change delegate to:{to} until:{until}"),
            }
        }
        22 | 23 => return hosted(world, chance),
        24 => return world.cast(usize::try_from(chance.below(4)).unwrap_or(0)),
        _ => {
            let spans = [Span::secs(40), Span::mins(5), Span::mins(16), Span::hours(7), Span::days(4), Span::days(7)];
            return world.wait(chance.pick(&spans));
        }
    };
    world.say(who, via, &text);
}

fn runs() -> u64 {
    // An environment variable, because the number is chosen by whoever runs the tests.
    #[allow(clippy::disallowed_methods, reason = "tests read what CI sets")]
    std::env::var("OPSBELL_APPROVAL_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// What happened in many sequences.
#[derive(Default)]
struct Seen {
    actions: usize,
    approved: usize,
    began: usize,
    refused: usize,
    stood_in: usize,
    by_code: usize,
    by_review: usize,
    by_model: usize,
}

/// Plays every sequence of a range whose seed is `of` modulo `threads`.
fn play(orgs: &Arc<Vec<Arc<Org>>>, runs: u64, (of, threads): (u64, u64)) -> Seen {
    let mut seen = Seen::default();
    for seed in (of..runs).step_by(usize::try_from(threads).unwrap_or(1)) {
        let mut chance = Chance::new(seed);
        let mut world = World::new(orgs);
        for _ in 0..ACTIONS + usize::try_from(chance.below(12)).unwrap_or(0) {
            if chance.one_in(16) {
                act_on(&mut world, &mut chance);
            } else {
                act(&mut world, &mut chance);
            }
        }
        seen.actions += world.log.len();
        seen.began += world.began;
        seen.refused += world.refused;
        seen.approved += world.model.given();
        for change in world.core.state().changes.values() {
            let of = |wanted: &dyn Fn(&Approval) -> bool| change.approvals.iter().filter(|it| wanted(it)).count();
            seen.stood_in += of(&|it| it.stands_for.is_some());
            seen.by_code += of(&|it| it.factor);
            seen.by_review += of(&|it| it.review.is_some());
        }
        seen.by_model += world.free;
    }
    seen
}

#[test]
fn nothing_happens_that_nobody_agreed_to() {
    let (orgs, runs) = (orgs(), runs());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let all: Vec<Seen> = std::thread::scope(|scope| {
        let play = |of| {
            scope.spawn({
                let orgs = &orgs;
                move || play(orgs, runs, (of, threads))
            })
        };
        let playing: Vec<_> = (0..threads).map(play).collect();
        playing.into_iter().map(|it| it.join().expect("what is wrong is told above")).collect()
    });
    let sum = |of: &dyn Fn(&Seen) -> usize| all.iter().map(of).sum::<usize>();
    let (actions, approved, began) = (sum(&|it| it.actions), sum(&|it| it.approved), sum(&|it| it.began));
    let refused = sum(&|it| it.refused);
    let (stood_in, by_code) = (sum(&|it| it.stood_in), sum(&|it| it.by_code));
    let (by_review, by_model) = (sum(&|it| it.by_review), sum(&|it| it.by_model));
    println!(
        "{runs} sequences, {actions} actions: {approved} approvals ({stood_in} for somebody, {by_code} with a code, \
         {by_review} by a review that still stand), {began} changes began, {by_model} of them by what their model \
         had earned; {refused} attempts were refused"
    );
    // A test in which nothing may ever happen proves nothing.
    let runs = usize::try_from(runs).unwrap_or(usize::MAX);
    assert!(began > runs / 20, "only {began} changes began in {runs} sequences");
    assert!(refused > runs && approved > runs / 2, "{refused} refusals, {approved} approvals");
    for (what, times) in [("for somebody", stood_in), ("with a code", by_code), ("by a review", by_review)] {
        assert!(times > runs / 100, "only {times} approvals {what} in {runs} sequences");
    }
    assert!(by_model > runs / 200, "only {by_model} pre-authorised changes began");
}

/// A hundred approvals at once, by everybody and by every account: one effect.
#[test]
fn a_hundred_racing_approvals_have_one_effect() {
    let orgs = orgs();
    for seed in 0..50 {
        let mut chance = Chance::new(seed);
        let mut world = World::new(&orgs);
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

/// One code said a hundred times at once, for two changes and by every account, is one approval.
#[test]
fn a_code_said_a_hundred_times_counts_once() {
    let mut world = World::new(&orgs());
    for title in ["One", "Two"] {
        world.say("eve", "api", &format!("/change new {title} service:vault plan:a rollback:b"));
    }
    for n in 0..100 {
        let via = ["api", "discord", "terminal"][n % 3];
        world.say("ben", via, &format!("/change approve CHG-{} code:now", 1 + n % 2));
    }
    let given: Vec<usize> = world.core.state().changes.values().map(|it| it.approvals.len()).collect();
    assert_eq!(given, [1, 0]);
}

/// What was approved is what begins, whatever is edited between: the hash of each approval that is used is its own.
#[test]
fn what_begins_is_what_was_read() {
    let mut world = World::new(&orgs());
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
