//! Help shows what a person may do, and nothing else.

use opsbell::catalog::words::builtin;
use opsbell::domain::command::help::help;
use opsbell::domain::command::spec::Permission;
use opsbell::domain::reject::RejectCode;

fn anything(_: Permission) -> bool {
    true
}

fn readers(permission: Permission) -> bool {
    permission == Permission::Read
}

#[test]
fn all_of_it() {
    insta::assert_snapshot!(help(None, &builtin(), &anything).expect("help"), @"
    /incident declare     Declare an incident and page whoever is on call for it
    /incident list        Show the open incidents
    /incident show        Show one incident: state, people, what happened last
    /incident ack         Take an incident: you lead it, and nobody else is paged
    /incident ack-all     Take every incident that pages you
    /incident note        Write a line into the timeline, for those who work on it
    /incident update      Tell everybody how an incident stands
    /incident severity    Set how bad an incident is
    /incident role        Give a role in an incident to somebody, or take it
    /incident escalate    Page the next step of the escalation now
    /incident mitigate    Say that the impact is over, while work goes on
    /incident resolve     Say that an incident is over, and how it ended
    /incident reopen      Open a resolved or closed incident again
    /incident close       Say that the record of a resolved incident is complete
    /incident timeline    Show all that happened in an incident
    /incident pages       Show who was paged for an incident: when, how and why
    /incident merge       Let an incident go into another one; it closes as its duplicate
    /incident link        Say that an incident belongs to another one, and how
    /incident invite      Let somebody see a private incident
    /incident times       Show its times; or state or correct one, with the reason

    /oncall who           Show who is on call now
    /oncall next          Show who is on call next, and from when

    /alert list           Show the alerts that fire, or those that are suppressed
    /alert show           Show one alert
    /alert silence        Mute alerts that match for a while; what still fires then pages
    /alert silences       Show what is silenced, by whom, why and until when
    /alert unsilence      End a silence now; what still fires pages

    /service status       Show whether services work
    /service show         Show one service: its team, who is on call, what is open
    /service impact       Show all that a service stands on, and all that stands on it
    /service maintenance  Mute a service's alerts while it is worked on, or end that

    /contact list         Show by what ways you are reached
    /contact test         Send yourself a test message, marked as one

    /problem list         Show the open problems
    /problem open         Make a problem of an incident, with those of its kind; or open one by a title
    /problem show         Show one problem: what is known, its incidents, what happened
    /problem link         Link an incident to a problem
    /problem root-cause   Say why it happens
    /problem workaround   Say what helps until it is mended; a known error's stands in pages
    /problem known-error  It is understood, and not mended yet: its workaround stands in pages
    /problem resolve      It is mended
    /problem close        It stays away: its record is complete

    /request list         Show what is requested and not closed
    /request new          Ask for an item of the catalogue, or in words for a service's team; nobody is paged
    /request show         Show one request: who asked, who approved, what happened
    /request approve      Agree to a request that needs approval; nobody approves their own
    /request reject       Refuse a request; whoever asked is told why
    /request take         Be the one who fulfils a request
    /request fulfil       It is done: whoever asked is told, and may close it
    /request retry        Let the item of a request run again, when its run has failed
    /request close        It is as you wanted it; a fulfilled request is closed of itself after three days
    /request cancel       You want it no longer

    /change list          Show the open changes
    /change new           Ask for a change that others approve
    /change standard      Ask for a change by a model that was approved once
    /change emergency     Begin a change at once, for an open incident; it is approved afterwards
    /change edit          Edit a change that has not begun; what was approved is void
    /change show          Show one change: what, why, risk, approvals, what happened
    /change check         Ask whether something may be changed: yes or no, why, and when
    /change approve       Approve a change as it reads now
    /change delegate      Let somebody stand in for you as an approver; without a name, show who does
    /change reject        Refuse a change; why
    /change schedule      Put a change into the calendar
    /change start         Begin a change
    /change done          A change is over and did what it should
    /change fail          A change is over and failed
    /change rollback      A change was taken back
    /change cancel        A change will not begin
    /change review        Say how a change went: its record is complete
    /change calendar      Show what is planned and frozen in the next two weeks
    /change gate          Ask whether a version may be deployed now, as a pipeline does; yes begins the change

    /freeze start         Begin a freeze, of one service or of all
    /freeze end           End a freeze

    /runbook list         Show what runs, and the playbooks there are
    /runbook show         Show a playbook, or a run of one
    /runbook run          Run a playbook
    /runbook answer       Answer what a run asks
    /runbook resume       Say what happened to a step of which nobody knows
    /runbook cancel       Stop a run; nothing is taken back

    /postmortem list      Show the postmortems that wait to be published
    /postmortem show      Show the postmortem of an incident
    /postmortem edit      Write a section of it, or all of it; begins one where there is none
    /postmortem publish   It is complete: tell everybody

    /report dora          Deployment frequency, lead time, failure rate, time to restore
    /report changes       The changes of some days, in numbers, and where they are as CSV

    /page                 Page a person, a team or whoever is on call for a service
    /ack                  Take an incident: you lead it, and nobody else is paged
    /resolve              Say that an incident is over, and how it ended
    /snooze               Hold back an incident's pages, or its reminder about an update, for a while
    /status               Show how everything stands: open incidents, alerts, Opsbell itself
    /connect              Link your Discord account to yourself by a one-time code
    /disconnect           Undo the link of a Discord account made by /connect
    /whoami               Show who you are to Opsbell, and what you may do
    /help                 Show what you can say

    `/help incident declare` tells more about one of them, with examples.
    ");
}

#[test]
fn a_reader_sees_what_a_reader_may_do() {
    insta::assert_snapshot!(help(None, &builtin(), &readers).expect("help"), @"
    /incident list      Show the open incidents
    /incident show      Show one incident: state, people, what happened last
    /incident timeline  Show all that happened in an incident
    /incident pages     Show who was paged for an incident: when, how and why
    /incident times     Show its times; or state or correct one, with the reason

    /oncall who         Show who is on call now
    /oncall next        Show who is on call next, and from when

    /alert list         Show the alerts that fire, or those that are suppressed
    /alert show         Show one alert
    /alert silences     Show what is silenced, by whom, why and until when

    /service status     Show whether services work
    /service show       Show one service: its team, who is on call, what is open
    /service impact     Show all that a service stands on, and all that stands on it

    /contact list       Show by what ways you are reached
    /contact test       Send yourself a test message, marked as one

    /problem list       Show the open problems
    /problem show       Show one problem: what is known, its incidents, what happened

    /request list       Show what is requested and not closed
    /request show       Show one request: who asked, who approved, what happened

    /change list        Show the open changes
    /change show        Show one change: what, why, risk, approvals, what happened
    /change check       Ask whether something may be changed: yes or no, why, and when
    /change calendar    Show what is planned and frozen in the next two weeks

    /runbook list       Show what runs, and the playbooks there are
    /runbook show       Show a playbook, or a run of one

    /postmortem list    Show the postmortems that wait to be published
    /postmortem show    Show the postmortem of an incident

    /report dora        Deployment frequency, lead time, failure rate, time to restore
    /report changes     The changes of some days, in numbers, and where they are as CSV

    /status             Show how everything stands: open incidents, alerts, Opsbell itself
    /connect            Link your Discord account to yourself by a one-time code
    /disconnect         Undo the link of a Discord account made by /connect
    /whoami             Show who you are to Opsbell, and what you may do
    /help               Show what you can say

    `/help incident list` tells more about one of them, with examples.
    ");
    insta::assert_snapshot!(help(Some("incident"), &builtin(), &readers).expect("help"), @r#"
    /incident list
        Show the open incidents
    /incident show [incident:INC-n]
        Show one incident: state, people, what happened last
    /incident timeline [incident:INC-n]
        Show all that happened in an incident
    /incident pages [incident:INC-n]
        Show who was paged for an incident: when, how and why
    /incident times [milestone:impact-start|detected|acknowledged|mitigated|resolved] [at:TEXT] [reason:TEXT] [incident:INC-n]
        Show its times; or state or correct one, with the reason

    `/help incident list` tells more about one of them, with examples.
    "#);
    let nothing = help(None, &builtin(), &|_| false).expect("help");
    assert_eq!(nothing, "There is nothing that you may do here. An administrator can give you a role.");
}

#[test]
fn one_command() {
    insta::assert_snapshot!(help(Some("/Incident  declare"), &builtin(), &anything).expect("help"), @r#"
    /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    Declare an incident and page whoever is on call for it

    Options
      title     What is wrong, in a few words (needed)
      service   What is broken; its owners are paged
      severity  How bad: sev1 is worst, sev4 pages nobody
      impact    How far it reaches; with urgency it says how bad it is
      urgency   How soon it hurts; with impact it says how bad it is
      private   Whether only those see it who are invited or paged, and administrators

    Examples
      /incident declare "API answers 500" service:payments-api severity:sev2
      /incident declare checkout is slow
      /incident declare "leaked key" private:yes
      /incident declare "refunds stuck" service:payments-api impact:high urgency:medium

    Also: /incident open, /incident new, /incident create, /incident trigger, /trigger
    "#);
    assert_eq!(help(Some("inc open"), &builtin(), &anything), help(Some("incident declare"), &builtin(), &anything));
    insta::assert_snapshot!(help(Some("status"), &builtin(), &anything).expect("help"), @r#"
/status
Show how everything stands: open incidents, alerts, Opsbell itself

Examples
  /status
"#);
}

#[test]
fn what_one_may_not_do_is_not_explained() {
    for about in ["ack", "incident declare"] {
        let reject = help(Some(about), &builtin(), &readers).expect_err(about);
        assert_eq!(reject.code, RejectCode::NotAllowed, "{about}");
    }
    assert_eq!(help(Some("incident"), &builtin(), &|_| false).expect_err("none").code, RejectCode::NotAllowed);
}

#[test]
fn an_unknown_word_is_answered_with_what_was_meant() {
    let said = |about: &str| help(Some(about), &builtin(), &anything).expect_err(about).to_string();
    assert_eq!(said("incdent"), "there is no command `/incdent`\ndid you mean `/help incident`?");
    assert_eq!(
        said("incident declar"),
        "there is no command `/incident declar`\ndid you mean `/help incident declare`?"
    );
    assert_eq!(said("xyzzy"), "there is no command `/xyzzy`\n`/help` lists what you can say");
    assert!(help(Some("  / "), &builtin(), &anything).is_ok());
}
