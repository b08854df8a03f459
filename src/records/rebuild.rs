//! Rebuilding: the runtime replays the journal through State and tells after each commit; here is decided when what
//! became dirty is written, so that memory holds one chunk and never a whole State of bytes.

use super::{Records, Snapshot, Trouble};

/// Commits between two snapshots of a rebuild: enough for most records to be written once, little enough to hold.
const CHUNK: u64 = 4_096;

/// A rebuild under way. Shows progress as (commits done, commits in all).
pub struct Rebuild<'a, P: FnMut(u64, u64)> {
    records: &'a Records,
    total: u64,
    done: u64,
    progress: P,
}

impl<'a, P: FnMut(u64, u64)> Rebuild<'a, P> {
    /// Begins to fill empty `records` from `total` commits.
    pub fn new(records: &'a Records, total: u64, mut progress: P) -> Self {
        progress(0, total);
        Self { records, total, done: 0, progress }
    }

    /// A commit was applied. Every few thousand of them `dirty` is asked for the snapshot of what changed since.
    pub fn applied(&mut self, dirty: impl FnOnce() -> Snapshot) -> Result<(), Trouble> {
        self.done += 1;
        if self.done.is_multiple_of(CHUNK) { self.write(dirty()) } else { Ok(()) }
    }

    /// The last commit was applied: writes what is left and hands everything to the kernel.
    pub fn finish(mut self, dirty: impl FnOnce() -> Snapshot) -> Result<(), Trouble> {
        self.write(dirty())?;
        self.records.flush()
    }

    fn write(&mut self, snapshot: Snapshot) -> Result<(), Trouble> {
        self.records.write_waiting(snapshot)?;
        (self.progress)(self.done, self.total.max(self.done));
        Ok(())
    }
}
