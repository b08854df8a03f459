//! Templates of postmortems (minijinja): the one that Opsbell brings along, an organisation's own in its place, and
//! more by severity or service. Rendering is bounded: by fuel, and by the size of what comes out. A template that fails
//! is found when it is added, by rendering samples; should it fail all the same, the built-in one is used.

use std::sync::{Arc, LazyLock};

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Output, State, Value};

use super::TEXT_MAX;
use super::facts::Facts;
use crate::domain::incident::Severity;
use crate::domain::template::{self, Flaw};

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
        environment.add_template_owned(name.to_owned(), source.to_owned()).map_err(|error| Flaw::of(&error))?;
        for sample in [Facts::sample(), Facts::sparse()] {
            if let Err(error) = render(environment, name, &sample) {
                environment.remove_template(name);
                return Err(Flaw::of(&error));
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
                    let flaw = Flaw::of(&error);
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
    let mut environment = template::environment(FUEL);
    environment.set_formatter(inert);
    environment
}

fn render(environment: &Environment<'static>, name: &str, facts: &Facts) -> Result<String, Error> {
    template::render(environment, name, facts, TEXT_MAX)
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
