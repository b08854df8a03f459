//! The full check: every line of every segment. It takes no lock, repairs nothing and streams.

use std::ops::ControlFlow;
use std::path::Path;

use compact_str::CompactString;

use super::disk::Disk;
use super::error::{Damage, JournalError};
use super::line::{Hash, decode};
use super::scan::{Ending, Tip, Torn, Walk, unreadable};
use super::segment::Layout;
use crate::domain::event::{Commit, Event};

/// What a full check found in a sound journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// How many commits count.
    pub commits: u64,
    /// How many events they hold.
    pub events: u64,
    /// The first commit; 0 when there is none.
    pub first_seq: u64,
    /// The last commit; 0 when there is none.
    pub last_seq: u64,
    /// Its hash; 64 zeros when there is none. Noted elsewhere, it lets a later check notice a journal cut short.
    pub last_hash: String,
    /// How many files there are.
    pub segments: usize,
    /// Bytes of failed writes that a later segment voids; they count for nothing.
    pub voided_bytes: u64,
    /// Remains at the end that were never acknowledged (or are being written at this moment); the next start cuts them.
    pub torn: Vec<Torn>,
}

/// Checks a whole journal: hashes, chain, numbers, file names, and that this release can read every event. `head` is a
/// commit (number and hash) that was noted elsewhere: without it nobody can notice that commits are missing at the
/// end. `progress` is called now and then with the number of commits so far.
///
/// # Errors
/// The first damage, with file, line and reason; an unreadable file; an event that only a newer release can read.
pub fn verify(
    disk: &dyn Disk,
    dir: &Path,
    head: Option<(u64, &str)>,
    progress: &mut dyn FnMut(u64),
) -> Result<VerifyReport, JournalError> {
    /// How many commits there are between two calls of `progress`.
    const STRIDE: u64 = 10_000;
    let layout = Layout::load(disk, dir)?;
    let mut report = VerifyReport { segments: layout.segments.len(), ..VerifyReport::default() };
    let mut torn: Vec<Torn> = layout.unbegun.iter().map(|(_, torn)| torn.clone()).collect();
    let mut voided = 0;
    let (mut tip, mut install) = (None, CompactString::default());
    let noted = |hash: &str| head.filter(|(_, noted)| !noted.eq_ignore_ascii_case(hash));
    Walk { disk, layout: &layout }.run(
        1,
        &mut tip,
        &mut |seen| {
            let commit = decode(seen.bytes).map_err(|source| unreadable(disk, seen, source))?;
            if install != seen.head.install {
                if !install.is_empty() && !renewed(&commit, &install, seen.head.install) {
                    let what = format!(
                        "commit {} is of installation {}, the one before it of {install}, and nothing says that it was \
                         restored",
                        commit.seq, seen.head.install
                    );
                    return Err(damage(disk, seen, what));
                }
                install = seen.head.install.into();
            }
            if let Some((seq, other)) = noted(seen.hash.as_str()).filter(|(seq, _)| *seq == commit.seq) {
                let hash = seen.hash.as_str();
                let what = format!("commit {seq} has hash {hash}, but hash {other} was noted elsewhere");
                return Err(damage(disk, seen, what));
            }
            report.first_seq = if report.commits == 0 { commit.seq } else { report.first_seq };
            report.commits += 1;
            report.events += commit.events.len() as u64;
            if report.commits.is_multiple_of(STRIDE) {
                progress(report.commits);
            }
            Ok(ControlFlow::Continue(()))
        },
        &mut |n, ending| {
            match ending {
                Ending::End(read) => {
                    let path = layout.path(&layout.segments[n]);
                    let size = disk.open_read(&path).and_then(|file| file.size());
                    let size = size.map_err(JournalError::io("read", &path))?;
                    // Behind the last segment a writer may have gone on since; that is not void.
                    if n + 1 < layout.segments.len() {
                        voided += size.saturating_sub(*read);
                    }
                }
                Ending::Torn(found) => torn.push(found.clone()),
                Ending::Stopped => {}
            }
            Ok(())
        },
    )?;
    let tip = tip.unwrap_or_else(Tip::none);
    if let Some((seq, hash)) = head.filter(|(seq, _)| *seq > tip.seq) {
        let file = layout.segments.last().map_or_else(|| dir.to_owned(), |segment| layout.path(segment));
        let what =
            format!("commit {seq} with hash {hash} was noted elsewhere, but the journal ends at commit {}", tip.seq);
        return Err(Damage { file, line: 1, what }.into());
    }
    if let Some((0, other)) = noted(Hash::NONE.as_str()) {
        let what = format!("before the first commit the hash is 64 zeros, but hash {other} was noted elsewhere");
        return Err(Damage { file: dir.to_owned(), line: 1, what }.into());
    }
    progress(report.commits);
    (report.last_seq, report.last_hash) = (tip.seq, tip.hash.as_str().to_owned());
    (report.voided_bytes, report.torn) = (voided, torn);
    Ok(report)
}

/// Whether a commit says that the journal goes on under a new name.
fn renewed(commit: &Commit, before: &str, now: &str) -> bool {
    matches!(commit.events.first(), Some(Event::InstallRenewed { install, from, after })
        if install == now && from == before && after.checked_add(1) == Some(commit.seq))
}

fn damage(disk: &dyn Disk, seen: &super::scan::Seen<'_>, what: String) -> JournalError {
    match super::scan::line_number(disk, seen) {
        Ok(line) => Damage { file: seen.path.to_owned(), line, what }.into(),
        Err(error) => error,
    }
}
