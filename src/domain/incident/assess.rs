//! Severity from impact × urgency, as ITIL has it: two questions that are easier to answer than "how bad?". The table
//! is the organisation's; what follows from a severity is not here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::record::Severity;

/// How far it reaches, or how soon it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Many are affected; or it hurts now.
    High,
    /// Some are; or it hurts today.
    Medium,
    /// Few are; or it can wait.
    Low,
}

impl Level {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// The level a word names, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(word))
    }
}

/// What was said about impact and urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessed {
    /// How far it reaches.
    pub impact: Level,
    /// How soon it hurts.
    pub urgency: Level,
}

impl fmt::Display for Assessed {
    /// `impact high × urgency medium`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "impact {} × urgency {}", self.impact.as_str(), self.urgency.as_str())
    }
}

/// The severity for each impact and urgency; `[severity]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix(pub [[Severity; 3]; 3]);

impl Default for Matrix {
    /// ITIL's usual priorities, with its two lowest as sev4.
    fn default() -> Self {
        use Severity::{Sev1, Sev2, Sev3, Sev4};
        Self([[Sev1, Sev2, Sev3], [Sev2, Sev3, Sev4], [Sev3, Sev4, Sev4]])
    }
}

impl Matrix {
    /// How bad it is.
    pub fn severity(&self, assessed: Assessed) -> Severity {
        self.0[assessed.impact as usize][assessed.urgency as usize]
    }
}
