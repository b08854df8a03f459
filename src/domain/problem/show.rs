//! How problems read in a reply: short, with the id and the next step.

use std::fmt::Write as _;

use super::{Problem, ProblemState};
use crate::domain::state::State;

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;
/// Incidents named in one line.
const INCIDENTS_TOLD: usize = 10;
/// Lines of the history that are shown, the last ones.
const HISTORY_TOLD: usize = 15;

/// `/problem list`: unresolved ones, then those that are resolved and not closed; oldest first.
pub fn list(state: &State) -> String {
    if state.problems.is_empty() {
        return "No open problems. Something keeps coming back? /problem open INC-n".to_owned();
    }
    let mut problems: Vec<&Problem> = state.problems.values().map(|problem| &**problem).collect();
    problems.sort_by_key(|problem| (!problem.state.open(), problem.id));
    let mut text = format!("{} open:\n", problems.iter().filter(|problem| problem.state.open()).count());
    for problem in problems.iter().take(LIST_MAX) {
        let n = problem.incidents.len() + problem.incidents_folded as usize;
        let s = if n == 1 { "" } else { "s" };
        let (state, opened) = (problem.state, problem.opened_at.unix_secs());
        let _ = writeln!(text, "{} · {state} · {n} incident{s} · <t:{opened}:R>", headline(problem));
    }
    if problems.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/problems has all)", problems.len() - LIST_MAX);
    }
    text.push_str("One of them: /problem show PRB-n");
    text
}

/// `PRB-1 payments-api: replication lag`.
fn headline(problem: &Problem) -> String {
    format!("{} {}: {}", problem.id, problem.service, problem.title)
}

/// `/problem show`.
pub fn show(problem: &Problem) -> String {
    let id = problem.id;
    let mut text = format!("{}\n{} · team {}\n", headline(problem), problem.state, problem.team);
    let _ = writeln!(text, "opened <t:{}:f> by {}", problem.opened_at.unix_secs(), problem.opened_by);
    for (what, at) in [("resolved", problem.resolved_at), ("closed", problem.closed_at)] {
        if let Some(at) = at {
            let _ = writeln!(text, "{what} <t:{}:f>", at.unix_secs());
        }
    }
    let or = |known: &Option<_>| known.as_ref().map_or("not known yet".to_owned(), ToString::to_string);
    let _ = writeln!(text, "root cause: {}\nworkaround: {}", or(&problem.root_cause), or(&problem.workaround));
    let from = problem.incidents.len().saturating_sub(INCIDENTS_TOLD);
    let named: Vec<String> = problem.incidents[from..].iter().map(ToString::to_string).collect();
    let more = match from + problem.incidents_folded as usize {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let _ = writeln!(text, "incidents: {}{more}", if named.is_empty() { "none".to_owned() } else { named.join(", ") });
    let from = problem.timeline.len().saturating_sub(HISTORY_TOLD);
    for entry in &problem.timeline[from..] {
        let _ = writeln!(text, "<t:{}:f> {}: {}", entry.at.unix_secs(), entry.by, entry.text);
    }
    text.push_str(&match problem.state {
        ProblemState::Open | ProblemState::Investigating
            if problem.workaround.is_none() && problem.root_cause.is_none() =>
        {
            format!("Next: /problem root-cause {id} … or /problem workaround {id} …")
        }
        ProblemState::Open | ProblemState::Investigating => {
            format!("Next: /problem known-error {id} or /problem resolve {id} …")
        }
        ProblemState::KnownError => format!("Next: /problem resolve {id} …"),
        ProblemState::Resolved => format!("When it stays away: /problem close {id}"),
        ProblemState::Closed => "Its record is complete.".to_owned(),
    });
    text
}
