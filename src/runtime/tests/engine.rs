//! What the engine promises: no answer before the disk, nothing lost when it fails, the same answers whatever becomes
//! of the records, no endless queue, an orderly end.

use std::path::{Path, PathBuf};

use crossbeam_channel::{TryRecvError, unbounded};

use super::stand::{DECLARE, HUNG, Stand};
use crate::domain::actor::{Actor, By};
use crate::domain::delivery::{Content, Outcome, Priority};
use crate::domain::desk::Desk;
use crate::domain::id::IncidentId;
use crate::domain::input::{Input, InputKind, Place, Unavailable};
use crate::domain::time::Span;
use crate::runtime::handle::{QUEUE, Tell};
use crate::runtime::recover;

#[test]
fn no_answer_no_look_and_no_page_before_the_disk() {
    let stand = Stand::new();
    stand.disk.hold();
    let answer = stand.say("ben", DECLARE);
    stand.disk.wait_until_somebody_stands();
    let (tell, told) = unbounded();
    let look = stand.engine.view(Box::new(move |view| {
        let applied = view.state.meta.seq;
        Box::new(move |released| {
            let _ = tell.send((applied, released));
        })
    }));
    assert_eq!(look, Ok(()));
    let (applied, durable) = stand.glance(|view| (view.state.meta.seq, view.durable.0));
    assert_eq!((applied, durable), (1, 0), "applied ahead");
    assert_eq!(answer.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    assert!(stand.starts.is_empty());

    stand.disk.let_go();
    let answers = answer.recv_timeout(HUNG).expect("answered").expect("taken");
    assert_eq!(answers[0].seq, 1);
    assert_eq!(told.recv_timeout(HUNG), Ok((1, Ok(()))));
    assert_eq!(stand.started().priority, Priority::CriticalPage);
}

#[test]
fn with_little_to_do_pages_start_before_the_answer() {
    let stand = Stand::new();
    let (starts, (tell, told)) = (stand.starts.clone(), unbounded());
    let input = Input {
        by: By::new(Actor::Person("ben".into()), "api"),
        idempotency: None,
        kind: InputKind::Text { place: Place { chat: "api".into(), ..Place::default() }, text: DECLARE.to_owned() },
        closed: Vec::new(),
    };
    // Called on the engine's thread.
    stand.engine.submit(vec![input], Box::new(move |_| _ = tell.send(starts.len())));
    assert_eq!(told.recv_timeout(HUNG), Ok(3));
}

#[test]
fn a_lost_batch_is_answered_so_and_what_was_owed_goes_on() {
    let stand = Stand::new();
    stand.said("ben", DECLARE);
    let begun = [stand.started(), stand.started(), stand.started()];
    let to = |name: &str| begun.iter().find(|grant| grant.to.to_string() == name).expect(name).clone();
    let (chat, post) = (to("ann via chat"), to("channel core-ops"));
    // The next post waits behind the first one.
    stand.said("ben", "/incident update INC-1 \"looking\"");
    let due = stand.glance(|view| view.state.incidents[&IncidentId(1)].escalation.as_ref().expect("it escalates").due);

    stand.disk.fail();
    let lost = stand.say("cas", "/ack INC-1");
    let Err(Unavailable::Journal(why)) = lost.recv_timeout(HUNG).expect("answered") else { panic!("it was lost") };
    assert!(why.contains("No space left"), "{why}");
    let alarmed: Vec<String> = (0..3).map(|_| stand.started().to.to_string()).collect();
    assert_eq!(alarmed, ["op via chat", "op via email", "webhook desk"], "the operators, past the journal");

    let (triggered, trouble) = stand
        .glance(|view| (view.state.incidents[&IncidentId(1)].holder.is_none(), view.trouble.map(ToOwned::to_owned)));
    assert!(triggered, "the acknowledgement is gone with its commit");
    assert!(trouble.expect("it is told").contains("No space left"));
    let refused = stand.say("cas", "/ack INC-1").recv_timeout(HUNG).expect("answered");
    assert!(matches!(refused, Err(Unavailable::Journal(_))), "{refused:?}");

    // What is owed goes on: the second post starts behind the first. The receipts wait for the journal.
    stand.receipt(&chat, Outcome::Accepted);
    stand.receipt(&post, Outcome::Accepted);
    assert_eq!(stand.started().priority, Priority::Post);
    stand.clock.step(Span::hours(1));
    stand.tick();
    assert_eq!(stand.glance(|view| view.state.owed_count()), 4);
    assert_eq!(stand.starts.try_iter().count(), 3, "an hour later by the clock, the operators hear of it again");

    stand.disk.let_go();
    let mended = stand.started();
    let Content::Notice { text } = &mended.content else { panic!("{mended:?}") };
    assert!(text.contains("writes its journal again"), "{text}");
    let (accepted, after) = stand.glance(move |view| {
        let incident = &view.state.incidents[&IncidentId(1)];
        let accepted = incident.delivery(&chat.id).is_some_and(|chat| !chat.owed());
        (accepted, incident.escalation.as_ref().expect("it goes on").due)
    });
    assert!(accepted, "the receipt that came meanwhile is taken");
    assert_eq!(after, due.after(Span::hours(1)), "and so is the step of the clock");
    assert!(stand.said("cas", "/ack INC-1").contains("nobody else is paged"));
}

#[test]
fn a_receipt_that_a_lost_acknowledgement_made_void_is_heard_again() {
    let stand = Stand::new();
    stand.said("ben", DECLARE);
    let (one, two) = (stand.started(), stand.started());
    stand.disk.fail();
    stand.disk.hold();
    let lost = stand.say("cas", "/ack INC-1");
    stand.disk.wait_until_somebody_stands();
    // It arrived, but the page is cancelled already: the receipt changes nothing.
    stand.receipt(&one, Outcome::Accepted);
    stand.receipt(&two, Outcome::Accepted);
    stand.glance(|_| ());
    stand.disk.fail_held();
    assert!(lost.recv_timeout(HUNG).expect("answered").is_err());
    stand.disk.let_go();
    loop {
        let grant = stand.started();
        assert!(grant.id != one.id && grant.id != two.id, "it arrived, and is sent again as if it had not");
        if matches!(&grant.content, Content::Notice { text } if text.contains("again")) {
            break;
        }
    }
    let arrived = stand.glance(move |view| {
        let incident = &view.state.incidents[&IncidentId(1)];
        [one, two].iter().all(|grant| incident.delivery(&grant.id).is_some_and(|delivery| !delivery.owed()))
    });
    assert!(arrived);
}

#[test]
fn operators_are_alarmed_again_for_as_long_as_the_journal_cannot_be_written() {
    let stand = Stand::without_a_journal();
    let mut ids = std::collections::BTreeSet::new();
    for round in 0..4 {
        for _ in 0..3 {
            let alarm = stand.starts.try_recv().or_else(|_| stand.starts.recv_timeout(HUNG)).expect("an alarm");
            let Content::Notice { text } = &alarm.content else { panic!("{alarm:?}") };
            assert!(text.contains("cannot write its journal") && text.contains("No space left"), "{text}");
            assert!(ids.insert(alarm.id.clone()), "round {round}: another alarm has another id");
            stand.receipt(&alarm, Outcome::Accepted);
        }
        stand.clock.advance(Span::mins(4));
        stand.tick();
        assert!(stand.starts.is_empty(), "round {round}: not after four minutes");
        stand.clock.advance(Span::mins(1));
        stand.tick();
        assert_eq!(stand.starts.len(), 3, "round {round}: but after five");
    }
    // And no more once it can.
    stand.disk.let_go();
    let begun: Vec<_> = (0..6).map(|_| stand.started()).collect();
    let again = |content: &Content| matches!(content, Content::Notice { text } if text.contains("journal again"));
    assert!(begun[3..].iter().all(|grant| again(&grant.content)), "{begun:?}");
    begun.iter().for_each(|grant| stand.receipt(grant, Outcome::Accepted));
    stand.settle();
    stand.clock.advance(Span::hours(1));
    stand.tick();
    assert!(stand.starts.is_empty());
}

#[test]
fn a_disk_that_hangs_alarms_again_too() {
    let stand = Stand::new();
    stand.disk.hold();
    let _waits = stand.say("ben", DECLARE);
    stand.disk.wait_until_somebody_stands();
    stand.clock.advance(Span::secs(6));
    stand.tick();
    assert_eq!(stand.starts.try_iter().count(), 3);
    stand.clock.advance(Span::mins(5));
    stand.tick();
    let texts: Vec<Content> = stand.starts.try_iter().map(|alarm| alarm.content).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts.iter().all(|content| matches!(content, Content::Notice { text } if text.contains("journal waits"))));
    stand.disk.let_go();
}

