//! What a commit means to those who listen: posts, pages and notices, changed records. And what was said. Who may hear
//! which, and how it reads for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compact_str::CompactString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Failure;
use super::{App, ask};
use crate::domain::actor::{Actor, By};
use crate::domain::delivery::{ChannelRef, Content, Destination, Grant, Method};
use crate::domain::desk::{RecordList, RecordQuery};
use crate::domain::event::{DeliveryOwed, Event};
use crate::domain::id::{AlertId, ChangeId, IncidentId, PageId, PersonId, ProblemId, RunId, ServiceRequestId};
use crate::domain::incident::private;
use crate::domain::org::Org;
use crate::domain::paging::look;
use crate::domain::time::Timestamp;

/// One commit as listeners hear of it, or something said.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The commit; 0 for what stands in none.
    pub seq: u64,
    /// Whether commits before this one are left out.
    pub gap: bool,
    items: Vec<Item>,
}

/// Something said through this face, and its answer, which everybody in the channel may see.
#[derive(Debug)]
pub(crate) struct Said {
    pub channel: ChannelRef,
    pub person: PersonId,
    pub text: String,
    /// As the domain says it, its times unrendered.
    pub reply: String,
    pub records: Vec<CompactString>,
}

#[derive(Debug)]
enum Item {
    Post(ChannelRef, Box<Grant>),
    /// A page or a notice, by these methods.
    Personal(PersonId, Vec<Method>, Box<Grant>),
    Record(Changed),
    Said(Said),
}

/// A record that changed.
#[derive(Debug)]
struct Changed {
    record: Record,
    changes: Vec<String>,
    by: Actor,
    at: Timestamp,
    /// The channel of the team that it belongs to.
    channel: Option<ChannelRef>,
    /// A private incident: only administrators hear that something happened.
    private: bool,
}

/// A record by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Record {
    Incident(IncidentId),
    Alert(AlertId),
    Problem(ProblemId),
    Change(ChangeId),
    Run(RunId),
    Request(ServiceRequestId),
}

/// Who listens to what.
pub(crate) struct Listener {
    /// Whose pages and notices are told; the administrator may listen as nobody.
    pub person: Option<PersonId>,
    /// Only what concerns this channel; `None`: all of them.
    pub channel: Option<ChannelRef>,
    pub org: Arc<Org>,
}

impl Told {
    /// Something was said.
    pub fn said(said: Said) -> Self {
        Self { items: vec![Item::Said(said)], ..Self::default() }
    }

    /// Commits up to this one are left out.
    pub fn left_out(seq: u64) -> Self {
        Self { seq, gap: true, items: Vec::new() }
    }

    /// What a listener hears of it: the kind of each event and its data.
    pub fn to(&self, listener: &Listener, app: &App) -> Vec<(&'static str, Value)> {
        self.items.iter().filter_map(|item| heard(item, listener, app)).collect()
    }
}

/// A line of the journal, as far as listeners need it.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    at: Timestamp,
    by: By,
    events: Vec<Value>,
}

/// The commits after `after`, at most `limit`, oldest first.
pub(crate) async fn read(app: &Arc<App>, after: u64, limit: usize) -> Result<Vec<Told>, String> {
    let lines = app.http.journal.clone();
    let read = tokio::task::spawn_blocking(move || {
        lines(after, limit).map(|lines| lines.iter().map(|(seq, line)| commit(*seq, line)).collect::<Vec<_>>())
    });
    let mut commits = read.await.map_err(|_| "reading it panicked".to_owned())??;
    place(app, &mut commits).await.map_err(|failure| failure.to_string())?;
    Ok(commits)
}

fn commit(seq: u64, line: &str) -> Told {
    match serde_json::from_str::<Line>(line) {
        Ok(line) => Told { seq: line.seq, gap: false, items: items(&line) },
        Err(error) => {
            tracing::warn!(seq, %error, "a commit is not told to listeners");
            Told { seq, ..Told::default() }
        }
    }
}

