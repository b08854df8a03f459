//! Every kind of finding: one change to a good configuration, one finding, with the line and what to write instead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use opsbell::catalog::{self, Form, Loaded, Severity, render};

/// A configuration in which nothing is found, save the unset secrets.
const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8080"
link_hosts = ["wiki.ej.example"]
[operators]
people = ["bas"]
webhooks = ["desk"]
[defaults]
service = "ledger"
fallback = "payments"
severity = "high"
notify.high = ["chat", "sms after 3m"]
zone = "Europe/Amsterdam"
close_after = "3d"
[mail]
host = "smtp.ej.example"
from = "Opsbell <opsbell@ej.example>"
[[team]]
id = "payments"
channel = "payments-ops"
escalation = "payments"
[[person]]
id = "bas"
email = "bas@ej.example"
discord = "204255221017214977"
webhook = "desk"
role = "admin"
zone = "Europe/Amsterdam"
notify.high = ["chat", "email after 3m"]
[[person]]
id = "cleo"
[[schedule]]
id = "primary"
zone = "Europe/Amsterdam"
rotations = [{ every = "1 week", handoff = "Mon 09:00", start = 2026-12-07, members = ["bas", "cleo"] }]
[[escalation]]
id = "payments"
repeat = 2
ack_expires = "1h"
steps = [{ page = ["schedule:primary", "channel:payments"], escalate_after = "5m" }]
[[service]]
id = "payments-api"
team = "payments"
depends_on = ["ledger"]
runbook = "https://wiki.ej.example/payments"
[[service]]
id = "ledger"
team = "payments"
[[integration]]
id = "prometheus"
source = "alertmanager"
service = "payments-api"
key_env = "KEY_PROMETHEUS"
[[integration]]
id = "probes"
source = "generic"
key_env = "KEY_PROBES"
group_by = ["airport"]
map = { items = "$.alerts[*]", severities = { red = "critical" }, resolved = ["up"] }
[[webhook]]
id = "desk"
url = "https://desk.ej.example/hook"
secret_env = "SECRET_DESK"
[[summary]]
channel = "channel:ops"
cron = "0 9 * * 1-5"
zone = "Europe/Amsterdam"
"#;

fn set(name: &str) -> Option<String> {
    Some(format!("the value of {name}\n"))
}

fn load(text: &str) -> Loaded {
    catalog::load_files(&BTreeMap::from([(PathBuf::from("opsbell.toml"), text.to_owned())]), &set)
}

/// The good configuration with one part replaced; the part has to be there.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the good configuration");
    GOOD.replacen(from, to, 1)
}

/// Replaces one part, and wants exactly these findings: in the line that holds the first text, a message with the
/// second and a hint with the third.
#[track_caller]
fn finds(from: &str, to: &str, wanted: &[(&str, &str, &str)]) {
    let text = changed(from, to);
    let loaded = load(&text);
    let shown = render(&loaded.findings, Form::Plain);
    assert_eq!(loaded.findings.len(), wanted.len(), "for `{to}`:\n{shown}");
    for (finding, (line, message, hint)) in loaded.findings.iter().zip(wanted) {
        let hinted = finding.hint.as_deref().unwrap_or_default();
        let fits = finding.text().contains(line) && finding.message.contains(message) && hinted.contains(hint);
        assert!(fits, "wanted `{line}` / `{message}` / `{hint}`, got:\n{shown}");
        assert!(finding.line == 0 || finding.file == "opsbell.toml");
    }
    let refused = loaded.findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(loaded.config.is_none(), refused);
}

/// The usual case: one line replaced by a wrong one, found there.
#[track_caller]
fn one(from: &str, to: &str, message: &str, hint: &str) {
    finds(from, to, &[(to.lines().next().unwrap_or_default(), message, hint)]);
}

#[test]
fn rooms_and_stakeholders_say_what_they_take() {
    let discord = |lines: &str| format!("[chat.discord]\n{lines}\n[mail]");
    let finds = |lines: &str, message: &str, hint: &str| {
        let loaded = load(&changed("[mail]", &discord(lines)));
        let fits = |found: &catalog::Finding| {
            found.message.contains(message) && found.hint.as_deref().unwrap_or_default().contains(hint)
        };
        assert!(loaded.findings.iter().any(fits), "{lines}:\n{}", render(&loaded.findings, Form::Plain));
    };
    finds("rooms = \"channels\"", "rooms that are channels need a category", "rooms_category = ");
    finds("rooms = \"halls\"", "unknown kind of room `halls`", "threads");
    finds("rooms_archive = \"Old\"", "`rooms_archive` counts only for channels", "rooms = \"channels\"");
    finds("rooms = \"channels\"\nrooms_category = \" \"", "is no category", "its name or id");
    finds("stakeholders = [\"nobody\"]", "unknown person `nobody`", "declared: bas, cleo");
    finds("stakeholders = [\"cleo for checkout\"]", "unknown service `checkout`", "");
    finds("stakeholders = [\"cleo from sev9\"]", "`cleo from sev9` is no stakeholder", "NAME for SERVICE from sev2");
    let text = changed(
        "[mail]",
        &discord(
            "rooms = \"channels\"\nrooms_category = \"Incidents\"\nstakeholders = [\"cleo for payments-api from sev2\"]",
        ),
    );
    let loaded = load(&text);
    let other = loaded.findings.iter().filter(|found| !found.message.contains("has a rule with chat"));
    assert_eq!(other.count(), 0, "{}", render(&loaded.findings, Form::Plain));
}

