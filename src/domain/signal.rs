//! A signal: what one sender said about one thing, in Opsbell's words. Every source parses its payload into these;
//! nothing here knows a sender's format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// Opens or updates an alert.
    Alert,
    /// The alert with this key has recovered.
    Resolve,
    /// Somebody acknowledged it in the sender's own tool.
    Ack,
    /// A deployment event.
    Deploy,
    /// A build or job result.
    Ci,
    /// Changes an existing thing, opens nothing.
    StatusUpdate,
    /// A subscription handshake.
    Confirm,
    /// Understood, and nothing to do.
    Ignore,
}

/// How bad a sender says it is, after mapping its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Record only.
    Info,
    /// Low urgency.
    Warning,
    /// High urgency.
    High,
    /// High urgency, first in every queue.
    Critical,
}

impl AlertSeverity {
    /// The mapping that fits all known senders (word in any case); `None` for a word that is not known.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "critical" | "disaster" | "p1" | "sev0" | "sev1" | "emergency" | "page" | "fatal" => Self::Critical,
            "high" | "error" | "p2" | "sev2" | "major" => Self::High,
            "warning" | "warn" | "average" | "p3" | "sev3" | "degraded" | "minor" => Self::Warning,
            "info" | "information" | "informational" | "notice" | "p4" | "p5" | "sev4" | "ok" | "none" | "debug" => {
                Self::Info
            }
            _ => return None,
        })
    }

    /// The word, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What one sender said about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What it asks for.
    pub kind: SignalKind,
    /// The service it names, if any; need not be known to the organisation.
    pub service: Option<String>,
    /// What is wrong, in a few words (the alert's name).
    pub name: String,
    /// How bad, mapped; `None` where the sender says nothing that is known.
    pub severity: Option<AlertSeverity>,
    /// The sender's own word for it.
    pub severity_word: Option<String>,
    /// The state in the sender's words (`firing`, `resolved`, …).
    pub status: String,
    /// Ties later signals of this integration to this one; never empty.
    pub key: String,
    /// A sentence for people, if the sender gives one.
    #[serde(default)]
    pub summary: Option<String>,
    /// The sender's labels, sorted.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `production`, `staging`, …, if told.
    #[serde(default)]
    pub environment: Option<String>,
    /// A runbook or source link as given (shown only when its host is allow-listed).
    #[serde(default)]
    pub link: Option<String>,
    /// When the sender says it began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// What only a deployment tells, or a build on the way to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Box<Deployment>>,
}

/// How far a deployment is. The order is that of its life; what follows `Started` is an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It was asked for.
    Pending,
    /// It is being carried out.
    Started,
    /// It arrived.
    Succeeded,
    /// It did not.
    Failed,
    /// It was taken back.
    RolledBack,
    /// Somebody stopped it.
    Cancelled,
}

impl Progress {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more is to come.
    pub fn over(self) -> bool {
        self > Self::Started
    }
}

/// What a sender tells of a deployment. The environment stands in the signal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// How far it is; `None` where the signal is of something else, and only brings commits.
    pub progress: Option<Progress>,
    /// What is brought in: a tag, or the commit.
    pub version: Option<String>,
    /// The commit, as far as it is told; lower-case hex.
    pub sha: Option<String>,
    /// Where it comes from, as the sender names it: `org/repo`.
    pub repository: Option<String>,
    /// The commits that are told, the newest last.
    pub commits: Vec<Commit>,
    /// What was built or tested of that commit, and went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<Ran>,
    /// What is told of the review of a pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Reviewing>,
    /// What the sender waits to be told before it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
}

/// What a pipeline does with a commit before it is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is built.
    Build,
    /// It is tested.
    Test,
}

/// A build or a test of a commit that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Which.
    pub stage: Stage,
    /// When it began.
    pub from: Timestamp,
    /// When it was over; not before `from`.
    pub until: Timestamp,
}

/// Which code host an account is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeHost {
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
}

/// What was said of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewSays {
    /// Its reviewer agrees.
    Approved,
    /// They do not, or no longer.
    Withdrawn,
    /// It went in.
    Merged {
        /// As which commit; lower-case hex.
        sha: String,
    },
}

/// What a code host tells of the review of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewing {
    /// Whose accounts these are.
    pub host: CodeHost,
    /// The pull request's number.
    pub number: u64,
    /// The commit that was read, or the last one of what went in; lower-case hex.
    pub head: String,
    /// What was said.
    pub says: ReviewSays,
    /// The account that said it.
    pub reviewer: Option<String>,
    /// The account that wrote it; `id:51` where only its number on GitLab is told.
    pub author: Option<String>,
    /// The mail address of its last commit's author: to find the person, never written down.
    pub author_email: Option<String>,
}

/// How an account begins of which only the number is known.
pub const GITLAB_ID: &str = "id:";

/// A code host asks whether a deployment may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// By what the answer is sent.
    pub host: CodeHost,
    /// Where to: GitHub's whole address, as the payload says it; GitLab's path. Nothing is sent there unchecked.
    pub to: String,
    /// The environment, as the host writes it.
    pub environment: String,
    /// The accounts that set it off, as the host names them: whoever they are of does not approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A commit, as a sender tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its whole hash, lower-case hex.
    pub sha: String,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// The author's mail address: to find the person, never written down.
    pub email: Option<String>,
}

/// The answer of `opsbell read` and `?dry_run=1` for one signal (DESIGN §7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading<'a> {
    /// What it asks for.
    pub kind: SignalKind,
    /// The service it names.
    pub service: Option<&'a str>,
    /// What is wrong.
    pub name: &'a str,
    /// Mapped severity.
    pub severity: Option<AlertSeverity>,
    /// The sender's word.
    pub severity_word: Option<&'a str>,
    /// In the sender's words.
    pub status: &'a str,
    /// The dedup key.
    pub key: &'a str,
}

impl Signal {
    /// The signal as `read` and `dry_run` show it.
    pub fn reading(&self) -> Reading<'_> {
        Reading {
            kind: self.kind,
            service: self.service.as_deref(),
            name: &self.name,
            severity: self.severity,
            severity_word: self.severity_word.as_deref(),
            status: &self.status,
            key: &self.key,
        }
    }
}
