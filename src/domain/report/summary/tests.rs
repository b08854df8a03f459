//! When summaries are posted, and what stands in them; how people see one over a whole morning is in the stories.

use super::*;
use crate::domain::actor::By;
use crate::domain::decide::decide;
use crate::domain::event::Commit;
use crate::domain::input::Head;
use crate::domain::input::{Input, InputKind, Wakeup, WakeupKind};
use crate::domain::report::cron::Cron;
use crate::domain::state::State;
use chrono_tz::Tz;

const MORNING: &str = "morning";

/// A time on 2026-03-DD (the clocks of Amsterdam go forward on Sunday the 29th), in UTC.
fn march(day: u32, hour: u32, minute: u32) -> Timestamp {
    let date = chrono::NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
    date.and_hms_opt(hour, minute, 0).unwrap().and_utc().into()
}

fn organisation(cron: &str, quiet_when_empty: bool) -> Org {
    let summary = Summary {
        channel: crate::domain::delivery::ChannelRef::parse("ops"),
        cron: Cron::parse(cron).unwrap(),
        zone: Tz::Europe__Amsterdam,
        quiet_when_empty,
        template: template::DAILY.into(),
        team: None,
        mail_to: Vec::new(),
    };
    Org { summaries: [(MORNING.into(), summary)].into(), ..Org::default() }
}

/// State and what it is decided by.
struct Core {
    state: State,
    org: Org,
}

fn take(core: &mut Core, at: Timestamp, kind: InputKind) -> Option<Commit> {
    let by = By::timer("test");
    let input = Input { by: by.clone(), idempotency: None, kind, closed: Vec::new() };
    let events = decide(&core.state, &core.org, at, &input).events;
    let commit = Commit { seq: core.state.meta.seq + 1, at, by, events };
    if commit.events.is_empty() {
        return None;
    }
    core.state.apply(&commit);
    Some(commit)
}

fn loaded(core: &mut Core, at: Timestamp) -> Option<Commit> {
    take(core, at, InputKind::ConfigLoaded { hash: "".into() })
}

fn begun(cron: &str, quiet: bool, at: Timestamp) -> Core {
    let mut core = Core { state: State::new("tests"), org: organisation(cron, quiet) };
    assert!(loaded(&mut core, at).is_some());
    core
}

/// Takes what is due at an instant; the texts that are posted.
fn posted(core: &mut Core, at: Timestamp) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(wakeup) = core.state.next_wakeup().filter(|wakeup| wakeup.due <= at) {
        let commit = take(core, at, InputKind::Wake(wakeup)).expect("a moment that is due leads to something");
        texts.extend(commit.events.into_iter().filter_map(|event| match event {
            Event::DeliveryOwed(owed) => match owed.content {
                Content::Post { text } => Some(text),
                _ => None,
            },
            _ => None,
        }));
    }
    texts
}

fn next(core: &Core) -> Option<Wakeup> {
    core.state.wakeups().copied().find(|wakeup| wakeup.kind == WakeupKind::Summary)
}

#[test]
fn missed_ones_are_posted_once_and_late() {
    let mut core = begun("0 9 * * 1-5", false, march(23, 12, 0));
    assert_eq!(next(&core).unwrap().due, march(24, 8, 0));
    // Down from Tuesday to Friday noon.
    let texts = posted(&mut core, march(27, 11, 0));
    assert_eq!(texts.len(), 1);
    let due = format!("Daily status of <t:{}:f>\nLATE: ", march(24, 8, 0).unix_secs());
    assert!(texts[0].starts_with(&due), "{}", texts[0]);
    // The next one is on Monday, in summer time.
    assert_eq!(next(&core).unwrap().due, march(30, 7, 0));
    assert!(posted(&mut core, march(30, 6, 59)).is_empty());
    let texts = posted(&mut core, march(30, 7, 4));
    assert!(texts.len() == 1 && !texts[0].contains("LATE"), "{texts:?}");
}

#[test]
fn what_is_planned_follows_the_configuration() {
    let mut core = begun("0 9 * * 1-5", false, march(23, 12, 0));
    assert_eq!(loaded(&mut core, march(23, 13, 0)), None, "nothing is new");
    core.org = organisation("30 14 * * *", false);
    let commit = loaded(&mut core, march(23, 13, 0)).unwrap();
    let zone = "Europe/Amsterdam".into();
    let planned =
        Event::SummaryPlanned { summary: MORNING.into(), cron: "30 14 * * *".into(), zone, next: march(23, 13, 30) };
    assert_eq!(commit.events, [planned]);
    assert_eq!(core.state.meta.summaries.planned[MORNING].since, march(23, 12, 0));
    core.org = Org::default();
    let commit = loaded(&mut core, march(23, 13, 1)).unwrap();
    assert_eq!(commit.events, [Event::SummaryDropped { summary: MORNING.into() }]);
    assert_eq!(next(&core), None);
}

