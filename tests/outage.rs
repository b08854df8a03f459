//! Chat is gone for 150 minutes, on the engine's own clock, over a transport in this process that refuses, hangs or is
//! full: every page goes out by the next method within a minute, and when chat is back nothing stale is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use opsbell::catalog;
use opsbell::domain::actor::{Actor, By};
use opsbell::domain::delivery::{Destination, Grant, Method, Outcome, Priority};
use opsbell::domain::id::IncidentId;
use opsbell::domain::input::{Input, InputKind, Place};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

const MINUTE: i64 = 60_000;
const OUTAGE: i64 = 150 * MINUTE;
const CONFIG: &str = r#"
[operators]
people = ["ann"]
[defaults]
service = "api"
notify.high = ["chat", "email after 20m"]
[mail]
host = "localhost"
from = "opsbell@x.example"
[chat.discord]
[[person]]
id = "ann"
email = "ann@x.example"
discord = "204255221017214977"
[[person]]
id = "ben"
email = "ben@x.example"
discord = "204255221017214978"
[[team]]
id = "core"
channel = "ops"
escalation = "core"
[[escalation]]
id = "core"
steps = [{ page = ["person:ann"], escalate_after = "30m" }, { page = ["person:ben"], escalate_after = "30m" }]
[[service]]
id = "api"
team = "core"
"#;

/// How chat fails.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Refuses,
    Hangs,
    Full,
}

struct World {
    core: Core,
    now: i64,
    start: i64,
    mood: Mood,
    /// Attempts under way: when they end, which, how.
    flights: Vec<(i64, Grant, Outcome)>,
    /// Everything that went out: when, and what.
    sent: Vec<(i64, Grant)>,
    /// Every first attempt of a page by chat: its page, and when it was owed.
    paged: Vec<(String, i64)>,
}

impl World {
    fn new(mood: Mood) -> Self {
        let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), CONFIG.to_owned())]);
        let loaded = catalog::load_files(&files, &|_| Some("secret".to_owned()));
        let found: Vec<String> = loaded.findings.iter().map(catalog::Finding::brief).collect();
        let config = loaded.config.unwrap_or_else(|| panic!("{found:#?}"));
        let core = Core::new(State::new("outage"), Arc::new(config.org));
        let start = 1_774_738_800_000;
        Self { core, now: start, start, mood, flights: Vec::new(), sent: Vec::new(), paged: Vec::new() }
    }

    fn take(&mut self, input: Input) -> String {
        let (answer, commit) = self.core.take(Timestamp(self.now), input);
        if let Some(commit) = commit {
            self.core.durable(&commit);
        }
        answer.reply.map_or_else(|reject| reject.to_string(), |reply| reply.text)
    }

    fn say(&mut self, who: &str, text: &str) -> String {
        let place = Place { chat: "api".into(), ..Place::default() };
        let by = By::new(Actor::Person(who.into()), "api");
        let kind = InputKind::Text { place, text: text.to_owned() };
        self.take(Input { by, idempotency: None, kind, closed: Vec::new() })
    }

    fn start_sends(&mut self) {
        while let Some(grant) = self.core.grant(Timestamp(self.now)) {
            let by_chat = !matches!(&grant.to, Destination::Person { method: Method::Email, .. });
            let out = by_chat && self.now < self.start + OUTAGE;
            if by_chat
                && grant.attempt == 1
                && let Some(page) = grant.page
                && !self.paged.iter().any(|(known, _)| *known == page.to_string())
            {
                self.paged.push((page.to_string(), grant.owed_at.0));
            }
            let (takes, outcome) = match (out, self.mood) {
                (false, _) => (200, Outcome::Accepted),
                (true, Mood::Refuses) => (5, retry(false)),
                (true, Mood::Hangs) => (10_000, retry(true)),
                (true, Mood::Full) => {
                    (1_000, Outcome::Later { reason: "Discord's limits".into(), after: Span::secs(30) })
                }
            };
            self.flights.push((self.now + takes, grant, outcome));
        }
    }

    /// Goes on until `to`, moment by moment.
    fn until(&mut self, to: i64) {
        loop {
            self.start_sends();
            let landing = self.flights.iter().map(|(at, ..)| *at).min();
            let wake = self.core.next_wakeup().map(|at| at.0.max(self.now));
            let Some(next) = [landing, wake].into_iter().flatten().min().filter(|next| *next <= to) else { break };
            self.now = self.now.max(next);
            if landing.is_some_and(|at| at <= self.now) {
                let n = self.flights.iter().position(|(at, ..)| *at <= self.now).expect("one has landed");
                let (_, grant, outcome) = self.flights.swap_remove(n);
                self.core.ended(&grant.id);
                let kind = InputKind::Receipt { delivery: grant.id.clone(), outcome: outcome.clone() };
                self.take(Input { by: By::timer("lane"), idempotency: None, kind, closed: Vec::new() });
                if outcome == Outcome::Accepted {
                    self.sent.push((self.now, grant));
                }
            }
            while let Some(input) = self.core.due(Timestamp(self.now)) {
                self.take(input);
            }
        }
        self.now = to;
    }
}

fn retry(unknown: bool) -> Outcome {
    Outcome::Retryable { reason: "no connection to Discord".into(), after: None, unknown }
}

#[test]
fn every_page_goes_out_by_the_next_method_within_a_minute_and_nothing_stale_is_sent_afterwards() {
    for mood in [Mood::Refuses, Mood::Hangs, Mood::Full] {
        let mut world = World::new(mood);
        for n in 0..50 {
            let said = world.say("ben", &format!("/incident declare \"trouble {n}\" service:api severity:sev2"));
            assert!(said.contains("declared"), "{said}");
            world.until(world.now + 3 * MINUTE);
            if n % 2 == 0 {
                world.say("ben", &format!("/resolve INC-{}", n + 1));
            } else {
                world.say("ben", &format!("/incident update INC-{} \"still looking\"", n + 1));
            }
        }
        let back = world.start + OUTAGE;
        assert_eq!(world.now, back, "{mood:?}");
        let during = world.sent.len();
        world.until(back + 20 * MINUTE);

        assert!(world.paged.len() >= 50, "{mood:?}: {} pages", world.paged.len());
        for (page, owed) in world.paged.iter().filter(|(_, owed)| *owed < back - MINUTE) {
            let mails = world.sent.iter().filter(|(_, grant)| {
                grant.page.is_some_and(|id| id.to_string() == *page)
                    && matches!(&grant.to, Destination::Person { method: Method::Email, .. })
            });
            let first = mails.map(|(at, _)| *at).min();
            let took = first.map(|at| at - owed);
            assert!(took.is_some_and(|took| took <= MINUTE), "{mood:?}: {page} went out by mail after {took:?} ms");
        }
        for (at, grant) in &world.sent[during..] {
            let age = at - grant.owed_at.0;
            match (grant.priority, grant.incident) {
                (Priority::Post, _) => assert!(age <= 11 * MINUTE, "{mood:?}: a line of {age} ms ago: {grant:?}"),
                (_, Some(IncidentId(n))) => assert!(n % 2 == 0, "{mood:?}: a page for what is resolved: {grant:?}"),
                _ => {}
            }
        }
        let news = world.sent[during..].iter().filter(|(_, grant)| grant.priority == Priority::Post).count();
        assert!(news <= 20, "{mood:?}: {news} lines flood the channel");
    }
}
