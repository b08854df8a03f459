//! The catalogue from outside: the example organisation, the configuration of DESIGN §7, a first configuration, twelve
//! mistakes at once, directories that cannot be read, and bytes that were never meant as a configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use opsbell::catalog::{self, Form, Loaded, Severity, Unreadable, render};
use opsbell::domain::oncall::holders;
use opsbell::domain::org::{Every, Target};
use opsbell::domain::time::Span;
use proptest::prelude::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.findings.iter().filter(|f| f.severity == Severity::Error).map(catalog::Finding::brief).collect()
}

fn dir(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    dir
}

#[test]
fn the_example_organisation_has_no_errors() {
    let loaded = catalog::load_files(&catalog::example(), &no_env);
    assert_eq!(errors(&loaded), Vec::<String>::new());
    let on_disk = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ej-airways");
    let same = catalog::load_dir(&on_disk, &|name| Some(name.to_owned())).expect("readable");
    assert!(same.findings.is_empty(), "{}", render(&same.findings, Form::Plain));
    let (org, same) = (loaded.config.expect("good").org, same.config.expect("good").org);
    assert_eq!(org.hash, same.hash, "the embedded files are those on disk");
    assert_eq!(catalog::reload::hash_dir(&on_disk).expect("readable"), org.hash);
    assert_eq!(org.teams.len(), 6);
    // The story of DESIGN §8: the primary sleeps through Christmas night, and cleo is next.
    let night = "2026-12-25T02:00:00Z".parse().expect("a time");
    let on_call = holders(&org.schedules["payments-primary"], night);
    assert_eq!(on_call[0].as_ref().map(|shift| shift.person.as_str()), Some("bas"));
    assert!(org.schedules.values().all(|schedule| holders(schedule, night).iter().all(Option::is_some)));
    let policy = &org.policies["payments"];
    assert_eq!(policy.steps[0].page, [Target::Schedule("payments-primary".into())]);
    assert_eq!(policy.steps[0].escalate_after, Span::mins(5));
    assert!(policy.steps[1].page.contains(&Target::Person("cleo".into())));
}

/// The sample of DESIGN §7 to the letter, with what it refers to.
#[test]
fn the_sample_of_the_design_loads_as_it_stands() {
    let sample = r#"
[[team]]
id = "payments"
channel = "discord:payments-ops"
escalation = "payments"          # what `/page team:payments` runs
[[person]]
id = "bas"
email = "bas@ej.example"
discord = "204255221017214977"
zone = "Europe/Amsterdam"
notify.high = ["chat", "sms after 3m", "voice after 5m"]
notify.low = ["chat"]
[[schedule]]
id = "payments-primary"
zone = "Europe/Amsterdam"
rotations = [{ every = "1 week", handoff = "Mon 09:00", start = 2026-12-07, members = ["bas", "cleo"] }]
[[escalation]]
id = "payments"
repeat = 2
ack_expires = "1h"
steps = [
  { page = ["schedule:payments-primary"], escalate_after = "5m" },
  { page = ["person:cleo", "channel:payments"], escalate_after = "10m" },
]
[[service]]
id = "payments-api"
team = "payments"
depends_on = ["ledger"]
runbook = "https://wiki.ej.example/payments"
[[integration]]
id = "prometheus"
source = "alertmanager"
service = "payments-api"         # where the alert names none; a label `service` wins
key_env = "OPSBELL_KEY_PROMETHEUS"
[[summary]]
channel = "channel:ops"
cron = "0 9 * * 1-5"
zone = "Europe/Amsterdam"
"#;
    let rest = "[server]\nlink_hosts = [\"wiki.ej.example\"]\n[operators]\npeople = [\"bas\"]\nwebhooks = [\"desk\"]\n\
        [defaults]\nservice = \"ledger\"\n[[person]]\nid = \"cleo\"\n[[service]]\nid = \"ledger\"\nteam = \"payments\"\n\
        [[webhook]]\nid = \"desk\"\nurl = \"https://desk.ej.example/\"\n";
    let dir = dir(&[("opsbell.toml", rest.as_bytes()), ("teams/payments.toml", sample.as_bytes())]);
    let loaded = catalog::load_dir(dir.path(), &|_| Some("a key of some length\n".to_owned())).expect("readable");
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Form::Plain));
    let config = loaded.config.expect("good");
    let rotation = &config.org.schedules["payments-primary"].rotations[0];
    assert_eq!((rotation.every, rotation.handoff_day), (Every::Weeks(1), Some(chrono::Weekday::Mon)));
    assert_eq!(rotation.members.len(), 2);
    assert_eq!(config.org.people["bas"].notify_high.as_ref().expect("own rules")[2].after, Span::mins(5));
    assert_eq!(config.org.teams["payments"].channel.as_ref().expect("one").to_string(), "discord:payments-ops");
    assert_eq!(config.secrets.ingest["prometheus"].expose(), "a key of some length");
    assert_eq!(config.org.integrations["prometheus"].group_by, ["alertname"]);
}

