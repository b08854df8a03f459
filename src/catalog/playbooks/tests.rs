//! What `check` says of playbooks: everything at once, with the place, and never a playbook that could reach more than it
//! is allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::catalog::{Finding, Loaded, load_files};
use crate::domain::playbook::spec::{Does, OnFailure};

const MAIN: &str = r#"
[operators]
people = ["ann"]
[defaults]
service = "api"
[perform]
programs = ["/usr/bin/printf", "/bin/sh"]
[[http-host]]
host = "deploy.example"
[[http-host]]
host = "127.0.0.1:8080"
private = true
[[team]]
id = "core"
escalation = "core"
[[person]]
id = "ann"
email = "ann@example.org"
notify.high = ["email"]
notify.low = ["email"]
[[escalation]]
id = "core"
steps = [{ page = ["person:ann"], escalate_after = "5m" }]
[[service]]
id = "api"
team = "core"
[mail]
host = "smtp.example"
from = "opsbell@example.org"
"#;

fn load(files: &[(&str, &str)]) -> Loaded {
    let mut all: BTreeMap<PathBuf, String> = BTreeMap::from([("opsbell.toml".into(), MAIN.to_owned())]);
    all.extend(files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())));
    load_files(&all, &|_| Some("a-secret-of-some-length".to_owned()))
}

fn findings(files: &[(&str, &str)]) -> Vec<String> {
    let told = |finding: &Finding| match &finding.hint {
        Some(hint) => format!("{}; {hint}", finding.brief()),
        None => finding.brief(),
    };
    load(files).findings.iter().map(told).collect()
}

#[test]
fn a_playbook_without_a_mistake_is_in_force_and_is_a_model() {
    let text = r#"
kind = "standard-change"
summary = "Deploy {{version}}"
[[parameter]]
name = "service"
type = "service"
required = true
[[parameter]]
name = "version"
[[step]]
http = "POST https://deploy.example/v1/{{service}}"
json = { version = "{{version}}" }
[[verify]]
id = "look"
http = "http://127.0.0.1:8080/{{service}}"
"#;
    let loaded = load(&[("playbooks/deploy.toml", text)]);
    assert_eq!(loaded.findings.len(), 0, "{:?}", loaded.findings);
    let org = loaded.config.expect("no errors").org;
    let playbook = &org.playbooks["deploy"];
    assert_eq!((playbook.steps[0].id.as_str(), playbook.steps[0].idempotent), ("http-1", false));
    assert_eq!((playbook.verify[0].idempotent, playbook.verify[0].on_failure), (true, OnFailure::Rollback));
    assert_eq!(org.changes.models["deploy"].plan, "1. http-1: POST https://deploy.example/v1/{{service}}");
}

#[test]
fn all_mistakes_are_told_with_their_lines() {
    let text = r#"
kind = "standrd-change"
sumary = "x"
[[parameter]]
name = "version"
pattern = '('
[[step]]
run = "/usr/bin/printf"
args = ["{{version}}", "{{vrsion}}"]
[[step]]
run = "/bin/sh"
args = ["-c", "echo {{version}}"]
[[step]]
run = "printf"
[[step]]
run = "/usr/bin/prinft"
[[step]]
http = "https://deploy.exmple/"
[[step]]
http = "http://deploy.example/"
[[step]]
http = "https://{{version}}.example/"
[[step]]
say = "a"
note = "b"
[[step]]
id = "empty"
[[step]]
ask = "Sure?"
of = "team:coer"
[[step]]
wait = "8d"
timeout = "1s"
[[rollback]]
note = "x"
[[rollback]]
run = "/usr/bin/printf"
on_failure = "rollback"
"#;
    let told = findings(&[("playbooks/p.toml", text)]);
    let wanted = [
        "playbooks/p.toml:2: unknown kind `standrd-change`; did you mean `standard-change`?",
        "playbooks/p.toml:3: unknown key `sumary` in a playbook; did you mean `summary`?",
        "playbooks/p.toml:6: this pattern cannot be read: unclosed group",
        "playbooks/p.toml:9: the value of `{{version}}` could be taken for an option",
        "playbooks/p.toml:8: there is no parameter `vrsion`; did you mean {{version}}?",
        "playbooks/p.toml:12: sh reads its arguments as a language",
        "playbooks/p.toml:14: `printf` is not the path of a program",
        "playbooks/p.toml:16: steps may not run `/usr/bin/prinft`; did you mean `/usr/bin/printf`?",
        "playbooks/p.toml:18: steps may not ask `deploy.exmple`; did you mean `deploy.example`?",
        "playbooks/p.toml:20: `deploy.example` would be asked without TLS",
        "playbooks/p.toml:22: `https://{{version}}.example/` is not an address that a step can ask",
        "playbooks/p.toml:23: this step does more than one thing",
        "playbooks/p.toml:26: this step does nothing",
        "playbooks/p.toml:30: unknown team `coer`; did you mean `core`?",
        "playbooks/p.toml:32: `8d` is too long",
        "playbooks/p.toml:33: unknown key `timeout` in [[step]]",
        "playbooks/p.toml:38: what takes back is not taken back itself",
    ];
    for line in wanted {
        assert!(told.iter().any(|finding| finding.starts_with(line)), "{line}\n{}", told.join("\n"));
    }
    assert_eq!(told.len(), wanted.len(), "{}", told.join("\n"));
}

