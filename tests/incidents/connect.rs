//! `/connect` as the domain decides it: whose an account is, what a code is worth, and who may say it for whom.

use opsbell::domain::actor::{Actor, By};
use opsbell::domain::connect::{account_of, hash_of, person_of};
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::input::{Input, InputKind};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

use crate::support_paging::{START, input, say, small};

struct Desk {
    core: Core,
    now: Timestamp,
    commits: Vec<Commit>,
}

impl Desk {
    fn new() -> Self {
        Self { core: Core::new(State::new("c0nn"), small()), now: Timestamp(START), commits: Vec::new() }
    }

    fn take(&mut self, input: Input) -> String {
        let (answer, commit) = self.core.take(self.now, input);
        if let Some(commit) = commit {
            self.core.durable(&commit);
            self.commits.push(commit);
        }
        match answer.reply {
            Ok(reply) => reply.text,
            Err(reject) => format!("refused: {reject}"),
        }
    }

    fn say(&mut self, who: &str, text: &str) -> String {
        self.take(say(who, text))
    }

    fn offer(&mut self, account: &str, code: &str) -> String {
        let by = By::new(Actor::Member(format!("discord:user{account}").into()), "discord");
        let kind = InputKind::OfferAccount {
            account: account.into(),
            name: format!("discord:user{account}").into(),
            sha256: hash_of(code),
        };
        self.take(input(by, kind))
    }

    fn whose(&self, account: &str) -> Option<String> {
        let links = &self.core.state().meta.accounts.links;
        let person = person_of(self.core.org(), links, account)?;
        assert_eq!(account_of(self.core.org(), links, person).as_deref(), Some(account), "both ways say the same");
        Some(person.to_string())
    }

    fn replays(&self) {
        let mut again = State::new("c0nn");
        for commit in &self.commits {
            let events: Vec<Event> =
                serde_json::from_str(&serde_json::to_string(&commit.events).expect("it works")).expect("it works");
            again.apply(&Commit { events, ..commit.clone() });
        }
        assert_eq!(again.meta, self.core.state().meta);
        let text = serde_json::to_string(&again.meta).expect("it works");
        assert_eq!(serde_json::from_str::<opsbell::domain::state::Meta>(&text).expect("it works"), again.meta);
    }
}

const CODE: &str = "K3X9Q-Z2AB7";

#[test]
fn a_code_links_once_and_only_in_its_time() {
    let mut desk = Desk::new();
    assert!(desk.offer("41", CODE).contains("It counts once"));
    let journal = serde_json::to_string(&desk.commits[0].events).unwrap();
    assert!(!journal.contains(CODE), "the code is nowhere: {journal}");
    assert!(desk.say("ann", "/connect k3x9qz2ab7").contains("discord:user41 is ann"), "however it is typed");
    assert_eq!(desk.whose("41").as_deref(), Some("ann"));
    assert!(desk.say("ben", &format!("/connect {CODE}")).starts_with("refused: That code counts for nothing"));
    assert_eq!(desk.whose("41").as_deref(), Some("ann"));
    assert!(desk.offer("41", CODE).contains("is ann already"));

    desk.offer("42", CODE);
    desk.now = desk.now.after(Span::mins(15));
    assert!(desk.say("ben", &format!("/connect {CODE}")).starts_with("refused:"), "too late");
    assert_eq!(desk.whose("42"), None);
    assert!(desk.say("ann", "/disconnect").contains("no linked account"));
    assert_eq!(desk.whose("41"), None);
    desk.replays();
}

#[test]
fn for_others_only_an_administrator_who_names_them_and_no_account_takes_the_place_of_another() {
    let mut desk = Desk::new();
    desk.offer("41", CODE);
    let refused = desk.say("ann", &format!("/connect {CODE} person:ben"));
    assert!(refused.contains("needs an administrator"), "{refused}");
    let unnamed = desk.say("op", &format!("/connect {CODE}"));
    assert!(
        unnamed.contains("An administrator always says"),
        "a stranger's code makes nobody an administrator: {unnamed}"
    );
    assert!(desk.say("op", &format!("/connect {CODE} person:ben")).contains("is ben from now on"));
    desk.offer("42", "AAAAA-BBBBB");
    assert!(desk.say("ben", "/connect AAAAA-BBBBB").contains("ben has a linked account already"));
    assert_eq!((desk.whose("41").as_deref(), desk.whose("42")), (Some("ben"), None));
    assert!(desk.say("ben", "/disconnect").contains("no linked account"));
    desk.say("ben", "/connect AAAAA-BBBBB");
    assert_eq!((desk.whose("41"), desk.whose("42").as_deref()), (None, Some("ben")));
    assert!(desk.say("ann", "/disconnect ben").contains("needs an administrator"));
    // A mention of the account means the person.
    assert!(desk.say("op", "/page <@42> \"help\"").contains("INC-1"));
    assert!(desk.core.state().incidents.values().any(|incident| incident.pages[0].person.as_str() == "ben"));
    assert!(desk.say("op", "/disconnect <@42>").contains("ben has no linked account"));
    desk.replays();
}