#[test]
fn twelve_mistakes_are_twelve_findings() {
    let at = Path::new("tests/config/twelve");
    let loaded = catalog::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join(at), &no_env).expect("readable");
    assert!(loaded.config.is_none());
    assert_eq!(loaded.errors(), 12);
    let wanted = [
        ("opsbell.toml", 2, "`localhost:8080` is not an address to listen on"),
        ("opsbell.toml", 6, "unknown service `payments-apo`"),
        ("opsbell.toml", 7, "unknown severity `serious`"),
        ("opsbell.toml", 10, "unknown source `alertmanger`"),
        ("opsbell.toml", 11, "`key`: a secret never stands in the configuration"),
        ("teams/payments.toml", 4, "unknown key `escalation_policy` in [[team]]"),
        ("teams/payments.toml", 9, "phone numbers never stand in the configuration"),
        ("teams/payments.toml", 10, "unknown time zone `Europe/Amsterdan`"),
        ("teams/payments.toml", 15, "`09:00` names no weekday, and a turn of weeks needs one"),
        ("teams/payments.toml", 19, "`repeat` takes a whole number from 0 to 5, not 9"),
        ("teams/payments.toml", 21, "unknown schedule `payments-primery`"),
        ("teams/payments.toml", 22, "`ten minutes` is not a duration"),
    ];
    let found: Vec<(&Path, usize, &str)> =
        loaded.findings.iter().map(|f| (Path::new(&f.file), f.line, f.message.as_str())).collect();
    let shown = render(&loaded.findings, Form::Plain);
    assert_eq!(found.len(), 12, "{shown}");
    for ((file, line, message), (path, found_line, found_message)) in wanted.into_iter().zip(found) {
        assert!(path.ends_with(at.join(file)), "{}", path.display());
        assert_eq!((line, message), (found_line, found_message));
        // Each is printed with its file, its line's number and the line itself; a secret and a phone number masked.
        let text = fs::read_to_string(path).expect("readable");
        let text = text.lines().nth(line - 1).expect("that line");
        let text = text.replace("\"c0ffee-c0ffee-c0ffee\"", &"*".repeat(22)).replace("+31612345678", &"*".repeat(12));
        let block = format!("{}:{line}: error: {message}\n  {line:>4} | {text}\n", path.display());
        assert!(shown.contains(&block), "{block} is not in\n{shown}");
    }
    let drawn = render(&loaded.findings, Form::Graphical { colour: false, width: 120 });
    assert_eq!(drawn.matches("opsbell.toml:").count(), 5);
    assert_eq!(drawn.matches("payments.toml:").count(), 7);
    let json = serde_json::to_value(&loaded.findings).expect("json");
    assert_eq!(json[3]["hint"], "did you mean `alertmanager`?");
    assert_eq!(json[3]["text"], "source = \"alertmanger\"");
}

