//! Replay equals live state (DESIGN §9, 2): random inputs through the core; afterwards the journal, written and read
//! back as bytes, gives the same State with its look-ups, byte for byte; so do its records, kept up by what was dirty,
//! and any of its snapshots plus the journal's tail. Of the same random runs: a step of the clock changes nothing of what
//! happens, and in the end nobody who can be reached is forgotten.

#[path = "support_faults/mod.rs"]
mod support_faults;
mod support_paging;

#[path = "replay/live.rs"]
mod live;
#[path = "replay/ops.rs"]
mod ops;

use proptest::prelude::*;

use live::Live;
use ops::Op;
use opsbell::domain::delivery::Delivery;
use opsbell::domain::incident::IncidentState;
use opsbell::domain::paging::audit;
use opsbell::domain::state::State;
use opsbell::domain::time::Span;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_equals_the_live_state(
        ops in prop::collection::vec(ops::one(), 1..140),
        snapshot_at in any::<prop::sample::Index>(),
        start_with_example in any::<bool>(),
    ) {
        let mut live = Live::new(start_with_example);
        for op in &ops {
            live.run(op);
        }
        let commits = live.through_the_journal();
        prop_assert_eq!(&commits, &live.commits, "the journal gives back what was written");

        let state = live.core.state();
        let mut replayed = State::new(live::INSTALL);
        let mut snapshot = State::new(live::INSTALL);
        let at = snapshot_at.index(commits.len() + 1);
        for (i, commit) in commits.iter().enumerate() {
            if i == at {
                snapshot = live::from_bytes(&live::bytes(&replayed.disassemble()));
            }
            replayed.apply(commit);
        }
        prop_assert_eq!(&replayed, state);
        let wanted = live::bytes(&state.disassemble());
        prop_assert!(wanted == live::bytes(&replayed.disassemble()), "byte for byte");

        if at < commits.len() {
            for commit in &commits[at..] {
                snapshot.apply(commit);
            }
            prop_assert_eq!(&snapshot, state, "a snapshot after {} of {} commits and the tail", at, commits.len());
            prop_assert!(wanted == live::bytes(&snapshot.disassemble()));
        }
        prop_assert_eq!(&State::assemble(state.disassemble()), state, "look-ups are derived right");
        live.compare_records();
    }

    #[test]
    fn a_step_of_the_clock_changes_nothing_of_what_happens(
        ops in prop::collection::vec(ops::one(), 1..140),
        at in any::<prop::sample::Index>(),
        days in prop::sample::select(vec![-6_i64, -4, -2, 2, 4, 6]),
        deaf in any::<bool>(),
    ) {
        // After two days the same people are on call and asleep.
        let by = Span::days(days);
        let ops: Vec<_> = ops.into_iter().filter(ops::knows_no_clock).collect();
        let (mut steady, mut stepped) = (Live::new(false), Live::new(false));
        let at = at.index(ops.len() + 1);
        for (i, op) in ops.iter().enumerate() {
            if i == at {
                stepped.step(by);
            }
            // From the step on nobody is reached, in half of the runs.
            let op = if deaf && i >= at && matches!(op, Op::Receipt { .. } | Op::Arrived) { &Op::Lost } else { op };
            steady.run(op);
            stepped.run(op);
            let (wanted, found) = (steady.happened(), stepped.happened());
            let same = wanted.iter().zip(&found).take_while(|(a, b)| a == b).count();
            prop_assert!(wanted == found, "{i} {op:?} after a step at {at} by {by}: not {:?} but {:?}", &wanted[same..], &found[same..]);
            prop_assert_eq!(steady.waits_for(), stepped.waits_for(), "{} {:?} after a step at {} by {}", i, op, at, by);
        }
    }

    #[test]
    fn as_soon_as_anybody_can_be_reached_somebody_is(
        ops in prop::collection::vec(ops::one(), 1..140),
        start_with_example in any::<bool>(),
        deaf in prop_oneof![Just(0_u32), 1..400_u32],
    ) {
        let mut live = Live::new(start_with_example);
        for op in &ops {
            live.run(op);
        }
        live.minutes(deaf, Op::Lost);
        live.minutes(300, Op::Arrived);
        let state = live.core.state();
        prop_assert_eq!(state.owed_count(), 0, "all that is owed is sent");
        prop_assert_eq!(audit::overdue(state, live.now(), 5), Vec::<String>::new());
        for alert in state.alerts.values().filter(|alert| alert.resolved_at.is_none()) {
            match &alert.suppressed {
                Some(held) => {
                    let silence = state.silences.get(&held.silence);
                    prop_assert!(silence.is_some_and(|it| !it.released), "{alert:?} is held by {silence:?}");
                }
                None => prop_assert!(!alert.incident.is_none(), "{alert:?} is in no incident"),
            }
        }
        for incident in state.all_open_incidents() {
            if incident.state != IncidentState::Triggered || !incident.severity.pages() {
                continue;
            }
            let sent = |it: &Delivery| format!("{} page {:?} to {}: {:?}", it.id, it.page, it.to, it.status);
            let sent: Vec<_> = incident.deliveries.iter().map(sent).collect();
            let (id, next) = (incident.id, &incident.escalation);
            prop_assert!(live.reached(incident), "{id} pages nobody, {next:?}: {sent:#?}");
        }
    }
}

/// Sixty by default; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let given = ProptestConfig::default().cases;
    if given == 256 { 60 } else { given }
}
