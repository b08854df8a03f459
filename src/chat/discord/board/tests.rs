//! How the message of a run looks.

use std::sync::Arc;

use super::*;
use crate::domain::actor::Actor;
use crate::domain::command::spec::Permission;
use crate::domain::playbook::spec::{Kind, OnFailure, Playbook, Step};
use crate::domain::playbook::{Board, Ended};
use crate::domain::time::Timestamp;

fn at(secs: i64) -> Timestamp {
    Timestamp((1_765_184_400 + secs) * 1_000)
}

fn step(id: &str) -> Step {
    Step {
        id: id.into(),
        does: Does::Note("x".into()),
        timeout: Span::secs(30),
        retries: 0,
        backoff: Span::secs(1),
        on_failure: OnFailure::Stop,
        idempotent: false,
    }
}

fn run(steps: usize) -> Run {
    let playbook = Playbook {
        id: "deploy".into(),
        kind: Kind::Runbook,
        summary: "Deploy".into(),
        services: Vec::new(),
        risk: Default::default(),
        permission: Permission::Respond,
        expected: None,
        earn_after: None,
        expects: Vec::new(),
        parameters: Vec::new(),
        steps: (1..=steps).map(|n| step(&format!("step-{n}"))).collect(),
        verify: vec![step("answers")],
        rollback: vec![step("back")],
        item: None,
    };
    Run {
        id: RunId(7),
        playbook: Arc::new(playbook),
        values: Default::default(),
        by: Actor::Person("bas".into()),
        granted: None,
        granted_at: None,
        started_at: at(0),
        remedy: None,
        change: None,
        request: None,
        incident: None,
        service: Some("payments-api".into()),
        team: Default::default(),
        part: Part::Steps,
        at: 0,
        doing: Doing::Next { since: at(0) },
        attempt: 0,
        done: Vec::new(),
        ended: None,
        board: Board::default(),
    }
}

fn done(n: usize, failure: Option<&str>) -> StepDone {
    StepDone {
        part: Part::Steps,
        step: format!("step-{n}").into(),
        at: at(n as i64),
        by: Actor::timer("perform"),
        attempts: 1,
        failure: failure.map(Into::into),
        output: None,
    }
}

#[test]
fn every_way_of_standing_has_its_mark_and_its_next_step() {
    let mut all = Vec::new();
    let mut show = |run: &Run| all.push(said(run).content);
    let mut waits = Run { at: 1, done: vec![done(1, None)], ..run(8) };
    waits.doing = Doing::Waiting { until: at(60) };
    show(&waits);
    waits.doing = Doing::Unclear { reason: "Opsbell was restarted in the middle of it".into(), remind: None };
    waits.remedy = Some("heal".into());
    show(&waits);
    let tried = StepDone { attempts: 3, ..done(2, Some("503 from *https://x.example* @everyone")) };
    let back = StepDone { part: Part::Rollback, step: "back".into(), ..done(3, None) };
    let check = StepDone { part: Part::Verify, step: "answers".into(), ..done(2, Some("404")) };
    let over = |ending, done: Vec<StepDone>, reason: Option<&str>| Run {
        doing: Doing::Over,
        done,
        ended: Some(Ended { ending, at: at(9), seq: 0, reason: reason.map(Into::into) }),
        ..run(2)
    };
    show(&over(Ending::Failed, vec![done(1, None), tried], Some("step-2: 503")));
    show(&over(Ending::RolledBack, vec![done(1, None), check, back], None));
    show(&over(Ending::Done, vec![done(1, None), done(2, None)], None));
    show(&over(Ending::Cancelled, Vec::new(), Some("by cleo, at step-1: wrong version")));
    insta::assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn the_longest_run_fits_into_one_message_with_its_next_step() {
    let long = "\u{1F4A5}*_`<@1>".repeat(400);
    let mut run = run(60);
    run.done = (1..=59).map(|n| done(n, (n % 2 == 0).then_some(long.as_str()))).collect();
    run.at = 59;
    for doing in [
        Doing::Next { since: at(0) },
        Doing::Asking { question: long.as_str().into(), until: at(9) },
        Doing::Unclear { reason: long.as_str().into(), remind: None },
        Doing::Again { at: at(9), reason: long.as_str().into() },
    ] {
        run.doing = doing;
        let content = said(&run).content;
        assert!(content.chars().count() <= plain::CONTENT_MAX, "{}", content.chars().count());
        assert!(content.contains(" before\n") && content.contains("\nNext: /runbook "), "{content}");
        assert!(content.contains("step-59"), "the last ones are shown: {content}");
        assert!(!content.contains("<@1>"), "{content}");
    }
}