/// Closes an incident, and lets the records have it.
fn close_one(stand: &Stand) {
    stand.said("ben", "/incident declare \"for the record\" service:cdn severity:sev4");
    stand.said("ben", "/resolve INC-1");
    stand.said("ben", "/incident close INC-1");
    stand.tick();
    stand.said("ben", "/incident declare \"another\" service:cdn severity:sev4");
    assert_eq!(stand.glance(|view| view.state.closed_incidents_since().len()), 0, "the records have it");
}

#[test]
fn a_closed_incident_that_is_named_is_loaded() {
    let stand = Stand::new();
    close_one(&stand);
    let shown = stand.said("ben", "/incident show INC-1");
    assert!(shown.contains("closed") && shown.contains("for the record"), "{shown}");
    assert!(stand.said("ben", "/incident reopen INC-1").contains("open again"));
    assert!(stand.glance(|view| view.state.incidents.contains_key(&IncidentId(1))));
}

#[test]
fn a_record_that_was_reopened_and_closed_while_it_was_loaded_is_loaded_anew() {
    let stand = Stand::new();
    close_one(&stand);
    let begun = stand.glance(|view| view.state.meta.seq);
    let stale = stand.records().get_incident(IncidentId(1)).expect("readable").expect("it is closed");
    stand.said("ben", "/incident reopen INC-1");
    stand.said("ben", "/incident note INC-1 \"it was not over\"");
    stand.said("ben", "/resolve INC-1");
    stand.said("ben", "/incident close INC-1");
    // Only now comes what was loaded before all that.
    let (tell, told) = unbounded();
    let place = Place { chat: "api".into(), ..Place::default() };
    let reopen = Input {
        by: By::new(Actor::Person("cas".into()), "api"),
        idempotency: None,
        kind: InputKind::Text { place, text: "/incident reopen INC-1".to_owned() },
        closed: vec![stale.into()],
    };
    let done = Box::new(move |answers| {
        let _ = tell.send(answers);
    });
    stand.engine.tell(Tell::Loaded(vec![reopen], done, begun));
    let answers = told.recv_timeout(HUNG).expect("answered").expect("taken");
    assert!(answers[0].reply.is_ok(), "{answers:?}");
    let timeline = stand.said("ben", "/incident timeline INC-1");
    assert!(timeline.contains("note: it was not over"), "its history is lost: {timeline}");
}

