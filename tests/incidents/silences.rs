//! Silences beyond what the stories tell: a storm that is let go, the clock that is stepped, who is told.

use opsbell::domain::actor::By;
use opsbell::domain::event::Event;
use opsbell::domain::id::SilenceId;
use opsbell::domain::input::InputKind;
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::time::Span;

use crate::night::Night;
use crate::support_paging::{input, sent, signal};

#[test]
fn a_storm_under_a_silence_is_let_go_in_pieces_and_nothing_of_it_is_lost() {
    let mut night = Night::new();
    night.say("ann", "/alert silence service:api for:1h reason:\"a rack moves\"");
    for n in 0..450 {
        let mut signal = signal("probe", SignalKind::Alert, Some("api"), &format!("k{n}"), Some(AlertSeverity::High));
        signal.labels.insert("site".into(), format!("site-{}", n % 3));
        night.take(sent("probe", signal));
    }
    assert_eq!((night.core.state().suppressed_count(), night.core.state().incidents.len()), (450, 0));
    assert!(night.paged().is_empty());
    let before = night.core.state().meta.seq;
    night.wait(60);
    let state = night.core.state();
    assert_eq!((state.suppressed_count(), state.alerts.len(), state.incidents.len()), (0, 450, 3));
    assert_eq!(state.incidents.values().map(|incident| incident.alerts_firing).sum::<u32>(), 450);
    assert!(state.alerts.values().all(|alert| alert.suppressed.is_none() && !alert.incident.is_none()));
    assert!(state.silences[&SilenceId(1)].released && state.meta.seq > before + 2);
    assert!(night.paged().iter().any(|to| to == "ann via chat"));
}

#[test]
fn a_stepped_clock_shifts_a_duration_and_not_a_time_of_the_clock() {
    let mut night = Night::new();
    night.say("ann", "/alert silence service:api for:1h reason:work");
    let until = night.now.after(Span::mins(120));
    night.say("ann", &format!("/alert silence service:cdn until:{until} reason:work"));
    let ends = |night: &Night, n| night.core.state().silences[&SilenceId(n)].ends.since(night.now);
    assert_eq!((ends(&night, 1), ends(&night, 2)), (Span::mins(60), Span::mins(120)));
    night.now = night.now.after(Span::mins(10));
    night.take(input(By::timer("clock"), InputKind::ClockStepped { by: Span::mins(10) }));
    assert_eq!((ends(&night, 1), ends(&night, 2)), (Span::mins(60), Span::mins(110)));
}

#[test]
fn whoever_made_it_is_told_before_and_at_the_end() {
    let mut night = Night::new();
    night.say("ann", "/alert silence service:api for:1h reason:work");
    assert!(night.paged().is_empty());
    night.wait(44);
    assert!(night.paged().is_empty());
    night.wait(1);
    assert_eq!(night.paged(), ["ann via chat"]);
    night.wait(15);
    assert_eq!(night.paged(), ["ann via chat"]);
    assert!(night.last.iter().any(|event| matches!(event, Event::SilenceReleased { .. })) || night.last.is_empty());
    assert_eq!(night.core.next_wakeup(), None, "nothing waits for a silence that is over");
}

#[test]
fn replies_read_like_this() {
    let mut night = Night::new();
    night.alert("db", "api", AlertSeverity::High);
    insta::assert_snapshot!(night.say("ann", "/alert silence service:api preview:yes"), @r#"
service=api would mute 1 alert now; nothing is silenced yet:
ALR-1 high api: prom db · INC-1 · now
To do it: the same with for:2h reason:"why" instead of preview:yes
"#);
    insta::assert_snapshot!(night.say("ann", "/alert silence service:api for:1h reason:\"a rack moves\""), @r#"
SIL-1: mutes service=api until 29 Mar 2026 00:00 (1h): a rack moves
1 alert is muted now:
ALR-1 high api: prom db · INC-1 · now
INC-1 pages nobody until then.
What still fires then pages. To end it sooner: /alert unsilence SIL-1
"#);
    night.alert("web", "api", AlertSeverity::Critical);
    insta::assert_snapshot!(night.say("ann", "/alert list suppressed"), @r#"
2 suppressed alerts fire and page nobody:
ALR-1 high api: prom db · INC-1 · now · SIL-1: a rack moves
ALR-2 critical api: prom web · now · SIL-1: a rack moves
What holds them back: /alert silences
"#);
    insta::assert_snapshot!(night.say("ann", "/alert show ALR-2"), @r#"
ALR-2 critical api: prom web
fires · from prom · key web · since 28 Mar 2026 23:00
suppressed by SIL-1 since 28 Mar 2026 23:00: a rack moves
It opened no incident. What is silenced: /alert silences
"#);
    insta::assert_snapshot!(night.say("ann", "/alert silences"), @r#"
1 silence in force:
SIL-1 service=api by ann: a rack moves · until 29 Mar 2026 00:00, mutes 2 alerts
What they hold back: /alert list suppressed · To end one: /alert unsilence SIL-n
"#);
    insta::assert_snapshot!(night.say("ann", "/status"), @r#"
1 open: 0 triggered, 1 acknowledged, 0 mitigated. No alert fires.
INC-1 sev2 api: prom db · acknowledged, ann has it · now
2 alerts suppressed by 1 silence: /alert list suppressed
On call: core-primary ann · later nobody
Nothing waits to be sent, nothing is overdue.
"#);
    insta::assert_snapshot!(night.say("ann", "/alert unsilence SIL-1"), @r#"
SIL-1 is over. 2 alerts that it muted still fire and page now.
What is open: /incident list
"#);
    insta::assert_snapshot!(night.say("ann", "/alert silences"), @r#"
Nothing is silenced.
Over:
SIL-1 service=api by ann: a rack moves · ended now, held back 2 alerts
To silence something: /alert silence service:NAME for:2h reason:"why"
"#);
}
