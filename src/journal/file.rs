//! Writing: batches go to the end of the last segment, one write and one sync each. After an error the segment is
//! never written again; a fresh one continues after the last durable commit. Opening is in `recover`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact_str::CompactString;

use super::disk::{Disk, DiskFile};
use super::error::{AppendError, JournalError};
use super::line::{Hash, Stamp, encode, encode_continues};
use super::read::JournalReader;
use super::segment::{Layout, Segment};
use crate::domain::event::Commit;

/// A segment is closed when the next batch would make it larger than this. 64 MiB is some 100,000 commits: small enough
/// to copy, to `jq` and to check in half a second when only the last file is read, large enough that a year is a
/// handful of files.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How much of the buffer is kept from one batch to the next, so that one huge batch does not hold memory for ever.
const KEPT_BUFFER: usize = 1024 * 1024;

/// A journal that is open for writing. There is one per data directory; the lock of the directory sees to it.
pub struct Journal {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) segment: Segment,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn DiskFile>,
    /// The length of the segment's durable bytes: where the next batch goes.
    pub(super) size: u64,
    pub(super) install: CompactString,
    pub(super) epoch: u64,
    pub(super) last_seq: u64,
    pub(super) last_hash: Hash,
    pub(super) poisoned: bool,
    /// The last generation of a continued segment that this process tried.
    pub(super) generation: u32,
    pub(super) segment_bytes: u64,
    pub(super) buffer: Vec<u8>,
}

impl Journal {
    /// The installation, written into every line.
    pub fn install(&self) -> &str {
        &self.install
    }

    /// The number of this process start, from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last durable commit and its hash; 0 and 64 zeros when there is none.
    pub fn last(&self) -> (u64, &str) {
        (self.last_seq, self.last_hash.as_str())
    }

    /// Whether a write or sync failed and no fresh segment was begun since.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Reads the journal on its own; may be cloned and used while this one writes.
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(Arc::clone(&self.disk), &self.dir)
    }

    /// Goes on under another name, after a restore: lines from now on bear it. The next commit has to say so by its
    /// first event, `install.renewed`; `verify` asks for it.
    ///
    /// # Errors
    /// The name is not usable.
    pub fn renew_install(&mut self, install: &str) -> Result<(), JournalError> {
        super::recover::sound_install(install)?;
        self.install = install.into();
        Ok(())
    }

    /// Closes segments at another size than `SEGMENT_BYTES`; tests rotate early.
    pub fn rotate_at(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    /// Appends a batch: one write, one sync. When it returns, the commits are durable; gives the last one's number and
    /// hash. The first commit has to be `expected_seq`, which has to follow the last one, and the others follow it.
    ///
    /// # Errors
    /// `Io` and `Poisoned`: nothing is known about the batch, it must not be acknowledged, and the journal takes
    /// nothing until `continue_fresh` succeeded. All other errors: nothing was written, the journal is as before.
    pub fn append(&mut self, expected_seq: u64, epoch: u64, commits: &[Commit]) -> Result<(u64, String), AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        if epoch != self.epoch {
            return Err(AppendError::StaleEpoch { given: epoch, current: self.epoch });
        }
        if self.last_seq.checked_add(1) != Some(expected_seq) {
            return Err(AppendError::NotNext { given: expected_seq, last: self.last_seq });
        }
        let hash = self.encode_batch(commits)?;
        if commits.is_empty() {
            return Ok((self.last_seq, self.last_hash.as_str().to_owned()));
        }
        if let Err((doing, source)) = self.write_batch() {
            self.poisoned = true;
            return Err(AppendError::Io { doing, path: self.path.clone(), source });
        }
        self.size += self.buffer.len() as u64;
        self.last_seq += commits.len() as u64;
        self.last_hash = hash;
        Ok((self.last_seq, hash.as_str().to_owned()))
    }

    fn encode_batch(&mut self, commits: &[Commit]) -> Result<Hash, AppendError> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        // A batch bears the number of its first commit: then a reader can tell a torn batch from damage before it.
        let stamp = Stamp { install: &self.install, epoch: self.epoch, batch: self.last_seq + 1 };
        let (mut last, mut hash) = (self.last_seq, self.last_hash);
        for commit in commits {
            if commit.seq != last + 1 {
                return Err(AppendError::NotNext { given: commit.seq, last });
            }
            if commit.events.is_empty() {
                return Err(AppendError::NoEvents(commit.seq));
            }
            last = commit.seq;
            hash = encode(&mut self.buffer, &hash, stamp, commit)
                .map_err(|source| AppendError::Json { seq: commit.seq, source })?;
        }
        Ok(hash)
    }

    fn write_batch(&mut self) -> Result<(), (&'static str, io::Error)> {
        let holds_commits = self.last_seq >= self.segment.first_seq;
        if holds_commits && self.size + self.buffer.len() as u64 > self.segment_bytes {
            let segment = Segment::plain(self.last_seq + 1);
            self.path = self.dir.join(&segment.name);
            self.file = self.disk.create(&self.path).map_err(|error| ("make", error))?;
            self.disk.sync_dir(&self.dir).map_err(|error| ("sync the name of", error))?;
            (self.segment, self.size) = (segment, 0);
        }
        self.file.write_all_at(self.size, &self.buffer).map_err(|error| ("write", error))?;
        self.file.sync_data().map_err(|error| ("sync", error))
    }

    /// After a failed write or sync: begins a fresh segment whose header says after which commit it continues, which
    /// voids anything later in the old one. Nothing when nothing failed. May be tried again after an error.
    pub fn continue_fresh(&mut self) -> Result<(), JournalError> {
        if !self.poisoned {
            return Ok(());
        }
        let first_seq = self.last_seq + 1;
        let there = Layout::load(&*self.disk, &self.dir)?;
        let taken = there.unbegun.iter().map(|(segment, _)| segment).chain(&there.segments);
        let taken = taken.filter(|segment| segment.first_seq == first_seq).map(|segment| segment.generation).max();
        self.generation = self.generation.max(taken.unwrap_or(0)) + 1;
        let segment = Segment::continued(first_seq, self.generation);
        let path = self.dir.join(&segment.name);
        let header = encode_continues(self.last_seq, &self.last_hash, &self.install, self.epoch);
        match self.begin_segment(&path, &header) {
            Ok(file) => {
                (self.segment, self.path, self.file, self.size) = (segment, path, file, header.len() as u64);
                self.poisoned = false;
                Ok(())
            }
            Err((doing, source)) => {
                // What may be left of it counts for nothing: `open` drops it, or the next attempt voids it.
                let _ = self.disk.remove(&path);
                Err(JournalError::io(doing, &path)(source))
            }
        }
    }

    fn begin_segment(&self, path: &Path, header: &[u8]) -> Result<Box<dyn DiskFile>, (&'static str, io::Error)> {
        let mut file = self.disk.create(path).map_err(|error| ("make", error))?;
        file.write_all_at(0, header).map_err(|error| ("write", error))?;
        file.sync_data().map_err(|error| ("sync", error))?;
        self.disk.sync_dir(&self.dir).map_err(|error| ("sync the name of", error))?;
        Ok(file)
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, epoch, last_seq, poisoned, .. } = self;
        write!(f, "Journal({}, epoch {epoch}, last {last_seq}, poisoned {poisoned})", path.display())
    }
}
