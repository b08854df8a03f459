//! How things look in Discord: a message with its embed and its buttons, and the same said in plain text, for screen
//! readers, notifications, and for the second try when Discord takes no embed. Pure; text from outside goes through
//! `plain`. Sending is not here.

use serde_json::Value;
use serenity::all::{
    ButtonStyle, Colour, CreateActionRow, CreateAllowedMentions, CreateButton, CreateEmbed, CreateEmbedFooter,
    CreateInteractionResponseMessage, CreateMessage, CreateSelectMenu, CreateSelectMenuKind, CreateSelectMenuOption,
    Nonce, UserId,
};

use super::button::{Act, Mark};
use super::hint::Hints;
use super::plain;
use super::plot::Plot;
use super::rest::File;
use crate::domain::delivery::{Content, Grant, Judged, PageContent};
use crate::domain::id::IncidentId;
use crate::domain::incident::{Entry, Incident, IncidentState, Severity, show};
use crate::domain::input::{Button, JudgeButton};
use crate::domain::org::Org;
use crate::domain::paging::look::{POSSIBLE_REPEAT, UNROUTED};
use crate::domain::playbook::question::{Asked, RunButton};

/// The longest part from outside within a line, in characters as shown.
const PART_MAX: usize = 300;
/// The longest update that a live message shows, in characters as shown.
const UPDATE_MAX: usize = 600;
/// The longest title of an embed, in characters.
const EMBED_TITLE_MAX: usize = 256;

/// A message as it is to be seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// What is read out and notified; says all that matters by itself.
    pub content: String,
    /// The same with colour.
    pub embed: Option<CreateEmbed>,
    /// Buttons and selects.
    pub rows: Vec<CreateActionRow>,
    /// The account that is woken; its mention stands in `content`.
    pub mention: Option<u64>,
    /// Whether only the asker sees it.
    pub private: bool,
    /// What is drawn for it: a message of its own behind an answer, whose words do not wait for it.
    pub plot: Option<Plot>,
}

/// A picture under a message.
#[derive(Debug)]
pub struct Picture {
    /// It.
    pub file: File,
    /// What it shows, for those who do not see it.
    pub alt: String,
}

impl Said {
    /// Text alone.
    pub fn text(text: &str) -> Self {
        Self { content: cut(plain::text(text)), ..Self::default() }
    }

    /// The same with commands named as they are said here.
    #[must_use]
    pub fn worded(mut self, hints: &Hints) -> Self {
        self.content = cut(hints.worded(&self.content));
        self
    }

    /// The same for the asker only.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// As a message with the delivery's id as its nonce: sent twice within Discord's window, it is one message.
    pub fn message(&self, nonce: &str) -> Value {
        let mut message = CreateMessage::new().content(&self.content).allowed_mentions(self.mentions());
        // A nonce that Discord would refuse is worse than none.
        if !nonce.is_empty() && nonce.len() <= 25 {
            message = message.nonce(Nonce::String(nonce.to_owned())).enforce_nonce(true);
        }
        if let Some(embed) = &self.embed {
            message = message.embed(embed.clone());
        }
        if !self.rows.is_empty() {
            message = message.components(self.rows.clone());
        }
        serde_json::to_value(message).unwrap_or(Value::Null)
    }

    /// As the answer to an interaction.
    pub fn answer(&self) -> CreateInteractionResponseMessage {
        let mut answer = CreateInteractionResponseMessage::new()
            .content(&self.content)
            .allowed_mentions(self.mentions())
            .embeds(self.embed.iter().cloned().collect())
            .components(self.rows.clone());
        if self.private {
            answer = answer.ephemeral(true);
        }
        answer
    }

    /// As a message behind an answer, with a picture where there is one.
    pub fn following(&self, picture: Option<&Picture>) -> Value {
        let mut body = serde_json::to_value(self.answer()).unwrap_or(Value::Null);
        if let Some(picture) = picture {
            body["attachments"] =
                serde_json::json!([{ "id": "0", "filename": picture.file.name, "description": picture.alt }]);
        }
        body
    }

