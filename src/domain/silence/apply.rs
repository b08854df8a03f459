//! What the events of silences do to State. Cannot fail; an event about something that is not in State does nothing.

use super::{AlertSuppressed, Ended, Silence, SilenceStarted, Suppression};
use crate::domain::alert::Alert;
use crate::domain::event::Event;
use crate::domain::id::{AlertId, SilenceId};
use crate::domain::incident::apply::Stamp;
use crate::domain::state::{RecordKey, State};
use crate::domain::time::Span;

/// Ended silences are kept for whoever asks what was muted last night; so many, and so long.
const ENDED_MAX: usize = 100;
const ENDED_KEPT: Span = Span::days(7);

impl State {
    /// Applies an event of a silence; others do nothing.
    pub(in crate::domain) fn apply_silence(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::AlertSuppressed(suppressed) => self.suppress_alert(stamp, suppressed),
            Event::AlertMuted { alert, silence, reason } => self.mute(stamp, *alert, *silence, reason),
            Event::AlertUnmuted { alert } => self.unmute(*alert),
            Event::SilenceStarted(started) => self.start_silence(stamp, started),
            Event::SilenceReminded { silence } => self.change_silence(*silence, |silence| silence.remind = None),
            Event::SilenceEnded { silence } => {
                let ended = Ended { at: stamp.at, by: stamp.by.actor.clone() };
                self.change_silence(*silence, |silence| silence.ended = Some(ended));
            }
            Event::SilenceReleased { silence } => {
                self.change_silence(*silence, |silence| silence.released = true);
                self.forget_ended(stamp);
            }
            _ => {}
        }
    }

    fn start_silence(&mut self, stamp: &Stamp<'_>, started: &SilenceStarted) {
        self.meta.silences = self.meta.silences.max(started.silence.0);
        let silence = Silence {
            id: started.silence,
            matchers: started.matchers.clone(),
            maintenance: started.maintenance,
            change: started.change,
            reason: started.reason.clone(),
            by: stamp.by.actor.clone(),
            started_at: stamp.at,
            ends: started.ends,
            by_clock: started.by_clock,
            remind: Some(started.remind),
            holds: started.holds.clone(),
            muted_total: 0,
            ended: None,
            released: false,
        };
        self.index.wakeups.extend(silence.wakeup());
        self.silences.insert(silence.id, silence);
        self.dirty.touched.insert(RecordKey::Silence(started.silence));
        for alert in &started.mutes {
            self.mute(stamp, *alert, started.silence, &started.reason);
        }
    }

    fn suppress_alert(&mut self, stamp: &Stamp<'_>, suppressed: &AlertSuppressed) {
        let mut alert = Alert::opened(stamp.at, &suppressed.alert);
        alert.suppressed = Some(Box::new(Suppression {
            silence: suppressed.silence,
            reason: suppressed.reason.clone(),
            since: stamp.at,
            group: Some(suppressed.group.clone()),
            unrouted: suppressed.unrouted,
        }));
        self.meta.alerts = self.meta.alerts.max(alert.id.0);
        self.index.by_key.insert((alert.integration.clone(), alert.key.clone()), alert.id);
        self.index.alerts_of.insert((alert.incident, alert.id));
        self.index.suppressed.insert((suppressed.silence, alert.id));
        self.dirty.touched.insert(RecordKey::Alert(alert.id));
        self.alerts.insert(alert.id, Box::new(alert));
        self.change_silence(suppressed.silence, |silence| silence.muted_total += 1);
    }

    /// A silence holds back an alert that fires; what it was held back by before no longer does.
    fn mute(&mut self, stamp: &Stamp<'_>, id: AlertId, by: SilenceId, reason: &compact_str::CompactString) {
        let Some(alert) = self.alerts.get_mut(&id) else { return };
        let before = alert.suppressed.take();
        if let Some(before) = &before {
            self.index.suppressed.remove(&(before.silence, id));
        }
        alert.suppressed = Some(Box::new(Suppression {
            silence: by,
            reason: reason.clone(),
            since: before.as_ref().map_or(stamp.at, |before| before.since),
            unrouted: before.as_ref().is_some_and(|before| before.unrouted),
            group: before.and_then(|before| before.group),
        }));
        self.index.suppressed.insert((by, id));
        self.dirty.touched.insert(RecordKey::Alert(id));
        self.change_silence(by, |silence| silence.muted_total += 1);
    }

    fn unmute(&mut self, id: AlertId) {
        let Some(alert) = self.alerts.get_mut(&id) else { return };
        if let Some(before) = alert.suppressed.take() {
            self.index.suppressed.remove(&(before.silence, id));
            self.dirty.touched.insert(RecordKey::Alert(id));
        }
    }

    /// Takes an alert that was suppressed out of the look-ups; it opens or joins an incident now.
    pub(in crate::domain) fn take_suppressed(&mut self, id: AlertId) -> Option<Alert> {
        let alert = *self.alerts.remove(&id)?;
        self.index.alerts_of.remove(&(alert.incident, id));
        if let Some(suppression) = &alert.suppressed {
            self.index.suppressed.remove(&(suppression.silence, id));
        }
        Some(alert)
    }

    fn change_silence(&mut self, id: SilenceId, change: impl FnOnce(&mut Silence)) {
        let Some(silence) = self.silences.get_mut(&id) else { return };
        let before = silence.wakeup();
        change(silence);
        let after = silence.wakeup();
        if before != after {
            if let Some(before) = before {
                self.index.wakeups.remove(&before);
            }
            self.index.wakeups.extend(after);
        }
        self.dirty.touched.insert(RecordKey::Silence(id));
    }

    /// Shifts what runs by duration.
    pub(in crate::domain) fn shift_silences(&mut self, by: Span) {
        let ids: Vec<SilenceId> = self.silences.values().filter(|it| it.ended.is_none()).map(|it| it.id).collect();
        for id in ids {
            self.change_silence(id, |silence| silence.shift(by));
        }
    }

    fn forget_ended(&mut self, stamp: &Stamp<'_>) {
        let over = |silence: &Silence| silence.ended.as_ref().filter(|_| silence.released).map(|ended| ended.at);
        let mut ended: Vec<_> = self.silences.values().filter_map(|it| Some((over(it)?, it.id))).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(ENDED_MAX);
        for (n, (at, id)) in ended.into_iter().enumerate() {
            if n < surplus || stamp.at.since(at) > ENDED_KEPT {
                self.silences.remove(&id);
                self.dirty.touched.insert(RecordKey::Silence(id));
            }
        }
    }

    /// Derives the look-ups of silences; once, after assembling.
    pub(in crate::domain) fn index_silences(&mut self) {
        for alert in self.alerts.values() {
            if let Some(suppression) = &alert.suppressed {
                self.index.suppressed.insert((suppression.silence, alert.id));
            }
        }
        for silence in self.silences.values() {
            self.index.wakeups.extend(silence.wakeup());
        }
    }

    /// Alerts that fire and page nobody, by silence.
    pub fn suppressed(&self) -> impl Iterator<Item = &Alert> {
        self.index.suppressed.iter().filter_map(|(_, alert)| self.alert(*alert))
    }

    /// How many those are.
    pub fn suppressed_count(&self) -> usize {
        self.index.suppressed.len()
    }

    /// Alerts that a silence holds back.
    pub fn suppressed_by(&self, silence: SilenceId) -> impl Iterator<Item = &Alert> {
        let range = (silence, AlertId(0))..=(silence, AlertId(u64::MAX));
        self.index.suppressed.range(range).filter_map(|(_, alert)| self.alert(*alert))
    }
}
