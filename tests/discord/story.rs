//! Stories played over Discord: what their people say and press goes through the fake's gateway, what they expect is
//! looked for where people would see it, and hours go by on the engine's own clock, which skips from moment to moment
//! once all that was due has happened and arrived.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use opsbell::catalog;
use opsbell::catalog::words::builtin;
use opsbell::domain::command::grammar;
use opsbell::domain::delivery::Method;
use opsbell::domain::input::Button;
use opsbell::domain::signal::AlertSeverity;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::notify::Notifiers;
use opsbell::rehearsal::story::{Expect, Field, Statement, Story};
use opsbell::runtime::clock::SkippingClock;
use opsbell::runtime::handle::Tell;
use opsbell::runtime::house::{House, Options};
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{BAS, CLEO, alert_body, config};
use crate::support::client::Client;
use crate::support::discord::{Discord, Fault, Seen, Shown, TOKEN};
use crate::support::server::KEY;
use crate::support::webhook::{Behaviour, Received, Receiver};

const PEOPLE: [(&str, u64); 2] = [("bas", BAS), ("cleo", CLEO)];

fn account(person: &str) -> u64 {
    PEOPLE.iter().find(|(name, _)| *name == person).unwrap_or_else(|| panic!("{person} has no account here")).1
}

/// The whole house in this process, with a clock that can skip.
struct Night {
    discord: Discord,
    desk: Receiver,
    clock: Arc<SkippingClock>,
    dir: TempDir,
    house: Option<House>,
    /// The time in the story, once it has begun.
    at: Option<Timestamp>,
    replies: BTreeMap<String, String>,
    /// Pages that a statement has used up: messages, and deliveries by webhook.
    used: Vec<u64>,
    used_hooks: Vec<String>,
}

impl Night {
    fn begin() -> Self {
        let (discord, desk) = (Discord::start(), Receiver::start());
        let dir = tempfile::tempdir().expect("it works");
        let clock = Arc::new(SkippingClock::default());
        let mut night = Self {
            discord,
            desk,
            clock,
            dir,
            house: None,
            at: None,
            replies: BTreeMap::new(),
            used: Vec::new(),
            used_hooks: Vec::new(),
        };
        night.start();
        night
    }