    /// As what a message is changed to.
    pub fn edit(&self) -> Value {
        serde_json::to_value(Self { private: false, ..self.clone() }.answer()).unwrap_or(Value::Null)
    }

    /// The same in text alone: what is sent when Discord does not take the rest.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { content: self.content.clone(), mention: self.mention, private: self.private, ..Self::default() }
    }

    fn mentions(&self) -> CreateAllowedMentions {
        // Explicit and empty unless somebody is woken: nothing in the text can mention anybody.
        CreateAllowedMentions::new().users(self.mention.filter(|id| *id > 0).map(UserId::new))
    }
}

/// A delivery, as it is to be seen. `account`: who is woken by it; `runbook`: a link to an allowed host.
pub fn grant(grant: &Grant, account: Option<u64>, runbook: Option<&str>, hints: &Hints) -> Said {
    match &grant.content {
        Content::Page(page) => page_said(grant, page, (account, runbook), hints),
        Content::Post { text } | Content::Room { text } | Content::Progress { text, .. } => {
            note(grant, "", &hints.worded(text), account)
        }
        Content::Notice { text } => note(grant, "Opsbell: ", &hints.worded(text), account),
        Content::Ask { text, about } => {
            Said { rows: vec![decide_row(&grant.id.install, *about)], ..note(grant, "", &hints.worded(text), account) }
        }
        Content::Question { text, asked } => {
            Said { rows: vec![answers_row(&grant.id.install, asked)], ..note(grant, "", &hints.worded(text), account) }
        }
        Content::Answer(answer) => note(grant, "", &hints.worded(&answer.shown()), account),
    }
}

/// Approve, Reject.
fn decide_row(install: &str, on: Judged) -> CreateActionRow {
    let id = |button| Mark::of_judged(install, Act::Decide(button), on);
    CreateActionRow::Buttons(vec![
        CreateButton::new(id(JudgeButton::Approve)).label("Approve").style(ButtonStyle::Success),
        CreateButton::new(id(JudgeButton::Reject)).label("Reject").style(ButtonStyle::Secondary),
    ])
}

/// What can be answered to a run.
fn answers_row(install: &str, asked: &Asked) -> CreateActionRow {
    let button = |&(button, label): &(RunButton, &str)| {
        let style = match button {
            RunButton::Yes | RunButton::Done => ButtonStyle::Success,
            RunButton::No | RunButton::Again | RunButton::Failed => ButtonStyle::Secondary,
        };
        CreateButton::new(Mark::of_run(install, Act::Answer(button), asked.which)).label(label).style(style)
    };
    CreateActionRow::Buttons(asked.answers.buttons().iter().map(button).collect())
}

fn note(grant: &Grant, sender: &str, text: &str, account: Option<u64>) -> Said {
    let mention = mention(account);
    let repeat = if grant.possible_repeat { format!("{} ", plain::line(POSSIBLE_REPEAT, 40)) } else { String::new() };
    let content = cut(format!("{mention}{repeat}{sender}{}", plain::text(text)));
    Said { content, mention: account, ..Said::default() }
}

fn mention(account: Option<u64>) -> String {
    account.map(|id| format!("<@{id}> ")).unwrap_or_default()
}

