//! What can happen in a run, at random: few keys, services and people, so that they meet.

use proptest::prelude::*;

use opsbell::domain::delivery::Outcome;
use opsbell::domain::input::Button;
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::time::Span;

#[derive(Debug, Clone)]
pub enum Op {
    Signal {
        integration: usize,
        kind: SignalKind,
        service: usize,
        key: u8,
        severity: Option<AlertSeverity>,
        environment: Option<u8>,
        summary: Option<u8>,
        label: Option<u8>,
    },
    Say {
        who: usize,
        words: usize,
        incident: u64,
        key: Option<u8>,
    },
    Press {
        who: usize,
        button: Button,
        incident: u64,
        key: Option<u8>,
    },
    /// Starts up to so many deliveries.
    Grant(u8),
    /// One that is under way ends; `again` tells it twice.
    Receipt {
        which: prop::sample::Index,
        outcome: Outcome,
        again: bool,
    },
    /// All that is under way arrives at once.
    Arrived,
    /// All that is under way fails for good.
    Lost,
    /// A receipt for something that is not under way.
    Strange {
        seq: u64,
        n: u16,
        outcome: Outcome,
    },
    Wait(i64),
    Step(Span),
    Switch,
    AddToken {
        who: usize,
        token: u8,
        person: usize,
    },
    RevokeToken {
        who: usize,
        token: u8,
        of_person: bool,
    },
    Tell,
    Restart,
    /// Takes what is dirty to the records.
    Gather,
}

fn kind() -> impl Strategy<Value = SignalKind> {
    prop_oneof![
        6 => Just(SignalKind::Alert),
        3 => Just(SignalKind::Resolve),
        1 => Just(SignalKind::Ack),
        1 => Just(SignalKind::Deploy),
        1 => prop::sample::select(vec![
            SignalKind::Deploy, SignalKind::Ci, SignalKind::StatusUpdate, SignalKind::Confirm, SignalKind::Ignore,
        ]),
    ]
}

fn severity() -> impl Strategy<Value = Option<AlertSeverity>> {
    prop::sample::select(vec![
        None,
        Some(AlertSeverity::Info),
        Some(AlertSeverity::Warning),
        Some(AlertSeverity::High),
        Some(AlertSeverity::Critical),
    ])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let retryable = (any::<bool>(), prop::option::of(-5_000i64..2_000_000))
        .prop_map(|(unknown, after)| Outcome::Retryable { reason: "busy".into(), after: after.map(Span), unknown });
    prop_oneof![
        3 => Just(Outcome::Accepted),
        2 => retryable,
        1 => Just(Outcome::Permanent { reason: "no such\n address".into() }),
    ]
}

pub fn one() -> impl Strategy<Value = Op> {
    let button = prop::sample::select(Button::ALL.to_vec());
    let key = || prop::option::weighted(0.2, 0u8..3);
    let option = |n: u8| prop::option::of(0..n);
    prop_oneof![
        8 => (0usize..5, kind(), 0usize..7, 0u8..4, severity(), option(2), option(2), option(2)).prop_map(
            |(integration, kind, service, key, severity, environment, summary, label)| Op::Signal {
                integration, kind, service, key, severity, environment, summary, label,
            }
        ),
        10 => (0usize..9, 0..WORDS.len(), 0u64..7, key())
            .prop_map(|(who, words, incident, key)| Op::Say { who, words, incident, key }),
        3 => (0usize..9, button, 0u64..7, key())
            .prop_map(|(who, button, incident, key)| Op::Press { who, button, incident, key }),
        6 => (1u8..9).prop_map(Op::Grant),
        6 => (any::<prop::sample::Index>(), outcome(), prop::bool::weighted(0.1))
            .prop_map(|(which, outcome, again)| Op::Receipt { which, outcome, again }),
        2 => Just(Op::Arrived),
        1 => Just(Op::Lost),
        1 => (0u64..60, 0u16..4, outcome()).prop_map(|(seq, n, outcome)| Op::Strange { seq, n, outcome }),
        5 => prop_oneof![0i64..2_000, 0i64..400_000, 0i64..8_000_000, 0i64..400_000_000].prop_map(Op::Wait),
        1 => prop_oneof![-90_000_000i64..90_000_000, -4_000i64..4_000].prop_map(|ms| Op::Step(Span(ms))),
        1 => Just(Op::Switch),
        1 => (0usize..9, 0u8..3, 0usize..9).prop_map(|(who, token, person)| Op::AddToken { who, token, person }),
        1 => (0usize..9, 0u8..3, any::<bool>())
            .prop_map(|(who, token, of_person)| Op::RevokeToken { who, token, of_person }),
        1 => Just(Op::Tell),
        1 => Just(Op::Restart),
        2 => Just(Op::Gather),
    ]
}

/// Whether it means the same whatever the clock says.
pub fn knows_no_clock(op: &Op) -> bool {
    match op {
        Op::Say { words, .. } => {
            let words = WORDS[*words];
            // Those of a kind within thirty days are found with a problem.
            !["/problem", "until:", "at:0", "/change", "/freeze", "/request"].iter().any(|it| words.contains(it))
        }
        Op::Wait(ms) => *ms <= 86_400_000,
        // Another organisation, in which people take turns by the calendar; numbers of commits; and more steps.
        Op::Switch | Op::Strange { .. } | Op::Step(_) => false,
        Op::Press { button: Button::Emergency, .. }
        | Op::Signal { kind: SignalKind::Deploy | SignalKind::Ci | SignalKind::Ignore, .. } => false,
        _ => true,
    }
}

