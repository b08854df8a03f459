//! How paging goes on: steps, rules, failures, the last resort, the clock.

use opsbell::domain::actor::By;
use opsbell::domain::delivery::Outcome;
use opsbell::domain::input::{Button, InputKind};
use opsbell::domain::paging::audit;
use opsbell::domain::signal::AlertSeverity;
use opsbell::domain::time::Span;

use crate::night::Night;
use crate::support_paging::input;

fn down(service: &str, severity: AlertSeverity) -> Night {
    let mut night = Night::new();
    night.alert("k", service, severity);
    night
}

#[test]
fn step_by_step_to_the_last_resort() {
    let mut night = down("api", AlertSeverity::Critical);
    assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
    night.wait(4);
    assert_eq!(night.paged(), ["ann via sms", "ann via voice"]);
    night.wait(1);
    assert_eq!(night.paged(), ["cas via chat"]);
    for _ in 0..2 {
        night.wait(10);
        assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
        night.wait(5);
        assert_eq!(night.paged(), ["ann via sms", "ann via voice", "cas via chat"]);
    }
    night.wait(10);
    let last_resort = ["op via chat", "op via email", "webhook desk"];
    let mut paged = night.paged();
    paged.dedup();
    assert_eq!(paged, last_resort, "the operators as such, and as the fallback's first step");
    night.wait(6);
    assert_eq!(night.paged(), last_resort, "the fallback once more");
    night.wait(6);
    assert_eq!(night.paged(), last_resort, "nobody is left");
    assert!(night.incident().exhausted_at.is_some());
    night.wait(600);
    assert_eq!(night.paged(), Vec::<String>::new());
    assert!(night.say("ann", "/incident list").contains("NOBODY ANSWERED"));
}

#[test]
fn a_step_that_reaches_nobody_falls_through_with_a_warning() {
    let mut night = down("cdn", AlertSeverity::Critical);
    assert_eq!(night.paged(), ["ann via chat", "ann via email", "ben via webhook", "webhook desk"]);
    let warned = |night: &Night, text: &str| night.incident().timeline.iter().any(|entry| entry.text == text);
    assert!(warned(&night, "warning: schedule later has nobody on call"));
    assert!(warned(&night, "warning: step 1 of edge reaches nobody"));
    night.wait(7);
    assert!(night.paged().contains(&"op via chat".to_owned()), "step 3 falls through to the last resort");
}

#[test]
fn low_urgency_is_gentle() {
    let mut night = down("api", AlertSeverity::Warning);
    assert_eq!(night.paged(), Vec::<String>::new());
    night.wait(1);
    assert_eq!(night.paged(), ["ann via chat"]);
    night.wait(4);
    assert_eq!(night.paged(), ["cas via push"]);
    night.wait(5);
    assert_eq!(night.paged(), ["ann via email"], "ten minutes after the page began");
}

#[test]
fn a_method_that_is_silent_does_not_hold_up_the_next_one() {
    let mut night = Night::new();
    night.hangs = vec!["ann via chat", "ann via email"];
    night.alert("k", "api", AlertSeverity::Critical);
    assert_eq!(night.paged(), ["ann via chat", "ann via email"]);
    let begun = night.now;
    let next = |night: &Night| night.core.next_wakeup().map(|at| at.since(begun));
    assert_eq!(next(&night), Some(Span::secs(45)), "not after four minutes");
    night.wait(1);
    assert_eq!(night.paged(), ["ann via sms"]);
    // What has arrived is waited for as long as the rules say.
    assert_eq!(next(&night), Some(Span::secs(165)));
}

#[test]
fn a_method_that_fails_starts_the_next_one_and_a_person_the_next_step() {
    let mut night = Night::new();
    night.refuses = vec!["ann via chat", "ann via email"];
    night.alert("k", "api", AlertSeverity::Critical);
    assert_eq!(
        night.paged(),
        ["ann via chat", "ann via email", "ann via sms"],
        "when both have failed, without waiting"
    );
    night.wait(2);
    assert_eq!(night.paged(), ["ann via voice"], "as long after it as the rules say");
    let mut night = Night::new();
    night.refuses = vec!["ann via chat", "ann via email", "ann via sms", "ann via voice"];
    night.alert("k", "api", AlertSeverity::Critical);
    assert_eq!(night.paged().last().map(String::as_str), Some("cas via chat"), "the next step without waiting");
    let reason = &night.incident().pages[1].reason;
    assert_eq!(reason, "step 2 of core (nobody could be reached)");
}

