//! Tests of names, values and hosts; how runs go is told by the stories `playbook-*.txt`.

use super::spec::{Host, Kind, Parameter, ParameterKind, Playbook};
use super::text::{Values, begins_with_name, fill, fill_json, fill_url, names};
use super::values;
use crate::domain::change::Level;
use crate::domain::command::spec::Permission;
use crate::domain::org::Org;

fn given(value: &str) -> Values {
    Values::from([("x".into(), value.into())])
}

#[test]
fn names_are_filled_in_and_nothing_else_is_read() {
    assert_eq!(names("a {{x}} b {{ y }} {{"), ["x", "y"]);
    assert!(begins_with_name("{{x}}") && !begins_with_name("--set={{x}}") && !begins_with_name("{{"));
    assert_eq!(fill("{{x}}-{{ x }}-{{y}}-{{", &given("1")), "1-1--{{");
    // A value is never read again.
    assert_eq!(fill("{{x}}", &given("{{x}}{{by}}")), "{{x}}{{by}}");
}

#[test]
fn a_value_is_one_piece_of_a_url_whatever_is_in_it() {
    let url = |value: &str| fill_url("https://h.example/v1/{{x}}?q=1", &given(value));
    assert_eq!(url("payments-api").as_deref(), Ok("https://h.example/v1/payments-api?q=1"));
    assert_eq!(
        url("a/../b?c#d@e:f&g=h i%é").as_deref(),
        Ok("https://h.example/v1/a%2F..%2Fb%3Fc%23d%40e%3Af%26g%3Dh%20i%25%C3%A9?q=1")
    );
    for dots in [".", ".."] {
        assert_eq!(url(dots), Err("x".into()));
    }
}

