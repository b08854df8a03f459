//! Opening a journal: which process start this is, what the last write left behind, and where writing goes on. Only
//! the tail is read; `verify` reads everything.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use compact_str::CompactString;

use super::disk::{Disk, DiskFile};
use super::error::{Damage, JournalError};
use super::file::Journal;
use super::line::Hash;
use super::scan::{Ending, Scan, Tip, Torn, Walk, start_near};
use super::segment::{Layout, Segment};

/// What was found when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The installation that the journal belongs to.
    pub install: String,
    /// The number of this process start, from 1.
    pub epoch: u64,
    /// The last commit; 0 when there is none.
    pub last_seq: u64,
    /// Its hash; 64 zeros when there is none.
    pub last_hash: String,
    /// The remains of writes that were never acknowledged and are gone now; usually none.
    pub cut: Vec<Torn>,
    /// What became of the commit that the caller knew.
    pub known: Known,
}

/// Whether the commit that the caller of `open` knew stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing was asked.
    NotAsked,
    /// It stands there with that hash: what is built on it can be kept.
    Confirmed,
    /// Another commit of that number stands there: what is built on it has to be built again.
    Differs {
        /// The hash in the journal.
        hash: String,
    },
    /// The journal ends before it: commits that were once durable are missing, or the data belong to another journal.
    Beyond,
}

impl Journal {
    /// Opens the journal in `dir` for writing, and makes it when there is none. `install_if_new` names a new
    /// installation: 1 to 8 characters of a-z and 0-9. `known` is a commit (number and hash) that the caller has
    /// already applied; then only what comes after it is read, otherwise only the last file.
    ///
    /// A torn write at the end is cut off and reported, unless it begins before the `known` commit. Anything else that is not as it was written is an error, and
    /// nothing is changed. When this returns, every commit that can be read is durable. The caller holds the lock of
    /// the data directory.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        install_if_new: &str,
        known: Option<(u64, String)>,
    ) -> Result<(Self, Recovered), JournalError> {
        sound_install(install_if_new)?;
        disk.create_dir(dir).map_err(JournalError::io("make", dir))?;
        let layout = Layout::load(&*disk, dir)?;
        let mut cut = Vec::new();
        for (segment, torn) in &layout.unbegun {
            let path = layout.path(segment);
            disk.remove(&path).map_err(JournalError::io("remove", &path))?;
            cut.push(torn.clone());
        }
        let tail = match layout.segments.len() {
            0 => begin(&*disk, &layout, install_if_new)?,
            n => read_tail(&*disk, &layout, n - 1, known.as_ref(), &mut cut)?,
        };
        disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
        for torn in &cut {
            tracing::warn!(file = %torn.file.display(), line = torn.line, bytes = torn.bytes, reason = %torn.reason,
                "cut off a write that was never acknowledged");
        }

        let Tail { segment, file, size, tip, known_hash } = tail;
        let known = match (known, known_hash) {
            (None, _) => Known::NotAsked,
            (Some((0, _)), _) => Known::Confirmed,
            (Some((seq, _)), _) if seq > tip.seq => Known::Beyond,
            (Some((_, hash)), Some(found)) if hash == found.as_str() => Known::Confirmed,
            (Some(_), found) => Known::Differs { hash: found.map(|hash| hash.as_str().to_owned()).unwrap_or_default() },
        };
        let install = if tip.install.is_empty() { install_if_new.into() } else { tip.install };
        let recovered = Recovered {
            install: install.to_string(),
            epoch: tip.epoch + 1,
            last_seq: tip.seq,
            last_hash: tip.hash.as_str().to_owned(),
            cut,
            known,
        };
        let journal = Self {
            dir: dir.to_owned(),
            path: layout.path(&segment),
            disk,
            segment,
            file,
            size,
            install,
            epoch: recovered.epoch,
            last_seq: tip.seq,
            last_hash: tip.hash,
            poisoned: false,
            generation: 0,
            segment_bytes: super::SEGMENT_BYTES,
            buffer: Vec::new(),
        };
        Ok((journal, recovered))
    }
}

/// Whether a name can name an installation.
pub(super) fn sound_install(name: &str) -> Result<(), JournalError> {
    let sound = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match sound && (1..=8).contains(&name.len()) {
        true => Ok(()),
        false => Err(JournalError::Install(name.to_owned())),
    }
}