#[test]
fn a_first_configuration_has_nothing_to_find_and_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let new = dir.path().join("ops");
    let written = catalog::write_new(&new).expect("written");
    assert_eq!(written.len(), 7);
    assert!(written.iter().all(|path| path.is_file()));
    let loaded = catalog::load_dir(&new, &|_| Some("a key of some length".to_owned())).expect("readable");
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Form::Plain));
    assert!(catalog::not_built(&loaded.config.expect("good")).is_empty());
    assert_eq!(catalog::secrets_named(&new), ["OPSBELL_KEY_PROMETHEUS"]);
    for story in ["first", "playbooks"] {
        let outcome = opsbell::rehearsal::rehearse(&new.join(format!("stories/{story}.txt")), None).expect("it begins");
        assert!(outcome.passed() && outcome.held > 0, "{outcome}");
    }
    let again = catalog::write_new(&new).expect_err("not empty");
    assert!(again.to_string().contains("is not empty, and nothing in it is overwritten"), "{again}");
    let file = dir.path().join("file");
    fs::write(&file, "x").expect("written");
    assert!(catalog::write_new(&file).is_err());
}

#[test]
fn production_is_one_environment_by_whatever_word_it_is_configured() {
    let mut files = catalog::example();
    let table = "[[approval]]\nid = \"by-word\"\nenvironments = [\"prod\"]\napprovers = [\"role:admin\"]\n";
    files.insert("by-word.toml".into(), table.to_owned());
    let loaded = catalog::load_files(&files, &no_env);
    assert_eq!(errors(&loaded), Vec::<String>::new());
    let org = loaded.config.expect("good").org;
    let rule = org.changes.approvers.iter().find(|rule| rule.id == "by-word").expect("it is there");
    assert_eq!(rule.environments, ["production"]);
}

#[test]
fn only_the_files_of_a_configuration_are_read() {
    let example = catalog::example();
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    for (path, text) in &example {
        put(path.to_str().expect("a name"), text);
    }
    let hash = || catalog::reload::hash_dir(dir.path()).expect("readable");
    let first = hash();
    for other in ["playbooks/more/x.toml", "stories/x.toml", ".git/x.toml", "a/.x.toml", "notes.txt", "teams.toml~"] {
        put(other, "this is not TOML");
    }
    // A server's data, as it keeps copies of configurations.
    for held in ["data/lock", "data/journal/1.jsonl", "data/config/0af3/opsbell.toml"] {
        put(held, "this is not TOML");
    }
    assert_eq!(hash(), first);
    // An organisation's own words are part of its configuration, and read by their own rules.
    put("commands/deploy.toml", "name = \"deploy\"\nsumary = \"x\"\n");
    assert_ne!(hash(), first);
    let loaded = catalog::load_dir(dir.path(), &no_env).expect("readable");
    assert!(errors(&loaded).iter().all(|f| f.contains("commands/deploy.toml:")), "{:?}", errors(&loaded));
    assert!(errors(&loaded).iter().any(|f| f.contains("deploy.toml:2: ")), "{:?}", errors(&loaded));
    put(
        "commands/deploy.toml",
        "name = \"hush\"\nsummary = \"Hold back pages\"\nrun = \"snooze\"\npermission = \"respond\"\n[[option]]\nname = \"duration\"\nsummary = \"How long\"\ntype = \"duration\"\nrequired = true\n",
    );
    let loaded = catalog::load_dir(dir.path(), &no_env).expect("readable");
    assert_eq!(errors(&loaded), Vec::<String>::new());
    let config = loaded.config.expect("good");
    assert_eq!(config.org.hash, hash());
    assert!(config.files.iter().any(|(path, _)| path == "commands/deploy.toml"));
    assert!(config.org.lexicon.commands.iter().any(|command| command.name == "hush"));
    put("deep/er/more.toml", "[[service]]\nid = \"kiosks\"\nteam = \"checkin\"\n[defaults]\nservice = \"kiosks\"\n");
    let loaded = catalog::load_dir(dir.path(), &no_env).expect("readable");
    assert_eq!(errors(&loaded).len(), 1);
    assert!(errors(&loaded)[0].ends_with("deep/er/more.toml:4: [defaults] stands in opsbell.toml only"));
}

