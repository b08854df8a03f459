//! What a story expects, against what its world has shown so far. Pages are consumed here: each is expected once.

use chrono_tz::Tz;

use super::run::{Miss, one_line};
use super::story::{ChangeField, Expect, Field, ProblemField};
use super::times::clock;
use super::world::{What, World};
use crate::domain::change::{Change, ChangeState};
use crate::domain::delivery::{ChannelRef, Content, Destination, Method};
use crate::domain::id::{ChangeId, IncidentId, PersonId, ProblemId, RunId};
use crate::domain::incident::{Incident, IncidentState, Severity};
use crate::domain::org::{Org, Target};
use crate::domain::paging::look;
use crate::domain::problem::{Problem, ProblemState};
use crate::domain::reject::did_you_mean;
use crate::domain::time::Timestamp;

/// More than this many pages are not listed in a message.
const PAGES_TOLD: usize = 6;
/// A text is repeated in a message up to this many characters.
const TEXT_TOLD: usize = 300;

/// What has been seen of a world, and which pages have been expected already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    looked: usize,
    pages: Vec<PageSeen>,
    /// Where the pages of the last statement that expects nothing begin.
    fresh: usize,
}

#[derive(Debug)]
struct PageSeen {
    at: Timestamp,
    who: String,
    method: Method,
    consumed: bool,
}

impl Seen {
    /// A statement that expects nothing begins: pages are fresh from here on.
    pub fn begin(&mut self) {
        self.fresh = self.pages.len();
    }

    /// Notes the pages sent since the last look. A page to a channel is a post: it wakes nobody.
    pub fn look(&mut self, world: &World) {
        for happening in world.log().iter().skip(self.looked) {
            let What::Sent { to, content: Content::Page(_), .. } = &happening.what else { continue };
            let (who, method) = match to {
                Destination::Person { person, method } => (person.to_string(), *method),
                Destination::Webhook(id) => (format!("webhook:{id}"), Method::Webhook),
                Destination::Channel(_) | Destination::Host(_) => continue,
            };
            self.pages.push(PageSeen { at: happening.at, who, method, consumed: false });
        }
        self.looked = world.log().len();
    }

    /// How many pages have been seen.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }
}

/// Checks one expectation; a page that is expected is consumed.
pub(super) fn check(expect: &Expect, world: &World, seen: &mut Seen, zone: Tz) -> Result<(), Miss> {
    match expect {
        Expect::Incident { incident, state, severity, fields } => {
            check_incident(world, *incident, *state, *severity, fields)
        }
        Expect::Problem { problem, state, fields } => check_problem(world, *problem, *state, fields),
        Expect::Change { change, state, fields } => check_change(world, *change, *state, fields),
        Expect::Run { run, state, step } => check_run(world, *run, state, step.as_deref()),
        Expect::Request { request, state, fields } => super::request::check(world, *request, *state, fields),
        Expect::Page { person, method } => {
            let expected = format!("page {person} via {method}");
            match unknown(world, Some(person)) {
                None => page(seen, person, *method, zone).map_err(|got| Miss { expected, got }),
                Some(got) => Err(Miss { expected, got }),
            }
        }
        Expect::NoPage { person } => {
            let expected = person.as_ref().map_or_else(|| "no page".to_owned(), |person| format!("no page {person}"));
            let got = unknown(world, person.as_deref()).or_else(|| fresh(seen, person.as_deref(), zone));
            got.map_or(Ok(()), |got| Err(Miss { expected, got }))
        }
        Expect::Reply { person, contains, text } => reply(world, person, *contains, text),
        // Looked at where configurations are loaded.
        Expect::Finding { .. } => Ok(()),
        Expect::Post { channel, contains, text } => post(world, channel, *contains, text, zone),
    }
}

fn check_run(world: &World, id: RunId, state: &str, step: Option<&str>) -> Result<(), Miss> {
    let told = |state: &str, step: &str| format!("{id} {state} step={step}");
    let Some(run) = world.state().runs.get(&id) else {
        return Err(Miss::new(format!("{id} {state}"), format!("no {id}")));
    };
    let last = run.done.last().map(|done| done.step.as_str());
    let now = run.step().map(|step| step.id.as_str()).filter(|_| run.ended.is_none());
    let at = now.or(last).unwrap_or("none");
    if run.word() == state && step.is_none_or(|step| step == at) {
        return Ok(());
    }
    Err(Miss::new(step.map_or_else(|| format!("{id} {state}"), |step| told(state, step)), told(run.word(), at)))
}

