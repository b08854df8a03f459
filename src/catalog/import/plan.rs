//! What an export comes to, in our terms, and the files that say it. Whatever cannot be said is a note.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;

use super::exported::short;
use crate::catalog::value;

/// Our bounds.
const MOST_STEPS: usize = 50;
const MOST_REPEATS: u64 = 5;

/// A person.
#[derive(Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub zone: Option<Tz>,
    pub rights: Rights,
}

/// What a person may do, of which each tool has words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    Admin,
    /// To be paged and to work on incidents.
    Responder,
    /// To read and to declare.
    Stakeholder,
}

impl Rights {
    /// By the other tool's word, among those for administrators and for readers.
    pub fn of(word: &str, admins: &[&str], readers: &[&str]) -> Self {
        match word {
            word if admins.contains(&word) => Self::Admin,
            word if readers.contains(&word) => Self::Stakeholder,
            _ => Self::Responder,
        }
    }
}

/// A schedule.
#[derive(Debug)]
pub struct Schedule {
    pub id: String,
    pub zone: Tz,
    pub rotations: Vec<Rotation>,
}

/// A rotation: `1 week`, `Mon 09:00`, and who takes turns.
#[derive(Debug)]
pub struct Rotation {
    pub every: String,
    pub handoff: String,
    pub start: NaiveDate,
    pub members: Vec<String>,
}

/// A step, with the minutes that pass before the next one.
#[derive(Debug)]
pub struct Step {
    pub page: Vec<String>,
    pub wait: u64,
}

/// A policy.
#[derive(Debug)]
pub struct Policy {
    pub id: String,
    pub repeat: u64,
    pub steps: Vec<Step>,
}

