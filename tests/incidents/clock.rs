//! Restarts on a machine whose clock is wrong: what was due before is not put off by the error, whether the clock is
//! set right soon, by and by or never; and an orderly restart is not taken for one of these.

use opsbell::domain::actor::By;
use opsbell::domain::event::Event;
use opsbell::domain::input::InputKind;
use opsbell::domain::signal::AlertSeverity;
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

use super::night::Night;
use crate::support_paging::{START, input, say, small};

/// Back to the time of a clock whose battery is empty.
const TO_1970: Span = Span(-START);

/// Paged at `START`; again by the next method two minutes later, if nobody says anything.
fn paged() -> Night {
    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::Critical);
    assert!(!night.paged().is_empty());
    night
}

/// The process ends, and another one starts when the clock says `clock`.
fn restart(night: &mut Night, clock: Timestamp) -> Vec<i64> {
    let state = State::assemble(night.core.state().disassemble());
    night.core = Core::new(state, small());
    night.now = clock;
    night.take(input(By::timer("start"), InputKind::Started { version: "0".into(), at: clock }));
    night.last.iter().filter_map(stepped).collect()
}

fn stepped(event: &Event) -> Option<i64> {
    if let Event::ClockStepped { by_ms, .. } = event { Some(*by_ms) } else { None }
}

fn step(night: &mut Night, by: Span) {
    night.now = night.now.after(by);
    night.take(input(By::timer("clock"), InputKind::ClockStepped { by }));
}

/// Lets time go by until the next method is tried; how long that took.
fn until_paged(night: &mut Night, within: Span) -> Option<Span> {
    let began = night.now;
    let until = began.after(within);
    night.paged();
    while let Some(next) = night.core.next_wakeup().filter(|next| *next <= until) {
        night.now = night.now.max(next);
        while let Some(moment) = night.core.due(night.now) {
            night.take(moment);
        }
        night.settle();
        if night.paged().contains(&"ann via sms".to_owned()) {
            return Some(night.now.since(began));
        }
    }
    night.now = until;
    None
}

#[test]
fn a_restart_with_a_slow_clock_puts_no_page_off_when_the_clock_is_set_right() {
    let due = Span::mins(2);
    for error in [Span::secs(-50), Span::hours(-1), Span::days(-400), TO_1970] {
        for down in [Span::ZERO, Span::secs(1), Span::secs(20), Span::secs(110)] {
            // A clock that is ahead of the last commit looks like a right one: it errs by less than the time down.
            if error.0 + down.0 > -3_000 {
                continue;
            }
            // Set right at once, or in two steps.
            for steps in [vec![error], vec![Span(error.0 / 3), Span(error.0 - error.0 / 3)]] {
                let mut night = paged();
                restart(&mut night, Timestamp(START).after(down).after(error));
                assert_eq!(until_paged(&mut night, Span::secs(3)), None, "{error} {down}");
                for back in steps {
                    step(&mut night, Span(-back.0));
                }
                assert_eq!(night.now, Timestamp(START).after(down).after(Span::secs(3)), "the clock is right");
                let took = until_paged(&mut night, Span::mins(10)).expect("a page is not lost");
                let at = down.0 + 3_000 + took.0;
                assert_eq!(at, due.0, "{error} {down}: neither late nor early");
            }
        }
    }
}

#[test]
fn with_a_clock_that_stays_slow_a_page_is_late_by_no_more_than_the_time_nobody_knows_of() {
    for error in [Span::hours(-1), TO_1970] {
        let mut night = paged();
        restart(&mut night, Timestamp(START).after(Span::secs(20)).after(error));
        let took = until_paged(&mut night, Span::mins(10)).expect("a page is not lost");
        assert!(took <= Span::mins(2), "{error}: {took}");
    }
}

