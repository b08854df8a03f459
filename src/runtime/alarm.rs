//! Alarms: what the operators are told past the journal while it cannot be written. Nothing of it is recorded, so the
//! few retries, and ids that no other process start gives, are kept here. What is told otherwise is a delivery.

use std::collections::BTreeMap;

use crate::domain::delivery::{Content, Destination, Grant, Outcome, Priority, retry_wait, room_wait};
use crate::domain::id::DeliveryId;
use crate::domain::time::{Span, Timestamp};

/// The operators are told no more often than this.
const EVERY: Span = Span::mins(5);
/// Attempts for each alarm and destination; a further alarm comes after `EVERY` if the trouble stays.
const ATTEMPTS_MAX: u16 = 5;
/// Alarms that are kept for a retry; there are few operators, so this bounds a mistake.
const KEPT_MAX: usize = 500;

/// Alarms under way, and those that wait for another attempt.
pub(super) struct Alarms {
    /// What stands where deliveries have the number of their commit.
    mark: u64,
    given: u16,
    told: Option<Timestamp>,
    under_way: BTreeMap<DeliveryId, Grant>,
    waiting: Vec<(Timestamp, Grant)>,
}

impl Alarms {
    /// For one process start. An epoch that wrote nothing comes again, so the time is part of the ids as well; both
    /// together keep them within the 25 characters of an id.
    pub fn new(epoch: u64, now: Timestamp) -> Self {
        let secs = u64::try_from(now.unix_secs()).unwrap_or(0) & 0x7fff_ffff;
        let mark = ((epoch & 0xf_ffff) << 31) | secs;
        Self { mark, given: 0, told: None, under_way: BTreeMap::new(), waiting: Vec::new() }
    }

    /// Attempts to be started now, one for each destination; none when the operators were told a short while ago.
    pub fn raise(&mut self, now: Timestamp, install: &str, to: Vec<Destination>, text: &str) -> Vec<Grant> {
        if self.told.is_some_and(|told| now.since(told) < EVERY && now >= told) {
            return Vec::new();
        }
        self.told = Some(now);
        // An older alarm that did not arrive says less than this one.
        self.waiting.clear();
        let grants: Vec<Grant> = to.into_iter().map(|to| self.grant(now, install, to, text)).collect();
        for grant in grants.iter().take(KEPT_MAX.saturating_sub(self.under_way.len())) {
            self.under_way.insert(grant.id.clone(), grant.clone());
        }
        grants
    }

    fn grant(&mut self, now: Timestamp, install: &str, to: Destination, text: &str) -> Grant {
        // From the top, where no commit's deliveries are.
        let n = u16::MAX - self.given;
        self.given = self.given.wrapping_add(1);
        Grant {
            id: DeliveryId { install: install.into(), seq: self.mark, n },
            to,
            priority: Priority::Notice,
            incident: None,
            page: None,
            content: Content::Notice { text: text.to_owned() },
            attempt: 1,
            possible_repeat: false,
            owed_at: now,
        }
    }

    /// An attempt has ended; `false`: it was none of an alarm.
    pub fn ended(&mut self, id: &DeliveryId, outcome: &Outcome, now: Timestamp) -> bool {
        let Some(mut grant) = self.under_way.remove(id) else { return false };
        match outcome {
            Outcome::Accepted | Outcome::Placed(_) => {}
            Outcome::Permanent { reason } => tracing::error!(to = %grant.to, %reason, "an alarm did not arrive"),
            // Not tried, so it counts as no attempt.
            Outcome::Later { after, .. } => {
                let wait = room_wait(Span::ZERO, *after).unwrap_or(*after);
                self.waiting.push((now.after(wait), grant));
            }
            Outcome::Retryable { reason, after, unknown } => match retry_wait(grant.attempt, *after) {
                Some(wait) if grant.attempt < ATTEMPTS_MAX => {
                    grant.attempt += 1;
                    grant.possible_repeat |= *unknown;
                    self.waiting.push((now.after(wait), grant));
                }
                _ => tracing::error!(to = %grant.to, %reason, attempts = grant.attempt, "an alarm did not arrive"),
            },
        }
        true
    }

    /// Attempts whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Vec<Grant> {
        let due: Vec<Grant> = self.waiting.extract_if(.., |(at, _)| *at <= now).map(|(_, grant)| grant).collect();
        for grant in &due {
            self.under_way.insert(grant.id.clone(), grant.clone());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_774_738_800_000);

    fn raised(alarms: &mut Alarms, now: Timestamp) -> Vec<Grant> {
        alarms.raise(now, "instal88", vec![Destination::Webhook("desk".into())], "the disk")
    }

    #[test]
    fn an_alarm_is_tried_again_with_growing_waits_and_not_for_ever() {
        let mut alarms = Alarms::new(3, NOW);
        let mut now = NOW;
        let mut grant = raised(&mut alarms, now).remove(0);
        let retry = Outcome::Retryable { reason: "busy".into(), after: None, unknown: true };
        let mut waits = Vec::new();
        for attempt in 2..=5 {
            assert!(alarms.ended(&grant.id, &retry, now));
            assert!(alarms.due(now).is_empty(), "not at once");
            let began = now;
            let again = loop {
                now = now.after(Span::secs(1));
                if let Some(again) = alarms.due(now).pop() {
                    break again;
                }
                assert!(now.since(began) < Span::mins(5));
            };
            waits.push(now.since(began));
            assert_eq!((again.attempt, again.possible_repeat, &again.id), (attempt, true, &grant.id));
            grant = again;
        }
        assert!(waits.is_sorted() && waits[0] < waits[3], "{waits:?}");
        assert!(alarms.ended(&grant.id, &retry, now));
        assert!(alarms.due(now.after(Span::days(1))).is_empty(), "it is given up");
        assert!(!alarms.ended(&grant.id, &retry, now), "no longer its own");
    }

    #[test]
    fn what_arrived_or_never_will_is_not_tried_again() {
        for outcome in [Outcome::Accepted, Outcome::Permanent { reason: "gone".into() }] {
            let mut alarms = Alarms::new(3, NOW);
            let grant = raised(&mut alarms, NOW).remove(0);
            assert!(raised(&mut alarms, NOW.after(Span::mins(4))).is_empty(), "told a short while ago");
            assert!(alarms.ended(&grant.id, &outcome, NOW));
            assert!(alarms.due(NOW.after(Span::days(1))).is_empty());
        }
    }

    #[test]
    fn no_two_starts_give_the_same_id() {
        let mut ids = std::collections::BTreeSet::new();
        // The same epoch again a second later: the first one wrote nothing.
        for (epoch, secs) in [(1, 0), (2, 0), (2, 1), (0xf_ffff, 0)] {
            let mut alarms = Alarms::new(epoch, NOW.after(Span::secs(secs)));
            for hour in 0..3 {
                for grant in raised(&mut alarms, NOW.after(Span::hours(hour))) {
                    assert!(grant.id.to_string().len() <= 25, "{}", grant.id);
                    assert!(ids.insert(grant.id), "twice");
                }
            }
        }
        assert_eq!(ids.len(), 12);
    }
}
