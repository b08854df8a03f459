//! Recovery: from a data directory to the state that is durable. Open records plus the journal's tail; where the
//! records are missing, behind, corrupt or of another form, they are rebuilt from the journal with progress.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::domain::state::State;
use crate::journal::{Disk, Journal, JournalReader, Known, Recovered};
use crate::records::{Deadlines, Rebuild, Records, Trouble, snapshot};

/// What a data directory holds, ready to go on.
pub struct Opened {
    /// The journal, for the writer.
    pub journal: Journal,
    /// What was found.
    pub found: Recovered,
    /// The state that is durable.
    pub state: State,
    /// The records, up to `state` or a little behind; or why there can be none just now (a full disk). `state` is
    /// whole without them, and the shelf goes on trying.
    pub records: Result<Records, String>,
}

/// Opens `data` (journal and records). `install` names a new data directory. `progress` is told (commits done, in all)
/// while records are rebuilt.
///
/// # Errors
/// Damage to the journal; commits that the records know and the journal has lost. Nothing is changed then. Records that
/// cannot be made are no error: what is owed stands in the journal, and is sent.
pub fn open(disk: Arc<dyn Disk>, data: &Path, install: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Opened> {
    let (dir, records_dir) = (data.join("journal"), data.join("records"));
    let fresh = !records_dir.exists();
    let loaded = Records::open(&records_dir, Deadlines::default()).and_then(|records| {
        let loaded = records.load_open()?;
        Ok((records, loaded))
    });
    let known = match &loaded {
        Ok((_, Some((applied, _)))) => Some((applied.seq, applied.hash.clone())),
        Ok((_, None)) => None,
        Err(trouble) => {
            tracing::warn!(%trouble, "the records cannot be used");
            None
        }
    };
    let behind = known.clone();
    let (journal, found) = Journal::open(disk, &dir, install, known)?;
    let reader = journal.reader();
    if found.known == Known::Beyond {
        let (seq, hash) = behind.unwrap_or_default();
        bail!(
            "{}: the journal ends at commit {}, but commit {seq} (hash {hash}) was durable once: commits are missing. \
             Put the journal back from a backup; or, to accept the loss, remove {} and start again.",
            dir.display(),
            found.last_seq,
            records_dir.display()
        );
    }
    match loaded {
        Ok((records, None)) if found.last_seq == 0 => {
            let state = State::new(&found.install);
            return Ok(Opened { journal, found, state, records: Ok(records) });
        }
        Ok((records, Some((applied, open)))) if found.known == Known::Confirmed => {
            let mut state = State::assemble(open);
            reader.replay(applied.seq + 1, |commit, _| {
                state.apply(&commit);
                ControlFlow::Continue(())
            })?;
            return Ok(Opened { journal, found, state, records: Ok(records) });
        }
        Ok((records, behind)) => {
            match behind {
                None if fresh => tracing::info!(journal = found.last_seq, "there are no records yet"),
                behind => {
                    let behind = behind.map_or(0, |(applied, _)| applied.seq);
                    tracing::warn!(records = behind, journal = found.last_seq, "the records do not fit the journal");
                }
            }
            // They are moved away below, whether or not they let go; what was made just now is nothing to keep.
            let closed = records.close();
            if fresh && closed.is_ok() {
                let _ = std::fs::remove_dir_all(&records_dir);
            }
        }
        Err(_) => {}
    }
    match rebuild(&records_dir, &reader, &found.install, found.last_seq, progress) {
        Ok((records, state)) => Ok(Opened { journal, found, state, records: Ok(records) }),
        Err(error) => {
            let why = format!("{error:#}");
            tracing::error!(error = %why, "the records cannot be rebuilt; going on from the journal alone");
            let state = from_the_journal(&reader, &found.install, found.last_seq)?;
            Ok(Opened { journal, found, state, records: Err(why) })
        }
    }
}

/// The state without records. What is closed is let go on the way: the records will have it from the journal, and it
/// may be all of many years.
///
/// # Errors
/// The journal cannot be read.
fn from_the_journal(reader: &JournalReader, install: &str, upto: u64) -> Result<State> {
    /// So many changed records are kept at a time.
    const KEPT: usize = 2_048;
    let mut state = State::new(install);
    reader.read_range(1, upto, |commit, _| {
        state.apply(&commit);
        if state.dirty_count() >= KEPT {
            state.take_dirty();
        }
        ControlFlow::Continue(())
    })?;
    state.take_dirty();
    Ok(state)
}

/// Replays the whole journal up to `upto` into fresh records.
///
/// # Errors
/// The journal cannot be read, or fresh records cannot be written.
pub fn rebuild(
    dir: &Path,
    reader: &JournalReader,
    install: &str,
    upto: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Records, State)> {
    Records::wipe(dir).with_context(|| format!("{}: the old records cannot be moved away", dir.display()))?;
    let records = Records::open(dir, Deadlines::default())?;
    let mut state = State::new(install);
    let mut last = String::new();
    let mut failed: Option<Trouble> = None;
    let mut rebuild = Rebuild::new(&records, upto, progress);
    reader.read_range(1, upto, |commit, hash| {
        state.apply(&commit);
        hash.clone_into(&mut last);
        let written = rebuild.applied(|| take_snapshot(&mut state, &last));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(trouble) => {
                failed = Some(trouble);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(trouble) = failed {
        bail!(trouble);
    }
    if upto > 0 {
        rebuild.finish(|| take_snapshot(&mut state, &last))?;
    }
    Ok((records, state))
}

fn take_snapshot(state: &mut State, hash: &str) -> crate::records::Snapshot {
    let dirty = state.take_dirty();
    // Every record is plain data that serde writes without fail; an empty snapshot would only be behind.
    snapshot(state, &dirty, hash).unwrap_or_else(|error| {
        tracing::error!(%error, "a record cannot be written as JSON");
        crate::records::Snapshot {
            applied: crate::records::Applied {
                seq: 0,
                hash: String::new(),
                schema: 0,
                open: crate::records::Counts::default(),
            },
            puts: Vec::new(),
            removes: Vec::new(),
        }
    })
}

/// The state at a durable commit, after later ones were lost: from the records and the journal's tail, or, where the
/// records cannot be used, from the whole journal.
///
/// # Errors
/// The journal cannot be read.
pub fn state_at(records: Option<&Records>, reader: &JournalReader, install: &str, seq: u64) -> Result<State> {
    let (mut state, from) = match records.map_or(Ok(None), Records::load_open) {
        Ok(Some((applied, open))) if applied.seq <= seq => (State::assemble(open), applied.seq + 1),
        _ => (State::new(install), 1),
    };
    reader.read_range(from, seq, |commit, _| {
        state.apply(&commit);
        ControlFlow::Continue(())
    })?;
    Ok(state)
}