#[test]
fn an_alarm_past_the_journal_is_tried_again_by_the_same_id() {
    let stand = Stand::without_a_journal();
    let alarms = [stand.started(), stand.started(), stand.started()];
    stand.receipt(&alarms[0], Outcome::Accepted);
    stand.receipt(&alarms[1], Outcome::Permanent { reason: "gone".into() });
    stand.receipt(&alarms[2], Outcome::Retryable { reason: "busy".into(), after: None, unknown: false });
    for _ in 0..3 {
        stand.tick();
    }
    let again = stand.started();
    assert_eq!((&again.id, again.attempt, &again.to), (&alarms[2].id, 2, &alarms[2].to));
    stand.receipt(&again, Outcome::Accepted);
    for _ in 0..60 {
        stand.tick();
    }
    assert!(stand.starts.is_empty(), "what arrived is not sent again");
}

#[test]
fn records_that_fail_are_rebuilt_and_the_answers_stay() {
    let mut stand = Stand::new();
    close_one(&stand);
    stand.said("ben", "/incident declare \"a third\" service:cdn severity:sev4");
    let before = stand.said("ben", "/incident show INC-1");

    // While a batch with what was gathered is on its way to the disk, the records fail.
    stand.clock.advance(Span::secs(2));
    stand.disk.hold();
    let gathered = stand.say("ben", "/incident note INC-2 \"gathered\"");
    stand.disk.wait_until_somebody_stands();
    stand.records().close().expect("they let go");
    stand.tick();
    let trouble = stand.glance(|view| view.trouble.map(ToOwned::to_owned)).expect("it is told");
    assert!(trouble.contains("rebuilt"), "{trouble}");
    let unread = stand.say("ben", "/incident show INC-1").recv_timeout(HUNG).expect("answered");
    assert!(matches!(unread, Err(Unavailable::Records(_))), "{unread:?}");

    stand.disk.let_go();
    gathered.recv_timeout(HUNG).expect("answered").expect("the journal is well");
    while stand.glance(|view| view.trouble.is_some()) {
        stand.clock.advance(Span(1_001));
        std::thread::yield_now();
    }
    assert_eq!(stand.said("ben", "/incident show INC-1"), before);
    stand.clock.advance(Span::secs(2));
    stand.said("ben", "/resolve INC-3");
    let live = stand.glance(|view| view.state.disassemble());
    stand.stop();
    let disk = std::sync::Arc::new(stand.disk.clone());
    let opened = recover::open(disk, stand.data.path(), "other", &mut |_, _| {}).expect("it opens again");
    assert_eq!(opened.state.disassemble(), live);
    let (applied, _) = opened.records.expect("usable").load_open().expect("readable").expect("not empty");
    assert!(applied.seq > 0);
}