fn page_said(
    grant: &Grant,
    page: &PageContent,
    (account, runbook): (Option<u64>, Option<&str>),
    hints: &Hints,
) -> Said {
    let title = plain::line(&page.title, PART_MAX);
    let service = plain::line(page.service.as_str(), 80);
    let severity = page.severity.as_str().to_ascii_uppercase();
    let mut marks = String::new();
    for mark in [grant.possible_repeat.then_some(POSSIBLE_REPEAT), page.unrouted.then_some(UNROUTED)] {
        marks.extend(mark.map(|mark| format!("{} ", plain::line(mark, 40))));
    }
    let about = grant.incident.map(|incident| format!(" ({incident})")).unwrap_or_default();
    let next = match &page.next {
        Some(next) => {
            let at = next.at.unix_secs();
            format!("{} is paged <t:{at}:t> (<t:{at}:R>).", plain::line(&next.who, PART_MAX))
        }
        None => "Nobody is paged after this.".to_owned(),
    };
    let dot = dot(page.severity);
    let mut content = format!("{}{marks}{dot} **{severity} {service}: {title}**{about}. {next}", mention(account));
    let reason = plain::line(&page.reason, PART_MAX);
    content.push_str(&format!("\nWhy: {reason}"));
    if let Some(incident) = grant.incident {
        content.push_str(&format!("\nTake it: Acknowledge, or {}", hints.command(&format!("ack {incident}"))));
    }
    if page.unrouted {
        content.push_str(&format!("\nThe signal named no known service, so it went to {service}."));
    }
    if grant.possible_repeat {
        content.push_str(&format!("\nPossible repeat: an earlier attempt of {} may have arrived.", grant.id));
    }
    let embed = CreateEmbed::new()
        .title(head(&format!("{severity} · {service}{about}"), EMBED_TITLE_MAX))
        .description(title)
        .colour(colour(page.severity))
        .field("Since", format!("<t:{}:R>", grant.owed_at.unix_secs()), true)
        .field("Next", next, true)
        .footer(CreateEmbedFooter::new(grant.id.to_string()));
    let rows = grant.incident.map(|incident| vec![page_row(&grant.id.install, incident, runbook)]);
    Said {
        content: cut(content),
        embed: Some(embed),
        rows: rows.unwrap_or_default(),
        mention: account,
        ..Said::default()
    }
}

/// Declare.
pub fn declare_row(install: &str) -> CreateActionRow {
    let id = Mark::id(install, Act::AskDeclare, None);
    CreateActionRow::Buttons(vec![CreateButton::new(id).label("Declare…").style(ButtonStyle::Danger)])
}

/// Acknowledge, Can't, Runbook.
fn page_row(install: &str, incident: IncidentId, runbook: Option<&str>) -> CreateActionRow {
    let press = |button| Mark::id(install, Act::Press(button), Some(incident));
    let mut row = vec![
        CreateButton::new(press(Button::Ack)).label("Acknowledge").style(ButtonStyle::Success),
        CreateButton::new(press(Button::Cant)).label("Can't – page next").style(ButtonStyle::Secondary),
    ];
    row.extend(runbook.map(|url| CreateButton::new_link(url).label("Runbook")));
    CreateActionRow::Buttons(row)
}

/// What is known of an incident for its message and its buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Whose buttons they are.
    pub install: String,
    /// Which.
    pub id: IncidentId,
    /// How it stands.
    pub state: IncidentState,
    /// How bad.
    pub severity: Severity,
    /// Who has it.
    pub holder: Option<String>,
    /// Whether nobody commands it.
    pub no_commander: bool,
    /// `INC-1 sev1 payments-api: replication lag`.
    pub headline: String,
    /// `acknowledged by cleo 1m ago`, or who is paged.
    pub standing: String,
    /// A link to an allowed host.
    pub runbook: Option<String>,
    /// `commander cleo · lead bas`.
    pub people: String,
    /// The last update, with when it was given.
    pub update: Option<(i64, String)>,
    /// When it was opened, in Unix seconds.
    pub opened: i64,
    /// Its live status message.
    pub live: Option<String>,
    /// What is broken.
    pub service: String,
    /// The channel that it is worked on in, where that is no thread of the live message.
    pub room: Option<String>,
}

