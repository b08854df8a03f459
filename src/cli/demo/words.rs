//! The demo's own words: `/demo alert`, `/demo skip 5m`, `/demo as NAME`, `/demo help`. They are command data like all
//! others, so that completion and help know them; what they do is not part of the domain.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::PATIENCE;
use super::stage::INTEGRATION;
use crate::chat::terminal::{Desked, OwnWords, Terminal};
use crate::domain::actor::{Actor, By};
use crate::domain::command::grammar;
use crate::domain::command::spec::{CommandSpec, Lexicon, OptionKind, OptionSpec, Permission};
use crate::domain::id::{IncidentId, PersonId, ServiceId};
use crate::domain::input::{Input, InputKind, Unavailable};
use crate::domain::org::Org;
use crate::domain::paging::look;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};
use crate::domain::time::Span;
use crate::runtime::handle::{Handle, Tell};

/// The service that breaks unless another is named.
const SERVICE: &str = "payments-api";
/// What breaks unless something else is said.
const TEXT: &str = "refunds hang for minutes";
/// The longest skip: all that happens on the way really happens, one moment after the other.
const SKIP_MAX: Span = Span::days(31);
/// What a line caused appears above the next one, unless it takes longer than this.
const SETTLE: Duration = Duration::from_secs(3);

/// The demo's own words.
pub struct DemoWords {
    lexicon: Lexicon,
    org: Arc<Org>,
    engine: OnceLock<Handle>,
}

impl DemoWords {
    /// Before the house stands.
    pub fn new(org: Arc<Org>) -> Self {
        Self { lexicon: Lexicon { commands: commands() }, org, engine: OnceLock::new() }
    }

    /// The house stands.
    pub fn connect(&self, engine: Handle) {
        // A second time keeps the first, which cannot be.
        let _ = self.engine.set(engine);
    }

    fn engine(&self) -> Result<&Handle, Reject> {
        self.engine.get().ok_or_else(|| refused(Unavailable::ShuttingDown))
    }

    fn run(&self, terminal: &Terminal, line: &str) -> Result<String, Reject> {
        let call = grammar::parse(line, &self.lexicon)?;
        let option = |name: &str| call.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match call.command.as_str() {
            "demo alert" => self.alert(option("service"), option("text")),
            "demo skip" => self.skip(terminal, option("duration").unwrap_or_default()),
            "demo as" => self.sit_down(terminal, option("person").unwrap_or_default()),
            _ => Ok(self.help()),
        }
    }

    fn help(&self) -> String {
        let width = self.lexicon.commands.iter().map(|spec| example(spec).chars().count()).max().unwrap_or(0);
        let line = |spec: &CommandSpec| format!("{:width$}  {}", example(spec), spec.summary);
        let lines: Vec<String> = self.lexicon.commands.iter().map(line).collect();
        format!("{}\nThey are the demo's own; all other words: /help", lines.join("\n"))
    }

    fn alert(&self, service: Option<&str>, text: Option<&str>) -> Result<String, Reject> {
        // A quoted text alone is no service.
        let (service, text) = match (service, text) {
            (Some(quoted), None) if quoted.contains(char::is_whitespace) => (None, Some(quoted)),
            given => given,
        };
        let service = service.unwrap_or(SERVICE);
        if !self.org.services.contains_key(service) {
            return Err(self.no_service(service));
        }
        let text = look::line(text.unwrap_or(TEXT), 200).into_owned();
        let desk = Desked(Arc::new(self.engine()?.clone()));
        // Every alert is one of its own: its key is the commit after which it came.
        let seq = desk.look(PATIENCE, |view| view.state.meta.seq).map_err(refused)?;
        let signal = Signal {
            kind: SignalKind::Alert,
            service: Some(service.to_owned()),
            name: text,
            severity: Some(AlertSeverity::Critical),
            severity_word: None,
            status: "firing".to_owned(),
            key: format!("demo-{seq}"),
            summary: None,
            labels: Default::default(),
            environment: None,
            link: None,
            started_at: None,
            deployment: None,
        };
        let kind = InputKind::Signal { integration: INTEGRATION.into(), signal: Box::new(signal) };
        let by = By::new(Actor::Integration(INTEGRATION.into()), "demo");
        let answer = desk.ask(Input { by, idempotency: None, kind, closed: Vec::new() }).map_err(refused)?;
        let reply = answer.ok_or_else(|| refused(Unavailable::Busy))?.reply?;
        let [incident, alert] = reply.records.as_slice() else { return Ok(reply.text) };
        let joined = match incident.parse::<IncidentId>() {
            Ok(id) => desk.look(PATIENCE, move |view| joined(view.state, id)).unwrap_or(false),
            Err(_) => false,
        };
        Ok(if joined {
            format!("{alert} joins {incident}, which is open: nobody is paged twice for it.")
        } else {
            format!("{alert} fires at {service} and opens {incident}.")
        })
    }

    fn no_service(&self, named: &str) -> Reject {
        let services = || self.org.services.keys().map(ServiceId::as_str);
        let hint = match did_you_mean(named, services()) {
            Some(meant) => format!("did you mean `/demo alert {meant}`?"),
            None => format!("services: {}\ntext goes in quotes", services().collect::<Vec<_>>().join(", ")),
        };
        let named = look::line(named, 60);
        Reject::new(RejectCode::NotFound, format!("there is no service `{named}`")).hint(hint)
    }

