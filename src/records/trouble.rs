//! Trouble: why the records cannot be used. Whatever it is, the answer is the same: wipe and rebuild from the journal.

use std::time::Duration;

/// Why the records cannot be used. After the first one the instance is dead and repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// An error or a panic of the store, or a value that cannot be what was written.
    #[error("the records in {place} are broken ({reason}); they have to be rebuilt from the journal")]
    Broken {
        /// The directory.
        place: String,
        /// What was seen.
        reason: String,
    },
    /// The store made no progress in time.
    #[error(
        "the records in {place} did nothing for {} ms while asked to {what}; they have to be rebuilt from the journal",
        after.as_millis()
    )]
    Hung {
        /// The directory.
        place: String,
        /// What it was asked for.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// Another release wrote them.
    #[error("the records in {place} have schema {found}, not {expected}; they have to be rebuilt from the journal")]
    Schema {
        /// The directory.
        place: String,
        /// Theirs.
        found: u32,
        /// This release's.
        expected: u32,
    },
    /// They were closed by `close`.
    #[error("the records in {place} are closed")]
    Closed {
        /// The directory.
        place: String,
    },
}

/// Why a snapshot was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too many wait: keep what is dirty and offer it again later.
    #[error("too many snapshots wait to be written; offer it again later")]
    Full,
    /// The records cannot be used.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}