const USES: &str = "kind = \"runbook\"\nsummary = \"s\"\n[[step]]\nuse = \"NAME\"\n";

#[test]
fn playbooks_that_use_each_other_in_a_circle_are_refused() {
    let uses = |name: &str| USES.replace("NAME", name);
    let (a, b, c, own) = (uses("b"), uses("c"), uses("b"), uses("own"));
    let told = findings(&[
        ("playbooks/a.toml", a.as_str()),
        ("playbooks/b.toml", b.as_str()),
        ("playbooks/c.toml", c.as_str()),
        ("playbooks/own.toml", own.as_str()),
    ]);
    let wanted = [
        "playbooks/c.toml:4: playbooks go in a circle: b → c → b; take one `use` out of it",
        "playbooks/own.toml:4: playbooks go in a circle: own → own; take one `use` out of it",
    ];
    assert_eq!(told, wanted);
    let told = findings(&[
        ("playbooks/a.toml", &uses("deplyo")),
        ("playbooks/deploy.toml", "kind = \"runbook\"\nsummary = \"s\"\n[[step]]\nnote = \"x\"\n"),
    ]);
    assert_eq!(told, ["playbooks/a.toml:4: there is no playbook `deplyo`; did you mean `deploy`?"]);
}

#[test]
fn a_playbook_that_is_used_keeps_what_its_parameters_may_be() {
    let used = "kind = \"runbook\"\nsummary = \"s\"\n[[parameter]]\nname = \"n\"\nrequired = true\nvalues = [\"1\", \"2\"]\n[[step]]\nid = \"do\"\nnote = \"{{n}} by {{by}}\"\n";
    let outer = |with: &str| {
        format!("kind = \"runbook\"\nsummary = \"s\"\n[[parameter]]\nname = \"m\"\n[[step]]\nuse = \"used\"\n{with}\n")
    };
    let both = |text: &str| findings(&[("playbooks/used.toml", used), ("playbooks/outer.toml", text)]);
    assert_eq!(both(&outer("with = { n = \"1\" }")), Vec::<String>::new());
    assert_eq!(both(&outer("with = { n = \"3\" }")), ["playbooks/outer.toml:6: `n` of `used`: `3` is none of 1, 2"]);
    assert!(both(&outer(""))[0].starts_with("playbooks/outer.toml:6: `used` needs `n` here"));
    // What one refuses must not come in by the other.
    let wide = both(&outer("with = { n = \"{{m}}\" }"));
    assert!(wide[0].starts_with("playbooks/outer.toml:6: `m` may be something that `n` of `used` may not"), "{wide:?}");
    let loaded = load(&[("playbooks/used.toml", used), ("playbooks/outer.toml", &outer("with = { n = \"2\" }"))]);
    let org = loaded.config.expect("no errors").org;
    let step = &org.playbooks["outer"].steps[0];
    assert_eq!((step.id.as_str(), &step.does), ("used.do", &Does::Note("2 by {{by}}".into())));
}

