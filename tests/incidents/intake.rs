//! What signals do: routing, grouping, repeats, raising, recovery.

use opsbell::domain::id::{AlertId, IncidentId};
use opsbell::domain::incident::Severity;
use opsbell::domain::signal::{AlertSeverity, Signal, SignalKind};

use crate::night::Night;
use crate::support_paging::{sent, signal};

fn firing(key: &str, service: Option<&str>) -> Signal {
    signal("probe", SignalKind::Alert, service, key, Some(AlertSeverity::High))
}

#[test]
fn a_signal_goes_to_the_service_it_names_else_its_senders_else_the_default() {
    // prom has a service of its own (api), probe has none.
    let cases = [
        ("prom", Some("cdn"), false, "cdn", false),
        ("prom", None, false, "api", false),
        ("prom", Some("  "), false, "api", false),
        // Named by a label `service`, or by the body alone: meant, and unknown.
        ("prom", Some("nowhere"), false, "misc", true),
        ("prom", Some("nowhere"), true, "api", false),
        ("probe", None, false, "misc", true),
        ("probe", Some("nowhere"), true, "misc", true),
        ("probe", Some("api"), true, "api", false),
    ];
    for (sender, named, other_labels, service, unrouted) in cases {
        let mut night = Night::new();
        let mut signal = signal(sender, SignalKind::Alert, named, "k", Some(AlertSeverity::High));
        if other_labels {
            signal.labels.insert("job".into(), "node".into());
        }
        night.take(sent(sender, signal));
        let incident = night.incident();
        assert_eq!((incident.service.as_str(), incident.unrouted), (service, unrouted), "{sender} names {named:?}");
    }
}

#[test]
fn a_signal_that_is_lost_pages_however_mild_it_is() {
    let mut night = Night::new();
    night.take(sent("probe", signal("probe", SignalKind::Alert, Some("nowhere"), "k", Some(AlertSeverity::Info))));
    assert_eq!((night.incident().severity, night.incident().unrouted), (Severity::Sev3, true));
    night.wait(2);
    assert!(night.paged().contains(&"ann via chat".to_owned()));
    assert!(night.say("ann", "/incident show INC-1").starts_with("INC-1 sev3 misc: [unrouted] probe k"));
}

#[test]
fn alerts_of_one_group_share_an_incident() {
    let mut night = Night::new();
    let with = |key: &str, service: &str, site: Option<&str>, environment: Option<&str>| {
        let mut signal = firing(key, Some(service));
        signal.labels.extend(site.map(|site| ("site".to_owned(), site.to_owned())));
        signal.environment = environment.map(str::to_owned);
        sent("probe", signal)
    };
    let mut joins = |input| {
        let told = night.take(input);
        told.rsplit(' ').next().expect("an id").to_owned()
    };
    assert_eq!(joins(with("a", "api", Some("ams"), None)), "INC-1");
    assert_eq!(joins(with("b", "api", Some("ams"), None)), "INC-1", "the same site");
    assert_eq!(joins(with("c", "api", Some("sin"), None)), "INC-2", "another site");
    assert_eq!(joins(with("d", "cdn", Some("ams"), None)), "INC-3", "another service");
    assert_eq!(joins(with("e", "api", Some("ams"), Some("staging"))), "INC-4", "another environment");
    assert_eq!(joins(with("f", "api", None, None)), "INC-5", "none of the labels: by name");
    assert_eq!(joins(with("a", "api", Some("sin"), None)), "INC-1", "a repeat stays where it is");
    assert_eq!(night.core.state().alerts.len(), 6);
}

#[test]
fn a_repeat_writes_nothing_and_news_are_written() {
    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::Warning);
    night.alert("k", "api", AlertSeverity::Warning);
    assert!(night.last.is_empty());
    let mut signal = signal("prom", SignalKind::Alert, Some("api"), "k", None);
    night.take(sent("prom", signal.clone()));
    assert!(night.last.is_empty(), "a severity that is not said is not another one");
    signal.summary = Some("it gets worse".into());
    night.take(sent("prom", signal));
    assert_eq!(night.last.len(), 1);
    assert_eq!(night.core.state().alerts[&AlertId(1)].severity, AlertSeverity::Warning);
}