impl Card {
    /// Of an incident.
    pub fn of(incident: &Incident, org: &Org, install: &str) -> Self {
        let holder = incident.holder.as_ref();
        let standing = match incident.state {
            IncidentState::Triggered => show::who_is_paged(incident),
            IncidentState::Acknowledged | IncidentState::Mitigated => match holder {
                Some(holder) => {
                    format!("{} · {} has it since <t:{}:R>", incident.state, holder.actor, holder.since.unix_secs())
                }
                None => incident.state.to_string(),
            },
            IncidentState::Resolved | IncidentState::Closed => {
                let how = incident.resolution.map(|how| format!(" as {how}")).unwrap_or_default();
                let at = incident.resolved_at.map(|at| format!(" <t:{}:R>", at.unix_secs())).unwrap_or_default();
                format!("{}{how}{at}", incident.state)
            }
        };
        Self {
            install: install.to_owned(),
            id: incident.id,
            state: incident.state,
            severity: incident.severity,
            holder: holder.map(|holder| holder.actor.to_string()),
            no_commander: incident.roles.commander.is_none(),
            headline: show::headline(incident),
            standing,
            runbook: runbook(org, incident.service.as_str()).map(str::to_owned),
            people: people(incident),
            update: last_update(incident),
            opened: incident.opened_at.unix_secs(),
            service: incident.service.to_string(),
            room: incident.room.as_ref().and_then(|room| {
                let place = room.place.as_ref().filter(|place| place.thread != place.message)?;
                Some(place.thread.as_ref().filter(|id| id.bytes().all(|b| b.is_ascii_digit()))?.to_string())
            }),
            live: incident.room.as_ref().and_then(|room| Some(room.place.as_ref()?.message.as_ref()?.to_string())),
        }
    }

    /// The live status message: how it stands, for everybody who reads the channel.
    pub fn live_said(&self, told: Option<&str>) -> Said {
        let mut content = format!(
            "{} **{}**\n{}",
            dot(self.severity),
            plain::line(&self.headline, PART_MAX),
            plain::text(&self.standing)
        );
        if !self.people.is_empty() {
            content.push_str(&format!("\n{}", plain::text(&self.people)));
        }
        if let Some((at, text)) = &self.update {
            content.push_str(&format!("\nLast update <t:{at}:R>: {}", plain::line(text, UPDATE_MAX)));
        }
        content.push_str(&format!("\nOpened <t:{}:R>", self.opened));
        content.extend(self.room.as_ref().map(|room| format!(" · worked on in <#{room}>")));
        content.extend(told.map(|told| format!("\n{}", plain::text(told))));
        Said { content: cut(content), rows: self.rows(), ..Said::default() }
    }

    /// The message about it, with something said of what was just done.
    pub fn said(&self, told: Option<&str>) -> Said {
        let mut content =
            format!("{} {}\n{}", dot(self.severity), plain::text(&self.headline), plain::text(&self.standing));
        if let Some(told) = told {
            content.push('\n');
            content.push_str(&plain::text(told));
        }
        Said { content: cut(content), rows: self.rows(), ..Said::default() }
    }

    /// The buttons that its state allows.
    fn rows(&self) -> Vec<CreateActionRow> {
        let id = |act| Mark::id(&self.install, act, Some(self.id));
        let button = |act, label: &str, style| CreateButton::new(id(act)).label(label).style(style);
        let press = Act::Press;
        match self.state {
            IncidentState::Triggered => vec![page_row(&self.install, self.id, self.runbook.as_deref())],
            IncidentState::Acknowledged | IncidentState::Mitigated => {
                let mut row = vec![
                    button(Act::AskUpdate, "Update…", ButtonStyle::Primary),
                    button(press(Button::Resolve), "Resolve", ButtonStyle::Success),
                    button(Act::More, "More", ButtonStyle::Secondary),
                ];
                if self.severity.high_urgency() && self.no_commander {
                    row.push(button(Act::Role, "Take command", ButtonStyle::Secondary));
                }
                row.extend(self.runbook.as_ref().map(|url| CreateButton::new_link(url).label("Runbook")));
                vec![CreateActionRow::Buttons(row)]
            }
            IncidentState::Resolved | IncidentState::Closed => Vec::new(),
        }
    }

