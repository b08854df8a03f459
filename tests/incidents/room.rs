//! Rooms as the domain decides them: which incidents have one, what is said where, and what a lost thread leads to.

use opsbell::domain::actor::By;
use opsbell::domain::delivery::{Content, Grant, Outcome};
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::IncidentId;
use opsbell::domain::incident::room::ROOMS_MAX;
use opsbell::domain::input::{InputKind, Place, Reply};
use opsbell::domain::state::State;
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

use crate::support_paging::{START, input, person, say, small};

/// A chat that has rooms.
struct Chat {
    core: Core,
    now: Timestamp,
    commits: Vec<Commit>,
    /// What arrived in channels and threads: where, what; rooms marked.
    said: Vec<String>,
    /// Threads and channels that refuse.
    refuses: Vec<&'static str>,
    /// How a room is answered.
    room: fn(&Grant) -> Outcome,
}

fn made(grant: &Grant) -> Outcome {
    let incident = grant.incident.expect("it works");
    Outcome::Placed(Box::new(Place {
        chat: "discord".into(),
        channel: "77".into(),
        thread: Some(format!("thread-{incident}").into()),
        message: Some("88".into()),
        ..Place::default()
    }))
}

impl Chat {
    fn new() -> Self {
        let core = Core::new(State::new("r00ms"), small());
        Self { core, now: Timestamp(START), commits: Vec::new(), said: Vec::new(), refuses: Vec::new(), room: made }
    }

    fn take(&mut self, input: opsbell::domain::input::Input) -> Reply {
        let (answer, commit) = self.core.take(self.now, input);
        self.keep(commit);
        answer.reply.expect("it works")
    }

    fn keep(&mut self, commit: Option<Commit>) {
        if let Some(commit) = commit {
            self.core.durable(&commit);
            self.commits.push(commit);
        }
        while let Some(grant) = self.core.grant(self.now) {
            let outcome = self.send(&grant);
            self.core.ended(&grant.id);
            let receipt = InputKind::Receipt { delivery: grant.id.clone(), outcome };
            let (_, commit) = self.core.take(self.now, input(By::timer("lane"), receipt));
            self.keep(commit);
        }
    }

    fn send(&mut self, grant: &Grant) -> Outcome {
        let to = grant.to.to_string();
        if self.refuses.iter().any(|place| to.contains(place)) {
            return Outcome::Permanent { reason: "Unknown Channel".into() };
        }
        match &grant.content {
            Content::Room { text } => {
                self.said.push(format!("room in {to}: {}", text.lines().next().expect("it works")));
                (self.room)(grant)
            }
            Content::Post { text } if to.starts_with("channel") => {
                self.said.push(format!("{to}: {}", text.lines().next().expect("it works")));
                Outcome::Accepted
            }
            _ => Outcome::Accepted,
        }
    }

