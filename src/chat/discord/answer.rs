//! Answering: a command, a button, a select, a form or a question for completions goes to the desk in the order in
//! which Discord tells it, and is answered within Discord's three seconds: directly when the engine is done within one
//! and a half, else deferred and filled in later. Who may what is decided by the engine, from the account that Discord
//! has verified.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use serenity::all::{
    CreateAutocompleteResponse, CreateInteractionResponse, CreateInteractionResponseMessage, CreateModal,
};

use super::ask::Coming;
use super::button::{Act, Mark};
use super::hint::Hints;
use super::limit::Urgency;
use super::look::{Card, Said};
use super::plot::Plot;
use super::rest::{Call, CallError};
use super::wire::{CommandOption, Interaction, value_text};
use super::{Discord, Force, form, plain};
use crate::domain::actor::{Actor, By};
use crate::domain::command::Call as Words;
use crate::domain::command::offer::Offered;
use crate::domain::command::spec::{CommandSpec, OptionSpec, Permission};
use crate::domain::delivery::Judged;
use crate::domain::id::{IncidentId, PersonId};
use crate::domain::incident::private::may_see;
use crate::domain::input::{Answer, Button, Input, InputKind, JudgeButton, Place, Unavailable};
use crate::domain::org::Role;
use crate::domain::paging::look;
use crate::domain::playbook::question::{RunButton, Which};
use crate::domain::reject::Reject;

/// What the engine may take before the answer is put off.
const DIRECT: Duration = Duration::from_millis(1_500);
/// For one try to answer; Discord wants the first word within 3 s.
const TRY: Duration = Duration::from_secs(2);
/// What an answer that was put off may take: Discord's tokens last 15 minutes.
const PUT_OFF: Duration = Duration::from_secs(14 * 60);
/// The most messages that one answer has.
const MESSAGES_MAX: usize = 3;
/// "Interaction has already been acknowledged".
const ANSWERED: u64 = 40_060;

/// How an interaction is answered.
pub(super) enum Reaction {
    /// By messages; the first is the answer, the others follow it.
    Say(Vec<Said>),
    /// The message with the button becomes this.
    Change(Box<Said>),
    /// A form opens.
    Form(Box<CreateModal>),
    /// What could stand there.
    Choices(Vec<(String, String)>),
}

impl Reaction {
    pub(super) fn one(said: Said) -> Self {
        Self::Say(vec![said])
    }

    /// The same with commands named as they are said here.
    fn worded(self, hints: &Hints) -> Self {
        match self {
            Self::Say(all) => Self::Say(all.into_iter().map(|said| said.worded(hints)).collect()),
            Self::Change(said) => Self::Change(Box::new(said.worded(hints))),
            other => other,
        }
    }

    fn body(&self) -> Value {
        let response = match self {
            Self::Say(all) => {
                let first = all.first().map(Said::answer).unwrap_or_default();
                CreateInteractionResponse::Message(first)
            }
            Self::Change(said) => CreateInteractionResponse::UpdateMessage(said.answer()),
            Self::Form(form) => CreateInteractionResponse::Modal((**form).clone()),
            Self::Choices(choices) => {
                let add = |all: CreateAutocompleteResponse, (name, value): &(String, String)| {
                    all.add_string_choice(name, value)
                };
                CreateInteractionResponse::Autocomplete(choices.iter().fold(CreateAutocompleteResponse::new(), add))
            }
        };
        serde_json::to_value(response).unwrap_or(Value::Null)
    }
}

/// Takes one interaction. Returns at once: what it asks of the engine is in its queue, in order.
pub fn take(discord: &Arc<Discord>, interaction: Interaction) {
    let new = discord.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).first(&interaction.id);
    let Some(user) = interaction.who().filter(|user| new && !user.bot) else { return };
    let force = discord.force();
    let actor = discord.actor(&force, user, interaction.guild_id.as_deref());
    let asked = Asked { discord: Arc::clone(discord), force, actor, interaction };
    match asked.interaction.kind {
        2 if asked.interaction.data.kind == 3 => form::on_message(asked),
        2 => command(asked),
        3 => component(asked),
        4 => complete(asked),
        5 => filled(asked),
        _ => {}
    }
}

/// What a member is called who is nobody of the organisation: the account's name, which is unique in Discord.
pub(super) fn guest(username: &str, id: &str) -> String {
    let name: String = username.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).collect();
    if name.is_empty() {
        format!("discord:{id}")
    } else {
        format!("discord:{}", name.chars().take(32).collect::<String>())
    }
}

