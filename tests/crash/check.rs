//! The check at the end: what was answered, what the API tells and what the receiver has in its ledger have to agree.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::load::Found;
use crate::support::client::Client;
use crate::support::webhook::Received;

/// What a run comes to.
#[derive(Debug, Default)]
pub struct Summary {
    pub alerts: usize,
    pub answered: usize,
    pub pages: usize,
    pub requests: usize,
    pub repeats: usize,
    pub torn: u64,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, more: Self) {
        self.alerts += more.alerts;
        self.answered += more.answered;
        self.pages += more.pages;
        self.requests += more.requests;
        self.repeats += more.repeats;
        self.torn += more.torn;
    }
}

/// One request in the receiver's ledger.
struct Arrival {
    n: usize,
    life: u32,
    person: String,
    id: String,
    incident: String,
    title: String,
    marked: bool,
}

impl Arrival {
    fn of(received: &Received) -> Self {
        let body = received.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        // `POST /7/bas HTTP/1.1`: the configuration of each life has addresses of its own.
        let path = received.request_line.split(' ').nth(1).unwrap_or_default();
        let (life, person) = path[1..].split_once('/').unwrap_or_default();
        Self {
            n: received.n,
            life: life.parse().expect("a life"),
            person: person.to_owned(),
            id: received.id().to_owned(),
            incident: text("incident"),
            title: text("title"),
            marked: received.possible_repeat(),
        }
    }

    /// The commit that owed it.
    fn seq(&self) -> u64 {
        let seq = self.id.split(['-', '.']).nth(1).unwrap_or_default();
        u64::from_str_radix(seq, 36).expect("a delivery id")
    }
}

/// Everything of a list, newest first.
fn all(client: &mut Client, list: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/v1/{list}?limit=200{cursor}")).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut part = answer.json();
        if let Some(items) = part["items"].as_array_mut() {
            found.append(items);
        }
        match part["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// Incidents that are not answered for and whose pages have not all arrived; empty when all is quiet.
pub fn waits(client: &mut Client, ledger: &[Received]) -> Vec<String> {
    let mut reached: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for arrival in ledger.iter().map(Arrival::of) {
        reached.entry(arrival.incident).or_default().insert(arrival.person);
    }
    let paged = |id: &str, person: &str| reached.get(id).is_some_and(|people| people.contains(person));
    let open = all(client, "incidents");
    let open =
        open.iter().filter(|incident| text(incident, "state") == "triggered").map(|incident| text(incident, "id"));
    open.filter(|id| !paged(id, "bas") || !paged(id, "cleo")).map(str::to_owned).collect()
}

/// Checks everything; panics with the first thing that is wrong.
pub fn check(client: &mut Client, accepted: &BTreeSet<String>, found: &Found, ledger: &[Received]) -> Summary {
    assert!(found.complaints.is_empty(), "while the server lived: {:#?}", found.complaints);
    let mut arrivals: Vec<Arrival> = ledger.iter().map(Arrival::of).collect();
    // A receiver may read what a killed process sent after its successor's first words; no life overlaps another.
    arrivals.sort_by_key(|arrival| (arrival.life, arrival.n));

    let alerts = all(client, "alerts");
    let incidents: BTreeMap<String, Value> =
        all(client, "incidents").into_iter().map(|incident| (text(&incident, "id").to_owned(), incident)).collect();
    let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for alert in &alerts {
        by_name.entry(text(alert, "name")).or_default().push(alert);
    }
    for name in accepted {
        let records = by_name.remove(name.as_str()).unwrap_or_default();
        assert_eq!(records.len(), 1, "{name} was answered 202 and has {} records", records.len());
        let incident = text(records[0], "incident");
        let record = incidents.get(incident).unwrap_or_else(|| panic!("{incident} of {name} is lost"));
        let needed: &[&str] = if text(record, "state") == "triggered" { &["bas", "cleo"] } else { &["bas"] };
        for person in needed {
            let page = arrivals.iter().any(|arrival| {
                arrival.incident == incident && arrival.person == *person && arrival.title.contains(name.as_str())
            });
            assert!(page, "{person} was never paged for {name} ({incident}): {record:#}");
        }
    }
    assert!(by_name.is_empty(), "alerts that nobody sent: {by_name:?}");
    assert_eq!(incidents.len(), accepted.len(), "every alert has an incident of its own");

    let mut said: BTreeMap<&str, &Arrival> = BTreeMap::new();
    let mut repeats = 0;
    for arrival in arrivals.iter().filter(|arrival| !arrival.incident.is_empty()) {
        let Some(first) = said.get(arrival.id.as_str()) else {
            said.insert(&arrival.id, arrival);
            continue;
        };
        repeats += 1;
        assert!(arrival.marked, "request {} repeats {} without saying so", arrival.n, arrival.id);
        let same = |a: &Arrival| (a.incident.clone(), a.person.clone(), a.title.clone());
        assert_eq!(same(first), same(arrival), "two messages share the id {}", arrival.id);
    }

    for id in incidents.keys() {
        let answer = client.get(&format!("/v1/incidents/{id}")).expect("an answer");
        let record = answer.json();
        let deliveries =
            record["pages"].as_array().into_iter().flatten().filter_map(|page| page["deliveries"].as_array());
        for delivery in deliveries.flatten() {
            let (status, delivery_id) = (text(delivery, "status"), text(delivery, "id"));
            let arrived = said.contains_key(delivery_id);
            assert!(matches!(status, "accepted" | "cancelled"), "{id} ended with {delivery:#}");
            assert!(arrived || status == "cancelled", "{delivery_id} of {id} counts as sent and never arrived");
        }
    }

    let mut by_incident: BTreeMap<&str, Vec<&Arrival>> = BTreeMap::new();
    for arrival in &arrivals {
        by_incident.entry(&arrival.incident).or_default().push(arrival);
    }
    for answered in &found.answered {
        let record = &incidents[&answered.incident];
        assert_ne!(text(record, "state"), "triggered", "its answer was durable: {answered:?}");
        let of_incident = by_incident.get(answered.incident.as_str()).into_iter().flatten();
        let late: Vec<_> = of_incident
            .filter(|arrival| {
                arrival.life > answered.life || (arrival.life == answered.life && arrival.n >= answered.received)
            })
            .collect();
        for arrival in &late {
            assert!(arrival.life == answered.life, "{} was sent again, lives after {answered:?}", arrival.id);
            assert!(arrival.seq() < answered.seq, "{} was owed after {answered:?}", arrival.id);
        }
        // What was under way at that moment may still arrive: one for each of the two people, as a lane sends one at
        // a time about an incident.
        for person in ["bas", "cleo"] {
            let more = late.iter().filter(|arrival| arrival.person == person).count();
            assert!(more <= 1, "{more} pages to {person} started after {answered:?}");
        }
    }
    Summary {
        alerts: accepted.len(),
        answered: found.answered.len(),
        pages: said.len(),
        requests: arrivals.len(),
        repeats,
        torn: 0,
    }
}
