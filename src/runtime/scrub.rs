//! The scrub: reads the whole journal once a day, slowly, and tells the operators of damage while the backups that
//! still have it whole are young. It repairs nothing; what a check looks at is `journal::verify`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::handle::Handle;
use super::watch::tell_operators;
use crate::journal::{self, Disk, DiskFile, JournalError, VerifyReport};

/// The first scrub begins so long after the start, which has enough to read of its own.
const FIRST_AFTER: Duration = Duration::from_secs(10 * 60);
/// From the end of one scrub to the beginning of the next.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes read each second: a year's gigabytes take an hour, and a disk hardly notices.
const BYTES_PER_SEC: u64 = 4 << 20;
/// Bytes between two pauses.
const STRIDE: u64 = 1 << 20;

/// Scrubs the journal in `dir` for ever.
pub async fn daily(engine: Handle, disk: Arc<dyn Disk>, dir: PathBuf) {
    tokio::time::sleep(FIRST_AFTER).await;
    loop {
        let (engine, disk, dir) = (engine.clone(), Arc::clone(&disk), dir.clone());
        // The blocking threads of a runtime that shuts down are left behind, also in the middle of a pause.
        let _ = tokio::task::spawn_blocking(move || once(&engine, &disk, &dir)).await;
        tokio::time::sleep(EVERY).await;
    }
}

fn once(engine: &Handle, disk: &Arc<dyn Disk>, dir: &Path) {
    let Ok(head) = engine.look(|view| (view.durable.0, view.durable.1.to_owned())) else { return };
    match scrub(disk, dir, &head, Arc::new(std::thread::sleep)) {
        Ok(report) => tracing::info!(commits = report.commits, segments = report.segments, "the journal is sound"),
        Err(error) => {
            tracing::error!(%error, "the daily check of the journal found something");
            tell_operators(engine, "scrub", told(&error));
        }
    }
}

/// What the operators are told.
fn told(error: &JournalError) -> String {
    format!(
        "The daily check of the journal found damage: {error}. Nothing was changed, and paging goes on; but a restart \
         may refuse to start. Keep the directory as it is, compare with a backup, and run `opsbell journal verify`."
    )
}

/// What is done between two strides.
type Pause = Arc<dyn Fn(Duration) + Send + Sync>;

/// Reads everything, slowly. `head` is a commit that is durable.
///
/// # Errors
/// Damage that is still there when it is looked at a second time: a segment that was continued in between looks
/// damaged for a moment.
fn scrub(disk: &Arc<dyn Disk>, dir: &Path, head: &(u64, String), pause: Pause) -> Result<VerifyReport, JournalError> {
    let slow = Slow { disk: Arc::clone(disk), pause, read: Arc::default() };
    let look = || journal::verify(&slow, dir, Some((head.0, &head.1)), &mut |_| {});
    look().or_else(|_| look())
}

/// A disk that is read slowly, and never written.
struct Slow {
    disk: Arc<dyn Disk>,
    pause: Pause,
    /// Bytes since the last pause, of whatever file.
    read: Arc<AtomicU64>,
}

/// A file of it.
struct SlowFile {
    file: Box<dyn DiskFile>,
    pause: Pause,
    read: Arc<AtomicU64>,
}

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a scrub changes nothing"))
}

impl Disk for Slow {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        refused()
    }
    fn open_write(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        refused()
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open_read(path)?;
        Ok(Box::new(SlowFile { file, pause: Arc::clone(&self.pause), read: Arc::clone(&self.read) }))
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }
}

impl DiskFile for SlowFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(offset, into)?;
        let read = self.read.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        if read >= STRIDE {
            self.read.store(0, Ordering::Relaxed);
            (self.pause)(Duration::from_millis(read * 1000 / BYTES_PER_SEC));
        }
        Ok(n)
    }
    fn write_all_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }
    fn sync_data(&mut self) -> io::Result<()> {
        refused()
    }
    fn truncate(&mut self, _: u64) -> io::Result<()> {
        refused()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::actor::By;
    use crate::domain::event::{Commit, Event};
    use crate::domain::time::Timestamp;
    use crate::journal::{Journal, RealDisk};

    /// A journal of some megabytes in several segments; its directory and its head.
    fn written() -> (tempfile::TempDir, (u64, String)) {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut journal, _) = Journal::open(Arc::new(RealDisk), dir.path(), "scrub", None).expect("it opens");
        journal.rotate_at(1 << 20);
        let epoch = journal.epoch();
        let mut head = (0, String::new());
        for seq in 1..=60 {
            let events = vec![Event::ConfigLoaded { hash: "x".repeat(64_000).into() }];
            let commit = Commit { seq, at: Timestamp(0), by: By::timer("test"), events };
            head = journal.append(seq, epoch, &[commit]).expect("it is written");
        }
        (dir, head)
    }

    fn segments(dir: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("an entry").path()).collect();
        found.sort();
        found
    }

    #[test]
    fn a_sound_journal_is_read_slowly_and_stays_as_it_is() {
        let (dir, head) = written();
        let paused = Arc::new(Mutex::new(Duration::ZERO));
        let pause: Pause = {
            let paused = Arc::clone(&paused);
            Arc::new(move |pause| *paused.lock().expect("no panic") += pause)
        };
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let report = scrub(&disk, dir.path(), &head, pause).expect("it is sound");
        assert_eq!((report.commits, report.last_seq), (60, 60));
        assert!(report.segments > 2);
        // Nearly four megabytes: three strides at the least, each paid for.
        let paused = *paused.lock().expect("no panic");
        let strides = Duration::from_millis(STRIDE * 1000 / BYTES_PER_SEC);
        assert!(paused >= 2 * strides && paused <= 8 * strides, "{paused:?}");
    }

    #[test]
    fn damage_in_a_closed_segment_is_found_and_told() {
        let (dir, head) = written();
        let first = segments(dir.path()).remove(0);
        let mut bytes = std::fs::read(&first).expect("readable");
        let at = bytes.iter().position(|b| *b == b'x').expect("a hash of x");
        bytes[at + 40_000] = b'y';
        std::fs::write(&first, &bytes).expect("written");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let error = scrub(&disk, dir.path(), &head, Arc::new(|_| {})).expect_err("it is damaged");
        let text = told(&error);
        assert!(text.contains(&first.display().to_string()) && text.contains("opsbell journal verify"), "{text}");
        assert_eq!(std::fs::read(&first).expect("readable"), bytes, "nothing is repaired");
    }

    #[test]
    fn a_journal_that_was_cut_short_is_noticed_by_its_head() {
        let (dir, head) = written();
        let last = segments(dir.path()).pop().expect("a segment");
        std::fs::remove_file(last).expect("removed");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        assert!(scrub(&disk, dir.path(), &head, Arc::new(|_| {})).is_err());
    }
}
