//! Templates, drafts and edits; how people meet them is in the stories.

use super::facts::Facts;
use super::template::Templates;
use super::*;
use crate::domain::incident::Severity;

fn long(n: usize) -> Facts {
    let mut facts = Facts::sample();
    let (line, page) = (facts.told[0].clone(), facts.pages[0].clone());
    facts.told = vec![line.clone(); n];
    facts.happened = vec![line.clone(); n];
    facts.alerts.lines = vec![line; n];
    facts.pages = vec![page; n];
    facts
}

#[test]
fn the_built_in_template_reads_well_with_everything_and_with_nothing() {
    let draft = |facts: &Facts| Templates::default().draft("payments-api", Severity::Sev1, facts);
    for (kind, facts) in [("everything", Facts::sample()), ("nothing", Facts::sparse())] {
        let drafted = draft(&facts);
        assert_eq!(drafted.failure, None);
        insta::assert_snapshot!(format!("with_{kind}"), drafted.text);
    }
    // The longest that there can be is rendered within the fuel.
    let mut longest = long(60);
    longest.told.iter_mut().for_each(|line| line.text = "é*".repeat(150));
    let drafted = draft(&longest);
    assert!(drafted.failure.is_none() && !drafted.text.contains("template failed"), "{}", drafted.text);
    assert!(drafted.text.len() < TEXT_MAX, "{}", drafted.text.len());
}

#[test]
fn what_comes_from_outside_stays_text() {
    let mut facts = Facts::sample();
    facts.incident.title = "<img src=x onerror=alert(1)> [click](http://evil) `code` **loud**\n# heading".into();
    facts.told[0].text = "note: ![x](http://evil/x.png) @everyone".into();
    let text = Templates::default().draft("payments-api", Severity::Sev1, &facts).text;
    assert!(text.contains(r"\<img src=x onerror=alert(1)\> \[click\](http://evil) \`code\` \*\*loud\*\* # heading"));
    assert!(text.contains(r"!\[x\](http://evil/x.png)"));
    assert!(!text.contains("\n# heading"));
}

#[test]
fn the_nearest_template_is_used() {
    let mut templates = Templates::default();
    for (name, text) in [("postmortem.md", "all"), ("postmortem/sev1.md", "worst"), ("postmortem/ledger.md", "books")] {
        assert_eq!(templates.add(name, text), Ok(()), "{name}");
    }
    let draft = |service, severity| templates.draft(service, severity, &Facts::sparse());
    assert_eq!(draft("ledger", Severity::Sev1).text, "books");
    assert_eq!(draft("booking", Severity::Sev1).text, "worst");
    let all = draft("booking", Severity::Sev2);
    assert_eq!((all.text.as_str(), all.template.as_str()), ("all", "playbooks/postmortem.md"));
}

#[test]
fn a_template_that_fails_or_loops_is_refused_with_its_line() {
    let mut templates = Templates::default();
    for (bad, line) in [
        ("fine\n{% if %}", 2),
        ("fine\n\n{{ incident.tilte }}", 3),
        ("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}", 1),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", 1),
        ("{% include '/etc/passwd' %}", 1),
        ("{% for it in people %}{% endfor %}", 1),
        ("\u{0}{{", 1),
    ] {
        let flaw = templates.add("postmortem.md", bad).unwrap_err();
        assert_eq!(flaw.line, line, "{bad}: {flaw:?}");
        assert!(!flaw.message.is_empty() && flaw.message.len() < 400, "{flaw:?}");
    }
    let wide = "{% for a in range(2000) %}".to_owned() + &"x".repeat(100) + "{% endfor %}";
    assert!(templates.add("postmortem.md", &wide).unwrap_err().message.contains("64 KiB"));
    // What was refused is not used.
    assert_eq!(templates.draft("x", Severity::Sev1, &Facts::sample()).template, "the built-in template");
}

#[test]
fn one_that_fails_later_is_replaced_by_the_built_in_one() {
    let mut templates = Templates::default();
    let odd = "fine\n{% if incident.environment == 'odd' %}{{ oddity }}{% endif %}";
    templates.add("postmortem.md", odd).unwrap();
    let mut facts = Facts::sample();
    facts.incident.environment = "odd".into();
    let drafted = templates.draft("x", Severity::Sev1, &facts);
    assert!(drafted.text.starts_with("# INC-1: "), "{}", drafted.text);
    assert!(drafted.failure.unwrap().starts_with("playbooks/postmortem.md:2: "));
}
