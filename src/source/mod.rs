//! Sources: one file per sender, each a pure parser from bytes to signals, and the registry that names them.
//! No I/O, no clock, no threads here; how bytes arrive and who may send them is `http/`, what a signal leads to is
//! `domain/`. All text in a signal is data of a stranger: it is cut and cleaned here, and made inert where it is shown.
//!
//! To add a sender: a file with one function `read`, and one line in [`SOURCES`].

mod alertmanager;
mod aws_deploy;
mod body;
mod buildkite;
mod circleci;
mod deploy;
mod flux;
mod generic;
mod github;
mod gitlab;
mod grafana;
mod object;
mod opsgenie;
mod pagerduty;
mod text;

pub use crate::domain::limits;
use crate::domain::org::Mapping;
use crate::domain::signal::{self, Signal};

/// What stands for a name where a sender gives none, as in an acknowledgement by its key alone.
const NAMELESS: &str = "-";

/// One kind of sender.
#[derive(Debug)]
pub struct Source {
    /// Its word in `/v1/ingest/<name>`, in `opsbell read <name>` and in an integration's `source`.
    pub name: &'static str,
    /// What it reads, for people.
    pub about: &'static str,
    /// The parser. The mapping is that of the integration; only `generic` looks at it.
    pub read: fn(&[u8], &Mapping) -> Result<Reading, Unreadable>,
}

/// Every source that is built, in the order in which they are listed to people.
pub const SOURCES: &[Source] = &[
    Source {
        name: "alertmanager",
        about: "Prometheus Alertmanager's webhook, version 3 and 4",
        read: alertmanager::read,
    },
    Source { name: "generic", about: "any JSON, read by the JSONPath mapping of the integration", read: generic::read },
    Source { name: "grafana", about: "Grafana's webhooks, unified and legacy", read: grafana::read },
    Source {
        name: "pagerduty",
        about: "PagerDuty's Events API v2, its change events, and its webhooks of version 3",
        read: pagerduty::read,
    },
    Source { name: "opsgenie", about: "Opsgenie's Alert API, and its webhooks", read: opsgenie::read },
    Source { name: "text", about: "messages and mails as tools write them", read: text::read },
    Source { name: "github", about: "GitHub's deployments, workflow runs, pushes and releases", read: github::read },
    Source { name: "gitlab", about: "GitLab's deployments, pipelines, jobs, pushes and releases", read: gitlab::read },
    Source { name: "flux", about: "Flux's events, by its generic provider", read: flux::read },
    Source {
        name: "aws-deploy",
        about: "CodeDeploy, CodePipeline and CodeBuild, by EventBridge",
        read: aws_deploy::read,
    },
    Source { name: "buildkite", about: "Buildkite's builds, by webhook or EventBridge", read: buildkite::read },
    Source { name: "circleci", about: "CircleCI's outbound webhooks", read: circleci::read },
];

/// What a body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What was understood, in the order of the body.
    pub signals: Vec<Signal>,
    /// How many elements were understood and ask for nothing.
    pub ignored: usize,
    /// What was not understood; never costs a neighbour.
    pub rejected: Vec<Rejected>,
}

impl Reading {
    /// The signals as `opsbell read` and `?dry_run=1` show them.
    pub fn dry_run(&self) -> Vec<signal::Reading<'_>> {
        self.signals.iter().map(Signal::reading).collect()
    }
}

/// One element of a body that is not a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where, as in `$.alerts[3].labels`.
    pub path: String,
    /// Why, and what is expected there.
    pub reason: String,
}

/// A body of which nothing can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct Unreadable {
    /// Where, as in `$.alerts`; `None` when the bytes are not JSON at all.
    pub path: Option<String>,
    /// What is wrong. Quotes nothing of the body but names of its fields.
    pub message: String,
    /// The next step.
    pub hint: String,
}

/// A name that is no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no source `{given}`{} Sources are: {}", did_you_mean(*meant), names())]
pub struct UnknownSource {
    /// The name as given, cut and cleaned.
    pub given: String,
    /// The source that was probably meant.
    pub meant: Option<&'static str>,
}

/// The source with this name, in any case.
pub fn find(name: &str) -> Result<&'static Source, UnknownSource> {
    let wanted = name.trim().to_ascii_lowercase();
    if let Some(source) = SOURCES.iter().find(|source| source.name == wanted) {
        return Ok(source);
    }
    let given = limits::line(name, limits::WORD_CHARS).unwrap_or_default();
    let likeness = |source: &Source| strsim::jaro_winkler(source.name, &given.to_ascii_lowercase());
    let meant = SOURCES
        .iter()
        .map(|source| (likeness(source), source.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name);
    Err(UnknownSource { given, meant })
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map_or_else(|| ".".to_owned(), |name| format!("; did you mean `{name}`?"))
}

/// The names of all, in the order in which they are listed to people.
pub fn names() -> String {
    SOURCES.iter().map(|source| source.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