/// A whole organisation in the making. Things are known by the other tool's names for them; several may mean one.
#[derive(Debug, Default)]
pub struct Plan {
    pub people: BTreeMap<String, Person>,
    pub schedules: BTreeMap<String, Schedule>,
    pub policies: BTreeMap<String, Policy>,
    /// Our id of a service, and our id of the policy that pages for it.
    pub services: BTreeMap<String, String>,
    pub notes: Vec<String>,
    told: BTreeSet<String>,
    aliases: BTreeMap<String, String>,
    taken: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Plan {
    /// Notes something.
    pub fn note(&mut self, what: &str, name: &str, why: impl std::fmt::Display) {
        let note = format!("{what} {}: {why}", short(name));
        if self.told.insert(note.clone()) {
            self.notes.push(note);
        }
    }

    /// A name of ours that nothing of its kind has yet.
    pub fn name(&mut self, kind: &'static str, theirs: &str) -> String {
        let mut slug = String::new();
        for c in theirs.chars().flat_map(char::to_lowercase) {
            match c {
                'a'..='z' | '0'..='9' | '_' => slug.push(c),
                _ if slug.is_empty() || slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        slug.truncate(55);
        let slug = slug.trim_matches(['-', '_']);
        let slug = if ["", "administrator", OPERATORS, UNKNOWN].contains(&slug) { kind } else { slug };
        let taken = self.taken.entry(kind).or_default();
        let mut name = slug.to_owned();
        let mut n = 2;
        while !taken.insert(name.clone()) {
            name = format!("{slug}-{n}");
            n += 1;
        }
        name
    }

    /// Adds a person under every name the other tool has for them; without a mail address nobody could be reached.
    pub fn person(&mut self, theirs: &[&str], shown: &str, email: &str, zone: &str, rights: Rights) {
        let Some(key) = theirs.iter().find(|name| !name.is_empty()) else { return };
        if value::email(email).is_err() {
            return self.note("person", shown, "has no mail address that can be used; left out everywhere");
        }
        let zone = self.zone("person", shown, zone);
        let id = self.name("person", email.split('@').next().unwrap_or_default());
        self.people.insert((*key).to_owned(), Person { id, email: email.to_owned(), zone, rights });
        for alias in theirs.iter().filter(|name| !name.is_empty()) {
            self.aliases.insert(format!("person:{}", alias.to_lowercase()), (*key).to_owned());
        }
    }

    /// A zone by its name; an unknown one is noted.
    pub fn zone(&mut self, what: &str, name: &str, zone: &str) -> Option<Tz> {
        if zone.is_empty() {
            return None;
        }
        let known = value::zone(zone).ok();
        if known.is_none() {
            self.note(what, name, format!("the zone `{}` is not known; UTC is written", short(zone)));
        }
        known
    }

    /// Adds a schedule; one without a rotation is left out.
    pub fn schedule(&mut self, theirs: &[&str], shown: &str, zone: Tz, rotations: Vec<Rotation>) {
        let Some(key) = theirs.iter().find(|name| !name.is_empty()) else { return };
        if rotations.is_empty() {
            return self.note("schedule", shown, "has no rotation that maps; left out everywhere");
        }
        let id = self.name("schedule", shown);
        self.schedules.insert((*key).to_owned(), Schedule { id, zone, rotations });
        for alias in theirs.iter().filter(|name| !name.is_empty()) {
            self.aliases.insert(format!("schedule:{}", alias.to_lowercase()), (*key).to_owned());
        }
    }

    /// Our id of a person.
    pub fn person_id(&self, theirs: &str) -> Option<String> {
        let key = self.aliases.get(&format!("person:{}", theirs.to_lowercase()))?;
        Some(self.people.get(key)?.id.clone())
    }

    /// `person:bas`, or `schedule:payments-primary`.
    pub fn target(&self, kind: &str, theirs: &str) -> Option<String> {
        if kind == "person" {
            return Some(format!("person:{}", self.person_id(theirs)?));
        }
        let key = self.aliases.get(&format!("schedule:{}", theirs.to_lowercase()))?;
        Some(format!("schedule:{}", self.schedules.get(key)?.id))
    }

    /// A rotation from how it is told elsewhere: the moment at which the first member's turn begins, in RFC 3339.
    pub fn rotation(
        &mut self,
        of: &str,
        zone: Tz,
        (every, weeks): (String, bool),
        start: &str,
        members: Vec<String>,
    ) -> Option<Rotation> {
        if members.is_empty() {
            self.note("schedule", of, "a rotation has no member who is known; left out");
            return None;
        }
        let local: Option<NaiveDateTime> =
            DateTime::parse_from_rfc3339(start).ok().map(|at| at.with_timezone(&zone).naive_local());
        let local = local.or_else(|| NaiveDateTime::parse_from_str(start, "%Y-%m-%dT%H:%M:%S").ok());
        if value::every(&every).is_err() {
            self.note("schedule", of, format!("a turn of {every} is longer than any here; left out"));
            return None;
        }
        let Some(local) = local.filter(|local| value::date(&local.date().to_string()).is_ok()) else {
            self.note("schedule", of, format!("a rotation begins at `{}`, which is no time; left out", short(start)));
            return None;
        };
        if local.second() != 0 {
            self.note("schedule", of, "a hand-off with seconds; they are dropped");
        }
        let handoff = local.format(if weeks { "%a %H:%M" } else { "%H:%M" }).to_string();
        Some(Rotation { every, handoff, start: local.date(), members })
    }

    /// Adds a policy and gives our id of it; `None` where none of its steps maps.
    pub fn policy(&mut self, theirs: &str, shown: &str, repeat: u64, mut steps: Vec<Step>) -> Option<String> {
        // The wait of a step that pages nobody falls to the one before it.
        let mut kept: Vec<Step> = Vec::new();
        for step in steps.drain(..) {
            match kept.last_mut() {
                Some(before) if step.page.is_empty() => before.wait = before.wait.saturating_add(step.wait),
                None if step.page.is_empty() => {}
                _ => kept.push(step),
            }
        }
        if kept.is_empty() {
            self.note("escalation", shown, "no step of it pages anybody who is known; left out");
            return None;
        }
        if kept.len() > MOST_STEPS {
            self.note("escalation", shown, format!("only its first {MOST_STEPS} steps are written"));
            kept.truncate(MOST_STEPS);
        }
        if repeat > MOST_REPEATS {
            self.note(
                "escalation",
                shown,
                format!("repeats {repeat} times; {MOST_REPEATS} are written, the most there can be"),
            );
        }
        for step in &mut kept {
            if !(1..=10_080).contains(&step.wait) {
                step.wait = step.wait.clamp(1, 10_080);
                let why = format!("a wait is outside 1 minute to 1 week; {} minutes are written", step.wait);
                self.notes.push(format!("escalation {}: {why}", short(shown)));
            }
        }
        let id = self.name("escalation", shown);
        let repeat = repeat.min(MOST_REPEATS);
        self.policies.insert(theirs.to_owned(), Policy { id: id.clone(), repeat, steps: kept });
        Some(id)
    }

    /// Adds a service that a policy pages for; without one the operators are paged.
    pub fn service(&mut self, shown: &str, policy: Option<String>) {
        let id = self.name("service", shown);
        if policy.is_none() {
            self.note("service", shown, "nothing that is known pages for it; the operators do");
        }
        self.services.insert(id, policy.unwrap_or_else(|| OPERATORS.to_owned()));
    }

    /// The files.
    pub fn files(&mut self) -> Result<BTreeMap<PathBuf, String>, String> {
        let mut people: Vec<&Person> = self.people.values().collect();
        people.sort_by(|a, b| a.id.cmp(&b.id));
        let mut operators: Vec<&str> =
            people.iter().filter(|person| person.rights == Rights::Admin).map(|person| person.id.as_str()).collect();
        if operators.is_empty() {
            operators.extend(people.first().map(|person| person.id.as_str()));
        }
        operators.truncate(10);
        if operators.is_empty() {
            return Err("nobody in this export has a mail address, so nobody could be paged; export the users as well"
                .to_owned());
        }
        let mut files = BTreeMap::new();
        files.insert(PathBuf::from("people.toml"), self.people_file(&people));
        files.insert(PathBuf::from("schedules.toml"), self.schedules_file());
        files.insert(PathBuf::from("escalations.toml"), self.escalations_file(&operators));
        files.insert(PathBuf::from("services.toml"), self.services_file());
        files.insert(PathBuf::from("opsbell.toml"), main_file(&operators));
        Ok(files)
    }

    fn people_file(&self, people: &[&Person]) -> String {
        let mut text =
            "# Everybody is reached by [defaults] notify until a `notify.high` of their own stands here.\n".to_owned();
        for person in people {
            let Person { id, email, zone, rights } = person;
            let _ = write!(text, "\n[[person]]\nid = {}\nemail = {}\n", quoted(id), quoted(email));
            if let Some(zone) = zone {
                let _ = writeln!(text, "zone = {}", quoted(zone.name()));
            }
            text.push_str(match rights {
                Rights::Admin => "role = \"admin\"\n",
                Rights::Responder => "",
                Rights::Stakeholder => "role = \"stakeholder\"\n",
            });
        }
        text
    }

    fn schedules_file(&self) -> String {
        let mut text = String::new();
        for Schedule { id, zone, rotations } in self.schedules.values() {
            let _ = write!(text, "[[schedule]]\nid = {}\nzone = {}\nrotations = [\n", quoted(id), quoted(zone.name()));
            for Rotation { every, handoff, start, members } in rotations {
                let (every, handoff, members) = (quoted(every), quoted(handoff), all_quoted(members));
                let _ = writeln!(
                    text,
                    "  {{ every = {every}, handoff = {handoff}, start = {start}, members = [{members}] }},"
                );
            }
            text.push_str("]\n\n");
        }
        text
    }

    fn escalations_file(&self, operators: &[&str]) -> String {
        let mut text = "# Here a wait stands after its step: how long until the next one is paged.\n".to_owned();
        for Policy { id, repeat, steps } in self.policies.values() {
            let _ = write!(text, "\n[[escalation]]\nid = {}\nrepeat = {repeat}\nsteps = [\n", quoted(id));
            for Step { page, wait } in steps {
                let _ = writeln!(text, "  {{ page = [{}], escalate_after = \"{wait}m\" }},", all_quoted(page));
            }
            text.push_str("]\n");
        }
        let people: Vec<String> = operators.iter().map(|person| format!("person:{person}")).collect();
        let _ = write!(
            text,
            "\n[[escalation]]\nid = \"{OPERATORS}\"\nrepeat = 2\nsteps = [{{ page = [{}], escalate_after = \"10m\" }}]\n",
            all_quoted(&people)
        );
        text
    }

    fn services_file(&self) -> String {
        let mut text = "# Here a service belongs to a team, and a team is paged by one escalation.\n".to_owned();
        let used: BTreeSet<&str> = self.services.values().map(String::as_str).chain([OPERATORS]).collect();
        let every = self.policies.values().map(|policy| policy.id.as_str()).chain([OPERATORS]);
        for policy in every.filter(|policy| used.contains(policy)) {
            let _ = write!(text, "\n[[team]]\nid = {0}\nescalation = {0}\n", quoted(policy));
        }
        for (service, policy) in &self.services {
            let _ = write!(text, "\n[[service]]\nid = {}\nteam = {}\n", quoted(service), quoted(policy));
        }
        let _ = write!(text, "\n[[service]]\nid = \"{UNKNOWN}\"\nteam = \"{OPERATORS}\"\n");
        text
    }
}

/// The policy and the team that are there in any case.
pub const OPERATORS: &str = "opsbell-operators";
/// Where signals go that name no known service.
const UNKNOWN: &str = "opsbell-everything-else";

fn main_file(operators: &[&str]) -> String {
    format!(
        r#"# Made by `opsbell import`. IMPORTED.md lists what did not map; `opsbell check --config DIR` judges the whole.

[operators]                     # who hears when Opsbell itself needs help
people = [{}]

[defaults]
service = "{UNKNOWN}"
notify.high = ["email"]         # how people are reached; phone numbers never stand in a configuration
notify.low = ["email"]
zone = "UTC"

[mail]
host = "localhost"              # the server that mail goes out through
tls = "none"
from = "opsbell@localhost"

[[integration]]
id = "prometheus"               # a new sender with a key of its own; keys of the other tool are not taken
source = "alertmanager"
key_env = "OPSBELL_KEY_PROMETHEUS"
"#,
        all_quoted(operators)
    )
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn all_quoted(texts: &[impl AsRef<str>]) -> String {
    texts.iter().map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")
}
