//! How long a press of Acknowledge takes: from its dispatch on the gateway to the callback that answers it, with the
//! acknowledgement in the journal by then. The real program, against the tests' fake Discord; one press after the other,
//! each of an incident of its own.
//!
//! `discord [PRESSES]` prints one line; 300 if nothing is said.

// A measurement uses a part of what the tests share.
#![allow(dead_code)]

#[path = "../../tests/discord/stage.rs"]
mod stage;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use stage::{BAS, Stage};

fn main() {
    let presses: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(300);
    let mut stage = Stage::start();
    stage.alert("the first", "key-1", "warning");
    let page = stage.page_of(BAS, "INC-1");
    let mark = page.part("Acknowledge").expect("a page has the button");
    let mut took: Vec<Duration> = Vec::new();
    for n in 1..=presses {
        if n > 1 {
            stage.alert("another", &format!("key-{n}"), "warning");
        }
        let (id, press) = stage.discord.press_of(BAS, &page, &mark.replace("INC-1", &format!("INC-{n}")), None);
        stage.discord.dispatch("INTERACTION_CREATE", press);
        took.push(stage.discord.answer(id).took);
    }
    let last = stage.incident(&format!("INC-{presses}"));
    assert_eq!(last["state"], "acknowledged", "{last}");
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("ack presses={presses} p50_ms={:.3} p99_ms={:.3} max_ms={:.3}", at(0.5), at(0.99), at(1.0));
}