#[test]
fn nothing_is_found_in_a_good_configuration() {
    let loaded = load(GOOD);
    assert!(loaded.findings.is_empty(), "{}", render(&loaded.findings, Form::Plain));
    let config = loaded.config.expect("no errors");
    assert_eq!(config.org.people.len(), 2);
    let org = &config.org;
    assert_eq!(org.rules(&"cleo".into(), true)[1].after.to_string(), "3m");
    assert_eq!(org.people["cleo"].zone, org.defaults.zone);
    assert_eq!(config.secrets.ingest["prometheus"].expose(), "the value of KEY_PROMETHEUS");
    assert_eq!(format!("{:?}", config.secrets).matches("the value").count(), 0);
    assert_eq!(config.org.hash.len(), 64);
    assert_eq!(config.org.summaries.len(), 1);
}

#[test]
fn unknown_keys_and_tables_are_answered_with_ours() {
    one("repeat = 2", "repaet = 2", "unknown key `repaet` in [[escalation]]", "did you mean `repeat`?");
    one("repeat = 2", "num_loops = 2", "unknown key `num_loops`", "here it is called `repeat`");
    one("close_after = \"3d\"", "colour = \"red\"", "unknown key `colour` in [defaults]", "known keys: service");
    finds(
        "handoff = \"Mon 09:00\", start",
        "handoff = \"Mon 09:00\", participants = [], start",
        &[("participants", "unknown key `participants` in a rotation", "`members`")],
    );
    finds(
        "members = [\"bas\", \"cleo\"]",
        "participants = [\"bas\"]",
        &[("participants", "unknown key `participants`", "`members`")],
    );
    finds(
        "every = \"1 week\"",
        "rotation_type = \"weekly\"",
        &[("rotation_type", "unknown key", "`every`: every = \"1 week\"")],
    );
    finds(
        "escalate_after = \"5m\"",
        "delay = \"5m\"",
        &[("delay", "unknown key `delay` in a step", "`escalate_after`")],
    );
    finds("rotations = [{", "layer = [{", &[("layer", "unknown key `layer`", "`rotations`")]);
    finds("steps = [{", "rule = [{", &[("rule", "unknown key `rule`", "`steps`")]);
    one("escalation = \"payments\"", "escalation_policy = \"payments\"", "unknown key", "`escalation`");
    // What a misnamed table declares is known all the same.
    one("[[person]]\nid = \"bas\"", "[[user]]\nid = \"bas\"", "unknown table `user`", "here it is called `[[person]]`");
    one("[[schedule]]", "[[shcedule]]", "unknown table `shcedule`", "`[[schedule]]`");
    one("[[summary]]", "[[kitchen]]", "unknown table `kitchen`", "known tables: defaults");
    finds("\n[server]", "colour = 1\n[server]", &[("colour = 1", "unknown key `colour`", "stands in a table")]);
    one("[[team]]", "[team]", "this table is one of a list", "write [[team]]");
    one("[defaults]", "[[defaults]]", "[defaults] is no list", "single brackets");
}

#[test]
fn values_of_a_wrong_type_name_the_right_one() {
    one("repeat = 2", "repeat = \"2\"", "`repeat` takes a whole number from 0 to 5, not a text", "");
    one("repeat = 2", "repeat = 6", "not 6", "");
    one("repeat = 2", "repeat = -1", "not -1", "");
    one("repeat = 2", "repeat = 99999999999999999999", "not 99999999999999999999", "");
    one("listen = \"127.0.0.1:8080\"", "listen = 8080", "`listen` takes a text in quotes, not a whole number", "");
    one(
        "depends_on = [\"ledger\"]",
        "depends_on = \"ledger\"",
        "`depends_on` takes a list, not a text",
        "depends_on = [\"…\"]",
    );
    one("depends_on = [\"ledger\"]", "depends_on = [1]", "`depends_on` takes a text in quotes", "");
    one("notify.high = [\"chat\", \"email after 3m\"]", "notify = true", "`notify` takes a table", "");
    one("service = \"payments-api\"\n", "may_acknowledge = \"yes\"\n", "`may_acknowledge` takes true or false", "");
    finds("steps = [{ page", "steps = [1, { page", &[("steps", "`steps` takes a list of tables", "")]);
    finds(
        "\n[server]",
        "\nserver = 1\n[kitchen]",
        &[
            ("server = 1", "[server] is a table, not a whole number", ""),
            ("[kitchen]", "unknown table `kitchen`", ""),
            ("runbook", "shown as plain text", ""),
        ],
    );
}

#[test]
fn missing_keys_show_how_they_are_written() {
    for (line, table, key) in [
        ("escalation = \"payments\"", "[[team]]", "escalation"),
        (
            "repeat = 2\nack_expires = \"1h\"\nsteps = [{ page = [\"schedule:primary\", \"channel:payments\"], escalate_after = \"5m\" }]",
            "[[escalation]]",
            "steps",
        ),
        ("source = \"alertmanager\"", "[[integration]]", "source"),
        ("key_env = \"KEY_PROMETHEUS\"", "[[integration]]", "key_env"),
        ("url = \"https://desk.ej.example/hook\"", "[[webhook]]", "url"),
        ("cron = \"0 9 * * 1-5\"", "[[summary]]", "cron"),
        ("host = \"smtp.ej.example\"", "[mail]", "host"),
        ("service = \"ledger\"", "[defaults]", "service"),
    ] {
        finds(line, "", &[(table, &format!("{table} has no `{key}`"), &format!("write {key} = "))]);
    }
    finds(
        "id = \"cleo\"",
        "",
        &[("[[person]]", "[[person]] has no `id`", "id = "), ("rotations", "unknown person `cleo`", "bas")],
    );
    finds(", start = 2026-12-07", "", &[("rotations", "a rotation has no `start`", "start = 2026-12-07")]);
    finds(", escalate_after = \"5m\"", "", &[("steps", "a step has no `escalate_after`", "5m")]);
}

