//! How much anybody may ask for: sizes, waits, and a token bucket per key. Reading bodies within them is `body`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Sizes, waits and rates of this face.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest payload, in bytes after decompression.
    pub ingest_bytes: usize,
    /// The largest body of the other paths, in bytes.
    pub api_bytes: usize,
    /// Bodies in memory at once; more wait.
    pub bodies: usize,
    /// The same of senders who show their key in the body (`/v2/enqueue`, at most 512 KiB each).
    pub unknown_bodies: usize,
    /// Streams of events at once; more are refused.
    pub listeners: usize,
    /// Between two signs of life in a stream of events.
    pub heartbeat: Duration,
    /// A body has to arrive within this time.
    pub read_timeout: Duration,
    /// The engine has to answer within this time.
    pub answer_timeout: Duration,
    /// The engine has to answer a health check within this time.
    pub health_timeout: Duration,
    /// Signals that one key may send.
    pub rate: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Alertmanager's largest group in practice (some hundred alerts of a kilobyte or two) fits several times;
            // a payload beyond it is a mistake, and each is parsed in memory.
            ingest_bytes: 1 << 20,
            // A command line; nobody types more.
            api_bytes: 64 << 10,
            // With the size above, at most 128 MiB when all bodies are as large as allowed.
            bodies: 128,
            // 16 MiB.
            unknown_bodies: 32,
            // An eighth of the connections, so that listeners never take the place of senders.
            listeners: 64,
            // Proxies commonly cut a connection that is silent for 60 s or 30 s.
            heartbeat: Duration::from_secs(15),
            read_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            health_timeout: Duration::from_secs(2),
            rate: Rate::default(),
        }
    }
}

/// A rate with the burst that is let through at once.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Signals a second in the long run.
    pub per_sec: u32,
    /// Signals at once.
    pub burst: u32,
}

impl Default for Rate {
    /// More than two cores can make durable, so that a lone honest sender never meets it; a sender in a loop, or one
    /// whose bodies hold thousands of alerts each, does.
    fn default() -> Self {
        Self { per_sec: 20_000, burst: 2_000 }
    }
}

impl Rate {
    fn nanos_each(self) -> i64 {
        1_000_000_000 / i64::from(self.per_sec.max(1))
    }
}

/// A token bucket, kept as the moment until which it is spoken for (GCRA): one number, no lock, no timer.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    until_nanos: AtomicI64,
}

impl Bucket {
    /// Takes one token, or says how long until there is one. `now` is the stopwatch.
    pub fn take(&self, now: Duration, rate: Rate) -> Result<(), Duration> {
        let (now, each) = (nanos(now), rate.nanos_each());
        let slack = each.saturating_mul(i64::from(rate.burst.max(1)) - 1);
        let taken = self.until_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
            let until = until.max(now);
            (until - now <= slack).then(|| until.saturating_add(each))
        });
        match taken {
            Ok(_) => Ok(()),
            Err(until) => Err(Duration::from_nanos((until - now - slack).max(0).unsigned_abs())),
        }
    }

    /// Takes `n` tokens that are already spent; the bucket can go into debt, which the next `take` waits out.
    pub fn charge(&self, now: Duration, rate: Rate, n: usize) {
        let cost = rate.nanos_each().saturating_mul(i64::try_from(n).unwrap_or(i64::MAX));
        let spend = |until: i64| Some(until.max(nanos(now)).saturating_add(cost));
        let _ = self.until_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let (bucket, rate) = (Bucket::default(), Rate { per_sec: 10, burst: 3 });
        let at = Duration::from_millis;
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0), rate), Ok(()));
        }
        assert_eq!(bucket.take(at(0), rate), Err(at(100)));
        assert_eq!(bucket.take(at(99), rate), Err(at(1)));
        assert_eq!(bucket.take(at(100), rate), Ok(()));
        assert_eq!(bucket.take(at(100), rate), Err(at(100)));
        // A long rest fills it up to the burst, not beyond.
        for _ in 0..3 {
            assert_eq!(bucket.take(at(60_000), rate), Ok(()));
        }
        assert!(bucket.take(at(60_000), rate).is_err());
    }

    #[test]
    fn a_bucket_goes_into_debt_and_pays_it_back() {
        let (bucket, rate) = (Bucket::default(), Rate { per_sec: 10, burst: 1 });
        bucket.charge(Duration::ZERO, rate, 50);
        assert_eq!(bucket.take(Duration::from_secs(4), rate), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(Duration::from_secs(5), rate), Ok(()));
        bucket.charge(Duration::ZERO, rate, usize::MAX);
        assert!(bucket.take(Duration::from_secs(5), rate).is_err());
        assert_eq!(Bucket::default().take(Duration::MAX, Rate { per_sec: 0, burst: 0 }), Ok(()));
    }
}