/// The command of a meaning, by whatever name the organisation gives it.
pub(super) fn words_of(force: &Force, run: &str, options: Vec<(&str, String)>) -> Words {
    let spec = force.org.lexicon.commands.iter().find(|spec| spec.run == run);
    let command = spec.map_or_else(|| run.replace('.', " ").into(), |spec| spec.name.clone());
    Words { command, options: options.into_iter().map(|(name, value)| (name.into(), value)).collect() }
}

/// An interaction with who asks and the configuration it is answered by.
pub(super) struct Asked {
    pub(super) discord: Arc<Discord>,
    pub(super) force: Force,
    pub(super) actor: Actor,
    pub(super) interaction: Interaction,
}

impl Asked {
    fn place(&self) -> Place {
        let interaction = &self.interaction;
        let id = interaction.channel_id.clone().unwrap_or_default();
        // 10, 11 and 12 are threads.
        let parent = interaction.channel.as_ref().filter(|channel| matches!(channel.kind, 10..=12));
        let parent = parent.and_then(|channel| channel.parent_id.clone());
        Place {
            chat: super::CAPABILITIES.chat.into(),
            space: interaction.guild_id.clone().unwrap_or_default().into(),
            thread: parent.as_ref().map(|_| id.as_str().into()),
            channel: parent.unwrap_or(id).into(),
            message: interaction.message.as_ref().map(|message| message.id.as_str().into()),
        }
    }

    /// What the guild's roles grant to whoever asks.
    pub(super) fn granted(&self) -> Option<Role> {
        let roles = self.interaction.member.as_ref().map(|member| member.roles.as_slice()).unwrap_or_default();
        super::granted(&self.force.settings, roles)
    }

    pub(super) fn input(&self, kind: InputKind) -> Input {
        let id = self.interaction.id.as_str();
        let mut by = By::new(self.actor.clone(), super::CAPABILITIES.chat);
        by.request = Some(id.into());
        by.granted = self.granted();
        Input { by, idempotency: Some(format!("discord-{id}").into()), kind, closed: Vec::new() }
    }

    /// Gives a command to the engine.
    pub(super) fn call(&self, words: Words) -> Coming<Answer> {
        self.discord.submit(self.input(InputKind::Call { place: self.place(), call: words }))
    }

    /// The command of a meaning, by whatever name the organisation gives it.
    pub(super) fn words(&self, run: &str, options: Vec<(&str, String)>) -> Words {
        words_of(&self.force, run, options)
    }

    /// A look at an incident, for its message and buttons.
    fn card(&self, incident: IncidentId) -> Coming<Option<Card>> {
        card_for(&self.discord, self.actor.clone(), self.interaction.in_guild(), incident)
    }

    /// Answers when `work` is done; `private` and `changes` say how it is put off when that takes long.
    pub(super) fn answer<W>(self, private: bool, changes: bool, work: W)
    where
        W: Future<Output = Reaction> + Send + 'static,
    {
        tokio::spawn(async move {
            let hints = self.force.hints();
            let mut work = Box::pin(async move { work.await.worded(&hints) });
            if let Ok(reaction) = tokio::time::timeout(DIRECT, &mut work).await {
                return self.tell(reaction).await;
            }
            let put_off = if changes {
                CreateInteractionResponse::Acknowledge
            } else {
                let hidden = private && self.interaction.in_guild();
                CreateInteractionResponse::Defer(CreateInteractionResponseMessage::new().ephemeral(hidden))
            };
            let put_off = serde_json::to_value(put_off).unwrap_or(Value::Null);
            if let Err(error) = self.callback(put_off).await {
                tracing::warn!(%error, "an interaction could not be put off");
            }
            match tokio::time::timeout(PUT_OFF, work).await {
                Ok(reaction) => self.tell_late(reaction, private, changes).await,
                Err(_) => tracing::warn!("the engine has not answered an interaction"),
            }
        });
    }

    async fn tell(&self, reaction: Reaction) {
        match self.callback(reaction.body()).await {
            Ok(()) => {
                if let Reaction::Say(all) = reaction {
                    self.follow(&all[1.min(all.len())..]).await;
                }
            }
            // Too late, or the answer was lost: what was done is told all the same.
            Err(error) => self.tell_otherwise(&reaction, &error).await,
        }
    }

