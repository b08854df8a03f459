//! The lines of the documents are run as they stand, by bash, with the real binary.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::server::{opsbell, said};

/// The blocks of a document that begin with exactly ```` ```sh ````, as one script.
fn script(document: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let (mut script, mut inside) = (String::new(), false);
    for line in text.lines() {
        match (inside, line) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, line) => script.push_str(&format!("{line}\n")),
            _ => {}
        }
    }
    script
}

/// Whether all of these programs are on this machine; says which is not.
fn have(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let there = Command::new(program).arg("--version").output().is_ok();
        if !there {
            println!("not run: {program} is absent");
        }
        there
    })
}

/// Runs a script to its end, with the binary on its path and nothing of it left behind.
fn bash(script: &str, dir: &Path) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_opsbell")).parent().unwrap().display().to_string();
    let path = format!("{bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    // Jobs are ended however the script ends.
    let whole = format!("set -euo pipefail -m\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}");
    let output = Command::new("bash")
        .args(["-c", &whole])
        .current_dir(dir)
        .env_remove("OPSBELL_CONFIG")
        .env_remove("OPSBELL_DATA")
        .env_remove("OPSBELL_TOKEN")
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        said(&output),
        fs::read_to_string(dir.join("opsbell.log")).unwrap_or_default()
    );
    said(&output)
}

fn free_port() -> u16 {
    crate::support::nobody().port()
}

#[test]
fn the_quickstart_leads_from_nothing_to_a_restored_server() {
    if !have(&["bash", "curl", "openssl", "python3", "sha256sum"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = script("docs/quickstart.md");
    assert!(script.contains("opsbell restore") && script.contains(":8080") && script.contains("9911"));
    let script = script.replace("8080", &free_port().to_string()).replace("9911", &free_port().to_string());
    let told = bash(&script, dir.path());
    for wanted in [
        "is in order",
        "ready",
        "\"accepted\":1",
        "INC-1 acknowledged",
        "INC-1 resolved",
        "Restored",
        "The journal is whole",
    ] {
        assert!(told.contains(wanted), "{wanted:?} is missing:\n{told}");
    }
    let shown = told.rsplit_once("The journal is whole").unwrap().1;
    assert!(
        shown.contains("INC-1") && shown.contains("the website is down"),
        "the same record after the restore:\n{told}"
    );
    let sums: Vec<&str> = told.lines().filter(|line| line.contains("backups/opsbell-") && line.len() > 64).collect();
    assert!(sums.len() >= 2 && sums[0] == sums[1], "the sum is the one that was printed:\n{told}");
}

#[test]
fn the_journal_is_read_by_hand_as_the_guide_says() {
    if !have(&["bash", "jq", "sha256sum"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(env!("CARGO_PKG_VERSION"));
    let journal = dir.path().join("journal");
    fs::create_dir(&journal).unwrap();
    fs::copy(golden.join("christmas-night.jsonl"), journal.join("00000000000000000001.jsonl")).unwrap();
    let told = bash(&script("docs/operate.md"), dir.path());
    assert!(told.contains("\"reason\":\"on call for payments-primary, step 1 of payments\""), "{told}");
    assert!(told.contains("escalation.stepped") && told.contains("install.renewed"), "{told}");
    let mut verify = opsbell();
    let verified = verify.args(["journal", "verify", "--data"]).arg(dir.path()).output().unwrap();
    assert!(verified.status.success(), "{}", said(&verified));
    // The lines notice what was changed.
    let file = journal.join("00000000000000000001.jsonl");
    let changed: Vec<String> = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .enumerate()
        .map(|(n, line)| if n == 2 { line.replacen("\"seq\":3", "\"seq\":4", 1) } else { line.to_owned() })
        .collect();
    fs::write(&file, changed.join("\n") + "\n").unwrap();
    let bad = Command::new("bash").args(["-euc", &script("docs/operate.md")]).current_dir(dir.path()).output().unwrap();
    assert!(!bad.status.success());
}
