//! Runs a story, statement by statement, and stops at the first expectation that does not hold.

use std::path::Path;

use super::check::{self, Seen};
use super::report::{Failure, Outcome, Transcript};
use super::story::{AlertLine, Expect, Fault, Line, Statement, Story};
use super::world::{STORY, World};
use crate::domain::id::IntegrationId;
use crate::domain::input::Reply;
use crate::domain::org::Org;
use crate::domain::reject::Reject;
use crate::domain::signal::{Signal, SignalKind};
use crate::source::{self, limits};

/// What a story asks of the files around it. Paths are as the story writes them, relative to its own directory.
pub struct Surroundings<'a> {
    /// Loads the configuration directory that `config` names.
    pub load: &'a dyn Fn(&Path) -> Result<Org, String>,
    /// Reads the payload that `send` names.
    pub read: &'a dyn Fn(&Path) -> Result<Vec<u8>, String>,
}

/// What was expected, and what was there instead; both on one line.
#[derive(Debug)]
pub(super) struct Miss {
    pub expected: String,
    pub got: String,
}

impl Miss {
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

/// Runs a story in a world of its own.
pub fn run(story: &Story, org: Org, around: &Surroundings<'_>) -> Outcome {
    play(story, org, around).0
}

/// The same, with the world as the story leaves it.
pub fn play(story: &Story, org: Org, around: &Surroundings<'_>) -> (Outcome, World) {
    let mut world = World::new(org, story.start);
    let mut seen = Seen::default();
    let mut transcript = Transcript::default();
    transcript.follow(&world, story.zone);
    let mut outcome = Outcome {
        file: story.file.clone(),
        statements: 0,
        held: 0,
        pages: 0,
        failure: None,
        transcript: String::new(),
    };
    for line in &story.lines {
        transcript.statement(line);
        outcome.statements += 1;
        let done = match &line.statement {
            Statement::Expect(Expect::Finding { dir, contains, text }) => finding(dir, *contains, text, around),
            Statement::Expect(expect) => check::check(expect, &world, &mut seen, story.zone),
            _ => {
                seen.begin();
                let done = act(&mut world, line, around);
                seen.look(&world);
                done
            }
        };
        transcript.follow(&world, story.zone);
        match done {
            Ok(()) => outcome.held += usize::from(matches!(line.statement, Statement::Expect(_))),
            Err(Miss { expected, got }) => {
                outcome.failure = Some(Failure { file: story.file.clone(), line: line.number, expected, got });
                break;
            }
        }
    }
    outcome.pages = seen.pages();
    outcome.transcript = transcript.into_text();
    (outcome, world)
}

/// Runs a statement that expects nothing.
fn act(world: &mut World, line: &Line, around: &Surroundings<'_>) -> Result<(), Miss> {
    let stuck = |wrong: String| Miss::new("time to go on", wrong);
    match &line.statement {
        Statement::At(at) => world.go_to(*at).map_err(stuck),
        Statement::Advance(span) => world.go_to(world.now().after(*span)).map_err(stuck),
        Statement::Alert(alert) => taken(world.signal(&IntegrationId::from(STORY), STORY, signal(alert))),
        Statement::Clear { service, key } => {
            let signal = Signal {
                kind: SignalKind::Resolve,
                status: "resolved".to_owned(),
                key: key.clone(),
                ..blank(service, "recovered")
            };
            taken(world.signal(&IntegrationId::from(STORY), STORY, signal))
        }
        Statement::Send { source, file } => send(world, source, file, around),
        Statement::Say { person, channel, text } => {
            world.say(person, channel.as_deref(), text).ok();
            Ok(())
        }
        Statement::PressJudge { person, button, on } => {
            world.press_judge(person, *button, *on).ok();
            Ok(())
        }
        Statement::PressRun { person, button, run } => {
            world.press_run(person, *button, *run).ok();
            Ok(())
        }
        Statement::Press { person, button, incident } => {
            world.press(person, *button, *incident).ok();
            Ok(())
        }
        Statement::Fail(fault) => {
            can_break(world, fault)?;
            world.fail(fault.clone());
            Ok(())
        }
        Statement::Restore(fault) => {
            can_break(world, fault)?;
            world.restore(fault);
            Ok(())
        }
        Statement::Step { name, how } => {
            world.step(name, how.clone());
            Ok(())
        }
        Statement::Restart => world.restart().map_err(|wrong| Miss::new("the same state after a restart", wrong)),
        Statement::Config(dir) => match (around.load)(Path::new(dir)) {
            Ok(org) => {
                world.configure(org);
                Ok(())
            }
            Err(wrong) => Err(Miss::new(format!("a configuration in {dir}"), one_line(&wrong))),
        },
        Statement::Expect(_) => Ok(()),
    }
}

/// A configuration that does not come into force, and why; the one in force stays.
fn finding(dir: &str, contains: bool, text: &str, around: &Surroundings<'_>) -> Result<(), Miss> {
    let word = if contains { "contains" } else { "lacks" };
    let miss = |got: String| Err(Miss::new(format!("a finding in {dir} that {word} {text:?}"), got));
    match (around.load)(Path::new(dir)) {
        Ok(_) => miss("a configuration without errors".to_owned()),
        Err(found) if found.contains(text) == contains => Ok(()),
        Err(found) => miss(one_line(&found)),
    }
}

fn can_break(world: &World, fault: &Fault) -> Result<(), Miss> {
    match (check::unknown(world, fault.person.as_deref()), &fault.person) {
        (Some(got), Some(person)) => Err(Miss::new(format!("{} of {person}", fault.method), got)),
        _ => Ok(()),
    }
}

fn taken(reply: Result<Reply, Reject>) -> Result<(), Miss> {
    reply.map(|_| ()).map_err(|reject| Miss::new("the signal to be taken", one_line(&reject.to_string())))
}

fn send(world: &mut World, source: &'static str, file: &str, around: &Surroundings<'_>) -> Result<(), Miss> {
    let expected = || format!("a payload of {source} in {file}");
    let body = (around.read)(Path::new(file)).map_err(|wrong| Miss::new(expected(), one_line(&wrong)))?;
    let (integration, signals) =
        read(world.org(), source, &body).map_err(|wrong| Miss::new(expected(), one_line(&wrong)))?;
    for signal in signals {
        taken(world.signal(&integration, source, signal))?;
    }
    Ok(())
}

/// Reads a payload as the organisation's first integration of its source would, or else the story's own.
pub(super) fn read(org: &Org, name: &str, body: &[u8]) -> Result<(IntegrationId, Vec<Signal>), String> {
    let source = source::find(name).map_err(|wrong| wrong.to_string())?;
    let story = IntegrationId::from(STORY);
    let own = org.integrations.values().find(|known| known.source == source.name && known.id != story);
    let mapping = own.and_then(|own| own.mapping.clone()).unwrap_or_default();
    let reading = (source.read)(body, &mapping).map_err(|wrong| wrong.to_string())?;
    if reading.signals.is_empty() {
        let first = reading.rejected.first();
        return Err(first.map_or_else(
            || "it says nothing that is a signal".to_owned(),
            |rejected| format!("nothing that is a signal; {}: {}", rejected.path, rejected.reason),
        ));
    }
    Ok((own.map_or(story, |own| own.id.clone()), reading.signals))
}

/// The signal of an `alert` statement. With a label `alertname` that is its name, and the text is its summary, as
/// Prometheus has it; else the text is the name.
fn signal(alert: &AlertLine) -> Signal {
    let environment = alert.environment.as_deref().unwrap_or_default();
    let made = || limits::hash([alert.service.as_str(), environment, alert.text.as_str()]);
    let name = alert.labels.get("alertname");
    Signal {
        kind: SignalKind::Alert,
        severity: alert.severity,
        severity_word: alert.severity.map(|severity| severity.as_str().to_owned()),
        status: "firing".to_owned(),
        key: alert.key.clone().unwrap_or_else(made),
        summary: name.map(|_| alert.text.clone()),
        labels: alert.labels.clone(),
        environment: alert.environment.clone(),
        ..blank(&alert.service, name.unwrap_or(&alert.text))
    }
}

fn blank(service: &str, name: &str) -> Signal {
    Signal {
        kind: SignalKind::Alert,
        service: Some(service.to_owned()),
        name: name.to_owned(),
        severity: None,
        severity_word: None,
        status: String::new(),
        key: String::new(),
        summary: None,
        labels: std::collections::BTreeMap::new(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// A text that may have several lines, on one.
pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}
