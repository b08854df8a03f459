//! The story grammar (DESIGN §8): from text to statements, with every error in the file at once. Nothing is looked up
//! in an organisation here: a story may speak of services and people that do not exist.

use chrono::{Datelike, NaiveDateTime};
use chrono_tz::Tz;

use super::line::{Words, without_comment};
use super::story::{
    AlertLine, ChangeField, Expect, Fault, Field, Line, ProblemField, Statement, StepGoes, Story, SyntaxError,
};
use crate::domain::change::ChangeState;
use crate::domain::delivery::Method;
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::incident::{IncidentState, Severity};
use crate::domain::input::{Button, JudgeButton};
use crate::domain::playbook::WORDS;
use crate::domain::playbook::question::RunButton;
use crate::domain::problem::ProblemState;
use crate::domain::reject::did_you_mean;
use crate::domain::signal::AlertSeverity;
use crate::domain::time::{LATEST, Span, Timestamp, resolve};
use crate::source;

/// The words that statements begin with.
const STATEMENTS: [&str; 13] = [
    "at", "advance", "alert", "clear", "send", "as", "press", "fail", "restore", "step", "restart", "config", "expect",
];
/// What can be expected.
const EXPECTED: [&str; 10] =
    ["incident", "change", "problem", "request", "run", "page", "no", "reply", "post", "finding"];
const STATES: [IncidentState; 5] = [
    IncidentState::Triggered,
    IncidentState::Acknowledged,
    IncidentState::Mitigated,
    IncidentState::Resolved,
    IncidentState::Closed,
];
/// How a story begins, for messages.
const BEGINNING: &str = "at 2026-12-25T03:00 Europe/Amsterdam";

impl Story {
    /// Reads a story; `file` is its name in messages. Errors: everything in it that is not understood.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<SyntaxError>> {
        let mut parser = Parser { now: None, start: None, zone: Tz::UTC };
        let mut lines = Vec::new();
        let mut errors = Vec::new();
        let mut wrong = |line, message| errors.push(SyntaxError { file: file.to_owned(), line, message });
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let (number, line) = (at + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match parser.statement(line) {
                Ok(statement) => lines.push(Line { number, text: line.to_owned(), statement }),
                Err(message) => wrong(number, message),
            }
            if parser.start.is_none() {
                // Said once; a beginning that is not understood has been told above.
                parser.start = Some(Timestamp::default());
                if line.split_whitespace().next() != Some("at") {
                    wrong(number, format!("a story begins with the time: {BEGINNING}"));
                }
            }
        }
        if parser.start.is_none() {
            wrong(1, format!("the story is empty; it begins with the time: {BEGINNING}"));
        }
        match parser.start {
            Some(start) if errors.is_empty() => Ok(Self { file: file.to_owned(), start, zone: parser.zone, lines }),
            _ => Err(errors),
        }
    }
}

/// What a statement's meaning depends on: time only goes forward.
struct Parser {
    now: Option<Timestamp>,
    start: Option<Timestamp>,
    zone: Tz,
}

impl Parser {
    fn statement(&mut self, line: &str) -> Result<Statement, String> {
        let mut words = Words::new(line);
        let first = words.next()?.unwrap_or_default();
        let statement = match first.as_str() {
            "at" => self.at(&mut words)?,
            "advance" => self.advance(&mut words)?,
            "alert" => alert(&mut words)?,
            "clear" => clear(&mut words)?,
            "send" => send(&mut words)?,
            "as" => return say(words.rest()),
            "press" => press(&mut words)?,
            "fail" => Statement::Fail(fault(&mut words, "fail")?),
            "restore" => Statement::Restore(fault(&mut words, "restore")?),
            "step" => step(&mut words)?,
            "restart" => Statement::Restart,
            "config" => Statement::Config(need(&mut words, "config DIR")?),
            "expect" => Statement::Expect(expect(&mut words)?),
            _ => return Err(unknown("statement", &first, &STATEMENTS)),
        };
        match words.next()? {
            Some(more) => Err(format!("`{}` is more than `{first}` takes here", cut(&more))),
            None => Ok(statement),
        }
    }