#[test]
fn a_full_queue_says_busy_at_once() {
    let mut stand = Stand::new();
    let (go, wait) = unbounded::<()>();
    let (tell, stands) = unbounded();
    let held = stand.engine.view(Box::new(move |_| {
        let _ = tell.send(());
        let _ = wait.recv_timeout(HUNG);
        Box::new(|_| {})
    }));
    assert_eq!(held, Ok(()));
    stands.recv_timeout(HUNG).expect("the engine is held");
    let answers: Vec<_> = (0..=QUEUE).map(|_| stand.say("ben", "/status")).collect();
    assert_eq!(answers[QUEUE].try_recv(), Ok(Err(Unavailable::Busy)), "one more than there is room for");
    assert_eq!(answers[QUEUE - 1].try_recv(), Err(TryRecvError::Empty));
    go.send(()).expect("it waits");
    for answer in &answers[..QUEUE] {
        assert!(answer.recv_timeout(HUNG).expect("answered").is_ok());
    }
    stand.stop();
    assert_eq!(stand.say("ben", "/status").try_recv(), Ok(Err(Unavailable::ShuttingDown)));
}

#[test]
fn a_stop_finishes_what_is_begun_and_refuses_the_rest() {
    let mut stand = Stand::new();
    stand.said("ben", DECLARE);
    let begun: Vec<_> = (0..3).map(|_| stand.started()).collect();
    stand.said("ben", "/incident update INC-1 \"looking\"");
    stand.disk.hold();
    let (tell, stopped) = unbounded();
    stand.engine.tell(Tell::Stop(Box::new(move || {
        let _ = tell.send(());
    })));
    begun.iter().for_each(|grant| stand.receipt(grant, Outcome::Accepted));
    // The receipts came behind the stop, so it has been heard.
    stand.disk.wait_until_somebody_stands();
    let late = stand.say("ben", "/ack INC-1");
    stand.disk.let_go();
    stopped.recv_timeout(HUNG).expect("it stops");
    assert_eq!(late.recv_timeout(HUNG), Ok(Err(Unavailable::ShuttingDown)));
    stand.join();
    let disk = std::sync::Arc::new(stand.disk.clone());
    let opened = recover::open(disk, stand.data.path(), "other", &mut |_, _| {}).expect("it opens again");
    let incident = &opened.state.incidents[&IncidentId(1)];
    assert!(begun.iter().all(|grant| incident.delivery(&grant.id).is_some_and(|delivery| !delivery.owed())));
    assert_eq!(opened.state.owed_count(), 1, "the second post was not begun and is owed still");
}

/// Records that can neither be opened nor be moved away, as on a full disk, until what this names is gone.
fn spoil(data: &Path) -> PathBuf {
    let (records, taken) = (data.join("records"), data.join(format!("records.broken-{}", u64::MAX)));
    std::fs::remove_dir_all(&records).expect("they are there");
    std::fs::write(&records, "no records").expect("it can be written");
    // The only name that is left for what is broken is taken, by what cannot be replaced.
    std::fs::create_dir_all(taken.join("full")).expect("it can be made");
    taken
}

/// One closed incident; another one of which ann was paged, and cas is due.
fn left_behind() -> tempfile::TempDir {
    let mut stand = Stand::new();
    close_one(&stand);
    stand.said("ben", DECLARE);
    // Killed: nothing of it is ended in order. Only sled has to let go, as the end of a process makes it.
    stand.records().close().expect("they let go");
    std::mem::replace(&mut stand.data, tempfile::tempdir().expect("a directory"))
}