#[test]
fn json_keeps_its_shape_whatever_a_value_is() {
    let json = serde_json::json!({ "{{x}}": "{{x}}", "n": 3, "all": ["v{{x}}", true, null] });
    let filled = fill_json(&json, &given(r#"", "admin": true, "z": ""#));
    assert_eq!(filled["{{x}}"], r#"", "admin": true, "z": ""#);
    assert_eq!(filled["all"][0], r#"v", "admin": true, "z": ""#);
    assert_eq!(filled.as_object().map(serde_json::Map::len), Some(3));
}

fn parameter(kind: ParameterKind, pattern: Option<&str>, of: &[&str]) -> Parameter {
    Parameter {
        name: "x".into(),
        summary: None,
        kind,
        required: true,
        default: None,
        values: of.iter().map(|value| (*value).into()).collect(),
        pattern: pattern.map(Into::into),
    }
}

#[test]
fn what_a_shell_or_a_program_could_read_as_more_is_no_text() {
    let plain = parameter(ParameterKind::Text, None, &[]);
    for fits in ["1.4.1", "payments-api", "v1.2.3+build_7", "user@host:/path", "a"] {
        assert_eq!(values::value(&Org::default(), &plain, fits).as_deref(), Ok(fits));
    }
    let long = "a".repeat(values::VALUE_MAX + 1);
    for hostile in [
        "",
        " ",
        "-",
        "--help",
        "-rf",
        "a b",
        "a;b",
        "a|b",
        "a&b",
        "$(a)",
        "`a`",
        "a>b",
        "a<b",
        "'a'",
        "\"a\"",
        "a\\b",
        "a*",
        "a?",
        "~",
        "a\nb",
        "a\0b",
        "a\u{202e}b",
        "{{run}}",
        "é",
        &long,
    ] {
        assert!(values::value(&Org::default(), &plain, hostile).is_err(), "{hostile:?}");
    }
    // A pattern of one's own may allow more, but no line end and nothing that cannot be seen; it matches the whole.
    let any = parameter(ParameterKind::Text, Some("(?s).*"), &[]);
    assert_eq!(values::value(&Org::default(), &any, "$(a) b").as_deref(), Ok("$(a) b"));
    for hidden in ["a\nb", "a\0b", "a\u{200f}b", ""] {
        assert!(values::value(&Org::default(), &any, hidden).is_err(), "{hidden:?}");
    }
    let version = parameter(ParameterKind::Text, Some("[0-9]+|main"), &[]);
    assert!(values::value(&Org::default(), &version, "17").is_ok());
    for more in ["17; reboot", "xmain", "mainx", "17\nmain"] {
        assert!(values::value(&Org::default(), &version, more).is_err(), "{more:?}");
    }
    assert!(values::pattern("(a").is_err() && values::pattern("a{1000}{1000}").is_err());
}

#[test]
fn types_and_allowed_values_are_kept() {
    let check = |kind, of: &[&str], text| values::value(&Org::default(), &parameter(kind, None, of), text);
    assert!(check(ParameterKind::Number, &[], "-7").is_ok() && check(ParameterKind::Number, &[], "7e9").is_err());
    assert!(check(ParameterKind::Duration, &[], "30m").is_ok() && check(ParameterKind::Duration, &[], "soon").is_err());
    assert!(check(ParameterKind::Service, &[], "payments-api").is_err(), "there is no such service");
    assert!(check(ParameterKind::Person, &[], "bas").is_err(), "nor such a person");
    assert!(check(ParameterKind::Text, &["on", "off"], "off").is_ok());
    assert_eq!(check(ParameterKind::Text, &["on", "off"], "Off").unwrap_err(), "`Off` is none of on, off");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let playbook = Playbook {
        id: "p".into(),
        kind: Kind::Runbook,
        summary: "s".into(),
        services: Vec::new(),
        risk: Level::Low,
        permission: Permission::Respond,
        earn_after: None,
        expected: None,
        expects: Vec::new(),
        item: None,
        parameters: vec![
            parameter(ParameterKind::Number, None, &[]),
            Parameter { name: "y".into(), ..parameter(ParameterKind::Text, None, &[]) },
        ],
        steps: Vec::new(),
        verify: Vec::new(),
        rollback: Vec::new(),
    };
    let said = [("x".into(), "many".to_owned()), ("z".into(), "1".to_owned())];
    let reject = values::read(&Org::default(), &playbook, &said).unwrap_err();
    assert_eq!(
        reject.message,
        "p does not run: `x`: `many` is not a whole number; there is no parameter `z` (did you mean `x`?); `y` is missing."
    );
    let twice = [("x".into(), "1".to_owned()), ("X".into(), "2".to_owned()), ("y".into(), "1".to_owned())];
    assert!(values::read(&Org::default(), &playbook, &twice).unwrap_err().message.contains("`x` is said twice"));
}

#[test]
fn a_host_is_listed_with_its_port() {
    let host = |host: &str| Host { host: host.into(), private: false, header: None };
    assert!(host("deploy.ej.example").is("DEPLOY.ej.example", 443, true));
    assert!(!host("deploy.ej.example").is("deploy.ej.example", 8443, false));
    assert!(host("deploy.ej.example:8443").is("deploy.ej.example", 8443, false));
    assert!(!host("deploy.ej.example:8443").is("deploy.ej.example", 443, true));
    for other in ["ej.example", "evil.deploy.ej.example", "deploy.ej.example.evil", ""] {
        assert!(!host("deploy.ej.example").is(other, 443, true), "{other}");
    }
}

#[test]
fn a_remedy_may_what_responders_may_and_no_other_part_of_opsbell_may_anything() {
    use super::REMEDY;
    use crate::domain::actor::Actor;
    use crate::domain::authorise::authorise;
    let may = |part: &str, permission| authorise(&Org::default(), &Actor::timer(part), permission, None).is_ok();
    for permission in [Permission::Read, Permission::Declare, Permission::Respond] {
        assert!(may(REMEDY, permission), "{permission:?}");
    }
    assert!(!may(REMEDY, Permission::Administer));
    for other in ["moment", "engine", "lane", "remedy ", ""] {
        assert!(!may(other, Permission::Read), "{other}");
    }
    let named = Actor::Integration(REMEDY.into());
    assert!(authorise(&Org::default(), &named, Permission::Read, None).is_err());
    assert!(authorise(&Org::default(), &Actor::Person(REMEDY.into()), Permission::Respond, None).is_err());
}
