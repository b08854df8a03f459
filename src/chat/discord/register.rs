//! The words of the command files as Discord's application commands. Pure: a lexicon in, the JSON of a bulk overwrite
//! out, with what Discord would refuse. Registered globally for guilds and the bot's direct messages, since pages
//! arrive there and guild commands do not exist in them.

use serde_json::{Map, Value, json};

use crate::domain::command::grammar::choices;
use crate::domain::command::spec::{CommandSpec, Lexicon, OptionKind, OptionSpec};

/// The most options of a command, subcommands of a group, and choices of an option.
const LIST_MAX: usize = 25;
/// The longest name.
const NAME_MAX: usize = 32;
/// The longest description.
const DESCRIPTION_MAX: usize = 100;
/// The most characters of a command in all: names, descriptions and values of itself and all below it.
const TOTAL_MAX: usize = 8_000;
/// The most global commands.
const COMMANDS_MAX: usize = 100;

/// Meanings that ask by a form when an option is left out. Discord refuses to send a command that lacks a required
/// option, so theirs are all optional there; in text they stay required.
const BY_FORM: [&str; 1] = ["incident.declare"];

/// The command on a message that declares an incident from it.
pub const DECLARE_FROM: &str = "Declare incident";
/// The command on a message that notes it.
pub const NOTE_FROM: &str = "Add to timeline";

/// The commands, in the order of the lexicon, and those on messages; `prefix` goes before each first word (`ob-` makes `/ob-ack`).
pub fn commands(lexicon: &Lexicon, prefix: &str) -> Vec<Value> {
    let mut firsts: Vec<&str> = Vec::new();
    for spec in &lexicon.commands {
        let first = first_word(spec);
        if !firsts.contains(&first) {
            firsts.push(first);
        }
    }
    let on_message = [DECLARE_FROM, NOTE_FROM].map(
        |name| json!({"type": 3, "name": format!("{prefix}{name}"), "integration_types": [0], "contexts": [0, 1]}),
    );
    firsts.into_iter().map(|first| command(first, lexicon, prefix)).chain(on_message).collect()
}

fn first_word(spec: &CommandSpec) -> &str {
    spec.name.split(' ').next().unwrap_or_default()
}

fn command(first: &str, lexicon: &Lexicon, prefix: &str) -> Value {
    let specs: Vec<&CommandSpec> = lexicon.commands.iter().filter(|spec| first_word(spec) == first).collect();
    let (description, options) = match specs.as_slice() {
        [only] if !only.name.contains(' ') => (only.summary.clone(), options(only)),
        subs => {
            let words: Vec<&str> = subs.iter().filter_map(|spec| spec.name.split(' ').nth(1)).collect();
            let below = subs.iter().zip(&words);
            let below = below.map(
                |(spec, word)| json!({"type": 1, "name": word, "description": spec.summary, "options": options(spec)}),
            );
            (cut(&words.join(", "), DESCRIPTION_MAX), below.collect())
        }
    };
    json!({
        "type": 1,
        "name": format!("{prefix}{first}"),
        "description": description,
        "options": options,
        "integration_types": [0],
        "contexts": [0, 1],
    })
}

fn options(spec: &CommandSpec) -> Vec<Value> {
    let by_form = BY_FORM.contains(&spec.run.as_str());
    spec.options.iter().map(|option| one_option(option, by_form)).collect()
}