#[test]
fn the_settings_that_every_organisation_needs() {
    let without = |from: &str, to: &str| {
        let text = GOOD.split_once(from).map(|(a, b)| format!("{a}{}", &b[b.find(to).expect("the next table")..]));
        load(&text.expect("the table")).findings.iter().map(|f| f.brief()).collect::<Vec<_>>()
    };
    assert_eq!(without("[operators]", "[defaults]"), ["opsbell.toml: there is no [operators]"]);
    assert_eq!(without("[defaults]", "[mail]"), ["opsbell.toml: there is no [defaults] with a `service`"]);
    finds("webhooks = [\"desk\"]", "", &[]);
    finds(
        "people = [\"bas\"]\nwebhooks = [\"desk\"]",
        "people = [\"cleo\"]",
        &[("[operators]", "by chat only", "email or a webhook")],
    );
    // A person whose only way is mail, and no mail server.
    let text = GOOD.replace("webhooks = [\"desk\"]", "").replace("webhook = \"desk\"", "");
    let text = text.replace("[mail]\nhost = \"smtp.ej.example\"\nfrom = \"Opsbell <opsbell@ej.example>\"", "");
    let text = text.replace(", \"email after 3m\"", ", \"voice\"");
    let loaded = load(&text);
    assert_eq!(loaded.findings.len(), 1, "{:?}", loaded.findings);
    assert!(loaded.findings[0].message.contains("there is no [mail]") && loaded.findings[0].text() == "[operators]");
    assert!(loaded.config.is_some());
}

#[test]
fn a_mail_server_is_told_both_or_neither_and_no_password_in_the_clear() {
    let mail = |lines: &str, found: &[(&str, &str, &str)]| {
        finds("host = \"smtp.ej.example\"", &format!("host = \"smtp.ej.example\"\n{lines}"), found);
    };
    let login = "username = \"opsbell\"\npassword_env = \"SMTP_PASSWORD\"";
    mail(login, &[]);
    mail("tls = \"none\"", &[]);
    let clear = "the password would go over the network in the clear";
    mail(&format!("tls = \"none\"\n{login}"), &[("tls = \"none\"", clear, "starttls")]);
    finds("host = \"smtp.ej.example\"", &format!("host = \"localhost\"\ntls = \"none\"\n{login}"), &[]);
    mail("username = \"opsbell\"", &[("username", "a username without a password", "password_env")]);
    mail("password_env = \"SMTP_PASSWORD\"", &[("[mail]", "a password without a username", "username = ")]);
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    one(
        "escalation = \"payments\"",
        "escalation = \"paymints\"",
        "unknown escalation `paymints`",
        "did you mean `payments`?",
    );
    one("team = \"payments\"\ndepends_on", "team = \"paymentz\"\ndepends_on", "unknown team `paymentz`", "`payments`");
    one("depends_on = [\"ledger\"]", "depends_on = [\"legder\"]", "unknown service `legder`", "`ledger`");
    one("service = \"payments-api\"", "service = \"api\"", "unknown service `api`", "declared: ledger, payments-api");
    one("service = \"ledger\"", "service = \"legder\"", "unknown service `legder`", "`ledger`");
    one("fallback = \"payments\"", "fallback = \"x\"", "unknown escalation `x`", "declared: payments");
    one("webhook = \"desk\"", "webhook = \"disk\"", "unknown webhook `disk`", "`desk`");
    one("people = [\"bas\"]", "people = [\"baz\"]", "unknown person `baz`", "`bas`");
    finds("\"schedule:primary\"", "\"schedule:primarry\"", &[("steps", "unknown schedule `primarry`", "`primary`")]);
    finds("\"schedule:primary\"", "\"person:clio\"", &[("steps", "unknown person `clio`", "`cleo`")]);
    finds("\"cleo\"] }]", "\"clea\"] }]", &[("rotations", "unknown person `clea`", "`cleo`")]);
}

#[test]
fn names_are_small_and_given_once() {
    finds(
        "[[schedule]]",
        "[[person]]\nid = \"bas\"\n[[schedule]]",
        &[("id = \"bas\"", "person `bas` is declared twice", "the first is at opsbell.toml:23")],
    );
    one("id = \"probes\"", "id = \"The Probes!\"", "`The Probes!` is not a name", "`the-probes`");
    one("id = \"prometheus\"", "id = \"\"", "`` is not a name", "1 to 63");
    one("id = \"prometheus\"", &format!("id = \"{}\"", "x".repeat(64)), "is not a name", "1 to 63");
    finds(
        "id = \"cleo\"",
        "id = \"administrator\"",
        &[
            ("administrator", "no person can be called `administrator`", "a name of their own"),
            ("rotations", "unknown person `cleo`", ""),
        ],
    );
}