#[test]
fn a_word_of_ones_own_fits_its_playbook() {
    let playbook = "kind = \"runbook\"\nsummary = \"s\"\n[[parameter]]\nname = \"version\"\nrequired = true\n[[step]]\nnote = \"{{version}}\"\n";
    let word = |run: &str, option: &str| {
        format!(
            "name = \"go\"\nsummary = \"s\"\nrun = \"{run}\"\npermission = \"respond\"\n[[option]]\nname = \"{option}\"\nsummary = \"s\"\ntype = \"text\"\nrequired = true\n"
        )
    };
    let both = |text: &str| findings(&[("playbooks/deploy.toml", playbook), ("commands/go.toml", text)]);
    assert_eq!(both(&word("playbook:deploy", "version")), Vec::<String>::new());
    let told = both(&word("playbook:deplyo", "version"));
    assert_eq!(told, ["commands/go.toml:3: there is no playbook `deplyo`; did you mean `deploy`?"]);
    let told = both(&word("playbook:deploy", "verzion"));
    assert!(told[0].starts_with("commands/go.toml:3: `/go` does not ask for `version`"), "{told:?}");
    assert!(
        told[1].starts_with("commands/go.toml:3: `/go`: `deploy` has no parameter `verzion`; did you mean"),
        "{told:?}"
    );
}

#[test]
fn what_is_no_playbook_at_all_is_told_and_nothing_panics() {
    for text in
        ["", "=", "[[step]]\n", "step = 3\n", "kind = 1\nsummary = []\nstep = [1]\n", "step = [{ use = 3 }]\n", "\u{0}"]
    {
        assert!(load(&[("playbooks/x.toml", text)]).errors() > 0, "{text:?}");
    }
    assert!(load(&[("playbooks/Not A Name.toml", "")]).errors() > 0);
    let many: String = (0..70).map(|n| format!("[[step]]\nid = \"n{n}\"\nnote = \"x\"\n")).collect();
    let told = findings(&[("playbooks/x.toml", &format!("kind = \"runbook\"\nsummary = \"s\"\n{many}"))]);
    assert!(told[0].contains("at most 60"), "{told:?}");
}

/// The keys that the reader knows in the table where `zzz` stands, as it tells them itself.
fn known(files: &[(&str, &str)]) -> Vec<String> {
    let told = findings(files);
    let line = told.iter().find(|line| line.contains("zzz")).unwrap_or_else(|| panic!("{told:?}"));
    let keys = line.split("known keys: ").nth(1).unwrap_or_else(|| panic!("{line}"));
    keys.split(", ").map(str::to_owned).collect()
}

fn sorted(keys: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let set: std::collections::BTreeSet<String> = keys.into_iter().map(Into::into).collect();
    set.into_iter().collect()
}

