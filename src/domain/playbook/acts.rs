//! Steps that do something inside Opsbell: what a person could say as well (`act` does it), and the signal that a run can
//! wait for (`signal` hears it). Only types, and how they read; texts may hold `{{name}}`.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::domain::incident::Severity;
use crate::domain::silence::matcher::{self, Matcher};
use crate::domain::time::Span;

/// What a step does inside Opsbell, with the permissions of whoever began the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Page a person about the run's incident, or the policy of a team or of a service's team about a new one.
    Page {
        /// `person:cleo`, `team:payments`, `service:ledger`.
        whom: CompactString,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<CompactString>,
    },
    /// Say how bad the run's incident is.
    SetSeverity(Severity),
    /// Silence alerts for a while.
    Silence {
        /// Which: all of them have to match. Names stand in values that are compared as they are.
        matchers: Vec<Matcher>,
        /// For how long.
        span: Span,
        /// Why.
        reason: CompactString,
    },
    /// Ask for a change that others approve.
    Change(Box<ChangeStep>),
    /// Ask somebody for something, who says when it is done.
    Request {
        /// What.
        text: CompactString,
        /// Whom: `person:cleo`, `team:platform`, `role:admin`.
        of: CompactString,
        /// Until then, from when it was asked.
        within: Span,
    },
}

/// What is said of a change that a step asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeStep {
    /// What is done.
    pub title: CompactString,
    /// To which service; the run's own where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<CompactString>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<CompactString>,
    /// The version that it brings in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CompactString>,
    /// Why; the run and its incident where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CompactString>,
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<CompactString>,
    /// How it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<CompactString>,
}

/// What a run waits to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// How a deployment goes that began after the run did.
    Deployment {
        /// Of which service.
        service: CompactString,
        /// Which version; any where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<CompactString>,
        /// Where.
        environment: CompactString,
    },
    /// That no alert fires which matches.
    Recovery {
        /// All of them have to match.
        matchers: Vec<Matcher>,
    },
}

impl Act {
    /// The word that says it in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Page { .. } => "page",
            Self::SetSeverity(_) => "set-severity",
            Self::Silence { .. } => "silence",
            Self::Change(_) => "change",
            Self::Request { .. } => "request",
        }
    }

    /// The texts that may hold names.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Page { whom, text } => [Some(whom), text.as_ref()].into_iter().flatten().map(|it| &**it).collect(),
            Self::SetSeverity(_) => Vec::new(),
            Self::Silence { matchers, reason, .. } => {
                matchers.iter().map(Matcher::wanted).chain([reason.as_str()]).collect()
            }
            Self::Change(step) => step.texts().collect(),
            Self::Request { text, .. } => vec![text],
        }
    }

    /// The same with other texts.
    #[must_use]
    pub fn map(&self, text: &dyn Fn(&str) -> CompactString) -> Self {
        let maybe = |it: &Option<CompactString>| it.as_deref().map(text);
        match self {
            Self::Page { whom, text: why } => Self::Page { whom: text(whom), text: maybe(why) },
            Self::SetSeverity(severity) => Self::SetSeverity(*severity),
            Self::Silence { matchers, span, reason } => {
                Self::Silence { matchers: mapped(matchers, text), span: *span, reason: text(reason) }
            }
            Self::Change(step) => Self::Change(Box::new(ChangeStep {
                title: text(&step.title),
                service: maybe(&step.service),
                environment: maybe(&step.environment),
                version: maybe(&step.version),
                reason: maybe(&step.reason),
                plan: maybe(&step.plan),
                rollback: maybe(&step.rollback),
            })),
            Self::Request { text: what, of, within } => {
                Self::Request { text: text(what), of: of.clone(), within: *within }
            }
        }
    }
}

impl ChangeStep {
    fn texts(&self) -> impl Iterator<Item = &str> {
        let rest = [&self.service, &self.environment, &self.version, &self.reason, &self.plan, &self.rollback];
        std::iter::once(self.title.as_str()).chain(rest.into_iter().flatten().map(CompactString::as_str))
    }
}

impl Awaited {
    /// The texts that may hold names.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Deployment { service, version, environment } => {
                [Some(service), version.as_ref(), Some(environment)].into_iter().flatten().map(|it| &**it).collect()
            }
            Self::Recovery { matchers } => matchers.iter().map(Matcher::wanted).collect(),
        }
    }

    /// The same with other texts.
    #[must_use]
    pub fn map(&self, text: &dyn Fn(&str) -> CompactString) -> Self {
        match self {
            Self::Deployment { service, version, environment } => Self::Deployment {
                service: text(service),
                version: version.as_deref().map(text),
                environment: text(environment),
            },
            Self::Recovery { matchers } => Self::Recovery { matchers: mapped(matchers, text) },
        }
    }
}

fn mapped(matchers: &[Matcher], text: &dyn Fn(&str) -> CompactString) -> Vec<Matcher> {
    matchers.iter().map(|matcher| matcher.with(&text(matcher.wanted()))).collect()
}

impl fmt::Display for Act {
    /// `page team:payments`, `silence name=PodRestarting for 30m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page { whom, text: None } => write!(f, "page {whom}"),
            Self::Page { whom, text: Some(text) } => write!(f, "page {whom}: “{text}”"),
            Self::SetSeverity(severity) => write!(f, "set the severity to {severity}"),
            Self::Silence { matchers, span, reason } => {
                write!(f, "silence {} for {span}: “{reason}”", matcher::join(matchers))
            }
            Self::Change(step) => match &step.service {
                Some(service) => write!(f, "ask for the change “{}” of {service}", step.title),
                None => write!(f, "ask for the change “{}”", step.title),
            },
            Self::Request { text, of, within } => write!(f, "request of {of} “{text}”, within {within}"),
        }
    }
}

impl fmt::Display for Awaited {
    /// `1.4.1 of payments-api is deployed to production`, `name=HighErrorRate no longer fires`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployment { service, version: Some(version), environment } => {
                write!(f, "{version} of {service} is deployed to {environment}")
            }
            Self::Deployment { service, version: None, environment } => {
                write!(f, "{service} is deployed to {environment}")
            }
            Self::Recovery { matchers } => write!(f, "{} no longer fires", matcher::join(matchers)),
        }
    }
}
