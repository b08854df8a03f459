//! Templates of summaries: those that Opsbell brings along, and an organisation's own in their place or beside them.
//! One that fails is found when it is added, by rendering samples; should it fail all the same, the built-in one is used
//! and it is said why.

use std::sync::{Arc, LazyLock};

use compact_str::CompactString;
use minijinja::Environment;

use super::facts::Facts;
use crate::domain::template::{self, Flaw};

/// The templates that Opsbell brings along, by name.
const BUILT_IN: [(&str, &str); 3] = [
    (DAILY, include_str!("../../../../playbooks/summaries/daily.md")),
    ("handover", include_str!("../../../../playbooks/summaries/handover.md")),
    ("review", include_str!("../../../../playbooks/summaries/review.md")),
];
/// The one that is meant where none is named.
pub const DAILY: &str = "daily";
/// Steps that a template may take; the longest daily status takes a tenth of it.
const FUEL: u64 = 100_000;
/// The longest text of a summary, in bytes: more is nothing that a chat can show.
pub const TEXT_MAX: usize = 16 << 10;

/// An organisation's templates.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
    /// The names of its own.
    own: Vec<CompactString>,
}

impl Default for Templates {
    fn default() -> Self {
        static BUILT_IN_ONLY: LazyLock<Arc<Environment<'static>>> = LazyLock::new(|| {
            let mut environment = template::environment(FUEL);
            for (name, source) in BUILT_IN {
                // A test renders them; were one broken, rendering would fail and say so.
                let _ = environment.add_template(name, source);
            }
            Arc::new(environment)
        });
        Self { environment: BUILT_IN_ONLY.clone(), own: Vec::new() }
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.own).finish()
    }
}

impl Templates {
    /// Adds a template of the organisation by its name, `daily`. It is rendered for two samples, one with everything and
    /// one with nothing in it.
    ///
    /// # Errors
    /// It is not a template, or does not render.
    pub fn add(&mut self, name: &str, source: &str) -> Result<(), Flaw> {
        let environment = Arc::make_mut(&mut self.environment);
        let own = own(name);
        environment.add_template_owned(own.clone(), source.to_owned()).map_err(|error| Flaw::of(&error))?;
        for sample in [Facts::sample(), Facts::sparse()] {
            if let Err(error) = template::render(environment, &own, &sample, TEXT_MAX) {
                environment.remove_template(&own);
                return Err(Flaw::of(&error));
            }
        }
        self.own.push(name.into());
        Ok(())
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = BUILT_IN.iter().map(|(name, _)| *name).filter(|name| !self.has_own(name));
        self.own.iter().map(CompactString::as_str).chain(built_in)
    }

    fn has_own(&self, name: &str) -> bool {
        self.own.iter().any(|own| own == name)
    }

    /// A summary's text. Where the organisation's template fails, or is gone, the built-in one is used, and that is said.
    pub fn write(&self, name: &str, facts: &Facts) -> String {
        let rendered = |name: &str| template::render(&self.environment, name, facts, TEXT_MAX);
        let mut failed = String::new();
        if self.has_own(name) {
            match rendered(&own(name)) {
                Ok(text) => return text.trim_end().to_owned(),
                Err(error) => {
                    let flaw = Flaw::of(&error);
                    let at = format!("{}:{}", own(name), flaw.line);
                    failed = format!("\n(The template failed, so this is the built-in one: {at}: {})", flaw.message);
                }
            }
        }
        let built_in = BUILT_IN.iter().map(|(known, _)| *known).find(|known| *known == name).unwrap_or(DAILY);
        match rendered(built_in) {
            Ok(text) => format!("{}{failed}", text.trim_end()),
            // They are bounded by what the facts hold, and tested with the longest.
            Err(error) => format!("The summary of {} cannot be written: {error}. How things stand: /status", facts.due),
        }
    }
}

/// What an own template is called in the environment; no built-in one is called so.
fn own(name: &str) -> String {
    format!("playbooks/summaries/{name}.md")
}
