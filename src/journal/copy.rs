//! Copying a journal for a backup: the commits that count, in fresh segments, up to a given head. Each line is checked
//! on the way, so that damage is told when a backup is made and not when it is needed. Where the copies go is not
//! known here.

use std::ops::ControlFlow;
use std::path::Path;

use super::disk::Disk;
use super::error::{Damage, JournalError};
use super::scan::Walk;
use super::segment::{Layout, Segment};

/// A copied segment is closed when the next batch would make it larger than this: it is held in memory until then.
const COPIED_BYTES: usize = 8 * 1024 * 1024;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The last commit; 0 when there is none.
    pub seq: u64,
    /// Its hash; 64 zeros when there is none.
    pub hash: String,
    /// The installation that wrote it.
    pub install: String,
}

/// Hands on the segments of a copy, by name and content, in order: the lines byte for byte, without what failed writes
/// left behind. `head` is the durable commit (number and hash) at which the copy ends; without it, it ends at the last
/// whole line. Needs no lock and changes nothing; a writer may go on meanwhile.
///
/// # Errors
/// Damage; `Beyond` when the journal ends before `head`; what `each` could not take, as `Export`.
pub fn copy(
    disk: &dyn Disk,
    dir: &Path,
    head: Option<(u64, &str)>,
    each: &mut dyn FnMut(&str, &[u8]) -> std::io::Result<()>,
) -> Result<Copied, JournalError> {
    let layout = Layout::load(disk, dir)?;
    let upto = head.map_or(u64::MAX, |(seq, _)| seq);
    let mut copied = Copied { seq: 0, hash: "0".repeat(64), install: String::new() };
    let (mut first, mut bytes) = (1, Vec::new());
    if upto > 0 {
        Walk { disk, layout: &layout }.run(
            1,
            &mut None,
            &mut |seen| {
                // A batch stays in one file: then a reader can tell a torn one from damage.
                let begins = seen.head.batch == seen.head.seq;
                if begins && !bytes.is_empty() && bytes.len() + seen.bytes.len() > COPIED_BYTES {
                    each(&Segment::plain(first).name, &bytes).map_err(JournalError::Export)?;
                    (first, bytes) = (seen.head.seq, Vec::new());
                }
                bytes.extend_from_slice(seen.bytes);
                bytes.push(b'\n');
                copied.seq = seen.head.seq;
                seen.hash.as_str().clone_into(&mut copied.hash);
                if copied.install != seen.head.install {
                    seen.head.install.clone_into(&mut copied.install);
                }
                Ok(if copied.seq >= upto { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
            &mut |_, _| Ok(()),
        )?;
    }
    if let Some((wanted, hash)) = head {
        if copied.seq < wanted {
            return Err(JournalError::Beyond { dir: dir.to_owned(), wanted, last: copied.seq });
        }
        if copied.hash != hash {
            let what = format!("commit {wanted} has hash {}, but the server says {hash}", copied.hash);
            return Err(Damage { file: dir.to_owned(), line: 1, what }.into());
        }
    }
    if !bytes.is_empty() {
        each(&Segment::plain(first).name, &bytes).map_err(JournalError::Export)?;
    }
    Ok(copied)
}
