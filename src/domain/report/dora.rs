//! `/report dora`: the four measures of DORA (<https://dora.dev/guides/dora-metrics/>), for each team and service. What
//! they are counted from is remembered in small bounded entries (`change::deployed`, [`outage`]); what is not known is
//! shown as unknown, and never counted as zero. How each is defined stands in [`DEFINITIONS`], which is told with them.

pub mod outage;
pub mod plot;
pub mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono_tz::Tz;

use crate::domain::change::deployed::{DEPLOYMENTS_MAX, Deployed};
use crate::domain::change::rules::PRODUCTION;
use crate::domain::counted::counted;
use crate::domain::draft::Draft;
use crate::domain::id::{ServiceId, TeamId};
use crate::domain::input::{Drawn, Reply};
use crate::domain::org::Org;
use crate::domain::signal::Progress;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

pub use outage::{OUTAGES_MAX, Outage};
pub use series::{Grain, Piece, Series};

/// Days that are looked at where nothing is said.
pub const DAYS: u16 = 30;
/// … and the most.
pub const DAYS_MAX: u16 = 366;
/// Rows of the table in a reply.
const ROWS_MAX: usize = 25;

/// What each measure is, by name.
pub const DEFINITIONS: [(&str, &str); 4] = [
    ("deployment frequency", "deployments that arrived in a controlled environment, and how many a week that is"),
    (
        "lead time",
        "from when the deployed commit was written to when it had arrived; the median of those whose commit is known",
    ),
    (
        "change failure rate",
        "of the deployments that ended (not those that were stopped), the part that failed, was rolled back, or whose change failed or caused an incident",
    ),
    (
        "time to restore",
        "of incidents of sev1 to sev3 that are over, from impact (stated, else detected) to mitigated (else resolved); the median; no false alarms, duplicates or private ones",
    ),
];

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only this team's services.
    pub team: Option<TeamId>,
    /// Only this service.
    pub service: Option<ServiceId>,
    /// Over how many days until now, 1 to [`DAYS_MAX`].
    pub days: u16,
}

/// The four measures of something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// Deployments that arrived.
    pub arrived: usize,
    /// Days (of 24 hours, back from now) on which one did.
    pub days: usize,
    /// Deployments that ended, arrived or not.
    pub ended: usize,
    /// Those of them that failed, at once or later.
    pub failed: usize,
    /// Deployments without the approval that they needed.
    pub unapproved: usize,
    /// The median lead time; `None`: unknown.
    pub lead: Option<Span>,
    /// Arrived deployments whose lead time is known.
    pub lead_known: usize,
    /// Incidents that are over.
    pub incidents: usize,
    /// Those of them that a change caused.
    pub by_change: usize,
    /// The median time to restore; `None`: unknown.
    pub restore: Option<Span>,
    /// Incidents whose time is known.
    pub restore_known: usize,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dora {
    /// What it counts.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Over how many days.
    pub days: u16,
    /// Since when everything is remembered, where that is after `from`.
    pub complete_from: Option<Timestamp>,
    /// Everything together.
    pub total: Measures,
    /// Each team that has services asked for.
    pub teams: BTreeMap<TeamId, Measures>,
    /// Each service asked for.
    pub services: BTreeMap<ServiceId, Measures>,
    /// Arrived deployments of each week, the oldest first; the last one is the seven days until now.
    pub weeks: Vec<usize>,
    /// Everything together over time, for plots.
    pub series: Series,
}

/// What belongs to a row, before it is measured.
#[derive(Default)]
struct Heap<'a> {
    deployments: Vec<&'a Deployed>,
    outages: Vec<&'a Outage>,
}

