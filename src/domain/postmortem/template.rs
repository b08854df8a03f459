//! Templates of postmortems (minijinja): the one that Opsbell brings along, an organisation's own in its place, and
//! more by severity or service. Rendering is bounded: by fuel, and by the size of what comes out. A template that fails
//! is found when it is added, by rendering samples; should it fail all the same, the built-in one is used.

use std::sync::{Arc, LazyLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use super::TEXT_MAX;
use super::facts::Facts;
use crate::domain::incident::Severity;

/// The template that Opsbell brings along.
const BUILT_IN: &str = include_str!("../../../playbooks/postmortem.md");
/// Its name in the environment, which no file can have.
const BUILT_IN_NAME: &str = "the built-in template";
/// Steps that a template may take; the built-in one takes a few thousand for a long incident.
const FUEL: u64 = 200_000;

/// An organisation's templates.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
    /// The paths of those that were added: `postmortem.md`, `postmortem/sev1.md`.
    names: Vec<String>,
}

impl Default for Templates {
    fn default() -> Self {
        static BUILT_IN_ONLY: LazyLock<Arc<Environment<'static>>> = LazyLock::new(|| {
            let mut environment = environment();
            // A test renders it; were it broken, rendering would fail and say so.
            let _ = environment.add_template(BUILT_IN_NAME, BUILT_IN);
            Arc::new(environment)
        });
        Self { environment: BUILT_IN_ONLY.clone(), names: Vec::new() }
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in a few words.
    pub message: String,
}

/// What a template made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where the template stands: `playbooks/postmortem.md`.
    pub template: String,
    /// Why another one could not be used.
    pub failure: Option<String>,
}

impl Templates {
    /// Adds a template of the organisation by its path below `playbooks/`. It is rendered for incidents of two kinds, one
    /// with everything and one with nothing in it.
    ///
    /// # Errors
    /// It is not a template, or does not render.
    pub fn add(&mut self, name: &str, source: &str) -> Result<(), Flaw> {
        let environment = Arc::make_mut(&mut self.environment);
        environment.add_template_owned(name.to_owned(), source.to_owned()).map_err(|error| flaw(&error))?;
        for sample in [Facts::sample(), Facts::sparse()] {
            if let Err(error) = render(environment, name, &sample) {
                environment.remove_template(name);
                return Err(flaw(&error));
            }
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Drafts a postmortem by the nearest template: of the service, of the severity, of the organisation, built in.
    pub fn draft(&self, service: &str, severity: Severity, facts: &Facts) -> Rendered {
        let wanted =
            [format!("postmortem/{service}.md"), format!("postmortem/{severity}.md"), "postmortem.md".to_owned()];
        let mut failure = None;
        if let Some(name) = wanted.iter().find(|name| self.names.contains(name)) {
            let template = format!("playbooks/{name}");
            match render(&self.environment, name, facts) {
                Ok(text) => return Rendered { text, template, failure: None },
                Err(error) => {
                    let flaw = flaw(&error);
                    failure = Some(format!("{template}:{}: {}", flaw.line, flaw.message));
                }
            }
        }
        let text = render(&self.environment, BUILT_IN_NAME, facts).unwrap_or_else(|error| {
            // It is bounded by what the facts hold, and tested with the longest; still nobody should lose the rest.
            format!("# Postmortem\n\nThe built-in template failed: {error}\n\n## Root cause\n\n## Actions\n")
        });
        Rendered { text, template: BUILT_IN_NAME.to_owned(), failure }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(inert);
    // What could gather text from turn to turn of a loop, twice as much in each: fuel does not see the size.
    environment.remove_global("namespace");
    if let Ok(syntax) =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment
}

/// Writes a value so that text from outside stays text in Markdown: no HTML, link, code or emphasis comes of it, and no
/// new line. `|safe` writes it as it is.
fn inert(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) if !value.is_safe() => text,
        _ => return minijinja::escape_formatter(out, state, value),
    };
    let mut plain = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    out.write_str(&plain).map_err(Error::from)
}

fn render(environment: &Environment<'static>, name: &str, facts: &Facts) -> Result<String, Error> {
    let mut out = Bounded { bytes: Vec::new(), full: false };
    let template = environment.get_template(name)?;
    let rendered = template.render_captured_to(minijinja::value::Serde(facts), &mut out).map(drop);
    if out.full {
        let message = format!("it makes more than {} KiB of text", TEXT_MAX >> 10);
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    rendered?;
    let text =
        String::from_utf8(out.bytes).map_err(|_| Error::new(ErrorKind::InvalidOperation, "it makes no UTF-8 text"))?;
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "it makes no text"));
    }
    Ok(text)
}

/// Takes so many bytes and no more.
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + more.len() > TEXT_MAX {
            self.full = true;
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn flaw(error: &Error) -> Flaw {
    let said = error.detail().map(ToOwned::to_owned);
    let message = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too many steps; is there a loop without an end?".to_owned(),
        ErrorKind::UndefinedError => said.unwrap_or_else(|| "it uses something that there is not".to_owned()),
        kind => said.map_or_else(|| kind.to_string(), |said| format!("{kind}: {said}")),
    };
    let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
    Flaw { line: error.line().unwrap_or(1), message }
}
