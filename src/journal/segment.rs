//! The files of a journal: their names, their order, and how far each of them counts. What their lines say is read
//! in `scan`.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile};
use super::error::{Damage, JournalError};
use super::line::{Continues, unseal};
use super::scan::{Lines, Torn};

/// One file of the journal: `00000000000000000101.jsonl`, or `00000000000000000101.k0001.jsonl` where writing began
/// afresh after a failure. The second sorts behind the first (`k` comes after `j`), as it must: it is the newer one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first commit, from 1.
    pub first_seq: u64,
    /// 0 for a plain one, from 1 for a continued one.
    pub generation: u32,
    /// Its name in the directory.
    pub name: String,
}

impl Segment {
    pub fn plain(first_seq: u64) -> Self {
        Self { first_seq, generation: 0, name: format!("{first_seq:020}.jsonl") }
    }

    pub fn continued(first_seq: u64, generation: u32) -> Self {
        Self { first_seq, generation, name: format!("{first_seq:020}.k{generation:04}.jsonl") }
    }

    fn read(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".jsonl")?;
        let segment = match stem.split_once(".k") {
            Some((seq, generation)) => Self::continued(seq.parse().ok()?, generation.parse().ok()?),
            None => Self::plain(stem.parse().ok()?),
        };
        let sound = segment.first_seq > 0 && (segment.generation > 0 || !stem.contains(".k"));
        (sound && segment.name == name).then_some(segment)
    }

    pub fn is_continued(&self) -> bool {
        self.generation > 0
    }
}

/// The segments of a journal, in order.
pub(super) struct Layout {
    pub dir: PathBuf,
    pub segments: Vec<Segment>,
    /// Continued segments whose header never became whole: they void nothing and hold nothing.
    pub unbegun: Vec<(Segment, Torn)>,
}

impl Layout {
    /// Reads the names (and, at the end, the headers of continued segments that may be torn).
    pub fn load(disk: &dyn Disk, dir: &Path) -> Result<Self, JournalError> {
        let mut segments = Vec::new();
        for name in disk.list(dir).map_err(JournalError::io("list", dir))? {
            match Segment::read(&name) {
                Some(segment) => segments.push(segment),
                None if name.ends_with(".jsonl") => {
                    let what =
                        "no segment of a journal is called so; move it elsewhere if it is not part of the journal";
                    return Err(Damage { file: dir.join(name), line: 1, what: what.into() }.into());
                }
                None => {}
            }
        }
        segments.sort();
        let mut layout = Self { dir: dir.to_owned(), segments, unbegun: Vec::new() };
        while let Some(last) = layout.segments.last().filter(|last| last.is_continued()) {
            let Some(torn) = torn_header(disk, &layout.path(last))? else { break };
            layout.unbegun.extend(layout.segments.pop().map(|segment| (segment, torn)));
        }
        match layout.segments.first() {
            Some(first) if first.first_seq != 1 => Err(Damage {
                file: layout.path(first),
                line: 1,
                what: format!("the journal begins with commit {}: the files before it are missing", first.first_seq),
            }
            .into()),
            _ => Ok(layout),
        }
    }

    pub fn path(&self, segment: &Segment) -> PathBuf {
        self.dir.join(&segment.name)
    }

    /// The last commit of segment `n` that counts; what stands after it was voided by a later continued segment.
    pub fn limit(&self, n: usize) -> u64 {
        // In order of their first commits, the next continued segment is the one that voids most.
        self.segments[n + 1..].iter().find(|later| later.is_continued()).map_or(u64::MAX, |later| later.first_seq - 1)
    }

    /// The segment in which commit `seq` would stand.
    pub fn holding(&self, seq: u64) -> Option<usize> {
        (0..self.segments.len()).rev().find(|&n| self.segments[n].first_seq <= seq && seq <= self.limit(n))
    }
}

