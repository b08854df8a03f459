//! The value stream of a change: how long what it brings in took from commit to verified, stage by stage, as far as that
//! is known. What nobody told is unknown, never zero.

use super::Change;
use super::deployed::Took;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// The stages, in order, each with how long it took; of a change that brings in a version.
///
/// - commit: from when the deployed commit was written to when the change was asked for;
/// - review: from then to the last approval that counts;
/// - build, test: from when the first of them began that went well until the last was over, as the code host tells of
///   its runs and jobs for the deployed commit;
/// - deploy: from when it began to when it was over;
/// - verify: from then to when it was reviewed and its record complete.
pub fn stages(change: &Change, state: &State) -> Option<[(&'static str, Option<Span>); 6]> {
    let its = || state.deployments.values().filter(|it| it.change == Some(change.id));
    if change.content.version.is_none() && its().next().is_none() {
        return None;
    }
    let committed = its().filter_map(|it| it.committed_at).min();
    // A change that was recorded because it had been deployed was not reviewed before.
    let reviewed = change.standing().map(|it| it.at).max();
    let [began, ended] = [&change.started, &change.ended].map(|done| done.as_ref().map(|done| done.at));
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| {
        let (from, to) = (from?, to?);
        (from <= to).then(|| to.since(from))
    };
    let commits = || its().filter_map(|it| state.commit(it.sha.as_deref()?));
    let took = |it: Took| it.until.since(it.from);
    let opened = Some(change.opened_at);
    Some([
        ("commit", between(committed, opened)),
        ("review", between(opened, reviewed)),
        ("build", commits().find_map(|it| it.built).map(took)),
        ("test", commits().find_map(|it| it.tested).map(took)),
        ("deploy", between(began, ended)),
        ("verify", between(ended, change.closed_at)),
    ])
}

/// `commit 185 min → review 25 min → build unknown → …`.
pub fn line(change: &Change, state: &State) -> Option<String> {
    let told = stages(change, state)?.map(|(stage, took)| match took {
        Some(took) => format!("{stage} {} min", took.0 / 60_000),
        None => format!("{stage} unknown"),
    });
    Some(told.join(" → "))
}
