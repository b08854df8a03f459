//! Reading one segment line by line: every hash, the chain, the numbers, and the rule that tells a torn write from
//! damage. Which segments there are, and what a reader does with the lines, is elsewhere.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use compact_str::CompactString;

use super::disk::{Disk, DiskFile};
use super::error::{Damage, JournalError, Unreadable};
use super::line::{Hash, Head, unseal};
use super::segment::{HeaderFault, Layout, read_header, seek};

/// The remains of a write that was never acknowledged, at the end of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// The first bad line, from 1.
    pub line: u64,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How many bytes stand from there to the end of the file.
    pub bytes: u64,
    /// What is wrong with the line.
    pub reason: String,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, bytes, reason, .. } = self;
        write!(f, "{}:{line}: {bytes} bytes of a write that was never acknowledged ({reason})", file.display())
    }
}

/// The last line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    pub seq: u64,
    pub hash: Hash,
    pub epoch: u64,
    pub batch: u64,
    pub install: CompactString,
}

impl Tip {
    /// Before the first line.
    pub fn none() -> Self {
        Self { seq: 0, hash: Hash::NONE, epoch: 0, batch: 0, install: CompactString::default() }
    }
}

/// A whole line in its place in the chain.
pub(super) struct Seen<'a> {
    /// The line without its newline.
    pub bytes: &'a [u8],
    pub head: Head<'a>,
    pub hash: Hash,
    pub path: &'a Path,
    /// Where it begins in its file.
    pub offset: u64,
}

/// How the reading of a segment ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// At the end of the file, or where the rest was voided; the offset of it.
    End(u64),
    /// The visitor had enough.
    Stopped,
    /// The rest was never acknowledged.
    Torn(Torn),
}

/// What is called for every line.
pub(super) type Visit<'a> = dyn FnMut(&Seen<'_>) -> Result<ControlFlow<()>, JournalError> + 'a;

/// A segment that is being read.
pub(super) struct Scan<'a> {
    pub disk: &'a dyn Disk,
    pub layout: &'a Layout,
    /// Which segment.
    pub n: usize,
    /// Where to begin: 0, or the beginning of a line.
    pub start: u64,
}