    async fn tell_late(&self, reaction: Reaction, hidden: bool, changes: bool) {
        let (application, token) = (&self.interaction.application_id, &self.interaction.token);
        let original = format!("/webhooks/{application}/{token}/messages/@original");
        let edit = |said: &Said| {
            let call = Call::new("PATCH /webhooks/{}/{}/messages/@original", original, token);
            call.body(said.edit()).urgency(Urgency::Callback, TRY)
        };
        let told = match &reaction {
            Reaction::Change(said) => self.discord.rest.call(&edit(said)).await.map(drop),
            Reaction::Say(all) if changes => {
                self.follow(all).await;
                Ok(())
            }
            // It was put off openly, and turns out to be for the asker only.
            Reaction::Say(all) if !hidden && self.interaction.in_guild() && all.iter().any(|said| said.private) => {
                let told = self.discord.rest.call(&edit(&Said::text("Answered to whoever asked."))).await;
                self.follow(all).await;
                told.map(drop)
            }
            Reaction::Say(all) => match all.first() {
                Some(first) => {
                    let told = self.discord.rest.call(&edit(first)).await.map(drop);
                    self.follow(&all[1..]).await;
                    told
                }
                None => Ok(()),
            },
            // Neither can be put off, and neither waits for the engine's disk.
            Reaction::Form(_) | Reaction::Choices(_) => Ok(()),
        };
        if let Err(error) = told {
            self.tell_otherwise(&reaction, &error).await;
        }
    }

    /// More messages behind the answer.
    async fn follow(&self, all: &[Said]) {
        let (application, token) = (&self.interaction.application_id, &self.interaction.token);
        for said in all {
            let picture = match &said.plot {
                None => None,
                // Without it the message would be empty, and the words before it have said all.
                Some(plot) => match plot.draw(&self.discord).await {
                    None => continue,
                    drawn => drawn,
                },
            };
            let call = Call::new("POST /webhooks/{}/{}", format!("/webhooks/{application}/{token}"), token);
            let call = call.body(said.following(picture.as_ref())).file(picture.map(|picture| picture.file));
            let call = call.urgency(Urgency::Callback, TRY);
            if let Err(error) = self.discord.rest.call(&call).await {
                tracing::warn!(%error, "a part of an answer could not be told");
                return;
            }
        }
    }

    /// The answer did not arrive: whoever asked hears it by direct message.
    async fn tell_otherwise(&self, reaction: &Reaction, error: &CallError) {
        if error.code() == Some(ANSWERED) {
            return;
        }
        tracing::warn!(%error, "an interaction could not be answered");
        let said = match reaction {
            Reaction::Say(all) => all.first().cloned(),
            Reaction::Change(said) => Some((**said).clone()),
            Reaction::Form(_) | Reaction::Choices(_) => None,
        };
        let (Some(said), Some(user)) = (said, self.interaction.who()) else { return };
        let late = Said { content: format!("(late answer) {}", said.content), ..said.bare() };
        let Ok(channel) = self.discord.direct(&user.id, (Urgency::Page, TRY)).await else { return };
        let path = format!("/channels/{channel}/messages");
        let call = Call::new("POST /channels/{}/messages", path, &channel).body(late.message(""));
        if let Err(error) = self.discord.rest.call(&call).await {
            tracing::warn!(%error, "nor could it be told by direct message");
        }
    }

    /// The first word, tried again while there is time: told twice it counts once.
    async fn callback(&self, body: Value) -> Result<(), CallError> {
        let Interaction { id, token, .. } = &self.interaction;
        let path = format!("/interactions/{id}/{token}/callback");
        let call = Call::new("POST /interactions/{}/{}/callback", path, id).body(body).urgency(Urgency::Callback, TRY);
        let mut last = CallError::NoAnswer { reason: "no answer from Discord in time".into(), unknown: true };
        for n in 0..3 {
            match tokio::time::timeout(TRY, self.discord.rest.call(&call)).await {
                Ok(Ok(_)) => return Ok(()),
                // The one before was taken, and its answer lost.
                Ok(Err(error)) if n > 0 && error.code() == Some(ANSWERED) => return Ok(()),
                Ok(Err(error @ (CallError::NoAnswer { .. } | CallError::Failing { .. }))) => last = error,
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(100 << n)).await;
        }
        Err(last)
    }
}