    fn say(&mut self, who: &str, text: &str) -> Reply {
        self.take(say(who, text))
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// The journal says the same as the state that lived.
    fn replays(&self) {
        let mut again = State::new("r00ms");
        for commit in &self.commits {
            let text = serde_json::to_string(&commit.events).expect("it works");
            let events: Vec<Event> = serde_json::from_str(&text).expect("it works");
            again.apply(&Commit { events, ..commit.clone() });
        }
        assert_eq!(again.disassemble().incidents, self.core.state().disassemble().incidents);
        let reread = State::assemble(again.disassemble());
        let ids = |state: &State| state.rooms().map(|incident| incident.id).collect::<Vec<_>>();
        assert_eq!(ids(&reread), ids(self.core.state()), "a restart finds the same rooms");
    }
}

const DECLARE: &str = "/incident declare \"slow\" service:api severity:sev4";

#[test]
fn lines_go_into_the_thread_and_what_is_for_everybody_into_the_channel_too() {
    let mut chat = Chat::new();
    chat.say("ann", DECLARE);
    assert_eq!(chat.told(), ["room in channel core-ops: INC-1 sev4 api: slow"]);
    chat.say("ann", "/ack INC-1");
    assert_eq!(chat.told(), ["channel discord:thread-INC-1: INC-1: acknowledged by ann."]);
    chat.say("ann", "/incident update INC-1 \"on it\"");
    let update = "INC-1 (sev4, acknowledged): on it — ann";
    assert_eq!(chat.told(), [format!("channel core-ops: {update}"), format!("channel discord:thread-INC-1: {update}")]);
    chat.replays();
}

#[test]
fn in_its_thread_an_incident_needs_no_name() {
    let mut chat = Chat::new();
    chat.say("ann", DECLARE);
    chat.say("ann", "/incident declare \"slower\" service:api severity:sev4");
    let place = |chat: &str, thread: &str| Place {
        chat: chat.into(),
        channel: "77".into(),
        thread: Some(thread.into()),
        ..Place::default()
    };
    let said = |place| input(person("ann"), InputKind::Text { place, text: "/ack".to_owned() });
    let elsewhere = chat.core.take(chat.now, said(place("slack", "thread-INC-2"))).0;
    assert!(elsewhere.reply.unwrap_err().to_string().contains("INC-1"), "another chat's thread is none of its");
    let reply = chat.take(said(place("discord", "thread-INC-2")));
    assert!(reply.text.starts_with("INC-2 acknowledged"), "{}", reply.text);
}

#[test]
fn a_lost_thread_loses_no_line_and_is_asked_for_no_more() {
    let mut chat = Chat::new();
    chat.say("ann", DECLARE);
    chat.told();
    chat.refuses = vec!["thread-"];
    chat.say("ann", "/incident update INC-1 \"first\"");
    assert_eq!(chat.told().len(), 1, "told in the channel anyway, and once");
    chat.say("ann", "/ack INC-1");
    assert_eq!(chat.told(), ["channel core-ops: INC-1: acknowledged by ann."]);
    let incident = &chat.core.state().incidents[&IncidentId(1)];
    let lost = incident.timeline.iter().filter(|entry| entry.text.contains("thread cannot be used")).count();
    assert_eq!(lost, 1, "{:?}", incident.timeline);
    chat.replays();

    let mut chat = Chat::new();
    chat.say("ann", DECLARE);
    chat.told();
    chat.refuses = vec!["thread-"];
    chat.say("ann", "/ack INC-1");
    assert_eq!(chat.told(), ["channel core-ops: INC-1: acknowledged by ann."], "it was for the thread alone");
    chat.replays();
}

#[test]
fn a_room_that_could_not_be_made_is_asked_for_by_the_next_line() {
    let mut chat = Chat::new();
    chat.refuses = vec!["core-ops"];
    chat.say("ann", DECLARE);
    assert!(chat.told().is_empty());
    chat.refuses = Vec::new();
    chat.say("ann", "/ack INC-1");
    assert_eq!(chat.told(), ["room in channel core-ops: INC-1: acknowledged by ann."]);
    chat.replays();
}

#[test]
fn a_room_that_an_outage_made_stale_is_asked_for_by_the_next_line() {
    let mut chat = Chat::new();
    chat.room = |_| Outcome::Later { reason: "full".into(), after: Span::mins(10) };
    chat.say("ann", DECLARE);
    chat.now = chat.now.after(Span::mins(11));
    chat.keep(None);
    assert_eq!(chat.core.state().rooms().count(), 0, "nothing stale is sent afterwards");
    chat.room = made;
    chat.now = chat.now.after(Span::mins(11));
    chat.keep(None);
    chat.told();
    chat.say("ann", "/ack INC-1");
    assert_eq!(chat.told(), ["room in channel core-ops: INC-1: acknowledged by ann."]);
    assert!(chat.core.state().incidents[&IncidentId(1)].thread().is_some());
    chat.replays();
}

#[test]
fn a_chat_without_rooms_says_the_line_and_all_goes_on_in_the_channel() {
    let mut chat = Chat::new();
    chat.room = |_| Outcome::Accepted;
    chat.say("ann", DECLARE);
    chat.say("ann", "/ack INC-1");
    let told = chat.told();
    assert_eq!(told[1], "channel core-ops: INC-1: acknowledged by ann.", "{told:?}");
    chat.replays();
}

#[test]
fn a_private_incident_has_none_and_a_storm_has_not_one_each() {
    let mut chat = Chat::new();
    chat.say("ann", "/incident declare \"a key leaked\" service:api severity:sev1 private:yes");
    assert_eq!(chat.core.state().rooms().count(), 0);
    assert!(chat.told().iter().all(|line| !line.starts_with("room")));
    for _ in 0..ROOMS_MAX + 10 {
        chat.say("ann", DECLARE);
    }
    assert_eq!(chat.core.state().rooms().count(), ROOMS_MAX);
    let told = chat.told();
    assert_eq!(told.len(), ROOMS_MAX + 10, "those without a room are lines");
    chat.replays();
}
