//! A refusal, as it is said in chat: what was meant, why not, and the next step. Internal failures are not here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of refusal it is; the HTTP status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectCode {
    /// The words are not understood.
    UnknownWord,
    /// A value is not of its type.
    BadValue,
    /// Something needed is missing.
    Missing,
    /// No such record, person, team or service.
    NotFound,
    /// The person may not.
    NotAllowed,
    /// The record's state does not allow it.
    Conflict,
    /// Only for a person of the organisation.
    Unlinked,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Reject {
    /// Its kind.
    pub code: RejectCode,
    /// What is wrong.
    pub message: String,
    /// The next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Reject {
    /// A refusal without a next step.
    pub fn new(code: RejectCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

/// Words longer than this are not compared, in characters.
const WORD_MAX: usize = 80;

/// The known word nearest to a misspelled one, if any is near enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word much longer than anything known means none of it, and comparing it would take long.
    let letters = word.chars().take(WORD_MAX + 1).count();
    if letters > WORD_MAX {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= 1 + letters / 4)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().min(word.chars().count()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}
