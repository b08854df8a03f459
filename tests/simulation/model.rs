//! A model of paging, written apart from the domain: by when must whom have been paged? It knows the test's own
//! organisation (`support_paging/config/opsbell.toml`) by heart, hears what people and senders were answered, and
//! sees what is started. It knows nothing of events, pages or look-ups. Its time runs only while the engine can work.

use std::collections::{BTreeMap, BTreeSet};

use opsbell::domain::delivery::{Destination, Grant, Priority};
use opsbell::domain::id::IncidentId;
use opsbell::domain::incident::Severity;

const MINUTE: i64 = 60_000;
/// Room for the disk, for lost batches and for what stands before it in the lane.
const SLACK: i64 = 4 * MINUTE;

/// One of these must be paged.
type Whom = BTreeSet<&'static str>;

#[derive(Debug, Clone)]
struct Duty {
    by: i64,
    whom: Whom,
    /// So many pages of `whom` are due by then, this one included.
    nth: usize,
}

#[derive(Debug, Default)]
struct Known {
    edge: bool,
    severity: Option<Severity>,
    by_person: bool,
    /// Nobody has it.
    waits: bool,
    over: bool,
    duties: Vec<Duty>,
    /// Distinct pages seen since the duties began, by whom.
    paged: BTreeSet<(&'static str, String)>,
    /// When the acknowledgement runs out.
    expires: Option<i64>,
    keys: BTreeSet<(String, String)>,
}

#[derive(Debug, Default)]
pub struct Model {
    incidents: BTreeMap<IncidentId, Known>,
    pub fulfilled: u64,
}

/// What a step does: whom it pages (sets), and the wait after it.
fn steps(edge: bool) -> (Vec<(Vec<Whom>, i64)>, usize) {
    let of = |names: &[&'static str]| names.iter().copied().collect::<Whom>();
    let primary = of(&["ann", "ben"]);
    if edge {
        // Steps 1 and 3 name a schedule in which nobody is on call: they fall through.
        (vec![(vec![primary, of(&["desk"])], 7)], 0)
    } else {
        (vec![(vec![primary], 5), (vec![of(&["cas"]), of(&["core-ops"])], 10)], 2)
    }
}

impl Known {
    fn pages(&self) -> bool {
        self.severity.is_some_and(|severity| severity <= Severity::Sev3)
    }

    /// Everything from step 0 of the team's policy to the end of the fallback's.
    fn begin(&mut self, now: i64) {
        self.duties.clear();
        self.waits = true;
        self.expires = None;
        if !self.pages() {
            return;
        }
        // For low urgency ann is reached after a minute only.
        let late = if self.severity == Some(Severity::Sev3) { MINUTE } else { 0 };
        let mut at = now;
        let (steps, repeat) = steps(self.edge);
        for _ in 0..=repeat {
            for (whom, wait) in &steps {
                for whom in whom {
                    self.owe(at + late, whom.clone());
                }
                at += wait * MINUTE;
            }
        }
        self.last_resort(at);
        // The fallback: twice op and the desk, six minutes each, then the operators once more.
        for _ in 0..2 {
            self.owe(at, Whom::from(["op"]));
            self.owe(at, Whom::from(["desk"]));
            at += 6 * MINUTE;
        }
        self.last_resort(at);
    }

    /// The same, and pages from before do not count.
    fn anew(&mut self, now: i64) {
        self.paged.clear();
        self.begin(now);
    }

    fn last_resort(&mut self, at: i64) {
        self.owe(at, Whom::from(["op"]));
        self.owe(at, Whom::from(["desk"]));
        if !self.edge {
            self.owe(at, Whom::from(["core-ops"]));
        }
    }

    fn owe(&mut self, by: i64, whom: Whom) {
        let nth = self.duties.iter().filter(|duty| duty.whom == whom).count() + 1;
        self.duties.push(Duty { by, whom, nth });
    }

    fn quiet(&mut self) {
        // What is started from here on belongs to what begins next (an expiry is early where the engine was down).
        self.paged.clear();
        self.waits = false;
        self.duties.clear();
        self.expires = None;
    }
}

impl Model {
    /// Something is started.
    pub fn started(&mut self, grant: &Grant) {
        if !matches!(grant.priority, Priority::CriticalPage | Priority::Page) {
            return;
        }
        let Some(incident) = grant.incident.and_then(|id| self.incidents.get_mut(&id)) else { return };
        let who = match &grant.to {
            Destination::Person { person, .. } => person.to_string(),
            Destination::Channel(channel) => channel.to_string(),
            Destination::Webhook(id) => id.to_string(),
            Destination::Host(integration) => integration.to_string(),
        };
        let Some(who) = ["ann", "ben", "cas", "op", "desk", "core-ops"].into_iter().find(|name| **name == who) else {
            return;
        };
        // One page of a person is many messages; what has no page is one for itself (op is told by two methods).
        let which = match (&grant.page, &grant.to) {
            (Some(page), _) => page.to_string(),
            (None, Destination::Person { .. }) => format!("commit {}", grant.id.seq),
            (None, _) => grant.id.to_string(),
        };
        incident.paged.insert((who, which));
    }

    /// Time goes by: acknowledgements run out, duties come due. Who was forgotten, and in which incident.
    pub fn check(&mut self, now: i64) -> Result<(), (IncidentId, String)> {
        for (id, known) in &mut self.incidents {
            if let Some(at) = known.expires.filter(|at| *at <= now) {
                known.begin(at);
            }
            let mut rest = Vec::new();
            for duty in std::mem::take(&mut known.duties) {
                if duty.by + SLACK > now {
                    rest.push(duty);
                    continue;
                }
                let done = known.paged.iter().filter(|(who, _)| duty.whom.contains(who)).count();
                if done < duty.nth {
                    let Duty { by, whom, nth } = duty;
                    let text = format!("{whom:?} should have been paged {nth} times by {by}: {:?}", known.paged);
                    return Err((*id, text));
                }
                self.fulfilled += 1;
            }
            known.duties = rest;
        }
        Ok(())
    }

    /// An alert was taken and belongs to this incident.
    pub fn alert(&mut self, now: i64, id: IncidentId, edge: bool, severity: Severity, key: (String, String)) {
        let fresh = !self.incidents.contains_key(&id);
        let known = self.incidents.entry(id).or_default();
        known.keys.insert(key);
        if fresh {
            (known.edge, known.severity) = (edge, Some(severity));
            known.anew(now);
            return;
        }
        let Some(before) = known.severity.filter(|before| severity < *before && !known.by_person && !known.over) else {
            return;
        };
        known.severity = Some(severity);
        known.raised(now, before);
    }

    /// The alert under a key recovered; with the last one the incident is over.
    pub fn recovered(&mut self, key: &(String, String)) {
        for known in self.incidents.values_mut() {
            if known.keys.remove(key) && known.keys.is_empty() && !known.over {
                known.quiet();
                known.over = true;
            }
        }
    }

    /// Declared by a person.
    pub fn declared(&mut self, now: i64, id: IncidentId, edge: bool, severity: Severity) {
        let known = self.incidents.entry(id).or_default();
        (known.edge, known.severity) = (edge, Some(severity));
        known.anew(now);
    }

    /// Somebody took it, or put it off.
    pub fn acknowledged(&mut self, now: i64, id: IncidentId, snoozed: Option<i64>) {
        let known = self.incidents.entry(id).or_default();
        if known.over {
            return;
        }
        let expires = snoozed.or((!known.edge).then_some(45 * MINUTE));
        known.quiet();
        known.expires = expires.map(|after| now + after);
    }

    /// The impact is over: no page, no expiry.
    pub fn mitigated(&mut self, id: IncidentId) {
        self.incidents.entry(id).or_default().quiet();
    }

    /// It is over.
    pub fn resolved(&mut self, id: IncidentId) {
        let known = self.incidents.entry(id).or_default();
        known.quiet();
        known.over = true;
        known.keys.clear();
    }

    /// It starts over.
    pub fn reopened(&mut self, now: i64, id: IncidentId) {
        let known = self.incidents.entry(id).or_default();
        known.over = false;
        known.anew(now);
    }

    /// Where the escalation goes on is not known to the model: nothing is expected until it is known again.
    pub fn unclear(&mut self, id: IncidentId) {
        let known = self.incidents.entry(id).or_default();
        known.duties.clear();
        known.expires = None;
        // It may be anybody's, or nobody's.
        known.waits = false;
    }

    /// A sender acknowledged, which counts only where nobody has it.
    pub fn acknowledged_by_sender(&mut self, now: i64, id: IncidentId) {
        let known = self.incidents.entry(id).or_default();
        if known.waits {
            self.acknowledged(now, id, None);
        } else if known.expires.is_some() {
            // The acknowledgement may have run out already: while the engine was down its time went by as well.
            self.unclear(id);
        }
    }

    /// Nothing is expected of any.
    pub fn all_unclear(&mut self) {
        let ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        ids.into_iter().for_each(|id| self.unclear(id));
    }

    /// A person can't: what was on its way to them need not arrive.
    pub fn cannot(&mut self, id: IncidentId, person: &str) {
        let known = self.incidents.entry(id).or_default();
        if let Some(name) = ["ann", "ben", "cas", "op"].into_iter().find(|name| *name == person) {
            known.paged.insert((name, format!("can't {}", known.paged.len())));
        }
    }

    /// A person said how bad it is.
    pub fn severity(&mut self, now: i64, id: IncidentId, severity: Severity) {
        let known = self.incidents.entry(id).or_default();
        let Some(before) = known.severity.replace(severity).filter(|before| *before != severity) else { return };
        known.by_person = true;
        known.raised(now, before);
    }
}

impl Known {
    /// The severity is another: a page that is more urgent starts over; one that is for the record stops.
    fn raised(&mut self, now: i64, before: Severity) {
        let severity = self.severity.unwrap_or(before);
        if !self.waits {
            return;
        }
        let urgent = |severity: Severity| severity <= Severity::Sev2;
        if severity == Severity::Sev4 {
            self.duties.clear();
        } else if (urgent(severity) && !urgent(before)) || before == Severity::Sev4 {
            self.anew(now);
        }
    }
}