/// Goes on until the records are back.
fn until_well(stand: &Stand) {
    while stand.glance(|view| view.trouble.is_some()) {
        stand.clock.advance(Span(1_001));
        std::thread::yield_now();
    }
}

/// How many pages start; all that starts arrives.
fn pages(stand: &Stand) -> usize {
    let mut pages = 0;
    loop {
        stand.settle();
        let begun: Vec<_> = stand.starts.try_iter().collect();
        if begun.is_empty() {
            return pages;
        }
        pages += begun.iter().filter(|grant| grant.page.is_some()).count();
        begun.iter().for_each(|grant| stand.receipt(grant, Outcome::Accepted));
    }
}

#[test]
fn without_records_a_restart_pages_all_the_same_and_rebuilds_them_later() {
    let data = left_behind();
    let taken = spoil(data.path());
    let mut stand = Stand::on(data);
    stand.begin();
    let why = stand.glance(|view| view.trouble.map(ToOwned::to_owned)).expect("it is told");
    assert!(why.starts_with("the records are rebuilt from the journal ("), "{why}");
    assert!(pages(&stand) > 0, "what was owed goes out");
    let unread = stand.say("ben", "/incident show INC-1").recv_timeout(HUNG).expect("answered");
    assert!(matches!(unread, Err(Unavailable::Records(_))), "{unread:?}");
    // The journal can be written, so all else goes on: the next ones are paged, and commands are taken.
    stand.clock.advance(Span::mins(5));
    stand.tick();
    assert!(pages(&stand) > 0, "whoever is due is paged");
    assert!(stand.said("cas", "/ack INC-3").contains("nobody else is paged"));

    std::fs::remove_dir_all(taken).expect("there is room again");
    until_well(&stand);
    let shown = stand.said("ben", "/incident show INC-1");
    assert!(shown.contains("closed") && shown.contains("for the record"), "{shown}");
    stand.clock.advance(Span::secs(2));
    stand.said("ben", "/incident note INC-3 \"well\"");
    pages(&stand);
    let live = stand.glance(|view| view.state.disassemble());
    stand.stop();
    let disk = std::sync::Arc::new(stand.disk.clone());
    let opened = recover::open(disk, stand.data.path(), "other", &mut |_, _| {}).expect("it opens again");
    assert_eq!(opened.state.disassemble(), live);
    let (applied, _) = opened.records.expect("usable").load_open().expect("readable").expect("not empty");
    assert_eq!(applied.seq, opened.found.last_seq);
}

#[test]
fn a_restart_on_a_full_disk_sends_what_is_owed_answers_nothing_as_durable_and_goes_on_later() {
    let data = left_behind();
    let taken = spoil(data.path());
    let stand = Stand::on(data);
    stand.disk.fail();
    let before = stand.glance(|view| view.durable.0);
    stand.begin();
    while stand.glance(|view| !view.trouble.is_some_and(|why| why.contains("No space left"))) {
        std::thread::yield_now();
    }
    let begun: Vec<_> = stand.starts.try_iter().collect();
    assert!(begun.iter().any(|grant| grant.page.is_some() && grant.possible_repeat), "what was owed: {begun:?}");
    let told = |grant: &&crate::domain::delivery::Grant| matches!(&grant.content, Content::Notice { text } if text.contains("cannot write its journal"));
    assert_eq!(begun.iter().filter(told).count(), 3, "the operators: {begun:?}");
    let refused = stand.say("cas", "/ack INC-3").recv_timeout(HUNG).expect("answered");
    assert!(matches!(refused, Err(Unavailable::Journal(_))), "{refused:?}");
    assert_eq!(stand.glance(|view| (view.durable.0, view.state.meta.seq)), (before, before), "nothing is made up");

    std::fs::remove_dir_all(taken).expect("there is room again");
    stand.disk.let_go();
    while stand.glance(|view| view.trouble.is_some_and(|why| why.contains("No space left"))) {
        std::thread::yield_now();
    }
    assert!(stand.said("cas", "/ack INC-3").contains("nobody else is paged"));
    assert!(stand.glance(|view| view.durable.0) > before + 1, "the start is in the journal after all");
    until_well(&stand);
}
