//! What is remembered stays small, whoever tells how much, and no step does anything twice.

use proptest::prelude::*;

use super::*;
use crate::domain::actor::{Actor, By};
use crate::domain::change::deployment;
use crate::domain::draft::Draft;
use crate::domain::event::Commit;
use crate::domain::org::{Integration, Org, Service};
use crate::domain::signal::{Deployment, Signal, SignalKind};

fn by() -> By {
    By::new(Actor::Integration("github".into()), "github")
}

fn sender() -> Integration {
    Integration {
        id: "github".into(),
        source: "github".into(),
        service: None,
        group_by: Vec::new(),
        may_acknowledge: false,
        mapping: None,
        answers: None,
    }
}

fn org() -> Org {
    let service = |id: &str, repositories: &[&str]| Service {
        id: id.into(),
        team: "core".into(),
        depends_on: Vec::new(),
        runbook: None,
        tier: 3,
        repositories: repositories.iter().map(|name| CompactString::from(*name)).collect(),
    };
    let mut org = Org::default();
    for it in [service("api", &["Org/Api"]), service("web", &[]), service("everything", &[])] {
        org.services.insert(it.id.clone(), it);
    }
    org.defaults.service = "everything".into();
    org
}

fn told(key: &str, repository: &str, environment: Option<&str>, progress: Progress) -> Signal {
    Signal {
        kind: SignalKind::Deploy,
        service: Some(repository.to_owned()),
        name: "production".into(),
        severity: None,
        severity_word: None,
        status: "success".into(),
        key: key.into(),
        summary: None,
        labels: Default::default(),
        environment: environment.map(str::to_owned),
        link: None,
        started_at: None,
        deployment: Some(Box::new(Deployment {
            progress: Some(progress),
            version: Some("1.4".into()),
            repository: Some(repository.to_owned()),
            ..Deployment::default()
        })),
    }
}

/// Takes a signal at a moment, and applies what it leads to; returns the events.
fn take(state: &mut State, org: &Org, at: Timestamp, signal: &Signal) -> Vec<Event> {
    let by = by();
    let events = {
        let mut draft = Draft::new(state, org, at, &by, &[]);
        deployment::receive(&mut draft, &sender(), signal).expect("it is taken");
        draft.into_events()
    };
    state.apply(&Commit { seq: state.meta.seq + 1, at, by, events: events.clone() });
    events
}

const DAY: i64 = 86_400_000;

#[test]
fn the_oldest_are_forgotten() {
    let (mut state, org) = (State::new("test"), org());
    for n in 0..DEPLOYMENTS_MAX + 20 {
        take(&mut state, &org, Timestamp(DAY), &told(&n.to_string(), "org/api", Some("staging"), Progress::Succeeded));
    }
    assert_eq!(state.deployments.len(), DEPLOYMENTS_MAX);
    assert_eq!(state.deployments.keys().next(), Some(&DeploymentId(21)));
    assert!(state.changes.is_empty(), "nothing is controlled there");
    take(&mut state, &org, Timestamp(400 * DAY), &told("new", "org/api", Some("staging"), Progress::Started));
    assert_eq!(state.deployments.len(), 1, "after a year");

    let mut signal = told("push", "org/api", None, Progress::Pending);
    for n in 0..COMMITS_MAX + 5 {
        let commit = crate::domain::signal::Commit { sha: format!("{n:040x}"), at: None, email: None };
        signal.deployment.as_mut().expect("told").commits = vec![commit];
        take(&mut state, &org, Timestamp(400 * DAY), &signal);
    }
    assert_eq!((state.commits.len(), state.meta.commits), (COMMITS_MAX, COMMITS_MAX as u64 + 5));
    assert!(state.commit(&format!("{:040x}", 4)).is_none() && state.commit(&format!("{:040x}", 5)).is_some());
}

#[test]
fn a_repository_names_its_service_else_a_name_else_the_default() {
    for (repository, environment, service) in
        [("org/API", "Prod", "api"), ("web", "production", "web"), ("org/unknown", " PRD ", "everything")]
    {
        let (mut state, org) = (State::new("test"), org());
        take(&mut state, &org, Timestamp(DAY), &told("1", repository, Some(environment), Progress::Started));
        let it = state.deployments.values().next().expect("remembered");
        assert_eq!(
            (it.service.as_str(), it.environment.as_str(), it.change),
            (service, "production", Some(ChangeId(1)))
        );
        assert!(it.unapproved && state.changes[&ChangeId(1)].unapproved.is_some());
    }
}

#[test]
fn a_change_ends_when_the_last_of_its_deployments_has_arrived() {
    let (mut state, org) = (State::new("test"), org());
    let mut step = |key: &str, progress| {
        take(&mut state, &org, Timestamp(DAY), &told(key, "org/api", None, progress));
        (state.changes.len(), state.changes[&ChangeId(1)].outcome)
    };
    assert_eq!(step("1", Progress::Started), (1, None));
    assert_eq!(step("2", Progress::Started), (1, None), "a second job of the same pipeline");
    assert_eq!(step("1", Progress::Succeeded), (1, None));
    assert_eq!(step("2", Progress::Succeeded), (1, Some(Outcome::Successful)));
}

#[test]
fn what_was_stopped_before_it_began_was_no_deployment() {
    let (mut state, org) = (State::new("test"), org());
    take(&mut state, &org, Timestamp(DAY), &told("1", "org/api", None, Progress::Pending));
    take(&mut state, &org, Timestamp(DAY), &told("1", "org/api", None, Progress::Cancelled));
    assert!(state.changes.is_empty() && state.deployments[&DeploymentId(1)].progress == Progress::Cancelled);
    take(&mut state, &org, Timestamp(DAY), &told("2", "org/api", None, Progress::Started));
    take(&mut state, &org, Timestamp(DAY), &told("2", "org/api", None, Progress::Cancelled));
    assert_eq!(state.changes[&ChangeId(1)].outcome, Some(Outcome::Failed));
}

