//! The writer: owns the journal on a thread of its own, makes each batch durable with one write and one sync, and
//! tells the engine. A failed batch is never tried again; a fresh segment is tried until one can be made.

use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::fatal::EndsWith;
use crate::domain::event::Commit;
use crate::journal::Journal;

/// The wait between two attempts to begin a fresh segment after a failure.
const RETRY: Duration = Duration::from_secs(1);

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
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread; `tell` is called on it.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(journal: Journal, tell: impl Fn(Written) + Send + 'static) -> std::io::Result<Self> {
        // One batch is written while the engine gathers the next, so one place is all that is needed.
        let (batches, queue) = bounded(1);
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || run(journal, &queue, &tell))?;
        Ok(Self { batches, thread })
    }

    /// Hands over a batch. The engine hands over one at a time, so this does not wait. `false`: the thread is gone.
    pub fn write(&self, batch: Vec<Commit>) -> bool {
        self.batches.send(batch).is_ok()
    }

    /// Lets the thread end after what it has.
    pub fn stop(self) {
        drop(self.batches);
        let _ = self.thread.join();
    }
}

fn run(mut journal: Journal, queue: &Receiver<Vec<Commit>>, tell: &dyn Fn(Written)) {
    let _ends = EndsWith("writer");
    let epoch = journal.epoch();
    while let Ok(commits) = queue.recv() {
        let Some(first) = commits.first().map(|commit| commit.seq) else { continue };
        match journal.append(first, epoch, &commits) {
            Ok((seq, hash)) => tell(Written::Durable { seq, hash, commits }),
            Err(error) => {
                tell(Written::Failed { reason: error.to_string() });
                // The engine hands over nothing before it is told `Mended`, so the queue cannot fill here; that it
                // has hung up shows when the queue is asked.
                loop {
                    match journal.continue_fresh() {
                        Ok(()) => break tell(Written::Mended),
                        Err(error) => tracing::error!(%error, "a fresh journal segment cannot be made; trying again"),
                    }
                    if matches!(queue.recv_timeout(RETRY), Err(crossbeam_channel::RecvTimeoutError::Disconnected)) {
                        return;
                    }
                }
            }
        }
    }
}
