//! Command files: those that come along, and those of an organisation.

use std::collections::BTreeSet;

use opsbell::catalog::words::{BUILTIN, builtin, overlay, read};
use opsbell::domain::command::grammar::parse;
use opsbell::domain::command::meaning::{meaning, meanings};
use opsbell::domain::incident::{Resolution, RoleName};

#[test]
fn every_file_reads_and_every_file_is_included() {
    let mut count = 0;
    for (file, text) in BUILTIN {
        let specs = read(file, text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(specs.iter().all(|spec| file.strip_suffix(".toml") == spec.name.split(' ').next()), "{file}");
        count += specs.len();
    }
    assert_eq!(builtin().commands.len(), count);
    let mut lexicon = builtin();
    for (file, text) in BUILTIN {
        assert_eq!(overlay(&mut lexicon, file, text), Ok(()), "no two of them clash");
    }
    assert_eq!(lexicon, builtin());

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/commands");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder of command files")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let included: BTreeSet<String> = BUILTIN.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(there, included);
}

#[test]
fn words_and_meanings_match_in_both_directions() {
    let lexicon = builtin();
    for spec in &lexicon.commands {
        assert!(meaning(&spec.run).is_some(), "/{} runs `{}`, which means nothing", spec.name, spec.run);
    }
    for meaning in meanings() {
        let spec = lexicon.commands.iter().find(|spec| spec.run == meaning.run);
        let spec = spec.unwrap_or_else(|| panic!("nothing says `{}`", meaning.run));
        for takes in meaning.takes {
            assert!(spec.options.iter().any(|option| option.name == takes.name), "/{} lacks {}", spec.name, takes.name);
        }
    }
    let runs: BTreeSet<&str> = meanings().map(|meaning| meaning.run).collect();
    assert_eq!(runs.len(), meanings().count(), "a meaning stands twice");
}

#[test]
fn the_words_of_choices_are_those_of_the_domain() {
    let words = |run: &str, name: &str| {
        let takes = meaning(run).expect(run).takes.iter().find(|takes| takes.name == name).expect(name);
        takes.words.to_vec()
    };
    assert_eq!(words("incident.role", "role"), RoleName::ALL.map(RoleName::as_str));
    assert_eq!(words("incident.resolve", "resolution"), Resolution::ALL.map(Resolution::as_str));
}

#[test]
fn every_command_has_an_example_that_reads_as_itself() {
    let lexicon = builtin();
    for spec in &lexicon.commands {
        assert!(!spec.examples.is_empty(), "/{}", spec.name);
        for example in &spec.examples {
            assert_eq!(parse(example, &lexicon).expect(example).command, spec.name, "{example}");
        }
    }
}

