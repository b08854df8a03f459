//! What a change is: everything that an approver agrees to. Its canonical form is hashed, and an approval is bound to
//! that hash: whoever edits one word needs new approvals. Who approved it, and how it went, is not part of it.

use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::risk::Level;
use crate::domain::id::{PersonId, ServiceId};
use crate::domain::playbook::text::Values;
use crate::domain::time::{Span, Timestamp};

/// How much is asked before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Done often, by a model that was approved once.
    Standard,
    /// Approved by others each time.
    #[default]
    Normal,
    /// Begins at once, approved afterwards.
    Emergency,
}

impl Class {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Normal => "normal",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Window {
    /// Whether both share an instant.
    pub fn meets(&self, other: &Self) -> bool {
        self.from < other.until && other.from < self.until
    }

    /// Whether an instant lies in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// How long it is.
    pub fn length(&self) -> Span {
        self.until.since(self.from)
    }
}

/// What an approver agrees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Content {
    /// How much is asked before it.
    pub class: Class,
    /// What is done, in a few words.
    pub title: CompactString,
    /// To which service.
    pub service: ServiceId,
    /// Where: `production`, …
    pub environment: CompactString,
    /// The version that is brought in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CompactString>,
    /// The commit that this version is, where a code host or a pipeline told it; lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CompactString>,
    /// Configuration items beside the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<CompactString>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<CompactString>,
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<CompactString>,
    /// How it was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<CompactString>,
    /// How it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<CompactString>,
    /// When; left open where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Who carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementer: Option<PersonId>,
    /// Who wrote what is brought in, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// Alerts that it is expected to cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<CompactString>,
    /// The model that it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<CompactString>,
    /// What its model's playbook is run with.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub parameters: Values,
    /// How risky it is.
    pub risk: Level,
}

/// So much of a version reads as a commit's hash, and not as a number or a date.
const HASH_MIN: usize = 12;

impl Content {
    /// What a pipeline brings in: the code of that version, and nothing beside it.
    pub fn by_pipeline(service: ServiceId, environment: CompactString, version: Option<CompactString>) -> Self {
        Self {
            title: format_compact!("Deploy {}", version.as_deref().unwrap_or("an unnamed version")),
            service,
            environment,
            version,
            plan: Some("By its pipeline.".into()),
            rollback: Some("Deploy the version before by the same pipeline.".into()),
            ..Self::default()
        }
    }

    /// Whether it says nothing beyond the code that is brought in: whoever read the code has read all of it.
    pub fn is_only_code(&self) -> bool {
        let bare = Self::by_pipeline(self.service.clone(), self.environment.clone(), self.version.clone());
        let (implementer, author) = (self.implementer.clone(), self.author.clone());
        *self == Self { commit: self.commit.clone(), risk: self.risk, implementer, author, ..bare }
    }

    /// The commit that was agreed to: the one that was told, or a version that is a hash.
    pub fn known_commit(&self) -> Option<&str> {
        let hash = |text: &&str| {
            let hex = text.len() >= HASH_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            hex && (text.len() >= 40 || text.bytes().any(|byte| byte.is_ascii_alphabetic()))
        };
        self.commit.as_deref().or_else(|| self.version.as_deref().filter(hash))
    }

    /// The canonical form: for each field that is said, in this order, `name length:value` and a newline, the length in
    /// bytes; one line for each entry of a list. No two contents have the same.
    pub fn canonical(&self) -> String {
        let mut text = String::from("opsbell change 1\n");
        let mut line = |name: &str, value: &str| {
            text.push_str(&format!("{name} {}:{value}\n", value.len()));
        };
        line("class", self.class.as_str());
        line("title", &self.title);
        line("service", self.service.as_str());
        line("environment", &self.environment);
        let mut maybe = |name: &str, value: Option<&str>| value.into_iter().for_each(|value| line(name, value));
        maybe("version", self.version.as_deref());
        maybe("commit", self.commit.as_deref());
        self.items.iter().for_each(|item| maybe("item", Some(item)));
        maybe("reason", self.reason.as_deref());
        maybe("plan", self.plan.as_deref());
        maybe("test", self.test.as_deref());
        maybe("rollback", self.rollback.as_deref());
        maybe("from", self.window.map(|window| window.from.to_string()).as_deref());
        maybe("until", self.window.map(|window| window.until.to_string()).as_deref());
        maybe("implementer", self.implementer.as_ref().map(PersonId::as_str));
        maybe("author", self.author.as_ref().map(PersonId::as_str));
        self.expects.iter().for_each(|alert| maybe("expects", Some(alert)));
        maybe("model", self.model.as_deref());
        for (name, value) in &self.parameters {
            maybe("parameter", Some(name));
            maybe("is", Some(value));
        }
        maybe("risk", Some(self.risk.as_str()));
        text
    }

    /// Hex sha256 of the canonical form.
    pub fn hash(&self) -> CompactString {
        use fmt::Write as _;
        let mut hex = CompactString::with_capacity(64);
        for byte in Sha256::digest(self.canonical().as_bytes()) {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// What approvers need and is not said.
    pub fn missing(&self) -> Vec<&'static str> {
        let said = [("plan", self.plan.is_some()), ("rollback", self.rollback.is_some())];
        said.into_iter().filter(|(_, said)| !said).map(|(name, _)| name).collect()
    }

    /// What differs from another one, by name.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        [
            ("class", self.class != other.class),
            ("title", self.title != other.title),
            ("service", self.service != other.service),
            ("environment", self.environment != other.environment),
            ("version", self.version != other.version),
            ("commit", self.commit != other.commit),
            ("items", self.items != other.items),
            ("reason", self.reason != other.reason),
            ("plan", self.plan != other.plan),
            ("test", self.test != other.test),
            ("rollback", self.rollback != other.rollback),
            ("window", self.window != other.window),
            ("implementer", self.implementer != other.implementer),
            ("author", self.author != other.author),
            ("expects", self.expects != other.expects),
            ("model", self.model != other.model),
            ("parameters", self.parameters != other.parameters),
            ("risk", self.risk != other.risk),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect()
    }
}