    fn at(&mut self, words: &mut Words<'_>) -> Result<Statement, String> {
        let text = need(words, "at LOCAL ZONE, or at RFC3339")?;
        let (at, zone) = match words.next()? {
            None => (instant(&text)?, None),
            Some(name) => {
                let zone = zone(&name)?;
                (resolve(wall(&text)?, zone), Some(zone))
            }
        };
        if !(Timestamp(0)..LATEST).contains(&at) {
            return Err(format!("`{}` is out of reach: stories play between 1970 and 2099", cut(&text)));
        }
        if let Some(now) = self.now.filter(|now| at < *now) {
            let now = now.local(self.zone).format("%Y-%m-%dT%H:%M:%S");
            return Err(format!("time only goes forward: it is {now} {} already", self.zone.name()));
        }
        if self.start.is_none() {
            self.start = Some(at);
            self.zone = zone.unwrap_or(Tz::UTC);
        }
        self.now = Some(at);
        Ok(Statement::At(at))
    }

    fn advance(&mut self, words: &mut Words<'_>) -> Result<Statement, String> {
        let text = need(words, "advance 1h30m")?;
        let span: Span = text.parse().map_err(|wrong: crate::domain::time::NotASpan| wrong.to_string())?;
        if let Some(now) = &mut self.now {
            *now = now.after(span);
            if *now >= LATEST {
                return Err("that is out of reach: stories play between 1970 and 2099".to_owned());
            }
        }
        Ok(Statement::Advance(span))
    }
}

fn wall(text: &str) -> Result<NaiveDateTime, String> {
    as_wall(text).ok_or_else(|| match text.parse::<Timestamp>() {
        Ok(_) => format!("`{}` has its zone already; leave out the second word", cut(text)),
        Err(_) => format!("`{}` is not a time between 1970 and 2099; write it like 2026-12-25T03:00", cut(text)),
    })
}

/// Years are looked at before a zone is asked, so that none is beyond what it can answer.
fn as_wall(text: &str) -> Option<NaiveDateTime> {
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let read = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    read.filter(|wall| (1970..2100).contains(&wall.year()))
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| match as_wall(text) {
        Some(_) => format!("`{text}` needs a zone: at {text} Europe/Amsterdam"),
        None => format!("`{}` is not a time; write it like {BEGINNING}, or at 2026-12-25T02:00:00Z", cut(text)),
    })
}

fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        let meant = did_you_mean(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint =
            meant.map_or_else(|| "write it like Europe/Amsterdam".to_owned(), |near| format!("did you mean `{near}`?"));
        format!("there is no time zone `{}`; {hint}", cut(name))
    })
}

fn alert(words: &mut Words<'_>) -> Result<Statement, String> {
    const USAGE: &str = "alert SERVICE STR [severity=…] [key=…] [environment=…] [label.X=…]";
    const OPTIONS: [&str; 4] = ["severity", "key", "environment", "label."];
    let mut alert = AlertLine {
        service: need(words, USAGE)?,
        text: need(words, USAGE)?,
        severity: None,
        key: None,
        environment: None,
        labels: std::collections::BTreeMap::new(),
    };
    if alert.text.trim().is_empty() {
        return Err("an alert says what is wrong; its text is empty".to_owned());
    }
    while let Some(word) = words.next()? {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!(
                "`{}` is not an option; a text of several words stands in quotes: {USAGE}",
                cut(&word)
            ));
        };
        if value.is_empty() {
            return Err(format!("`{}=` has no value", cut(name)));
        }
        let twice = match name {
            "severity" => alert.severity.replace(alert_severity(value)?).is_some(),
            "key" => alert.key.replace(value.to_owned()).is_some(),
            "environment" => alert.environment.replace(value.to_owned()).is_some(),
            _ => match name.strip_prefix("label.").filter(|label| !label.is_empty()) {
                Some(label) => alert.labels.insert(label.to_owned(), value.to_owned()).is_some(),
                None => return Err(unknown("option", name, &OPTIONS)),
            },
        };
        if twice {
            return Err(format!("`{}` is given twice", cut(name)));
        }
    }
    Ok(Statement::Alert(alert))
}