#[test]
fn the_promised_words_are_there() {
    let lexicon = builtin();
    let names: Vec<&str> = lexicon.commands.iter().map(|spec| spec.name.as_str()).collect();
    let subs =
        "declare list show ack note update severity role escalate mitigate resolve reopen close timeline pages times";
    let mut promised: Vec<String> = subs.split(' ').map(|sub| format!("incident {sub}")).collect();
    let rest = ["page", "ack", "resolve", "snooze", "oncall who", "oncall next", "alert list", "alert show", "status"];
    promised.extend(rest.into_iter().chain(["whoami", "help"]).map(str::to_owned));
    let silences = ["alert silence", "alert silences", "alert unsilence", "service maintenance"];
    promised.extend(silences.map(str::to_owned));
    let more = "incident ack-all,incident merge,incident link,incident invite,service show,service impact,service status,contact list,contact test,connect,disconnect";
    promised.extend(more.split(',').map(str::to_owned));
    let subs = "list open show link root-cause workaround known-error resolve close";
    promised.extend(subs.split(' ').map(|sub| format!("problem {sub}")));
    let subs = "list new show approve reject take fulfil close cancel";
    promised.extend(subs.split(' ').map(|sub| format!("request {sub}")));
    promised.extend("list show edit publish".split(' ').map(|sub| format!("postmortem {sub}")));
    let missing: Vec<&String> = promised.iter().filter(|word| !names.contains(&word.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn an_organisations_file_replaces_and_adds() {
    let mut lexicon = builtin();
    let before = lexicon.commands.len();
    let own = r#"
name = "ack"
summary = "Mine"
run = "incident.ack"
permission = "respond"
examples = ["/ack"]
"#;
    overlay(&mut lexicon, "ack.toml", own).expect("it reads");
    assert_eq!(lexicon.commands.len(), before);
    let ack = lexicon.commands.iter().find(|spec| spec.name == "ack").expect("still there");
    assert_eq!((ack.summary.as_str(), ack.options.len()), ("Mine", 0));

    let own = r#"
name = "outage"
summary = "Something is down"
[[sub]]
name = "tell"
summary = "Declare it"
run = "incident.declare"
permission = "declare"
synonyms = ["say", "/down"]
[[sub.option]]
name = "title"
summary = "What"
type = "text"
required = true
rest = true
"#;
    overlay(&mut lexicon, "outage.toml", own).expect("it reads");
    assert_eq!(lexicon.commands.len(), before + 1);
    for line in
        ["/outage tell all is down", "/outage say all is down", "/down all is down", "/outage title:all is down"]
    {
        let call = parse(line, &lexicon).expect(line);
        assert_eq!((call.command.as_str(), call.options[0].1.as_str()), ("outage tell", "all is down"), "{line}");
    }
}

#[test]
fn a_clash_with_other_words_changes_nothing() {
    let mut lexicon = builtin();
    let own = "name = \"take\"\nsummary = \"x\"\nrun = \"status\"\npermission = \"read\"\nsynonyms = [\"ack\"]\n";
    let problems = overlay(&mut lexicon, "take.toml", own).expect_err("two meanings");
    assert_eq!(
        problems[0].to_string(),
        "take.toml:1: `/ack` would mean both `/ack` and `/take`; take the synonym out of one of them"
    );
    let own = "name = \"oncall\"\nsummary = \"x\"\nrun = \"status\"\npermission = \"read\"\n";
    let problems = overlay(&mut lexicon, "oncall.toml", own).expect_err("both kinds");
    assert!(problems[0].message.contains("has subcommands"), "{problems:?}");
    assert_eq!(lexicon, builtin());
}

#[test]
fn everything_wrong_in_a_file_is_said_at_once() {
    let text = r#"name = "Bad Name"
summary = ""
descriptoin = "x"
aliases = ["x"]
run = "incident.acknowledge"
permission = "responder"
private = "yes"
[[option]]
name = "incident"
summary = "Which"
type = "incidnt"
[[option]]
name = "text"
summary = "x"
type = "duration"
required = true
rest = true
choices = ["a b"]
"#;
    let problems = read("bad.toml", text).expect_err("all of it is wrong");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    bad.toml:1: `Bad Name` cannot be a name; a-z, 0-9, - and _, at most 32 characters
    bad.toml:2: the summary of the command is not one line of 1 to 100 characters; shorten it
    bad.toml:3: `descriptoin` is not known here; it is called `summary` here
    bad.toml:4: `aliases` is not known here; it is called `synonyms` here
    bad.toml:5: `incident.acknowledge` is nothing that can be run; known: incident.declare, incident.list, incident.show, incident.ack, incident.note, incident.update, incident.severity, incident.role, incident.escalate, incident.mitigate, incident.resolve, incident.reopen, incident.close, incident.ack-all, incident.merge, incident.link, incident.invite, service.show, service.impact, service.status, account.connect, account.disconnect, contact.list, contact.test, incident.timeline, incident.pages, incident.times, problem.open, problem.list, problem.show, problem.link, problem.root-cause, problem.workaround, problem.known-error, problem.resolve, problem.close, postmortem.show, postmortem.list, postmortem.edit, postmortem.publish, page, snooze, oncall.who, oncall.next, alert.list, alert.silence, alert.silences, alert.unsilence, service.maintenance, alert.show, status, whoami, help, change.new, change.standard, change.emergency, change.edit, change.show, change.list, change.check, change.approve, change.delegate, change.reject, change.schedule, change.start, change.done, change.fail, change.rollback, change.cancel, change.review, change.calendar, change.gate, freeze.start, freeze.end, runbook.list, runbook.show, runbook.run, runbook.cancel, runbook.answer, runbook.resume, report.dora, report.changes, request.new, request.list, request.show, request.approve, request.reject, request.take, request.fulfil, request.retry, request.close, request.cancel
    bad.toml:6: `responder` is no permission; did you mean `respond`?
    bad.toml:7: `private` is not true or false; write private = true
    bad.toml:11: `incidnt` is no type; did you mean `incident`?
    bad.toml:12: an option of `/…`: `text` and its choices do not fit; type = "choice" and choices = ["…"] go together
    bad.toml:12: an option of `/…`: only a text can take the rest of the line; take `rest` out
    bad.toml:18: `a b` cannot be a choice; one word of at most 100 characters
    "#);
}

#[test]
fn what_does_not_fit_its_meaning_is_said() {
    let text = r#"name = "x"
[[sub]]
name = "take"
summary = "Take it"
run = "incident.ak"
permission = "respond"
[[sub]]
name = "declare"
summary = "No title, wrong type, unknown option"
run = "incident.declare"
permission = "declare"
[[sub.option]]
name = "service"
summary = "x"
type = "team"
[[sub.option]]
name = "sevrity"
summary = "x"
type = "severity"
[[sub]]
name = "end"
summary = "An unknown choice, and a needed one behind it"
run = "incident.resolve"
permission = "respond"
[[sub.option]]
name = "resolution"
summary = "x"
type = "choice"
choices = ["fixed", "gone"]
[[sub.option]]
name = "text"
summary = "x"
type = "text"
required = true
[[sub]]
name = "end"
summary = "Twice"
run = "status"
permission = "read"
"#;
    let problems = read("x.toml", text).expect_err("all of it is wrong");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
x.toml:1: the command has no `summary`; write summary = "…"
x.toml:5: `incident.ak` is nothing that can be run; did you mean `incident.ack`?
x.toml:10: `incident.declare` needs a required option `title` (text); add it to the options
x.toml:13: the option `service` of `incident.declare` is a service; write type = "service"
x.toml:17: `incident.declare` takes no option `sevrity`; did you mean `severity`?
x.toml:26: `gone` is no `resolution` that `incident.resolve` knows; known: fixed, recovered, false-alarm, duplicate
x.toml:31: `/x end`: the required option `text` stands after one that is not; put required options first
x.toml:35: `/x end` stands here twice; take one out
"#);
}

#[test]
fn an_example_that_does_not_read_is_a_problem() {
    let text =
        "name = \"s\"\nsummary = \"x\"\nrun = \"status\"\npermission = \"read\"\nexamples = [\"/s now\", \"s\"]\n";
    let problems = read("s.toml", text).expect_err("the examples");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
s.toml:5: the example `/s now` does not read as `/s`: `now` is more than `/s` takes; write it as one would say it
s.toml:5: the example `s` does not read as `/s`: commands start with /; write it as one would say it
"#);
}

#[test]
fn limits_of_chat_platforms_are_kept() {
    let options: String =
        (0..26).map(|n| format!("[[option]]\nname = \"o{n}\"\nsummary = \"x\"\ntype = \"text\"\n")).collect();
    let head = "name = \"x\"\nsummary = \"x\"\nrun = \"status\"\npermission = \"read\"\n";
    let said =
        |text: &str| read("x.toml", text).expect_err("a limit").iter().map(|p| p.message.clone()).collect::<Vec<_>>();
    assert!(said(&format!("{head}{options}")).contains(&"`/x` has more than 25 options".to_owned()));
    let choices: String = (0..26).map(|n| format!("\"c{n}\",")).collect();
    let choice = format!("{head}[[option]]\nname = \"c\"\nsummary = \"x\"\ntype = \"choice\"\nchoices = [{choices}]\n");
    assert!(said(&choice)[0].contains("more than 25 choices"));
    let long = head.replace("summary = \"x\"", &format!("summary = \"{}\"", "x".repeat(101)));
    assert!(said(&long)[0].contains("1 to 100 characters"));
    let name = head.replace("name = \"x\"", &format!("name = \"{}\"", "x".repeat(33)));
    assert!(said(&name)[0].contains("cannot be a name"));
    let subs: String = (0..26)
        .map(|n| format!("[[sub]]\nname = \"s{n}\"\nsummary = \"x\"\nrun = \"status\"\npermission = \"read\"\n"))
        .collect();
    assert!(said(&format!("name = \"x\"\nsummary = \"x\"\n{subs}"))[0].contains("more than 25 subcommands"));
}

#[test]
fn damaged_files_are_refused_not_panicked_about() {
    for text in [
        "",
        "name",
        "name = 3",
        "sub = 1\noption = {}",
        "[[sub]]",
        "name = \"x\"\n[[sub]]\n[[sub]]\n[sub.option]",
        "\u{0}",
        "[[option]]\n",
    ] {
        assert!(read("x.toml", text).is_err(), "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_file_is_read_or_refused(text in "(\\[\\[?(sub|option|sub\\.option)\\]?\\]\n|(name|run|type|summary|examples|rest) = (\"[a-z. ]{0,8}\"|true|\\[\"/x\"\\]|1)\n|.{0,6}){0,12}") {
        let _ = read("any.toml", &text);
    }
}

#[test]
fn a_file_may_ask_for_more_permission_than_the_meaning_and_never_for_less() {
    let own = |run: &str, permission: &str| {
        let text = format!("name = \"x\"\nsummary = \"x\"\nrun = \"{run}\"\npermission = \"{permission}\"\n");
        read("x.toml", &text).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let told = own("incident.close", "read").expect_err("too little");
    let wanted = "x.toml:4: `incident.close` needs at least the permission respond; write permission = \"respond\"";
    assert_eq!(told, [wanted]);
    assert!(own("incident.close", "declare").is_err());
    assert!(own("incident.close", "respond").is_ok() && own("incident.close", "administer").is_ok());
    assert!(own("status", "respond").is_ok());
}