/// What people say; `#` stands for an incident. Some of it is wrong.
pub const WORDS: &[&str] = &[
    "/ack INC-#",
    "/ack",
    "/resolve INC-#",
    "/resolve INC-# false-alarm \"a test\"",
    "/incident declare \"it is slow\"",
    "/incident declare \"it is down\" service:api severity:sev1",
    "/incident declare \"it is down\" service:payments-api severity:sev3",
    "/incident declare noted severity:sev4",
    "/incident show INC-#",
    "/incident list",
    "/incident note INC-# \"looked\"",
    "/incident update INC-# \"going on\"",
    "/incident severity INC-# sev1",
    "/incident severity INC-# sev2",
    "/incident severity INC-# sev3",
    "/incident severity INC-# sev4",
    "/incident role INC-# commander",
    "/incident role INC-# scribe cas",
    "/incident escalate INC-#",
    "/incident escalate INC-#",
    "/incident mitigate INC-#",
    "/incident reopen INC-#",
    "/incident reopen INC-# \"it is back\"",
    "/incident close INC-#",
    "/incident close INC-#",
    "/incident timeline INC-#",
    "/incident pages INC-#",
    "/snooze INC-# 30m",
    "/page ann incident:INC-#",
    "/page bas \"can you look\"",
    "/page cas",
    "/page team:core",
    "/page service:cdn help",
    "/page team:payments \"help\"",
    "/oncall who",
    "/status",
    "/whoami",
    "/alert list",
    "/alert show ALR-#",
    "/inzident declare \"",
    "/alert silence service:api for:20m reason:work",
    "/alert silence service:payments-api for:2h reason:work",
    "/alert silence matchers:\"severity=~warning|high\" for:1h reason:mild",
    "/alert silence matchers:\"key=k1\" until:18:00 reason:known",
    "/alert silence service:cdn preview:yes",
    "/alert unsilence SIL-#",
    "/alert unsilence SIL-#",
    "/alert silences",
    "/alert list suppressed",
    "/service maintenance api for:30m reason:disks",
    "/service maintenance api end:now",
    "/incident times impact-start at:00:10 reason:\"seen in the logs\" INC-#",
    "/incident times resolved at:00:05 reason:\"it was earlier\" INC-#",
    "/incident times INC-#",
    "/postmortem edit INC-#",
    "/postmortem edit INC-# root-cause a race",
    "/postmortem edit INC-# text:\"# All of it\"",
    "/postmortem publish INC-#",
    "/postmortem publish INC-#",
    "/postmortem show INC-#",
    "/problem open INC-#",
    "/problem open INC-#",
    "/problem open \"it comes back\"",
    "/problem link PRB-# INC-#",
    "/problem root-cause PRB-# a race",
    "/problem workaround PRB-# restart it",
    "/problem known-error PRB-#",
    "/problem resolve PRB-#",
    "/problem close PRB-#",
    "/problem show PRB-#",
    "/problem list",
    "/request new \"a thing\" service:api due:20m",
    "/request new \"a thing\" service:payments-api incident:INC-# for:cas",
    "/request new item:roster-access",
    "/request new item:roster-access with:\"days=1\" for:margriet",
    "/request new item:seat-map with:\"flight=EJ204\"",
    "/request approve REQ-#",
    "/request approve REQ-#",
    "/request reject REQ-# no",
    "/request take REQ-#",
    "/request take REQ-#",
    "/request fulfil REQ-#",
    "/request fulfil REQ-# it is there",
    "/request close REQ-#",
    "/request cancel REQ-#",
    "/request show REQ-#",
    "/request list",
    "/runbook cancel RUN-#",
    "/change new \"a change\" service:api plan:a rollback:b expects:k1",
    "/change new \"another\" service:payments-api plan:a rollback:b at:now for:2h implementer:cas",
    "/change new \"in staging\" service:api environment:staging",
    "/change new \"nothing said\" service:api",
    "/change new \"a version\" service:api version:1.0 plan:a rollback:b",
    "/change new \"a version\" service:api environment:staging version:1.1",
    "/report dora",
    "/change emergency INC-# authoriser:cas at once",
    "/change emergency INC-# authoriser:ann at once",
    "/change edit CHG-# plan:c",
    "/change edit CHG-# plan:a rollback:b",
    "/change approve CHG-#",
    "/change approve CHG-#",
    "/change approve CHG-#",
    "/change reject CHG-# no",
    "/change schedule CHG-#",
    "/change start CHG-#",
    "/change start CHG-#",
    "/change done CHG-#",
    "/change rollback CHG-#",
    "/change cancel CHG-#",
    "/change review CHG-# fine",
    "/change show CHG-#",
    "/change list",
    "/change calendar",
    "/change check api",
    "/change gate api 1.#",
    "/change gate payments-api 1.#",
    "/incident link INC-# caused-by CHG-#",
    "/freeze start reason:stop service:api for:1h",
    "/freeze start reason:stop",
    "/freeze end FRZ-#",
    "/freeze end",
];

/// Who speaks: of both organisations, a stakeholder of each, a stranger, the administrator's token.
pub const PEOPLE: [&str; 9] =
    ["ann", "bas", "cas", "op", "sue", "margriet", "sanne", "nobody", opsbell::domain::actor::ADMINISTRATOR];

pub const INTEGRATIONS: [&str; 5] = ["prom", "probe", "prometheus", "uptime", "gone"];

pub const SERVICES: [Option<&str>; 7] =
    [None, Some("api"), Some("cdn"), Some("payments-api"), Some("ledger"), Some("unheard-of"), Some("")];
