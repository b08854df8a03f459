//! The pieces of a report: that they are civil days, weeks and months, also where clocks change, and add up to the whole;
//! and how they are plotted.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::super::plot;
use super::super::tests::{NOW, at, deployed, org, outage, state};
use super::super::{Asked, Dora, Progress, State, report, text};
use super::*;
use crate::domain::change::deployed::Deployed;
use crate::domain::time::Span;

const HERE: Tz = Tz::Europe__Amsterdam;

fn over(state: &State, days: u16, zone: Tz, now: &str) -> Dora {
    report(state, &org(), &Asked { days, ..Asked::default() }, zone, at(now))
}

fn with(all: impl IntoIterator<Item = Deployed>) -> State {
    let mut state = State::new("test");
    state.deployments.extend(all.into_iter().map(|it| (it.id, it)));
    state
}

fn begins(report: &Dora) -> Vec<String> {
    report.series.pieces.iter().map(|it| report.series.grain.label(it.begins)).collect()
}

fn shown(report: &Dora) -> String {
    format!("{}\n{}", plot::lines(&report.series).join("\n"), plot::notes(&report.series))
}

#[test]
fn weeks_begin_on_monday_and_the_ends_are_cut() {
    let report = over(&state(), 30, Tz::UTC, NOW);
    let asked = Asked { days: 30, ..Asked::default() };
    assert_eq!(begins(&report), ["30 Nov", "7 Dec", "14 Dec", "21 Dec", "28 Dec"]);
    assert_eq!((report.series.pieces[0].from, report.series.pieces[4].until), (report.from, report.until));
    insta::assert_snapshot!(shown(&report), @"
    Week of    █ well  x failed             ended failed lead time restored
    30 Nov                                      0      0         -        -
    7 Dec                                       0      0         -        -
    14 Dec     xx                               2      2   unknown        -
    21 Dec                                      0      0         -      30m
    28 Dec     ███                              3      0        2h        -
    One letter of a bar is one deployment; weeks of UTC, from <t:1796126400:f> to <t:1798718400:f>; - none
    ");
    let (text, drawn) = text(&report, &asked);
    let drawn = drawn.expect("something is drawn");
    let lines: Vec<&str> = text.lines().skip(drawn.first).take(drawn.lines).collect();
    assert_eq!(lines, plot::lines(&report.series));
}

#[test]
fn a_day_is_as_long_as_the_clocks_make_it() {
    // 25 October 2026 has 25 hours in Amsterdam: an hour is told twice, and belongs to that day both times.
    let all = [
        "2026-10-24T21:59:59Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-25T23:00:00Z",
    ];
    let all = (1..).zip(all).map(|(n, ended)| deployed(n, ended, None, Progress::Succeeded));
    let report = over(&with(all), 3, HERE, "2026-10-27T10:00:00Z");
    assert_eq!(begins(&report), ["Sat 24 Oct", "Sun 25 Oct", "Mon 26 Oct", "Tue 27 Oct"]);
    let sunday = &report.series.pieces[1];
    assert_eq!(sunday.until.since(sunday.from), Span::hours(25));
    let counts: Vec<usize> = report.series.pieces.iter().map(|it| it.measures.ended).collect();
    assert_eq!(counts, [1, 4, 1, 0]);
    // In spring the day has 23.
    let spring = over(&State::new("test"), 3, HERE, "2026-03-30T10:00:00Z");
    let sunday = &spring.series.pieces[2];
    assert_eq!((sunday.begins.to_string().as_str(), sunday.until.since(sunday.from)), ("2026-03-29", Span::hours(23)));
}

#[test]
fn a_day_that_a_zone_left_out_is_no_piece() {
    let report = over(&State::new("test"), 3, Tz::Pacific__Apia, "2012-01-01T00:00:00Z");
    assert_eq!(begins(&report), ["Wed 28 Dec", "Thu 29 Dec", "Sat 31 Dec", "Sun 1 Jan"]);
}

#[test]
fn one_deployment_is_one_letter_and_nothing_is_no_plot() {
    let one = with([deployed(1, "2026-12-30T10:00:00Z", None, Progress::Succeeded)]);
    insta::assert_snapshot!(shown(&over(&one, 3, HERE, NOW)), @"
    Day        █ well  x failed             ended failed lead time restored
    Mon 28 Dec                                  0      0         -        -
    Tue 29 Dec                                  0      0         -        -
    Wed 30 Dec █                                1      0   unknown        -
    Thu 31 Dec                                  0      0         -        -
    One letter of a bar is one deployment; days of Europe/Amsterdam, from <t:1798459200:f> to <t:1798718400:f>; - none
    ");
    let none = over(&State::new("test"), 30, HERE, NOW);
    assert!(none.series.is_empty() && plot::lines(&none.series).is_empty());
    let (text, drawn) = text(&none, &Asked::default());
    assert_eq!(drawn, None);
    assert!(text.contains("Nothing to plot"), "{text}");
    // One that was stopped is not one that ended; an incident alone is drawn, with no bar.
    let stopped = with([deployed(1, "2026-12-30T10:00:00Z", None, Progress::Cancelled)]);
    assert!(over(&stopped, 3, HERE, NOW).series.is_empty());
    let mut incident = State::new("test");
    let it = outage(1, "2026-12-30T10:00:00Z", Some("2026-12-30T09:00:00Z"), "2026-12-30T11:00:00Z");
    incident.outages.insert(it.incident, it);
    let lines = plot::lines(&over(&incident, 3, HERE, NOW).series);
    assert!(lines[3].ends_with("     0      0         -  unknown"), "{lines:?}");
}

#[test]
fn many_fit_and_one_failure_among_them_is_seen() {
    let all = (1..=4_999).map(|n| {
        let progress = if n == 7 { Progress::Failed } else { Progress::Succeeded };
        deployed(n, "2026-12-30T10:00:00Z", None, progress)
    });
    let report = over(&with(all), 366, HERE, NOW);
    assert_eq!(report.series.grain, Grain::Month);
    assert_eq!(report.series.pieces.len(), 13);
    let lines = plot::lines(&report.series);
    assert_eq!(
        lines[13],
        format!(
            "{:<11}{:<28} {:>5} {:>6} {:>9} {:>8}",
            "Dec 2026",
            format!("{}x", "█".repeat(25)),
            4_999,
            1,
            "unknown",
            "-"
        )
    );
    assert!(plot::notes(&report.series).starts_with("One letter of a bar is up to 200 deployments"));
}

#[test]
fn what_is_forgotten_is_marked() {
    let report =
        over(&with((1..=5_000).map(|n| deployed(n, "2026-12-15T10:00:00Z", None, Progress::Succeeded))), 30, HERE, NOW);
    let complete: Vec<bool> = report.series.pieces.iter().map(|it| it.complete).collect();
    assert_eq!(complete, [false, false, false, true, true]);
    let plot = shown(&report);
    assert!(plot.contains("14 Dec ?   █") && plot.ends_with("; ? something is missing"), "{plot}");
}

#[test]
fn letters_of_a_bar_stand_for_round_numbers() {
    for (most, each) in
        [(0, 1), (28, 1), (29, 2), (54, 2), (55, 5), (270, 10), (271, 20), (usize::MAX, 1_000_000_000_000_000_000)]
    {
        assert_eq!(plot::scale(most, 28), each, "{most}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_pieces_are_the_whole_and_fit(
        days in 0_u16..400,
        // Hours before now; how it ended; how long before the commit was written.
        all in proptest::collection::vec((0_i64..9_000, 0_usize..4, proptest::option::of(-5_i64..100_000)), 0..28),
        outages in proptest::collection::vec((0_i64..9_000, proptest::option::of(-3_i64..100)), 0..20),
        zone in prop::sample::select(vec![HERE, Tz::UTC, Tz::America__Havana, Tz::Asia__Kathmandu, Tz::Pacific__Apia]),
        now in 1_300_000_000_000_i64..1_900_000_000_000,
    ) {
        let progress = [Progress::Succeeded, Progress::Failed, Progress::RolledBack, Progress::Cancelled];
        let mut state = with((1..).zip(&all).map(|(n, (ago, how, lead))| {
            let ended = Timestamp(now - ago * 3_600_000);
            let committed = lead.map(|lead| Timestamp(ended.0 - lead * 60_000));
            Deployed { ended_at: Some(ended), committed_at: committed, ..deployed(n, NOW, None, progress[*how]) }
        }));
        for (n, (ago, took)) in (1..).zip(&outages) {
            let resolved = Timestamp(now - ago * 3_600_000);
            let it = outage(n, NOW, None, NOW);
            let detected = Timestamp(resolved.0 - took.unwrap_or(0) * 60_000);
            state.outages.insert(it.incident, super::super::Outage { detected, resolved, ..it });
        }
        let report = report(&state, &org(), &Asked { days, ..Asked::default() }, zone, Timestamp(now));
        let pieces = &report.series.pieces;
        prop_assert!((1..=18).contains(&pieces.len()), "{}", pieces.len());
        prop_assert_eq!((pieces[0].from, pieces[pieces.len() - 1].until), (report.from, report.until));
        for two in pieces.windows(2) {
            prop_assert!(two[0].until == two[1].from && two[0].begins < two[1].begins);
        }
        let sum = |of: fn(&Measures) -> usize| pieces.iter().map(|it| of(&it.measures)).sum::<usize>();
        let total = &report.total;
        prop_assert_eq!(sum(|it| it.ended), total.ended);
        prop_assert_eq!(sum(|it| it.failed), total.failed);
        prop_assert_eq!(sum(|it| it.arrived), total.arrived);
        prop_assert_eq!(sum(|it| it.lead_known), total.lead_known);
        prop_assert_eq!(sum(|it| it.incidents), total.incidents);
        prop_assert_eq!(sum(|it| it.restore_known), total.restore_known);
        let lines = plot::lines(&report.series);
        prop_assert!(lines.is_empty() == report.series.is_empty());
        prop_assert!(lines.iter().all(|line| line.chars().count() <= 76 && !line.ends_with(' ')));
        for (line, it) in lines.iter().skip(1).zip(pieces) {
            let bar = |letter| line.chars().filter(|c| *c == letter).count();
            prop_assert_eq!((bar('█'), bar('x')), (it.measures.ended - it.measures.failed, it.measures.failed));
        }
        // A median lies between those of what it is of; of nothing there is none.
        for it in pieces {
            prop_assert_eq!(it.measures.lead.is_none(), it.measures.lead_known == 0);
            prop_assert_eq!(it.measures.restore.is_none(), it.measures.restore_known == 0);
        }
    }
}