#[test]
fn a_secret_may_stand_in_a_file_beside_the_configuration() {
    let mut files: Vec<(String, Vec<u8>)> = catalog::example()
        .into_iter()
        .map(|(path, text)| {
            let text = text.replace("key_env = \"OPSBELL_KEY_UPTIME\"", "key_file = \"keys/uptime\"");
            (path.display().to_string(), text.into_bytes())
        })
        .collect();
    files.push(("keys/uptime".to_owned(), b"s3cret-s3cret\r\n".to_vec()));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let with = dir(&files);
    let config = catalog::load_dir(with.path(), &no_env).expect("readable").config.expect("good");
    assert_eq!(config.secrets.ingest["uptime"].expose(), "s3cret-s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
    let without = dir(&files[..files.len() - 1]);
    let loaded = catalog::load_dir(without.path(), &no_env).expect("readable");
    assert!(loaded.findings.iter().any(|f| f.message.starts_with("this secret's file cannot be read")));
}

#[test]
fn directories_that_cannot_be_read_say_why() {
    let load = |path: &Path| catalog::load_dir(path, &no_env);
    let empty = tempfile::tempdir().expect("a directory");
    assert!(matches!(load(&empty.path().join("nowhere")), Err(Unreadable::Absent(_))));
    let error = load(empty.path()).expect_err("no main file");
    assert!(error.to_string().ends_with(" holds no opsbell.toml"), "{error}");
    let with = dir(&[("opsbell.toml", b"")]);
    assert!(matches!(load(&with.path().join("opsbell.toml")), Err(Unreadable::NotADirectory(_))));
    let bytes =
        dir(&[("opsbell.toml", b"[server]\nlisten = \"\xff\xfe\"\n"), ("big.toml", &vec![b'#'; 1024 * 1024 + 1])]);
    let found = errors(&load(bytes.path()).expect("readable"));
    assert!(found.iter().any(|f| f.contains("opsbell.toml:2: the file is not UTF-8")), "{found:?}");
    assert!(found.iter().any(|f| f.contains("big.toml: the file is larger than 1024 KiB")), "{found:?}");
    let many = tempfile::tempdir().expect("a directory");
    (0..=1000).for_each(|n| fs::write(many.path().join(format!("{n}.toml")), "").expect("written"));
    assert!(matches!(load(many.path()), Err(Unreadable::TooMuch(_))));
    #[cfg(unix)]
    {
        let looped = dir(&[("opsbell.toml", b"")]);
        std::os::unix::fs::symlink(looped.path(), looped.path().join("again")).expect("a link");
        assert!(matches!(load(looped.path()), Err(Unreadable::TooMuch(_) | Unreadable::Failed { .. })));
    }
}

/// Loads and renders whatever it is given; only that this ends is asked.
fn survive(files: &BTreeMap<PathBuf, String>) {
    let loaded = catalog::load_files(files, &|_| Some("x".to_owned()));
    let _ = render(&loaded.findings, Form::Plain);
    let _ = render(&loaded.findings, Form::Graphical { colour: true, width: 80 });
    assert_eq!(loaded.config.is_none(), loaded.errors() > 0);
    for finding in &loaded.findings {
        assert!(finding.line > 0 || finding.text().is_empty());
        assert!(!finding.message.contains('\n'));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_mutated_configuration_never_panics(
        which in 0usize..4,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..12),
    ) {
        let mut files = catalog::example();
        let path = files.keys().nth(which).expect("four files").clone();
        let mut bytes = files[&path].clone().into_bytes();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, b"[]{}\"'=.,#\n"[usize::from(byte) % 11]),
                _ => bytes[at] ^= 1 << (byte % 8),
            }
        }
        files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        survive(&files);
    }

    #[test]
    fn values_moved_about_never_panic(seed in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)) {
        // Right syntax, wrong places: the right-hand sides of two lines change places.
        let mut files = catalog::example();
        for text in files.values_mut() {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            for (a, b) in &seed {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                let (Some((left, x)), Some((right, y))) = (lines[a].split_once('='), lines[b].split_once('=')) else { continue };
                let (one, other) = (format!("{left}={y}"), format!("{right}={x}"));
                lines[a] = one;
                lines[b] = other;
            }
            *text = lines.join("\n");
        }
        survive(&files);
    }
}
