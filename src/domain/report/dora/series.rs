//! The measures over time, for plots: by civil day, week (from Monday) or month of a zone. The first and the last piece
//! are cut to what the report counts. How it is drawn is each face's own.

use chrono::{Datelike, Days, Months, NaiveDate};
use chrono_tz::Tz;

use super::{Heap, Measures, measure};
use crate::domain::time::{Timestamp, start_of_day};

/// Up to so many days each day stands for itself …
const BY_DAY_MAX: u16 = 14;
/// … and up to so many each week.
const BY_WEEK_MAX: u16 = 16 * 7;

/// How long a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A civil day.
    Day,
    /// A civil week, from Monday.
    Week,
    /// A civil month.
    Month,
}

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The first day of the whole day, week or month.
    pub begins: NaiveDate,
    /// What it counts; the first piece begins with the report.
    pub from: Timestamp,
    /// Until when; the last piece ends with the report.
    pub until: Timestamp,
    /// Whether everything of it is remembered.
    pub complete: bool,
    /// What is counted.
    pub measures: Measures,
}

/// The pieces of a report, the oldest first; together they count what it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// How long each is.
    pub grain: Grain,
    /// Whose days they are.
    pub zone: Tz,
    /// At least one.
    pub pieces: Vec<Piece>,
}

impl Grain {
    /// What is readable over so many days: at most 18 pieces.
    pub fn of(days: u16) -> Self {
        if days <= BY_DAY_MAX {
            Self::Day
        } else if days <= BY_WEEK_MAX {
            Self::Week
        } else {
            Self::Month
        }
    }

    /// `day`, `week`, `month`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the piece that a day is in.
    fn begins(self, day: NaiveDate) -> NaiveDate {
        let back = match self {
            Self::Day => 0,
            Self::Week => u64::from(day.weekday().num_days_from_monday()),
            Self::Month => u64::from(day.day0()),
        };
        day.checked_sub_days(Days::new(back)).unwrap_or(day)
    }

    /// The first day of the next piece; `None`: the calendar ends.
    fn next(self, begins: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => begins.checked_add_days(Days::new(1)),
            Self::Week => begins.checked_add_days(Days::new(7)),
            Self::Month => begins.checked_add_months(Months::new(1)),
        }
    }

    /// `Mon 23 Nov`, `23 Nov`, `Nov 2026`.
    pub fn label(self, begins: NaiveDate) -> String {
        let form = match self {
            Self::Day => "%a %-d %b",
            Self::Week => "%-d %b",
            Self::Month => "%b %Y",
        };
        begins.format(form).to_string()
    }
}

impl Series {
    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|it| it.measures.ended == 0 && it.measures.incidents == 0)
    }

    /// Cuts a heap of what lies in `(from, until]`.
    pub(super) fn cut(
        heap: &Heap<'_>,
        grain: Grain,
        zone: Tz,
        (from, until): (Timestamp, Timestamp),
        complete_from: Option<Timestamp>,
    ) -> Self {
        let mut pieces: Vec<(Piece, Heap<'_>)> = Vec::new();
        let mut day = Some(grain.begins(from.local(zone).date()));
        while let Some(begins) = day {
            let start = start_of_day(begins, zone);
            if start > until {
                break;
            }
            day = grain.next(begins);
            let end = day.map_or(until, |next| start_of_day(next, zone)).min(until);
            let start = start.max(from);
            // A day that a zone leaves out (Apia, 30 December 2011) is no piece, but there is always one.
            if start < end || pieces.is_empty() && end == until {
                let complete = complete_from.is_none_or(|since| since <= start);
                let measures = Measures::default();
                pieces.push((Piece { begins, from: start, until: end, complete, measures }, Heap::default()));
            }
        }
        // A piece has what happened at its beginning, the last one also what happens now.
        let place = |at: Timestamp, pieces: &[(Piece, Heap<'_>)]| {
            pieces.partition_point(|(piece, _)| piece.from <= at).checked_sub(1)
        };
        for it in &heap.deployments {
            if let Some(n) = it.ended_at.and_then(|at| place(at, &pieces)) {
                pieces[n].1.deployments.push(it);
            }
        }
        for it in &heap.outages {
            if let Some(n) = place(it.over(), &pieces) {
                pieces[n].1.outages.push(it);
            }
        }
        let counted = pieces.into_iter().map(|(piece, heap)| Piece { measures: measure(&heap, until), ..piece });
        Self { grain, zone, pieces: counted.collect() }
    }
}

#[cfg(test)]
mod tests;
