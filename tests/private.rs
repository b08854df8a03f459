//! A private incident stays private: whatever anybody says or does, whoever is not part of it never reads a word of it,
//! in a reply, a list, a completion, a message of their own, a channel or a webhook.

mod support_paging;

use std::collections::BTreeMap;
use std::sync::Arc;

use opsbell::domain::actor::By;
use opsbell::domain::command::complete::Completion;
use opsbell::domain::command::offer::Offered;
use opsbell::domain::delivery::{Destination, Grant, Outcome};
use opsbell::domain::desk::View;
use opsbell::domain::id::IncidentId;
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{Button, Input, InputKind};
use opsbell::domain::paging::look::look;
use opsbell::domain::signal::{AlertSeverity, SignalKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;
use proptest::prelude::*;
use support_paging::{START, example, input, press, say, sent, signal, with_closed};

/// Stands in every title, note, update and reason that is said of private incidents, and nowhere else.
const SECRET: &str = "zyxxyz";
/// Never on call for payments, never paged or invited here.
const OUTSIDERS: [&str; 5] = ["daan", "elif", "hana", "nur", "margriet"];
const INSIDERS: [&str; 2] = ["bas", "cleo"];

struct House {
    core: Core,
    now: Timestamp,
    closed: BTreeMap<IncidentId, Incident>,
    /// Where the secret was read by somebody who must not.
    leaks: Vec<String>,
    /// How often somebody who may has read it.
    read: usize,
    /// Whether nothing gets through just now.
    cut: bool,
}

impl House {
    fn new() -> Self {
        let core = Core::new(State::new("pr1vate"), example());
        Self { core, now: Timestamp(START), closed: BTreeMap::new(), leaks: Vec::new(), read: 0, cut: false }
    }

    /// Nobody who is not part of it is told which incident is private, unless they have just named it themselves.
    fn named(&mut self, who: &str, what: &str, text: &str) {
        let words = |text: &str| -> Vec<IncidentId> {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            words.filter(|word| word.starts_with("INC-")).filter_map(|word| word.parse().ok()).collect()
        };
        let said = words(what);
        let private = &self.core.state().meta.private;
        let told = words(text).into_iter().find(|id| private.contains(id) && !said.contains(id));
        if let Some(id) = told {
            self.leaks.push(format!("{who}, {what}, is told of {id}: {text}"));
        }
    }

    fn seen(&mut self, who: &str, what: &str, text: &str) {
        if !text.contains(SECRET) {
            return;
        }
        // Administrators see all of it; so does whoever it is about.
        if INSIDERS.contains(&who) || ["sanne", "tariq"].contains(&who) {
            self.read += 1;
        } else {
            self.leaks.push(format!("{who}, {what}: {text}"));
        }
    }

    fn take(&mut self, input: Input) {
        let input = with_closed(input, self.core.state(), &self.closed);
        let who = input.by.actor.to_string();
        let what = match &input.kind {
            InputKind::Text { text, .. } => text.clone(),
            other => format!("{other:?}"),
        };
        let said = matches!(input.kind, InputKind::Text { .. });
        let (answer, commit) = self.core.take(self.now, input);
        let done = answer.reply.is_ok();
        let (text, alone) = match answer.reply {
            Ok(reply) => (format!("{} {}", reply.text, reply.records.join(" ")), reply.private),
            // A chat shows a refusal to whoever is refused.
            Err(reject) => (reject.to_string(), true),
        };
        self.seen(&who, &what, &text);
        // A refusal may say how many there are.
        if said && done && OUTSIDERS.contains(&who.as_str()) {
            self.named(&who, &what, &text);
        }
        if said && !alone {
            self.seen("whoever reads along", &what, &text);
        }
        if let Some(commit) = commit {
            self.core.durable(&commit);
        }
        self.closed.extend(self.core.state_mut().take_dirty().closed_incidents);
        while let Some(grant) = self.core.grant(self.now) {
            self.send(&grant);
        }
    }

    fn send(&mut self, grant: &Grant) {
        let shown = look(grant, chrono_tz::Tz::UTC);
        let to = match &grant.to {
            Destination::Person { person, .. } => person.to_string(),
            other => other.to_string(),
        };
        self.seen(&to, "message", &format!("{} {}", shown.subject, shown.text()));
        self.core.ended(&grant.id);
        let outcome = match self.cut {
            true => Outcome::Retryable { reason: "the chat does not answer".to_owned(), after: None, unknown: false },
            false => Outcome::Accepted,
        };
        let receipt = InputKind::Receipt { delivery: grant.id.clone(), outcome };
        self.take(input(By::timer("lane"), receipt));
    }

    fn wait(&mut self, minutes: i64) {
        let until = self.now.after(Span::mins(minutes));
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            while let Some(moment) = self.core.due(self.now) {
                self.take(moment);
            }
            while let Some(grant) = self.core.grant(self.now) {
                self.send(&grant);
            }
        }
        self.now = until;
    }

    /// What an outsider is offered while typing.
    fn complete(&mut self, who: &str, line: &str) {
        let org = Arc::clone(self.core.org());
        let view = View { state: self.core.state(), org: &org, now: self.now, durable: (0, ""), trouble: None };
        let found = Offered::of(&view, &who.into()).complete(line, &[]);
        let told = |found: &Completion| format!("{} {}", found.text, found.description);
        let all: Vec<String> = found.iter().map(told).collect();
        self.seen(who, line, &all.join(" "));
    }
}

