//! The measures against small numbers that one can count by hand.

use chrono_tz::Tz;

use super::*;
use crate::domain::change::deployed::Deployed;
use crate::domain::id::{DeploymentId, IncidentId};
use crate::domain::org::{Service, Team};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn org() -> Org {
    let mut org = Org::default();
    for (id, team) in [("api", "core"), ("web", "edge")] {
        org.teams.insert(team.into(), Team { id: team.into(), channel: None, escalation: "p".into() });
        let service = Service {
            id: id.into(),
            team: team.into(),
            depends_on: Vec::new(),
            runbook: None,
            tier: 3,
            repositories: Vec::new(),
        };
        org.services.insert(id.into(), service);
    }
    org
}

pub(super) fn deployed(n: u64, ended: &str, committed: Option<&str>, progress: Progress) -> Deployed {
    Deployed {
        id: DeploymentId(n),
        integration: Some("github".into()),
        key: format!("deployment {n}").into(),
        service: "api".into(),
        team: "core".into(),
        environment: PRODUCTION.into(),
        version: None,
        sha: None,
        progress,
        told_at: at(ended),
        ended_at: Some(at(ended)),
        committed_at: committed.map(at),
        change: None,
        unapproved: false,
        harmed: false,
        question: None,
    }
}

pub(super) fn outage(n: u64, detected: &str, mitigated: Option<&str>, resolved: &str) -> Outage {
    Outage {
        incident: IncidentId(n),
        service: "api".into(),
        team: "core".into(),
        environment: None,
        impact: None,
        detected: at(detected),
        mitigated: mitigated.map(at),
        resolved: at(resolved),
        by_change: false,
    }
}

pub(super) const NOW: &str = "2026-12-31T12:00:00Z";

pub(super) fn state() -> State {
    let mut state = State::new("test");
    let deployments = [
        deployed(1, "2026-12-30T10:00:00Z", Some("2026-12-30T09:00:00Z"), Progress::Succeeded),
        deployed(2, "2026-12-30T11:00:00Z", Some("2026-12-30T08:00:00Z"), Progress::Succeeded),
        Deployed { harmed: true, unapproved: true, ..deployed(3, "2026-12-20T11:00:00Z", None, Progress::Succeeded) },
        deployed(4, "2026-12-20T12:00:00Z", None, Progress::Failed),
        // None of these counts: stopped, elsewhere, too long ago; of a commit that is not written yet only the lead.
        deployed(5, "2026-12-20T12:00:00Z", None, Progress::Cancelled),
        Deployed { environment: "staging".into(), ..deployed(6, "2026-12-20T12:00:00Z", None, Progress::Succeeded) },
        deployed(7, "2026-11-20T12:00:00Z", None, Progress::Succeeded),
        deployed(8, "2026-12-29T12:00:00Z", Some("2027-01-01T00:00:00Z"), Progress::Succeeded),
    ];
    state.deployments.extend(deployments.map(|it| (it.id, it)));
    let outages = [
        outage(1, "2026-12-21T10:00:00Z", Some("2026-12-21T10:20:00Z"), "2026-12-21T12:00:00Z"),
        Outage {
            impact: Some(at("2026-12-22T09:50:00Z")),
            by_change: true,
            ..outage(2, "2026-12-22T10:00:00Z", None, "2026-12-22T10:30:00Z")
        },
        // Its times contradict each other: it is an incident, of unknown length.
        outage(3, "2026-12-23T10:00:00Z", Some("2026-12-23T09:00:00Z"), "2026-12-23T10:30:00Z"),
    ];
    state.outages.extend(outages.map(|it| (it.incident, it)));
    state
}

#[test]
fn the_measures_are_what_one_counts_by_hand() {
    let asked = Asked { days: 30, ..Asked::default() };
    let report = report(&state(), &org(), &asked, Tz::UTC, at(NOW));
    let expected = Measures {
        arrived: 4,
        days: 3,
        ended: 5,
        failed: 2,
        unapproved: 1,
        lead: Some(Span::hours(2)),
        lead_known: 2,
        incidents: 3,
        by_change: 1,
        restore: Some(Span::mins(30)),
        restore_known: 2,
    };
    assert_eq!(report.total, expected);
    assert_eq!(report.teams["core"], expected);
    assert_eq!(report.teams["edge"], Measures::default(), "a team without any is shown, as unknown");
    assert_eq!(report.weeks, [0, 0, 0, 1, 3]);
    assert_eq!(report.complete_from, None);
    let web = Asked { service: Some("web".into()), ..asked.clone() };
    let none = super::report(&state(), &org(), &web, Tz::UTC, at(NOW));
    assert_eq!((none.total.failure_percent(), none.total.lead, none.total.restore), (None, None, None));
    insta::assert_snapshot!(text(&report, &asked).0, @"
    DORA of everything, 30 days, <t:1796126400:d> to <t:1798718400:d>
    All: 4 deployed (0.9 a week) · lead time 2h (of 2, 2 unknown) · 40 % failed (2 of 5) · restored in 30m (of 2) · 1 unapproved
    Week of    █ well  x failed             ended failed lead time restored
    30 Nov                                      0      0         -        -
    7 Dec                                       0      0         -        -
    14 Dec     xx                               2      2   unknown        -
    21 Dec                                      0      0         -      30m
    28 Dec     ███                              3      0        2h        -
    One letter of a bar is one deployment; weeks of UTC, from <t:1796126400:f> to <t:1798718400:f>; - none
    core: 4 deployed (0.9 a week) · lead time 2h (of 2, 2 unknown) · 40 % failed (2 of 5) · restored in 30m (of 2) · 1 unapproved
    edge: 0 deployed (0.0 a week) · lead time unknown · failures unknown · no incident
    deployment frequency: deployments that arrived in a controlled environment, and how many a week that is
    lead time: from when the deployed commit was written to when it had arrived; the median of those whose commit is known
    change failure rate: of the deployments that ended (not those that were stopped), the part that failed, was rolled back, or whose change failed or caused an incident
    time to restore: of incidents of sev1 to sev3 that are over, from impact (stated, else detected) to mitigated (else resolved); the median; no false alarms, duplicates or private ones
    All numbers: GET /v1/reports/dora, as JSON or CSV; format=png draws them
    ");
    insta::assert_snapshot!(text(&none, &web).0.lines().take(3).collect::<Vec<_>>().join("\n"), @"
    DORA of web, 30 days, <t:1796126400:d> to <t:1798718400:d>
    All: 0 deployed (0.0 a week) · lead time unknown · failures unknown · no incident
    Nothing to plot: no deployment and no incident was over in these days.
    ");
}

#[test]
fn medians() {
    let hours = |all: &[i64]| median(all.iter().map(|n| Span::hours(*n)).collect());
    assert_eq!(hours(&[]), (None, 0));
    assert_eq!(hours(&[7]), (Some(Span::hours(7)), 1));
    assert_eq!(hours(&[9, 1, 3]), (Some(Span::hours(3)), 3));
    assert_eq!(hours(&[9, 1, 3, 5]), (Some(Span::hours(4)), 4));
}

#[test]
fn any_number_of_days_is_safe() {
    for days in [0, 1, 366, u16::MAX] {
        let report = report(&state(), &org(), &Asked { days, ..Asked::default() }, Tz::UTC, at(NOW));
        assert!((1..=DAYS_MAX).contains(&report.days) && !report.weeks.is_empty());
    }
}
