//! The reference of playbooks: what each key means, as text, with the limits and the words that the code itself has.
//! `opsbell docs playbook-reference` writes the page from it; a test compares it with what the reader takes.

use std::fmt::Write as _;

use super::line::{ARGS_MAX, DEEPEST, TEXT_MAX};
use super::models::{MODELS, PLACE};
use crate::domain::playbook::remedy::{HOLD_MAX, NAMES, PER_HOUR_MAX};
use crate::domain::playbook::spec::{
    Kind, OnFailure, PARAMETERS_MAX, ParameterKind, RETRIES_MAX, STEPS_MAX, TIMEOUT, TIMEOUT_MAX, WAIT_MAX,
};
use crate::domain::playbook::text::OWN;
use crate::domain::playbook::values::{PLAIN, VALUE_MAX};
use crate::domain::playbook::{ENDED_MAX, OPEN_MAX, OUTPUT_MAX, WORDS};

/// A key and what it says.
type Key = (&'static str, String);

/// One kind of step.
pub struct Described {
    /// The key that says it.
    pub word: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The further keys that it takes.
    pub with: &'static [&'static str],
}

/// Keys of steps that reach outside.
const TRIED: [&str; 5] = ["timeout", "retries", "backoff", "idempotent", "on_failure"];

/// All kinds of steps, in the order of `DOES`.
pub const STEPS: [Described; 12] = [
    Described {
        word: "say",
        does: "Posts a line to the team's channel, or to the room of the incident.",
        with: &["channel"],
    },
    Described { word: "note", does: "Writes a line into the incident that the run is for.", with: &[] },
    Described {
        word: "wait",
        does: "Lets time pass, `30s`. Or waits for a signal: `deployment` (how one goes that began after the run did; one that fails is a failure) or `recovery` (no alert fires that matches). What is not heard in time is a failure.",
        with: &["service", "version", "environment", "alerts", "within", "on_failure"],
    },
    Described {
        word: "ask",
        does: "Asks a question that somebody answers: `/runbook answer RUN-1 yes`, or a button. `no`, or no answer in time, is a failure.",
        with: &["of", "within", "on_failure"],
    },
    Described {
        word: "page",
        does: "`person:NAME` is paged about the incident of the run; `team:NAME` and `service:NAME` by the team's policy, about a new incident.",
        with: &["text", "on_failure"],
    },
    Described {
        word: "set-severity",
        does: "Sets the severity of the incident of the run, `sev1` to `sev4`.",
        with: &["on_failure"],
    },
    Described {
        word: "silence",
        does: "Silences alerts, as `/alert silence` does: `'service=payments-api name=\"queue grows\"'`. A name may stand behind `=` and `!=`.",
        with: &["for", "reason", "on_failure"],
    },
    Described {
        word: "change",
        does: "Asks for a normal change with this title; whoever began the run carries it out, and does not approve it.",
        with: &["service", "environment", "version", "reason", "plan", "rollback", "on_failure"],
    },
    Described {
        word: "request",
        does: "Asks somebody for something, in their own channel; it has a record, `REQ-n`, and they say when it is done: `/request fulfil REQ-1`, or `/runbook answer RUN-1 yes`.",
        with: &["of", "within", "on_failure"],
    },
    Described {
        word: "http",
        does: "Asks a server: `POST https://…`, `GET` where no method is said.",
        with: &["json", "status", "expect", "timeout", "retries", "backoff", "idempotent", "on_failure"],
    },
    Described {
        word: "run",
        does: "Runs a program by its absolute path.",
        with: &["args", "timeout", "retries", "backoff", "idempotent", "on_failure"],
    },
    Described {
        word: "use",
        does: "Does the steps of another playbook. Playbooks that use each other in a circle are refused.",
        with: &["with"],
    },
];