/// Where writing goes on.
struct Tail {
    segment: Segment,
    file: Box<dyn DiskFile>,
    size: u64,
    tip: Tip,
    known_hash: Option<Hash>,
}

/// The first segment of a new journal.
fn begin(disk: &dyn Disk, layout: &Layout, install: &str) -> Result<Tail, JournalError> {
    let segment = Segment::plain(1);
    let path = layout.path(&segment);
    let file = disk.create(&path).map_err(JournalError::io("make", &path))?;
    let tip = Tip { install: install.into(), ..Tip::none() };
    Ok(Tail { segment, file, size: 0, tip, known_hash: None })
}

/// Reads the end of the last segment, cuts a torn write, and makes durable what is left.
fn read_tail(
    disk: &dyn Disk,
    layout: &Layout,
    n: usize,
    known: Option<&(u64, String)>,
    cut: &mut Vec<Torn>,
) -> Result<Tail, JournalError> {
    let segment = &layout.segments[n];
    let known_seq = known.map_or(0, |(seq, _)| *seq);
    let mut known_hash = None;
    if known_seq > 0 && known_seq < segment.first_seq {
        known_hash = Some(tip_at(disk, layout, known_seq)?.hash);
    }
    let start = match known_seq >= segment.first_seq {
        true => start_near(disk, layout, n, known_seq)?,
        false => 0,
    };
    let mut tip = match start {
        0 => Some(tip_at(disk, layout, segment.first_seq - 1)?),
        _ => None,
    };
    // Where the last batch begins; without one, the header of a continued segment is what was written last.
    let mut batch = (0, 0);
    let ending = Scan { disk, layout, n, start }.run(&mut tip, &mut |seen| {
        if seen.head.seq == known_seq {
            known_hash = Some(seen.hash);
        }
        if seen.head.batch != batch.0 {
            batch = (seen.head.batch, seen.offset);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if let Ending::Torn(Torn { file, line, reason, .. }) = &ending
        && tip.as_ref().map_or(0, |tip| tip.seq) < known_seq
    {
        let what = format!("{reason}, and commit {known_seq} was durable: this is no torn write");
        return Err(Damage { file: file.clone(), line: *line, what }.into());
    }
    let path = layout.path(segment);
    let mut file = disk.open_write(&path).map_err(JournalError::io("open", &path))?;
    let mut size = match ending {
        Ending::Torn(torn) => {
            let offset = torn.offset;
            cut.push(torn);
            offset
        }
        Ending::End(size) => size,
        Ending::Stopped => file.size().map_err(JournalError::io("read", &path))?,
    };
    // Also when there is nothing to cut: an earlier start may have cut and then failed to sync.
    file.truncate(size).map_err(JournalError::io("cut", &path))?;
    // After a failed sync the system may show bytes that are not on the disk and that it will never write, since it
    // holds them for clean. Only the last batch can be so. Written again, in place and unchanged, it is dirty and the
    // sync below means something; where it was durable already, old and new bytes are the same.
    let mut last = vec![0; (size - batch.1) as usize];
    let mut read = 0;
    while read < last.len() {
        match file.read_at(batch.1 + read as u64, &mut last[read..]).map_err(JournalError::io("read", &path))? {
            0 => break,
            some => read += some,
        }
    }
    last.truncate(read);
    if last.last().is_some_and(|end| *end != b'\n') {
        last.push(b'\n');
        size += 1;
    }
    if !last.is_empty() {
        file.write_all_at(batch.1, &last).map_err(JournalError::io("write", &path))?;
    }
    file.sync_data().map_err(JournalError::io("sync", &path))?;
    Ok(Tail { segment: segment.clone(), file, size, tip: tip.unwrap_or_else(Tip::none), known_hash })
}

/// Commit `seq`, or the beginning.
fn tip_at(disk: &dyn Disk, layout: &Layout, seq: u64) -> Result<Tip, JournalError> {
    let mut tip = None;
    if seq > 0 {
        let walk = Walk { disk, layout };
        walk.run(seq, &mut tip, &mut |_| Ok(ControlFlow::Break(())), &mut |_, _| Ok(()))?;
    }
    Ok(tip.unwrap_or_else(|| Tip { install: CompactString::default(), ..Tip::none() }))
}
