//! A night with the small organisation: ann is on call for core, ben for edge; then cas; at last op and the desk.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use opsbell::domain::actor::By;
use opsbell::domain::delivery::{Grant, Outcome};
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::{DeliveryId, IncidentId};
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{Button, Input, InputKind};
use opsbell::domain::paging::look::times;
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

use crate::support_paging::{START, input, press, say, sent, signal, small, with_closed};

pub struct Night {
    pub core: Core,
    pub now: Timestamp,
    pub last: Vec<Event>,
    /// The journal so far.
    pub commits: Vec<Commit>,
    closed: BTreeMap<IncidentId, Incident>,
    /// Methods that refuse.
    pub refuses: Vec<&'static str>,
    /// Methods from which nothing is heard.
    pub hangs: Vec<&'static str>,
    hung: Vec<DeliveryId>,
    /// Everything started, `ann via chat`, in order; taken by `paged`.
    started: Vec<String>,
}

impl Night {
    pub fn new() -> Self {
        let core = Core::new(State::new("n1ght"), small());
        Self {
            core,
            now: Timestamp(START),
            last: Vec::new(),
            commits: Vec::new(),
            closed: BTreeMap::new(),
            refuses: Vec::new(),
            hangs: Vec::new(),
            hung: Vec::new(),
            started: Vec::new(),
        }
    }

    /// Decides one input; the reply as its reader sees it, refusals marked.
    pub fn take(&mut self, input: Input) -> String {
        let input = with_closed(input, self.core.state(), &self.closed);
        let (answer, commit) = self.core.take(self.now, input);
        self.last = commit.as_ref().map(|commit| commit.events.clone()).unwrap_or_default();
        self.keep(commit);
        let text = match answer.reply {
            Ok(reply) => reply.text,
            Err(reject) => format!("refused: {reject}"),
        };
        times(&text, Tz::UTC, self.now)
    }

    fn keep(&mut self, commit: Option<Commit>) {
        if let Some(commit) = commit {
            self.core.durable(&commit);
            self.commits.push(commit);
        }
        self.closed.extend(self.core.state_mut().take_dirty().closed_incidents);
        while let Some(grant) = self.core.grant(self.now) {
            self.send(&grant);
        }
    }

    fn send(&mut self, grant: &Grant) {
        let to = grant.to.to_string();
        let refused = self.refuses.iter().any(|method| to.ends_with(method));
        let hangs = self.hangs.iter().any(|method| to.ends_with(method));
        self.started.push(to);
        if hangs {
            self.hung.push(grant.id.clone());
        } else {
            let refusal = Outcome::Permanent { reason: "it does not exist".into() };
            self.ends(grant.id.clone(), if refused { refusal } else { Outcome::Accepted });
        }
    }

    fn ends(&mut self, delivery: DeliveryId, outcome: Outcome) {
        self.core.ended(&delivery);
        let receipt = InputKind::Receipt { delivery, outcome };
        let (_, commit) = self.core.take(self.now, input(By::timer("lane"), receipt));
        self.keep(commit);
    }

    /// What nothing was heard of ends like this, and nothing hangs any more.
    pub fn end_hung(&mut self, outcome: Outcome) {
        self.hangs.clear();
        for delivery in std::mem::take(&mut self.hung) {
            self.ends(delivery, outcome.clone());
        }
    }

    pub fn say(&mut self, who: &str, text: &str) -> String {
        self.take(say(who, text))
    }

    pub fn press(&mut self, who: &str, button: Button) -> String {
        self.take(press(who, button, 1))
    }

    pub fn alert(&mut self, key: &str, service: &str, severity: AlertSeverity) -> String {
        self.take(sent("prom", signal("prom", SignalKind::Alert, Some(service), key, Some(severity))))
    }

    pub fn clear(&mut self, key: &str) -> String {
        self.take(sent("prom", signal("prom", SignalKind::Resolve, None, key, None)))
    }

    /// Lets time go by, moment by moment.
    pub fn wait(&mut self, minutes: i64) {
        let until = self.now.after(Span::mins(minutes));
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            while let Some(moment) = self.core.due(self.now) {
                self.take(moment);
            }
            self.settle();
        }
        self.now = until;
    }

    /// Starts what may start now.
    pub fn settle(&mut self) {
        self.keep(None);
    }

    /// Who was paged since the last call, posts in channels left out.
    pub fn paged(&mut self) -> Vec<String> {
        std::mem::take(&mut self.started).into_iter().filter(|to| to != "channel core-ops").collect()
    }

    pub fn incident(&self) -> &Incident {
        &self.core.state().incidents[&IncidentId(1)]
    }

    pub fn state(&self) -> &'static str {
        self.core.state().incidents.get(&IncidentId(1)).map_or("closed", |incident| incident.state.as_str())
    }
}