/// People, services and records are text that Opsbell completes: Discord's own pickers offer accounts that are nobody
/// to Opsbell.
fn one_option(option: &OptionSpec, by_form: bool) -> Value {
    let mut value = Map::new();
    value.insert("type".into(), json!(if option.kind == OptionKind::Number { 4 } else { 3 }));
    value.insert("name".into(), json!(option.name));
    value.insert("description".into(), json!(option.summary));
    if option.required && !by_form {
        value.insert("required".into(), json!(true));
    }
    match option.kind {
        OptionKind::Text | OptionKind::Number => {}
        OptionKind::Severity | OptionKind::Choice => {
            let words: Vec<Value> = choices(option).map(|word| json!({"name": word, "value": word})).collect();
            value.insert("choices".into(), Value::Array(words));
        }
        _ => {
            value.insert("autocomplete".into(), json!(true));
        }
    }
    Value::Object(value)
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// What Discord would refuse, a line for each; empty: all can be registered.
pub fn problems(lexicon: &Lexicon, prefix: &str) -> Vec<String> {
    let all = commands(lexicon, prefix);
    let mut found = Vec::new();
    if all.len() > COMMANDS_MAX {
        found.push(format!("there are {} commands; Discord takes {COMMANDS_MAX}", all.len()));
    }
    for command in all.iter().filter(|command| command["type"] == 1) {
        let path = format!("/{}", text(command, "name"));
        look_at(command, &path, &mut found);
        let total = weight(command);
        if total > TOTAL_MAX {
            found.push(format!("`{path}` has {total} characters in all; Discord takes {TOTAL_MAX}"));
        }
    }
    found
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn look_at(value: &Value, path: &str, found: &mut Vec<String>) {
    let (name, description) = (text(value, "name"), text(value, "description"));
    let fits = |c: char| c == '-' || c == '_' || (c.is_alphanumeric() && !c.is_uppercase());
    if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(fits) {
        found.push(format!("`{path}`: a name is 1 to {NAME_MAX} small letters, digits, `-` or `_` in Discord"));
    }
    let length = description.chars().count();
    if length == 0 || length > DESCRIPTION_MAX {
        found.push(format!("`{path}`: its summary has {length} characters; Discord takes 1 to {DESCRIPTION_MAX}"));
    }
    let below = list(value, "options");
    for (what, count) in [("options", below.len()), ("choices", list(value, "choices").len())] {
        if count > LIST_MAX {
            found.push(format!("`{path}` has {count} {what}; Discord takes {LIST_MAX}"));
        }
    }
    let mut optional = false;
    for option in below {
        let required = option["required"] == true;
        if required && optional {
            found.push(format!("`{path}`: required options come first in Discord"));
        }
        optional |= !required;
        look_at(option, &format!("{path} {}", text(option, "name")), found);
    }
}

/// The characters that Discord counts.
fn weight(value: &Value) -> usize {
    let own: usize = ["name", "description", "value"].iter().map(|key| text(value, key).chars().count()).sum();
    let below = list(value, "options").iter().chain(list(value, "choices"));
    own + below.map(weight).sum::<usize>()
}

/// Whether what Discord has registered is what we want; keys that Discord adds, and those it leaves out because they
/// hold the default, do not matter. The order of commands does not matter, that of options does.
pub fn same(ours: &[Value], theirs: &[Value]) -> bool {
    let named = |name: &Value| theirs.iter().find(|command| command["name"] == *name);
    ours.len() == theirs.len() && ours.iter().all(|our| named(&our["name"]).is_some_and(|their| holds(our, their)))
}

fn holds(our: &Value, their: &Value) -> bool {
    match (our, their) {
        (Value::Object(our), Value::Object(_)) => {
            let known = ["required", "autocomplete", "options", "choices"];
            // What we leave out has to be left out there, too: a required option that no longer is.
            let gone = known.iter().all(|key| our.contains_key(*key) || is_default(&their[*key]));
            gone && our
                .iter()
                .all(|(key, value)| holds(value, &their[key]) || is_default(value) && is_default(&their[key]))
        }
        (Value::Array(our), Value::Array(their)) => {
            our.len() == their.len() && our.iter().zip(their).all(|(our, their)| holds(our, their))
        }
        _ => our == their,
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::words;

    fn find<'v>(all: &'v [Value], name: &str) -> &'v Value {
        all.iter().find(|value| value["name"] == name).unwrap()
    }

    #[test]
    fn our_own_words_can_be_registered() {
        assert_eq!(problems(&words::builtin(), ""), Vec::<String>::new());
        assert_eq!(problems(&words::builtin(), "ob-"), Vec::<String>::new());
    }

    #[test]
    fn a_command_and_a_group_look_as_discord_wants() {
        let all = commands(&words::builtin(), "ob-");
        let ack = find(&all, "ob-ack");
        assert_eq!(ack["contexts"], json!([0, 1]), "pages arrive by direct message");
        assert_eq!(ack["options"][0]["autocomplete"], true);
        let incident = find(&all, "ob-incident");
        let declare = find(incident["options"].as_array().unwrap(), "declare");
        let title = find(declare["options"].as_array().unwrap(), "title");
        assert_eq!(title.get("required"), None, "left out, a form asks for it");
        let severity = find(declare["options"].as_array().unwrap(), "severity");
        assert_eq!(severity["choices"].as_array().map(Vec::len), Some(4));
        assert_eq!(severity.get("autocomplete"), None, "Discord takes choices or completion, not both");
        let note = find(incident["options"].as_array().unwrap(), "note");
        assert!(list(note, "options").iter().any(|option| option["required"] == true));
    }

    #[test]
    fn what_discord_refuses_is_told() {
        let mut lexicon = words::builtin();
        let spec = lexicon.commands.iter_mut().find(|spec| spec.name == "ack").unwrap();
        spec.summary = "x".repeat(101);
        let mut option = spec.options[0].clone();
        option.required = true;
        spec.options = std::iter::once(spec.options[0].clone()).chain(vec![option; 26]).collect();
        let found = problems(&lexicon, "").join("\n");
        for part in ["101 characters", "27 options", "required options come first"] {
            assert!(found.contains(part), "{part}: {found}");
        }
        assert!(problems(&words::builtin(), "Ob ").join("\n").contains("small letters"));
        let own = words::builtin();
        let long = own.commands.iter().cycle().take(40).cloned().enumerate();
        let long = long.map(|(i, mut spec)| {
            spec.name = format!("big w{i}").into();
            spec.summary = "y".repeat(100);
            spec.options.iter_mut().for_each(|option| option.summary = "z".repeat(100));
            spec
        });
        let found = problems(&Lexicon { commands: long.collect() }, "").join("\n");
        assert!(found.contains("characters in all") && found.contains("40 options"), "{found}");
    }

    #[test]
    fn only_a_difference_is_registered_again() {
        let ours = commands(&words::builtin(), "");
        let mut theirs = ours.clone();
        theirs.reverse();
        for command in &mut theirs {
            command["id"] = json!("123");
            command["version"] = json!("9");
            command["nsfw"] = json!(false);
            if command["options"] == json!([]) {
                command.as_object_mut().unwrap().remove("options");
            }
        }
        assert!(same(&ours, &theirs));
        let mut required = theirs.clone();
        let ack = required.iter_mut().find(|command| command["name"] == "ack").unwrap();
        ack["options"][0]["required"] = json!(true);
        assert!(!same(&ours, &required), "an option that is required there no longer is");
        assert!(!same(&ours, &theirs[1..]));
        assert!(!same(&ours, &[]));
    }
}
