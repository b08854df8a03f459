//! `/contact`: by what ways a person is reached, and a try of them. The ways themselves stand in the configuration; no
//! address is ever told here.

use std::fmt::Write as _;

use super::delivery::{Content, Destination, Method, Priority};
use super::draft::Draft;
use super::id::PersonId;
use super::input::Reply;
use super::org::{NotifyRule, Org, Person};
use super::reject::{Reject, RejectCode};

/// Where a way to be reached is written down.
pub const WHERE: &str = "in the configuration, in your [[person]]";

fn asker<'a>(draft: &Draft<'a>) -> Result<&'a Person, Reject> {
    let known = draft.person().and_then(|person| draft.org.people.get(person));
    known.ok_or_else(|| {
        Reject::new(RejectCode::Unlinked, "You are not a person of this organisation, so nothing reaches you.")
            .hint("An administrator can add a [[person]] to the configuration.")
    })
}

/// The ways that a person's rules use, each once, in the order in which they are tried.
fn used(org: &Org, person: &PersonId) -> Vec<Method> {
    let mut methods = Vec::new();
    for rule in org.rules(person, true).iter().chain(org.rules(person, false)) {
        if !methods.contains(&rule.method) {
            methods.push(rule.method);
        }
    }
    methods
}

/// Why a way cannot work for a person, and what to write; `None` where it can.
fn lacks(org: &Org, person: &Person, method: Method) -> Option<(String, String)> {
    match method {
        Method::Chat if !org.chat_connected => {
            Some(("no chat is connected".into(), "add another rule, such as \"email after 3m\", to notify.high".into()))
        }
        Method::Email if person.email.is_none() => {
            Some(("you have no mail address there".into(), format!("write email = \"…\" {WHERE}")))
        }
        Method::Webhook if person.webhook.is_none() => {
            Some(("you have no webhook there".into(), format!("write webhook = \"NAME\" {WHERE}, and a [[webhook]]")))
        }
        _ => None,
    }
}

fn rules(rules: &[NotifyRule]) -> String {
    let words: Vec<String> = rules
        .iter()
        .map(|rule| match rule.after.0 {
            0 => rule.method.to_string(),
            _ => format!("{} after {}", rule.method, rule.after),
        })
        .collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// `/contact list`.
pub fn list(draft: &Draft<'_>) -> Result<Reply, Reject> {
    let person = asker(draft)?;
    let (high, low) = (draft.org.rules(&person.id, true), draft.org.rules(&person.id, false));
    let mut text = format!("sev1 and sev2 reach you by {}; sev3 by {}.\n", rules(high), rules(low));
    for method in used(draft.org, &person.id) {
        if let Some((why, what)) = lacks(draft.org, person, method) {
            let _ = writeln!(text, "{method} does not: {why}; {what}");
        }
    }
    let _ = write!(text, "To change it: notify.high and notify.low {WHERE}. To try it: /contact test");
    Ok(Reply::done(text).private())
}

/// `/contact test`: one message by each way, which nobody can take for a page.
pub fn test(draft: &mut Draft<'_>, method: Option<Method>) -> Result<Reply, Reject> {
    let person = asker(draft)?;
    let org = draft.org;
    let methods = match method {
        Some(method) => vec![method],
        None => used(org, &person.id),
    };
    let known = used(org, &person.id);
    let mut sent: Vec<Method> = Vec::new();
    let mut not: Vec<String> = Vec::new();
    for method in methods {
        let to = Destination::Person { person: person.id.clone(), method };
        let unknown = matches!(method, Method::Sms | Method::Voice | Method::Push) && !known.contains(&method);
        // One at a time, so that nobody is flooded.
        let waits = draft.state.notices.values().any(|notice| notice.to == to);
        if let Some((why, what)) = lacks(org, person, method) {
            not.push(format!("{method}: {why}; {what}"));
        } else if unknown {
            not.push(format!("{method}: none of your rules uses it; write notify.high = [\"{method}\"] {WHERE}"));
        } else if waits {
            not.push(format!("{method}: one is on its way already; /status says what waits"));
        } else {
            let text = format!(
                "TEST, not a page: {} asked to be reached by {method}, and it works. Nothing is broken; there is nothing to do.",
                person.id
            );
            draft.owe(None, None, to, Priority::Notice, Content::Notice { text });
            sent.push(method);
        }
    }
    if sent.is_empty() {
        return Err(Reject::new(RejectCode::Conflict, format!("No test was sent. {}", not.join("; ")))
            .hint("By what you are reached: /contact list"));
    }
    let names: Vec<String> = sent.iter().map(ToString::to_string).collect();
    let mut text =
        format!("A test is on its way to you by {}. It says TEST, and wakes nobody else.\n", names.join(", "));
    for line in not {
        let _ = writeln!(text, "Not by {line}");
    }
    text.push_str("Nothing arrived within a minute? Tell an administrator; /status says what still waits");
    Ok(Reply::done(text).private())
}