impl Scan<'_> {
    /// Reads to the end. `tip` is the line before (`None` when the reading begins in the middle) and then the last
    /// line that was read.
    pub fn run(&self, tip: &mut Option<Tip>, visit: &mut Visit<'_>) -> Result<Ending, JournalError> {
        let Self { disk, layout, n, start } = *self;
        let segment = &layout.segments[n];
        let path = layout.path(segment);
        let limit = layout.limit(n);
        let is_last = n + 1 == layout.segments.len();
        let file = disk.open_read(&path).map_err(JournalError::io("open", &path))?;
        let mut lines = Lines::new(file, &path, start);
        let wrong = |lines: &Lines, offset, what: String| -> JournalError {
            match lines.number_at(offset) {
                Ok(line) => Damage { file: path.clone(), line, what }.into(),
                Err(error) => error,
            }
        };
        if start == 0 && segment.is_continued() {
            let header = match lines.next()? {
                Some(line) => read_header(line.bytes, segment).map(|header| Tip {
                    seq: header.seq,
                    hash: header.hash,
                    epoch: header.epoch,
                    batch: 0,
                    install: header.install.into(),
                }),
                None => Err(HeaderFault::Wrong("the header is missing".into())),
            };
            let header = match header {
                Ok(header) => header,
                Err(HeaderFault::Wrong(what)) => return Err(wrong(&lines, 0, what)),
                Err(HeaderFault::Unreadable(source)) => {
                    return Err(JournalError::Unreadable { file: path, line: 1, source });
                }
            };
            if tip.as_ref().is_some_and(|tip| tip.hash != header.hash || tip.epoch > header.epoch) {
                let what = format!("the header does not continue commit {} as it stands before it", header.seq);
                return Err(wrong(&lines, 0, what));
            }
            *tip = Some(header);
        }
        // What is known of the first line when the line before it is not: its number, from the file's name.
        let first_seq = (start == 0).then_some(segment.first_seq);
        loop {
            if tip.as_ref().is_some_and(|tip| tip.seq >= limit) {
                return Ok(Ending::End(lines.offset));
            }
            let Some(line) = lines.next()? else { break };
            let offset = line.offset;
            let Some((sealed, hash)) = unseal(line.bytes) else {
                let reason = bad_line(line.bytes, line.ended);
                let Some(expected) = tip.as_ref().map(|tip| tip.seq + 1).or(first_seq) else {
                    // A place found by halving may be in torn bytes; only the whole file tells.
                    return Scan { disk, layout, n, start: 0 }.run(tip, visit);
                };
                if is_last && self.is_torn(&mut lines, expected)? {
                    let bytes = lines.offset - offset;
                    return Ok(Ending::Torn(Torn {
                        line: lines.number_at(offset)?,
                        file: path,
                        offset,
                        bytes,
                        reason,
                    }));
                }
                return Err(wrong(&lines, offset, format!("{reason}, and this is not the end of the journal")));
            };
            let head = match Head::read(sealed) {
                Ok(head) => head,
                Err(source) => {
                    let line = lines.number_at(offset)?;
                    return Err(JournalError::Unreadable { file: path, line, source });
                }
            };
            let misplaced = match (&tip, first_seq) {
                (Some(tip), _) => misplaced(tip, &head),
                (None, Some(first)) if first != head.seq => {
                    Some(format!("commit {} begins the file, its name says commit {first}", head.seq))
                }
                (None, _) => None,
            };
            if let Some(what) = misplaced {
                return Err(wrong(&lines, offset, what));
            }
            let seen = Seen { bytes: line.bytes, head, hash, path: &path, offset };
            let flow = visit(&seen)?;
            match tip {
                Some(tip) => {
                    (tip.seq, tip.hash, tip.epoch, tip.batch) = (head.seq, hash, head.epoch, head.batch);
                    if tip.install != head.install {
                        tip.install = head.install.into();
                    }
                }
                None => {
                    let (seq, epoch, batch) = (head.seq, head.epoch, head.batch);
                    *tip = Some(Tip { seq, hash, epoch, batch, install: head.install.into() });
                }
            }
            if flow.is_break() {
                return Ok(Ending::Stopped);
            }
        }
        let reached = tip.as_ref().map_or(0, |tip| tip.seq);
        let needed = if is_last { reached } else { limit.min(layout.segments[n + 1].first_seq - 1) };
        if reached != needed {
            let what = format!("the file ends after commit {reached}, but the next file begins after commit {needed}");
            return Err(wrong(&lines, lines.offset, what));
        }
        Ok(Ending::End(lines.offset))
    }

    /// Whether what follows a bad line holds nothing of a later batch. The bad line is commit `expected` or comes
    /// after it; a batch bears the number of its first commit, so a line whose batch begins after `expected` was
    /// written after the bad line's batch had been acknowledged.
    fn is_torn(&self, lines: &mut Lines, expected: u64) -> Result<bool, JournalError> {
        while let Some(line) = lines.next()? {
            if let Some((sealed, _)) = unseal(line.bytes)
                && !Head::read(sealed).is_ok_and(|head| head.batch <= expected)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn bad_line(bytes: &[u8], ended: bool) -> String {
    if !ended {
        return "the line is cut off".into();
    }
    match bytes.iter().all(|b| *b == 0) {
        true if bytes.is_empty() => "the line is empty".into(),
        true => "the line is all zeros".into(),
        false => "the hash does not fit the line".into(),
    }
}

fn misplaced(tip: &Tip, head: &Head<'_>) -> Option<String> {
    let expected = tip.seq + 1;
    if head.seq != expected {
        return Some(format!("commit {} stands where commit {expected} is expected", head.seq));
    }
    if head.prev != tip.hash {
        return Some(format!("commit {} does not follow commit {} as it stands before it", head.seq, tip.seq));
    }
    if head.epoch < tip.epoch || head.batch > head.seq || (head.batch != tip.batch && head.batch != head.seq) {
        return Some(format!("commit {} has an epoch or batch number that cannot follow", head.seq));
    }
    None
}

/// Reads the valid lines of a journal in order.
pub(super) struct Walk<'a> {
    pub disk: &'a dyn Disk,
    pub layout: &'a Layout,
}

impl Walk<'_> {
    /// Visits the lines from commit `from` on, until the visitor has enough or the journal ends. `tip` becomes the last
    /// line that was read; `after` is called after each segment with how its reading ended.
    pub fn run(
        &self,
        from: u64,
        tip: &mut Option<Tip>,
        visit: &mut Visit<'_>,
        after: &mut dyn FnMut(usize, &Ending) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let Self { disk, layout } = *self;
        let from = from.max(1);
        // The line before the first wanted one is read too: it is what the first one has to follow.
        let Some(first) = layout.holding(from - 1).or_else(|| layout.holding(from)) else {
            *tip = Some(Tip::none());
            return Ok(());
        };
        let mut start = match from {
            1 => 0,
            _ => start_near(disk, layout, first, from - 1)?,
        };
        *tip = (layout.segments[first].first_seq == 1 && start == 0).then(Tip::none);
        for n in first..layout.segments.len() {
            if layout.limit(n) < layout.segments[n].first_seq {
                after(n, &Ending::End(0))?;
                continue;
            }
            let ending = Scan { disk, layout, n, start }.run(tip, &mut |seen| {
                if seen.head.seq < from { Ok(ControlFlow::Continue(())) } else { visit(seen) }
            })?;
            after(n, &ending)?;
            match ending {
                Ending::End(_) => start = 0,
                Ending::Stopped | Ending::Torn(_) => break,
            }
        }
        Ok(())
    }
}

