//! Reading commits in order, for replays and answers, while the writer goes on. It opens the files by itself and
//! changes nothing.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, RealDisk};
use super::error::JournalError;
use super::line::decode;
use super::scan::{Tip, Walk, unreadable};
use super::segment::Layout;
use crate::domain::event::Commit;

/// Reads a journal. Cheap to clone; every call looks at the files afresh.
#[derive(Clone)]
pub struct JournalReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl JournalReader {
    /// Reads the journal in `dir`, by way of `disk`.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_owned() }
    }

    /// Reads the journal in a directory of the operating system.
    pub fn at(dir: &Path) -> Self {
        Self::new(Arc::new(RealDisk), dir)
    }

    /// Hands on the commits from number `from` to number `to`, both included, in order, each with its hash, until the
    /// visitor breaks. The hash and the place of each line are checked on the way. `to` must be durable: what is being
    /// written at this moment is not looked at.
    ///
    /// # Errors
    /// Damage, a line that only a newer release can read, and `Beyond` when the journal ends before `to`.
    pub fn read_range(
        &self,
        from: u64,
        to: u64,
        mut visit: impl FnMut(Commit, &str) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        if from > to {
            return Ok(());
        }
        let mut enough = false;
        let last = self.walk(from, &mut |commit, hash| {
            let seq = commit.seq;
            enough = visit(commit, hash).is_break() || seq >= to;
            if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match enough {
            true => Ok(()),
            false => Err(JournalError::Beyond { dir: self.dir.clone(), wanted: to, last }),
        }
    }

    /// Hands on the commits from number `from` to the end. Meant for the start, before anything is appended.
    pub fn replay(
        &self,
        from: u64,
        mut visit: impl FnMut(Commit, &str) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.walk(from, &mut visit).map(|_| ())
    }

    fn walk(&self, from: u64, visit: &mut dyn FnMut(Commit, &str) -> ControlFlow<()>) -> Result<u64, JournalError> {
        let disk = &*self.disk;
        let layout = Layout::load(disk, &self.dir)?;
        let mut tip: Option<Tip> = None;
        Walk { disk, layout: &layout }.run(
            from,
            &mut tip,
            &mut |seen| {
                let commit = decode(seen.bytes).map_err(|source| unreadable(disk, seen, source))?;
                Ok(visit(commit, seen.hash.as_str()))
            },
            &mut |_, _| Ok(()),
        )?;
        Ok(tip.map_or(0, |tip| tip.seq))
    }
}
