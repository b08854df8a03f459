//! The one clock: an anchor of wall-clock time plus the monotonic clock, so that a step of the wall clock neither
//! fires nor delays what runs by duration. A step of more than two seconds is told, and becomes an event.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::clock::STEP;
use crate::domain::time::{Span, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now; never earlier than what was told before, except after a step.
    fn now(&self) -> Timestamp;

    /// By how much the wall clock was stepped since the last question, if it was. Ask about once a second.
    fn stepped(&self) -> Option<Span> {
        None
    }

    /// Moves a virtual clock forward; a real one cannot be moved.
    fn skip_to(&self, _at: Timestamp) {}
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: Timestamp,
    mono: Instant,
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    /// The anchor, and the latest time that was told: changed together, so that a step back stays one.
    anchor: Mutex<(Anchor, Timestamp)>,
}

#[allow(clippy::disallowed_methods, reason = "this is the one room that reads the clock")]
fn read() -> Anchor {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Anchor { wall: Timestamp(i64::try_from(wall).unwrap_or(i64::MAX)), mono: Instant::now() }
}

impl SystemClock {
    /// Starts from the wall clock of this moment.
    pub fn new() -> Self {
        let anchor = read();
        Self { anchor: Mutex::new((anchor, anchor.wall)) }
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, (Anchor, Timestamp)> {
        self.anchor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn told(anchor: &Anchor, mono: Instant) -> Timestamp {
        let ran = mono.saturating_duration_since(anchor.mono).as_millis();
        anchor.wall.after(Span(i64::try_from(ran).unwrap_or(i64::MAX)))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut held = self.anchor();
        held.1 = held.1.max(Self::told(&held.0, read().mono));
        held.1
    }

    fn stepped(&self) -> Option<Span> {
        let mut held = self.anchor();
        let read = read();
        let by = read.wall.since(Self::told(&held.0, read.mono));
        held.0 = read;
        if by.0.abs() <= STEP.0 {
            return None;
        }
        held.1 = read.wall;
        Some(by)
    }
}

/// A clock that can be moved forward by hand, for the demo: the machine's clock plus what was skipped. What was skipped
/// is kept in a file, so that the next process goes on from there however this one ended.
#[derive(Debug, Default)]
pub struct SkippingClock {
    real: SystemClock,
    skipped: AtomicI64,
    kept: Option<PathBuf>,
}

impl SkippingClock {
    /// Goes on from what the file says was skipped; nothing, where there is none or it cannot be read.
    pub fn kept_in(file: PathBuf) -> Self {
        let skipped = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        let skipped = AtomicI64::new(skipped.filter(|ms| (0..=SKIPPED_MAX.0).contains(ms)).unwrap_or(0));
        Self { real: SystemClock::default(), skipped, kept: Some(file) }
    }

    /// A file that cannot be written costs only this: after the next start the clock goes on from the last commit.
    fn keep(&self, skipped: i64) {
        let Some(file) = &self.kept else { return };
        let fresh = file.with_extension("new");
        if let Err(error) = std::fs::write(&fresh, format!("{skipped}\n")).and_then(|()| std::fs::rename(&fresh, file))
        {
            tracing::warn!(%error, file = %file.display(), "what the demo's clock has skipped cannot be kept");
        }
    }
}

/// More than this was never skipped by hand; a file that says so is not believed.
const SKIPPED_MAX: Span = Span::days(36_500);

impl Clock for SkippingClock {
    fn now(&self) -> Timestamp {
        self.real.now().after(Span(self.skipped.load(Ordering::Relaxed)))
    }

    fn stepped(&self) -> Option<Span> {
        self.real.stepped()
    }

    fn skip_to(&self, at: Timestamp) {
        let ahead = at.since(self.now());
        if ahead > Span::ZERO {
            let before = self.skipped.fetch_add(ahead.0, Ordering::Relaxed);
            self.keep(before.saturating_add(ahead.0));
        }
    }
}

/// Measures the time since this call, for latencies and rates; no step of the wall clock touches it.
#[allow(clippy::disallowed_methods, reason = "this is the one room that reads the clock")]
pub fn stopwatch() -> impl Fn() -> std::time::Duration {
    let started = Instant::now();
    move || started.elapsed()
}