#[test]
fn a_step_of_the_clock_moves_no_set_time_and_records_keep_it() {
    let mut core = begun("0 9 * * 1-5", true, march(23, 12, 0));
    take(&mut core, march(23, 12, 1), InputKind::ClockStepped { by: Span::hours(3) });
    assert_eq!(next(&core).unwrap().due, march(24, 8, 0));
    let again = State::assemble(core.state.disassemble());
    assert_eq!(again, core.state);
    assert_eq!(again.next_wakeup(), next(&core));
    // Nothing to say: nothing is said, and the next one is planned all the same.
    assert_eq!(posted(&mut core, march(24, 8, 0)), Vec::<String>::new());
    assert_eq!(next(&core).unwrap().due, march(25, 8, 0));
}

#[test]
fn two_due_at_once_are_both_posted() {
    let mut org = organisation("0 9 * * *", false);
    let second = org.summaries[MORNING].clone();
    org.summaries.insert("zz".into(), second);
    let mut core = Core { state: State::new("tests"), org };
    loaded(&mut core, march(23, 12, 0));
    assert_eq!(posted(&mut core, march(24, 8, 0)).len(), 2);
    assert_eq!(next(&core).unwrap().due, march(25, 8, 0));
}

#[test]
fn what_is_resolved_is_kept_within_bounds_and_only_until_it_is_told() {
    let resolved = |n: u64| Resolved {
        seq: n,
        incident: IncidentId(n),
        severity: Severity::Sev2,
        service: "ledger".into(),
        resolution: None,
        acknowledged: None,
        restored: Span::mins(5),
    };
    let mut book = Book::default();
    book.keep(resolved(1));
    assert!(book.resolved.is_empty(), "no summary will tell it");
    let planned = |summary: &str| Event::SummaryPlanned {
        summary: summary.into(),
        cron: "0 9 * * *".into(),
        zone: "UTC".into(),
        next: march(24, 9, 0),
    };
    book.apply(&planned("one"), 1, march(23, 9, 0));
    book.apply(&planned("two"), 1, march(23, 9, 0));
    (2..500).for_each(|n| book.keep(resolved(n)));
    assert_eq!((book.resolved.len(), book.resolved[0].seq), (RESOLVED_MAX, 400));
    book.forget(IncidentId(499));
    let told = |summary: &str| Event::SummaryPosted {
        summary: summary.into(),
        due: march(24, 9, 0),
        next: Some(march(25, 9, 0)),
        quiet: false,
    };
    book.apply(&told("one"), 600, march(24, 9, 0));
    assert_eq!(book.resolved.len(), RESOLVED_MAX - 1, "the other one has not told it");
    book.apply(&told("two"), 601, march(24, 9, 0));
    assert!(book.resolved.is_empty());
    book.keep(resolved(602));
    book.apply(&Event::SummaryDropped { summary: "one".into() }, 603, march(24, 9, 1));
    book.apply(&Event::SummaryDropped { summary: "two".into() }, 604, march(24, 9, 1));
    assert_eq!(book, Book::default());
}

#[test]
fn every_built_in_template_reads_well_with_everything_and_with_nothing() {
    let templates = template::Templates::default();
    for name in ["daily", "handover", "review"] {
        for (kind, facts) in [("everything", Facts::sample()), ("nothing", Facts::sparse())] {
            let text = templates.write(name, &facts);
            assert!(!text.contains("cannot be written"), "{text}");
            insta::assert_snapshot!(format!("{name}_with_{kind}"), text);
        }
    }
}

#[test]
fn a_template_of_ones_own_stands_in_the_place_of_the_built_in_one_or_beside_it() {
    let mut templates = template::Templates::default();
    assert_eq!(templates.add("daily", "{{ open_count }} open, by {{ due }}\n"), Ok(()));
    assert_eq!(templates.add("short", "{% for it in open %}{{ it.id }} {% endfor %}."), Ok(()));
    assert_eq!(templates.names().collect::<Vec<_>>(), ["daily", "short", "handover", "review"]);
    assert_eq!(templates.write("daily", &Facts::sparse()), "0 open, by <t:0:f>");
    assert_eq!(templates.write("short", &Facts::sample()), "INC-1 .");
    // Its file was taken away after the summary was declared with it.
    assert!(templates.write("gone", &Facts::sparse()).starts_with("Daily status of"));
}