fn items(line: &Line) -> Vec<Item> {
    let mut items = Vec::new();
    let mut changed: BTreeMap<Record, Vec<String>> = BTreeMap::new();
    for value in &line.events {
        let kind = value["type"].as_str().unwrap_or_default();
        if kind == "delivery.owed" {
            if let Ok(Event::DeliveryOwed(owed)) = Event::deserialize(value) {
                owe(&mut items, line.at, *owed);
            }
        } else if !kind.starts_with("delivery.") {
            for record in records(value) {
                let changes = changed.entry(record).or_default();
                if changes.last().is_none_or(|last| last != kind) {
                    changes.push(kind.to_owned());
                }
            }
        }
    }
    let by = &line.by.actor;
    let record = |(record, changes)| {
        Item::Record(Changed { record, changes, by: by.clone(), at: line.at, channel: None, private: false })
    };
    items.extend(changed.into_iter().map(record));
    items
}

/// The records that an event of the journal names; every practice writes them under the same keys.
fn records(event: &Value) -> impl Iterator<Item = Record> {
    let text = |key: &str| event[key].as_str();
    let page = || text("page")?.parse::<PageId>().ok().map(|page| page.incident);
    let incident = text("incident").and_then(|id| id.parse().ok()).or_else(page);
    let alert = text("alert").and_then(|id| id.parse().ok());
    let problem = text("problem").and_then(|id| id.parse().ok());
    let change = text("change").and_then(|id| id.parse().ok());
    let known = [incident.map(Record::Incident), alert.map(Record::Alert), problem.map(Record::Problem)];
    let run = text("run").and_then(|id| id.parse().ok());
    let request = text("request").and_then(|id| id.parse().ok());
    let more = [change.map(Record::Change), run.map(Record::Run), request.map(Record::Request)];
    known.into_iter().chain(more).flatten()
}

/// Adds what is owed; the same page by several methods is one event.
fn owe(items: &mut Vec<Item>, at: Timestamp, owed: DeliveryOwed) {
    let page = owed.incident.zip(owed.page).map(|(incident, n)| PageId { incident, n });
    let grant = Grant {
        id: owed.delivery,
        to: owed.to,
        priority: owed.priority,
        incident: owed.incident,
        page,
        content: owed.content,
        attempt: 1,
        possible_repeat: false,
        owed_at: at,
    };
    match grant.to.clone() {
        Destination::Channel(channel) => items.push(Item::Post(channel, Box::new(grant))),
        Destination::Person { person, method } => {
            let same = items.iter_mut().find_map(|item| match item {
                Item::Personal(known, methods, other)
                    if *known == person && other.page == page && other.content == grant.content =>
                {
                    Some(methods)
                }
                _ => None,
            });
            match same {
                Some(methods) => methods.push(method),
                None => items.push(Item::Personal(person, vec![method], Box::new(grant))),
            }
        }
        Destination::Webhook(_) | Destination::Host(_) => {}
    }
}

