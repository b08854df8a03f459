//! The text grammar: what is understood, what is refused and with which words.

use opsbell::catalog::words::builtin;
use opsbell::domain::command::Call;
use opsbell::domain::command::grammar::{parse, render};
use opsbell::domain::reject::RejectCode;
use proptest::prelude::*;

use super::call;

type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn what_is_understood() {
    let rows: &[Row] = &[
        // By name, by position, in any case, with any white space.
        (
            r#"/incident declare title:"API 500s" service:api severity:sev2"#,
            "incident declare",
            &[("title", "API 500s"), ("service", "api"), ("severity", "sev2")],
        ),
        (
            r#"/incident declare "API 500s" service:api"#,
            "incident declare",
            &[("title", "API 500s"), ("service", "api")],
        ),
        ("  /Incident  DECLARE\tTitle:x ", "incident declare", &[("title", "x")]),
        ("/incident declare \"a\nb\"", "incident declare", &[("title", "a\nb")]),
        ("/incident declare title: \"a b\"", "incident declare", &[("title", "a b")]),
        ("/incident declare service: api title:x", "incident declare", &[("service", "api"), ("title", "x")]),
        // Quotes: those of a shell and those of a phone.
        ("/incident note 'it was \"fine\"'", "incident note", &[("text", "it was \"fine\"")]),
        (r#"/incident note "a \"b\" \\ \n""#, "incident note", &[("text", r#"a "b" \ \n"#)]),
        ("/incident note “smart quotes”", "incident note", &[("text", "smart quotes")]),
        ("/incident note „deutsche“", "incident note", &[("text", "deutsche")]),
        (r"/oncall who a\ b", "oncall who", &[("of", "a b")]),
        // The rest of the line, as it is.
        ("/incident note it's down, isn't it", "incident note", &[("text", "it's down, isn't it")]),
        ("/incident note 5\" disk is\nbroken", "incident note", &[("text", "5\" disk is\nbroken")]),
        (
            "/incident declare API is down service:api",
            "incident declare",
            &[("title", "API is down"), ("service", "api")],
        ),
        ("/incident declare title:API is down", "incident declare", &[("title", "API is down")]),
        ("/incident declare text is the word", "incident declare", &[("title", "text is the word")]),
        ("/incident note see https://x.example/a:b now", "incident note", &[("text", "see https://x.example/a:b now")]),
        ("/incident note https://x.example/a", "incident note", &[("text", "https://x.example/a")]),
        ("/incident note db: lag again", "incident note", &[("text", "db: lag again")]),
        ("/incident note db:5432 refuses", "incident note", &[("text", "db:5432 refuses")]),
        ("/incident note 10:30 restarted", "incident note", &[("text", "10:30 restarted")]),
        ("/incident note <@123> knows", "incident note", &[("text", "<@123> knows")]),
        // An incident is recognised by its look.
        ("/ack", "ack", &[]),
        ("/ack INC-1", "ack", &[("incident", "INC-1")]),
        ("/ack inc-1", "ack", &[("incident", "inc-1")]),
        ("/ack 1", "ack", &[("incident", "1")]),
        ("/ack \"INC-1\"", "ack", &[("incident", "INC-1")]),
        ("/ack incident:INC-1", "ack", &[("incident", "INC-1")]),
        ("/incident note INC-1 \"text\"", "incident note", &[("incident", "INC-1"), ("text", "text")]),
        ("/incident note INC-1 all is well", "incident note", &[("incident", "INC-1"), ("text", "all is well")]),
        ("/incident note \"INC-1\"", "incident note", &[("text", "INC-1")]),
        ("/incident note 12 hosts down", "incident note", &[("text", "12 hosts down")]),
        ("/incident severity sev1", "incident severity", &[("severity", "sev1")]),
        ("/incident severity 2", "incident severity", &[("severity", "2")]),
        ("/incident severity INC-3 2", "incident severity", &[("incident", "INC-3"), ("severity", "2")]),
        ("/incident severity 7 sev2", "incident severity", &[("incident", "7"), ("severity", "sev2")]),
        ("/incident severity sev2 INC-7", "incident severity", &[("severity", "sev2"), ("incident", "INC-7")]),
        ("/snooze 30m", "snooze", &[("duration", "30m")]),
        ("/snooze INC-1 30m", "snooze", &[("incident", "INC-1"), ("duration", "30m")]),
        ("/snooze 1 30m", "snooze", &[("incident", "1"), ("duration", "30m")]),
        ("/snooze soon", "snooze", &[("duration", "soon")]),
        // Choices too.
        ("/resolve", "resolve", &[]),
        (
            "/resolve INC-1 fixed \"text\"",
            "resolve",
            &[("incident", "INC-1"), ("resolution", "fixed"), ("text", "text")],
        ),
        ("/resolve Fixed", "resolve", &[("resolution", "Fixed")]),
        ("/resolve rolled back", "resolve", &[("text", "rolled back")]),
        ("/resolve recovered after a restart", "resolve", &[("resolution", "recovered"), ("text", "after a restart")]),
        (
            "/incident role INC-1 commander me",
            "incident role",
            &[("incident", "INC-1"), ("role", "commander"), ("person", "me")],
        ),
        ("/incident role boss", "incident role", &[("role", "boss")]),
        (
            "/incident declare \"x y\" api sev2",
            "incident declare",
            &[("title", "x y"), ("service", "api"), ("severity", "sev2")],
        ),
        (
            "/incident declare \"x y\" sev2 api",
            "incident declare",
            &[("title", "x y"), ("severity", "sev2"), ("service", "api")],
        ),
        // A word before a text in quotes is not a part of it; a quote within a sentence is.
        (
            "/incident declare payments-api \"API 500s\" sev1",
            "incident declare",
            &[("service", "payments-api"), ("title", "API 500s"), ("severity", "sev1")],
        ),
        (
            "/incident declare payments-api sev1 “API 500s” urgency:high",
            "incident declare",
            &[("service", "payments-api"), ("severity", "sev1"), ("title", "API 500s"), ("urgency", "high")],
        ),
        (
            "/incident declare API down since sev2 severity:sev1",
            "incident declare",
            &[("title", "API down since sev2"), ("severity", "sev1")],
        ),
        (
            "/incident declare sev1 payments-api \"API 500s\"",
            "incident declare",
            &[("severity", "sev1"), ("service", "payments-api"), ("title", "API 500s")],
        ),
        (
            "/problem open payments-api \"pods run out of memory\"",
            "problem open",
            &[("service", "payments-api"), ("title", "pods run out of memory")],
        ),
        (
            "/incident declare customers see \"500\" at the checkout",
            "incident declare",
            &[("title", "customers see \"500\" at the checkout")],
        ),
        ("/incident declare API isn't up", "incident declare", &[("title", "API isn't up")]),
        ("/incident note bas \"reads the logs\"", "incident note", &[("text", "bas \"reads the logs\"")]),
        ("/incident note it was sev2, is sev1", "incident note", &[("text", "it was sev2, is sev1")]),
        // Targets.
        ("/page team:payments \"look\"", "page", &[("target", "team:payments"), ("text", "look")]),
        ("/page target:team:payments look here", "page", &[("target", "team:payments"), ("text", "look here")]),
        ("/page cleo INC-1 look", "page", &[("target", "cleo"), ("incident", "INC-1"), ("text", "look")]),
        ("/oncall who schedule:primary", "oncall who", &[("of", "schedule:primary")]),
        // Bare forms and synonyms.
        ("/incident title:x", "incident declare", &[("title", "x")]),
        ("/incident \"x y\"", "incident declare", &[("title", "x y")]),
        ("/oncall", "oncall who", &[]),
        ("/oncall payments", "oncall who", &[("of", "payments")]),
        ("/oncall of:payments", "oncall who", &[("of", "payments")]),
        ("/inc ls", "incident list", &[]),
        ("/inc new x", "incident declare", &[("title", "x")]),
        ("/whoisoncall payments", "oncall who", &[("of", "payments")]),
        ("/acknowledge INC-1", "ack", &[("incident", "INC-1")]),
        ("/help /incident declare", "help", &[("about", "/incident declare")]),
        // What has no business in a text is taken out.
        ("/incident note a\u{0}b\u{202e}c\r\nd", "incident note", &[("text", "abc\nd")]),
    ];
    let lexicon = builtin();
    for (line, command, options) in rows {
        assert_eq!(parse(line, &lexicon), Ok(call(command, options)), "{line}");
    }
}

#[test]
fn what_is_refused() {
    let rows: &[(&str, RejectCode)] = &[
        ("", RejectCode::UnknownWord),
        ("ack INC-1", RejectCode::UnknownWord),
        ("hello there", RejectCode::UnknownWord),
        ("/", RejectCode::UnknownWord),
        ("/acj", RejectCode::UnknownWord),
        ("/declare x", RejectCode::UnknownWord),
        ("/xyzzy", RejectCode::UnknownWord),
        ("/incident lst", RejectCode::UnknownWord),
        ("/incident everything", RejectCode::UnknownWord),
        ("/incident", RejectCode::Missing),
        ("/incident declare x servce:api", RejectCode::UnknownWord),
        ("/incident declare owner:payments x", RejectCode::UnknownWord),
        ("/incident declare service:a service:b title:x", RejectCode::BadValue),
        ("/incident declare service: severity:sev1 title:x", RejectCode::Missing),
        ("/incident declare title:", RejectCode::Missing),
        ("/incident note \"never closed", RejectCode::BadValue),
        ("/incident note 'tis broken", RejectCode::BadValue),
        ("/incident note \"db-1\" is back", RejectCode::UnknownWord),
        ("/resolve INC-1 fixd \"text\"", RejectCode::BadValue),
        ("/status now", RejectCode::UnknownWord),
        ("/ack INC-1 INC-2", RejectCode::UnknownWord),
        ("/snooze", RejectCode::Missing),
        ("/incident declare API is down sev1", RejectCode::BadValue),
        ("/incident declare payments-api is down SEV1 service:payments-api", RejectCode::BadValue),
        ("/incident declare payments-api \"API 500s\" \"more\" sev1", RejectCode::BadValue),
    ];
    let lexicon = builtin();
    let mut said = String::new();
    for (line, code) in rows {
        match parse(line, &lexicon) {
            Ok(call) => panic!("{line} reads as {call:?}"),
            Err(reject) => {
                assert_eq!(reject.code, *code, "{line}: {reject}");
                said.push_str(&format!("> {line}\n{reject}\n\n"));
            }
        }
    }
    insta::assert_snapshot!(said, @r#"
    > 
    commands start with /
    `/help` lists what you can say

    > ack INC-1
    commands start with /
    did you mean `/ack INC-1`?

    > hello there
    commands start with /
    `/help` lists what you can say

    > /
    a command is missing after the /
    `/help` lists what you can say

    > /acj
    there is no command `/acj`
    did you mean `/ack`? For example: /ack INC-7

    > /declare x
    there is no command `/declare`
    did you mean `/incident declare`? For example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /xyzzy
    there is no command `/xyzzy`
    `/help` lists what you can say

    > /incident lst
    `/incident` has no `lst`
    did you mean `/incident list`? For example: /incident list

    > /incident everything
    `/incident` has no `everything`
    it has: declare, list, show, ack, ack-all, note, update, severity, role, escalate, mitigate, resolve, reopen, close, timeline, pages, merge, link, invite, times

    > /incident
    `/incident declare` needs `title`: What is wrong, in a few words
    usage: /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    for example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /incident declare x servce:api
    `/incident declare` has no option `servce`
    did you mean `service:`?
    usage: /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    for example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /incident declare owner:payments x
    `/incident declare` has no option `owner`
    put it in quotes if it is text
    usage: /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    for example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /incident declare service:a service:b title:x
    `service` is given twice
    say it once; put text that contains `service:` in quotes

    > /incident declare service: severity:sev1 title:x
    `service:` has no value
    usage: /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    for example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /incident declare title:
    `title:` has no value
    usage: /incident declare title:TEXT [service:SERVICE] [severity:sev1|sev2|sev3|sev4] [impact:high|medium|low] [urgency:high|medium|low] [private:yes|no]
    for example: /incident declare "API answers 500" service:payments-api severity:sev2

    > /incident note "never closed
    the quote that opens at `"never closed` is never closed
    close it with "; a quote within a text is written \"

    > /incident note 'tis broken
    the quote that opens at `'tis broken` is never closed
    close it with ', or write the text in double quotes: "it's down"

    > /incident note "db-1" is back
    `is` is more than `/incident note` takes
    put a text of several words in quotes
    usage: /incident note text:TEXT [incident:INC-n]
    for example: /incident note INC-7 "restarted db-2, lag is falling"

    > /resolve INC-1 fixd "text"
    `fixd` is not a resolution
    did you mean `fixed`? Put it in quotes if it is text

    > /status now
    `now` is more than `/status` takes
    usage: /status
    for example: /status

    > /ack INC-1 INC-2
    `INC-2` is more than `/ack` takes
    usage: /ack [incident:INC-n]
    for example: /ack INC-7

    > /snooze
    `/snooze` needs `duration`: How long: 30m, 1h30m
    usage: /snooze duration:30m [what:pages|reminder] [incident:INC-n]
    for example: /snooze 30m

    > /incident declare API is down sev1
    `sev1` at the end could be the severity, or a part of the title
    say which: /incident declare "API is down" severity:sev1, or all of the title in quotes

    > /incident declare payments-api is down SEV1 service:payments-api
    `SEV1` at the end could be the severity, or a part of the title
    say which: /incident declare "payments-api is down" severity:SEV1, or all of the title in quotes

    > /incident declare payments-api "API 500s" "more" sev1
    `sev1` at the end could be the severity, or a part of the title
    say which: /incident declare "payments-api \"API 500s\" \"more\"" severity:sev1, or all of the title in quotes
    "#);
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let lexicon = builtin();
    let line = |n: usize| format!("/status{}", " ".repeat(n));
    assert!(parse(&line(4_000 - 7), &lexicon).is_ok());
    let reject = parse(&line(4_000 - 6), &lexicon).expect_err("one too many");
    assert_eq!(
        reject.to_string(),
        "this is too long: at most 4000 characters are read\nshorten it, and link to the rest"
    );
    assert!(parse(&"x".repeat(10_000_000), &lexicon).is_err());
    // What is repeated in a refusal is short, whatever was said.
    let reject = parse(&format!("/{}", "`x".repeat(1_900)), &lexicon).expect_err("no such command");
    assert!(reject.to_string().len() < 150, "{reject}");
}

#[test]
fn without_any_words_everything_is_refused() {
    for line in ["/ack", "", "/", "/a b c:d"] {
        assert!(parse(line, &Default::default()).is_err());
    }
}

fn calls() -> impl Strategy<Value = Call> {
    let lexicon = builtin();
    let value = prop_oneof!["[ -~“”„é\n\t]{0,40}", "\\PC{0,20}", "[a-z]{1,8}", "INC-[0-9]{1,3}"];
    (any::<prop::sample::Index>(), prop::collection::vec(value, 25), any::<u32>()).prop_map(
        move |(which, values, mask)| {
            let spec = &lexicon.commands[which.index(lexicon.commands.len())];
            let given = spec.options.iter().enumerate().filter(|(i, option)| option.required || mask & (1 << i) != 0);
            let mut options: Vec<_> = given.map(|(i, option)| (option.name.clone(), values[i].clone())).collect();
            if mask & (1 << 31) != 0 {
                options.reverse();
            }
            Call { command: spec.name.clone(), options }
        },
    )
}

proptest! {
    #[test]
    fn a_rendered_call_reads_as_the_same_call(call in calls()) {
        let line = render(&call);
        let text = |c: &char| (!c.is_control() || *c == '\n' || *c == '\t')
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        let clean = Call {
            command: call.command.clone(),
            options: call.options.iter().map(|(n, v)| (n.clone(), v.chars().filter(text).collect())).collect(),
        };
        prop_assert_eq!(parse(&line, &builtin()), Ok(clean), "{}", line);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}|[/a-z:\"'“”\\\\ \n0-9-]{0,60}|/(incident|oncall|page|resolve|x) ([a-z:\"'“INC0-9-]{0,9} ?){0,6}") {
        let _ = parse(&text, &builtin());
    }
}
