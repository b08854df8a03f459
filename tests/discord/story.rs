//! A story of the example organisation, played over Discord: what its people say and press goes through the fake's
//! gateway, and what it expects is looked for where people would see it.

use std::collections::BTreeMap;
use std::fs;

use opsbell::catalog::words::builtin;
use opsbell::domain::command::grammar;
use opsbell::domain::input::Button;
use opsbell::domain::signal::AlertSeverity;
use opsbell::rehearsal::story::{Expect, Statement, Story};

use crate::stage::{BAS, CLEO, Stage};
use crate::support::discord::Shown;

const PEOPLE: [(&str, u64); 2] = [("bas", BAS), ("cleo", CLEO)];

fn account(person: &str) -> u64 {
    PEOPLE.iter().find(|(name, _)| *name == person).unwrap_or_else(|| panic!("{person} has no account here")).1
}

struct Night {
    stage: Stage,
    replies: BTreeMap<String, String>,
    /// Pages that a statement has used up.
    used: Vec<u64>,
}

impl Night {
    /// Pages of somebody that nothing was said of yet.
    fn pages(&self, user: u64) -> Vec<Shown> {
        let direct = self.stage.discord.messages_in(self.stage.discord.direct(user));
        direct.into_iter().filter(|shown| shown.notified == [user] && !self.used.contains(&shown.id)).collect()
    }

    fn play(&mut self, statement: &Statement, line: &str) {
        let ops = self.stage.discord.channel("general");
        match statement {
            Statement::At(_) => {}
            Statement::Alert(alert) => {
                let severity = alert.severity.map_or("critical", AlertSeverity::as_str);
                self.stage.alert(&alert.text, alert.key.as_deref().unwrap_or("k"), severity);
            }
            Statement::Say { person, text, .. } => {
                let call = grammar::parse(text, &builtin()).unwrap_or_else(|reject| panic!("{line}: {reject}"));
                let options: Vec<(&str, &str)> =
                    call.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let answer = self.stage.discord.command(account(person.as_str()), ops, &call.command, &options);
                let said = answer.data["content"].as_str().unwrap_or_default().to_owned();
                self.replies.insert(person.to_string(), said);
            }
            Statement::Press { person, button, incident } => {
                let label = match button {
                    Button::Ack => "Acknowledge",
                    Button::Resolve => "Resolve",
                    other => panic!("{line}: {other:?} has no label here"),
                };
                let page = self.stage.page_of(account(person.as_str()), &incident.to_string());
                let answer =
                    self.stage.discord.press(account(person.as_str()), &self.stage.discord.message(page.id), label);
                let said = answer.data["content"].as_str().unwrap_or_default().to_owned();
                self.replies.insert(person.to_string(), said);
            }
            Statement::Expect(expect) => self.expect(expect, line),
            other => panic!("{line}: {other:?} is not played over Discord"),
        }
    }

    fn expect(&mut self, expect: &Expect, line: &str) {
        match expect {
            Expect::Incident { incident, state, severity, fields } => {
                let record = self.stage.incident(&incident.to_string());
                assert_eq!(record["state"], state.as_str(), "{line}");
                if let Some(severity) = severity {
                    assert_eq!(record["severity"], severity.as_str(), "{line}");
                }
                assert!(fields.is_empty(), "{line}: fields are not looked at here");
            }
            Expect::Page { person, .. } => {
                let user = account(person);
                let used = self.used.clone();
                let page = self
                    .stage
                    .discord
                    .wait_for_message(line, |shown| shown.notified == [user] && !used.contains(&shown.id));
                self.used.push(page.id);
            }
            Expect::NoPage { person } => {
                let asked: Vec<u64> = match person {
                    Some(person) => vec![account(person)],
                    None => PEOPLE.iter().map(|(_, user)| *user).collect(),
                };
                for user in asked {
                    assert!(self.pages(user).is_empty(), "{line}: {:?}", self.pages(user));
                }
            }
            Expect::Reply { person, contains, text } => {
                let said = self.replies.get(person.as_str()).cloned().unwrap_or_default();
                assert_eq!(said.contains(text.as_str()), *contains, "{line}: {said:?}");
            }
            other => panic!("{line}: {other:?} is not looked for here"),
        }
    }
}

#[test]
fn a_story_runs_over_discord_as_it_does_in_rehearsal() {
    let file = "escalated-by-hand.txt";
    let text = fs::read_to_string(format!("examples/ej-airways/stories/{file}")).unwrap();
    play(file, &text);
}

#[test]
fn a_storys_buttons_are_pressed_under_the_pages() {
    play("by-button.txt", BY_BUTTON);
}

fn play(file: &str, text: &str) {
    let story = Story::parse(file, text).expect("a story");
    let mut night = Night { stage: Stage::start(), replies: BTreeMap::new(), used: Vec::new() };
    for line in &story.lines {
        night.play(&line.statement, &format!("{file}:{}: {}", line.number, line.text));
    }
    night.stage.discord.nothing_was_wrong();
}

/// The first statements of `acknowledging-stops-the-pages.txt`, without the hours that go by.
const BY_BUTTON: &str = r#"
at 2026-12-22T10:00 Europe/Amsterdam
alert payments-api "card terminals time out" severity=high key=terminals
expect incident INC-1 triggered sev2
expect page bas via chat
expect no page
press bas ack INC-1
expect reply bas contains "acknowledged: nobody else is paged"
expect incident INC-1 acknowledged sev2
as cleo: /incident pages INC-1
expect reply cleo contains "ended by the acknowledgement"
"#;
