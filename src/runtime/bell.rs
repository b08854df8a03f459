//! The bell: wakes a thread that sleeps until one of its queues has something. A sender puts its message first and rings
//! then; nobody holds a lock while the sleeper wakes, and a ring that nobody needs costs one look at a flag.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::Thread;
use std::time::Duration;

use super::clock::stopwatch;

/// How long a sleeper looks for what was said to come soon: a body of a few KiB is read and parsed in less.
const SOON: Duration = Duration::from_micros(150);

/// One sleeper, and whoever has something for it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    sleeper: OnceLock<Thread>,
    asleep: AtomicBool,
    soon: AtomicBool,
}

impl Bell {
    /// Wakes the sleeper, if it sleeps. To be called after the message is where `sleep` looks for it.
    pub fn ring(&self) {
        // With its counterpart in `sleep`: either the sleeper sees the message, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::AcqRel)
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Wakes the sleeper, if it sleeps, for what will be there in a moment: to wake takes it about as long as that.
    pub fn ring_soon(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.soon.store(true, Ordering::Relaxed);
            self.ring();
        }
    }

    /// Sleeps until it rings, but no longer than this, and not at all when there is something already. It may wake
    /// without a reason. Only ever to be called by one thread.
    pub fn sleep(&self, most: Duration, anything: impl Fn() -> bool) {
        self.sleeper.get_or_init(std::thread::current);
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !anything() {
            std::thread::park_timeout(most);
        }
        self.asleep.store(false, Ordering::Relaxed);
        if self.soon.swap(false, Ordering::Relaxed) {
            let spent = stopwatch();
            while !anything() && spent() < SOON {
                // Whoever has something may need this processor to get it ready.
                std::thread::yield_now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_was_said_to_come_soon_and_never_comes_is_not_waited_for() {
        const EVER: Duration = Duration::from_secs(3_600);
        let bell = Arc::new(Bell::default());
        let (woken, woke) = crossbeam_channel::bounded(1);
        let sleeper = std::thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                let looked = Cell::new(0);
                for _ in 0..1_000 {
                    bell.sleep(EVER, || {
                        looked.set(looked.get() + 1);
                        false
                    });
                    woken.send(()).unwrap();
                }
                looked.get()
            }
        });
        for _ in 0..1_000 {
            // One that is awake is not told: it would look for nothing before its next sleep.
            while woke.is_empty() {
                bell.ring_soon();
                std::hint::spin_loop();
            }
            woke.recv().unwrap();
        }
        assert!(
            sleeper.join().unwrap() > 1_000,
            "it looks before it sleeps, and again when it was woken for what comes"
        );
    }

    #[test]
    fn no_message_is_slept_through() {
        // So long that a message that is slept through shows as a test that does not end.
        const EVER: Duration = Duration::from_secs(3_600);
        let (bell, (put, queue)) = (Arc::new(Bell::default()), crossbeam_channel::bounded(1));
        let (echo, heard) = crossbeam_channel::bounded(1);
        let sleeper = std::thread::spawn({
            let bell = Arc::clone(&bell);
            move || {
                for n in 0..20_000_u32 {
                    let message = loop {
                        match queue.try_recv() {
                            Ok(message) => break message,
                            Err(_) => bell.sleep(EVER, || !queue.is_empty()),
                        }
                    };
                    assert_eq!(message, n);
                    echo.send(n).unwrap();
                }
            }
        });
        for n in 0..20_000 {
            put.send(n).unwrap();
            bell.ring();
            // Awake, this thread sends the next while the other one falls asleep; asleep, only after that.
            while n % 2 == 1 && heard.is_empty() {
                std::hint::spin_loop();
            }
            assert_eq!(heard.recv(), Ok(n));
        }
        sleeper.join().unwrap();
    }
}
