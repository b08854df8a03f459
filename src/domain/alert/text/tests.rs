//! What is read in texts of our own making: rules, sets, quotes, hostile text, and how the work grows.

use super::*;
use crate::domain::org::Integration;

fn rule(patterns: &[&str], sets: &[Set]) -> TextRule {
    let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    TextRule { patterns, sets: sets.to_vec(), ..TextRule::default() }
}

/// `kind service / name severity status key` of each member.
fn lines(text: &str, rule: &TextRule, mapping: &Mapping) -> Vec<String> {
    let told = |signal: &Signal| {
        let reading = serde_json::to_value(signal.kind).unwrap();
        format!(
            "{} {} / {} {} {} [{}]",
            reading.as_str().unwrap(),
            signal.service.as_deref().unwrap_or("-"),
            signal.name,
            signal.severity.map_or("-", AlertSeverity::as_str),
            signal.status,
            signal.key
        )
    };
    read(text, rule, mapping).signals.iter().map(told).collect()
}

fn builtin(text: &str) -> Vec<String> {
    lines(text, &TextRule::builtin(), &Mapping::default())
}

#[test]
fn a_pattern_of_ones_own_names_its_parts() {
    let rule = rule(
        &[
            r"^BELT (?<belt>\d+) (?<kind>STOPPED|RUNS|SEEN): (?<name>[^(]+)(?: \((?<severity>\w+)\))?$",
            r"^gate (?<service>\w+): (?<name>.+) #(?<key>\d+)$",
        ],
        &[],
    );
    let mapping = Mapping {
        severities: [("red".to_owned(), AlertSeverity::Critical)].into(),
        resolved: vec!["runs".to_owned()],
        ..Mapping::default()
    };
    let text = "morning all\nBELT 4 STOPPED: jammed (red)\nBELT 5 RUNS: jammed\n  gate B12: door open #77\nBELT six STOPPED: jammed";
    assert_eq!(
        lines(text, &rule, &mapping),
        ["alert - / jammed critical STOPPED [jammed/4]", "resolve - / jammed - RUNS [jammed/5]",],
        "a pattern is tried on the line as it is: the third begins with blanks"
    );
    assert_eq!(lines("gate B12: door open #77", &rule, &mapping), ["alert B12 / door open - firing [77]"]);
    let signal = &read("gate B12: door open #77", &rule, &mapping).signals[0];
    assert_eq!(signal.labels.get("service").map(String::as_str), Some("B12"), "routing sees that it was named as such");
}

#[test]
fn patterns_that_cannot_be_are_refused_with_a_reason() {
    for (pattern, why) in [
        ("(?<name>", "unclosed"),
        (r"(?<name>a)\1", "backreferences"),
        ("(?=x)(?<name>a)", "look-around"),
        ("^a b c$", "neither a group `name`"),
        ("(?<name>.*)", "fits an empty line"),
        ("(?<name>(?:a{1000}){1000})x", "too large"),
        (&format!("(?<name>{}x)", "(".repeat(200) + &")".repeat(200)), ""),
        (&"x".repeat(1_001), "more than 1000"),
    ] {
        let refused = Pattern::parse(pattern).expect_err(pattern);
        assert!(refused.message.contains(why) && !refused.hint.is_empty(), "{pattern}: {refused}");
    }
}

#[test]
fn the_lists_of_alertmanager_and_grafana_may_hold_both_states() {
    let text = "[FIRING:1, RESOLVED:1] Lag ledger\nAlerts Firing:\nLabels:\n - alertname = Lag\n - instance = db-1\n - service = ledger\n - severity = critical\nAnnotations:\n - summary = 900 s behind\n - runbook_url = https://wiki.ej.example/lag\nSource: http://prometheus/graph\n\nAlerts Resolved:\nLabels:\n - alertname = Lag\n - instance = db-2\n - service = ledger\nAnnotations:\nSource: http://prometheus/graph\n";
    let read = read(text, &TextRule::builtin(), &Mapping::default()).signals;
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].kind, read[1].kind), (SignalKind::Alert, SignalKind::Resolve));
    assert_eq!(read[0].severity, Some(AlertSeverity::Critical));
    assert_eq!(read[0].summary.as_deref(), Some("900 s behind"));
    assert_eq!(read[0].link.as_deref(), Some("https://wiki.ej.example/lag"));
    assert_eq!((read[0].service.as_deref(), read[0].key.len()), (Some("ledger"), 16));
    assert_ne!(read[0].key, read[1].key);
    // The same labels later, under the other heading, are the same alert.
    let over = text.replace("Firing:", "Resolved:");
    assert_eq!(super::read(&over, &TextRule::builtin(), &Mapping::default()).signals[0].key, read[0].key);
}

