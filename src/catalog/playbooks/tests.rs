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
