//! The words people say: command files, the text grammar, values, help and completion, as they are used together.
//! What commands do is tested with the practices.

#[path = "words/complete.rs"]
mod complete;
#[path = "words/files.rs"]
mod files;
#[path = "words/grammar.rs"]
mod grammar;
#[path = "words/help.rs"]
mod help;
#[path = "words/values.rs"]
mod values;

use opsbell::catalog::words::builtin;
use opsbell::domain::command::Call;
use opsbell::domain::org::{Org, Person, Role, Schedule, Service, Team};

/// A call as the grammar makes it.
fn call(command: &str, options: &[(&str, &str)]) -> Call {
    Call {
        command: command.into(),
        options: options.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect(),
    }
}

/// An organisation with two people, two teams, three services and the built-in words; `ledger` is a team and a
/// service, so that the bare name is not plain.
fn org() -> Org {
    let mut org = Org { lexicon: builtin(), ..Org::default() };
    for (id, discord) in [("bas", Some("204255221017214977")), ("cleo", None)] {
        let person = Person {
            id: id.into(),
            email: None,
            discord: discord.map(str::to_owned),
            github: None,
            gitlab: None,
            gitlab_id: None,
            webhook: None,
            zone: chrono_tz::Europe::Amsterdam,
            role: Role::Responder,
            left: false,
            notify_high: None,
            notify_low: None,
        };
        org.people.insert(id.into(), person);
    }
    for id in ["payments", "ledger"] {
        org.teams.insert(id.into(), Team { id: id.into(), channel: None, escalation: id.into() });
    }
    for (id, team) in [("payments-api", "payments"), ("booking", "payments"), ("ledger", "ledger")] {
        let service = Service {
            id: id.into(),
            team: team.into(),
            depends_on: Vec::new(),
            runbook: None,
            tier: 3,
            repositories: Vec::new(),
        };
        org.services.insert(id.into(), service);
    }
    let schedule = Schedule { id: "primary".into(), zone: chrono_tz::UTC, rotations: Vec::new() };
    org.schedules.insert("primary".into(), schedule);
    org
}