/// Why the header of a continued segment is not whole; `None` when it is. A writer may be making or removing the file
/// at this moment.
fn torn_header(disk: &dyn Disk, path: &Path) -> Result<Option<Torn>, JournalError> {
    let torn = |bytes| Torn {
        file: path.to_owned(),
        line: 1,
        offset: 0,
        bytes,
        reason: "the header of a continued segment is not whole".into(),
    };
    let file = match disk.open_read(path) {
        Ok(file) => file,
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(Some(torn(0))),
        Err(error) => return Err(JournalError::io("open", path)(error)),
    };
    let size = file.size().map_err(JournalError::io("read", path))?;
    let mut lines = Lines::new(file, path, 0);
    match lines.next()? {
        Some(header) if unseal(header.bytes).is_some() => return Ok(None),
        _ => {}
    }
    while let Some(line) = lines.next()? {
        if unseal(line.bytes).is_some() {
            let what = "the header is not as it was written, but whole commits follow it".to_owned();
            return Err(Damage { file: path.to_owned(), line: 1, what }.into());
        }
    }
    Ok(Some(torn(size)))
}

/// Checks the header of a continued segment against its name.
pub(super) fn read_header<'a>(line: &'a [u8], segment: &Segment) -> Result<Continues<'a>, HeaderFault> {
    let (sealed, _) = unseal(line).ok_or_else(|| HeaderFault::Wrong("the header is not as it was written".into()))?;
    let header = Continues::read(sealed).map_err(HeaderFault::Unreadable)?;
    if header.seq.checked_add(1) != Some(segment.first_seq) {
        let what = format!("the header continues after commit {}, the file name says otherwise", header.seq);
        return Err(HeaderFault::Wrong(what));
    }
    Ok(header)
}

/// What is wrong with a header.
pub(super) enum HeaderFault {
    Wrong(String),
    Unreadable(super::error::Unreadable),
}

/// The offset of a line at or before commit `seq` (and not before `start`), found by halving: good as a place to begin
/// reading. Lines are believed here without checking their hash; whoever reads from there checks them.
pub(super) fn seek(file: &dyn DiskFile, start: u64, seq: u64) -> io::Result<u64> {
    /// Below this it is cheaper to read on than to halve.
    const NEAR: u64 = 64 * 1024;
    let (mut low, mut high) = (start, file.size()?);
    while high.saturating_sub(low) > NEAR {
        let middle = low + (high - low) / 2;
        match line_after(file, middle, high)? {
            Some((offset, found)) if found <= seq => low = offset,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first line that begins after `from` and before `end` and has a legible number: its offset and number.
fn line_after(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<Option<(u64, u64)>> {
    /// Longer than the head of any line.
    const HEAD: usize = 512;
    let mut buffer = vec![0; 16 * 1024];
    let mut offset = from;
    while offset < end {
        let read = file.read_at(offset, &mut buffer)?;
        if read == 0 {
            break;
        }
        for (n, _) in buffer[..read].iter().enumerate().filter(|(_, b)| **b == b'\n') {
            let begin = offset + n as u64 + 1;
            if begin >= end {
                return Ok(None);
            }
            let mut head = [0; HEAD];
            let len = file.read_at(begin, &mut head)?;
            if let Ok(head) = super::line::Head::read(&head[..len]) {
                return Ok(Some((begin, head.seq)));
            }
        }
        offset += read as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_sort() {
        let plain = Segment::plain(101);
        let continued = Segment::continued(101, 2);
        assert_eq!(plain.name, "00000000000000000101.jsonl");
        assert_eq!(continued.name, "00000000000000000101.k0002.jsonl");
        for segment in [&plain, &continued] {
            assert_eq!(Segment::read(&segment.name).as_ref(), Some(segment));
        }
        assert!(plain < continued && plain.name < continued.name);
        assert!(continued < Segment::plain(102) && continued.name < Segment::plain(102).name);
        for bad in ["", "1.jsonl", "00000000000000000000.jsonl", "00000000000000000001.k0000.jsonl", "lock", "a.jsonl"]
        {
            assert_eq!(Segment::read(bad), None, "{bad}");
        }
    }
}
