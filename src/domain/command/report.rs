//! The meanings of the words about reports.

use chrono::NaiveDate;

use super::meaning::{Meaning, may, meant as meaning};
use super::spec::{OptionKind, OptionSpec, Permission};
use super::typed::Command;
use super::value::{Given, service, team};
use super::word::shown;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::report::changes;
use crate::domain::report::dora::{Asked, DAYS, DAYS_MAX};
use crate::domain::time;

/// What reports mean.
pub(super) const MEANINGS: &[Meaning] = &[
    meaning(
        "report.dora",
        Permission::Read,
        &[may("team", OptionKind::Team), may("service", OptionKind::Service), may("days", OptionKind::Number)],
        |given| {
            Ok(Command::ReportDora(Asked {
                team: given.read("team", team)?,
                service: given.read("service", service)?,
                days: given.read("days", days)?.unwrap_or(DAYS),
            }))
        },
    ),
    meaning(
        "report.changes",
        Permission::Read,
        &[may("from", OptionKind::Text), may("to", OptionKind::Text)],
        |given| {
            Ok(Command::ReportChanges(changes::Asked { from: given.read("from", day)?, to: given.read("to", day)? }))
        },
    ),
];

fn day(_: &Given<'_>, _: &OptionSpec, value: &str) -> Result<NaiveDate, Reject> {
    time::day(value).ok_or_else(|| {
        Reject::new(RejectCode::BadValue, format!("`{}` is not a day.", shown(value))).hint("Say it like 2026-12-31")
    })
}

fn days(_: &Given<'_>, _: &OptionSpec, value: &str) -> Result<u16, Reject> {
    let read = value.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
    read.ok_or_else(|| {
        Reject::new(RejectCode::BadValue, format!("`{}` is not a number of days.", shown(value)))
            .hint(format!("Say 1 to {DAYS_MAX}: days:30"))
    })
}