/// What is wrong with the name of somebody who can be paged, if anything: a misspelled one would make `expect no page`
/// hold for ever.
pub(super) fn unknown(world: &World, who: Option<&str>) -> Option<String> {
    let who = who?;
    let org = world.org();
    let (what, name, names): (_, _, Vec<&str>) = match who.strip_prefix("webhook:") {
        Some(webhook) => ("webhook", webhook, org.webhooks.keys().map(|id| id.as_str()).collect()),
        None => ("person", who, org.people.keys().map(PersonId::as_str).collect()),
    };
    if names.contains(&name) {
        return None;
    }
    let meant = did_you_mean(name, names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Some(format!("no {what} {name} in the configuration{meant}"))
}

/// Consumes the earliest page of a person by a method; else what there is instead.
fn page(seen: &mut Seen, person: &str, method: Method, zone: Tz) -> Result<(), String> {
    let found = seen.pages.iter_mut().find(|page| !page.consumed && page.who == person && page.method == method);
    if let Some(page) = found {
        page.consumed = true;
        return Ok(());
    }
    let open: Vec<&PageSeen> = seen.pages.iter().filter(|page| !page.consumed).collect();
    Err(if seen.pages.is_empty() {
        "no page at all".to_owned()
    } else if open.is_empty() {
        "no page that is not yet expected".to_owned()
    } else {
        listed(&open, zone)
    })
}

/// The pages of the last statement that expects nothing, as far as they are not yet expected.
fn fresh(seen: &Seen, person: Option<&str>, zone: Tz) -> Option<String> {
    let fresh = seen.pages.get(seen.fresh..).unwrap_or_default();
    let open: Vec<&PageSeen> =
        fresh.iter().filter(|page| !page.consumed && person.is_none_or(|person| page.who == person)).collect();
    (!open.is_empty()).then(|| listed(&open, zone))
}

fn listed(pages: &[&PageSeen], zone: Tz) -> String {
    let last = pages.len().saturating_sub(PAGES_TOLD);
    let mut told: Vec<String> = pages[last..]
        .iter()
        .map(|page| format!("page {} via {} ({})", page.who, page.method, clock(page.at, zone)))
        .collect();
    if last > 0 {
        told.insert(0, format!("{last} earlier ones"));
    }
    told.join(", ")
}

fn check_incident(
    world: &World,
    id: IncidentId,
    state: IncidentState,
    severity: Option<Severity>,
    fields: &[(Field, String)],
) -> Result<(), Miss> {
    let mut wanted = format!("incident {id} {state}");
    if let Some(severity) = severity {
        wanted.push_str(&format!(" {severity}"));
    }
    for (field, value) in fields {
        wanted.push_str(&format!(" {}={}", field.as_str(), quoted(value)));
    }
    let Some(incident) = world.incident(id) else {
        let last = world.state().meta.incidents;
        let got = if last == 0 { "no incident at all".to_owned() } else { format!("incidents up to INC-{last}") };
        return Err(Miss::new(wanted, got));
    };
    let fits = incident.state == state
        && severity.is_none_or(|severity| incident.severity == severity)
        && fields.iter().all(|(field, value)| says(incident, *field) == *value);
    if fits {
        return Ok(());
    }
    let mut got = format!("{} {}", incident.state, incident.severity);
    for (field, _) in fields {
        got.push_str(&format!(" {}={}", field.as_str(), quoted(&says(incident, *field))));
    }
    Err(Miss::new(wanted, got))
}

/// What an incident says in a field; `none` where it says nothing.
fn says(incident: &Incident, field: Field) -> String {
    let none = || "none".to_owned();
    let person = |person: &Option<PersonId>| person.as_ref().map_or_else(none, ToString::to_string);
    match field {
        Field::Title => incident.title.to_string(),
        Field::Service => incident.service.to_string(),
        Field::Team => incident.team.to_string(),
        Field::Environment => incident.environment.as_ref().map_or_else(none, ToString::to_string),
        Field::Unrouted => incident.unrouted.to_string(),
        Field::Resolution => incident.resolution.map_or_else(none, |resolution| resolution.to_string()),
        Field::Lead => person(&incident.roles.lead),
        Field::Commander => person(&incident.roles.commander),
        Field::Communications => person(&incident.roles.communications),
        Field::Scribe => person(&incident.roles.scribe),
        Field::Alerts => incident.alerts_total.to_string(),
        Field::Firing => incident.alerts_firing.to_string(),
    }
}

fn check_problem(
    world: &World,
    id: ProblemId,
    state: ProblemState,
    fields: &[(ProblemField, String)],
) -> Result<(), Miss> {
    let told = |fields: Vec<(ProblemField, String)>| -> String {
        fields.iter().map(|(field, value)| format!(" {}={}", field.as_str(), quoted(value))).collect()
    };
    let wanted = format!("problem {id} {state}{}", told(fields.to_vec()));
    let Some(problem) = world.problem(id) else {
        let got = match world.state().meta.problems {
            0 => "no problem at all".to_owned(),
            last => format!("problems up to PRB-{last}"),
        };
        return Err(Miss::new(wanted, got));
    };
    let is: Vec<_> = fields.iter().map(|(field, _)| (*field, problem_says(problem, *field))).collect();
    if problem.state == state && is == fields {
        return Ok(());
    }
    Err(Miss::new(wanted, format!("{}{}", problem.state, told(is))))
}

fn check_change(world: &World, id: ChangeId, state: ChangeState, fields: &[(ChangeField, String)]) -> Result<(), Miss> {
    let told = |fields: Vec<(ChangeField, String)>| -> String {
        fields.iter().map(|(field, value)| format!(" {}={}", field.as_str(), quoted(value))).collect()
    };
    let wanted = format!("change {id} {state}{}", told(fields.to_vec()));
    let Some(change) = world.change(id) else {
        let got = match world.state().meta.changes {
            0 => "no change at all".to_owned(),
            last => format!("changes up to CHG-{last}"),
        };
        return Err(Miss::new(wanted, got));
    };
    let is: Vec<_> = fields.iter().map(|(field, _)| (*field, change_says(change, *field))).collect();
    if change.state == state && is == fields {
        return Ok(());
    }
    Err(Miss::new(wanted, format!("{}{}", change.state, told(is))))
}

/// What a change says in a field; `none` where it says nothing.
fn change_says(change: &Change, field: ChangeField) -> String {
    let content = &change.content;
    match field {
        ChangeField::Title => content.title.to_string(),
        ChangeField::Service => content.service.to_string(),
        ChangeField::Environment => content.environment.to_string(),
        ChangeField::Class => content.class.to_string(),
        ChangeField::Risk => content.risk.to_string(),
        ChangeField::Outcome => change.outcome.map_or_else(|| "none".to_owned(), |outcome| outcome.to_string()),
        ChangeField::Approvals => change.standing().count().to_string(),
        ChangeField::Implementer => content.implementer.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
    }
}

/// What a problem says in a field; `none` where it says nothing.
fn problem_says(problem: &Problem, field: ProblemField) -> String {
    let or_none = |text: &Option<_>| text.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    match field {
        ProblemField::Title => problem.title.to_string(),
        ProblemField::Service => problem.service.to_string(),
        ProblemField::Team => problem.team.to_string(),
        ProblemField::Incidents => (problem.incidents.len() + problem.incidents_folded as usize).to_string(),
        ProblemField::RootCause => or_none(&problem.root_cause),
        ProblemField::Workaround => or_none(&problem.workaround),
    }
}

pub(super) fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) || value.is_empty() { format!("\"{value}\"") } else { value.to_owned() }
}

