//! The feed: what has become durable, and what was said, for everybody who listens at `/v1/events`. The writer only
//! tells the number of the last durable commit; one task reads the journal while somebody listens. What a commit means
//! to listeners is `told`'s work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};

use super::App;
use super::told::{self, Told};

/// What a listener may be behind before something is left out; a commit is a place, whatever it holds.
pub(crate) const RING: usize = 1_024;

/// Commits read at once.
const READ: usize = 200;

/// More commits than this are not read one by one when the journal runs ahead: half a second's worth at full load.
const BEHIND_MAX: u64 = 10_000;

/// The wait after the journal could not be read.
const UNREADABLE_WAIT: Duration = Duration::from_secs(1);

/// The wait when the engine has not yet heard of a commit that the writer has told.
const EARLY_WAIT: Duration = Duration::from_millis(10);

/// How often the reading task looks whether anybody still listens.
const IDLE: Duration = Duration::from_secs(30);

/// What is told to listeners, and by whom: cheap when nobody listens.
#[derive(Debug)]
pub struct Feed {
    /// The last durable commit; `None`: it is over.
    durable: watch::Sender<Option<u64>>,
    ring: broadcast::Sender<Arc<Told>>,
    /// Whether a task reads the journal.
    reads: Mutex<bool>,
}

impl Feed {
    /// A feed that begins behind this commit.
    pub fn new(durable: u64) -> Self {
        Self { durable: watch::Sender::new(Some(durable)), ring: broadcast::Sender::new(RING), reads: Mutex::default() }
    }

    /// A commit is durable. Never waits.
    pub fn durable(&self, seq: u64) {
        self.durable.send_if_modified(|known| match known {
            Some(last) if *last < seq => {
                *last = seq;
                true
            }
            _ => false,
        });
    }

    /// Ends all listening.
    pub fn close(&self) {
        self.durable.send_replace(None);
    }

    /// Something was said, and may be told to others.
    pub(crate) fn said(&self, said: told::Said) {
        // Without listeners there is nobody to tell.
        let _ = self.ring.send(Arc::new(Told::said(said)));
    }

    /// The last durable commit, and its changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<u64>> {
        self.durable.subscribe()
    }

    /// Everything from now on: commits after `watch`'s value of this moment, in order, each once.
    pub(crate) fn listen(&self, app: &Arc<App>) -> broadcast::Receiver<Arc<Told>> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = self.ring.subscribe();
        let durable = self.durable.subscribe();
        let from = *durable.borrow();
        if let (false, Some(from)) = (*reads, from) {
            *reads = true;
            tokio::spawn(read_on(Arc::clone(app), durable, from));
        }
        heard
    }

    /// Whether nobody listens; then the reading task is noted as gone.
    fn deserted(&self) -> bool {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ring.receiver_count() == 0 {
            *reads = false;
        }
        !*reads
    }
}

async fn read_on(app: Arc<App>, mut durable: watch::Receiver<Option<u64>>, mut at: u64) {
    let feed = Arc::clone(&app.http.feed);
    loop {
        let Some(upto) = *durable.borrow_and_update() else { return };
        if upto.saturating_sub(at) > BEHIND_MAX {
            let _ = feed.ring.send(Arc::new(Told::left_out(upto)));
            at = upto;
        }
        while at < upto {
            // Nothing beyond what is known to be durable, whatever the file already holds.
            let limit = usize::try_from(upto - at).unwrap_or(READ).min(READ);
            match told::read(&app, at, limit).await {
                Ok(commits) if commits.is_empty() => sleep(EARLY_WAIT).await,
                Ok(commits) => {
                    for told in commits {
                        at = told.seq;
                        let _ = feed.ring.send(Arc::new(told));
                    }
                }
                Err(reason) => {
                    tracing::warn!(%reason, "listeners wait: the journal cannot be read");
                    sleep(UNREADABLE_WAIT).await;
                }
            }
            if durable.borrow().is_none() || feed.deserted() {
                return;
            }
        }
        match timeout(IDLE, durable.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                if feed.deserted() {
                    return;
                }
            }
        }
    }
}
