//! `opsbell gate` as a pipeline calls it: its exit statuses, and what it says where the call itself is wrong.

use std::process::Output;

use crate::place::{Place, text};
use crate::support::server::{opsbell, run, said};

/// Statuses as the contract has them.
const GO: Option<i32> = Some(0);
const NO: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const NOBODY: Option<i32> = Some(3);

#[test]
fn a_wrong_call_is_no_verdict() {
    let place = Place::new();
    place.configure(&place.usual().replace(
        "[[person]]\nid = \"cleo\"",
        "[[person]]\nid = \"margriet\"\nrole = \"stakeholder\"\nwebhook = \"operators\"\n[[person]]\nid = \"cleo\"",
    ));
    let mut server = place.serve();
    server.address();
    let data = text(&place.data);
    let gate = |more: &[&str]| -> Output { run(&[&["gate", "--data", &data], more].concat()) };
    let ended = |more: &[&str]| {
        let output = gate(more);
        (output.status.code(), said(&output))
    };
    let own = ["--service", "api", "--version", "1.4", "--as", "bas"];
    let with = |more: &[&str]| ended(&[&own[..], more].concat());

    // What the gate answers.
    let (status, told) = with(&[]);
    assert!(status == NO && told.starts_with("wait CHG-1"), "{status:?} {told}");
    let (status, told) = with(&["--environment", "staging"]);
    assert!(status == GO && told.starts_with("allow CHG-2"), "{status:?} {told}");
    // Who may not ask is refused.
    let (status, told) = ended(&["--service", "api", "--version", "1.4", "--as", "margriet"]);
    assert!(status == NO && told.contains("it needs a responder"), "{status:?} {told}");

    // What the pipeline got wrong: nobody decided anything about the deployment.
    let long = "9".repeat(65);
    for commit in ["", "abc", "main", "0123456789abcdeg", long.as_str()] {
        let (status, told) = with(&["--commit", commit]);
        assert!(status == USAGE && told.contains("7 to 64 hexadecimal digits"), "{commit}: {status:?} {told}");
    }
    for version in ["", "  ", "\t"] {
        let (status, told) = ended(&["--service", "api", "--version", version, "--as", "bas"]);
        assert!(status == USAGE && told.contains("--version"), "{version:?}: {status:?} {told}");
    }
    let (status, told) = ended(&["--service", "api", "--version", "1.4"]);
    assert!(status == USAGE && told.contains("--as PERSON"), "{status:?} {told}");
    assert!(!told.contains("opsbell say"), "{told}");
    for (more, hint) in [
        (&["--service", "apl", "--version", "1.4", "--as", "bas"][..], "api"),
        (&["--service", "api", "--version", "1.4", "--as", "bass"], "bas"),
        (&["--service", "api", "--version", "1.4", "--as", "bas", "--author", "cleu"], "cleo"),
    ] {
        let (status, told) = ended(more);
        assert!(
            status == USAGE && told.to_lowercase().contains("did you mean") && told.contains(hint),
            "{status:?} {told}"
        );
    }
    let (status, told) = with(&["--wait", "soon"]);
    assert_eq!(status, USAGE, "{told}");
    // Nothing of that was asked for.
    assert_eq!(server.get("/v1/changes")["items"].as_array().map(Vec::len), Some(2));

    // A token that is none is refused; where nobody answers, that is said.
    let mut command = opsbell();
    let output = command.args(["gate", "--data", &data]).args(own).env("OPSBELL_TOKEN", "obt_none").output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), NO, "{}", said(&output));
    assert!(server.stop().success());
    let (status, told) = with(&[]);
    assert_eq!(status, NOBODY, "{told}");
}

#[test]
fn every_source_can_be_read() {
    let help = run(&["read", "--help"]);
    for source in opsbell::source::SOURCES {
        assert!(said(&help).contains(source.name), "{}: {}", source.name, said(&help));
    }
}