fn reply(world: &World, person: &PersonId, contains: bool, text: &str) -> Result<(), Miss> {
    let expected = format!("reply {person} {} \"{}\"", if contains { "contains" } else { "lacks" }, one_line(text));
    let zone = world.org().zone(Some(person));
    let last = world.log().iter().rev().find_map(|happening| match &happening.what {
        What::Replied { person: whom, reply } if whom == person => {
            let said = reply.as_ref().map_or_else(ToString::to_string, |reply| reply.text.clone());
            Some(look::times(&said, zone, happening.at))
        }
        _ => None,
    });
    match last {
        None => Err(Miss::new(expected, format!("no reply: {person} has said nothing yet"))),
        Some(said) if said.contains(text) == contains => Ok(()),
        Some(said) => Err(Miss::new(expected, told(&said))),
    }
}

fn post(world: &World, channel: &str, contains: bool, text: &str, zone: Tz) -> Result<(), Miss> {
    let expected = format!("post {channel} {} \"{}\"", if contains { "contains" } else { "lacks" }, one_line(text));
    let wanted = ChannelRef::parse(channel.trim_start_matches('#'));
    let wanted = world.org().channel(&wanted);
    let posted: Vec<String> = world
        .log()
        .iter()
        .filter_map(|happening| match &happening.what {
            What::Sent { to: Destination::Channel(to), content, .. } if same(to, &wanted) => {
                Some(look::times(&words(content), zone, happening.at))
            }
            _ => None,
        })
        .collect();
    if posted.is_empty() && !channels(world.org()).iter().any(|known| same(known, &wanted)) {
        let known: Vec<String> = channels(world.org()).iter().map(|known| known.name.to_string()).collect();
        let meant = did_you_mean(&wanted.name, known.iter().map(String::as_str));
        let meant = meant.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(Miss::new(expected, format!("no channel {wanted} in the configuration{meant}")));
    }
    match (posted.iter().rfind(|said| said.contains(text)), posted.last()) {
        (Some(_), _) if contains => Ok(()),
        (Some(said), _) => Err(Miss::new(expected, told(said))),
        (None, _) if !contains => Ok(()),
        (None, None) => Err(Miss::new(expected, "no post there")),
        (None, Some(last)) => {
            let more = if posted.len() > 1 { format!("{} posts, the last: ", posted.len()) } else { String::new() };
            Err(Miss::new(expected, format!("{more}{}", told(last))))
        }
    }
}

