//! Handing out the lines themselves, byte for byte, for other tools and for the archive.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use super::disk::Disk;
use super::error::JournalError;
use super::scan::Walk;
use super::segment::Layout;

/// Writes the lines of the commits from `from` to `to`, both included, as far as they are there; gives how many. Lines
/// that were voided, and the headers of continued segments, are left out, so that each line's `prev` is the hash of
/// the line before it. Needs no lock and changes nothing in the journal.
pub fn export(disk: &dyn Disk, dir: &Path, from: u64, to: u64, out: &mut dyn Write) -> Result<u64, JournalError> {
    let layout = Layout::load(disk, dir)?;
    let mut written = 0;
    if from > to {
        return Ok(written);
    }
    Walk { disk, layout: &layout }.run(
        from,
        &mut None,
        &mut |seen| {
            if seen.head.seq > to {
                return Ok(ControlFlow::Break(()));
            }
            out.write_all(seen.bytes).and_then(|()| out.write_all(b"\n")).map_err(JournalError::Export)?;
            written += 1;
            Ok(if seen.head.seq == to { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        },
        &mut |_, _| Ok(()),
    )?;
    out.flush().map_err(JournalError::Export)?;
    Ok(written)
}