/// A look at an incident for whoever may see it; one that is private is shown nowhere where others read along.
fn card_for(discord: &Discord, actor: Actor, open: bool, incident: IncidentId) -> Coming<Option<Card>> {
    discord.look(move |view| {
        let incident = view.state.incidents.get(&incident)?;
        let shown = may_see(view.org, &actor, incident) && !(open && incident.private);
        shown.then(|| Card::of(incident, view.org, &view.state.meta.install))
    })
}

/// What is said of a refusal, to the asker only.
pub(super) fn refusal(reject: &Reject) -> Said {
    Said::text(&format!("⚠ {reject}")).private()
}

pub(super) fn unavailable(why: &Unavailable) -> Reaction {
    Reaction::one(Said::text(&format!("⚠ Opsbell could not take it: {why}")).private())
}

/// An answer in words, as messages.
pub(super) fn words_said(answer: Result<Answer, Unavailable>, private: bool) -> Reaction {
    let reply = match answer {
        Ok(answer) => answer.reply,
        Err(why) => return unavailable(&why),
    };
    match reply {
        Ok(reply) => {
            let private = private || reply.private;
            let text = if reply.text.is_empty() { "Done.".to_owned() } else { plain::reply(&reply) };
            let all = plain::messages(&text, MESSAGES_MAX);
            Reaction::Say(all.into_iter().map(|content| Said { content, private, ..Said::default() }).collect())
        }
        Err(reject) => Reaction::one(refusal(&reject)),
    }
}

/// The command that Discord names, with its options taken apart.
fn spoken(force: &Force, data: &super::wire::Data) -> (Words, Option<CommandSpec>) {
    let mut command = data.name.strip_prefix(force.settings.command_prefix.as_str()).unwrap_or(&data.name).to_owned();
    let mut options: &[CommandOption] = &data.options;
    while let Some(below) = options.first().filter(|option| matches!(option.kind, 1 | 2)) {
        command.push(' ');
        command.push_str(&below.name);
        options = &below.options;
    }
    let options = options.iter().map(|option| (option.name.as_str().into(), value_text(&option.value))).collect();
    let spec = force.org.lexicon.commands.iter().find(|spec| spec.name == command).cloned();
    (Words { command: command.into(), options }, spec)
}

fn command(asked: Asked) {
    let (words, spec) = spoken(&asked.force, &asked.interaction.data);
    let run = spec.as_ref().map_or("", |spec| spec.run.as_str());
    // The form would lose what it does not ask for, and a private incident would be told to all.
    let whole = ["title", "private", "impact", "urgency"];
    if run == "incident.declare" && !words.options.iter().any(|(name, _)| whole.contains(&name.as_str())) {
        return form::ask_declare(asked, &words.options);
    }
    // Nothing but which: what stands there is filled in by a form.
    if let ("postmortem.edit", [(_, id)]) = (run, words.options.as_slice())
        && let Ok(incident) = id.parse()
    {
        return super::review::ask(asked, incident);
    }
    if run == "account.connect" && words.options.is_empty() {
        return super::link::show_code(asked);
    }
    if let ("account.connect", [(name, code)], Actor::Member(_)) = (run, words.options.as_slice(), &asked.actor)
        && name == "code"
    {
        let code = code.clone();
        return super::link::claim(asked, &code);
    }
    let private = spec.as_ref().is_some_and(|spec| spec.private) && asked.interaction.in_guild();
    let lists = matches!(run, "incident.list" | "status");
    let shows_card = !private && spec.is_some_and(|spec| spec.permission > Permission::Read);
    let plot = Plot::of(&asked, &words);
    let coming = asked.call(words);
    let (discord, actor) = (Arc::clone(&asked.discord), asked.actor.clone());
    let open = asked.interaction.in_guild();
    asked.answer(private, false, async move {
        let answer = coming.get().await;
        let drawn = matches!(&answer, Ok(Answer { reply: Ok(reply), .. }) if reply.drawn.is_some());
        let about = match &answer {
            Ok(Answer { reply: Ok(reply), .. }) if shows_card => reply.records.first().and_then(|id| id.parse().ok()),
            _ => None,
        };
        let mut reaction = words_said(answer, private);
        if let (Some(about), Reaction::Say(all)) = (about, &mut reaction) {
            // The next steps as buttons, under the last part.
            let card = card_for(&discord, actor, open, about);
            if let (Ok(Some(card)), Some(last)) = (card.get().await, all.last_mut()) {
                last.rows = card.said(None).rows;
            }
        }
        if let (true, Reaction::Say(all)) = (lists, &mut reaction)
            && let Some(last) = all.last_mut()
        {
            last.rows = vec![super::look::declare_row(discord.install())];
        }
        if let (true, Some(plot), Reaction::Say(all)) = (drawn, plot, &mut reaction) {
            let private = all.iter().any(|said| said.private);
            all.push(Said { plot: Some(plot), private, ..Said::default() });
        }
        reaction
    });
}