#[test]
fn a_template_that_fails_or_loops_is_refused_with_its_line() {
    let mut templates = template::Templates::default();
    let flaw = |source: &str, templates: &mut template::Templates| templates.add("daily", source).unwrap_err();
    for (bad, line, says) in [
        ("ok\n{% if %}", 2, "syntax error"),
        ("ok\n\n{{ opne }}", 3, "something that there is not"),
        ("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}", 1, ""),
        ("{% for it in open %}{% endfor %}", 1, "no text"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", 1, ""),
        ("{% include 'daily' %}{% include 'passwd' %}", 1, ""),
    ] {
        let found = flaw(bad, &mut templates);
        assert_eq!(found.line, line, "{bad}: {found:?}");
        assert!(found.message.contains(says) && found.message.len() < 400, "{found:?}");
    }
    let long = "x".repeat(template::TEXT_MAX + 1);
    assert!(flaw(&long, &mut templates).message.contains("16 KiB"));
    // What was refused is not used.
    assert!(templates.write("daily", &Facts::sparse()).starts_with("Daily status of"));
}

#[test]
fn one_that_fails_later_is_replaced_by_the_built_in_one_and_that_is_said() {
    let mut templates = template::Templates::default();
    templates.add("review", "fine\n{% if services_calm == 77 %}{{ oddity }}{% endif %}\n").unwrap();
    let facts = Facts { services_calm: 77, ..Facts::sparse() };
    let text = templates.write("review", &facts);
    assert!(text.starts_with("Service review, "), "{text}");
    assert!(
        text.contains("\n(The template failed, so this is the built-in one: playbooks/summaries/review.md:2: "),
        "{text}"
    );
}

#[test]
fn what_happened_to_a_service_is_counted_for_each_summary_until_it_is_told() {
    let ledger: ServiceId = "ledger".into();
    let planned = |summary: &str| Event::SummaryPlanned {
        summary: summary.into(),
        cron: "0 9 * * *".into(),
        zone: "UTC".into(),
        next: march(24, 9, 0),
    };
    let told = |summary: &str| Event::SummaryPosted {
        summary: summary.into(),
        due: march(24, 9, 0),
        next: Some(march(25, 9, 0)),
        quiet: true,
    };
    let resolved = |n: u64, minutes: i64| Resolved {
        seq: n,
        incident: IncidentId(n),
        severity: Severity::Sev2,
        service: "ledger".into(),
        resolution: None,
        acknowledged: n.is_multiple_of(2).then_some(Span::mins(2)),
        restored: Span::mins(minutes),
    };
    let mut book = Book::default();
    book.opened(&ledger, Severity::Sev1);
    assert_eq!(book, Book::default(), "no summary will tell it");
    book.apply(&planned("day"), 1, march(23, 9, 0));
    book.apply(&planned("week"), 1, march(23, 9, 0));
    book.opened(&ledger, Severity::Sev3);
    book.opened(&ledger, Severity::Sev2);
    book.keep(resolved(3, 10));
    book.keep(resolved(4, 30));
    book.apply(&told("day"), 5, march(24, 9, 0));
    assert!(book.planned["day"].services.is_empty());
    // INC-4 is opened again: the day has told it, the week has not.
    book.forget(IncidentId(4));
    assert!(book.planned["day"].services.is_empty());
    let week = &book.planned["week"].services[&ledger];
    let wanted = Tally {
        opened: 2,
        worst: Some(Severity::Sev2),
        resolved: 1,
        restoring: Span::mins(10),
        longest: Span::mins(30),
        ..Tally::default()
    };
    assert_eq!(*week, wanted);
    book.keep(resolved(6, 20));
    assert_eq!(book.planned["day"].services[&ledger].acknowledging, Span::mins(2));
    assert_eq!(book.planned["week"].services[&ledger].resolved, 2);
}

#[test]
fn the_head_of_the_journal_stands_in_it() {
    let mut core = begun("0 9 * * *", false, march(23, 12, 0));
    let wakeup = core.state.next_wakeup().unwrap();
    let head = Head { seq: 41, hash: "ab".repeat(32).into() };
    let commit = take(&mut core, march(24, 8, 0), InputKind::Summarise { wakeup, head }).unwrap();
    let text = commit.events.iter().find_map(|event| match event {
        Event::DeliveryOwed(owed) => match &owed.content {
            Content::Post { text } => Some(text.clone()),
            _ => None,
        },
        _ => None,
    });
    let text = text.expect("it is posted");
    assert!(text.ends_with(&format!("\nJournal: 41:{}", "ab".repeat(32))), "{text}");
}

#[test]
fn whoever_gets_it_by_mail_gets_the_journals_head_as_well() {
    let mut core = begun("0 9 * * 1-5", false, march(23, 12, 0));
    core.org.chat_connected = true;
    for summary in core.org.summaries.values_mut() {
        summary.mail_to = vec!["auditor".into()];
    }
    let wakeup = next(&core).unwrap();
    let head = crate::domain::input::Head { seq: 41, hash: "9f2c".repeat(16).into() };
    let commit = take(&mut core, march(24, 8, 0), InputKind::Summarise { wakeup, head }).unwrap();
    let owed = commit.events.iter().filter_map(|event| match event {
        Event::DeliveryOwed(owed) => Some((&owed.to, owed.priority, &owed.content)),
        _ => None,
    });
    let owed: Vec<_> = owed.collect();
    assert_eq!(owed.len(), 2, "{owed:?}");
    let mail = Destination::Person { person: "auditor".into(), method: Method::Email };
    // A mail that is late is sent all the same; a post would be left out.
    assert_eq!((owed[1].0, owed[1].1), (&mail, Priority::Notice));
    assert_eq!((owed[0].1, owed[0].2), (Priority::Post, owed[1].2));
    let Content::Post { text } = owed[1].2 else { panic!("{owed:?}") };
    assert!(text.contains("41:9f2c"), "{text}");
}
