//! What the tables of a configuration say together: whether every name exists, nothing goes in circles, everybody can
//! be reached. Single values are judged where they are read.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Kind, Use};
use super::finding::{Finding, Spot};
use super::settings::BUILT_CHATS;
use super::value::{self, cut};
use crate::domain::delivery::Method;
use crate::domain::id::{PersonId, ServiceId};
use crate::domain::org::{Target, Team};

/// Judges the whole; `main` is the main file, for what is missing altogether.
pub fn whole(draft: &mut Draft<'_>, main: &Spot) {
    names(draft);
    if !draft.main_is_broken {
        settings(draft, main);
    }
    cycles(draft);
    methods(draft);
    chat(draft);
    mailed(draft);
    operators(draft);
    links(draft);
    channels(draft);
    // Whether anybody is reached is only known when everything is understood.
    if !draft.sink.refuses() {
        reachable(draft);
    }
}

/// Every name that is mentioned is declared.
fn names(draft: &Draft<'_>) {
    for mention in &draft.mentions {
        if draft.sink.is_full() {
            return;
        }
        let key = (mention.kind, mention.name.clone());
        // A thing whose name was lost to a syntax error may be the one that is meant.
        if draft.declared.contains_key(&key) || draft.lost.contains(&mention.kind) {
            continue;
        }
        let word = mention.kind.word();
        let known: Vec<&str> =
            draft.declared.keys().filter(|(kind, _)| *kind == mention.kind).map(|(_, name)| name.as_str()).collect();
        let hint = match value::meant(&mention.name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => format!("declare it: [[{word}]] with id = \"{}\"", cut(&mention.name)),
            None if known.len() <= 12 => format!("declared: {}", known.join(", ")),
            None => format!("declare it by a [[{word}]], or name one of the {} that are", known.len()),
        };
        draft.sink.add(Finding::error(&mention.spot, format!("unknown {word} `{}`", cut(&mention.name))).hint(hint));
    }
}

fn settings(draft: &Draft<'_>, main: &Spot) {
    if !draft.settings.contains_key("defaults") {
        let finding = Finding::error(main, "there is no [defaults] with a `service`")
            .hint("write [defaults] and service = \"NAME\": signals that name no known service page its team");
        draft.sink.add(finding);
    }
    if !draft.settings.contains_key("operators") {
        let finding = Finding::error(main, "there is no [operators]")
            .hint("write [operators] and people = [\"NAME\"]: who is told when Opsbell itself needs help");
        draft.sink.add(finding);
    }
}

/// No service needs itself, over however many others. Each circle is reported once.
fn cycles(draft: &Draft<'_>) {
    let mut done: BTreeSet<&ServiceId> = BTreeSet::new();
    for start in draft.org.services.keys() {
        // Depth first, by hand: a chain of ten thousand services must not end the stack.
        let mut path: Vec<(&ServiceId, usize)> = vec![(start, 0)];
        let mut on_path: BTreeSet<&ServiceId> = [start].into();
        while let Some((at, next)) = path.last_mut() {
            let needs = draft.org.services.get(*at).map(|service| service.depends_on.as_slice()).unwrap_or_default();
            let Some(need) = needs.get(*next).filter(|_| !done.contains(*at)) else {
                done.insert(at);
                on_path.remove(*at);
                path.pop();
                continue;
            };
            *next += 1;
            if on_path.contains(need) {
                circle(draft, &path, need);
            } else if !done.contains(need) {
                on_path.insert(need);
                path.push((need, 0));
            }
        }
    }
}

fn circle(draft: &Draft<'_>, path: &[(&ServiceId, usize)], back_to: &ServiceId) {
    let Some((last, _)) = path.last() else { return };
    let from = path.iter().position(|(id, _)| *id == back_to).unwrap_or(0);
    let mut shown: Vec<&str> = path[from..].iter().map(|(id, _)| id.as_str()).collect();
    shown.push(back_to.as_str());
    if shown.len() > 12 {
        shown.splice(6..shown.len() - 3, ["…"]);
    }
    let Some(declared) = draft.declared.get(&(Kind::Service, last.to_string())) else { return };
    // The mention that closes the circle is the first of this name after the service's own.
    let spot = draft
        .mentions
        .iter()
        .filter(|mention| mention.kind == Kind::Service && mention.name == back_to.as_str())
        .map(|mention| &mention.spot)
        .find(|spot| spot.follows(declared))
        .unwrap_or(declared);
    let message = format!("`depends_on` goes in a circle: {}", shown.join(" → "));
    draft.sink.add(Finding::error(spot, message).hint("leave out the dependency that is the weakest"));
}