    fn start(&mut self) {
        let sessions = self.discord.gateway.all().iter().filter(|line| line.starts_with("identified")).count();
        let text = config(&self.discord, &self.desk.url());
        let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), text)]);
        let secret = |name: &str| match name {
            "OPSBELL_DISCORD_TOKEN" => Some(TOKEN.to_owned()),
            "OPSBELL_KEY_PROMETHEUS" => Some(KEY.to_owned()),
            _ => None,
        };
        let loaded = catalog::load_files(&files, &secret);
        let found: Vec<String> = loaded.findings.iter().map(catalog::Finding::brief).collect();
        let config = loaded.config.unwrap_or_else(|| panic!("{found:#?}"));
        let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let clock = Arc::clone(&self.clock) as Arc<dyn opsbell::runtime::clock::Clock>;
        let options = Options::new(self.dir.path().join("data"), listen, clock);
        self.house = Some(House::start(config, options, Notifiers::default()).expect("it starts"));
        self.discord.wait_for_sessions(sessions + 1);
        self.discord.requests.wait_until("the commands", |_| !self.discord.commands().is_empty());
    }

    fn restart(&mut self) {
        self.house.take().expect("it runs").stop();
        self.start();
    }

    fn house(&self) -> &House {
        self.house.as_ref().expect("it runs")
    }

    fn get(&self, path: &str) -> Value {
        let token = fs::read_to_string(self.dir.path().join("data/admin.token")).expect("a token");
        Client::new(self.house().addr(), token.trim()).get(path).expect("an answer").json()
    }

    fn signal(&self, title: &str, key: &str, severity: &str, status: &str) {
        let body = alert_body(title, key, severity, status);
        let mut sender = Client::new(self.house().addr(), KEY);
        let answer = sender.post("/v1/ingest/alertmanager", &[], body.to_string().as_bytes()).expect("it works");
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    /// Time goes by; what became due meanwhile has happened and arrived.
    fn skip(&mut self, span: Span) {
        let (tell, told) = std::sync::mpsc::channel();
        self.house().engine.tell(Tell::Skip(
            span,
            Box::new(move || {
                let _ = tell.send(());
            }),
        ));
        told.recv().expect("the time has gone by");
        self.at = self.at.map(|at| at.after(span));
    }

    /// Pages of somebody in Discord that nothing was said of yet.
    fn pages(&self, user: u64) -> Vec<Shown> {
        let direct = self.discord.messages_in(self.discord.direct(user));
        direct.into_iter().filter(|shown| shown.notified == [user] && !self.used.contains(&shown.id)).collect()
    }

    fn is_hook(&self, one: &Received, person: Option<&str>) -> bool {
        let told = one.json();
        let whose = person.is_none_or(|person| told.to_string().contains(&format!("\"{person}\"")));
        told["type"] == "page" && whose && !self.used_hooks.contains(&one.id().to_owned())
    }

    fn keep(&mut self, person: &str, answer: &Value) {
        let said = answer["content"].as_str().unwrap_or_default().to_owned();
        self.replies.insert(person.to_owned(), said);
    }

    fn play(&mut self, statement: &Statement, line: &str) {
        let ops = self.discord.channel("general");
        match statement {
            // The story's day is not the machine's: what counts is the time between.
            Statement::At(at) => match self.at {
                Some(now) => self.skip(at.since(now)),
                None => self.at = Some(*at),
            },
            Statement::Advance(span) => self.skip(*span),
            Statement::Alert(alert) => {
                let severity = alert.severity.map_or("critical", AlertSeverity::as_str);
                self.signal(&alert.text, alert.key.as_deref().unwrap_or("k"), severity, "firing");
            }
            Statement::Clear { key, .. } => self.signal("", key, "critical", "resolved"),
            Statement::Fail(fault) => match (fault.method, fault.person.as_deref()) {
                (Method::Chat, person) => {
                    let path = person.map_or("/channels".to_owned(), |person| {
                        format!("/channels/{}/", self.discord.direct(account(person)))
                    });
                    self.discord.fail_always("POST", &path, Fault::Answer(503, Value::Null, Vec::new()));
                }
                (Method::Webhook, None) => self.desk.always(Behaviour::status(503)),
                other => panic!("{line}: {other:?} does not fail here"),
            },
            Statement::Restore(fault) => match fault.method {
                Method::Chat => self.discord.mend(),
                Method::Webhook => self.desk.always(Behaviour::status(204)),
                other => panic!("{line}: {other:?} does not fail here"),
            },
            Statement::Restart => self.restart(),
            Statement::Say { person, text, .. } => {
                let call = grammar::parse(text, &builtin()).unwrap_or_else(|reject| panic!("{line}: {reject}"));
                let options: Vec<(&str, &str)> =
                    call.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let answer = self.discord.command(account(person.as_str()), ops, &call.command, &options);
                self.keep(person.as_str(), &answer.data);
            }
            Statement::Press { person, button, incident } => {
                let label = match button {
                    Button::Ack => "Acknowledge",
                    Button::Cant => "Can't – page next",
                    Button::Resolve => "Resolve",
                    other => panic!("{line}: {other:?} has no label here"),
                };
                let user = account(person.as_str());
                let direct = self.discord.direct(user);
                let wanted = format!("({incident})");
                let page = self
                    .discord
                    .wait_for_message(line, |shown| shown.channel == direct && shown.content.contains(&wanted));
                let answer = self.discord.press(user, &self.discord.message(page.id), label);
                self.keep(person.as_str(), &answer.data);
            }
            Statement::Expect(expect) => self.expect(expect, line),
            other => panic!("{line}: {other:?} is not played over Discord"),
        }
    }

    fn expect(&mut self, expect: &Expect, line: &str) {
        match expect {
            Expect::Incident { incident, state, severity, fields } => {
                let record = self.get(&format!("/v1/incidents/{incident}"));
                assert_eq!(record["state"], state.as_str(), "{line}: {record}");
                if let Some(severity) = severity {
                    assert_eq!(record["severity"], severity.as_str(), "{line}");
                }
                for (field, value) in fields {
                    assert_eq!(*field, Field::Lead, "{line}: only the lead is looked at here");
                    assert_eq!(record["roles"]["lead"].as_str().unwrap_or("none"), value, "{line}");
                }
            }
            Expect::Page { person, method: Method::Chat } => {
                let user = account(person);
                let used = self.used.clone();
                let page =
                    self.discord.wait_for_message(line, |shown| shown.notified == [user] && !used.contains(&shown.id));
                self.used.push(page.id);
            }
            Expect::Page { person, method: Method::Webhook } => {
                let fits = |one: &Received| self.is_hook(one, Some(person));
                let all = self.desk.ledger().wait_until(line, |all| all.iter().any(fits));
                let id = all.iter().find(|one| fits(one)).expect("it is there").id().to_owned();
                self.used_hooks.push(id);
            }
            Expect::NoPage { person } => {
                let asked: Vec<u64> = match person {
                    Some(person) => vec![account(person)],
                    None => PEOPLE.iter().map(|(_, user)| *user).collect(),
                };
                for user in asked {
                    assert!(self.pages(user).is_empty(), "{line}: {:?}", self.pages(user));
                }
                let hooks = self.desk.ledger().all();
                let more = hooks.iter().filter(|one| self.is_hook(one, person.as_deref())).count();
                assert_eq!(more, 0, "{line}: by webhook");
            }
            Expect::Reply { person, contains, text } => {
                let said = self.replies.get(person.as_str()).cloned().unwrap_or_default();
                assert_eq!(said.contains(text.as_str()), *contains, "{line}: {said:?}");
            }
            // In the channel, or in the thread of the incident.
            Expect::Post { contains, text, .. } => {
                let fits = |shown: &Shown| shown.notified.is_empty() && shown.content.contains(text.as_str());
                if *contains {
                    self.discord.wait_for_message(line, fits);
                } else {
                    let all = self.discord.seen.all();
                    let told = all.iter().any(|seen| matches!(seen, Seen::Message(shown) if fits(shown)));
                    assert!(!told, "{line}");
                }
            }
            other => panic!("{line}: {other:?} is not looked for here"),
        }
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        if let Some(house) = self.house.take() {
            house.stop();
        }
    }
}