#[test]
fn when_nothing_works_at_all_it_starts_over_until_something_does() {
    let mut night = Night::new();
    night.refuses = vec!["chat", "email", "sms", "voice", "webhook", "desk", "core-ops"];
    night.alert("k", "api", AlertSeverity::Critical);
    let again = |night: &Night| night.incident().escalation.clone().expect("it starts over");
    let first = again(&night);
    assert!(first.held && first.reason == "nobody could be reached", "{first:?}");
    assert_eq!(night.core.state().owed_count(), 0);
    assert!(night.core.is_idle());
    night.paged();
    night.wait(9);
    assert_eq!(night.paged(), Vec::<String>::new(), "not before ten minutes are over");
    night.wait(100);
    assert!(again(&night).due > first.due, "as often as it takes, later every half hour");
    night.wait(260 * 30);
    assert!(again(&night).due > night.now, "for days as well: more rounds than a byte counts");
    night.refuses.clear();
    night.paged();
    night.wait(31);
    assert!(night.paged().starts_with(&["ann via chat".to_owned()]));
    let why = "step 1 of core (nobody could be reached before)";
    assert!(night.incident().pages.iter().any(|page| page.reason.ends_with(why)), "{:#?}", night.incident().pages);
    night.wait(200);
    assert!(night.incident().exhausted_at.is_some() && night.incident().escalation.is_none(), "once somebody was");
}

#[test]
fn whom_the_policy_reached_counts_while_its_fallback_runs() {
    let mut night = Night::new();
    night.refuses = vec!["op via chat", "op via email", "webhook desk", "core-ops"];
    night.alert("k", "cdn", AlertSeverity::Critical);
    assert!(night.paged().contains(&"ann via chat".to_owned()), "she is reached");
    night.wait(60);
    assert!(night.paged().contains(&"op via chat".to_owned()), "the fallback and the last resort are not");
    assert!(night.incident().exhausted_at.is_some() && night.incident().escalation.is_none());
    night.wait(600);
    assert_eq!(night.paged(), Vec::<String>::new(), "it does not start over: she has all of it");
}

#[test]
fn it_starts_over_whichever_message_is_the_last_to_fail() {
    let mut night = Night::new();
    night.hangs = vec!["ann via email"];
    night.alert("k", "cdn", AlertSeverity::Critical);
    assert!(night.paged().contains(&"ann via chat".to_owned()), "she is reached, before it starts over");
    night.hangs.clear();
    night.refuses = vec!["chat", "email", "sms", "voice", "webhook", "desk", "core-ops"];
    night.wait(20);
    let told = night.say("cas", "/incident escalate INC-1");
    assert!(night.incident().escalation.is_some(), "it starts over when somebody asks: {told}");
    night.wait(12);
    night.end_hung(Outcome::Retryable { reason: "busy".into(), after: Some(Span::mins(9)), unknown: false });
    night.wait(8);
    let quiet = night.incident().escalation.is_none() && night.incident().exhausted_at.is_some();
    assert!(quiet && night.core.state().owed_count() == 1, "all but this one have failed");
    night.wait(2);
    let escalation = night.incident().escalation.clone().expect("it starts over");
    assert!(escalation.held && escalation.reason == "nobody could be reached", "{escalation:?}");
}

#[test]
fn cannot_pages_the_next_step_and_a_second_tap_does_not() {
    let mut night = down("api", AlertSeverity::Critical);
    night.paged();
    let told = night.press("ann", Button::Cant);
    assert!(told.starts_with("Understood. Paged: cas"), "{told}");
    assert_eq!(night.paged(), ["cas via chat"]);
    let told = night.press("ann", Button::Cant);
    assert!(told.starts_with("INC-1 does not page you. Nothing changed."), "{told}");
    assert!(told.contains("/incident escalate INC-1"));
    assert_eq!(night.paged(), Vec::<String>::new());
    night.wait(9);
    assert_eq!(night.paged(), Vec::<String>::new(), "no text to ann");
}

#[test]
fn cannot_after_the_last_resort_goes_on_by_the_policy() {
    let mut night = down("api", AlertSeverity::Critical);
    night.wait(100);
    assert!(night.incident().exhausted_at.is_some());
    night.paged();
    night.press("cas", Button::Cant);
    assert!(!night.paged().is_empty(), "somebody is paged");
    assert!(night.incident().escalation.is_some());
}

#[test]
fn an_escalation_after_an_acknowledgement_goes_on_behind_the_last_step() {
    let mut night = down("api", AlertSeverity::Critical);
    night.say("ann", "/ack INC-1");
    night.paged();
    let told = night.say("ann", "/incident escalate INC-1");
    assert!(told.starts_with("INC-1 escalated. Paged: cas, channel core-ops."), "{told}");
    assert_eq!((night.state(), night.paged()), ("triggered", vec!["cas via chat".into()]));
    night.say("cas", "/ack INC-1");
    night.say("cas", "/incident escalate INC-1");
    assert_eq!(night.paged(), ["ann via chat", "ann via email"], "behind the last step stands the first");
}