    /// All that can be done, for `More`.
    pub fn more(&self) -> Said {
        let id = |act| Mark::id(&self.install, act, Some(self.id));
        let button = |act, label: &str| CreateButton::new(id(act)).label(label).style(ButtonStyle::Secondary);
        let menu = |act, hint: &str, words: &[&str]| {
            let options = words.iter().map(|word| CreateSelectMenuOption::new(*word, *word)).collect();
            let kind = CreateSelectMenuKind::String { options };
            CreateActionRow::SelectMenu(CreateSelectMenu::new(id(act), kind).placeholder(hint))
        };
        let rows = vec![
            menu(Act::Resolution, "Resolve as…", &["fixed", "recovered", "false-alarm", "duplicate"]),
            menu(Act::Severity, "Severity…", &["sev1", "sev2", "sev3", "sev4"]),
            menu(Act::Role, "I take the role…", &["commander", "lead", "communications", "scribe"]),
            menu(Act::Snooze, "Snooze for…", &["15m", "30m", "1h", "4h"]),
            CreateActionRow::Buttons(vec![
                button(Act::Press(Button::Escalate), "Escalate"),
                button(Act::Press(Button::HandBack), "Hand back"),
                button(Act::Press(Button::FalseAlarm), "False alarm"),
                button(Act::Press(Button::Emergency), "Emergency change"),
            ]),
        ];
        Said { rows, ..Said::text(&format!("{}\n{}", self.headline, self.standing)) }.private()
    }
}

/// Who does what.
fn people(incident: &Incident) -> String {
    let roles = &incident.roles;
    let named = [
        ("commander", &roles.commander),
        ("lead", &roles.lead),
        ("communications", &roles.communications),
        ("scribe", &roles.scribe),
    ];
    let named = named.into_iter().filter_map(|(role, person)| Some(format!("{role} {}", person.as_ref()?)));
    named.collect::<Vec<_>>().join(" · ")
}

/// What was told last, and when.
fn last_update(incident: &Incident) -> Option<(i64, String)> {
    let told = |entry: &Entry| {
        let text = entry.text.strip_prefix("update: ")?;
        Some((entry.at.unix_secs(), format!("{text} — {}", entry.by)))
    };
    incident.timeline.iter().rev().find_map(told)
}

/// The runbook of a service, when it is on an allowed host.
pub fn runbook<'o>(org: &'o Org, service: &str) -> Option<&'o str> {
    let url = org.services.get(service)?.runbook.as_deref()?;
    let parsed = reqwest::Url::parse(url).ok()?;
    let host = parsed.host_str()?.to_ascii_lowercase();
    let plain = matches!(parsed.scheme(), "http" | "https") && parsed.username().is_empty() && url.len() <= 512;
    (plain && org.link_hosts.contains(&host)).then_some(url)
}

/// The colour of a severity.
fn colour(severity: Severity) -> Colour {
    Colour::new(match severity {
        Severity::Sev1 => 0xD8_3C_3E,
        Severity::Sev2 => 0xE6_7E_22,
        Severity::Sev3 => 0xF1_C4_0F,
        Severity::Sev4 => 0x95_A5_A6,
    })
}

/// The mark of a severity.
pub fn dot(severity: Severity) -> &'static str {
    match severity {
        Severity::Sev1 => "🔴",
        Severity::Sev2 => "🟠",
        Severity::Sev3 => "🟡",
        Severity::Sev4 => "⚪",
    }
}

fn head(text: &str, max: usize) -> String {
    text.chars().take(max).collect()
}

/// At most one message; what is cut is told.
pub(super) fn cut(content: String) -> String {
    if content.chars().count() <= plain::CONTENT_MAX {
        return content;
    }
    plain::messages(&content, 1).pop().unwrap_or_default()
}