proptest! {
    /// Whatever the order and however often: one deployment, at most one change, over at most once, by what ended first.
    #[test]
    fn no_order_of_steps_does_anything_twice(steps in prop::collection::vec(0usize..6, 1..12)) {
        const STEPS: [Progress; 6] = [
            Progress::Pending, Progress::Started, Progress::Succeeded, Progress::Failed, Progress::RolledBack,
            Progress::Cancelled,
        ];
        let (mut state, org) = (State::new("test"), org());
        let (mut opened, mut ended, mut marked) = (0, 0, 0);
        for (n, step) in steps.iter().enumerate() {
            let at = Timestamp(DAY + i64::try_from(n).expect("few"));
            for event in take(&mut state, &org, at, &told("1", "org/api", None, STEPS[*step])) {
                match event {
                    Event::ChangeOpened(_) => opened += 1,
                    Event::ChangeMoved(moved) => match moved.step {
                        crate::domain::change::Step::Ended { .. } => ended += 1,
                        crate::domain::change::Step::Unapproved { .. } => marked += 1,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        let first = steps.iter().map(|step| STEPS[*step]).find(|step| step.over());
        let known = &state.deployments[&DeploymentId(1)];
        prop_assert_eq!((state.deployments.len(), known.ended_at.is_some()), (1, first.is_some()));
        prop_assert!(first.is_none_or(|first| known.progress == first));
        prop_assert!(opened <= 1 && ended <= opened && marked == opened);
        let begun = steps.iter().map(|step| STEPS[*step]).take_while(|step| !step.over()).any(|it| it == Progress::Started);
        let carried = begun || first.is_some_and(|first| first != Progress::Cancelled);
        prop_assert_eq!((opened == 1, ended == 1), (carried, carried && first.is_some()));
        // And the same again: nothing.
        if let Some(first) = first {
            prop_assert!(take(&mut state, &org, Timestamp(2 * DAY), &told("1", "org/api", None, first)).is_empty());
        }
    }
}

#[test]
fn builds_and_tests_are_remembered_with_their_commit() {
    use crate::domain::signal::{Ran, Stage};
    const SHA: &str = "5e1f0c9a7b3d4e2f8a6c1b0d9e7f5a3c2b4d6e81";
    let (mut state, org) = (State::new("test"), org());
    let minute = |n: i64| Timestamp(DAY + n * 60_000);
    let run = |sha: &str, all: &[(Stage, i64, i64)]| {
        let ran =
            all.iter().map(|(stage, from, until)| Ran { stage: *stage, from: minute(*from), until: minute(*until) });
        let told = Deployment { sha: Some(sha.into()), ran: ran.collect(), ..Deployment::default() };
        Signal { kind: SignalKind::Ci, deployment: Some(Box::new(told)), ..told_of_nothing() }
    };
    let note = |state: &mut State, signal: &Signal| {
        let by = by();
        let mut draft = Draft::new(state, &org, minute(60), &by, &[]);
        deployment::commits(&mut draft, signal, "a build");
        let events = draft.into_events();
        state.apply(&Commit { seq: state.meta.seq + 1, at: minute(60), by, events: events.clone() });
        events.len()
    };
    let took = |from: i64, until: i64| Some(Took { from: minute(from), until: minute(until) });
    let seen = |state: &State| state.commit(SHA).map(|it| (it.built, it.tested));
    // A hash that is cut short, or nothing that ran: nothing is noted.
    assert_eq!(note(&mut state, &run(&SHA[..12], &[(Stage::Build, 0, 5)])), 0);
    assert_eq!(note(&mut state, &run(SHA, &[])), 0);
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Build, 2, 5)])), 1);
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Build, 2, 5)])), 0, "told again");
    // Side by side, in whatever order.
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Test, 9, 20), (Stage::Build, 1, 3), (Stage::Test, 6, 10)])), 1);
    assert_eq!(seen(&state), Some((took(1, 5), took(6, 20))));
    // The nightly run of the same commit is another one.
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Test, 300, 330)])), 0);
    assert_eq!(seen(&state), Some((took(1, 5), took(6, 20))));
    // When it was written is told later, and known then; what is known stays.
    let mut push = run(SHA, &[]);
    push.deployment.as_mut().expect("told").commits =
        vec![crate::domain::signal::Commit { sha: SHA.into(), at: Some(minute(-7)), email: None }];
    assert_eq!(note(&mut state, &push), 1);
    assert_eq!(note(&mut state, &push), 0);
    assert_eq!(state.commits.len(), 1);
    assert_eq!(
        (state.commit(SHA).and_then(|it| it.at), seen(&state)),
        (Some(minute(-7)), Some((took(1, 5), took(6, 20))))
    );
    // What begins when it is deployed already was not on the way to that.
    let mut deploy = told("7", "org/api", Some("staging"), Progress::Started);
    deploy.deployment.as_mut().expect("told").sha = Some(SHA.into());
    take(&mut state, &org, minute(30), &deploy);
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Test, 31, 40)])), 0);
    assert_eq!(note(&mut state, &run(SHA, &[(Stage::Test, 20, 29)])), 1);
    assert_eq!(seen(&state), Some((took(1, 5), took(6, 29))));
}

fn told_of_nothing() -> Signal {
    Signal { deployment: None, ..told("7", "org/api", None, Progress::Pending) }
}
