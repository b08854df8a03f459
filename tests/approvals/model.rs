//! The model: who the people are, what each organisation says of them, and which approvals could count. By its own
//! tables, so that a mistake in the domain is not repeated here.

use std::collections::{BTreeMap, BTreeSet};

/// Everybody, `nobody` included, who is in no organisation.
pub const PEOPLE: [&str; 7] = ["ann", "ben", "cas", "dot", "eve", "sue", "nobody"];
/// `api` needs one of its team or an administrator, `pay` two of its team or dot.
pub const SERVICES: [&str; 2] = ["api", "pay"];

/// Which organisation is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Casting {
    /// ann, ben, cas: the team; dot an administrator; eve of another team; sue reads along.
    #[default]
    Usual,
    /// ben has left.
    BenLeft,
    /// cas only reads along.
    CasReads,
    /// dot is no administrator any more.
    DotDemoted,
}

impl Casting {
    pub const ALL: [Self; 4] = [Self::Usual, Self::BenLeft, Self::CasReads, Self::DotDemoted];

    fn left(self, who: &str) -> bool {
        self == Self::BenLeft && who == "ben"
    }

    fn responds(self, who: &str) -> bool {
        match who {
            "ann" | "dot" | "eve" => true,
            "ben" => !self.left("ben"),
            "cas" => self != Self::CasReads,
            _ => false,
        }
    }

    fn administers(self, who: &str) -> bool {
        who == "dot" && self != Self::DotDemoted
    }

    /// Who approves by their place: of the service's group, and allowed to respond at all.
    fn approver(self, service: &str, who: &str) -> bool {
        let team = matches!(who, "ann" | "ben" | "cas") && self.responds(who);
        match service {
            "pay" => team || who == "dot",
            _ => team || self.administers(who),
        }
    }

    /// The configuration that says so.
    pub fn config(self) -> String {
        let role = |who: &str, usual: &str| match (self, who) {
            (Self::BenLeft, "ben") => "left = true".to_owned(),
            (Self::CasReads, "cas") => "role = \"stakeholder\"".to_owned(),
            (Self::DotDemoted, "dot") => "role = \"responder\"".to_owned(),
            _ => format!("role = \"{usual}\""),
        };
        let usual = [
            ("ann", "responder"),
            ("ben", "responder"),
            ("cas", "responder"),
            ("dot", "admin"),
            ("eve", "responder"),
            ("sue", "stakeholder"),
        ];
        let mut text = String::from(
            r#"
[operators]
people = ["dot"]
[defaults]
service = "api"
notify.high = ["email"]
notify.low = ["email"]
[change]
approvals = { low = 1, medium = 1, high = 1 }
[[approval]]
id = "pay"
services = ["pay"]
approvers = ["team:core", "person:dot"]
quorum = 2
[[team]]
id = "core"
escalation = "core"
[[team]]
id = "other"
escalation = "other"
[[schedule]]
id = "core"
zone = "UTC"
rotations = [{ every = "1 week", handoff = "Mon 09:00", start = 2026-01-05, members = ["ann", "cas"] }]
[[escalation]]
id = "core"
steps = [{ page = ["schedule:core", "person:ben"], escalate_after = "5m" }]
[[escalation]]
id = "other"
steps = [{ page = ["person:eve"], escalate_after = "5m" }]
[[service]]
id = "api"
team = "core"
[[service]]
id = "pay"
team = "core"
"#,
        );
        for (who, usual) in usual {
            text.push_str(&format!("[[person]]\nid = \"{who}\"\nemail = \"{who}@ej.example\"\n{}\n", role(who, usual)));
        }
        text
    }
}

/// One approval that was given.
#[derive(Debug, Clone)]
struct Given {
    who: String,
    version: u32,
    expires: i64,
}

/// A change as the model knows it.
#[derive(Debug, Clone, Default)]
struct Known {
    service: String,
    /// Who asked for it, edited it, carries it out or wrote it.
    asked: String,
    edited: BTreeSet<String>,
    people: (Option<String>, Option<String>),
    complete: bool,
    /// Counts the edits.
    version: u32,
    given: Vec<Given>,
    began: bool,
    over: bool,
}

/// Everything that the model knows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub casting: Casting,
    changes: BTreeMap<u64, Known>,
    given: usize,
}

type People = (Option<String>, Option<String>);

impl Model {
    pub fn responds(&self, who: &str) -> bool {
        self.casting.responds(who)
    }

    pub fn given(&self) -> usize {
        self.given
    }

    pub fn opened(&mut self, id: u64, who: &str, service: &str, people: People, complete: bool) {
        assert!(self.responds(who), "{who} may ask for nothing");
        let known = Known { service: service.to_owned(), asked: who.to_owned(), people, complete, ..Known::default() };
        assert!(self.changes.insert(id, known).is_none(), "CHG-{id} twice");
    }

    pub fn edited(&mut self, id: u64, who: &str, people: People, complete: bool) {
        assert!(self.responds(who), "{who} may edit nothing");
        let known = self.changes.get_mut(&id).expect("it was opened");
        assert!(!known.began && !known.over, "CHG-{id} is no longer edited");
        known.version += 1;
        known.people = people;
        known.complete = complete;
        known.edited.insert(who.to_owned());
    }

    /// Whether somebody may decide about it now.
    pub fn may_approve(&self, id: u64, who: &str) -> bool {
        let Some(known) = self.changes.get(&id) else { return false };
        let own = known.asked == who
            || known.edited.contains(who)
            || known.people.0.as_deref() == Some(who)
            || known.people.1.as_deref() == Some(who);
        !known.over && !known.began && !own && self.casting.approver(&known.service, who)
    }

    pub fn approved(&mut self, id: u64, who: &str, expires: i64) {
        let known = self.changes.get_mut(&id).expect("it was opened");
        assert!(known.complete, "CHG-{id} says too little to be approved");
        known.given.push(Given { who: who.to_owned(), version: known.version, expires });
        self.given += 1;
    }

    /// Approvals of what it says now that have not run out.
    pub fn standing(&self, id: u64, now: i64) -> usize {
        let Some(known) = self.changes.get(&id).filter(|known| !known.began && !known.over) else { return 0 };
        known.given.iter().filter(|it| it.version == known.version && it.expires > now).count()
    }

    /// Whether enough people who still may have agreed to what it says now.
    pub fn enough(&self, id: u64, now: i64) -> bool {
        let Some(known) = self.changes.get(&id).filter(|known| !known.began && !known.over) else { return false };
        let valid = known.given.iter().filter(|it| it.version == known.version && it.expires > now);
        let people: BTreeSet<&str> =
            valid.map(|it| it.who.as_str()).filter(|who| self.casting.approver(&known.service, who)).collect();
        let own = |who: &&str| {
            known.asked == *who
                || known.edited.contains(*who)
                || known.people.0.as_deref() == Some(*who)
                || known.people.1.as_deref() == Some(*who)
        };
        let agreed = people.iter().filter(|who| !own(who)).count();
        agreed >= if known.service == "pay" { 2 } else { 1 }
    }

    pub fn began(&mut self, id: u64) {
        self.changes.get_mut(&id).expect("it was opened").began = true;
    }

    pub fn over(&mut self, id: u64) {
        self.changes.get_mut(&id).expect("it was opened").over = true;
    }
}
