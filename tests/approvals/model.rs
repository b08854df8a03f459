//! The model: who the people are, what each organisation says of them, and which approvals could count. By its own
//! tables, so that a mistake in the domain is not repeated here.

use std::collections::{BTreeMap, BTreeSet};

/// Everybody, `nobody` included, who is in no organisation.
pub const PEOPLE: [&str; 7] = ["ann", "ben", "cas", "dot", "eve", "sue", "nobody"];
/// `api` needs one of its team or an administrator, `pay` two of its team or dot, `vault` one of the team with a second
/// factor, `app` one of the team, who may have reviewed the pull request.
pub const SERVICES: [&str; 4] = ["api", "pay", "vault", "app"];
/// The model `m` is pre-authorised after so many clean runs.
const EARN_AFTER: u32 = 2;
/// Wrong codes, and for how long none is looked at after them.
const WRONG_MAX: u32 = 5;
const WRONG_FOR_MS: i64 = 900_000;

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
            "vault" | "app" => team,
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
[[approval]]
id = "vault"
services = ["vault"]
approvers = ["team:core"]
second_factor = ["low", "medium", "high"]
[[approval]]
id = "app"
services = ["app"]
approvers = ["team:core"]
accept = ["pull-request"]
[[change-model]]
id = "m"
summary = "Flush"
plan = "a"
rollback = "b"
earn_after = 2
[[integration]]
id = "github"
source = "github"
service = "api"
key_env = "GITHUB"
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
[[service]]
id = "vault"
team = "core"
[[service]]
id = "app"
team = "core"
"#,
        );
        for (who, usual) in usual {
            text.push_str(&format!("[[person]]\nid = \"{who}\"\nemail = \"{who}@ej.example\"\n{}\n", role(who, usual)));
            // eve and sue are nobody on the code host.
            if !matches!(who, "eve" | "sue") {
                text.push_str(&format!("github = \"{who}-git\"\n"));
            }
        }
        text
    }
}

/// One approval that was given.
#[derive(Debug, Clone)]
struct Given {
    who: String,
    stands_for: Option<String>,
    factor: bool,
    review: bool,
    version: u32,
    expires: i64,
}

/// How an approval was given.
#[derive(Debug, Clone, Default)]
pub struct How {
    pub stands_for: Option<String>,
    pub factor: bool,
    pub review: bool,
    pub expires: i64,
}

/// What a change says that matters here.
#[derive(Debug, Clone, Default)]
pub struct Says {
    pub service: String,
    pub people: (Option<String>, Option<String>),
    pub complete: bool,
    pub standard: bool,
    pub by_model: bool,
    pub brings: Option<String>,
    /// The commit that was told.
    pub commit: Option<String>,
    /// Whether it says nothing beyond the code that is brought in.
    pub code: bool,
}

/// A change as the model knows it.
#[derive(Debug, Clone, Default)]
struct Known {
    says: Says,
    /// Who asked for it and edited it, beside whoever carries it out or wrote it.
    asked: String,
    edited: BTreeSet<String>,
    /// Counts the edits.
    version: u32,
    given: Vec<Given>,
    began: Option<String>,
    over: bool,
}

impl Known {
    fn own(&self, who: &str) -> bool {
        let people = &self.says.people;
        self.asked == who
            || self.edited.contains(who)
            || people.0.as_deref() == Some(who)
            || people.1.as_deref() == Some(who)
            || self.began.as_deref() == Some(who)
    }
}

/// A review of a pull request.
#[derive(Debug, Clone)]
struct Seen {
    number: u64,
    head: String,
    merged: Option<String>,
    who: String,
    author: String,
}

/// Codes of one person.
#[derive(Debug, Clone, Copy, Default)]
struct Codes {
    last: Option<u64>,
    wrong: u32,
    since: i64,
}

/// Everything that the model knows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub casting: Casting,
    changes: BTreeMap<u64, Known>,
    given: usize,
    /// Who stands in: for whom, who, from when, until when.
    standing_in: Vec<(String, String, i64, i64)>,
    codes: BTreeMap<String, Codes>,
    reviews: Vec<Seen>,
    /// How often the model `m` went well, and whether it is pre-authorised.
    pub clean: u32,
    pub earned: bool,
}

impl Model {
    pub fn responds(&self, who: &str) -> bool {
        self.casting.responds(who)
    }

