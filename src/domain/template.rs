//! Rendering a template (minijinja) within bounds: of steps, and of the size of what comes out. Whose templates there
//! are, and what they can say, is theirs who use it: `postmortem`, `report/summary`.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde::Serialize;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, in a few words.
    pub message: String,
}

impl Flaw {
    /// What an error means.
    pub fn of(error: &Error) -> Self {
        let said = error.detail().map(ToOwned::to_owned);
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "it takes too many steps; is there a loop without an end?".to_owned(),
            ErrorKind::UndefinedError => said.unwrap_or_else(|| "it uses something that there is not".to_owned()),
            kind => said.map_or_else(|| kind.to_string(), |said| format!("{kind}: {said}")),
        };
        let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
        Self { line: error.line().unwrap_or(1), message }
    }
}

/// An empty environment. `fuel`: the steps that a template may take.
pub fn environment(fuel: u64) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(fuel));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // What could gather text from turn to turn of a loop, twice as much in each: fuel does not see the size.
    environment.remove_global("namespace");
    if let Ok(syntax) =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment
}

/// Renders one of the environment's templates, to at most `most` bytes.
///
/// # Errors
/// It fails, takes too many steps, or makes no text or too much of it.
pub fn render(
    environment: &Environment<'static>,
    name: &str,
    facts: &impl Serialize,
    most: usize,
) -> Result<String, Error> {
    let mut out = Bounded { bytes: Vec::new(), most, full: false };
    let template = environment.get_template(name)?;
    let rendered = template.render_captured_to(Serde(facts), &mut out).map(drop);
    if out.full {
        let message = format!("it makes more than {} KiB of text", most >> 10);
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
    most: usize,
    full: bool,
}

impl std::io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
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