#[test]
fn the_reference_has_every_key_that_the_reader_takes_and_no_other() {
    use super::line::DOES;
    use super::reference;
    let names = |keys: Vec<(&'static str, String)>| sorted(keys.into_iter().map(|(key, _)| key));
    let head = "kind = \"runbook\"\nsummary = \"x\"\n";
    let whole = format!("{head}zzz = 1\n[[step]]\nwait = \"1s\"");
    assert_eq!(sorted(known(&[("playbooks/p.toml", &whole)])), names(reference::playbook()));
    let parameter = format!("{head}[[parameter]]\nname = \"x\"\nzzz = 1\n[[step]]\nwait = \"1s\"");
    assert_eq!(sorted(known(&[("playbooks/p.toml", &parameter)])), names(reference::parameter()));
    let model = "model = \"restart\"\nurl = \"https://deploy.example\"\nzzz = 1";
    assert_eq!(sorted(known(&[("playbooks/p.toml", model)])), names(reference::model()));
    assert_eq!(reference::STEPS.iter().map(|step| step.word).collect::<Vec<_>>(), DOES);
    let mut all = vec!["id".to_owned()];
    for step in &reference::STEPS {
        let samples: &[&str] = match step.word {
            "wait" => &["deployment", "recovery"],
            "set-severity" => &["sev1"],
            "page" => &["team:core"],
            "silence" => &["name=x"],
            "http" => &["https://deploy.example/"],
            "run" => &["/usr/bin/printf"],
            _ => &["x"],
        };
        let mut taken = Vec::new();
        for sample in samples {
            let file = format!("{head}[[step]]\n{} = \"{sample}\"\nzzz = 1", step.word);
            taken.extend(known(&[("playbooks/p.toml", &file)]));
        }
        // What is sent is read by itself, and an empty reference to a playbook ends the reading.
        let said = step.with.iter().filter(|key| **key != "json").map(|key| (*key).to_owned());
        let said: Vec<String> = said.chain(["id".to_owned(), step.word.to_owned()]).collect();
        assert_eq!(sorted(taken), sorted(said), "{}", step.word);
        all.extend(step.with.iter().map(|key| (*key).to_owned()));
    }
    assert_eq!(sorted(all), names(reference::step()));
}

#[test]
fn what_a_step_does_inside_is_checked_as_far_as_it_is_known() {
    let text = r#"
kind = "runbook"
summary = "x"
[[parameter]]
name = "x"
[[step]]
page = "ann"
[[step]]
page = "person:bob"
[[step]]
page = "team:{{x}}"
[[step]]
set-severity = "sev9"
[[step]]
silence = "severity=~.*"
for = "1h"
reason = "y"
[[step]]
silence = 'name=~"{{x}}"'
for = "1h"
reason = "y"
[[step]]
silence = 'name="{{z}}"'
for = "400d"
reason = "y"
[[step]]
id = "no-end"
silence = "name=a"
[[step]]
request = "z"
[[step]]
request = "z"
of = "everybody"
[[step]]
change = "z"
service = "apo"
[[step]]
wait = "deploymnt"
[[step]]
wait = "deployment"
[[step]]
wait = "recovery"
alerts = "name"
[[step]]
wait = "8d"
"#;
    insta::assert_snapshot!(findings(&[("playbooks/bad.toml", text)]).join("\n"), @r#"
    playbooks/bad.toml:7: `ann` is nobody who could be paged; write person:NAME, team:NAME or service:NAME
    playbooks/bad.toml:9: unknown person `bob`; declared: ann
    playbooks/bad.toml:13: unknown severity `sev9`; did you mean `sev1`?
    playbooks/bad.toml:15: `severity=~.*` would silence everything.; Write matchers like alertname=DiskFull or instance=~"web.*" (also != and !~), service:NAME or key:KEY
    playbooks/bad.toml:19: The expression of `name` cannot be used: repetition operator missing expression; Write matchers like alertname=DiskFull or instance=~"web.*" (also != and !~), service:NAME or key:KEY
    playbooks/bad.toml:24: `400d` is too long; at most 12w6d
    playbooks/bad.toml:26: [[step]] has no `for`
    playbooks/bad.toml:26: [[step]] has no `reason`
    playbooks/bad.toml:29: [[step]] has no `of`
    playbooks/bad.toml:33: `everybody` is nobody who could answer; write person:NAME, team:NAME or role:admin
    playbooks/bad.toml:36: unknown service `apo`; did you mean `api`?
    playbooks/bad.toml:38: `deploymnt` is not a duration; write a time like 30s, or what is waited for: deployment or recovery
    playbooks/bad.toml:39: [[step]] has no `service`
    playbooks/bad.toml:43: `name` is not a matcher; Write matchers like alertname=DiskFull or instance=~"web.*" (also != and !~), service:NAME or key:KEY
    playbooks/bad.toml:45: `8d` is too long; at most 1w
    "#);
}

#[test]
fn a_remedy_is_checked_against_its_runbook() {
    let book = r#"
kind = "runbook"
summary = "x"
[[parameter]]
name = "service"
type = "service"
required = true
[[parameter]]
name = "spool"
required = true
pattern = "[a-z]+"
[[step]]
wait = "1s"
"#;
    let change = "kind = \"standard-change\"\nsummary = \"x\"\nservices = [\"api\"]\n[[step]]\nwait = \"1s\"";
    let remedies = r#"
[[remedy]]
id = "a"
runbook = "clear"
alerts = "name=full"
with = { spool = "{{label.spool}}" }
[[remedy]]
id = "a"
runbook = "clear"
alerts = "name=full"
with = { spool = "out" }
[[remedy]]
id = "b"
runbook = "cler"
alerts = "severity=~.*"
[[remedy]]
id = "b2"
runbook = "cler"
alerts = "name=full"
[[remedy]]
id = "c"
runbook = "clear"
alerts = "name={{x}}"
[[remedy]]
id = "d"
runbook = "clear"
alerts = "name=full"
with = { spol = "out" }
[[remedy]]
id = "e"
runbook = "clear"
alerts = "name=full"
with = { spool = "OUT" }
severity = "high"
per_hour = 0
before_page = "2h"
[[remedy]]
id = "f"
runbook = "clear"
alerts = "name=full"
with = { spool = "{{host}}" }
[[remedy]]
id = "g"
runbook = "change"
alerts = "name=full"
[[remedy]]
id = "h"
services = ["apu"]
"#;
    let files = [("playbooks/clear.toml", book), ("playbooks/change.toml", change), ("remedies.toml", remedies)];
    insta::assert_snapshot!(findings(&files).join("\n"), @r#"
    remedies.toml:8: a second [[remedy]] `a`; give one of them another `id`
    remedies.toml:15: `severity=~.*` would silence everything.; Write matchers like alertname=DiskFull or instance=~"web.*" (also != and !~), service:NAME or key:KEY
    remedies.toml:18: there is no playbook `cler`; did you mean `clear`?
    remedies.toml:23: nothing is known yet that a {{name}} could stand for; write the value itself
    remedies.toml:26: `clear` has no parameter `spol`; did you mean `spool`?
    remedies.toml:26: `clear` needs `spool`; write with = { spool = "…" }; "{{label.NAME}}" is what the alert says
    remedies.toml:31: `spool` of `clear`: `OUT` does not match [a-z]+
    remedies.toml:34: unknown severity `high`; write one of sev1, sev2, sev3, sev4
    remedies.toml:35: `per_hour` takes a whole number from 1 to 60, not 0
    remedies.toml:36: `2h` is too long for a page to wait; at most 30m
    remedies.toml:39: an alert says no `host`; it says service, environment, incident, alert, key, severity, integration and label.NAME
    remedies.toml:44: `change` is a standard-change, and alerts begin only runbooks; a change and a request are asked for by a person; write kind = "runbook", or another playbook
    remedies.toml:46: [[remedy]] has no `alerts`
    remedies.toml:46: [[remedy]] has no `runbook`
    remedies.toml:48: unknown service `apu`; did you mean `api`?
    "#);
}

#[test]
fn the_models_that_are_brought_along_pass_the_check() {
    use super::models::MODELS;
    let files: Vec<(String, String)> = MODELS
        .iter()
        .map(|(name, _)| {
            (format!("playbooks/{name}.toml"), format!("model = \"{name}\"\nurl = \"https://deploy.example/v1\""))
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let loaded = load(&files);
    assert_eq!(loaded.findings.len(), 0, "{:?}", loaded.findings);
    let org = loaded.config.expect("no errors").org;
    for (name, _) in MODELS {
        let playbook = &org.playbooks[name];
        assert!(org.changes.models.contains_key(name), "{name}");
        for step in playbook.steps.iter().chain(&playbook.verify).chain(&playbook.rollback) {
            let Does::Http(http) = &step.does else { panic!("{name}: {step:?}") };
            assert!(http.url.starts_with("https://deploy.example/v1/"), "{}", http.url);
        }
        assert!(!playbook.verify.is_empty(), "{name} shows that it worked");
    }
}

#[test]
fn what_is_wrong_with_the_use_of_a_model_is_told_in_the_file() {
    let bad = [
        ("playbooks/a.toml", "model = \"deplyo\"\nurl = \"https://deploy.example\""),
        ("playbooks/b.toml", "model = \"deploy\""),
        ("playbooks/c.toml", "model = \"deploy\"\nurl = \"https://{{service}}.example\""),
        ("playbooks/d.toml", "model = \"deploy\"\nurl = \"https://other.example/v1\""),
        (
            "playbooks/e.toml",
            "model = \"deploy\"\nurl = \"https://deploy.example\"\nservices = [\"apu\"]\nrisk = \"none\"",
        ),
        ("playbooks/f.toml", "model = \"restart\"\nurl = \"https://deploy.example/../..\""),
    ];
    insta::assert_snapshot!(findings(&bad).join("\n"), @r#"
    playbooks/a.toml:1: unknown model `deplyo`; did you mean `deploy`?
    playbooks/b.toml:1: a playbook has no `url`
    playbooks/c.toml:2: `https://{{service}}.example` is not where a server is; write it like https://deploy.ej.example/v1: what the model asks is put behind it
    playbooks/e.toml:3: unknown service `apu`; did you mean `api`?
    playbooks/e.toml:4: unknown risk `none`; write one of low, medium, high
    playbooks/f.toml:2: `https://deploy.example/../..` is not where a server is; write it like https://deploy.ej.example/v1: what the model asks is put behind it
    the model deploy, by playbooks/d.toml:27: steps may not ask `other.example`; if they may: [[http-host]] with host = "other.example"
    the model deploy, by playbooks/d.toml:34: steps may not ask `other.example`; if they may: [[http-host]] with host = "other.example"
    the model deploy, by playbooks/d.toml:41: steps may not ask `other.example`; if they may: [[http-host]] with host = "other.example"
    the model deploy, by playbooks/d.toml:48: steps may not ask `other.example`; if they may: [[http-host]] with host = "other.example"
    "#);
}

#[test]
fn an_item_says_who_approves_it_and_nothing_else_does() {
    let item = |kind: &str, more: &str| {
        format!("kind = \"{kind}\"\nsummary = \"Access\"\n{more}\n[[step]]\nsay = \"there it is\"\n")
    };
    let whole = "permission = \"declare\"\napprovers = [\"team:core\", \"person:ann\", \"role:admin\"]\nteam = \"core\"\ndue = \"2d\"";
    let loaded = load(&[("playbooks/access.toml", &item("request", whole))]);
    let org = loaded.config.expect("it is in force").org;
    let known = org.playbooks["access"].item.as_ref().expect("an item");
    assert_eq!((known.approvers.len(), known.team.as_ref().map(|team| team.as_str())), (3, Some("core")));
    assert_eq!(known.due, Some(crate::domain::time::Span::days(2)));
    let told = [
        findings(&[("playbooks/a.toml", &item("runbook", whole))]),
        findings(&[(
            "playbooks/b.toml",
            &item("request", "approvers = [\"ann\", \"team:cores\"]\nteam = \"x\"\ndue = \"soon\""),
        )]),
        findings(&[("playbooks/c.toml", &item("request", "approvers = \"team:core\""))]),
    ];
    let mut told = told.concat();
    told.sort();
    insta::assert_snapshot!(told.join("\n"), @r#"
    playbooks/a.toml:3: a runbook is run by responders; write permission = "respond"; only an item (kind = "request") is for everybody
    playbooks/a.toml:4: a runbook takes no `approvers`; write kind = "request", or take it out
    playbooks/a.toml:5: a runbook takes no `team`; write kind = "request", or take it out
    playbooks/a.toml:6: a runbook takes no `due`; write kind = "request", or take it out
    playbooks/b.toml:3: `ann` is nobody who could approve; write person:NAME, team:NAME or role:admin
    playbooks/b.toml:3: unknown team `cores`; did you mean `core`?
    playbooks/b.toml:4: unknown team `x`; declared: core
    playbooks/b.toml:5: `soon` is not a duration; write it like 30s, 5m, 1h30m or 2d
    playbooks/c.toml:3: `approvers` takes a list, not a text; put brackets around it: approvers = ["…"]
    "#);
}