/// Finds the channels of the records that changed.
async fn place(app: &App, commits: &mut [Told]) -> Result<(), Failure> {
    let changed = || commits.iter().flat_map(|told| &told.items);
    let mut records: Vec<Record> = changed()
        .filter_map(|item| if let Item::Record(changed) = item { Some(changed.record) } else { None })
        .collect();
    records.sort_unstable();
    records.dedup();
    if records.is_empty() {
        return Ok(());
    }
    let (org, mut teams, rest, private) = ask::look(app, move |view| {
        let (mut teams, mut rest, mut private) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for record in records {
            let incident = match record {
                Record::Incident(id) => Some(id),
                Record::Run(id) => view.state.runs.get(&id).and_then(|run| run.incident),
                _ => None,
            };
            if incident.is_some_and(|id| view.state.meta.private.contains(&id)) {
                private.insert(record);
            }
            let team = match record {
                Record::Incident(id) => {
                    let found = view.state.incidents.get(&id).map(|open| &**open).or(view.state.closed_since(id));
                    found.map(|incident| incident.team.clone())
                }
                Record::Alert(id) => {
                    let found = view.state.alert(id).or(view.state.resolved_since(id));
                    found.and_then(|alert| Some(view.org.services.get(&alert.service)?.team.clone()))
                }
                Record::Problem(id) => view.state.problems.get(&id).map(|problem| problem.team.clone()),
                Record::Change(id) => view.state.changes.get(&id).map(|change| change.team.clone()),
                Record::Run(id) => view.state.runs.get(&id).map(|run| run.team.clone()),
                Record::Request(id) => view.state.requests.get(&id).map(|request| request.team.clone()),
            };
            match team {
                Some(team) => drop(teams.insert(record, team)),
                None => rest.push(record),
            }
        }
        (Arc::clone(view.org), teams, rest, private)
    })
    .await?;
    for record in rest {
        let query = match record {
            Record::Incident(id) => RecordQuery::Incident(id),
            Record::Alert(id) => RecordQuery::Alert(id),
            Record::Problem(id) => RecordQuery::Problem(id),
            Record::Change(id) => RecordQuery::Change(id),
            Record::Request(id) => RecordQuery::Request(id),
            // The last ones are in State; of those before, it is not told whose they were.
            Record::Run(_) => continue,
        };
        let team = match ask::list(app, query).await? {
            RecordList::Incidents(found) => found.first().map(|incident| incident.team.clone()),
            RecordList::Alerts(found) => {
                found.first().and_then(|alert| Some(org.services.get(&alert.service)?.team.clone()))
            }
            RecordList::Problems(found) => found.first().map(|problem| problem.team.clone()),
            RecordList::Changes(found) => found.first().map(|change| change.team.clone()),
            RecordList::Requests(found) => found.first().map(|request| request.team.clone()),
        };
        if let Some(team) = team {
            teams.insert(record, team);
        }
    }
    for item in commits.iter_mut().flat_map(|told| &mut told.items) {
        if let Item::Record(changed) = item {
            changed.private = private.contains(&changed.record);
            let team = teams.get(&changed.record).and_then(|team| org.teams.get(team));
            changed.channel = team.and_then(|team| team.channel.clone());
        }
    }
    Ok(())
}

/// Whether two names mean the same channel; a name without a chat is the channel on any.
fn same(one: &ChannelRef, other: &ChannelRef) -> bool {
    one.name == other.name && (one.chat.is_none() || other.chat.is_none() || one.chat == other.chat)
}

fn heard(item: &Item, listener: &Listener, app: &App) -> Option<(&'static str, Value)> {
    let person = listener.person.as_ref();
    let wanted =
        |channel: &ChannelRef| listener.channel.as_ref().is_none_or(|wanted| same(wanted, channel)).then_some(());
    let zone = listener.org.zone(person);
    let clock = |at: Timestamp| look::times(&format!("<t:{}:t>", at.unix_secs()), zone, at);
    match item {
        Item::Post(channel, grant) => {
            wanted(channel)?;
            let data = json!({
                "channel": channel,
                "text": look::text(grant, zone),
                "incident": grant.incident,
                "at": grant.owed_at,
                "time": clock(grant.owed_at),
            });
            Some(("post", data))
        }
        Item::Personal(to, methods, grant) => {
            person.filter(|person| *person == to)?;
            let kind = if matches!(grant.content, Content::Page(_)) { "page" } else { "notice" };
            let data = json!({
                "person": to,
                "methods": methods,
                "text": look::text(grant, zone),
                "incident": grant.incident,
                "page": grant.page,
                "at": grant.owed_at,
                "time": clock(grant.owed_at),
            });
            Some((kind, data))
        }
        Item::Record(changed) => {
            let administers = person.is_none_or(|person| private::administers(&listener.org, person));
            if changed.private && !administers {
                return None;
            }
            if let Some(channel) = &listener.channel {
                changed.channel.as_ref().filter(|of| same(of, channel))?;
            }
            let id = match changed.record {
                Record::Incident(id) => id.to_string(),
                Record::Alert(id) => id.to_string(),
                Record::Problem(id) => id.to_string(),
                Record::Change(id) => id.to_string(),
                Record::Run(id) => id.to_string(),
                Record::Request(id) => id.to_string(),
            };
            let data = json!({
                "record": id,
                "changes": changed.changes,
                "by": changed.by.to_string(),
                "channel": changed.channel,
                "at": changed.at,
            });
            Some(("record", data))
        }
        Item::Said(said) => {
            wanted(&said.channel)?;
            let data = json!({
                "channel": said.channel,
                "person": said.person,
                "text": said.text,
                "reply": (app.http.render)(&said.reply, person),
                "records": said.records,
            });
            Some(("said", data))
        }
    }
}
