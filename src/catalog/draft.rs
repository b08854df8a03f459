//! What is gathered while the tables are read: the organisation so far, where each thing is declared, and which names
//! were mentioned, to be looked up when everything is read. The tables fill it, `check` judges the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compact_str::CompactString;

use super::finding::{Finding, Spot};
use super::playbooks::Drafted;
use super::read::{Sink, Table, Text};
use super::secret::{Secret, Secrets};
use super::value;
use super::{Chat, Mail, Server};
use crate::domain::command::spec::CommandSpec;
use crate::domain::delivery::{ChannelRef, Method};
use crate::domain::id::{PersonId, ScheduleId};
use crate::domain::org::Org;
use crate::domain::playbook::remedy::Remedy;

/// The kinds of things that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `[[team]]`
    Team,
    /// `[[person]]`
    Person,
    /// `[[schedule]]`
    Schedule,
    /// `[[escalation]]`
    Policy,
    /// `[[service]]`
    Service,
    /// `[[integration]]`
    Integration,
    /// `[[webhook]]`
    Webhook,
}

impl Kind {
    /// The table's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Person => "person",
            Self::Schedule => "schedule",
            Self::Policy => "escalation",
            Self::Service => "service",
            Self::Integration => "integration",
            Self::Webhook => "webhook",
        }
    }
}

/// A name mentioned somewhere.
#[derive(Debug)]
pub struct Mention {
    /// What is meant.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub spot: Spot,
}

/// A contact method that some rule uses.
#[derive(Debug)]
pub struct Use {
    /// Whose rule; `None` for the organisation's default, an empty name for a person without one.
    pub person: Option<PersonId>,
    /// The method.
    pub method: Method,
    /// Where the rule stands.
    pub spot: Spot,
}

/// Everything gathered so far.
pub struct Draft<'a> {
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Where relative `*_file` paths begin.
    pub base: Option<&'a Path>,
    /// Where findings go.
    pub sink: &'a Sink,
    /// The organisation so far.
    pub org: Org,
    /// The secrets that could be read.
    pub secrets: Secrets,
    /// `[server]`
    pub server: Server,
    /// `[mail]`
    pub mail: Option<Mail>,
    /// `[chat.*]`
    pub chat: BTreeMap<CompactString, Chat>,
    /// Where each thing is declared.
    pub declared: BTreeMap<(Kind, String), Spot>,
    /// Where the tables of settings stand.
    pub settings: BTreeMap<&'static str, Spot>,
    /// Names to look up.
    pub mentions: Vec<Mention>,
    /// Methods that rules use.
    pub uses: Vec<Use>,
    /// Which rules `[defaults]` leaves out.
    pub unsaid: Vec<&'static str>,
    /// Links and their hosts.
    pub links: Vec<(String, Spot)>,
    /// Channels and where they are named.
    pub channels: Vec<(ChannelRef, Spot)>,
    /// Where the rotations of each schedule stand, in their order.
    pub rotations: BTreeMap<ScheduleId, Vec<Spot>>,
    /// Whether the main file has a syntax error, so that tables may be missing from it.
    pub main_is_broken: bool,
    /// What `serve` refuses because it is not built yet.
    pub not_built: Vec<Finding>,
    /// What `serve` refuses unless a chat is connected.
    pub chat_only: Vec<Finding>,
    /// Whom summaries are mailed to, and where that stands.
    pub mailed: Vec<(String, Spot)>,
    /// Secrets that could not be read.
    pub unread: Vec<Finding>,
    /// The integration whose key stands in a variable or file.
    pub key_names: BTreeMap<String, String>,
    /// Secrets that could be read and that `serve` refuses: one key of two integrations, a signing secret that is none.
    pub unusable_secrets: Vec<Finding>,
    /// Kinds of which a table in a file with a syntax error has lost its name.
    pub lost: BTreeSet<Kind>,
    /// Templates of postmortems by severity or service, and their files.
    pub templates: Vec<(String, Spot)>,
    /// Templates that summaries name.
    pub summary_templates: Vec<Text>,
    /// Playbooks by name.
    pub playbooks: BTreeMap<CompactString, Drafted>,
    /// Remedies, and where each names its runbook.
    pub remedies: Vec<(Remedy, Spot)>,
    /// The organisation's own commands that run playbooks, and their files.
    pub own_runs: Vec<(CommandSpec, Spot)>,
}

