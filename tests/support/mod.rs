//! The world around Opsbell, for tests: receivers on 127.0.0.1 that keep a ledger of their own and misbehave on demand.
//! They run on plain threads, so that any test can use them, and end when they are dropped.

// Each test program uses another part of this world.
#![allow(dead_code)]

pub mod client;
pub mod code_host;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(feature = "cli")]
pub mod server;
pub mod smtp;
pub mod webhook;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a test waits for something that must happen; only a failing test ever waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What arrived, in order; only ever added to.
pub struct Ledger<T> {
    entries: Mutex<Vec<T>>,
    added: Condvar,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(Vec::new()), added: Condvar::new() }
    }
}

impl<T: Clone> Ledger<T> {
    /// Adds an entry; `make` gets its place in the order of arrival, from 0.
    pub fn add(&self, make: impl FnOnce(usize) -> T) {
        let mut entries = lock(&self.entries);
        let n = entries.len();
        entries.push(make(n));
        self.added.notify_all();
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        lock(&self.entries).clone()
    }

    /// What came behind the first `n`.
    pub fn after(&self, n: usize) -> Vec<T> {
        lock(&self.entries).get(n..).map(<[T]>::to_vec).unwrap_or_default()
    }

    /// How much so far.
    pub fn len(&self) -> usize {
        lock(&self.entries).len()
    }

    /// Whether nothing has arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there are at least `n` entries and returns them; panics when that takes too long.
    pub fn wait_for(&self, n: usize) -> Vec<T> {
        self.wait_until(&format!("{n} entries"), |entries| entries.len() >= n)
    }

    /// Waits until the entries satisfy `done` and returns them; panics when that takes too long.
    pub fn wait_until(&self, what: &str, done: impl Fn(&[T]) -> bool) -> Vec<T> {
        let waited = self.added.wait_timeout_while(lock(&self.entries), PATIENCE, |entries| !done(entries));
        let (entries, ended) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!ended.timed_out(), "waited {PATIENCE:?} for {what}; there are {} entries", entries.len());
        entries.clone()
    }
}

/// A lock that outlives a failed assertion in another thread.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A gate that holds threads until it is opened.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Opens it for good.
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.opened.notify_all();
    }

    /// Waits until it is open, or for `at_most`.
    pub fn wait(&self, at_most: Option<Duration>) {
        let open = lock(&self.open);
        match at_most {
            Some(at_most) => drop(self.opened.wait_timeout_while(open, at_most, |open| !*open)),
            None => drop(self.opened.wait_while(open, |open| !*open)),
        }
    }
}

/// A listener on 127.0.0.1 with a thread per connection; all end when it is dropped.
pub struct Listener {
    address: SocketAddr,
    inner: Arc<Inner>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Inner {
    closing: AtomicBool,
    /// Open connections by number, to be shut down at the end.
    open: Mutex<BTreeMap<u64, TcpStream>>,
    accepted: Mutex<u64>,
}

impl Listener {
    /// Serves every connection by `serve`, on a free port.
    pub fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner::default());
        let shared = inner.clone();
        let serve = Arc::new(serve);
        let acceptor = thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.closing.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = connection else { continue };
                let n = {
                    let mut accepted = lock(&shared.accepted);
                    *accepted += 1;
                    *accepted
                };
                let (serve, shared) = (serve.clone(), shared.clone());
                thread::spawn(move || {
                    if let Ok(handle) = stream.try_clone() {
                        lock(&shared.open).insert(n, handle);
                    }
                    // A client that goes away is no failure of the world.
                    let _ = serve(stream);
                    if let Some(handle) = lock(&shared.open).remove(&n) {
                        let _ = handle.shutdown(std::net::Shutdown::Both);
                    }
                });
            }
        });
        Self { address, inner, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> u64 {
        *lock(&self.inner.accepted)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.inner.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for stream in lock(&self.inner.open).values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// A listener that takes connections and whatever comes over them, and never says a word.
pub fn silent() -> Listener {
    Listener::start(|mut stream| io::copy(&mut stream, &mut io::sink()).map(drop))
}

/// An address on which nobody listens.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address")
}