#[test]
fn tools_say_it_in_one_line() {
    for (text, told) in [
        ("🔥 [FIRING:2] Lag ledger (critical prod)", "alert - / Lag critical FIRING:2 [Lag ledger (critical prod)]"),
        (
            ":fire: [RESOLVED] Lag ledger (critical prod)",
            "resolve - / Lag critical RESOLVED [Lag ledger (critical prod)]",
        ),
        ("[FIRING:1] Lag ", "alert - / Lag - FIRING:1 [Lag]"),
        ("** RECOVERY Service Alert: web-1/HTTP is OK **", "resolve web-1 / HTTP info RECOVERY [web-1/HTTP]"),
        ("** PROBLEM Host Alert: web-1 is DOWN **", "alert web-1 / web-1 - PROBLEM [web-1]"),
        (
            "** ACKNOWLEDGEMENT Service Alert: web-1/HTTP is CRITICAL **",
            "ack web-1 / HTTP critical ACKNOWLEDGEMENT [web-1/HTTP]",
        ),
        (
            "** FLAPPINGSTART Service Alert: web-1/HTTP is OK **",
            "status-update web-1 / HTTP info FLAPPINGSTART [web-1/HTTP]",
        ),
        ("Subject: [PROBLEM] ping4 on web-1 is WARNING!", "alert web-1 / ping4 warning PROBLEM [web-1/ping4]"),
        ("[RECOVERY] Host web-1 is UP!", "resolve web-1 / web-1 - RECOVERY [web-1]"),
        ("[shop] [✅ Up] 200 - OK", "resolve shop / shop - Up [shop]"),
        ("[P1] [Re-Triggered on {host:a}] Disk", "alert - / Disk critical Re-Triggered [Disk/host:a]"),
        ("OK: \"queue\" in EU (Ireland)", "resolve - / queue - OK [queue/EU (Ireland)]"),
    ] {
        assert_eq!(builtin(text), [told], "{text}");
    }
}

#[test]
fn what_people_say_quote_or_paste_is_no_alert() {
    for text in [
        "",
        "the deploy is resolved now",
        "I saw [FIRING:1] Lag (critical) again",
        "> [FIRING:1] Lag (critical)",
        "&gt; [FIRING:1] Lag (critical)",
        "  > [FIRING:1] Lag (critical)",
        ">>> look\n[FIRING:1] Lag (critical)",
        "```\n[FIRING:1] Lag (critical)\n```",
        "```text\n[FIRING:1] Lag (critical)",
        "`[FIRING:1] Lag (critical)`",
        "PROBLEM: I forgot my badge",
        "Problem: who has the key?",
        "[x] [ ] done",
        "[Down] with it",
        "[INFO - 1] just a note",
        "Labels:\n - alertname = Lag",
        "ALARM: my clock in the hall",
    ] {
        assert_eq!(builtin(text), [""; 0], "{text}");
    }
    // Behind the fence it is the author's own again.
    let after = "```\n[FIRING:1] Lag (critical)\n```\n[FIRING:1] Disk (critical)";
    assert_eq!(builtin(after), ["alert - / Disk critical FIRING:1 [Disk (critical)]"]);
    assert_eq!(builtin("```one line```\n[FIRING:1] Disk (critical)").len(), 1);
}

#[test]
fn the_same_thing_said_twice_in_one_message_is_one() {
    let twice = "[FIRING:1] Disk (critical)\n[FIRING:1] Disk (critical)\n[RESOLVED] Disk (critical)";
    assert_eq!(builtin(twice).len(), 2, "firing once, and its end");
}

#[test]
fn hostile_text_is_cut_and_cleaned() {
    let long = "x".repeat(5_000);
    let read =
        read(&format!("[{long}\u{202e}] [🔴 Down] \u{0}@everyone {long}"), &TextRule::builtin(), &Mapping::default());
    let signal = &read.signals[0];
    assert_eq!(signal.name.chars().count(), limits::NAME_CHARS);
    assert!(signal.summary.as_ref().unwrap().chars().count() <= limits::SUMMARY_CHARS);
    assert!(signal.key.chars().count() <= limits::KEY_CHARS && !signal.key.is_empty());
    assert!(!format!("{signal:?}").contains("\\u{202e}"));
    for odd in [
        "[FIRING:1] \u{feff}",
        "Labels:\r\n",
        "[FIRING:99999999999999999999999999] a",
        "[]",
        "[[[[",
        "]]",
        "*",
        ": : :",
        "::::",
        "<http",
        "<http<http<http|",
        "Notification Type:",
        "Host:",
        "🔥",
        "- = ",
    ] {
        for text in [odd.to_owned(), format!("[FIRING] x\nLabels:\n{odd}"), odd.repeat(300)] {
            let _ = super::read(&text, &TextRule::builtin(), &Mapping::default());
        }
    }
}

