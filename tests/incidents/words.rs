//! How replies read, as somebody sees them who has just been woken.

use insta::assert_snapshot;
use opsbell::domain::delivery::Outcome;
use opsbell::domain::input::Button;
use opsbell::domain::signal::{AlertSeverity, SignalKind};

use crate::night::Night;
use crate::support_paging::{sent, signal};

fn lag() -> Night {
    let mut night = Night::new();
    let mut lag = signal("prom", SignalKind::Alert, Some("api"), "lag-1", Some(AlertSeverity::Critical));
    lag.name = "ReplicationLag".into();
    lag.summary = Some("replication lag is 900 s".into());
    lag.environment = Some("production".into());
    lag.labels.insert("alertname".into(), "ReplicationLag".into());
    lag.labels.insert("db".into(), "db-2".into());
    night.take(sent("prom", lag));
    night
}

#[test]
fn declared() {
    let mut night = Night::new();
    assert_snapshot!(night.say("sue", "/incident declare \"checkout is slow\" service:api severity:sev1"), @r#"
    INC-1 sev1 api: checkout is slow declared.
    Paged: ann. Next step in 5 minutes.
    Next: /ack INC-1 or /incident update INC-1 "…"
    "#);
    assert_snapshot!(night.say("sue", "/incident declare \"a note\" severity:sev4"), @r#"
    INC-2 sev4 misc: a note declared.
    Nobody is paged.
    Next: /ack INC-2 or /incident update INC-2 "…"
    "#);
}

#[test]
fn shown() {
    let mut night = lag();
    night.wait(6);
    assert_snapshot!(night.say("cas", "/incident show INC-1"), @"
    INC-1 sev1 api: ReplicationLag: replication lag is 900 s
    triggered · team core · production
    opened 28 Mar 2026 23:00 by integration:prom
    alerts: 1 firing, 1 in all
      ALR-1 ReplicationLag (critical)
    Paged: ann, cas, channel core-ops. Next step in 9 minutes.
    Next: /ack INC-1
    ");
    night.say("cas", "/ack INC-1");
    night.wait(20);
    assert_snapshot!(night.say("cas", "/incident show INC-1"), @r#"
    INC-1 sev1 api: ReplicationLag: replication lag is 900 s
    acknowledged · team core · production
    opened 28 Mar 2026 23:00 by integration:prom
    acknowledged 28 Mar 2026 23:06 (after 6m)
    cas has it until 23:51
    lead cas
    sev1 needs a commander: /incident role INC-1 commander NAME (you, without a name)
    alerts: 1 firing, 1 in all
      ALR-1 ReplicationLag (critical)
    Next: /incident update INC-1 "…" or /resolve INC-1
    "#);
    night.say("ben", "/incident mitigate INC-1");
    night.say("ben", "/incident role INC-1 commander op");
    night.wait(20);
    night.say("cas", "/resolve INC-1 fixed \"failed over to db-1\"");
    assert_snapshot!(night.say("cas", "/incident show INC-1"), @"
    INC-1 sev1 api: ReplicationLag: replication lag is 900 s
    resolved · team core · production · fixed
    opened 28 Mar 2026 23:00 by integration:prom
    acknowledged 28 Mar 2026 23:06 (after 6m)
    mitigated 28 Mar 2026 23:26 (after 26m)
    resolved 28 Mar 2026 23:46 (after 46m)
    commander op, lead cas
    alerts: none firing, 1 in all
    Not over? /incident reopen INC-1 · Done? /incident close INC-1
    ");
    night.say("cas", "/incident close INC-1");
    assert_snapshot!(night.say("cas", "/incident show INC-1"), @"
    INC-1 sev1 api: ReplicationLag: replication lag is 900 s
    closed · team core · production · fixed
    opened 28 Mar 2026 23:00 by integration:prom
    acknowledged 28 Mar 2026 23:06 (after 6m)
    mitigated 28 Mar 2026 23:26 (after 26m)
    resolved 28 Mar 2026 23:46 (after 46m)
    closed 28 Mar 2026 23:46 (after 46m)
    commander op, lead cas
    alerts: none firing, 1 in all
    What happened: /incident timeline INC-1
    ");
}

#[test]
fn listed() {
    let mut night = Night::new();
    assert_snapshot!(night.say("ann", "/incident list"), @r#"No open incidents. Something broken? /incident declare "what" service:…"#);
    night.alert("k1", "api", AlertSeverity::Warning);
    night.wait(3);
    night.alert("k2", "cdn", AlertSeverity::Critical);
    night.say("ann", "/ack INC-1");
    night.wait(60);
    night.say("ann", "/incident declare \"cannot log in\" severity:sev2");
    assert_snapshot!(night.say("ann", "/incident list"), @r#"
    3 open:
    INC-2 sev1 cdn: prom k2 · triggered, NOBODY ANSWERED · 1 hour ago
    INC-3 sev2 misc: cannot log in · triggered · now
    INC-1 sev3 api: prom k1 · triggered · 1 hour ago
    One of them: /incident show INC-n
    "#);
    assert_snapshot!(night.say("ann", "/status"), @r#"
    3 open: 3 triggered, 0 acknowledged, 0 mitigated. 2 alerts fire.
    INC-2 sev1 cdn: prom k2 · triggered, NOBODY ANSWERED · 1 hour ago
    INC-3 sev2 misc: cannot log in · triggered · now
    INC-1 sev3 api: prom k1 · triggered · 1 hour ago
    On call: core-primary ann · later nobody
    Nothing waits to be sent, nothing is overdue.
    "#);
}

#[test]
fn all_quiet() {
    let mut night = Night::new();
    assert_snapshot!(night.say("ann", "/status"), @r#"
    All quiet: no open incidents.
    On call: core-primary ann · later nobody
    Nothing waits to be sent, nothing is overdue.
    "#);
    assert_snapshot!(night.say("ann", "/alert list"), @"No alert fires.");
}

#[test]
fn what_happened() {
    let mut night = lag();
    night.wait(6);
    night.press("cas", Button::Cant);
    night.say("ann", "/ack INC-1");
    night.say("ann", "/incident note INC-1 \"db-2 is out of disk\"");
    night.say("sue", "/resolve INC-1");
    night.wait(3);
    night.take(sent("prom", signal("prom", SignalKind::Resolve, None, "lag-1", None)));
    assert_snapshot!(night.say("ann", "/incident timeline INC-1"), @r#"
    INC-1 sev1 api: ReplicationLag: replication lag is 900 s
    23:00:00 integration:prom: opened as sev1
    23:00:00 integration:prom: ALR-1 ReplicationLag fires (critical)
    23:00:00 integration:prom: escalation core started: opened by ALR-1
    23:00:00 integration:prom: paged ann: on call for core-primary, step 1 of core
    23:05:00 opsbell: paged cas: step 2 of core, nobody has acknowledged
    23:06:00 cas: paged ann: on call for core-primary, step 1 of core, repeat 1 of 2 (cas can't)
    23:06:00 ann: acknowledged
    23:06:00 ann: note: db-2 is out of disk
    23:06:00 sue: was refused /resolve, which needs the permission to respond
    23:09:00 integration:prom: ALR-1 recovered, none still firing
    23:09:00 integration:prom: resolved as recovered
    23:09:00 integration:prom: postmortem drafted from the built-in template
    23:09:00 integration:prom: proposed as a problem: it was sev1
    "#);
}

#[test]
fn who_was_paged() {
    let mut night = Night::new();
    night.refuses = vec!["cas via chat"];
    night.alert("k", "api", AlertSeverity::Critical);
    night.wait(5);
    night.say("ann", "/ack INC-1");
    assert_snapshot!(night.say("ann", "/incident pages INC-1"), @r#"
    INC-1 sev1 api: prom k
    INC-1.p1 ann: paged 23:00:00, ended by the acknowledgement 23:05:00 (on call for core-primary, step 1 of core)
      ann via chat: sent 23:00:00 (n1ght-1.0)
      ann via email: sent 23:00:00 (n1ght-1.1)
      ann via sms: sent 23:02:00 (n1ght-5.0)
      ann via voice: sent 23:04:00 (n1ght-7.0)
    INC-1.p2 cas: paged 23:05:00, ended by the acknowledgement 23:05:00 (step 2 of core, nobody has acknowledged)
      cas via chat: failed: it does not exist (n1ght-9.0)
    channel core-ops: sent 23:05:00 (n1ght-9.1)
    "#);
    night.say("ann", "/incident declare \"a note\" severity:sev4");
    assert_snapshot!(night.say("ann", "/incident pages INC-2"), @"Nobody was paged about INC-2: sev4 is for the record only.");
}

#[test]
fn an_attempt_that_failed_is_told_with_the_next() {
    let mut night = Night::new();
    let input = sent("prom", signal("prom", SignalKind::Alert, Some("api"), "k", Some(AlertSeverity::Critical)));
    let (_, commit) = night.core.take(night.now, input);
    night.core.durable(&commit.expect("it is new"));
    let grant = night.core.grant(night.now).expect("a page");
    night.core.ended(&grant.id);
    let outcome = Outcome::Retryable { reason: "no answer".into(), after: None, unknown: true };
    let kind = opsbell::domain::input::InputKind::Receipt { delivery: grant.id, outcome };
    let by = opsbell::domain::actor::By::timer("lane");
    let (_, commit) = night.core.take(night.now, crate::support_paging::input(by, kind));
    night.core.durable(&commit.expect("it is written"));
    assert_snapshot!(night.say("ann", "/incident pages INC-1"), @r#"
    INC-1 sev1 api: prom k
    INC-1.p1 ann: paged 23:00:00, on its way (on call for core-primary, step 1 of core)
      ann via chat: 1 attempt failed, next in 1 second: no answer (n1ght-1.0)
      ann via email: waits to be sent (n1ght-1.1)
    "#);
    assert_snapshot!(night.say("ann", "/status"), @r#"
    1 open: 1 triggered, 0 acknowledged, 0 mitigated. 1 alert fires.
    INC-1 sev1 api: prom k · triggered · now
    On call: core-primary ann · later nobody
    TROUBLE: 1 message has not got through yet: to ann via chat about INC-1, 1 attempt failed (no answer)
    It is tried again; nothing is overdue.
    "#);
}

#[test]
fn said_twice() {
    let mut night = lag();
    assert_snapshot!(night.say("ann", "/ack INC-1"), @r#"
    INC-1 acknowledged: nobody else is paged. It counts until 23:45.
    sev1 needs a commander: /incident role INC-1 commander NAME (you, without a name)
    Next: /incident update INC-1 "…", then /resolve INC-1
    "#);
    night.wait(2);
    assert_snapshot!(night.say("ben", "/ack INC-1"), @"INC-1 is already acknowledged by ann 2 minutes ago. Nothing changed.");
    assert_snapshot!(night.say("ann", "/resolve INC-1"), @"
    INC-1 resolved as fixed. It closes in 2 hours.
    Its alert still fires: if it is sent again, it opens a new incident.
    Its postmortem: /postmortem show INC-1
    ");
    night.wait(2);
    assert_snapshot!(night.say("ben", "/resolve INC-1"), @"INC-1 was already resolved as fixed 2 minutes ago. Nothing changed.");
    assert_snapshot!(night.say("ben", "/ack INC-1"), @r#"
    refused: INC-1 was resolved as fixed 2 minutes ago.
    If it is not over: /incident reopen INC-1
    "#);
    night.say("ann", "/incident close INC-1");
    assert_snapshot!(night.say("ben", "/ack INC-1"), @r#"
    refused: INC-1 is closed.
    To go on with it: /incident reopen INC-1
    "#);
    assert_snapshot!(night.say("ben", "/incident reopen INC-1"), @r#"
    INC-1 is open again. Paged: ann. Next step in 5 minutes.
    Take it: /ack INC-1
    "#);
}

#[test]
fn refused() {
    let mut night = lag();
    assert_snapshot!(night.say("sue", "/ack INC-1"), @r#"
    refused: sue may not do that to INC-1: it needs a responder.
    See what you may do: /whoami and /help
    "#);
    assert_snapshot!(night.say("eve", "/status"), @r#"
    refused: eve is not a person of this organisation.
    An administrator can add a [[person]] to the configuration.
    "#);
    assert_snapshot!(night.press("ann", Button::HandBack), @r#"
    refused: INC-1 is triggered, so there is nothing to hand back.
    To page the next step: /incident escalate INC-1
    "#);
    assert_snapshot!(night.say("ann", "/incident close INC-1"), @r#"
    refused: INC-1 is triggered: only a resolved incident can be closed. To close says that its record is complete.
    Is it over? /resolve INC-1 fixed "what was done": it then closes of itself after 2h. Both at once: /incident close INC-1 fixed
    "#);
    assert_snapshot!(night.say("ann", "/alert show ALR-9"), @r#"
    refused: There is no ALR-9.
    What fires: /alert list
    "#);
}

#[test]
fn put_off_escalated_handed_back() {
    let mut night = lag();
    assert_snapshot!(night.say("ann", "/snooze INC-1 30m"), @"INC-1 is snoozed: it pages again in 30 minutes unless it is resolved. /resolve INC-1");
    assert_snapshot!(night.press("ann", Button::HandBack), @"INC-1 handed back. Paged: ann. Next step in 5 minutes.");
    assert_snapshot!(night.say("ann", "/incident escalate INC-1"), @"INC-1 escalated. Paged: ann, cas, channel core-ops. Next step in 10 minutes.");
    assert_snapshot!(night.press("cas", Button::Cant), @"Understood. Paged: ann, channel core-ops. Next step in 5 minutes.");
    assert_snapshot!(night.say("ann", "/page ben incident:INC-1 \"you know db-2\""), @"ben is paged about INC-1. Who was paged: /incident pages INC-1");
    assert_snapshot!(night.say("ann", "/incident severity INC-1 sev3"), @"INC-1: severity sev1 → sev3. Paged: ann, ben, channel core-ops. Next step in 5 minutes.");
    assert_snapshot!(night.say("ann", "/incident mitigate INC-1"), @"INC-1 is mitigated. When the cause is gone: /resolve INC-1");
    assert_snapshot!(night.say("ann", "/incident update INC-1 \"replica is back\""), @"INC-1 updated. When it is over: /resolve INC-1");
}

#[test]
fn on_call() {
    let mut night = Night::new();
    assert_snapshot!(night.say("ann", "/oncall who"), @"
    core-primary: ann until 29 Mar 2026 09:00
    later: nobody is on call
    Who comes after: /oncall next
    ");
    assert_snapshot!(night.say("ann", "/oncall next core-primary"), @"
    core-primary: ben from 29 Mar 2026 09:00
    Who it is now: /oncall who
    ");
    assert_snapshot!(night.say("ann", "/whoami"), @"
    You are ann (responder: you may declare, acknowledge, update, escalate and resolve).
    High urgency reaches you by chat, email, sms after 2m, voice after 4m; low by chat after 1m, email after 10m.
    Your zone is UTC; it is 28 Mar 2026 23:00.
    You are on call for core-primary until 29 Mar 2026 09:00.
    ");
    assert_snapshot!(night.say("sue", "/whoami"), @"
    You are sue (stakeholder: you may read and declare).
    High urgency reaches you by chat; low by chat.
    Your zone is UTC; it is 28 Mar 2026 23:00.
    You are not on call now.
    ");
}

#[test]
fn alerts() {
    let mut night = lag();
    night.wait(5);
    night.take(sent("probe", signal("probe", SignalKind::Alert, Some("nowhere"), "k", None)));
    assert_snapshot!(night.say("ann", "/alert list"), @r#"
    2 alerts fire:
    ALR-2 high [unrouted] nowhere: probe k · INC-2 · now
    ALR-1 critical api: ReplicationLag · INC-1 · 5 minutes ago
    One of them: /alert show ALR-n
    "#);
    assert_snapshot!(night.say("ann", "/alert show ALR-1"), @"
    ALR-1 critical api: ReplicationLag
    replication lag is 900 s
    fires · from prom · key lag-1 · since 28 Mar 2026 23:00
      alertname=ReplicationLag
      db=db-2
    Its incident: /incident show INC-1
    ");
    night.say("ann", "/resolve INC-1");
    assert_snapshot!(night.say("ann", "/alert show ALR-1"), @r#"
    refused: ALR-1 has recovered.
    Its record: GET /v1/alerts/ALR-1. What fires: /alert list
    "#);
}