/// Whoever is to be reached by a method has what it takes.
fn methods(draft: &mut Draft<'_>) {
    let mut more = Vec::new();
    let mut mails: Vec<&Spot> = Vec::new();
    for used in &draft.uses {
        match used.method {
            Method::Sms | Method::Voice | Method::Push => {
                let message = format!("the contact method {} is not built yet", used.method);
                let hint = "use chat, email or webhook for now; rehearsals simulate all kinds";
                more.push(Finding::error(&used.spot, message).hint(hint));
            }
            Method::Email => mails.push(&used.spot),
            _ => {}
        }
        let people: Vec<&PersonId> = match &used.person {
            Some(person) => vec![person],
            None => users_of_defaults(draft, used),
        };
        for person in people {
            lacks(draft, person, used);
        }
    }
    // The rules that hold where none are written are chat alone; they matter where somebody goes by them.
    for key in &draft.unsaid {
        let mut people = draft.org.people.values();
        let unruled = people.find(|p| if *key == "high" { &p.notify_high } else { &p.notify_low }.is_none());
        if let (Some(person), Some(spot)) = (unruled, draft.settings.get("defaults")) {
            let message = format!(
                "without `notify.{key}`, `{}` is reached by chat only, and no chat is connected in this release",
                person.id
            );
            let hint = format!("write notify.{key} here, with email or webhook");
            draft.chat_only.push(Finding::error(spot, message).hint(hint));
        }
    }
    // Operators are told by every method they have; where mail is the only one, it has to work.
    let told = &draft.org.operators;
    let hooked = |id: &PersonId| draft.org.people.get(id).is_some_and(|person| person.webhook.is_some());
    if told.webhooks.is_empty() && !told.people.iter().any(hooked) {
        mails.extend(draft.settings.get("operators"));
    }
    if let Some(spot) = mails.first().filter(|_| draft.mail.is_none()) {
        let message = "mail is used, and there is no [mail]; serve will refuse";
        let hint = "write [mail] with host = \"…\" and from = \"…\"";
        draft.sink.add(Finding::warning(spot, message).hint(hint));
        more.push(Finding::error(spot, "mail is used, and there is no [mail]").hint(hint));
    }
    draft.not_built.extend(more);
}

/// Whoever is to get a summary by mail, and with it the journal's head, has an address.
fn mailed(draft: &Draft<'_>) {
    for (id, spot) in &draft.mailed {
        if draft.org.people.get(id.as_str()).is_some_and(|person| person.email.is_none()) {
            let message = format!("`{id}` has no mail address: this summary is not mailed to them");
            draft.sink.add(Finding::warning(spot, message).hint("give the person an email = \"…\", or leave them out"));
        }
    }
}

/// What needs a connected chat has one, and whoever is reached by it is known there.
fn chat(draft: &mut Draft<'_>) {
    let needs = std::mem::take(&mut draft.chat_only);
    if !draft.chat.contains_key("discord") {
        return draft.not_built.extend(needs);
    }
    let by_chat = |person: &PersonId| {
        [true, false].iter().any(|high| draft.org.rules(person, *high).iter().any(|rule| rule.method == Method::Chat))
    };
    for person in draft.org.people.values().filter(|person| person.discord.is_none() && by_chat(&person.id)) {
        let Some(spot) = draft.declared.get(&(Kind::Person, person.id.to_string())) else { continue };
        let message = format!("`{}` has a rule with chat, and no account there", person.id);
        let hint = "give the person discord = \"USER ID\", or they say /connect there; until then a page goes on to their next rule at once";
        draft.sink.add(Finding::warning(spot, message).hint(hint));
    }
}

/// The people for whom a default rule holds.
fn users_of_defaults<'a>(draft: &'a Draft<'_>, used: &Use) -> Vec<&'a PersonId> {
    let high = draft.org.defaults.notify_high.iter().any(|rule| rule.method == used.method);
    let low = draft.org.defaults.notify_low.iter().any(|rule| rule.method == used.method);
    let people = draft.org.people.values();
    let holds = people.filter(|p| (high && p.notify_high.is_none()) || (low && p.notify_low.is_none()));
    holds.map(|person| &person.id).collect()
}