fn component(asked: Asked) {
    let Some(mark) = Mark::read(&asked.interaction.data.custom_id) else {
        let said = Said::text("⚠ This button is not one of Opsbell's of today. Say it: /incident list").private();
        return asked.answer(true, false, std::future::ready(Reaction::one(said)));
    };
    if mark.install != asked.discord.install() {
        let said = Said::text(
            "⚠ This button belongs to another Opsbell (another data directory). Say it here: /incident list",
        );
        return asked.answer(true, false, std::future::ready(Reaction::one(said.private())));
    }
    if let (Act::Decide(button), Some(on)) = (mark.act, mark.judged) {
        return decide(asked, button, on);
    }
    if let (Act::Answer(button), Some(which)) = (mark.act, mark.question) {
        return answer_run(asked, button, which);
    }
    let chosen = asked.interaction.data.values.first().cloned();
    let Some(incident) = mark.incident else { return form::without_incident(asked, mark.act, chosen) };
    let on = ("incident", incident.to_string());
    let words = match mark.act {
        Act::Press(button) => return press(asked, button, incident),
        Act::AskUpdate => return form::ask_update(asked, incident),
        Act::More => {
            // For whoever pressed, so nobody reads along.
            let card = card_for(&asked.discord, asked.actor.clone(), false, incident);
            // What a card has nothing to say of (closed, hidden, never there) the engine knows.
            let known = asked.call(asked.words("incident.show", vec![on]));
            return asked.answer(true, false, async move {
                match (card.get().await, known.get().await) {
                    (Err(why), _) | (_, Err(why)) => unavailable(&why),
                    (_, Ok(Answer { reply: Err(reject), .. })) => Reaction::one(refusal(&reject)),
                    (Ok(Some(card)), _) => Reaction::one(card.more()),
                    (Ok(None), _) => Reaction::one(
                        Said::text(&format!("{incident} is closed. If it is not over: /incident reopen {incident}"))
                            .private(),
                    ),
                }
            });
        }
        Act::Severity => asked.words("incident.severity", vec![("severity", chosen.unwrap_or_default()), on]),
        Act::Role => {
            let role = chosen.unwrap_or_else(|| "commander".to_owned());
            asked.words("incident.role", vec![("role", role), on])
        }
        Act::Resolution => asked.words("incident.resolve", vec![("resolution", chosen.unwrap_or_default()), on]),
        Act::Snooze => asked.words("snooze", vec![("duration", chosen.unwrap_or_default()), on]),
        // Forms, and what declares, are not pressed.
        Act::Update | Act::AskDeclare | Act::Declare | Act::DeclareFor | Act::Note | Act::Postmortem => return,
        Act::Decide(_) | Act::Answer(_) => return,
    };
    let coming = asked.call(words);
    change(asked, coming, incident, None);
}

/// Approve or Reject under what asks for it: whoever pressed is answered, and the channel hears of what was done.
fn decide(asked: Asked, button: JudgeButton, on: Judged) {
    let coming = asked.discord.submit(asked.input(InputKind::PressJudge { place: asked.place(), button, on }));
    asked.answer(true, true, async move {
        match coming.get().await {
            Ok(Answer { reply: Ok(reply), .. }) => Reaction::one(Said::text(&reply.text).private()),
            other => words_said(other, true),
        }
    });
}

