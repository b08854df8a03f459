//! How the engine waits for something to do, and takes it in rounds. What it does with it is the engine's.

use std::time::Duration;

use super::{Engine, ROUND, TICK, UNWRITTEN_MAX};
use crate::domain::delivery::Outcome;
use crate::runtime::handle::Tell;

impl Engine {
    /// Waits for something to do, then takes a round of it: what the runtime tells first.
    pub(super) fn listen(&mut self) {
        let full = self.unwritten.len() >= UNWRITTEN_MAX || self.stop.is_some();
        let queues = &self.queues;
        let anything = || !queues.tells.is_empty() || (!full && !queues.asks.is_empty());
        let wait = self.patience();
        if !wait.is_zero() {
            self.queues.bell.sleep(wait, anything);
        }
        let mut arrived = Vec::new();
        for _ in 0..ROUND {
            match self.queues.tells.try_recv() {
                Ok(Tell::Receipt(delivery, Outcome::Accepted)) => arrived.push(delivery),
                Ok(tell) => {
                    self.arrived(std::mem::take(&mut arrived));
                    self.told(tell);
                }
                Err(_) => break,
            }
        }
        self.arrived(arrived);
        for _ in 0..ROUND {
            if self.unwritten.len() >= UNWRITTEN_MAX || self.stop.is_some() {
                break;
            }
            let Ok(ask) = self.queues.asks.try_recv() else { break };
            self.asked(ask);
        }
    }

    /// How long there is nothing to do unless somebody says something.
    fn patience(&self) -> Duration {
        if !self.unwritten.is_empty() && !self.writing && self.trouble.is_none() {
            return Duration::ZERO;
        }
        if self.skip.is_some() && self.quiet() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let moment = match (&self.stop, &self.trouble) {
            // Nothing is begun any more.
            (Some((by, _)), _) => Some(*by),
            (None, None) => self.core.next_wakeup(),
            (None, Some(_)) => self.core.next_retry(),
        };
        let next = moment.map_or(self.next_tick, |moment| moment.min(self.next_tick));
        let ms = next.since(now).0.clamp(0, TICK.0);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}
