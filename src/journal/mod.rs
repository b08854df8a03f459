//! Journal: the truth. Append-only lines, one commit each; verify, export, recover. It does not know what events mean.
//!
//! The format and its rules are in `docs/journal.md`. In short: a line per commit, each sealed by a hash that covers
//! the hash of the line before it; one write and one `fdatasync` per batch; after a failure a fresh segment, never a
//! second try. What events add up to (`records/`), who writes when (`runtime/`) and the lock of the data directory
//! are elsewhere.

mod copy;
mod disk;
mod error;
mod export;
mod file;
mod line;
mod read;
mod recover;
mod scan;
mod segment;
mod upcast;
mod verify;

pub use copy::{Copied, copy};
pub use disk::{Disk, DiskFile, RealDisk};
pub use error::{AppendError, Damage, JournalError};
pub use export::export;
pub use file::{Journal, SEGMENT_BYTES};
pub use read::JournalReader;
pub use recover::{Known, Recovered};
pub use scan::Torn;
pub use upcast::{UpcastError, upcast};
pub use verify::{VerifyReport, verify};

#[cfg(test)]
mod tests;