#[test]
fn a_worse_alert_raises_its_incident_unless_a_person_said_how_bad_it_is() {
    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::Info);
    night.wait(30);
    assert_eq!(night.paged(), Vec::<String>::new(), "for the record only");
    night.alert("k", "api", AlertSeverity::Warning);
    night.wait(1);
    assert_eq!(night.paged(), ["ann via chat"], "gently, after a minute");
    night.alert("k", "api", AlertSeverity::Critical);
    assert_eq!(night.paged(), ["ann via chat", "ann via email"], "urgently, at once");
    assert_eq!(night.incident().severity, Severity::Sev1);
    night.alert("k", "api", AlertSeverity::Info);
    assert_eq!(night.incident().severity, Severity::Sev1, "a milder one lowers nothing");

    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::Warning);
    night.say("ann", "/incident severity INC-1 sev4");
    night.alert("k", "api", AlertSeverity::Critical);
    assert_eq!(night.incident().severity, Severity::Sev4);
    night.wait(60);
    assert_eq!(night.paged(), Vec::<String>::new());
}

#[test]
fn the_last_recovery_resolves_unless_somebody_has_command() {
    let mut night = Night::new();
    let mut one = firing("a", Some("api"));
    let mut two = firing("b", Some("api"));
    one.labels.insert("site".into(), "ams".into());
    two.labels.insert("site".into(), "ams".into());
    night.take(sent("probe", one.clone()));
    night.take(sent("probe", two.clone()));
    (one.kind, two.kind) = (SignalKind::Resolve, SignalKind::Resolve);
    night.take(sent("probe", one.clone()));
    assert_eq!(night.state(), "triggered", "one still fires");
    night.take(sent("probe", one));
    assert!(night.last.is_empty(), "it has recovered already");
    night.take(sent("probe", two));
    assert_eq!(night.state(), "resolved");
    assert_eq!(night.incident().resolution.map(|how| how.as_str()), Some("recovered"));
    assert_eq!(night.incident().alerts_firing, 0);

    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::High);
    night.say("ann", "/ack INC-1");
    night.say("ann", "/incident role INC-1 commander");
    night.clear("k");
    assert_eq!(night.state(), "acknowledged");
    assert!(night.core.state().alerts.is_empty());
}

#[test]
fn an_alert_that_fires_on_after_its_incident_is_resolved_opens_another() {
    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::High);
    night.say("ann", "/resolve INC-1");
    assert!(night.core.state().alerts.is_empty(), "resolved with its incident");
    assert_eq!(night.alert("k", "api", AlertSeverity::High), "ALR-2 in INC-2");
    night.clear("k");
    assert!(night.core.state().incidents[&IncidentId(2)].resolution.is_some());
}

#[test]
fn only_a_sender_that_may_acknowledges() {
    let mut night = Night::new();
    night.alert("k", "api", AlertSeverity::High);
    night.take(sent("prom", signal("prom", SignalKind::Ack, None, "k", None)));
    assert_eq!((night.state(), night.last.len()), ("triggered", 0));
    let mut night = Night::new();
    night.take(sent("probe", firing("k", Some("api"))));
    night.take(sent("probe", signal("probe", SignalKind::Ack, None, "k", None)));
    assert_eq!(night.state(), "acknowledged");
    assert_eq!(
        night.incident().acknowledged_by.as_ref().map(ToString::to_string).as_deref(),
        Some("integration:probe")
    );
    assert_eq!(night.incident().roles.lead, None);
    night.take(sent("probe", signal("probe", SignalKind::Ack, None, "k", None)));
    assert!(night.last.is_empty());
}

#[test]
fn what_is_no_alert_does_nothing() {
    let mut night = Night::new();
    for kind in [SignalKind::Deploy, SignalKind::Ci, SignalKind::StatusUpdate, SignalKind::Confirm, SignalKind::Ignore]
    {
        night.take(sent("prom", signal("prom", kind, Some("api"), "k", None)));
        assert!(night.last.is_empty());
    }
    assert!(night.take(sent("gone", firing("k", None))).starts_with("refused: integration gone"));
}

#[test]
fn text_from_outside_is_cut_and_put_on_one_line() {
    let mut night = Night::new();
    let mut signal = firing("k", Some("api"));
    signal.name = "a\nname ".repeat(5_000);
    signal.summary = Some("b\r\n".repeat(9_000));
    night.take(sent("probe", signal));
    let title = &night.incident().title;
    assert!(title.chars().count() <= 200 && !title.contains(['\n', '\r']), "{title}");
}