fn play(file: &str, text: &str) -> Night {
    let story = Story::parse(file, text).expect("a story");
    let mut night = Night::begin();
    for line in &story.lines {
        night.play(&line.statement, &format!("{file}:{}: {}", line.number, line.text));
    }
    night.discord.nothing_was_wrong();
    night
}

#[test]
fn a_story_runs_over_discord_as_it_does_in_rehearsal() {
    let file = "escalated-by-hand.txt";
    let text = fs::read_to_string(format!("examples/ej-airways/stories/{file}")).unwrap();
    play(file, &text);
}

/// `acknowledging-stops-the-pages.txt`, whose last line tells a time of the story's own day.
const BY_BUTTON: &str = r#"
at 2026-12-22T10:00 Europe/Amsterdam
alert payments-api "card terminals time out" severity=high key=terminals
expect incident INC-1 triggered sev2 lead=none
expect page bas via chat
expect no page
press bas ack INC-1
expect reply bas contains "acknowledged: nobody else is paged"
expect incident INC-1 acknowledged sev2 lead=bas
advance 7h
expect no page
as cleo: /incident pages INC-1
expect reply cleo contains "ended by the acknowledgement"
"#;

#[test]
fn a_storys_buttons_are_pressed_under_the_pages_and_hours_go_by() {
    play("by-button.txt", BY_BUTTON);
}

/// Nobody acknowledges: the next rule, the next step, a restart between them, and the end by the sender's word.
const NOBODY: &str = r#"
at 2026-12-22T02:00 Europe/Amsterdam
alert payments-api "replication lag 900s" severity=critical key=lag
expect page bas via chat
advance 3m
expect page bas via webhook
expect no page
restart
advance 2m
expect page cleo via chat
expect no page bas
clear payments-api key=lag
expect incident INC-1 resolved
expect post payments contains "all alerts have recovered, so it is resolved"
advance 1h
expect no page
"#;

#[test]
fn a_story_of_rules_steps_and_a_restart_runs_on_the_engines_own_clock() {
    play("nobody.txt", NOBODY);
}

/// Chat fails: the next method starts within the minute, and what was said meanwhile is not sent stale.
const CHAT_FAILS: &str = r#"
at 2026-12-22T02:00 Europe/Amsterdam
fail chat
alert payments-api "replication lag 900s" severity=critical key=lag
advance 1m
expect page bas via webhook
clear payments-api key=lag
advance 30m
restore chat
advance 5m
expect no page
alert payments-api "disk full" severity=critical key=disk
expect page bas via chat
"#;

#[test]
fn a_story_in_which_chat_fails_reaches_people_by_the_next_method_and_sends_nothing_stale() {
    let night = play("chat-fails.txt", CHAT_FAILS);
    let all = night.discord.seen.all();
    let stale =
        all.iter().any(|seen| matches!(seen, Seen::Message(shown) if shown.content.contains("replication lag")));
    assert!(!stale, "{all:?}");
}
