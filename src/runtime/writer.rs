//! The writer: owns the journal on a thread of its own, makes each batch durable with one write and one sync, and
//! tells the engine. A failed batch is never tried again; a fresh segment is tried until one can be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::bell::Bell;
use super::clock::stopwatch;
use super::fatal::EndsWith;
use crate::domain::event::Commit;
use crate::http::Tally;
use crate::journal::{AppendError, Journal};

/// The wait between two attempts to begin a fresh segment; it doubles while batches keep failing, up to the longest, so
/// that a sick disk is neither hammered nor filled with segments.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// A sleep that nobody ends: of an engine that is gone without having said so.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What the writer tells.
#[derive(Debug)]
pub enum Written {
    /// The batch is durable up to this commit.
    Durable {
        /// The last commit.
        seq: u64,
        /// Its hash.
        hash: String,
        /// The batch.
        commits: Vec<Commit>,
    },
    /// The batch is not durable and never will be; nothing is written until `Mended`.
    Failed {
        /// Why.
        reason: String,
    },
    /// A fresh segment stands behind the last durable commit.
    Mended,
}

/// The way to the writer.
#[derive(Debug)]
pub struct Writer {
    batches: Sender<Vec<Commit>>,
    bell: Arc<Bell>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; `tell` is called on it.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(journal: Journal, tally: Tally, tell: impl Fn(Written) + Send + 'static) -> std::io::Result<Self> {
        // One batch is written while the engine gathers the next, so one place is all that is needed.
        let (batches, queue) = bounded(1);
        let bell = Arc::new(Bell::default());
        let over = Arc::new(AtomicBool::new(false));
        let queue = Queue { batches: queue, bell: Arc::clone(&bell), over: Arc::clone(&over) };
        let thread =
            std::thread::Builder::new().name("writer".into()).spawn(move || run(journal, &queue, &tally, &tell))?;
        Ok(Self { batches, bell, over, thread })
    }

    /// Hands over a batch. The engine hands over one at a time, so this does not wait. `false`: the thread is gone.
    pub fn write(&self, batch: Vec<Commit>) -> bool {
        let taken = self.batches.send(batch).is_ok();
        self.bell.ring();
        taken
    }

    /// Lets the thread end after what it has.
    pub fn stop(self) {
        drop(self.batches);
        self.over.store(true, Ordering::SeqCst);
        self.bell.ring();
        let _ = self.thread.join();
    }
}

/// The writer's side of it.
struct Queue {
    batches: Receiver<Vec<Commit>>,
    bell: Arc<Bell>,
    over: Arc<AtomicBool>,
}

impl Queue {
    /// The next batch; `None`: the engine has hung up.
    fn next(&self) -> Option<Vec<Commit>> {
        loop {
            match self.batches.try_recv() {
                Ok(batch) => return Some(batch),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {
                    let anything = || !self.batches.is_empty() || self.over.load(Ordering::SeqCst);
                    self.bell.sleep(LONGEST_SLEEP, anything);
                }
            }
        }
    }
}

fn run(mut journal: Journal, queue: &Queue, tally: &Tally, tell: &dyn Fn(Written)) {
    let _ends = EndsWith("writer");
    let epoch = journal.epoch();
    let mut failures: u32 = 0;
    while let Some(commits) = queue.next() {
        let Some(first) = commits.first().map(|commit| commit.seq) else { continue };
        let watch = stopwatch();
        let appended = journal.append(first, epoch, &commits);
        tally.synced(watch(), appended.is_ok());
        match appended {
            Ok((seq, hash)) => {
                failures = 0;
                tell(Written::Durable { seq, hash, commits });
            }
            Err(error @ (AppendError::Io { .. } | AppendError::Poisoned)) => {
                tell(Written::Failed { reason: error.to_string() });
                failures = failures.saturating_add(1);
                if !mend(&mut journal, &queue.batches, failures) {
                    return;
                }
                tell(Written::Mended);
            }
            Err(error) => {
                // The batch itself is wrong, so a fresh segment would not help: this process must not go on.
                tracing::error!(%error, "the journal refuses a batch; stopping at once");
                std::process::abort();
            }
        }
    }
}

/// Begins a fresh segment, after a pause where batches keep failing; `false`: the engine has hung up. It hands over
/// nothing before it is told, so asking its queue is a wait that ends with it.
fn mend(journal: &mut Journal, queue: &Receiver<Vec<Commit>>, failures: u32) -> bool {
    let mut wait = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(RETRY_LONGEST);
    let mut at_once = failures == 1;
    loop {
        if !at_once && matches!(queue.recv_timeout(wait), Err(crossbeam_channel::RecvTimeoutError::Disconnected)) {
            return false;
        }
        match journal.continue_fresh() {
            Ok(()) => return true,
            Err(error) => tracing::error!(%error, "a fresh journal segment cannot be made; trying again"),
        }
        (at_once, wait) = (false, RETRY);
    }
}