fn alert_severity(word: &str) -> Result<AlertSeverity, String> {
    AlertSeverity::from_word(word).ok_or_else(|| unknown("severity", word, &["critical", "high", "warning", "info"]))
}

fn clear(words: &mut Words<'_>) -> Result<Statement, String> {
    const USAGE: &str = "clear SERVICE key=…";
    let service = need(words, USAGE)?;
    let key = need(words, USAGE)?;
    match key.strip_prefix("key=").filter(|key| !key.is_empty()) {
        Some(key) => Ok(Statement::Clear { service, key: key.to_owned() }),
        None => Err(format!("`{}` is no key; usage: {USAGE}", cut(&key))),
    }
}

fn send(words: &mut Words<'_>) -> Result<Statement, String> {
    const USAGE: &str = "send SOURCE FILE";
    let source = source::find(&need(words, USAGE)?).map_err(|wrong| wrong.to_string())?;
    Ok(Statement::Send { source: source.name, file: need(words, USAGE)? })
}

/// `PERSON [in CHANNEL]: COMMAND`; the colon is the first one before white space or a slash.
fn say(rest: &str) -> Result<Statement, String> {
    const USAGE: &str = "as PERSON [in CHANNEL]: COMMAND";
    let colon = rest.match_indices(':').map(|(at, _)| at).find(|at| {
        let next = rest[at + 1..].chars().next();
        next.is_none_or(|c| c.is_whitespace() || c == '/')
    });
    let Some(colon) = colon else { return Err(format!("a colon is missing before the command; usage: {USAGE}")) };
    let text = without_comment(rest[colon + 1..].trim_start());
    if text.is_empty() {
        return Err(format!("the command is missing; usage: {USAGE}"));
    }
    let mut words = Words::new(&rest[..colon]);
    let person = need(&mut words, USAGE)?;
    let channel = match words.next()?.as_deref() {
        None => None,
        Some("in") => Some(words.channel()?.ok_or_else(|| format!("a channel is missing; usage: {USAGE}"))?),
        Some(other) => return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(other))),
    };
    if let Some(more) = words.next()? {
        return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&more)));
    }
    Ok(Statement::Say { person: PersonId::from(person), channel, text: text.to_owned() })
}

fn press(words: &mut Words<'_>) -> Result<Statement, String> {
    const USAGE: &str = "press PERSON BUTTON ID";
    let person = PersonId::from(need(words, USAGE)?);
    let word = need(words, USAGE)?;
    let decide = JudgeButton::ALL.into_iter().find(|button| button.as_str() == word);
    if let Some(button) = decide {
        let id = need(words, USAGE)?;
        let wrong = |_| format!("`{}` is neither a change nor a request; write it like CHG-1 or REQ-1", cut(&id));
        let on = id.parse().map_err(wrong)?;
        return Ok(Statement::PressJudge { person, button, on });
    }
    if let Some(button) = RunButton::ALL.into_iter().find(|button| button.as_str() == word) {
        let id = need(words, USAGE)?;
        let run = id.parse().map_err(|_| format!("`{}` is not a run; write it like RUN-1", cut(&id)))?;
        return Ok(Statement::PressRun { person, button, run });
    }
    let button = Button::from_word(&word).ok_or_else(|| unknown("button", &word, &Button::ALL.map(Button::as_str)))?;
    Ok(Statement::Press { person, button, incident: incident_id(words, USAGE)? })
}

fn fault(words: &mut Words<'_>, statement: &str) -> Result<Fault, String> {
    let method = method(&need(words, &format!("{statement} METHOD [PERSON]"))?)?;
    Ok(Fault { method, person: words.next()? })
}