#[test]
fn values_say_what_to_write_instead() {
    let zone = "zone = \"Europe/Amsterdam\"\nclose";
    one(zone, "zone = \"Europe/Amsterdm\"\nclose", "unknown time zone `Europe/Amsterdm`", "`Europe/Amsterdam`");
    one(zone, "zone = \"Amsterdam\"\nclose", "unknown time zone", "did you mean `Europe/Amsterdam`?");
    one(zone, "zone = \"new york\"\nclose", "unknown time zone", "did you mean `America/New_York`?");
    one(zone, "zone = \"+01:00\"\nclose", "unknown time zone", "IANA");
    one("close_after = \"3d\"", "close_after = \"soon\"", "`soon` is not a duration", "1h30m");
    one("close_after = \"3d\"", "close_after = \"0s\"", "too short", "1s");
    one("severity = \"high\"", "severity = \"hihg\"", "unknown severity `hihg`", "did you mean `high`?");
    one("severity = \"high\"", "severity = \"catastrophe\"", "unknown severity", "critical, high, warning, info");
    one("role = \"admin\"", "role = \"owner\"", "unknown role", "stakeholder, responder, admin");
    one("email = \"bas@ej.example\"", "email = \"bas at ej\"", "this is not a mail address", "bas@ej.example");
    one("discord = \"204255221017214977\"", "discord = \"bas#1234\"", "not a Discord user id", "Copy User ID");
    one("listen = \"127.0.0.1:8080\"", "listen = \"localhost\"", "not an address to listen on", "127.0.0.1:8080");
    one(
        "link_hosts = [\"wiki.ej.example\"]",
        "link_hosts = [\"wiki.ej.example\", \"https://x\"]",
        "not the name of a host",
        "",
    );
    one("host = \"smtp.ej.example\"", "host = \"smtp ej\"", "not the name of a host", "");
    one("channel = \"payments-ops\"", "channel = \"dicsord:payments\"", "unknown chat platform `dicsord`", "`discord`");
    one("channel = \"payments-ops\"", "channel = \"@here\"", "not the name of a channel", "");
    one("url = \"https://desk.ej.example/hook\"", "url = \"ftp://x\"", "not an http or https address", "https://");
    finds(
        "https://desk.ej.example/hook",
        "https://u:p@x/",
        &[("url = \"https:******x/\"", "a secret never stands", "before the @")],
    );
    one("runbook = \"https://wiki.ej.example/payments\"", "runbook = \"the wiki\"", "not an http or https", "");
    let runbook = "runbook = \"https://wiki.ej.example/payments\"";
    let address = [("repositories", "is an address, not a name", "org/repo")];
    for wrong in ["https://github.com/ej/api", "git@github.com:ej/api", "ej/api.git"] {
        finds(runbook, &format!("repositories = [\"{wrong}\"]"), &address);
    }
    finds(runbook, "repositories = [\"ej api\"]", &[("repositories", "is not the name of a repository", "org/repo")]);
    finds(runbook, "repository = \"ej/api\"", &[("repository", "repository", "repositories")]);
    finds(runbook, "repositories = [\"ej/api\", \"EJ/API\"]", &[]);
    one("source = \"alertmanager\"", "source = \"alertmanger\"", "unknown source", "`alertmanager`");
    one("source = \"alertmanager\"", "source = \"prometheus\"", "unknown source", "source = \"alertmanager\"");
    one("source = \"alertmanager\"", "source = \"nagios\"", "unknown source", "alertmanager, aws-deploy");
    one("group_by = [\"airport\"]", "group_by = [\"air port\"]", "not the name of a label", "");
    finds("$.alerts[*]", "$.alerts[", &[("map", "`$.alerts[` is not a JSONPath expression", "$.alerts[*]")]);
    finds("red = \"critical\"", "red = \"bad\"", &[("map", "unknown severity `bad`", "critical")]);
    finds("service = \"payments-api\"\n", "map = {}\n", &[("map", "for the source `generic` only", "leave it out")]);
}

#[test]
fn turns_and_hand_offs_fit_each_other() {
    let turn = |from: &str, to: &str, message: &str, hint: &str| finds(from, to, &[("rotations", message, hint)]);
    turn("1 week", "weekly", "not the length of a turn", "write `1 week`");
    turn("1 week", "0 weeks", "not the length of a turn", "from 1 to 104");
    turn("1 week", "1 fortnight", "not the length of a turn", "2 weeks");
    turn("Mon 09:00", "09:00", "names no weekday", "`Mon 09:00`");
    turn("Mon 09:00", "Mon 9:00", "not a hand-off", "`Mon 09:00`");
    turn("Mon 09:00", "Mon 25:00", "not a hand-off", "`Mon 09:00`");
    turn("Mon 09:00", "Mun 09:00", "`Mun` is not a weekday", "`Mon 09:00`");
    turn("every = \"1 week\"", "every = \"1 day\"", "shorter than a week", "`09:00`");
    turn("2026-12-07", "\"2026-13-07\"", "`2026-13-07` is not a date", "2026-12-07");
    turn("2026-12-07", "2026-12-07T09:00:00Z", "is not a date", "2026-12-07");
    turn("2026-12-07", "2126-12-07", "out of range", "2099");
    turn("2026-12-07", "7", "`start` takes a date", "");
    turn("members = [\"bas\", \"cleo\"]", "members = []", "`members` is empty", "in order");
    for (good, every, handoff) in [("days", "2 days", "09:00"), ("hours", "12 hours", "20:00")] {
        let text = changed(
            "every = \"1 week\", handoff = \"Mon 09:00\"",
            &format!("every = \"{every}\", handoff = \"{handoff}\""),
        );
        assert!(load(&text).findings.is_empty(), "{good}");
    }
}