#[test]
fn of_a_long_text_the_beginning_is_read_and_the_rest_is_told() {
    let line = "[FIRING:1] Disk (critical)\n";
    let text = format!("{line}{}", "é".repeat(TEXT_MAX));
    let reading = read(&text, &TextRule::builtin(), &Mapping::default());
    assert_eq!(reading.signals.len(), 1);
    assert!(reading.unread.unwrap().contains("were not read"));
    let many: String = (0..1_500).map(|n| format!("[FIRING:1] D{n} (x)\n")).collect();
    let reading = read(&many, &TextRule::builtin(), &Mapping::default());
    assert_eq!(reading.signals.len(), limits::ALERTS);
    assert!(reading.unread.is_some());
}

/// Lines that begin as alerts do and end otherwise: what would make a backtracking engine go back and forth.
fn near_misses(bytes: usize) -> Vec<String> {
    let fill = |start: &str, piece: &str, end: &str| format!("{start}{}{end}", piece.repeat(bytes / piece.len()));
    vec![
        fill("[FIRING:1] a", " (b", "\u{b}"),
        fill("[FIRING:1] ", "( (", ""),
        fill("** PROBLEM Service Alert: ", "a/b is X ", "*"),
        fill("[PROBLEM] ", "a on b is X", ""),
        fill("[", "a", ""),
        fill("An alert for ", "a has been ", ""),
        fill("[Triggered on {", "a", ""),
        fill("", "[FIRING] a\nLabels:\n", ""),
        fill("[FIRING - 1] a\n", ":fire: b\n", ""),
        fill("", "<http", ""),
        fill("", "BELT 1 STOPPED: x (y) \n", ""),
    ]
}

#[test]
fn the_work_grows_as_the_text_does_also_on_a_mebibyte_of_near_misses() {
    let rule = TextRule {
        patterns: vec![Pattern::parse(r"^(?<kind>\w+)+ (?<name>(?:a+)+b|.*c.*d) (?<severity>\w*\w*)!$").unwrap()],
        ..TextRule::builtin()
    };
    let patterns = 1 + Set::ALL.iter().map(|set| set.texts().len()).sum::<usize>();
    for bytes in [1 << 10, 1 << 20] {
        for text in near_misses(bytes) {
            let reading = read_up_to(&text, usize::MAX, &rule, &Mapping::default());
            // Each pattern sees each byte at most twice: once to see whether it fits, once for its groups. Within a
            // line the engine itself is linear in both.
            let most = 2 * patterns as u64 * text.len() as u64;
            assert!(reading.work <= most, "{} bytes, work {} of {most}", text.len(), reading.work);
            assert!(reading.work >= text.len() as u64 / 2, "the patterns have seen it");
        }
    }
}

fn org(rules: &[(&str, TextRule)]) -> Org {
    let mut org = Org::default();
    for (id, rule) in rules {
        let integration = Integration {
            id: (*id).into(),
            source: SOURCE.into(),
            service: None,
            group_by: Vec::new(),
            may_acknowledge: false,
            mapping: Some(Mapping { text: Some(rule.clone()), ..Mapping::default() }),
            answers: None,
        };
        org.integrations.insert((*id).into(), integration);
    }
    org
}

#[test]
fn rules_hear_in_their_channels_and_by_their_authors_only() {
    let rule = TextRule {
        channels: vec![ChannelRef::parse("discord:alerts"), ChannelRef::parse("ops")],
        authors: vec!["1234".to_owned(), "bas".to_owned()],
        ..TextRule::builtin()
    };
    let org = org(&[("room", rule)]);
    let said = |chat: &str, channel: &str, authors: &[&str], text: &str| {
        let place = Place { chat: chat.into(), channel: channel.into(), ..Place::default() };
        hear(&org, &Heard { place: &place, authors, request: None, text })
    };
    let text = "[FIRING:1] Disk (critical)\n[RESOLVED] Lag (critical)";
    let heard = said("discord", "alerts", &["1234"], text);
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].by.actor.to_string(), "integration:room");
    assert_eq!(heard[0].by.via, "discord:1234", "who said it stands in the journal");
    assert_eq!(said("slack", "ops", &["U77", "bas"], text).len(), 2, "a channel without a chat is in any");
    assert_eq!(said("slack", "alerts", &["1234"], text).len(), 0, "another chat's channel");
    assert_eq!(said("discord", "alerts", &["12345"], text).len(), 0, "another author");
    assert_eq!(said("discord", "alerts", &[], text).len(), 0, "nobody in particular");
    assert_eq!(said("discord", "alerts", &["1234"], "/ack INC-1\n[FIRING:1] Disk (critical)").len(), 0, "a command");
}

#[test]
fn the_first_rule_by_name_has_a_message_and_only_one_does() {
    let org = org(&[("b", TextRule::builtin()), ("a", rule(&["^never (?<name>x)"], &[])), ("c", TextRule::builtin())]);
    let place = Place::default();
    let heard = hear(&org, &Heard { place: &place, authors: &["bas"], request: None, text: "[FIRING:1] Disk (x)" });
    assert_eq!(heard.iter().map(|input| input.by.actor.to_string()).collect::<Vec<_>>(), ["integration:b"]);
}