    pub fn given(&self) -> usize {
        self.given
    }

    pub fn opened(&mut self, id: u64, who: &str, says: Says) {
        assert!(self.responds(who), "{who} may ask for nothing");
        assert!(!says.standard || self.earned, "CHG-{id} needs nobody by a model that is not pre-authorised");
        let known = Known { says, asked: who.to_owned(), ..Known::default() };
        assert!(self.changes.insert(id, known).is_none(), "CHG-{id} twice");
    }

    pub fn edited(&mut self, id: u64, who: &str, says: Says) {
        assert!(self.responds(who), "{who} may edit nothing");
        assert!(!says.standard || self.earned, "CHG-{id} needs nobody by a model that is not pre-authorised");
        let known = self.changes.get_mut(&id).expect("it was opened");
        assert!(known.began.is_none() && !known.over, "CHG-{id} is no longer edited");
        known.version += 1;
        known.says = says;
        known.edited.insert(who.to_owned());
    }

    pub fn delegated(&mut self, from: &str, to: &str, starts: i64, ends: i64) {
        assert!(self.responds(from) && self.responds(to) && from != to, "{to} for {from}");
        self.standing_in.retain(|it| (it.0.as_str(), it.1.as_str()) != (from, to));
        self.standing_in.push((from.to_owned(), to.to_owned(), starts, ends));
    }

    pub fn undelegated(&mut self, from: &str, to: &str) {
        self.standing_in.retain(|it| (it.0.as_str(), it.1.as_str()) != (from, to));
    }

    fn stands_in(&self, from: &str, to: &str, now: i64) -> bool {
        self.standing_in.iter().any(|it| it.0 == from && it.1 == to && it.2 <= now && now < it.3)
    }

    /// Whether somebody may decide about it now, for themselves or for somebody.
    pub fn may_approve(&self, id: u64, who: &str, stands_for: Option<&str>, now: i64) -> bool {
        let Some(known) = self.changes.get(&id).filter(|known| !known.over && known.began.is_none()) else {
            return false;
        };
        self.speaks(known, who, stands_for, now)
    }

    /// Whether somebody's word counts about it.
    fn speaks(&self, known: &Known, who: &str, stands_for: Option<&str>, now: i64) -> bool {
        let placed = |who: &str| self.casting.approver(&known.says.service, who) && !self.casting.left(who);
        let other = match stands_for {
            None => placed(who),
            Some(other) => {
                self.stands_in(other, who, now) && placed(other) && !known.own(other) && self.casting.responds(who)
            }
        };
        !known.own(who) && !self.casting.left(who) && other
    }

    /// Whether a person may decide about it, for whomever.
    pub fn has_a_say(&self, id: u64, who: &str, now: i64) -> bool {
        let others = self.standing_in.iter().map(|it| it.0.as_str());
        self.may_approve(id, who, None, now) || others.into_iter().any(|it| self.may_approve(id, who, Some(it), now))
    }

    pub fn approved(&mut self, id: u64, who: &str, how: How) {
        let known = self.changes.get_mut(&id).expect("it was opened");
        assert!(known.says.complete, "CHG-{id} says too little to be approved");
        assert!(!known.says.standard, "CHG-{id} needs nobody");
        known.given.retain(|it| !(it.who == who && it.version == known.version));
        let How { stands_for, factor, review, expires } = how;
        known.given.push(Given { who: who.to_owned(), stands_for, factor, review, version: known.version, expires });
        self.given += 1;
    }

    /// A review is taken back: what was approved by it is void.
    pub fn withdrawn(&mut self, id: u64, who: &str) {
        let known = self.changes.get_mut(&id).expect("it was opened");
        let before = known.given.len();
        known.given.retain(|it| !(it.who == who && it.review));
        assert!(known.given.len() < before, "{who} had reviewed nothing for CHG-{id}");
    }

    /// Approvals of what it says now that have not run out.
    pub fn standing(&self, id: u64, now: i64) -> usize {
        let Some(known) = self.changes.get(&id).filter(|known| known.began.is_none() && !known.over) else { return 0 };
        known.given.iter().filter(|it| it.version == known.version && it.expires > now).count()
    }

