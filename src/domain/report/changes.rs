//! `/report changes`: the changes that were asked for within some days, in numbers, and where all of them stand as CSV.
//! State knows those that are open and those that were over lately; `GET /v1/reports/changes.csv` has every one.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};

use crate::domain::change::{Change, Outcome};
use crate::domain::draft::Draft;
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::{Timestamp, start_of_day};

/// What is asked: days in the asker's zone, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// From this day on; the last 30 when left out.
    pub from: Option<NaiveDate>,
    /// Up to the end of this day; until now when left out.
    pub to: Option<NaiveDate>,
}

/// Days when nothing is said.
const USUAL: u64 = 30;
/// Changes that are told each.
const TOLD: usize = 20;

/// `/report changes`.
///
/// # Errors
/// The days are in the wrong order.
pub fn reply(draft: &Draft<'_>, asked: &Asked) -> Result<Reply, Reject> {
    let zone = draft.org.zone(draft.person());
    let today = draft.now.local(zone).date();
    let to = asked.to.unwrap_or(today);
    let from = asked.from.unwrap_or_else(|| to.checked_sub_days(Days::new(USUAL)).unwrap_or(to));
    if from > to {
        return Err(Reject::new(RejectCode::BadValue, format!("{from} is after {to}.")).hint("Say from: before to:"));
    }
    let begin = start_of_day(from, zone);
    let end = to.checked_add_days(Days::new(1)).map_or(draft.now, |next| start_of_day(next, zone));
    let within = |at: Timestamp| begin <= at && at < end;
    let open: Vec<&Change> = draft.state.changes.values().map(|it| &**it).filter(|it| within(it.opened_at)).collect();
    let over = draft.state.past.values().filter(|it| within(it.ended));
    let count = |outcome: Option<Outcome>| over.clone().filter(|it| it.outcome == outcome).count();
    let mut text = format!("Changes from {from} to {to}:\n");
    let _ = writeln!(text, "{} asked for and still open", open.len());
    for change in open.iter().take(TOLD) {
        let _ = writeln!(text, "- {} · {}", change.headline(), change.state);
    }
    if open.len() > TOLD {
        let _ = writeln!(text, "… and {} more", open.len() - TOLD);
    }
    for (outcome, word) in Outcome::ALL.map(|it| (Some(it), it.as_str())).into_iter().chain([(None, "rejected")]) {
        let n = count(outcome);
        if n > 0 {
            let _ = writeln!(text, "{n} over in that time: {word}");
        }
    }
    let _ = writeln!(text, "What was over more than a week ago is not counted here.");
    let _ = write!(text, "Every one, as CSV: GET /v1/reports/changes.csv?from={from}&to={to}");
    Ok(Reply::done(text))
}
