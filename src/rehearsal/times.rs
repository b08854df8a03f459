//! The times of a transcript. How times read within what people are told is `paging/look`'s, here as for everybody.

use chrono_tz::Tz;

use crate::domain::time::Timestamp;

/// `Fri 25 Dec 03:05:00`.
pub(super) fn clock(at: Timestamp, zone: Tz) -> String {
    at.local(zone).format("%a %-d %b %H:%M:%S").to_string()
}