/// Where to begin reading segment `n` for commit `seq`.
pub(super) fn start_near(disk: &dyn Disk, layout: &Layout, n: usize, seq: u64) -> Result<u64, JournalError> {
    let path = layout.path(&layout.segments[n]);
    let file = disk.open_read(&path).map_err(JournalError::io("open", &path))?;
    seek(&*file, 0, seq).map_err(JournalError::io("read", &path))
}

/// The lines of a file.
pub(super) struct Lines {
    reader: BufReader<At>,
    path: PathBuf,
    /// Where the next line begins.
    pub offset: u64,
    buffer: Vec<u8>,
}

/// One line of a file, good or bad.
pub(super) struct Line<'a> {
    /// Without its newline.
    pub bytes: &'a [u8],
    /// Where it begins.
    pub offset: u64,
    /// Whether a newline ends it.
    pub ended: bool,
}

impl Lines {
    pub fn new(file: Box<dyn DiskFile>, path: &Path, offset: u64) -> Self {
        let reader = BufReader::with_capacity(64 * 1024, At { file, offset });
        Self { reader, path: path.to_owned(), offset, buffer: Vec::new() }
    }

    pub fn next(&mut self) -> Result<Option<Line<'_>>, JournalError> {
        self.buffer.clear();
        let read = self.reader.read_until(b'\n', &mut self.buffer).map_err(JournalError::io("read", &self.path))?;
        if read == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        self.offset += read as u64;
        let (bytes, ended) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (&self.buffer[..], false),
        };
        Ok(Some(Line { bytes, offset, ended }))
    }

    /// The number of the line that begins at an offset, from 1. Counted only when something is wrong.
    pub fn number_at(&self, offset: u64) -> Result<u64, JournalError> {
        let mut buffer = vec![0; 64 * 1024];
        let (mut at, mut number) = (0, 1);
        while at < offset {
            let want = buffer.len().min((offset - at) as usize);
            let read = self.reader.get_ref().file.read_at(at, &mut buffer[..want]);
            let read = read.map_err(JournalError::io("read", &self.path))?;
            if read == 0 {
                break;
            }
            number += buffer[..read].iter().filter(|b| **b == b'\n').count() as u64;
            at += read as u64;
        }
        Ok(number)
    }
}

/// A file as a stream.
struct At {
    file: Box<dyn DiskFile>,
    offset: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, into)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Says that a line cannot be read.
pub(super) fn unreadable(disk: &dyn Disk, seen: &Seen<'_>, source: Unreadable) -> JournalError {
    match line_number(disk, seen) {
        Ok(line) => JournalError::Unreadable { file: seen.path.to_owned(), line, source },
        Err(error) => error,
    }
}

/// The number of a line in its file, from 1.
pub(super) fn line_number(disk: &dyn Disk, seen: &Seen<'_>) -> Result<u64, JournalError> {
    let file = disk.open_read(seen.path).map_err(JournalError::io("open", seen.path))?;
    Lines::new(file, seen.path, 0).number_at(seen.offset)
}