/// An answer to a run: the question says what was answered, and has no buttons any more. What nobody else may read is
/// told to whoever pressed.
fn answer_run(asked: Asked, button: RunButton, which: Which) {
    let coming = asked.discord.submit(asked.input(InputKind::PressRun { place: asked.place(), button, which }));
    let open = asked.interaction.in_guild();
    let question = asked.interaction.message.as_ref().map(|message| message.content.clone());
    let me = asked.actor.to_string();
    asked.answer(true, true, async move {
        let reply = match coming.get().await {
            Ok(Answer { reply: Ok(reply), .. }) => reply,
            other => return words_said(other, true),
        };
        let alone = Reaction::one(Said::text(&reply.text).private());
        let Some(question) = question.filter(|text| !(text.is_empty() || reply.private && open)) else { return alone };
        // Our own words, as inert as they were when we said them.
        let label = plain::text(&format!("✓ {me}: {}", button.as_str()));
        let next = reply.text.lines().last().map(plain::text).unwrap_or_default();
        let content = super::look::cut(format!("{question}\n{label}. {next}"));
        Reaction::Change(Box::new(Said { content, ..Said::default() }))
    });
}

fn press(asked: Asked, button: Button, incident: IncidentId) {
    let kind = InputKind::Press { place: asked.place(), button, incident };
    let coming = asked.discord.submit(asked.input(kind));
    change(asked, coming, incident, Some(button));
}

/// The message with the button becomes what the incident now is, with what was just done.
pub(super) fn change(asked: Asked, coming: Coming<Answer>, incident: IncidentId, button: Option<Button>) {
    // Asked right behind the input, so that it shows what the input did.
    let card = asked.card(incident);
    let (me, open) = (asked.actor.to_string(), asked.interaction.in_guild());
    let under = asked.interaction.message.as_ref().map(|message| message.id.clone());
    asked.answer(true, true, async move {
        let answer = coming.get().await;
        let reply = match answer {
            Ok(Answer { reply: Ok(reply), .. }) => reply,
            other => return words_said(other, true),
        };
        let alone = Reaction::one(Said::text(&reply.text).private());
        if reply.private && open {
            return alone;
        }
        let Ok(Some(card)) = card.get().await else { return alone };
        // Somebody was first: who that was is for whoever pressed; the others know.
        if button == Some(Button::Ack) && card.holder.as_ref().is_some_and(|holder| *holder != me) {
            return alone;
        }
        let live = card.live.is_some() && card.live == under;
        let said = if live { card.live_said(Some(&reply.text)) } else { card.said(Some(&reply.text)) };
        Reaction::Change(Box::new(said))
    });
}

/// The option that the cursor is in.
fn focused(options: &[CommandOption]) -> Option<&CommandOption> {
    options.iter().find_map(|option| if option.focused { Some(option) } else { focused(&option.options) })
}

fn complete(asked: Asked) {
    let (_, spec) = spoken(&asked.force, &asked.interaction.data);
    let at = focused(&asked.interaction.data.options);
    let option: Option<OptionSpec> =
        spec.zip(at).and_then(|(spec, at)| spec.options.into_iter().find(|option| option.name == at.name));
    let partial = at.map(|at| value_text(&at.value)).unwrap_or_default();
    let who = asked.actor.person().cloned().unwrap_or_else(|| PersonId::from(""));
    let coming = asked.discord.look(move |view| {
        let Some(option) = option else { return Vec::new() };
        Offered::of(view, &who).values(&option, &partial)
    });
    asked.answer(true, false, async move {
        let values = coming.get().await.unwrap_or_default();
        let shown = values.into_iter().filter(|(value, _)| value.chars().count() <= 100).map(|(value, what)| {
            let name = if what.is_empty() { value.clone() } else { format!("{value} · {what}") };
            (look::line(&name, 100).into_owned(), value)
        });
        Reaction::Choices(shown.collect())
    });
}

fn filled(asked: Asked) {
    match Mark::read(&asked.interaction.data.custom_id) {
        Some(mark) if mark.install == asked.discord.install() => form::filled(asked, &mark),
        _ => {
            let said = Said::text("⚠ This form is not one of Opsbell's of today. Say it: /help").private();
            asked.answer(true, false, std::future::ready(Reaction::one(said)));
        }
    }
}

/// What stands in a field of a form.
pub(super) fn field(interaction: &Interaction, name: &str) -> Option<String> {
    let fields = interaction.data.components.iter().flat_map(|row| match row["components"].as_array() {
        Some(inside) => inside.iter().collect::<Vec<_>>(),
        // A newer kind of row, or a field that stands alone.
        None => vec![if row["component"].is_object() { &row["component"] } else { row }],
    });
    let mut named = fields.filter(|field| field["custom_id"] == json!(name));
    let text = value_text(&named.next()?["value"]);
    Some(text).filter(|text| !text.trim().is_empty())
}
