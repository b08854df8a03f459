//! A full disk: inputs are refused, pages already owed go on, operators are told past the journal, and with space it
//! mends itself. The disk is a small one in memory; without the right to mount one this says so and checks nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, alert, fire, noticed, paged, pages};
use crate::support::PATIENCE;
use crate::support::server::poll;
use crate::support::webhook::Behaviour;

/// A disk in memory, unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "opsbell-test"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            _ => None,
        }
    }

    fn resize(&self, size: &str) {
        let option = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &option]).arg(&self.0).status();
        assert!(done.expect("mount runs").success());
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::options().create(true).append(true).open(self.0.join("filler")).expect("a file");
        for piece in [64 * 1024, 4096, 512, 1] {
            while file.write_all(&vec![b'x'; piece]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_loses_nothing_and_mends_itself() {
    let place = Place::new();
    fills_up(&place, SmallDisk::mount(&place.data.join("journal"), "1m"));
}

#[test]
fn so_it_does_when_the_records_find_no_room_either() {
    let place = Place::new();
    fills_up(&place, SmallDisk::mount(&place.data, "16m"));
}

fn fills_up(place: &Place, disk: Option<SmallDisk>) {
    let Some(disk) = disk else {
        eprintln!("not checked: a full disk (mounting one needs root)");
        return;
    };
    let mut server = place.serve();
    fire(&mut server, "before");
    paged(&place.pager, "before");
    // Owed from before: its first attempts fail, and it is not delivered yet when the disk is full.
    place.pager.always(Behaviour::status(503));
    fire(&mut server, "owed");
    paged(&place.pager, "owed");
    disk.fill();

    let mut accepted = vec!["before".to_owned(), "owed".to_owned()];
    let refused = poll("a refusal", PATIENCE, || {
        let name = format!("filling {}", accepted.len());
        let answer = alert(&mut server, &name);
        if answer.status == 202 {
            accepted.push(name);
            return None;
        }
        Some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    let told = refused.json();
    assert!(told["error"]["message"].as_str().is_some_and(|words| words.contains("journal")), "{told}");
    assert!(!refused.header("retry-after").is_empty(), "{told}");
    noticed(&place.operators, "cannot write its journal");
    assert_eq!(server.client().get("/readyz").expect("an answer").status, 503);
    assert_eq!(server.client().get("/healthz").expect("an answer").status, 200, "a restart would not help");
    assert_eq!(server.say("bas", "/ack INC-1").status, 503);
    // Reading goes on.
    assert_eq!(server.get("/v1/alerts")["items"].as_array().map(Vec::len), Some(accepted.len()));
    // What was owed goes on: another attempt, marked, though nothing of it can be written down.
    place.pager.always(Behaviour::Ok);
    let before = place.operators.ledger().len();

    disk.resize("64m");
    noticed(&place.operators, "writes its journal again");
    let again = |ledger: &[crate::support::webhook::Received]| {
        pages(ledger, "owed").filter(|page| page.possible_repeat()).count() > 0
    };
    place.pager.ledger().wait_until("the owed page again", again);
    fire(&mut server, "after");
    paged(&place.pager, "after");
    accepted.push("after".to_owned());
    assert!(place.operators.ledger().len() <= before + 3, "the operators are not flooded");

    // Killed and started again: all that was answered 202 is there, and nothing that was refused.
    server.kill().expect("it can be killed");
    place.verify();
    let mut server = place.serve();
    let alerts = server.get("/v1/alerts?limit=200");
    let mut names: Vec<&str> =
        alerts["items"].as_array().into_iter().flatten().filter_map(|a| a["name"].as_str()).collect();
    names.reverse();
    assert_eq!(names, accepted);
    assert!(server.stop().success());
    place.verify();
}

#[test]
fn a_page_that_is_owed_while_the_disk_is_full_is_sent() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place.data.join("journal"), "1m") else {
        eprintln!("not checked: a full disk (mounting one needs root)");
        return;
    };
    let mut server = place.serve();
    // The lane sends one at a time about an incident: the second page waits behind the one that is held.
    place.pager.next(Behaviour::Slow(std::time::Duration::from_secs(3)));
    fire(&mut server, "held");
    paged(&place.pager, "held");
    assert_eq!(server.say("cleo", "/page person:bas incident:INC-1 text:\"come\"").status, 200);
    disk.fill();
    poll("a refusal", PATIENCE, || (alert(&mut server, "refused").status == 503).then_some(()));
    // No space has come back, and still it arrives.
    let both = |ledger: &[crate::support::webhook::Received]| pages(ledger, "held").count() == 2;
    place.pager.ledger().wait_until("the page behind it", both);
    server.kill().expect("it can be killed");
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let place = Place::new();
    std::os::unix::fs::symlink("/dev/full", place.data.with_extension("log")).expect("a link");
    // An attempt that fails is logged, on the engine's thread.
    place.pager.always(Behaviour::status(503));
    let mut server = place.serve();
    fire(&mut server, "unlogged");
    paged(&place.pager, "unlogged");
    place.pager.always(Behaviour::Ok);
    fire(&mut server, "still there");
    paged(&place.pager, "still there");
}
