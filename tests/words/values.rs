//! Values: a call and an organisation make a typed command, or a refusal that says what was meant.

use opsbell::domain::command::grammar::parse;
use opsbell::domain::command::{Command, Meant, OncallOf, PageTarget, typed};
use opsbell::domain::delivery::Method;
use opsbell::domain::id::{IncidentId, SilenceId};
use opsbell::domain::incident::assess::{Assessed, Level};
use opsbell::domain::incident::link::LinkKind;
use opsbell::domain::incident::{Resolution, RoleName, Severity};
use opsbell::domain::reject::{Reject, RejectCode};
use opsbell::domain::silence::matcher;
use opsbell::domain::silence::start::Asked;
use opsbell::domain::silence::until::Ends;
use opsbell::domain::time::Span;
use proptest::prelude::*;

use super::{call, org};

fn meant(incidents: &[u64]) -> Meant {
    Meant {
        caller: Some("bas".into()),
        incidents: incidents.iter().copied().map(IncidentId).collect(),
        ..Meant::default()
    }
}

fn read(line: &str, meant: &Meant) -> Result<Command, Reject> {
    let org = org();
    let call = parse(line, &org.lexicon)?;
    typed(&call, &org, meant).map(|(command, _)| command)
}

#[test]
fn every_command_gets_its_values() {
    let incident = IncidentId(1);
    let text = || "some text".to_owned();
    let rows: Vec<(&str, Command)> = vec![
        (
            "/incident declare \"API \n 500s\" service:Payments-API severity:SEV2",
            Command::IncidentDeclare {
                title: "API 500s".to_owned(),
                service: Some("payments-api".into()),
                severity: Some(Severity::Sev2),
                assessed: None,
                private: false,
            },
        ),
        (
            "/trigger leak impact:high urgency:low private:yes",
            Command::IncidentDeclare {
                title: "leak".to_owned(),
                service: None,
                severity: Some(Severity::Sev3),
                assessed: Some(Assessed { impact: Level::High, urgency: Level::Low }),
                private: true,
            },
        ),
        ("/inc sev p5", Command::IncidentSeverity { incident, severity: Severity::Sev4, assessed: None }),
        (
            "/incident severity INC-1 urgency:high",
            Command::IncidentSeverity {
                incident,
                severity: Severity::Sev2,
                assessed: Some(Assessed { impact: Level::Medium, urgency: Level::High }),
            },
        ),
        (
            "/inc role ic cleo",
            Command::IncidentRole { incident, role: RoleName::Commander, person: Some("cleo".into()) },
        ),
        ("/ack all", Command::IncidentAckAll),
        ("/incident ack-all", Command::IncidentAckAll),
        ("/incident merge INC-2 inc-1", Command::IncidentMerge { incident: IncidentId(2), into: incident }),
        ("/incident merge 2 into:1", Command::IncidentMerge { incident: IncidentId(2), into: incident }),
        (
            "/incident link INC-3 caused-by INC-2",
            Command::IncidentLink { incident: IncidentId(3), kind: LinkKind::CausedBy, to: IncidentId(2) },
        ),
        (
            "/incident link related INC-2",
            Command::IncidentLink { incident, kind: LinkKind::Related, to: IncidentId(2) },
        ),
        (
            "/incident link duplicate to:2",
            Command::IncidentLink { incident, kind: LinkKind::DuplicateOf, to: IncidentId(2) },
        ),
        ("/incident invite cleo", Command::IncidentInvite { incident, person: "cleo".into() }),
        (
            "/incident close INC-1 fixed some text",
            Command::IncidentClose { incident, resolution: Some(Resolution::Fixed), text: Some(text()) },
        ),
        ("/snooze 1h reminder", Command::Snooze { incident, duration: Span::hours(1), reminder: true }),
        ("/service", Command::ServiceStatus { service: None }),
        ("/service ledger", Command::ServiceStatus { service: Some("ledger".into()) }),
        ("/svc deps ledger", Command::ServiceImpact { service: "ledger".into() }),
        ("/service show ledger", Command::ServiceShow { service: "ledger".into() }),
        ("/contact", Command::ContactList),
        ("/contact test", Command::ContactTest { method: None }),
        ("/contact test mail", Command::ContactTest { method: Some(Method::Email) }),
        (
            "/incident declare x",
            Command::IncidentDeclare {
                title: "x".to_owned(),
                service: None,
                severity: None,
                assessed: None,
                private: false,
            },
        ),
        ("/incident list", Command::IncidentList),
        ("/incident show", Command::IncidentShow { incident }),
        ("/incident show 7", Command::IncidentShow { incident: IncidentId(7) }),
        ("/incident ack", Command::IncidentAck { incident }),
        ("/ack inc-9", Command::IncidentAck { incident: IncidentId(9) }),
        ("/incident note some text", Command::IncidentNote { incident, text: text() }),
        ("/incident update some text", Command::IncidentUpdate { incident, text: text() }),
        ("/incident severity 3", Command::IncidentSeverity { incident, severity: Severity::Sev3, assessed: None }),
        ("/incident role scribe", Command::IncidentRole { incident, role: RoleName::Scribe, person: None }),
        (
            "/incident role Lead @cleo",
            Command::IncidentRole { incident, role: RoleName::Lead, person: Some("cleo".into()) },
        ),
        (
            "/incident role lead <@!204255221017214977>",
            Command::IncidentRole { incident, role: RoleName::Lead, person: Some("bas".into()) },
        ),
        ("/incident escalate", Command::IncidentEscalate { incident }),
        ("/incident mitigate", Command::IncidentMitigate { incident }),
        (
            "/resolve false-alarm some text",
            Command::IncidentResolve { incident, resolution: Some(Resolution::FalseAlarm), text: Some(text()) },
        ),
        ("/incident resolve", Command::IncidentResolve { incident, resolution: None, text: None }),
        ("/incident reopen some text", Command::IncidentReopen { incident, text: Some(text()) }),
        ("/incident close", Command::IncidentClose { incident, resolution: None, text: None }),
        ("/incident timeline", Command::IncidentTimeline { incident }),
        ("/incident pages", Command::IncidentPages { incident }),
        ("/page cleo", Command::Page { target: PageTarget::Person("cleo".into()), text: None, incident: None }),
        ("/page me", Command::Page { target: PageTarget::Person("bas".into()), text: None, incident: None }),
        (
            "/page payments some text",
            Command::Page { target: PageTarget::Team("payments".into()), text: Some(text()), incident: None },
        ),
        (
            "/page service:ledger INC-4",
            Command::Page { target: PageTarget::Service("ledger".into()), text: None, incident: Some(IncidentId(4)) },
        ),
        ("/snooze 1h30m", Command::Snooze { incident, duration: Span::mins(90), reminder: false }),
        ("/oncall", Command::OncallWho { of: None }),
        ("/oncall who primary", Command::OncallWho { of: Some(OncallOf::Schedule("primary".into())) }),
        ("/oncall next team:ledger", Command::OncallNext { of: Some(OncallOf::Team("ledger".into())) }),
        ("/oncall booking", Command::OncallWho { of: Some(OncallOf::Service("booking".into())) }),
        ("/alert list", Command::AlertList { suppressed: false }),
        ("/alert list suppressed", Command::AlertList { suppressed: true }),
        ("/alert silences", Command::AlertSilences),
        ("/alert unsilence SIL-3", Command::AlertUnsilence { silence: SilenceId(3) }),
        (
            "/alert silence a=b service:ledger key:\"x y\" for:2h reason:\"some text\"",
            Command::AlertSilence {
                asked: Asked {
                    matchers: matcher::parse("a=b service=ledger key=\"x y\"").expect("matchers"),
                    ends: Some(Ends::For(Span::hours(2))),
                    reason: Some(text()),
                    preview: false,
                },
            },
        ),
        (
            "/service maintenance ledger until:18:00",
            Command::ServiceMaintenance {
                service: "ledger".into(),
                ends: Some(Ends::Until("18:00".to_owned())),
                reason: None,
                over: false,
            },
        ),
        ("/alert show 3", Command::AlertShow { alert: opsbell::domain::id::AlertId(3) }),
        ("/status", Command::Status),
        ("/whoami", Command::Whoami),
        ("/help", Command::Help { about: None }),
        ("/help incident note", Command::Help { about: Some("incident note".to_owned()) }),
    ];
    for (line, command) in rows {
        assert_eq!(read(line, &meant(&[1])), Ok(command), "{line}");
    }
}

