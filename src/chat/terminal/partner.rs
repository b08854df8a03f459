//! The other side of a conversation: the house that the terminal stands in, or a server elsewhere (`cli/chat.rs`).

use crate::domain::command::complete::Completion;
use crate::domain::command::spec::{CommandSpec, Lexicon};
use crate::domain::id::PersonId;
use crate::domain::reject::Reject;

/// Who answers what is typed. All of it may wait, but `complete` no longer than a person does for a key.
pub trait Partner: Send + Sync {
    /// What a line is answered with, its times in the person's zone; it may be several lines.
    ///
    /// # Errors
    /// It was refused, or not heard.
    fn answer(&self, who: &PersonId, line: &str) -> Result<Told, Reject>;

    /// What could stand at the end of a text; `own` are words of the terminal's own.
    fn complete(&self, who: &PersonId, text: &str, own: &[CommandSpec]) -> Vec<Completion>;

    /// The words, for hints while typing; `None`: not just now.
    fn lexicon(&self) -> Option<Lexicon>;
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether it was done.
    pub ok: bool,
    /// In words.
    pub text: String,
}