impl Draft<'_> {
    /// Reads the `id` of a thing and notes where it is declared; a second one of the same name is a finding, and the
    /// first one holds.
    pub fn declare(&mut self, kind: Kind, table: &mut Table<'_>) -> Option<String> {
        table.require("id");
        let Some(text) = table.text("id") else {
            self.lost.insert(kind);
            return None;
        };
        table.settle_value(&text, value::id(&text.value));
        let key = (kind, text.value.clone());
        if let Some(first) = self.declared.get(&key) {
            let message = format!("{} `{}` is declared twice", kind.word(), value::cut(&text.value));
            let hint = format!("the first is at {}; give one of them another id", first.place());
            self.sink.add(Finding::error(&text.spot, message).hint(hint));
            return None;
        }
        self.declared.insert(key, text.spot);
        Some(text.value)
    }

    /// Notes that a name is mentioned.
    pub fn mention(&mut self, kind: Kind, text: &Text) {
        self.mentions.push(Mention { kind, name: text.value.clone(), spot: text.spot.clone() });
    }

    /// Reads the name of something declared elsewhere.
    pub fn refer(&mut self, kind: Kind, key: &'static str, table: &mut Table<'_>) -> Option<String> {
        let text = table.text(key)?;
        self.mention(kind, &text);
        Some(text.value)
    }

    /// Reads names of things declared elsewhere.
    pub fn refer_all(&mut self, kind: Kind, key: &'static str, table: &mut Table<'_>) -> Option<Vec<String>> {
        let texts = table.texts(key)?;
        texts.iter().for_each(|text| self.mention(kind, text));
        Some(texts.into_iter().map(|text| text.value).collect())
    }

    /// Reads a channel.
    pub fn channel(&mut self, table: &mut Table<'_>) -> Option<ChannelRef> {
        let text = table.text("channel")?;
        let channel = table.settle_value(&text, value::channel(&text.value))?;
        self.channels.push((channel.clone(), text.spot));
        Some(channel)
    }

    /// Reads a link to a page for people.
    pub fn link(&mut self, key: &'static str, table: &mut Table<'_>) -> Option<String> {
        let text = table.text(key)?;
        let host = table.settle_value(&text, value::url(&text.value))?;
        self.links.push((host.to_lowercase(), text.spot.clone()));
        Some(text.value.clone())
    }

    /// Reads a secret by its two keys, `KEY_env` and `KEY_file`. The first part of the answer says whether one is
    /// named, the second is its value where that could be read.
    pub fn secret(&mut self, keys: (&'static str, &'static str), table: &mut Table<'_>) -> (bool, Option<Secret>) {
        let (env, file) = (table.text(keys.0), table.text(keys.1));
        let named = table.has(keys.0) || table.has(keys.1);
        match (env, file) {
            (Some(_), Some(file)) => {
                let message = format!("both `{}` and `{}` are given", keys.0, keys.1);
                table.add(Finding::error(&file.spot, message).hint("leave one of them out"));
                (named, None)
            }
            (Some(env), None) => (named, self.variable(&env, keys.0)),
            (None, Some(file)) => (named, self.file(&file)),
            (None, None) => (named, None),
        }
    }

    fn variable(&mut self, name: &Text, key: &str) -> Option<Secret> {
        if !super::finding::is_env_name(&name.value) || name.value.len() > 200 {
            // What stands here may be the secret itself, so it is not repeated.
            let finding = Finding::error(&name.spot, format!("`{key}` takes the name of an environment variable"))
                .hint("capitals, digits and `_`, such as OPSBELL_KEY_PROMETHEUS; the secret itself never stands here");
            self.sink.add(finding);
            return None;
        }
        let secret = (self.env)(&name.value).and_then(|value| Secret::new(&value));
        if secret.is_none() {
            self.not_readable(name, format!("{} is not set; serve will refuse", name.value));
        }
        secret
    }

    fn file(&mut self, path: &Text) -> Option<Secret> {
        let whole = match self.base {
            Some(base) => base.join(&path.value),
            None => Path::new(&path.value).to_owned(),
        };
        let why = match super::files::read_small(&whole) {
            Ok(text) => match Secret::new(&text) {
                Some(secret) => return Some(secret),
                None => "it is empty".to_owned(),
            },
            Err(why) => why,
        };
        self.not_readable(path, format!("this secret's file cannot be read ({why}); serve will refuse"));
        None
    }

    fn not_readable(&mut self, text: &Text, message: String) {
        self.unread.push(Finding::warning(&text.spot, message));
    }
}