fn method(word: &str) -> Result<Method, String> {
    Method::from_word(word).ok_or_else(|| unknown("contact method", word, &Method::ALL.map(Method::as_str)))
}

fn incident_id(words: &mut Words<'_>, usage: &str) -> Result<IncidentId, String> {
    let word = need(words, usage)?;
    word.parse().map_err(|_| format!("`{}` is not an incident; write it like INC-1", cut(&word)))
}

fn expect(words: &mut Words<'_>) -> Result<Expect, String> {
    let what = need(words, "expect incident|page|no page|reply|post …")?;
    match what.as_str() {
        "incident" => expect_incident(words),
        "change" => expect_change(words),
        "problem" => expect_problem(words),
        "run" => expect_run(words),
        "request" => super::request::expect(words),
        "page" => {
            const USAGE: &str = "expect page PERSON via METHOD";
            let person = paged(need(words, USAGE)?)?;
            let via = need(words, USAGE)?;
            if via != "via" {
                return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&via)));
            }
            Ok(Expect::Page { person, method: method(&need(words, USAGE)?)? })
        }
        "no" => match words.next()?.as_deref() {
            Some("page" | "pages") => Ok(Expect::NoPage { person: words.next()?.map(paged).transpose()? }),
            _ => Err("usage: expect no page [PERSON]".to_owned()),
        },
        "reply" => {
            const USAGE: &str = "expect reply PERSON contains|lacks STR";
            let person = PersonId::from(need(words, USAGE)?);
            let (contains, text) = text(words, USAGE)?;
            Ok(Expect::Reply { person, contains, text })
        }
        "post" => {
            const USAGE: &str = "expect post CHANNEL contains|lacks STR";
            let channel = words.channel()?.ok_or_else(|| missing(USAGE))?;
            let (contains, text) = text(words, USAGE)?;
            Ok(Expect::Post { channel, contains, text })
        }
        "finding" => {
            const USAGE: &str = "expect finding DIR contains|lacks STR";
            let dir = need(words, USAGE)?;
            let (contains, text) = text(words, USAGE)?;
            Ok(Expect::Finding { dir, contains, text })
        }
        _ => Err(unknown("thing to expect", &what, &EXPECTED)),
    }
}

fn paged(name: String) -> Result<String, String> {
    match name.strip_prefix("channel:").or_else(|| name.strip_prefix('#')) {
        Some(channel) => Err(format!("what reaches a channel is a post: expect post {channel} contains \"…\"")),
        None => Ok(name),
    }
}

fn expect_incident(words: &mut Words<'_>) -> Result<Expect, String> {
    const USAGE: &str = "expect incident ID STATE [SEV] [field=VALUE …]";
    let incident = incident_id(words, USAGE)?;
    let word = need(words, USAGE)?;
    let state = STATES
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| unknown("state", &word, &STATES.map(IncidentState::as_str)))?;
    let (mut severity, mut fields) = (None, Vec::new());
    while let Some(word) = words.next()? {
        match word.split_once('=') {
            Some((name, value)) => match Field::ALL.iter().find(|(known, _)| *known == name) {
                Some((_, field)) => fields.push((*field, value.to_owned())),
                None => return Err(unknown("field", name, &Field::ALL.map(|(known, _)| known))),
            },
            None if severity.is_none() && fields.is_empty() => {
                let known = || unknown("severity", &word, &["sev1", "sev2", "sev3", "sev4"]);
                severity = Some(Severity::from_word(&word).ok_or_else(known)?);
            }
            None => return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&word))),
        }
    }
    Ok(Expect::Incident { incident, state, severity, fields })
}

fn expect_change(words: &mut Words<'_>) -> Result<Expect, String> {
    const USAGE: &str = "expect change ID STATE [field=VALUE …]";
    let word = need(words, USAGE)?;
    let change =
        word.parse().map_err(|_| format!("`{}` is not a change; write it like CHG-1; usage: {USAGE}", cut(&word)))?;
    let word = need(words, USAGE)?;
    let state = ChangeState::ALL
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| unknown("state", &word, &ChangeState::ALL.map(ChangeState::as_str)))?;
    let mut fields = Vec::new();
    while let Some(word) = words.next()? {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&word)));
        };
        match ChangeField::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => fields.push((*field, value.to_owned())),
            None => return Err(unknown("field", name, &ChangeField::ALL.map(|(known, _)| known))),
        }
    }
    Ok(Expect::Change { change, state, fields })
}