#[test]
fn refusals_name_the_next_step() {
    let rows: &[(&str, &[u64], RejectCode)] = &[
        ("/incident declare x service:payment-api", &[], RejectCode::NotFound),
        ("/incident declare x service:zzz", &[], RejectCode::NotFound),
        ("/incident declare x severity:sev9", &[], RejectCode::BadValue),
        ("/incident declare x severity:urgent", &[], RejectCode::BadValue),
        ("/incident role comander", &[1], RejectCode::BadValue),
        ("/incident declare x severity:p6", &[], RejectCode::BadValue),
        ("/incident declare x impact:huge", &[], RejectCode::BadValue),
        ("/incident declare x severity:sev4 impact:high urgency:high", &[], RejectCode::BadValue),
        ("/incident declare x private:perhaps", &[], RejectCode::BadValue),
        ("/incident severity", &[1], RejectCode::Missing),
        ("/incident merge INC-2", &[1], RejectCode::Missing),
        ("/incident link related", &[1], RejectCode::Missing),
        ("/incident link INC-2 blocks INC-1", &[1], RejectCode::BadValue),
        ("/incident link related PRB-1", &[1], RejectCode::BadValue),
        ("/incident invite nobody", &[1], RejectCode::NotFound),
        ("/service show", &[], RejectCode::Missing),
        ("/service show ledgr", &[], RejectCode::NotFound),
        ("/contact test pigeon", &[], RejectCode::BadValue),
        ("/incident role lead cloe", &[1], RejectCode::NotFound),
        ("/page ledger", &[], RejectCode::BadValue),
        ("/page nobody", &[], RejectCode::NotFound),
        ("/page schedule:primary", &[], RejectCode::BadValue),
        ("/page team:paymnts", &[], RejectCode::NotFound),
        ("/oncall person:bas", &[], RejectCode::BadValue),
        ("/snooze soon", &[1], RejectCode::BadValue),
        ("/snooze 0s", &[1], RejectCode::BadValue),
        ("/ack", &[], RejectCode::Missing),
        ("/ack", &[1, 2], RejectCode::Missing),
        ("/incident note text", &[3, 4, 5, 6, 7, 8, 9], RejectCode::Missing),
        ("/ack ALR-1", &[1], RejectCode::BadValue),
        ("/ack 99999999999999999999999", &[1], RejectCode::BadValue),
        ("/alert show INC-1", &[], RejectCode::BadValue),
        ("/incident note \"  \"", &[1], RejectCode::Missing),
    ];
    let mut said = String::new();
    for (line, incidents, code) in rows {
        match read(line, &meant(incidents)) {
            Ok(command) => panic!("{line} means {command:?}"),
            Err(reject) => {
                assert_eq!(reject.code, *code, "{line}: {reject}");
                said.push_str(&format!("> {line}\n{reject}\n\n"));
            }
        }
    }
    insta::assert_snapshot!(said, @r#"
    > /incident declare x service:payment-api
    there is no service `payment-api`
    did you mean `payments-api`?

    > /incident declare x service:zzz
    there is no service `zzz`
    services: booking, ledger, payments-api

    > /incident declare x severity:sev9
    `sev9` is not a severity (option `severity`)
    it is one of sev1, sev2, sev3, sev4

    > /incident declare x severity:urgent
    `urgent` is not a severity (option `severity`)
    it is one of sev1, sev2, sev3, sev4

    > /incident role comander
    `comander` is not a role (option `role`)
    did you mean `commander`?

    > /incident declare x severity:p6
    `p6` is not a severity (option `severity`)
    it is one of sev1, sev2, sev3, sev4

    > /incident declare x impact:huge
    `huge` is not a level (option `impact`)
    did you mean `high`?

    > /incident declare x severity:sev4 impact:high urgency:high
    the severity follows from impact and urgency: impact high × urgency high is sev1
    say severity, or impact and urgency, not both

    > /incident declare x private:perhaps
    `perhaps` is not yes or no (option `private`)
    it is one of yes, no

    > /incident severity
    `/incident severity` needs `severity`: How bad: sev1 is worst, sev4 pages nobody; or impact and urgency
    usage: /incident severity [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [incident:INC-n]
    for example: /incident severity INC-7 sev1

    > /incident merge INC-2
    `/incident merge` needs `into`: The one that stays
    usage: /incident merge incident:INC-n into:INC-n
    for example: /incident merge INC-8 INC-7

    > /incident link related
    `/incident link` needs `to`: The other one
    usage: /incident link kind:related|caused-by|duplicate-of [incident:INC-n] [to:INC-n] [change:CHG-n]
    for example: /incident link INC-8 caused-by INC-7

    > /incident link INC-2 blocks INC-1
    `blocks` is not a kind of link (option `kind`)
    it is one of related, caused-by, duplicate-of

    > /incident link related PRB-1
    `PRB-1` is not an incident (option `incident`)
    write it like INC-7; `/incident list` shows them

    > /incident invite nobody
    there is no person `nobody`
    people: bas, cleo

    > /service show
    `/service show` needs `service`: Which
    usage: /service show service:SERVICE
    for example: /service show payments-api

    > /service show ledgr
    there is no service `ledgr`
    did you mean `ledger`?

    > /contact test pigeon
    `pigeon` is not a contact method (option `method`)
    it is one of chat, email, webhook, sms, voice, push

    > /incident role lead cloe
    there is no person `cloe`
    did you mean `cleo`?

    > /page ledger
    `ledger` can mean `team:ledger` or `service:ledger`
    say which of them

    > /page nobody
    there is no person, team or service `nobody`
    people: bas, cleo
    teams: ledger, payments
    services: booking, ledger, payments-api

    > /page schedule:primary
    `schedule:primary` cannot stand here
    say a person, team or service

    > /page team:paymnts
    there is no team `paymnts`
    did you mean `payments`?

    > /oncall person:bas
    `person:bas` cannot stand here
    say a schedule, team or service

    > /snooze soon
    `soon` is not a duration (option `duration`)
    write it like 30m, 1h30m or 2d

    > /snooze 0s
    `0s` is not a duration longer than zero (option `duration`)
    write it like 30m, 1h30m or 2d

    > /ack
    which incident? None is open that this could mean
    say it with the id, like `/ack INC-1`; `/incident list` shows what is open

    > /ack
    which incident? This could mean INC-1, INC-2
    say it with the id, like `/ack INC-1`

    > /incident note text
    which incident? This could mean INC-3, INC-4, INC-5, INC-6, INC-7 and 2 more
    say it with the id, like `/incident note INC-3 …`

    > /ack ALR-1
    `ALR-1` is not an incident (option `incident`)
    write it like INC-7; `/incident list` shows them

    > /ack 99999999999999999999999
    `99999999999999999999999` is not an incident (option `incident`)
    write it like INC-7; `/incident list` shows them

    > /alert show INC-1
    `INC-1` is not an alert (option `alert`)
    write it like ALR-7; `/alert list` shows them

    > /incident note "  "
    `text` is empty
    usage: /incident note text:TEXT [incident:INC-n]
    for example: /incident note INC-7 "restarted db-2, lag is falling"
    "#);
}

#[test]
fn me_is_nobody_without_a_person_behind_the_account() {
    let reject = read("/page me", &Meant::default()).expect_err("nobody");
    assert_eq!(reject.code, RejectCode::Unlinked);
}

#[test]
fn a_call_that_a_platform_made_is_checked_as_strictly() {
    let org = org();
    let refused = |command: &str, options: &[(&str, &str)]| {
        typed(&call(command, options), &org, &meant(&[1])).expect_err(command).code
    };
    assert_eq!(refused("incident declar", &[]), RejectCode::UnknownWord);
    assert_eq!(refused("", &[]), RejectCode::UnknownWord);
    assert_eq!(refused("ack", &[("incidnt", "INC-1")]), RejectCode::UnknownWord);
    assert_eq!(refused("ack", &[("incident", "INC-1"), ("incident", "INC-2")]), RejectCode::BadValue);
    assert_eq!(refused("incident declare", &[]), RejectCode::Missing);
    assert_eq!(refused("incident note", &[("text", &"x".repeat(4_001))]), RejectCode::BadValue);
    assert_eq!(refused("incident note", &[("text", "\u{0}")]), RejectCode::Missing);
    let (_, spec) = typed(&call("whoisoncall", &[]), &org, &meant(&[])).expect("a synonym");
    assert_eq!(spec.name, "oncall who");
}

proptest! {
    #[test]
    fn no_value_panics(which in any::<prop::sample::Index>(), values in prop::collection::vec("\\PC{0,12}|[a-z]{0,4}:[a-z]{0,4}|<@[0-9!]{0,4}>?", 4)) {
        let org = org();
        let spec = &org.lexicon.commands[which.index(org.lexicon.commands.len())];
        let options: Vec<(&str, &str)> =
            spec.options.iter().zip(&values).map(|(option, value)| (option.name.as_str(), value.as_str())).collect();
        let _ = typed(&call(&spec.name, &options), &org, &meant(&[1, 2]));
    }
}