    /// Whether enough people who still may have agreed to what it says now; `but` is one whose word does not count.
    pub fn enough(&self, id: u64, but: Option<&str>, now: i64) -> bool {
        let Some(known) = self.changes.get(&id).filter(|known| known.began.is_none() && !known.over) else {
            return false;
        };
        if known.says.standard {
            return self.earned;
        }
        let service = known.says.service.as_str();
        let mut voices: BTreeSet<&str> = BTreeSet::new();
        for it in known.given.iter().filter(|it| it.version == known.version && it.expires > now) {
            let voice = it.stands_for.as_deref().unwrap_or(&it.who);
            let barred = but == Some(it.who.as_str()) || but == Some(voice);
            let kind = (service != "vault" || it.factor) && (!it.review || service == "app");
            if !barred && kind && self.speaks(known, &it.who, it.stands_for.as_deref(), now) {
                voices.insert(voice);
            }
        }
        voices.len() >= if service == "pay" { 2 } else { 1 }
    }

    pub fn began(&mut self, id: u64, who: &str) {
        self.changes.get_mut(&id).expect("it was opened").began = Some(who.to_owned());
    }

    pub fn over(&mut self, id: u64) {
        self.changes.get_mut(&id).expect("it was opened").over = true;
    }

    /// A change ended, or was reviewed: what its model has earned.
    pub fn ended(&mut self, id: u64, well: bool, closed: bool) {
        if !self.changes[&id].says.by_model {
            return;
        }
        if !well {
            (self.clean, self.earned) = (0, false);
        } else if closed {
            self.clean += 1;
            self.earned |= self.clean >= EARN_AFTER;
        }
    }

    pub fn needs_nobody(&self, id: u64) -> bool {
        self.changes[&id].says.standard
    }

    /// A code is used; whoever used it may go on.
    pub fn code_used(&mut self, who: &str, step: u64, now: i64) {
        let codes = self.codes.entry(who.to_owned()).or_default();
        assert!(codes.last.is_none_or(|last| step > last), "the code {step} of {who} counts twice");
        let locked = codes.wrong >= WRONG_MAX && now - codes.since < WRONG_FOR_MS;
        assert!(!locked, "{who} guessed on");
        assert_eq!(step, u64::try_from(now / 30_000).unwrap_or(0), "a code of another time");
        *codes = Codes { last: Some(step), ..Codes::default() };
    }

    pub fn code_refused(&mut self, who: &str, now: i64) {
        let codes = self.codes.entry(who.to_owned()).or_default();
        if codes.wrong == 0 || now - codes.since >= WRONG_FOR_MS {
            (codes.wrong, codes.since) = (0, now);
        }
        codes.wrong += 1;
        assert!(codes.wrong <= WRONG_MAX, "{who} guesses and guesses");
    }

    pub fn reviewed(&mut self, number: u64, head: &str, who: &str, author: &str, stands: bool) {
        assert!(!stands || who != author, "{who} reviewed their own");
        self.reviews.retain(|it| !(it.number == number && it.who == who));
        if stands {
            let (who, author) = (who.to_owned(), author.to_owned());
            self.reviews.push(Seen { number, head: head.to_owned(), merged: None, who, author });
        }
    }

    pub fn merged(&mut self, number: u64, head: &str, sha: &str) {
        for it in self.reviews.iter_mut().filter(|it| it.number == number && it.head == head) {
            it.merged = Some(sha.to_owned());
        }
    }

    /// Whether what is brought in is what the change says; where nobody says it, any commit is.
    pub fn brings(&self, id: u64, commit: Option<&str>) -> bool {
        let known = self.changes.get(&id).and_then(|it| it.says.commit.as_deref());
        known.is_none() || commit.is_none() || known == commit
    }

    /// Whether somebody's review is an approval of a change.
    pub fn may_review(&self, id: u64, who: &str, now: i64) -> bool {
        let Some(known) = self.changes.get(&id) else { return false };
        let Some(brings) = known.says.brings.as_deref() else { return false };
        let covers =
            |it: &Seen| it.head.starts_with(brings) || it.merged.as_deref().is_some_and(|it| it.starts_with(brings));
        known.says.service == "app"
            && known.says.code
            && known.edited.is_empty()
            && self.may_approve(id, who, None, now)
            && self.reviews.iter().any(|it| it.who == who && it.author != who && covers(it))
    }
}