fn expect_problem(words: &mut Words<'_>) -> Result<Expect, String> {
    const USAGE: &str = "expect problem ID STATE [field=VALUE …]";
    let word = need(words, USAGE)?;
    let problem =
        word.parse().map_err(|_| format!("`{}` is not a problem; write it like PRB-1; usage: {USAGE}", cut(&word)))?;
    let word = need(words, USAGE)?;
    let state = ProblemState::ALL
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| unknown("state", &word, &ProblemState::ALL.map(ProblemState::as_str)))?;
    let mut fields = Vec::new();
    while let Some(word) = words.next()? {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&word)));
        };
        match ProblemField::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => fields.push((*field, value.to_owned())),
            None => return Err(unknown("field", name, &ProblemField::ALL.map(|(known, _)| known))),
        }
    }
    Ok(Expect::Problem { problem, state, fields })
}

fn expect_run(words: &mut Words<'_>) -> Result<Expect, String> {
    const USAGE: &str = "expect run ID STATE [step=NAME]";
    let word = need(words, USAGE)?;
    let run =
        word.parse().map_err(|_| format!("`{}` is not a run; write it like RUN-1; usage: {USAGE}", cut(&word)))?;
    let state = need(words, USAGE)?;
    if !WORDS.contains(&state.as_str()) {
        return Err(unknown("state", &state, &WORDS));
    }
    let step = match words.next()? {
        None => None,
        Some(word) => match word.strip_prefix("step=") {
            Some(step) => Some(step.to_owned()),
            None => return Err(format!("`{}` cannot stand here; usage: {USAGE}", cut(&word))),
        },
    };
    Ok(Expect::Run { run, state, step })
}

fn step(words: &mut Words<'_>) -> Result<Statement, String> {
    const USAGE: &str = "step NAME succeeds|fails|hangs [STR]";
    let name = need(words, USAGE)?;
    let how = need(words, USAGE)?;
    let text = words.next()?;
    let how = match how.as_str() {
        "succeeds" => StepGoes::Succeeds(text.unwrap_or_default()),
        "fails" => StepGoes::Fails(text.unwrap_or_else(|| "it fails (simulated)".to_owned())),
        "hangs" if text.is_none() => StepGoes::Hangs,
        "hangs" => return Err(format!("what hangs says nothing; usage: {USAGE}")),
        other => return Err(format!("{}; usage: {USAGE}", unknown("way", other, &["succeeds", "fails", "hangs"]))),
    };
    Ok(Statement::Step { name, how })
}

fn text(words: &mut Words<'_>, usage: &str) -> Result<(bool, String), String> {
    let how = need(words, usage)?;
    let contains = match how.as_str() {
        "contains" => true,
        "lacks" => false,
        _ => return Err(format!("{}; usage: {usage}", unknown("comparison", &how, &["contains", "lacks"]))),
    };
    let text = need(words, usage)?;
    if text.is_empty() { Err("the text to look for is empty".to_owned()) } else { Ok((contains, text)) }
}

pub(super) fn need(words: &mut Words<'_>, usage: &str) -> Result<String, String> {
    words.next()?.ok_or_else(|| missing(usage))
}

fn missing(usage: &str) -> String {
    format!("something is missing; usage: {usage}")
}

pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let hint = match did_you_mean(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it is one of {}", known.join(", ")),
    };
    format!("there is no {what} `{}`; {hint}", cut(word))
}

/// A word as it is repeated in a message.
pub(super) fn cut(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = word.chars().take(LONGEST).filter(|c| !c.is_control()).collect();
    if word.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