fn words(all: impl IntoIterator<Item = &'static str>) -> String {
    all.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The keys of a playbook's file.
pub fn playbook() -> Vec<Key> {
    let kinds = words(Kind::ALL.map(|(word, _)| word));
    vec![
        (
            "kind",
            format!(
                "One of {kinds}. `standard-change`: each run is a change, and the playbook is its own `[[change-model]]`. The others open no change. `request`: an item of the catalogue, each run of which is a request (requests.md)."
            ),
        ),
        ("summary", "One line; may hold names. It becomes the title of the change.".into()),
        ("services", "For which services; for all where it is left out.".into()),
        (
            "risk",
            "`low`, `medium` (the default) or `high`: the riskiest that a standard change by it is pre-authorised for."
                .into(),
        ),
        (
            "permission",
            "`respond` (the default) or `administer`: what one has to be allowed to do to run it; an item may say `declare`, and is then for everybody."
                .into(),
        ),
        ("expected", "How long it usually takes, `10m`.".into()),
        (
            "earn_after",
            "As a standard change: after how many clean runs that others approved it is pre-authorised (changes.md), 1 to 1000; from the start where it is left out."
                .into(),
        ),
        ("expects", "Alerts that it causes: while the change runs they page nobody.".into()),
        (
            "approvers",
            "As an item: who may approve it, `[\"team:platform\", \"person:cleo\", \"role:admin\"]`; one of them does, who neither asked for it nor gets it. Nobody has to where it is left out."
                .into(),
        ),
        ("team", "As an item: the team that does by hand what the run does not; that of the service where it is left out.".into()),
        ("due", "As an item: until when it is needed, from when it was asked for, `2d`; no time where it is left out.".into()),
        ("parameter", format!("`[[parameter]]`: what has to be said; at most {PARAMETERS_MAX}.")),
        (
            "step",
            format!(
                "`[[step]]`: what is done, in order. All parts together have at most {STEPS_MAX} steps, with those of the playbooks that are used."
            ),
        ),
        ("verify", "`[[verify]]`: what shows that it worked.".into()),
        ("rollback", "`[[rollback]]`: what takes it back.".into()),
    ]
}

/// The keys of a file that names a model.
pub fn model() -> Vec<Key> {
    vec![
        ("model", format!("One of {}.", words(MODELS.map(|(name, _)| name)))),
        (
            "url",
            "Where the server is that does it, `https://deploy.ej.example/v1`; its host is an `[[http-host]]`.".into(),
        ),
        ("services", "For which services; for all where it is left out.".into()),
        ("risk", "As in any playbook, in the place of what the model says.".into()),
        ("permission", "Likewise.".into()),
        ("expected", "Likewise.".into()),
        ("expects", "Likewise.".into()),
    ]
}

/// The keys of a parameter.
pub fn parameter() -> Vec<Key> {
    let kinds = words(ParameterKind::ALL.map(|(word, _)| word));
    vec![
        ("name", "Its name, as in `{{version}}`.".into()),
        ("summary", "What it means.".into()),
        ("type", format!("One of {kinds}; `text` where it is left out.")),
        ("required", "Whether it has to be said.".into()),
        ("default", "What it is when nothing is said.".into()),
        ("values", "The only words that it may be.".into()),
        ("pattern", "A regular expression that all of it has to match.".into()),
    ]
}

/// The keys of steps.
pub fn step() -> Vec<Key> {
    let after = words(OnFailure::ALL.map(|(word, _)| word));
    vec![
        ("id", "The step's name; its kind and place where it is left out.".into()),
        ("channel", "Where `say` posts.".into()),
        ("of", "Who answers, or is asked: `person:NAME`, `team:NAME`, `role:admin`. For `ask`, whoever may run the playbook where it is left out.".into()),
        ("within", format!("Until when it has to be answered, done or heard: `1h` where it is left out, `1d` for `request`; at most {WAIT_MAX}.")),
        ("text", "What the page says.".into()),
        ("for", "How long the silence lasts.".into()),
        ("reason", "Why it is silenced; why the change is asked for.".into()),
        ("service", "The service of the change (the run's own where it is left out), or of the deployment that is waited for.".into()),
        ("version", "The version of the change, or of the deployment; any where it is left out.".into()),
        ("environment", "Where; `production` where it is left out.".into()),
        ("plan", "How the change is done. Without it, it waits to be said before anybody can approve it.".into()),
        ("rollback", "How the change is taken back; likewise.".into()),
        ("alerts", "Which alerts have to recover, as `silence` names them.".into()),
        ("json", format!("What is sent: a table, at most {DEEPEST} deep. Names in it are filled in as texts, whatever is in them.")),
        ("status", "The status that is expected; any 2xx where it is left out.".into()),
        ("expect", "`{ path = \"$.state\", is = \"ready\" }`: what the only value at a JSONPath of the answer has to be.".into()),
        ("args", format!("The arguments, each as it is, at most {ARGS_MAX}. No shell reads them. One that begins with a name stands after `\"--\"`.")),
        ("with", "`{ name = \"value\" }` for the parameters of the playbook that is used; `\"{{name}}\"` hands one of this playbook's on. One that is left out takes the parameter of the same name.".into()),
        ("timeout", format!("How long it may take; `{TIMEOUT}` where it is left out, at most {TIMEOUT_MAX}.")),
        ("retries", format!("How often it is tried again, 0 to {RETRIES_MAX}.")),
        ("backoff", "The wait before that, `5s` where it is left out; twice as long each time.".into()),
        ("idempotent", "Whether doing it twice is the same as doing it once. `true` for `GET`, else `false`. After a crash such a step is done again; of any other a person is asked.".into()),
        ("on_failure", format!("One of {after}. `rollback`: the steps of `[[rollback]]` follow. `stop` where it is left out; in `[[verify]]`, `rollback`.")),
    ]
}

fn table(page: &mut String, keys: &[Key]) {
    page.push_str("\n| key | what it says |\n|---|---|\n");
    for (key, text) in keys {
        // Writing into a text cannot fail.
        let _ = writeln!(page, "| `{key}` | {text} |");
    }
}

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# The reference of playbooks\n\n<!-- Made from src/catalog/playbooks/ by `./dev docs`; change that. -->\n\n\
         How to write one, and what happens when it is run: [playbooks.md](playbooks.md).\n",
    );
    page.push_str("\n## A playbook\n");
    table(&mut page, &playbook());
    page.push_str("\n## A parameter\n");
    table(&mut page, &parameter());
    let _ = write!(
        page,
        "\nA text with neither `values` nor `pattern` matches `{PLAIN}`. Whatever a pattern says, a value is one line of at\nmost {VALUE_MAX} characters, without anything that cannot be seen.\n\n\
         Names that every run has: {}. A name is all that can stand in `{{{{ }}}}`.\n",
        words(OWN)
    );
    page.push_str("\n## A step\n\nEach does one thing.\n\n| key | what it does | with |\n|---|---|---|\n");
    for Described { word, does, with } in &STEPS {
        let _ = writeln!(page, "| `{word}` | {does} | {} |", words(with.iter().copied()));
    }
    table(&mut page, &step());
    let _ = write!(
        page,
        "\nA text of a step has at most {TEXT_MAX} characters. {} are for what reaches outside; `page`, `set-severity`, `silence`,\n\
         `change` and `request` are done in the name of whoever began the run, with what they may do at that moment, and are\n\
         one commit each: a crash finds them not begun or done. Of an answer {OUTPUT_MAX} characters are kept.\n\n\
         How a run stands is one of {}. {OPEN_MAX} run at once at most; the last {ENDED_MAX} that are over are shown, the journal\nhas all.\n",
        words(TRIED),
        words(WORDS)
    );
    page.push_str("\n## Models that are brought along\n\nA file `NAME.toml` in `playbooks/` that says only this is a standard change:\n");
    table(&mut page, &model());
    let _ = write!(page, "\nEach is a playbook like one of your own, with `url` in the place of `{PLACE}`:\n");
    for (name, text) in MODELS {
        let _ = write!(page, "\n### `{name}`\n\n```toml\n{}\n```\n", text.trim_end());
    }
    let _ = write!(
        page,
        "\n## A remedy\n\nIts keys are those of [`[[remedy]]`](config.md#remedy): `per_hour` is at most {PER_HOUR_MAX}, `before_page` at most {HOLD_MAX}.\n\
         Names in its `with`: {} and `label.NAME`.\n",
        words(NAMES)
    );
    page
}
