//! A seeded simulation of the core with everything around it that can go wrong: crashes, lost batches, slow and
//! failing receivers, receipts late and twice, clock steps, impatient people. The invariants of DESIGN §9 are checked
//! at every step by a ledger and by a model of paging that was written apart from the domain.
//!
//! `OPSBELL_SIM_RUNS` asks for more runs, `OPSBELL_SIM_SEED` for a certain first seed (each run prints its own when it
//! fails).

mod support_paging;

#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// Read here only: the environment is the way to ask for more runs.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn nobody_is_forgotten_in_a_thousand_bad_nights() {
    let runs = asked("OPSBELL_SIM_RUNS").unwrap_or(300);
    let first = asked("OPSBELL_SIM_SEED").unwrap_or(1);
    let mut seen = world::Seen::default();
    for seed in first..first.saturating_add(runs) {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed);
            world.bad_night();
            world.morning();
            world.seen
        }));
        match run {
            Ok(one) => seen.add(&one),
            Err(panic) => {
                eprintln!("again: OPSBELL_SIM_SEED={seed} OPSBELL_SIM_RUNS=1");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("seeds {first} and up, {runs} runs: {seen:?}");
    if runs >= 100 {
        seen.enough(runs);
    }
}
