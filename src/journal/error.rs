//! What can go wrong with a journal, said with the place, the reason and the next step.

use std::io;
use std::path::{Path, PathBuf};

use super::upcast::UpcastError;

/// A journal that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}:{line}: {what}. The journal is damaged and nothing was changed. Keep a copy of the directory, then put this \
     file back from a backup and run `opsbell journal verify`",
    file.display()
)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong, without a full stop.
    pub what: String,
}

/// Why a journal could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{}: could not {doing}: {source}. Check the disk, its free space and the permissions, then start again", path.display())]
    Io {
        /// What was tried: `open`, `sync`, …
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is not what was written.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// A whole line that this release cannot read.
    #[error("{}:{line}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// Why.
        source: Unreadable,
    },
    /// The name of a new installation is not usable.
    #[error("`{0}` cannot name an installation: 1 to 8 characters of a-z and 0-9 are needed")]
    Install(String),
    /// A range that is not there.
    #[error("{}: commit {wanted} was asked for, but the journal ends at {last}", dir.display())]
    Beyond {
        /// The journal's directory.
        dir: PathBuf,
        /// The commit that was asked for.
        wanted: u64,
        /// The last one that is there.
        last: u64,
    },
    /// Lines could not be handed on.
    #[error("could not write the export: {0}. Check where it is written to, then export again")]
    Export(#[source] io::Error),
}

impl JournalError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

/// Why a whole line cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The line's own format is not known.
    #[error("the line has format version {0}; a newer release is needed")]
    Format(u64),
    /// An event is not known.
    #[error(transparent)]
    Event(#[from] UpcastError),
    /// The hash is right, the words are not.
    #[error("the line is whole but does not say what a commit says ({0}); a newer release may be needed")]
    Words(String),
}

/// Why a batch was not appended. After `Io` the journal takes nothing more until `Journal::continue_fresh` succeeded.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The batch does not follow the last commit, or its commits do not follow each other.
    #[error("commit {given} cannot follow commit {last}")]
    NotNext {
        /// The number that came.
        given: u64,
        /// The last number that was written or accepted before it.
        last: u64,
    },
    /// The batch was meant for another start of the process.
    #[error("the batch is of epoch {given}, the journal is in epoch {current}")]
    StaleEpoch {
        /// The epoch that came.
        given: u64,
        /// The journal's.
        current: u64,
    },
    /// A commit without events.
    #[error("commit {0} has no events")]
    NoEvents(u64),
    /// An event could not be written as JSON; nothing was written.
    #[error("commit {seq} cannot be written as JSON: {source}")]
    Json {
        /// The commit.
        seq: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// An earlier write or sync failed.
    #[error("an earlier write failed; nothing is appended until a fresh segment was begun")]
    Poisoned,
    /// The write or the sync failed. Nothing is known about the batch, and it is not acknowledged.
    #[error("{}: could not {doing}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The segment.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}
