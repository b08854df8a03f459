//! The shapes of reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// The four measures of something. `null` is unknown, and is not zero.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DoraRow {
    /// Deployments that arrived in a controlled environment.
    pub deployments: usize,
    pub deployments_per_week: f64,
    /// Days, back from `until`, on which one arrived.
    pub days_with_deployments: usize,
    /// Deployments that ended, arrived or not.
    pub deployments_ended: usize,
    /// Those of them that failed, were rolled back, or whose change failed or caused an incident.
    pub deployments_failed: usize,
    /// Deployments without the approval that they needed.
    pub deployments_unapproved: usize,
    /// `deployments_failed` of `deployments_ended`, 0 to 1.
    pub change_failure_rate: Option<f64>,
    /// The median.
    pub lead_time_seconds: Option<i64>,
    pub lead_time_known: usize,
    pub lead_time_unknown: usize,
    pub incidents: usize,
    /// Those of them that a change caused.
    pub incidents_by_change: usize,
    /// The median.
    pub time_to_restore_seconds: Option<i64>,
    pub time_to_restore_known: usize,
}

/// The measures of DORA.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Dora {
    pub from: Time,
    pub until: Time,
    pub days: u16,
    /// Something before this is no longer remembered; `null`: nothing is missing.
    pub complete_from: Option<Time>,
    /// What each measure is.
    pub definitions: BTreeMap<String, String>,
    pub total: DoraRow,
    pub teams: BTreeMap<String, DoraRow>,
    pub services: BTreeMap<String, DoraRow>,
    /// Arrived deployments of each week, the oldest first; the last one is the seven days until `until`.
    pub weeks: Vec<usize>,
    pub series: DoraSeries,
}

/// The measures over time, as they are plotted; together the pieces count what `total` counts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DoraSeries {
    /// How long a piece is: `day`, `week` (from Monday) or `month`.
    pub by: String,
    /// Whose days they are: the asker's zone.
    pub zone: String,
    /// The oldest first.
    pub pieces: Vec<DoraPiece>,
}

/// The measures of a day, a week or a month. `null` is unknown, and is not zero.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DoraPiece {
    /// Its first day, as a whole: `2026-11-23`.
    pub begins: String,
    /// From when it counts: the first piece from when the report does.
    pub from: Time,
    /// Until when: the last piece until now.
    pub until: Time,
    /// Whether everything of it is remembered.
    pub complete: bool,
    pub deployments: usize,
    pub deployments_ended: usize,
    pub deployments_failed: usize,
    pub deployments_unapproved: usize,
    pub change_failure_rate: Option<f64>,
    /// The median.
    pub lead_time_seconds: Option<i64>,
    pub lead_time_known: usize,
    pub lead_time_unknown: usize,
    pub incidents: usize,
    pub incidents_by_change: usize,
    /// The median.
    pub time_to_restore_seconds: Option<i64>,
    pub time_to_restore_known: usize,
}