/// Counts what is remembered; `zone`: whose days the plot has.
pub fn report(state: &State, org: &Org, asked: &Asked, zone: Tz, now: Timestamp) -> Dora {
    let days = asked.days.clamp(1, DAYS_MAX);
    let from = Timestamp(now.0 - Span::days(i64::from(days)).0);
    let inside = |at: Timestamp| from < at && at <= now;
    let wanted = |service: &ServiceId, team: &TeamId| {
        asked.service.as_ref().is_none_or(|wanted| wanted == service)
            && asked.team.as_ref().is_none_or(|wanted| wanted == team)
    };
    let controlled = |environment: Option<&str>| org.changes.controls(environment.unwrap_or(PRODUCTION));
    let mut total = Heap::default();
    let mut teams: BTreeMap<TeamId, Heap<'_>> = BTreeMap::new();
    let mut services: BTreeMap<ServiceId, Heap<'_>> = BTreeMap::new();
    for (id, service) in org.services.iter().filter(|(id, service)| wanted(id, &service.team)) {
        teams.entry(service.team.clone()).or_default();
        services.entry(id.clone()).or_default();
    }
    for it in state.deployments.values() {
        let counts = it.ended_at.is_some_and(inside) && controlled(Some(&it.environment));
        if counts && wanted(&it.service, &it.team) {
            total.deployments.push(it);
            teams.entry(it.team.clone()).or_default().deployments.push(it);
            services.entry(it.service.clone()).or_default().deployments.push(it);
        }
    }
    for it in state.outages.values() {
        if inside(it.over()) && controlled(it.environment.as_deref()) && wanted(&it.service, &it.team) {
            total.outages.push(it);
            teams.entry(it.team.clone()).or_default().outages.push(it);
            services.entry(it.service.clone()).or_default().outages.push(it);
        }
    }
    let complete_from = complete_from(state).filter(|since| *since > from);
    Dora {
        from,
        until: now,
        days,
        complete_from,
        weeks: weeks(&total, days, now),
        series: Series::cut(&total, Grain::of(days), zone, (from, now), complete_from),
        total: measure(&total, now),
        teams: teams.iter().map(|(id, heap)| (id.clone(), measure(heap, now))).collect(),
        services: services.iter().map(|(id, heap)| (id.clone(), measure(heap, now))).collect(),
    }
}

/// Where the oldest were forgotten because there were too many: since when none is missing.
fn complete_from(state: &State) -> Option<Timestamp> {
    let full = |len: usize, max: usize| len >= max;
    let deployments = state.deployments.values().next().filter(|_| full(state.deployments.len(), DEPLOYMENTS_MAX));
    let outages = state.outages.values().next().filter(|_| full(state.outages.len(), OUTAGES_MAX));
    deployments.map(|it| it.told_at).max(outages.map(|it| it.resolved))
}

fn arrived(it: &Deployed) -> Option<Timestamp> {
    it.ended_at.filter(|_| it.progress == Progress::Succeeded)
}

fn measure(heap: &Heap<'_>, now: Timestamp) -> Measures {
    let ended = heap.deployments.iter().filter(|it| it.progress != Progress::Cancelled);
    let lead = |it: &&Deployed| {
        let lead = arrived(it)?.since(it.committed_at?);
        // A commit from the future is a clock that is wrong.
        (lead >= Span::ZERO).then_some(lead)
    };
    let mut days: Vec<i64> =
        heap.deployments.iter().filter_map(|it| arrived(it)).map(|at| now.since(at).0 / Span::days(1).0).collect();
    let arrivals = days.len();
    days.sort_unstable();
    days.dedup();
    let (lead, lead_known) = median(heap.deployments.iter().filter_map(lead).collect());
    let (restore, restore_known) = median(heap.outages.iter().filter_map(|it| it.took()).collect());
    Measures {
        arrived: arrivals,
        days: days.len(),
        ended: ended.clone().count(),
        failed: ended.filter(|it| it.harmed || it.progress != Progress::Succeeded).count(),
        unapproved: heap.deployments.iter().filter(|it| it.unapproved).count(),
        lead,
        lead_known,
        incidents: heap.outages.len(),
        by_change: heap.outages.iter().filter(|it| it.by_change).count(),
        restore,
        restore_known,
    }
}

/// The median, of an even number the mean of the two in the middle; and of how many.
fn median(mut spans: Vec<Span>) -> (Option<Span>, usize) {
    spans.sort_unstable();
    let middle = spans.len() / 2;
    let found = match spans.as_slice() {
        [] => None,
        all if all.len() % 2 == 1 => Some(all[middle]),
        all => Some(Span(all[middle - 1].0 + (all[middle].0 - all[middle - 1].0) / 2)),
    };
    (found, spans.len())
}

fn weeks(heap: &Heap<'_>, days: u16, now: Timestamp) -> Vec<usize> {
    let mut weeks = vec![0; usize::from(days).div_ceil(7)];
    let last = weeks.len() - 1;
    for at in heap.deployments.iter().filter_map(|it| arrived(it)) {
        let ago = usize::try_from(now.since(at).0 / Span::days(7).0).unwrap_or(0);
        weeks[last - ago.min(last)] += 1;
    }
    weeks
}