#[test]
fn rules_and_targets() {
    let rule = |to: &str, message: &str, hint: &str| {
        finds("\"chat\", \"email after 3m\"", to, &[("notify.high", message, hint)])
    };
    rule("\"smoke signals\"", "unknown method `smoke`", "chat, email, webhook, sms, voice, push");
    rule("\"call after 3m\"", "unknown method `call`", "`voice`");
    rule("\"slack\"", "unknown method `slack`", "`chat`");
    rule("\"emial\"", "unknown method `emial`", "did you mean `email`?");
    rule("\"email 3m\"", "`email 3m` is not a rule", "`email after 3m`");
    rule("\"email after\"", "is not a rule", "after 3m");
    rule("\"email after ages\"", "`ages` is not a duration", "30s");
    rule("\"chat\", \"chat\"", "`chat` stands here twice", "leave one");
    rule("\"\"", "unknown method ``", "chat");
    finds(
        "notify.high = [\"chat\", \"email after 3m\"]",
        "notify.high = []",
        &[("notify.high", "`high` is empty", "default")],
    );
    let target = |to: &str, message: &str, hint: &str| finds("\"schedule:primary\"", to, &[("steps", message, hint)]);
    target("\"primary\"", "`primary` is not a target", "person:…, schedule:…");
    target("\"user:bas\"", "`user:bas` is not a target", "`person:bas`");
    target("\"team:payments\"", "is not a target", "channel:NAME");
    target("\"scheduel:primary\"", "unknown kind of target `scheduel`", "`schedule`");
    finds(
        "page = [\"schedule:primary\", \"channel:payments\"]",
        "page = []",
        &[("steps", "`page` is empty", "schedule:…")],
    );
    finds(
        "steps = [{ page = [\"schedule:primary\", \"channel:payments\"], escalate_after = \"5m\" }]",
        "steps = []",
        &[("steps = []", "`steps` is empty", "one step")],
    );
}

#[test]
fn a_rule_needs_its_address() {
    finds("email = \"bas@ej.example\"", "", &[("email after 3m", "`bas` has no email", "give the person an email")]);
    finds("email after 3m\"]\n", "webhook\"]\n", &[]);
    let text = changed("email after 3m\"]\n", "webhook\"]\n").replace("webhook = \"desk\"", "");
    assert!(load(&text).findings[0].message.contains("`bas` has no webhook, and this rule needs one"));
    // A default rule is reported where the person is declared.
    let wanted = ("id = \"cleo\"", "`cleo` has no email, and the rules of [defaults] need one", "email");
    finds("\"sms after 3m\"", "\"email after 3m\"", &[wanted]);
}

#[test]
fn services_do_not_need_themselves() {
    finds(
        "id = \"ledger\"\n",
        "id = \"ledger\"\ndepends_on = [\"payments-api\"]\n",
        // The line that closes the circle.
        &[("depends_on = [\"ledger\"]", "in a circle: ledger → payments-api → ledger", "leave out")],
    );
    one("depends_on = [\"ledger\"]", "depends_on = [\"payments-api\"]", "payments-api → payments-api", "");
}

#[test]
fn secrets_and_phone_numbers_are_refused_and_not_shown() {
    for (from, to, hint) in [
        ("key_env = \"KEY_PROMETHEUS\"", "key = \"hunter2-hunter2\"", "write key_env = "),
        ("secret_env = \"SECRET_DESK\"", "secret = 'hunter2-hunter2'", "write secret_env = "),
        (
            "host = \"smtp.ej.example\"",
            "host = \"smtp.ej.example\"\npassword = \"hunter2-hunter2\"",
            "write password_env = ",
        ),
        ("role = \"admin\"", "api_token = \"hunter2-hunter2\"", "leave it out"),
        ("key_env = \"KEY_PROMETHEUS\"", "key_env = \"hunter2-hunter2\"", "such as OPSBELL_KEY_PROMETHEUS"),
    ] {
        let loaded = load(&changed(from, to));
        let [finding] = loaded.findings.as_slice() else { panic!("{:?}", loaded.findings) };
        assert!(finding.hint.as_deref().is_some_and(|got| got.contains(hint)), "{:?}", finding.hint);
        for form in [Form::Plain, Form::Graphical { colour: false, width: 100 }] {
            assert!(!render(&loaded.findings, form).contains("hunter2"), "{}", render(&loaded.findings, form));
        }
        assert!(!serde_json::to_string(&loaded.findings).expect("json").contains("hunter2"));
    }
    for line in [
        "phone = \"+31612345678\"",
        "mobile = 31612345678",
        "nickname = \"tel:+31 6 1234 5678\"",
        "email = \"+31612345678\"",
    ] {
        let from = if line.starts_with("email") { "email = \"bas@ej.example\"" } else { "role = \"admin\"" };
        let loaded = load(&changed(from, line));
        let shown = render(&loaded.findings, Form::Plain);
        assert!(loaded.findings[0].message.contains("phone numbers never stand"), "{shown}");
        assert!(
            shown.contains("write email = ") && !shown.contains("/contact add") && !shown.contains("12345678\""),
            "{shown}"
        );
    }
}

#[test]
fn two_senders_with_one_key_are_refused() {
    // By the same name it is seen without the key; by the same value wherever that stands.
    finds(
        "key_env = \"KEY_PROBES\"",
        "key_env = \"KEY_PROMETHEUS\"",
        &[("key_env = \"KEY_PROMETHEUS\"", "this key is that of `prometheus` as well", "a key of its own")],
    );
    let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), GOOD.to_owned())]);
    let shared = |same: bool| {
        let value = move |name: &str| Some(format!("a value of {}", if same { "both" } else { name }));
        let config = catalog::load_files(&files, &value).config.expect("a rehearsal does without the keys");
        catalog::unusable_secrets(&config)
    };
    let [finding] = <[_; 1]>::try_from(shared(true)).expect("one finding");
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.contains("as well") && !finding.message.contains("a value of"), "{}", finding.message);
    assert!(shared(false).is_empty());
}

