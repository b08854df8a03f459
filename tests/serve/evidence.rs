//! `opsbell evidence`: what an auditor gets of a change, and that it can be verified without Opsbell.

use std::fs::File;
use std::io::Read as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::place::{Place, text};
use crate::support::server::{opsbell, run, said};

const MORE: &str = "[[person]]\nid = \"auditor\"\nrole = \"stakeholder\"\nwebhook = \"operators\"\n\
                    [[person]]\nid = \"dee\"\nrole = \"admin\"\nwebhook = \"operators\"\n\
                    [change]\napprovals = { low = 1, medium = 1, high = 1 }\n";

fn unpack(path: &str) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(File::open(path).expect("a file")).expect("a zip");
    (0..zip.len())
        .map(|n| {
            let mut file = zip.by_index(n).expect("a file in it");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("a text");
            (file.name().expect("a name").into_owned(), text)
        })
        .collect()
}

fn of<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
    files.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str()).expect(name)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_evidence_of_a_change_can_be_verified_without_opsbell() {
    let place = Place::new();
    place.configure(&(place.usual() + MORE));
    let mut server = place.serve();
    server.address();
    let say = |server: &mut crate::support::server::Server, who: &str, what: &str| {
        let answer = server.say(who, what);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    };
    say(&mut server, "bas", "/change new \"Raise the pool\" service:api plan:\"Set 40\" rollback:\"Set 20\"");
    say(&mut server, "bas", "/change new \"Another one\" service:api plan:a rollback:b");
    say(&mut server, "dee", "/change approve CHG-1");
    say(&mut server, "bas", "/change start CHG-1");
    say(&mut server, "bas", "/incident declare \"Payroll: CHG-1 leaks\" service:api private:yes");
    say(&mut server, "bas", "/change done CHG-1");
    say(&mut server, "bas", "/change review CHG-1 \"It went well\"");

    let zip = text(&place.data.with_extension("zip"));
    let args = |person: &'static str, zip: &str| {
        let data = text(&place.data);
        ["evidence", "CHG-1", "--as", person, "--data", &data, "--out", zip].map(str::to_owned)
    };
    let take = |person, zip: &str| opsbell().args(args(person, zip)).output().expect("the binary runs");
    // Who may not respond gets none, and nothing is written.
    let refused = take("auditor", &zip);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(File::open(&zip).is_err());
    let taken = take("cleo", &zip);
    assert!(taken.status.success(), "{}", said(&taken));
    // What is there is kept, and named; and nothing is taken in vain: that would stand in the journal.
    let again = take("cleo", &zip);
    assert!(!again.status.success() && said(&again).contains(&format!("{zip}: is there already")), "{}", said(&again));
    let exported = run(&["journal", "export", "--data", &text(&place.data)]);
    assert_eq!(String::from_utf8_lossy(&exported.stdout).matches("\"evidence.taken\"").count(), 1);

    let files = unpack(&zip);
    let record: Value = serde_json::from_str(of(&files, "record.json")).expect("JSON");
    assert_eq!((&record["id"], &record["state"]), (&"CHG-1".into(), &"closed".into()));
    let approvals: Value = serde_json::from_str(of(&files, "approvals.json")).expect("JSON");
    assert_eq!((&approvals[0]["person"], &approvals[0]["hash"]), (&"dee".into(), &record["hash"]));
    // Also for whom they stood in, and whether by a code or by a review.
    assert_eq!(
        (&approvals[0]["stands_for"], &approvals[0]["second_factor"], &approvals[0]["pull_request"]),
        (&Value::Null, &false.into(), &Value::Null)
    );
    for line in of(&files, "SHA256SUMS").lines() {
        let (sum, name) = line.split_once("  ").expect("a sum and a name");
        assert_eq!(sum, hex(of(&files, name).as_bytes()), "{name}");
    }
    // Every line seals itself, and stands in the journal as it stands here.
    let export = run(&["journal", "export", "--data", &text(&place.data)]);
    let whole = String::from_utf8_lossy(&export.stdout).into_owned();
    let journal = of(&files, "journal.jsonl");
    let mut kinds = Vec::new();
    for line in journal.lines() {
        let (sealed, hash) = line.rsplit_once(",\"hash\":\"").expect("a hash");
        assert_eq!(hex(sealed.as_bytes()), hash.trim_end_matches("\"}"));
        assert!(whole.lines().any(|other| other == line), "{line}");
        let commit: Value = serde_json::from_str(line).expect("JSON");
        kinds.extend(commit["events"].as_array().expect("events").iter().map(|it| it["type"].clone()));
    }
    // The recipe that comes with it says the same, by a shell alone.
    let readme = of(&files, "README.md");
    let recipe = readme.split("```\n").nth(1).expect("a block").split("   ```").next().expect("its end");
    let folder = tempfile::tempdir().expect("a directory");
    let check = |journal: &str| {
        std::fs::write(folder.path().join("journal.jsonl"), journal).expect("a file");
        let told = std::process::Command::new("sh").args(["-c", recipe]).current_dir(folder.path()).output();
        String::from_utf8_lossy(&told.expect("a shell").stdout).into_owned()
    };
    let told = check(journal);
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), journal.lines().count(), "{told}");
    let told = check(&journal.replacen("Raise the pool", "Raise the poll", 1));
    assert_eq!(told.matches("CHANGED").count(), 1, "{told}");
    for kind in ["change.opened", "change.approved", "change.moved", "evidence.taken"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind}: {kinds:?}");
    }
    assert!(!journal.contains("Another one"), "{journal}");
    // What is private is only counted, for whoever does not administer.
    assert!(!journal.contains("Payroll") && of(&files, "README.md").contains("private incident: 1 |"), "{journal}");
    let whole_zip = text(&place.data.with_extension("all.zip"));
    assert!(take("dee", &whole_zip).status.success());
    assert!(of(&unpack(&whole_zip), "journal.jsonl").contains("Payroll"));

    // The list of changes, for the same auditor.
    let csv = server.client().get("/v1/reports/changes.csv?from=2000-01-01").expect("an answer");
    assert_eq!(csv.status, 200, "{}", csv.text());
    let csv = csv.text();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("id,class,service,") && lines.len() == 3, "{csv}");
    assert!(lines[2].starts_with("CHG-1,normal,api,production,,Raise the pool,closed,successful,"), "{csv}");
    assert!(lines[2].contains(",dee,") && lines[2].ends_with("It went well"), "{csv}");
    let none = server.client().get("/v1/reports/changes.csv?from=2000-01-01&to=2000-12-31").expect("an answer").text();
    assert_eq!(none.lines().count(), 1);
    for wrong in ["", "?from=soon", "?from=2001-01-01&to=2000-01-01", "?form=2000-01-01"] {
        let answer = server.client().get(&format!("/v1/reports/changes.csv{wrong}")).expect("an answer");
        assert!((400..500).contains(&answer.status), "{wrong}: {}", answer.status);
    }
    let told = server.say("bas", "/report changes").text();
    assert!(told.contains("1 asked for and still open") && told.contains("1 over in that time: successful"), "{told}");
    assert!(server.stop().success());
    place.verify();
}