impl Measures {
    /// The part of the deployments that failed, in percent; `None`: none ended.
    pub fn failure_percent(&self) -> Option<usize> {
        (self.ended > 0).then(|| (self.failed * 100 + self.ended / 2) / self.ended)
    }

    /// Deployments a week, in tenths.
    pub fn weekly_tenths(&self, days: u16) -> usize {
        let days = usize::from(days.max(1));
        (self.arrived * 70 + days / 2) / days
    }

    fn line(&self, name: &str, days: u16) -> String {
        let weekly = self.weekly_tenths(days);
        let mut text = format!("{name}: {} deployed ({}.{} a week)", self.arrived, weekly / 10, weekly % 10);
        match (self.lead, self.arrived - self.lead_known.min(self.arrived)) {
            (None, _) => text.push_str(" · lead time unknown"),
            (Some(lead), 0) => {
                let _ = write!(text, " · lead time {lead} (of {})", self.lead_known);
            }
            (Some(lead), unknown) => {
                let _ = write!(text, " · lead time {lead} (of {}, {unknown} unknown)", self.lead_known);
            }
        }
        match self.failure_percent() {
            None => text.push_str(" · failures unknown"),
            Some(percent) => {
                let _ = write!(text, " · {percent} % failed ({} of {})", self.failed, self.ended);
            }
        }
        match self.restore {
            None if self.incidents == 0 => text.push_str(" · no incident"),
            None => text.push_str(" · time to restore unknown"),
            Some(restore) => {
                let _ = write!(text, " · restored in {restore} (of {})", self.restore_known);
            }
        }
        if self.unapproved > 0 {
            let _ = write!(text, " · {} unapproved", self.unapproved);
        }
        text
    }
}

/// `/report dora`; the days of the plot are the asker's.
pub fn reply(draft: &Draft<'_>, asked: &Asked) -> Reply {
    let zone = draft.org.zone(draft.person());
    let (text, drawn) = text(&report(draft.state, draft.org, asked, zone, draft.now), asked);
    Reply { drawn, ..Reply::done(text) }
}

/// What a report is of: `payments-api`, `team payments`, `everything`.
pub fn subject(asked: &Asked) -> String {
    match (&asked.service, &asked.team) {
        (Some(service), _) => service.to_string(),
        (None, Some(team)) => format!("team {team}"),
        (None, None) => "everything".to_owned(),
    }
}

/// The report as people read it, and which of its lines are drawn.
pub fn text(report: &Dora, asked: &Asked) -> (String, Option<Drawn>) {
    let days = report.days;
    let (from, until) = (report.from.unix_secs(), report.until.unix_secs());
    let mut text = format!("DORA of {}, {}, <t:{from}:d> to <t:{until}:d>\n", subject(asked), counted(days, "day"));
    let _ = writeln!(text, "{}", report.total.line("All", days));
    let plot = plot::lines(&report.series);
    let drawn = Drawn { first: text.lines().count(), lines: plot.len() };
    if plot.is_empty() {
        text.push_str("Nothing to plot: no deployment and no incident was over in these days.\n");
    } else {
        plot.iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
        let _ = writeln!(text, "{}", plot::notes(&report.series));
    }
    // One service is the total; those of one team stand each for themselves.
    let rows: Vec<String> = match (&asked.service, &asked.team) {
        (Some(_), _) => Vec::new(),
        (None, Some(_)) => report.services.iter().map(|(id, it)| it.line(id.as_str(), days)).collect(),
        (None, None) => report.teams.iter().map(|(id, it)| it.line(id.as_str(), days)).collect(),
    };
    for row in rows.iter().take(ROWS_MAX) {
        let _ = writeln!(text, "{row}");
    }
    if rows.len() > ROWS_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/reports/dora has all)", rows.len() - ROWS_MAX);
    }
    if let Some(since) = report.complete_from {
        let _ = writeln!(
            text,
            "Before <t:{}:d> something is missing: the last {DEPLOYMENTS_MAX} deployments and {OUTAGES_MAX} incidents are remembered.",
            since.unix_secs()
        );
    }
    for (name, meaning) in DEFINITIONS {
        let _ = writeln!(text, "{name}: {meaning}");
    }
    text.push_str("All numbers: GET /v1/reports/dora, as JSON or CSV; format=png draws them");
    (text, Some(drawn).filter(|drawn| drawn.lines > 0))
}