fn lacks(draft: &Draft<'_>, id: &PersonId, used: &Use) {
    let Some(person) = draft.org.people.get(id) else { return };
    let (lacks, hint) = match used.method {
        Method::Email => (person.email.is_none(), "give the person an email = \"…\", or another rule"),
        Method::Webhook => (person.webhook.is_none(), "give the person a webhook = \"NAME\", or another rule"),
        _ => return,
    };
    if !lacks {
        return;
    }
    let finding = match &used.person {
        Some(_) => Finding::error(&used.spot, format!("`{id}` has no {}, and this rule needs one", used.method)),
        None => {
            let spot = draft.declared.get(&(Kind::Person, id.to_string())).unwrap_or(&used.spot);
            let message = format!("`{id}` has no {}, and the rules of [defaults] need one", used.method);
            Finding::error(spot, message)
        }
    };
    draft.sink.add(finding.hint(hint));
}

/// Operators can be told when chat is what broke.
fn operators(draft: &Draft<'_>) {
    let Some(spot) = draft.settings.get("operators") else { return };
    let operators = &draft.org.operators;
    let by_other = |id: &PersonId| match draft.org.people.get(id) {
        Some(person) => person.email.is_some() || person.webhook.is_some(),
        // An unknown name is reported by itself.
        None => true,
    };
    if operators.webhooks.is_empty() && !operators.people.iter().any(by_other) {
        let finding = Finding::error(spot, "[operators] can be told by chat only, and chat may be what is broken")
            .hint("name a person who has an email or a webhook, or webhooks = [\"NAME\"]");
        draft.sink.add(finding);
    }
}

/// Links work only to the hosts of `[server] link_hosts`.
fn links(draft: &Draft<'_>) {
    let mut told = BTreeSet::new();
    for (host, spot) in &draft.links {
        if !draft.org.link_hosts.contains(host) && told.insert(host) {
            let message = format!("links to {} are shown as plain text", cut(host));
            let hint = format!("to make them links, add it to [server] link_hosts = [\"{}\"]", cut(host));
            draft.sink.add(Finding::warning(spot, message).hint(hint));
        }
    }
}

/// Channels of chats that are not built are refused by `serve`.
fn channels(draft: &mut Draft<'_>) {
    let mut more = Vec::new();
    for (channel, spot) in &draft.channels {
        let connected = |chat: &str| chat == "terminal" || chat == "discord" && draft.chat.contains_key("discord");
        if let Some(chat) = channel.chat.as_ref().filter(|chat| !connected(chat)) {
            let message = match BUILT_CHATS.contains(&chat.as_str()) {
                true => format!("there is no [chat.{chat}]"),
                false => format!("the chat platform {chat} is not built yet"),
            };
            let hint = format!("write \"{}\" without a platform: it is on whatever chat is connected", channel.name);
            more.push(Finding::error(spot, message).hint(hint));
        }
    }
    draft.not_built.extend(more);
}

/// Teams that nobody would hear of.
fn reachable(draft: &Draft<'_>) {
    let connected = draft.chat.keys().any(|chat| chat != "terminal");
    // Several teams often share a policy; its people are looked up once.
    let mut seen: BTreeMap<&str, Reach> = BTreeMap::new();
    for team in draft.org.teams.values() {
        let Some(spot) = draft.declared.get(&(Kind::Team, team.id.to_string())) else { continue };
        let reach = *seen.entry(team.escalation.as_str()).or_insert_with(|| reach(draft, team));
        let finding = match reach {
            Reach::Nobody => Finding::warning(spot, format!("the escalation of team `{}` pages no person", team.id))
                .hint("a channel wakes nobody: let a step page a schedule or a person"),
            Reach::ChatOnly if !connected => {
                let message = format!("team `{}` is reached by chat only, and no chat platform is connected", team.id);
                Finding::warning(spot, message).hint("give its people another rule, such as \"email after 3m\"")
            }
            _ => continue,
        };
        draft.sink.add(finding);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Nobody,
    ChatOnly,
    Well,
}

fn reach(draft: &Draft<'_>, team: &Team) -> Reach {
    let Some(policy) = draft.org.policies.get(team.escalation.as_str()) else { return Reach::Well };
    let mut found = Reach::Nobody;
    for target in policy.steps.iter().flat_map(|step| &step.page) {
        let people: Vec<&PersonId> = match target {
            Target::Person(person) => vec![person],
            Target::Schedule(id) => match draft.org.schedules.get(id) {
                Some(schedule) => schedule.rotations.iter().flat_map(|rotation| &rotation.members).collect(),
                None => return Reach::Well,
            },
            Target::Webhook(_) => return Reach::Well,
            Target::Channel(_) => continue,
        };
        for person in people {
            if draft.org.rules(person, true).iter().any(|rule| rule.method != Method::Chat) {
                return Reach::Well;
            }
            found = Reach::ChatOnly;
        }
    }
    found
}