#[test]
fn wrong_codes_and_codes_asked_for_without_end_are_bounded() {
    let mut desk = Desk::new();
    desk.offer("41", CODE);
    assert!(desk.offer("41", "AAAAA-BBBBB").contains("just now"), "one a minute");
    for _ in 0..5 {
        assert!(desk.say("ann", "/connect 22222-33333").contains("counts for nothing"));
    }
    assert!(desk.say("ann", &format!("/connect {CODE}")).contains("Too many wrong codes"));
    assert!(desk.say("ben", &format!("/connect {CODE}")).contains("is ben"), "others are not held up");
    desk.offer("43", "CCCCC-CCCCC");
    desk.now = desk.now.after(Span::mins(14));
    assert!(desk.say("ann", "/connect CCCCC-CCCCC").contains("Too many"));
    desk.now = desk.now.after(Span::mins(2));
    desk.offer("44", "DDDDD-DDDDD");
    assert!(desk.say("ann", "/connect DDDDD-DDDDD").contains("is ann"));
    let mut crowd = 1000;
    while !desk.offer(&crowd.to_string(), &format!("EEEEE-{crowd}")).contains("just now") {
        crowd += 1;
        assert!(crowd < 1_200, "codes that count are bounded");
    }
    desk.replays();
}

#[test]
fn nobody_links_themselves_by_their_own_word() {
    let mut desk = Desk::new();
    desk.offer("41", CODE);
    let member = By::new(Actor::Member("discord:user41".into()), "discord");
    let Input { kind, .. } = say("ann", &format!("/connect {CODE}"));
    assert!(desk.take(input(member.clone(), kind)).starts_with("refused:"));
    let Input { kind, .. } = say("ann", &format!("/connect {CODE} person:op"));
    assert!(desk.take(input(member, kind)).starts_with("refused:"));
    assert_eq!(desk.whose("41"), None);
    for odd in ["/connect", "/connect \"\"", "/connect person:nobody", "/disconnect", "/connect 😀😀😀"] {
        assert!(desk.say("ann", odd).starts_with("refused:"), "{odd}");
    }
    let huge = format!("/connect {}", "x".repeat(3_000));
    assert!(desk.say("ann", &huge).starts_with("refused:"));
    desk.replays();
}

impl Desk {
    fn show(&mut self, who: Actor, code: &str) -> String {
        self.take(input(By::new(who, "api"), InputKind::ShowCode { sha256: hash_of(code) }))
    }

    fn claim(&mut self, account: &str, code: &str) -> String {
        let by = By::new(Actor::Member(format!("discord:user{account}").into()), "discord");
        let name = format!("discord:user{account}").into();
        self.take(input(by, InputKind::ClaimAccount { account: account.into(), name, sha256: hash_of(code) }))
    }
}

#[test]
fn a_code_shown_to_a_person_links_the_account_that_says_it_once_and_in_its_time() {
    let mut desk = Desk::new();
    let ann = || Actor::Person("ann".into());
    assert!(desk.show(ann(), CODE).contains("Say it in Discord"));
    assert!(desk.show(ann(), "AAAAA-AAAAA").contains("shown just now"), "one a minute");
    let journal = serde_json::to_string(&desk.commits[0].events).unwrap();
    assert!(journal.contains("account.code-shown") && !journal.contains(CODE), "the code is nowhere: {journal}");
    assert!(desk.claim("41", "ZZZZZ-22222").contains("counts for nothing"));
    assert!(desk.claim("41", "k3x9q z2ab7").contains("You are ann from now on"));
    assert_eq!(desk.whose("41").as_deref(), Some("ann"));
    assert!(desk.claim("42", CODE).contains("counts for nothing"), "it counts once");
    assert!(desk.claim("41", CODE).contains("is ann already"));
    assert!(desk.show(ann(), "BBBBB-BBBBB").contains("ann has a linked account already"));

    let ben = || Actor::Person("ben".into());
    desk.show(ben(), CODE);
    desk.now = desk.now.after(Span::mins(15));
    assert!(desk.claim("43", CODE).contains("counts for nothing"), "too late");
    desk.show(ben(), "CCCCC-CCCCC");
    for _ in 0..4 {
        assert!(desk.claim("43", "DDDDD-DDDDD").contains("counts for nothing"));
    }
    assert!(desk.claim("43", "CCCCC-CCCCC").contains("Too many wrong codes"), "five of them, with the one too late");
    assert_eq!(desk.whose("43"), None);
    assert!(desk.claim("44", "CCCCC-CCCCC").contains("You are ben"), "somebody else's slips are not theirs");
    desk.replays();
}

#[test]
fn a_code_is_shown_to_people_of_the_organisation_only_and_counts_in_its_guild_only() {
    let mut desk = Desk::new();
    for who in
        [Actor::Person("nobody".into()), Actor::Member("discord:x".into()), Actor::Person("administrator".into())]
    {
        assert!(desk.show(who, CODE).contains("to a person of the organisation"), "{:?}", desk.commits);
    }
    desk.show(Actor::Person("ann".into()), CODE);
    // Somebody who comes by direct message, or from another guild.
    let by = By::new(Actor::Person("discord:user9".into()), "discord");
    let kind = InputKind::ClaimAccount { account: "9".into(), name: "discord:user9".into(), sha256: hash_of(CODE) };
    assert!(desk.take(input(by, kind)).contains("own guild only"));
    assert_eq!(desk.whose("9"), None);
    // A code that Discord shows is for the other way, and stays good.
    desk.offer("41", "EEEEE-EEEEE");
    assert!(desk.claim("41", "EEEEE-EEEEE").contains("does not know who you are"));
    assert!(desk.say("ben", "/connect EEEEE-EEEEE").contains("is ben from now on"));
    desk.replays();
}