#[test]
fn a_summary_is_mailed_to_whoever_has_an_address() {
    let text = changed("[[summary]]", "[[person]]\nid = \"paperless\"\n[[summary]]\nmail_to = [\"paperless\"]");
    let loaded = load(&text);
    let found = loaded.findings.iter().find(|it| it.message.contains("this summary is not mailed"));
    let found = found.unwrap_or_else(|| panic!("{}", render(&loaded.findings, Form::Plain)));
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.message.contains("`paperless`"));
}

#[test]
fn a_secret_that_is_not_there_is_a_warning() {
    let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), GOOD.to_owned())]);
    let loaded = catalog::load_files(&files, &|name| (name != "KEY_PROBES").then(|| format!("the value of {name}")));
    let [finding] = loaded.findings.as_slice() else { panic!("{:?}", loaded.findings) };
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.message, "KEY_PROBES is not set; serve will refuse");
    let config = loaded.config.expect("warnings only");
    assert_eq!(catalog::missing_secrets(&config).len(), 1);
    // An empty one is as good as none.
    assert_eq!(catalog::load_files(&files, &|_| Some("\n".to_owned())).findings.len(), 3);
    finds(
        "key_env = \"KEY_PROBES\"",
        "key_env = \"KEY_PROBES\"\nkey_file = \"/x\"",
        &[("key_file", "both `key_env` and `key_file`", "one of them")],
    );
    one("key_env = \"KEY_PROBES\"", "key_file = \"/nowhere/at/all\"", "this secret's file cannot be read", "");
}

#[test]
fn a_signing_secret_that_is_none_is_found_where_it_is_named() {
    let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), GOOD.to_owned())]);
    let with = |secret: &'static str| {
        catalog::load_files(&files, &move |name| {
            if name == "SECRET_DESK" { Some(secret.to_owned()) } else { set(name) }
        })
    };
    let line = 1 + GOOD.lines().position(|line| line.starts_with("secret_env")).expect("it is there");
    for (secret, why) in [("whsec_hunter!!", "is not base64"), ("whsec_", "is empty"), ("  ", "is empty")] {
        // Who sends nothing does without it.
        let config = with(secret).config.expect("it loads");
        let found = catalog::unusable_secrets(&config);
        let [finding] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((finding.severity, finding.line), (Severity::Error, line), "{finding:?}");
        assert!(finding.message.contains(why) && !finding.message.contains("hunter"), "{finding:?}");
    }
    let config = with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").config.expect("it loads");
    assert!(catalog::unusable_secrets(&config).is_empty());
}

#[test]
fn where_a_code_host_is_answered_is_looked_at() {
    let with = |lines: &str| {
        let text =
            format!("{GOOD}[[integration]]\nid = \"host\"\nsource = \"gitlab\"\nkey_env = \"KEY_HOST\"\n{lines}\n");
        catalog::load_files(&BTreeMap::from([(PathBuf::from("opsbell.toml"), text)]), &|name| {
            Some(format!("the value of {name}"))
        })
    };
    let base = |loaded: &Loaded| {
        let org = &loaded.config.as_ref().expect("it loads").org;
        org.integrations["host"].answers.as_deref().map(str::to_owned)
    };
    assert_eq!(base(&with("")), None);
    let own = with("answer_token_env = \"TOKEN_HOST\"");
    assert_eq!(base(&own).as_deref(), Some("https://gitlab.com"));
    assert!(own.config.expect("it loads").secrets.answers.contains_key("host"));
    let said = with("answer_token_env = \"TOKEN_HOST\"\nanswer_url = \"https://gitlab.ej.example/forge/\"");
    assert_eq!(base(&said).as_deref(), Some("https://gitlab.ej.example/forge"));
    for (lines, expected) in [
        ("answer_url = \"https://gitlab.ej.example\"", "without a token"),
        ("answer_token_env = \"T\"\nanswer_url = \"https://u:p@gitlab.ej.example\"", "a secret never stands"),
        ("answer_token_env = \"T\"\nanswer_url = \"https://gitlab.ej.example?x=1\"", "more than a host and a path"),
        ("answer_token_env = \"T\"\nanswer_url = \"gitlab.ej.example\"", "not an http or https address"),
        ("answer_token_env = \"T\"\nanswer_url = \"http://gitlab.ej.example\"", "in the clear"),
    ] {
        let found = with(lines).findings;
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].message.contains(expected), "{lines}: {found:?}");
    }
    finds(
        "source = \"alertmanager\"",
        "source = \"alertmanager\"\nanswer_token_env = \"T\"",
        &[("answer_token_env", "`github` and `gitlab` only", "leave it out")],
    );
}

#[test]
fn a_key_that_could_be_guessed_is_a_warning_that_gives_nothing_of_it_away() {
    let files = BTreeMap::from([(PathBuf::from("opsbell.toml"), GOOD.to_owned())]);
    let loaded = catalog::load_files(&files, &|name| {
        Some(if name == "KEY_PROBES" { "hunter2".to_owned() } else { format!("the value of {name}") })
    });
    let [finding] = loaded.findings.as_slice() else { panic!("{:?}", loaded.findings) };
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.message, "this ingest key is weak: it has fewer than 16 characters");
    assert!(!render(&loaded.findings, Form::Plain).contains("hunter2"));
    assert!(loaded.config.is_some());
}