#[test]
fn somebody_is_paged_by_word() {
    let mut night = Night::new();
    let told = night.say("sue", "/page cas \"can you look?\"");
    assert!(told.starts_with("INC-1 sev2 misc: can you look? declared.\nPaged: cas."), "{told}");
    assert_eq!(night.paged(), ["cas via chat"]);
    night.wait(10);
    assert_eq!(night.paged(), ["cas via chat"], "once more");
    night.wait(10);
    assert!(night.paged().contains(&"op via chat".to_owned()), "then the last resort");
    let mut night = Night::new();
    night.say("ann", "/page team:edge help");
    assert_eq!(night.incident().service.as_str(), "cdn");
    assert!(night.paged().contains(&"ben via webhook".to_owned()));
    let told = night.say("ann", "/page team:edge incident:INC-1");
    assert!(told.starts_with("refused: Only a person can be added to INC-1."), "{told}");
}

#[test]
fn a_step_of_the_clock_shifts_what_runs() {
    for step in [Span::hours(3), Span::hours(-3)] {
        let mut night = down("api", AlertSeverity::Critical);
        night.paged();
        night.now = night.now.after(step);
        night.take(input(By::timer("clock"), InputKind::ClockStepped { by: step }));
        assert_eq!(night.paged(), Vec::<String>::new());
        night.wait(1);
        assert_eq!(night.paged(), Vec::<String>::new());
        night.wait(1);
        assert_eq!(night.paged(), ["ann via sms"], "two minutes after its page, as if nothing had happened");
        night.wait(3);
        assert_eq!(night.paged(), ["ann via voice", "cas via chat"]);
    }
}

/// Who is paged in each minute of an hour.
fn hour(night: &mut Night) -> Vec<Vec<String>> {
    let minute = |night: &mut Night| {
        night.wait(1);
        night.paged()
    };
    (0..60).map(|_| minute(night)).collect()
}

fn step_clock(night: &mut Night, by: Span) {
    if by != Span::ZERO {
        night.now = night.now.after(by);
        night.take(input(By::timer("clock"), InputKind::ClockStepped { by }));
    }
}

#[test]
fn who_was_reached_before_a_step_of_the_clock_was_reached_in_this_round() {
    let night = |step: Span| {
        let mut night = down("api", AlertSeverity::Critical);
        step_clock(&mut night, step);
        night.refuses = vec!["sms", "voice", "cas via chat", "core-ops"];
        hour(&mut night)
    };
    let unstepped = night(Span::ZERO);
    assert!(unstepped.concat().contains(&"cas via chat".to_owned()), "{unstepped:?}");
    assert_eq!(night(Span::hours(3)), unstepped);
    assert_eq!(night(Span::hours(-3)), unstepped);
}

#[test]
fn who_was_reached_in_an_earlier_round_was_not_reached_in_this_one_whatever_the_clock_does() {
    let night = |step: Span| {
        let mut night = down("api", AlertSeverity::Critical);
        night.wait(1);
        night.say("ann", "/ack INC-1");
        night.hangs = vec!["cas via chat"];
        night.say("ann", "/incident escalate INC-1");
        night.paged();
        step_clock(&mut night, step);
        night.refuses = vec!["chat", "email", "sms", "voice", "webhook", "desk", "core-ops"];
        night.end_hung(Outcome::Permanent { reason: "it does not exist".into() });
        let escalation = night.incident().escalation.clone().expect("it starts over");
        assert!(escalation.held && escalation.reason == "nobody could be reached", "{step}: {escalation:?}");
        hour(&mut night)
    };
    let unstepped = night(Span::ZERO);
    assert_eq!(night(Span::hours(3)), unstepped);
    assert_eq!(night(Span::hours(-3)), unstepped);
}

#[test]
fn after_an_outage_steps_fire_one_at_a_time() {
    let mut night = down("api", AlertSeverity::Critical);
    night.paged();
    night.now = night.now.after(Span::hours(9));
    let mut fired = 0;
    while let Some(moment) = night.core.due(night.now) {
        night.take(moment);
        fired += 1;
    }
    assert_eq!(fired, 2, "one rule and one step, not nine hours of them");
    assert_eq!(night.paged(), ["ann via sms", "cas via chat"]);
}

#[test]
fn the_auditor_sees_what_the_timers_missed() {
    let mut night = down("api", AlertSeverity::Critical);
    let look = |night: &Night| audit::overdue(night.core.state(), night.now, 5);
    assert_eq!(look(&night), Vec::<String>::new());
    night.now = night.now.after(Span::mins(6));
    let found = look(&night);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|line| line.contains("INC-1") && line.contains("1m")), "{found:?}");
    assert!(found.iter().all(|line| !line.contains("IncidentId")), "in words: {found:?}");
}
