//! What is known of how a change went, without anybody saying it: the planned and the real times, who agreed, the steps
//! and what they answered, the alerts that it expected, what was said and run in the incident that an emergency was for,
//! the incidents after it. The review has them; only how it ended, and what no machine knows, is asked.

use compact_str::{CompactString, format_compact};

use super::content::Class;
use super::{Change, rules};
use crate::domain::draft::Draft;
use crate::domain::limits;
use crate::domain::playbook::drive::so_far;
use crate::domain::time::Timestamp;

/// Lines at most, and characters of each.
const LINES_MAX: usize = 60;
const LINE_MAX: usize = 300;
/// Lines of an incident that are evidence of an emergency for it, the last ones.
const EVIDENCE_MAX: usize = 30;
/// Incidents after it that are named.
const AFTER_MAX: usize = 5;

/// What is known now.
pub fn of(draft: &Draft<'_>, change: &Change) -> Vec<CompactString> {
    let Some(started) = change.started.as_ref().map(|done| done.at) else { return Vec::new() };
    let ended = change.ended.as_ref().map_or(draft.now, |done| done.at);
    let mut lines: Vec<CompactString> = vec![times(change, started, ended)];
    approvals(change, &mut lines);
    steps(draft, change, &mut lines);
    let fences = draft.state.silences.values().filter(|it| it.change == Some(change.id));
    let held: u32 = fences.map(|it| it.muted_total).sum();
    if !change.content.expects.is_empty() {
        lines.push(format_compact!("expected {}: {held} held back", change.content.expects.join(", ")));
    }
    evidence(draft, change, (started, ended), &mut lines);
    after(draft, change, started, &mut lines);
    lines.truncate(LINES_MAX);
    lines.into_iter().filter_map(|line| limits::line(&line, LINE_MAX)).map(CompactString::from).collect()
}

fn times(change: &Change, started: Timestamp, ended: Timestamp) -> CompactString {
    let ran = ended.since(started);
    let real = format_compact!("ran <t:{}:f> to <t:{}:f>, {}", started.unix_secs(), ended.unix_secs(), ran.whole());
    let Some(window) = change.window() else { return real };
    let over = ended.since(window.until);
    let late =
        if over.0 > 0 { format!(", {} longer than planned", over.whole()) } else { ", within its time".to_owned() };
    let (from, until) = (window.from.unix_secs(), window.until.unix_secs());
    format_compact!("planned <t:{from}:f> to <t:{until}:f>; {real}{late}")
}

fn approvals(change: &Change, lines: &mut Vec<CompactString>) {
    let used: Vec<String> = change
        .approvals
        .iter()
        .filter(|it| it.used.is_some())
        .map(|it| {
            it.stands_for.as_ref().map_or_else(|| it.person.to_string(), |other| format!("{} for {other}", it.person))
        })
        .collect();
    if !used.is_empty() {
        lines.push(format_compact!("approved by {}", used.join(", ")));
    }
    if let Some(why) = &change.unapproved {
        lines.push(format_compact!("UNAPPROVED: {why}"));
    }
}

fn steps(draft: &Draft<'_>, change: &Change, lines: &mut Vec<CompactString>) {
    for run in draft.state.runs.values().filter(|run| run.change == Some(change.id)) {
        // The step with which it ended is of this very decision.
        let run = so_far(draft, run);
        for step in &run.done {
            let how = match (&step.failure, &step.output) {
                (Some(failure), _) => format!("failed: {failure}"),
                (None, Some(output)) => format!("done: {output}"),
                (None, None) => "done".to_owned(),
            };
            lines.push(format_compact!("{} {} {}: {how}", run.id, step.part, step.step));
        }
    }
}

/// What was said and run in the incident while an emergency for it ran.
fn evidence(
    draft: &Draft<'_>,
    change: &Change,
    (started, ended): (Timestamp, Timestamp),
    lines: &mut Vec<CompactString>,
) {
    let Some(incident) = change.incident.filter(|_| change.content.class == Class::Emergency) else { return };
    let Some(record) = draft.incident(incident).or_else(|| draft.closed(incident)) else {
        // It is closed by now; what was seen of it when the change ended stays.
        let mark = format_compact!("{incident} <t:");
        return lines.extend(change.facts.iter().filter(|line| line.starts_with(mark.as_str())).cloned());
    };
    // Everybody reads changes.
    if record.private {
        return;
    }
    let during: Vec<_> = record.timeline.iter().filter(|it| started <= it.at && it.at <= ended).collect();
    for entry in &during[during.len().saturating_sub(EVIDENCE_MAX)..] {
        lines.push(format_compact!("{incident} <t:{}:T> {}: {}", entry.at.unix_secs(), entry.by, entry.text));
    }
}

/// Incidents on the service since it began, and those that it is said to have caused.
fn after(draft: &Draft<'_>, change: &Change, started: Timestamp, lines: &mut Vec<CompactString>) {
    if !change.caused.is_empty() {
        let caused: Vec<String> = change.caused.iter().map(ToString::to_string).collect();
        lines.push(format_compact!("caused {}", caused.join(", ")));
    }
    let here = |it: &&crate::domain::incident::Incident| {
        let environment = rules::environment(it.environment.as_deref().unwrap_or_default());
        it.service == change.content.service && environment == change.content.environment && !it.private
    };
    let known = draft.state.incidents.values().map(|it| &**it);
    let later = known
        .filter(here)
        .filter(|it| it.opened_at >= started && !change.caused.contains(&it.id))
        .map(|it| format!("{} {}", it.id, it.title));
    // Those that are closed by now are known in short.
    let private = &draft.state.meta.private;
    let over = draft.state.outages.values().filter(|it| {
        let environment = rules::environment(it.environment.as_deref().unwrap_or_default());
        let here = it.service == change.content.service && environment == change.content.environment;
        let seen = draft.state.incidents.contains_key(&it.incident) || change.caused.contains(&it.incident);
        here && it.detected >= started && !seen && !private.contains(&it.incident)
    });
    let later: Vec<String> = later.chain(over.map(|it| format!("{}, closed", it.incident))).take(AFTER_MAX).collect();
    lines.push(match later.as_slice() {
        [] => "no other incident on the service since it began".into(),
        some => format_compact!("since it began: {}", some.join("; ")),
    });
}