#[test]
fn what_is_not_built_is_refused_by_serve_only() {
    let config =
        load(&changed("channel = \"payments-ops\"", "channel = \"discord:payments-ops\"")).config.expect("good");
    let refused: Vec<String> = catalog::not_built(&config).iter().map(|f| f.brief()).collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().any(|f| f.contains(":12: the contact method sms is not built yet")), "{refused:?}");
    assert!(refused.iter().any(|f| f.contains(":20: there is no [chat.discord]")), "{refused:?}");
    assert!(
        refused.iter().any(|f| f.contains(":8: without `notify.low`, `bas` is reached by chat only")),
        "{refused:?}"
    );
    let text = changed("[mail]", "[chat.discord]\napi_base = \"http://127.0.0.1:9\"\ntoken_env = \"TOKEN\"\n[mail]");
    let config = load(&text).config.expect("good");
    assert_eq!(config.secrets.chat["discord"].expose(), "the value of TOKEN");
    assert_eq!(config.chat["discord"].api_base.as_deref(), Some("http://127.0.0.1:9"));
    finds("[mail]", "[chat.dicsord]\n[mail]", &[("[chat.dicsord]", "unknown chat platform `dicsord`", "`discord`")]);
}

#[test]
fn rules_of_chat_alone_are_refused_by_serve() {
    let refused = |text: &str| -> Vec<String> {
        let config = load(text).config.expect("good");
        let told = catalog::not_built(&config).into_iter().filter(|f| f.message.contains("no chat is connected"));
        told.map(|f| format!("{}: {}", f.brief(), f.hint.unwrap_or_default())).collect()
    };
    let low = "notify.low = [\"webhook\", \"chat\"]\nzone = \"Europe/Amsterdam\"\nclose";
    let good = changed("zone = \"Europe/Amsterdam\"\nclose", low)
        .replace("[[person]]\nid = \"cleo\"", "[[person]]\nid = \"cleo\"\nwebhook = \"desk\"");
    assert!(refused(&good).is_empty(), "{:?}", refused(&good));
    // A person's own, and those of the defaults, whether late or at once.
    for (from, to, line) in [
        ("notify.high = [\"chat\", \"email after 3m\"]", "notify.high = [\"chat\", \"chat after 3m\"]", ":30: `high`"),
        ("notify.low = [\"webhook\", \"chat\"]", "notify.low = [\"chat after 1m\"]", ":13: `low`"),
    ] {
        let found = refused(&good.replacen(from, to, 1));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(line) && found[0].contains("add email or webhook"), "{found:?}");
    }
}

#[test]
fn what_is_odd_is_a_warning() {
    one(
        "runbook = \"https://wiki.ej.example/payments\"",
        "runbook = \"https://other.example/x\"",
        "links to other.example",
        "link_hosts",
    );
    finds("\"schedule:primary\", ", "", &[("id = \"payments\"", "pages no person", "a channel wakes nobody")]);
    let text = changed("\"chat\", \"email after 3m\"", "\"chat\"").replace("\"chat\", \"sms after 3m\"", "\"chat\"");
    let loaded = load(&text);
    assert_eq!(loaded.findings.len(), 1, "{:?}", loaded.findings);
    assert!(loaded.findings[0].message.contains("reached by chat only"));
    let config = load(GOOD).config.expect("good");
    let at = |text: &str| catalog::gaps_at(&config, text.parse().expect("a time"));
    assert_eq!(
        at("2026-12-07T07:59:59Z")[0].message,
        "nobody holds this rotation of `primary` before 2026-12-07 09:00 Europe/Amsterdam"
    );
    assert!(at("2026-12-07T08:00:00Z").is_empty());
}

#[test]
fn cron_expressions() {
    for bad in [
        "",
        "* * * *",
        "0 9 * * 1-5 *",
        "60 * * * *",
        "0 9 0 * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "+1 * * * *",
        "0 9 30 2 *",
    ] {
        let loaded = load(&changed("0 9 * * 1-5", bad));
        assert_eq!(loaded.findings.len(), 1, "`{bad}`: {:?}", loaded.findings);
    }
    for good in ["*/5 * * * *", "0 9 1,15 jan-jun Mon-Fri", "30 8-18/2 * * 7"] {
        assert!(load(&changed("0 9 * * 1-5", good)).findings.is_empty(), "{good}");
    }
}

#[test]
fn syntax_errors_are_all_found_and_nothing_is_guessed() {
    let text = GOOD
        .replacen("id = \"bas\"", "id = \"bas", 1)
        .replacen("repeat = 2", "repeat = ", 1)
        .replacen("url =", "ulr =", 1);
    let loaded = load(&text);
    let found: Vec<(usize, &str)> = loaded.findings.iter().map(|f| (f.line, f.message.as_str())).collect();
    assert_eq!(found.len(), 3, "{}", render(&loaded.findings, Form::Plain));
    assert!(found[0].0 == 23 && found[0].1.starts_with("this is not TOML: invalid basic string"));
    assert!(found[1].0 == 38 && found[1].1.starts_with("this is not TOML"));
    assert!(found[2].1 == "unknown key `ulr` in [[webhook]]");
}

