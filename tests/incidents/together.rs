//! Merging, linking, private incidents and reminders: how the replies read, and what stands in the records afterwards.

use insta::assert_snapshot;
use opsbell::domain::delivery::{Destination, Method};
use opsbell::domain::event::Event;
use opsbell::domain::id::IncidentId;
use opsbell::domain::input::Button;
use opsbell::domain::paging::PageState;
use opsbell::domain::signal::AlertSeverity;

use crate::night::Night;

#[test]
fn a_merge_reads_so_from_both_sides() {
    let mut night = Night::new();
    night.alert("lag-1", "api", AlertSeverity::High);
    night.alert("lag-2", "cdn", AlertSeverity::Critical);
    night.wait(1);
    assert_snapshot!(night.say("cas", "/incident merge INC-2 INC-1"), @"
    INC-2 is merged into INC-1 and closed as its duplicate. Moved: 1 alert; the pages of ben.
    Paged: ann, ben. Next step in 4 minutes.
    Take it: /ack INC-1
    ");
    assert_snapshot!(night.say("cas", "/incident show INC-1"), @"
    INC-1 sev1 api: prom lag-1
    triggered · team core
    opened 28 Mar 2026 23:00 by integration:prom
    told again by INC-2
    alerts: 2 firing, 2 in all
      ALR-1 prom lag-1 (high)
      ALR-2 prom lag-2 (critical)
    Paged: ann, ben. Next step in 4 minutes.
    Next: /ack INC-1
    ");
    assert_snapshot!(night.say("cas", "/incident show INC-2"), @"
    INC-2 sev1 cdn: prom lag-2
    closed · team edge · duplicate
    opened 28 Mar 2026 23:00 by integration:prom
    resolved 28 Mar 2026 23:01 (after 1m)
    closed 28 Mar 2026 23:01 (after 1m)
    a duplicate of INC-1
    alerts: none firing, 1 in all
    It went on as INC-1: /incident show INC-1
    ");
    assert_snapshot!(night.say("cas", "/incident timeline INC-2"), @"
    INC-2 sev1 cdn: prom lag-2
    23:00:00 integration:prom: opened as sev1
    23:00:00 integration:prom: ALR-2 prom lag-2 fires (critical)
    23:00:00 integration:prom: escalation edge started: opened by ALR-2
    23:00:00 integration:prom: warning: schedule later has nobody on call
    23:00:00 integration:prom: warning: step 1 of edge reaches nobody
    23:00:00 integration:prom: paged ben: step 2 of edge, nobody has acknowledged
    23:00:00 integration:prom: paged ann: on call for core-primary, step 2 of edge, nobody has acknowledged
    23:01:00 cas: merged into INC-1
    23:01:00 cas: closed
    ");
    assert_snapshot!(night.say("cas", "/incident merge INC-2 INC-1"), @"
    refused: INC-2 was merged into INC-1.
    Go on with that one: /incident show INC-1
    ");
}

#[test]
fn moved_pages_take_their_ledger_along_and_leave_a_mark() {
    let mut night = Night::new();
    night.alert("lag-1", "api", AlertSeverity::High);
    night.alert("lag-2", "cdn", AlertSeverity::Critical);
    let before = night.core.state().incidents[&IncidentId(2)].clone();
    let running: Vec<_> = before.pages.iter().filter(|page| page.state.running()).collect();
    assert!(!running.is_empty());
    night.say("cas", "/incident merge INC-2 INC-1");
    let Some(Event::IncidentMerged(merged)) = night.last.iter().find(|event| matches!(event, Event::IncidentMerged(_)))
    else {
        panic!("{:?}", night.last)
    };
    let survivor = night.incident();
    // Ben's page goes along; ann's ends, for she is paged about the other one already.
    assert_eq!(merged.pages.len(), 1);
    for n in &merged.pages {
        let old = before.page(*n).expect("it ran");
        let new = survivor.pages.iter().find(|page| page.person == old.person).expect("it goes on");
        assert_eq!((new.used, new.next, &new.rules), (old.used, old.next, &old.rules));
        assert!(new.state.running());
        let ledger = survivor.deliveries.iter().filter(|delivery| delivery.page == Some(new.n)).count();
        assert_eq!(ledger, before.deliveries.iter().filter(|delivery| delivery.page == Some(*n)).count());
    }
    assert_eq!(running.len(), 2);
    // Pages are numbered without a gap.
    assert!(survivor.pages.iter().zip(1..).all(|(page, n)| page.n == n));
    // One acknowledgement ends all of it.
    night.press("cas", Button::Ack);
    assert!(night.incident().pages.iter().all(|page| page.state == PageState::Acknowledged || !page.state.running()));
    night.paged();
    night.wait(40);
    assert!(night.paged().is_empty());
}

#[test]
fn nobody_who_is_paged_about_both_is_paged_twice() {
    let mut night = Night::new();
    night.alert("lag-1", "api", AlertSeverity::High);
    night.alert("other", "api", AlertSeverity::High);
    night.paged();
    night.say("cas", "/incident merge INC-2 INC-1");
    let anns = night.incident().pages.iter().filter(|page| page.person.as_str() == "ann" && page.state.running());
    assert_eq!(anns.count(), 1);
    assert!(night.paged().is_empty());
    // Her later rules come once.
    night.wait(2);
    assert_eq!(night.paged().iter().filter(|to| *to == "ann via sms").count(), 1);
}

#[test]
fn a_merged_one_that_is_reopened_stands_by_itself() {
    let mut night = Night::new();
    night.alert("lag-1", "api", AlertSeverity::High);
    night.alert("other", "api", AlertSeverity::High);
    night.say("cas", "/incident merge INC-2 INC-1");
    assert_snapshot!(night.say("cas", "/ack INC-2"), @"
    refused: INC-2 was merged into INC-1.
    Go on with that one: /incident show INC-1
    ");
    night.say("cas", "/incident reopen INC-2");
    let reopened = &night.core.state().incidents[&IncidentId(2)];
    assert_eq!((reopened.state.as_str(), reopened.merged_into), ("triggered", None));
    // And it can go another way.
    night.say("cas", "/incident merge INC-1 INC-2");
    assert_eq!(night.state(), "closed");
    assert_eq!(night.core.state().incidents[&IncidentId(2)].alerts_firing, 2);
}

#[test]
fn a_merge_raises_the_severity_unless_a_person_has_said_it() {
    let mut night = Night::new();
    night.alert("a", "api", AlertSeverity::Warning);
    night.alert("b", "api", AlertSeverity::Critical);
    night.say("cas", "/incident merge INC-2 INC-1");
    assert_eq!(night.incident().severity.as_str(), "sev1");

    let mut night = Night::new();
    night.alert("a", "api", AlertSeverity::High);
    night.alert("b", "api", AlertSeverity::Critical);
    night.say("cas", "/incident severity INC-1 sev3");
    night.say("cas", "/incident merge INC-2 INC-1");
    assert_eq!(night.incident().severity.as_str(), "sev3");
}

#[test]
fn a_link_reads_so() {
    let mut night = Night::new();
    night.alert("a", "api", AlertSeverity::High);
    night.alert("b", "edge", AlertSeverity::High);
    assert_snapshot!(night.say("cas", "/incident link INC-2 caused-by INC-1"), @"
    INC-2 is caused by INC-1.
    Both tell of it: /incident show INC-1
    ");
    assert_snapshot!(night.say("cas", "/incident link INC-2 duplicate-of INC-1"), @"
    INC-2 is a duplicate of INC-1.
    To end it as a duplicate: /incident merge INC-2 INC-1
    ");
    night.say("cas", "/resolve INC-1");
    night.say("cas", "/incident close INC-1");
    assert_snapshot!(night.say("cas", "/incident link INC-2 related INC-1"), @"
    INC-2 is related to INC-1.
    INC-1 is closed, so only INC-2 tells of it.
    ");
    assert_snapshot!(night.say("cas", "/incident show INC-2"), @"
    INC-2 sev2 misc: [unrouted] prom b
    triggered · team core
    opened 28 Mar 2026 23:00 by integration:prom
    caused by INC-1
    a duplicate of INC-1
    related to INC-1
    alerts: 1 firing, 1 in all
      ALR-2 prom b (high)
    Paged: ann. Next step in 5 minutes.
    Next: /ack INC-2
    ");
    assert_snapshot!(night.say("cas", "/incident link INC-1 related INC-2"), @"
    refused: INC-1 is closed.
    To go on with it: /incident reopen INC-1
    ");
    assert_snapshot!(night.say("cas", "/incident link INC-2 related INC-77"), @"
    refused: There is no INC-77; the last one is INC-2.
    See what is open: /incident list
    ");
}

#[test]
fn a_private_incident_reads_so_to_its_own_and_to_others() {
    let mut night = Night::new();
    assert_snapshot!(night.say("ann", "/incident declare \"a key leaked\" service:api severity:sev2 private:yes"), @r#"
    INC-1 sev2 api: [private] a key leaked declared.
    Paged: ann. Next step in 5 minutes.
    Private: only you, whoever is paged or invited and the administrators (op) see it. Invite somebody: /incident invite INC-1 NAME
    Next: /ack INC-1 or /incident update INC-1 "…"
    "#);
    assert_snapshot!(night.say("ben", "/incident show INC-1"), @"
    refused: INC-1 is private.
    To be invited, ask an administrator: op
    ");
    assert_snapshot!(night.say("ben", "/incident note INC-1 \"let me in\""), @"
    refused: INC-1 is private.
    To be invited, ask an administrator: op
    ");
    assert_snapshot!(night.say("ann", "/incident invite INC-1 ben"), @"ben sees INC-1 from now on and was told. To wake them: /page ben incident:INC-1");
    assert_snapshot!(night.say("ben", "/incident show INC-1"), @"
    INC-1 sev2 api: [private] a key leaked
    triggered · team core
    opened 28 Mar 2026 23:00 by ann
    invited: ben
    Paged: ann. Next step in 5 minutes.
    Next: /ack INC-1
    ");
    assert_snapshot!(night.say("ann", "/incident invite INC-1 op"), @"op sees INC-1 already. Nothing changed.");
    night.alert("a", "api", AlertSeverity::High);
    assert_snapshot!(night.say("ann", "/incident invite INC-2 ben"), @"
    refused: INC-2 is not private: ben sees it already.
    To have their help: /page ben incident:INC-2
    ");
}

#[test]
fn a_reminder_goes_to_whoever_has_it_and_is_not_sent_when_it_is_over() {
    let mut night = Night::new();
    let mut org = (**night.core.org()).clone();
    let every = opsbell::domain::time::Span::mins(30);
    org.defaults.update_every = [(opsbell::domain::incident::Severity::Sev2, every)].into();
    night.core.set_org(org.into());
    night.alert("a", "api", AlertSeverity::High);
    night.wait(20);
    assert!(night.incident().update_due.is_none(), "nobody has it yet");
    night.say("ann", "/ack INC-1");
    night.wait(29);
    assert_eq!(night.incident().reminded, 0);
    night.wait(1);
    assert_eq!(night.incident().reminded, 1);
    let reminder = night.incident().deliveries.last().expect("a reminder");
    assert_eq!(reminder.to, Destination::Person { person: "ann".into(), method: Method::Chat });
    // An update begins it anew, a severity that wants none ends it, and so does the end.
    night.say("ann", "/incident update INC-1 \"half of it works\"");
    assert_eq!(night.incident().reminded, 0);
    night.say("ann", "/incident severity INC-1 sev3");
    assert_eq!(night.incident().update_due, None);
    night.say("ann", "/incident severity INC-1 sev2");
    assert!(night.incident().update_due.is_some());
    night.say("ann", "/resolve INC-1");
    assert_eq!(night.incident().update_due, None);
    let sent = night.incident().deliveries.len();
    night.wait(90);
    assert_eq!(night.incident().deliveries.len(), sent);
    assert_snapshot!(night.say("ann", "/snooze INC-1 1h reminder"), @"
    refused: INC-1 reminds nobody of an update: it is over.
    To hold back its pages: /snooze INC-1 1h
    ");
}

#[test]
fn severity_from_impact_reads_so() {
    let mut night = Night::new();
    assert_snapshot!(night.say("sue", "/incident declare \"no invoices\" service:api impact:high urgency:low"), @r#"
    INC-1 sev3 api: no invoices declared.
    sev3: impact high × urgency low.
    Paged: ann. Next step in 5 minutes.
    Next: /ack INC-1 or /incident update INC-1 "…"
    "#);
    assert_snapshot!(night.say("cas", "/incident severity INC-1 impact:high urgency:high"), @"INC-1: severity sev3 → sev1 (impact high × urgency high). Paged: ann. Next step in 5 minutes.");
    assert_snapshot!(night.say("cas", "/incident severity INC-1 impact:high urgency:high"), @"INC-1 is already sev1 (impact high × urgency high). Nothing changed.");
}

#[test]
fn ways_to_be_reached_read_so() {
    let mut night = Night::new();
    assert_snapshot!(night.say("ann", "/contact list"), @"
    sev1 and sev2 reach you by chat, email, sms after 2m, voice after 4m; sev3 by chat after 1m, email after 10m.
    To change it: notify.high and notify.low in the configuration, in your [[person]]. To try it: /contact test
    ");
    assert_snapshot!(night.say("ann", "/contact test"), @"
    A test is on its way to you by chat, email, sms, voice. It says TEST, and wakes nobody else.
    Nothing arrived within a minute? Tell an administrator; /status says what still waits
    ");
    assert_eq!(night.paged(), ["ann via chat", "ann via email", "ann via sms", "ann via voice"]);
    assert_snapshot!(night.say("cas", "/contact test email"), @r#"
    refused: No test was sent. email: you have no mail address there; write email = "…" in the configuration, in your [[person]]
    By what you are reached: /contact list
    "#);
    let mut org = (**night.core.org()).clone();
    org.chat_connected = false;
    night.core.set_org(org.into());
    assert_snapshot!(night.say("ann", "/contact list"), @r#"
    sev1 and sev2 reach you by chat, email, sms after 2m, voice after 4m; sev3 by chat after 1m, email after 10m.
    chat does not: no chat is connected; add another rule, such as "email after 3m", to notify.high
    To change it: notify.high and notify.low in the configuration, in your [[person]]. To try it: /contact test
    "#);
    assert_snapshot!(night.say("cas", "/contact test chat"), @r#"
    refused: No test was sent. chat: no chat is connected; add another rule, such as "email after 3m", to notify.high
    By what you are reached: /contact list
    "#);
}