/// A channel without a platform is on whatever chat is connected.
fn same(one: &ChannelRef, other: &ChannelRef) -> bool {
    one.name == other.name && (one.chat == other.chat || one.chat.is_none() || other.chat.is_none())
}

/// Every channel that the organisation names.
fn channels(org: &Org) -> Vec<ChannelRef> {
    let steps = org.policies.values().flat_map(|policy| &policy.steps).flat_map(|step| &step.page);
    let targets = steps.filter_map(|target| match target {
        Target::Channel(channel) => Some(org.channel(channel)),
        _ => None,
    });
    let teams = org.teams.values().filter_map(|team| team.channel.clone());
    let summaries = org.summaries.values().map(|summary| org.channel(&summary.channel));
    teams
        .chain(targets)
        .chain(summaries)
        .chain(org.operators.channel.iter().map(|channel| org.channel(channel)))
        .collect()
}

/// What is read in a channel. A page reads as its title and reason there.
fn words(content: &Content) -> String {
    match content {
        Content::Page(page) => {
            let mark = if page.unrouted { "[unrouted] " } else { "" };
            let suspect = page.suspect.as_ref().map(|one| format!("\nChanged lately: {one}")).unwrap_or_default();
            let known = page.known_error.as_ref().map(|known| format!("\nKnown error {known}")).unwrap_or_default();
            format!("{} {}: {mark}{}\n{}{known}{suspect}", page.severity, page.service, page.title, page.reason)
        }
        Content::Post { text }
        | Content::Room { text }
        | Content::Ask { text, .. }
        | Content::Question { text, .. }
        | Content::Progress { text, .. }
        | Content::Notice { text } => text.clone(),
        Content::Answer(answer) => answer.shown(),
    }
}

fn told(text: &str) -> String {
    let line = one_line(text);
    let mut shown: String = line.chars().take(TEXT_TOLD).collect();
    if line.chars().nth(TEXT_TOLD).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
