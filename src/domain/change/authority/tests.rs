//! Whose word counts, by itself: what is kept comes back, and is bounded whatever is told.

use super::*;
use crate::domain::actor::By;
use crate::domain::time::{Span, Timestamp};

fn changed(authority: &mut Authority, at: i64, step: Step) {
    let by = By::timer("test");
    let event = Event::AuthorityChanged(Box::new(AuthorityChanged { step }));
    // As the journal keeps it.
    let text = serde_json::to_string(&event).unwrap();
    let event: Event = serde_json::from_str(&text).unwrap();
    authority.apply(&Stamp { at: Timestamp(at), by: &by }, &event);
}

fn review(number: u64, stands: bool) -> Review {
    Review {
        repository: "ej/loyalty".into(),
        number,
        head: "0123456789abcdef0123456789abcdef01234567".into(),
        person: "hana".into(),
        author: "ivo".into(),
        stands,
        merged: None,
        spent: Vec::new(),
    }
}

#[test]
fn reviews_are_bounded_and_the_last_word_of_each_counts() {
    let mut authority = Authority::default();
    for number in 0..500 {
        changed(&mut authority, 0, Step::Reviewed(review(number, true)));
        changed(&mut authority, 0, Step::Reviewed(review(number, true)));
    }
    assert_eq!(authority.reviews.len(), 200);
    changed(&mut authority, 1, Step::Reviewed(review(499, false)));
    assert_eq!(authority.reviews.len(), 199);
    let sha = CompactString::from("fedcba9876543210fedcba9876543210fedcba98");
    let merged =
        |head: &str| Step::Merged { repository: "ej/loyalty".into(), number: 498, head: head.into(), sha: sha.clone() };
    // What went in is not what was read.
    changed(&mut authority, 2, merged("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert!(authority.reviews.iter().all(|it| it.merged.is_none()));
    changed(&mut authority, 2, merged("0123456789abcdef0123456789abcdef01234567"));
    assert_eq!(authority.reviews.iter().filter(|it| it.merged.is_some()).count(), 1);
    let kept: Authority = serde_json::from_str(&serde_json::to_string(&authority).unwrap()).unwrap();
    assert_eq!(kept, authority);
}

#[test]
fn who_stands_in_does_so_from_until_and_no_longer() {
    let mut authority = Authority::default();
    let stands = |authority: &Authority, at: i64| {
        authority.stands_in_for(&"bas".into(), Timestamp(at)).map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let told = |from: &str, starts: i64, ends: i64| {
        let (starts, ends) = (Timestamp(starts), Timestamp(ends));
        Step::Delegated(Delegation { from: from.into(), to: "bas".into(), starts, ends })
    };
    changed(&mut authority, 0, told("sanne", 10, 20));
    changed(&mut authority, 0, told("cleo", 15, 30));
    let seen: Vec<String> = [9, 10, 15, 19, 20, 29, 30].map(|at| stands(&authority, at)).to_vec();
    assert_eq!(seen, ["", "sanne", "sanne cleo", "sanne cleo", "cleo", "cleo", ""]);
    changed(&mut authority, 5, told("sanne", 12, 13));
    assert_eq!(
        (stands(&authority, 11), stands(&authority, 12), stands(&authority, 15)),
        ("".into(), "sanne".into(), "cleo".into())
    );
    changed(&mut authority, 6, Step::DelegationEnded { from: "cleo".into(), to: "bas".into() });
    assert_eq!(stands(&authority, 15), "");
    // What is over is forgotten when something new is said.
    changed(&mut authority, 40, told("elif", 40, 50));
    assert_eq!(authority.delegations.len(), 1);
}

#[test]
fn a_model_that_did_harm_counts_from_nothing() {
    let mut authority = Authority::default();
    let ran =
        |clean, earned| Step::ModelRan { model: "flush".into(), change: ChangeId(u64::from(clean)), clean, earned };
    changed(&mut authority, 0, ran(1, false));
    changed(&mut authority, 1, ran(2, true));
    changed(&mut authority, 2, ran(3, false));
    assert!(authority.models["flush"].earned, "once earned it stays so");
    let why = CompactString::from("CHG-4 caused INC-1");
    changed(
        &mut authority,
        3,
        Step::ModelDemoted { model: "flush".into(), change: ChangeId(4), why, told: Vec::new() },
    );
    let track = &authority.models["flush"];
    assert!(!track.earned && track.clean == 0 && track.demoted.is_some());
    changed(&mut authority, Span::days(1).0, ran(1, false));
    assert!(authority.models["flush"].demoted.is_some(), "what it was demoted by is told until it is earned again");
}