#[test]
fn a_second_restart_before_the_clock_is_set_right_changes_nothing() {
    let mut night = paged();
    let slow = Timestamp(START).after(Span::secs(10)).after(Span::hours(-1));
    assert_eq!(restart(&mut night, slow).len(), 1);
    assert_eq!(restart(&mut night, slow.after(Span::secs(5))), Vec::<i64>::new());
    step(&mut night, Span::hours(1));
    let took = until_paged(&mut night, Span::mins(10)).expect("a page is not lost");
    assert_eq!(took, Span::secs(120 - 15));
}

#[test]
fn a_step_back_after_a_slow_start_is_taken_back_as_well() {
    let mut night = paged();
    restart(&mut night, Timestamp(START).after(Span::secs(10)).after(Span::mins(-10)));
    step(&mut night, Span::mins(-50));
    step(&mut night, Span::hours(1));
    let took = until_paged(&mut night, Span::mins(10)).expect("a page is not lost");
    assert_eq!(took, Span::secs(110));
}

#[test]
fn a_clock_that_was_fast_before_the_restart_leaves_the_page_where_it_was() {
    let mut night = paged();
    // What the last process took for `START` was an hour earlier.
    restart(&mut night, Timestamp(START).after(Span::hours(-1)));
    assert_eq!(until_paged(&mut night, Span::mins(10)), Some(Span::mins(2)));
}

#[test]
fn a_restart_within_two_seconds_of_the_last_commit_is_no_step() {
    for ms in [-2_000, -1_999, -1, 0, 1, 60_000] {
        let mut night = paged();
        assert_eq!(restart(&mut night, Timestamp(START + ms)), Vec::<i64>::new(), "{ms}");
    }
    let mut night = paged();
    assert_eq!(restart(&mut night, Timestamp(START - 2_001)), [-2_001]);
    let mut fresh = Night::new();
    assert_eq!(restart(&mut fresh, Timestamp(0)), Vec::<i64>::new(), "there is nothing to compare with");
}

#[test]
fn what_was_taken_late_counts_by_the_clock_of_the_start() {
    let mut night = paged();
    let slow = Timestamp(START).after(Span::secs(10)).after(Span::hours(-1));
    let state = State::assemble(night.core.state().disassemble());
    night.core = Core::new(state, small());
    // The journal could not be written until the clock was right again.
    night.now = Timestamp(START).after(Span::secs(30));
    night.take(input(By::timer("start"), InputKind::Started { version: "0".into(), at: slow }));
    assert_eq!(night.last.iter().filter_map(stepped).count(), 1);
    night.take(input(By::timer("clock"), InputKind::ClockStepped { by: Span::hours(1) }));
    assert_eq!(until_paged(&mut night, Span::mins(10)), Some(Span::secs(90)));
}

#[test]
fn the_journal_says_all_of_it_and_replays_to_the_same_state() {
    let mut night = paged();
    let slow = Timestamp(START).after(Span::secs(10)).after(Span::hours(-1));
    restart(&mut night, slow);
    step(&mut night, Span::mins(20));
    let now = night.now;
    restart(&mut night, now);
    step(&mut night, Span::hours(2));
    night.wait(3);
    let mut state = State::new("n1ght");
    for commit in &night.commits {
        let line = serde_json::to_string(&commit.events).expect("it is JSON");
        let mut commit = commit.clone();
        commit.events = serde_json::from_str(&line).expect("it can be read back");
        state.apply(&commit);
    }
    assert_eq!(state.disassemble(), night.core.state().disassemble());
}

#[test]
fn who_repeats_a_command_over_a_step_of_the_clock_does_it_once() {
    let mut night = Night::new();
    let declare = || {
        let mut said = say("ann", "/incident declare \"it is slow\"");
        said.idempotency = Some("once".into());
        said
    };
    night.take(declare());
    step(&mut night, Span::hours(25));
    let again = night.take(declare());
    assert!(again.starts_with("INC-1 ") && night.last.is_empty(), "{again}");
    assert_eq!(night.core.state().incidents.len(), 1);
}
