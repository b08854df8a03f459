//! Import: the JSON exports of other tools become configuration files, with a list of what did not map. Each tool's
//! shapes stand in a file of its own; what they come to is a `Plan`, which is written in one way. Pure: bytes in, texts
//! out.

mod exported;
mod goalert;
mod opsgenie;
mod pagerduty;
mod plan;

use std::collections::BTreeMap;
use std::path::PathBuf;

use exported::Exported;
use plan::Plan;

use super::{Finding, Severity, load_files};

/// A tool whose exports are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Opsgenie: the answers of its REST API, or a folder of its backup tool.
    Opsgenie,
    /// PagerDuty: the answers of its REST API.
    PagerDuty,
    /// GoAlert: the answers of its GraphQL API.
    GoAlert,
}

impl Tool {
    /// The kinds of things that are read, as their exports call them.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Opsgenie => &["users", "teams", "schedules", "escalations", "services"],
            Self::PagerDuty => &["users", "schedules", "escalation_policies", "services"],
            Self::GoAlert => &["users", "rotations", "schedules", "escalationPolicies", "services"],
        }
    }
}

/// What an import comes to.
#[derive(Debug)]
pub struct Imported {
    /// The configuration's files, by their path in the new directory.
    pub files: BTreeMap<PathBuf, String>,
    /// What did not map, in order: what it is about, and what became of it.
    pub notes: Vec<String>,
    /// How many people, schedules, policies and services it has.
    pub counts: [usize; 4],
}

/// Converts exports, each with the path it was read from.
///
/// # Errors
/// Nothing in them is known, or nobody in them could be reached; in words.
pub fn convert(tool: Tool, documents: &[(PathBuf, serde_json::Value)]) -> Result<Imported, String> {
    let mut plan = Plan::default();
    let exported = Exported::gather(tool.kinds(), documents, &mut plan.notes);
    if exported.is_empty() {
        return Err(format!(
            "nothing of this export is known. It needs JSON with {}, each a list",
            tool.kinds().join(", ")
        ));
    }
    match tool {
        Tool::Opsgenie => opsgenie::read(&exported, &mut plan),
        Tool::PagerDuty => pagerduty::read(&exported, &mut plan),
        Tool::GoAlert => goalert::read(&exported, &mut plan),
    }
    let counts = [plan.people.len(), plan.schedules.len(), plan.policies.len(), plan.services.len()];
    let files = plan.files()?;
    let loaded = load_files(&files, &|_| None);
    let wrong = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let wrong: Vec<String> = wrong.map(Finding::brief).collect();
    if !wrong.is_empty() {
        return Err(format!("what came of it does not pass `opsbell check` (a bug):\n{}", wrong.join("\n")));
    }
    Ok(Imported { files, notes: plan.notes, counts })
}
