//! Perform: does what a run of a playbook owes to the outside: asks a server (`http`), runs a program (`program`). Each
//! errand is done once; whether it is done again is the domain's to say. What may be reached is asked anew here, of the
//! organisation in force: a playbook keeps its text while it runs, and what it names may be forbidden meanwhile.

pub mod address;
mod http;
mod program;
mod redact;
#[cfg(all(test, feature = "cli"))]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::catalog::Secret;
use crate::domain::playbook::{Allowed, Errand, Performed, Work};
use redact::Redact;

/// The most that is read of an answer, in bytes; of what a program writes as well.
pub const READ_MAX: usize = 64 * 1024;

/// Does errands.
#[derive(Debug, Clone, Default)]
pub struct Performer {
    tokens: BTreeMap<String, Secret>,
    redact: Redact,
    here: bool,
}

impl Performer {
    /// One that knows the tokens of hosts, by host as `[[http-host]]` writes it.
    pub fn new(tokens: BTreeMap<String, Secret>) -> Self {
        let redact = Redact::new(tokens.values().map(|secret| secret.expose().to_owned()));
        Self { tokens, redact, here: false }
    }

    /// The same for a demo: only this machine is asked.
    #[must_use]
    pub fn only_here(self) -> Self {
        Self { here: true, ..self }
    }

    /// Does one errand, within its timeout. What it tells holds no secret.
    pub async fn perform(&self, errand: &Errand, allowed: &Allowed) -> Performed {
        let timeout = Duration::from_millis(u64::try_from(errand.timeout.0).unwrap_or(0));
        let performed = match &errand.work {
            Work::Http(asked) => self.http(asked, allowed, timeout).await,
            Work::Run(program) => program::run(program, allowed, timeout).await,
        };
        match performed {
            Performed::Done { output } => Performed::Done { output: self.redact.text(&output) },
            Performed::Failed { reason, output } => {
                Performed::Failed { reason: self.redact.text(&reason), output: self.redact.text(&output) }
            }
            Performed::Unknown { reason } => Performed::Unknown { reason: self.redact.text(&reason) },
        }
    }
}

/// It could not be done, or went wrong, and said nothing.
fn failed(reason: impl Into<String>) -> Performed {
    Performed::Failed { reason: reason.into(), output: String::new() }
}