#[derive(Debug, Clone)]
enum Act {
    /// Somebody of theirs does this to one of the incidents.
    Inside(usize, String),
    /// Somebody else says this.
    Outside(usize, String),
    /// Somebody else presses this.
    Press(usize, usize, u64),
    /// Somebody else types this.
    Type(usize, String),
    Alert(u8),
    Wait(i64),
    /// From now on messages get through, or none does.
    Cut(bool),
}

fn acts() -> impl Strategy<Value = Act> {
    let inside = prop_oneof![
        Just(format!("/incident declare \"leak {SECRET}\" service:payments-api private:yes")),
        Just(format!("/incident declare \"case {SECRET}\" service:ledger severity:sev1 private:yes")),
        (1..5u64).prop_map(|n| format!("/ack INC-{n}")),
        (1..5u64).prop_map(|n| format!("/incident note INC-{n} \"{SECRET} noted\"")),
        (1..5u64).prop_map(|n| format!("/incident update INC-{n} \"{SECRET} told\"")),
        (1..5u64).prop_map(|n| format!("/resolve INC-{n} fixed \"{SECRET} gone\"")),
        (1..5u64).prop_map(|n| format!("/incident close INC-{n}")),
        (1..5u64).prop_map(|n| format!("/incident reopen INC-{n} \"{SECRET} back\"")),
        (1..5u64).prop_map(|n| format!("/page cleo \"{SECRET} help\" incident:INC-{n}")),
        (1..5u64).prop_map(|n| format!("/incident severity INC-{n} sev1")),
        (1..5u64).prop_map(|n| format!("/incident escalate INC-{n}")),
        (1..5u64).prop_map(|n| format!("/incident role INC-{n} commander cleo")),
        (1..5u64).prop_map(|n| format!("/incident invite INC-{n} cleo")),
        prop::sample::select(&["/status", "/incident list", "/service status", "/incident show", "/ack"][..])
            .prop_map(str::to_owned),
        (1..5u64).prop_map(|n| format!("/problem open INC-{n}")),
        (1..5u64).prop_map(|n| format!("/problem open INC-{n} title:\"what may be read\"")),
        (1..5u64).prop_map(|n| format!("/problem link PRB-1 INC-{n}")),
        (1..5u64).prop_map(|n| format!("/postmortem edit INC-{n} root-cause \"{SECRET} why\"")),
        (1..5u64).prop_map(|n| format!("/postmortem publish INC-{n}")),
        (1..5u64).prop_map(|n| format!("/incident times impact-start at:02:40 reason:\"{SECRET} seen\" INC-{n}")),
        (1..5u64, 1..5u64).prop_map(|(a, b)| format!("/incident merge INC-{a} INC-{b}")),
        (1..5u64, 1..5u64).prop_map(|(a, b)| format!("/incident link INC-{a} related INC-{b}")),
    ];
    let outside = prop_oneof![
        prop::sample::select(
            &[
                "/incident list",
                "/status",
                "/service status",
                "/service show payments-api",
                "/service impact ledger",
                "/service status payments-api",
                "/alert list",
                "/ack",
                "/ack all",
                "/incident show",
                "/incident timeline",
                "/whoami",
                "/oncall who",
                "/incident note x",
                "/contact test",
                "/problem list",
                "/request list",
                "/problem show PRB-1",
                "/postmortem list",
            ][..]
        )
        .prop_map(str::to_owned),
        (
            prop::sample::select(
                &[
                    "/incident show",
                    "/incident timeline",
                    "/incident pages",
                    "/ack",
                    "/incident note",
                    "/incident update",
                    "/resolve",
                    "/incident reopen",
                    "/incident close",
                    "/incident escalate",
                    "/incident mitigate",
                    "/incident severity sev4",
                    "/snooze 1h",
                    "/incident role scribe",
                    "/incident invite me",
                    "/page me",
                    "/incident merge",
                    "/incident link related",
                    "/incident times",
                    "/problem open",
                    "/request new text:wanted",
                    "/problem link PRB-1",
                    "/postmortem show",
                    "/postmortem edit",
                    "/postmortem publish",
                ][..]
            ),
            1..5u64,
            1..5u64
        )
            .prop_map(|(word, n, m)| match word {
                "/incident note" | "/incident update" | "/page me" => format!("{word} text incident:INC-{n}"),
                "/incident merge" => format!("/incident merge INC-{n} INC-{m}"),
                "/incident link related" => format!("/incident link INC-{n} related INC-{m}"),
                word => format!("{word} INC-{n}"),
            }),
    ];
    let typed = prop::sample::select(
        &["/ack ", "/incident show I", "/incident merge INC-1 ", "/incident note incident:", "/page bas incident:INC"]
            [..],
    );
    prop_oneof![
        5 => (0..2usize, inside).prop_map(|(who, text)| Act::Inside(who, text)),
        5 => (0..5usize, outside).prop_map(|(who, text)| Act::Outside(who, text)),
        1 => (0..5usize, 0..6usize, 1..5u64).prop_map(|(who, button, n)| Act::Press(who, button, n)),
        1 => (0..5usize, typed).prop_map(|(who, line)| Act::Type(who, line.to_owned())),
        1 => (0..3u8).prop_map(Act::Alert),
        1 => (1..90i64).prop_map(Act::Wait),
        1 => any::<bool>().prop_map(Act::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_else_reads_a_word_of_a_private_incident(acts in prop::collection::vec(acts(), 1..40)) {
        let mut house = House::new();
        // A public one stands beside them.
        house.take(sent("prometheus", signal("prometheus", SignalKind::Alert, Some("ledger"), "k", Some(AlertSeverity::High))));
        house.take(say("bas", &format!("/incident declare \"first {SECRET}\" service:payments-api private:yes")));
        for act in &acts {
            match act {
                Act::Inside(who, text) => {
                    // The public one is not told the secret, which would be nobody's fault but theirs.
                    let public = text.split_whitespace().any(|word| {
                        let id = word.strip_prefix("incident:").unwrap_or(word).parse().ok();
                        let known = |id: IncidentId| {
                            let state = house.core.state();
                            state.incidents.get(&id).map(|it| it.private).or(house.closed.get(&id).map(|it| it.private))
                        };
                        word.contains("INC-") && id.and_then(known) == Some(false)
                    });
                    if !(public && text.contains(SECRET)) {
                        house.take(say(INSIDERS[*who], text));
                    }
                }
                Act::Outside(who, text) => house.take(say(OUTSIDERS[*who], text)),
                Act::Press(who, button, n) => house.take(press(OUTSIDERS[*who], Button::ALL[*button], *n)),
                Act::Type(who, line) => house.complete(OUTSIDERS[*who], line),
                Act::Alert(n) => {
                    let key = format!("k{n}");
                    let alert = signal("prometheus", SignalKind::Alert, Some("payments-api"), &key, None);
                    house.take(sent("prometheus", alert));
                }
                Act::Wait(minutes) => house.wait(*minutes),
                Act::Cut(cut) => house.cut = *cut,
            }
            prop_assert!(house.leaks.is_empty(), "{:#?}", house.leaks);
        }
        // Those whom it concerns are told, or nothing is proven.
        prop_assert!(house.read > 0);
    }
}

#[test]
fn whoever_may_not_see_it_cannot_let_themselves_in() {
    let mut house = House::new();
    house.take(say("bas", &format!("/incident declare \"first {SECRET}\" service:payments-api private:yes")));
    for line in ["/incident invite INC-1 daan", "/incident role INC-1 scribe", "/page me incident:INC-1", "/ack INC-1"]
    {
        house.take(say("daan", line));
        let incident = &house.core.state().incidents[&IncidentId(1)];
        assert!(!incident.admits(&"daan".into()), "{line}");
    }
    house.take(say("bas", "/incident invite INC-1 daan"));
    assert!(house.core.state().incidents[&IncidentId(1)].admits(&"daan".into()));
}

#[test]
fn every_line_about_a_run_for_a_private_incident_names_the_incident() {
    // Whoever reads the journal over HTTP is not shown lines that name an incident that they may not see.
    let mut core = Core::new(State::new("pr1vate"), example());
    let mut now = Timestamp(START);
    let mut lines = Vec::new();
    let mut inputs = vec![
        say("bas", "/runbook answer RUN-1 yes"),
        say("bas", "/runbook run drain-queue with:\"partner=sepa\" incident:INC-1"),
        say("bas", &format!("/incident declare \"leak {SECRET}\" service:payments-api private:yes")),
    ];
    while let Some(input) = inputs.pop() {
        let (answer, commit) = core.take(now, input);
        assert!(answer.reply.is_ok(), "{answer:?}");
        lines.extend(commit);
        while let Some(input) = core.due(now) {
            lines.extend(core.take(now, input).1);
            lines.iter().skip(lines.len().saturating_sub(1)).for_each(|commit| core.durable(commit));
            while let Some(errand) = core.errand() {
                core.errand_ended(errand.run, errand.attempt);
                let outcome = opsbell::domain::playbook::Performed::Done { output: SECRET.to_owned() };
                let kind = InputKind::Performed { run: errand.run, attempt: errand.attempt, outcome };
                lines.extend(core.take(now, input_by_timer(kind)).1);
            }
        }
        now = now.after(Span::secs(1));
    }
    let about: Vec<String> = lines
        .iter()
        .filter_map(|commit| serde_json::to_string(&commit.events).ok())
        .filter(|line| line.contains("RUN-1") || line.contains(SECRET))
        .collect();
    assert!(about.len() > 4, "{about:#?}");
    let silent: Vec<&String> = about.iter().filter(|line| !line.contains("INC-1")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

fn input_by_timer(kind: InputKind) -> Input {
    input(By::timer("perform"), kind)
}