#[test]
fn files_of_any_size_and_shape_are_answered() {
    for text in [
        String::new(),
        "\u{feff}".to_owned() + GOOD,
        GOOD.replace('\n', "\r\n"),
        "[".repeat(100_000),
        "a.".repeat(100_000) + "a = 1",
        format!("x = {}", "{a=".repeat(50_000)),
        "x = 1\n".repeat(10_000),
        (0..10_000).map(|n| format!("k{n} = {n}\n")).collect(),
        "x".repeat(2 * 1024 * 1024),
    ] {
        let loaded = load(&text);
        assert!(loaded.findings.len() <= 1000);
        let shown = render(&loaded.findings[..loaded.findings.len().min(20)], Form::Plain);
        assert!(shown.lines().all(|line| line.chars().count() < 1000), "a long line is shown");
    }
    assert!(load(&GOOD.replace('\n', "\r\n")).config.is_some());
    assert!(load(&("\u{feff}".to_owned() + GOOD)).config.is_some());
}

#[test]
fn messages_repeat_no_address() {
    let mut text = changed("\"cleo\"] }]", "\"cleo@ej.example\"] }]");
    text = text.replace("\"chat\", \"sms after 3m\"", "\"+31612345678\"");
    let loaded = load(&text);
    assert_eq!(loaded.findings.len(), 2, "{:?}", loaded.findings);
    assert!(loaded.findings.iter().all(|f| !f.brief().contains("1234") && !f.brief().contains("cleo@")));
}

#[test]
fn secrets_are_masked_however_they_are_written() {
    for line in [
        "password = \"\"\"hunter2\nhunter2\"\"\"",
        "password = '''\nhunter2\n'''",
        "password = hunter2 and more",
        "\"password\" = \"hunter2",
        "passwords = [\"hunter2\"]",
        "x = { api-key = \"hunter2\", y = 'z",
        "url = \"https://bas:hunter2@desk.ej.example\"",
        "key_env = \"hunter2\"",
    ] {
        let loaded = load(&changed("[mail]\n", &format!("[mail]\n{line}\n")));
        assert!(!loaded.findings.is_empty(), "{line}");
        for form in [Form::Plain, Form::Graphical { colour: false, width: 100 }] {
            let shown = render(&loaded.findings, form);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

/// Replaces the end of the good configuration by a `[[text-alert]]` with these lines.
#[track_caller]
fn text_alert(lines: &str, message: &str, hint: &str) {
    let at = "[[integration]]\nid = \"prometheus\"";
    let table = format!("[[text-alert]]\nid = \"room\"\n{lines}\n{at}");
    let wrong = lines.lines().next().unwrap_or_default();
    let line = if message.contains("reads nothing") { "[[text-alert]]" } else { wrong };
    finds(at, &table, &[(line, message, hint)]);
}

#[test]
fn text_alerts_that_cannot_be_read_say_why() {
    let at = "[[integration]]\nid = \"prometheus\"";
    let good = "[[text-alert]]\nid = \"room\"\nsets = [\"alertmanager\", \"icinga\"]\nchannels = [\"discord:alerts\"]\nauthors = [\"person:bas\", \"1234\"]\npatterns = ['^X (?<name>.+)$']\nservice = \"ledger\"\nseverities = { red = \"critical\" }\nresolved = [\"Runs\"]\nmay_acknowledge = true\n";
    let loaded = load(&changed(at, &format!("{good}{at}")));
    let config = loaded.config.unwrap_or_else(|| panic!("{}", render(&loaded.findings, Form::Plain)));
    let room = &config.org.integrations["room"];
    assert_eq!((room.source.as_str(), room.may_acknowledge), ("text", true));
    let mapping = room.mapping.as_ref().expect("how it reads");
    let rule = mapping.text.as_ref().expect("a rule");
    assert_eq!((rule.sets.len(), rule.patterns.len(), rule.channels.len()), (2, 1, 1));
    assert_eq!(
        (rule.authors.as_slice(), mapping.resolved.as_slice()),
        (&["bas".to_owned(), "1234".to_owned()][..], &["runs".to_owned()][..])
    );

    text_alert("service = \"ledger\"", "this [[text-alert]] reads nothing", "sets = [\"alertmanager\"]");
    text_alert("sets = [\"nagois\"]", "unknown set `nagois`", "did you mean `nagios`?");
    text_alert("sets = [\"carrier-pigeons\"]", "unknown set `carrier-pigeons`", "known: alertmanager, grafana");
    text_alert("patterns = ['(?<name>a']", "is refused: unclosed group", "docs.rs/regex");
    text_alert(r"patterns = ['(?<name>a)\1']", "backreferences are not supported", "without look-around");
    text_alert("patterns = ['^DOWN']", "neither a group `name` nor a group `service`", "(?<name>…)");
    text_alert("patterns = ['(?<name>.*)']", "it fits an empty line", "begin it with ^");
    text_alert("patterns = ['(?<name>(a{1000}){1000})']", "it is too large", "braces");
    text_alert("authors = [\"two words\"]\nsets = [\"nagios\"]", "is not an author", "the id of an account");
    text_alert("service = \"legder\"\nsets = [\"nagios\"]", "unknown service `legder`", "did you mean `ledger`?");
    text_alert(
        "pattern = \"x\"\nsets = [\"nagios\"]",
        "unknown key `pattern` in [[text-alert]]",
        "here it is called `patterns`",
    );
    finds(
        "id = \"prometheus\"",
        "id = \"room\"\nsource = \"generic\"\nkey_env = \"KEY_ROOM\"\n[[text-alert]]\nid = \"room\"\nsets = [\"nagios\"]\n[[integration]]\nid = \"prometheus\"",
        &[("id = \"room\"", "integration `room` is declared twice", "give one of them another id")],
    );
}