    fn skip(&self, terminal: &Terminal, duration: &str) -> Result<String, Reject> {
        let bad = |message: String| Reject::new(RejectCode::BadValue, message).hint("for example: /demo skip 5m");
        let span: Span = duration.parse().map_err(|error| bad(format!("{error}")))?;
        if span > SKIP_MAX {
            return Err(bad(format!("{span} is more than a demo can skip at once; at most {SKIP_MAX}")));
        }
        let engine = self.engine()?;
        // What happens meanwhile is shown meanwhile: it is only over when it was shown.
        terminal.let_through();
        if !moved(engine, span, PATIENCE) {
            let slow = Reject::new(RejectCode::Conflict, "the clock is still moving; messages go on appearing");
            return Err(slow.hint("look how things are: /status"));
        }
        let who = terminal.who();
        let now = engine.look(move |view| {
            look::times(&format!("<t:{}:F>", view.now.unix_secs()), view.org.zone(Some(&who)), view.now)
        });
        Ok(format!("{span} later: {}", now.map_err(refused)?))
    }

    fn sit_down(&self, terminal: &Terminal, name: &str) -> Result<String, Reject> {
        let Some((id, person)) = self.org.people.get_key_value(name.to_lowercase().as_str()) else {
            let people = || self.org.people.keys().map(PersonId::as_str);
            let hint = match did_you_mean(name, people()) {
                Some(meant) => format!("did you mean `/demo as {meant}`?"),
                None => format!("people: {}", people().collect::<Vec<_>>().join(", ")),
            };
            let name = look::line(name, 60);
            return Err(Reject::new(RejectCode::NotFound, format!("there is no person `{name}`")).hint(hint));
        };
        terminal.seat(id.clone());
        Ok(format!("You are {id} now; times are those of {}. What you may do: /whoami", person.zone))
    }
}

fn joined(state: &crate::domain::state::State, id: IncidentId) -> bool {
    state.incidents.get(&id).is_some_and(|incident| incident.alerts_total > 1)
}

/// The longest way to say it, which shows all options.
fn example(spec: &CommandSpec) -> &str {
    spec.examples.last().map_or(spec.name.as_str(), String::as_str)
}

fn refused(why: Unavailable) -> Reject {
    Reject::new(RejectCode::Conflict, why.to_string())
}

/// Moves the clock and waits until all that came due has happened and arrived; `false`: it takes longer.
fn moved(engine: &Handle, span: Span, patience: Duration) -> bool {
    let (tell, told) = crossbeam_channel::bounded(1);
    let done = Box::new(move || {
        let _ = tell.send(());
    });
    engine.tell(Tell::Skip(span, done));
    told.recv_timeout(patience).is_ok()
}

impl OwnWords for Arc<DemoWords> {
    fn commands(&self) -> &[CommandSpec] {
        &self.lexicon.commands
    }

    fn said(&self, terminal: &Terminal, line: &str) -> Option<Result<String, Reject>> {
        let first = line.split_whitespace().next()?;
        first.eq_ignore_ascii_case("/demo").then(|| self.run(terminal, line))
    }

    fn settle(&self) {
        if let Some(engine) = self.engine.get() {
            moved(engine, Span::ZERO, SETTLE);
        }
    }

    fn hint(&self, line: &str) -> Option<String> {
        let shell = line.split_whitespace().next().is_some_and(|word| matches!(word, "curl" | "opsbell" | "./dev"));
        shell.then(|| "that goes into another terminal; here it is `/demo alert`".to_owned())
    }
}

fn commands() -> Vec<CommandSpec> {
    let command = |name: &str, summary: &str, options: Vec<OptionSpec>, examples: &[&str]| CommandSpec {
        name: name.into(),
        summary: summary.to_owned(),
        run: name.replace(' ', ".").into(),
        permission: Permission::Read,
        options,
        examples: examples.iter().map(|&example| example.to_owned()).collect(),
        private: true,
        synonyms: Vec::new(),
    };
    let option = |name: &str, summary: &str, kind: OptionKind, required: bool| OptionSpec {
        name: name.into(),
        summary: summary.to_owned(),
        kind,
        required,
        choices: Vec::new(),
        rest: kind == OptionKind::Text,
        synonyms: Vec::new(),
    };
    vec![
        command("demo help", "Show the demo's own words", Vec::new(), &["/demo help"]),
        command(
            "demo alert",
            "Let an alert fire, as monitoring would; whoever is on call is paged",
            vec![
                option("service", "What breaks; payments-api unless said", OptionKind::Service, false),
                option("text", "What is wrong, in a few words", OptionKind::Text, false),
            ],
            &["/demo alert", "/demo alert crew-roster \"nobody is planned for EJ 204\""],
        ),
        command(
            "demo skip",
            "Move the clock: all that would happen meanwhile happens now",
            vec![option("duration", "How far", OptionKind::Duration, true)],
            &["/demo skip 5m"],
        ),
        command(
            "demo as",
            "Be another person",
            vec![option("person", "Who", OptionKind::User, true)],
            &["/demo as cleo"],
        ),
    ]
}
