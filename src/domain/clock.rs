//! Steps of the wall clock: what they do to what runs by duration. A step that a running process sees is known
//! exactly; one that happened while none ran shows only where the clock is behind the journal. Reading the clock is
//! not done here.

use super::draft::Draft;
use super::event::Event;
use super::time::{Span, Timestamp};

/// A smaller difference is drift, slewing, or a restart in the same moment: followed silently.
pub const STEP: Span = Span::secs(2);

/// A process has started when the clock said `at`. A clock behind the last commit is slow now or was fast before: what
/// is due moves along with it, as if the commit had been a moment ago.
///
/// How long nobody ran is not known, so it is not counted; when the clock is set right, `stepped` makes good for it.
pub(super) fn started(draft: &mut Draft<'_>, at: Timestamp) {
    let by = at.since(draft.state.meta.at);
    if by.0 < -STEP.0 {
        draft.emit(Event::ClockStepped { by_ms: by.0, behind_ms: more(draft, by) });
    }
}

/// The wall clock was stepped under a running process. After a start with a slow clock a step forward takes back what
/// the start did and no more: what was due before the start is due then when it always was. What came up since may be
/// due too early, by the time that nobody ran.
pub(super) fn stepped(draft: &mut Draft<'_>, by: Span) {
    let behind = draft.state.meta.behind_ms;
    let event = if behind == 0 {
        Event::ClockStepped { by_ms: by.0, behind_ms: 0 }
    } else if by.0 < 0 {
        Event::ClockStepped { by_ms: by.0, behind_ms: more(draft, by) }
    } else {
        let given = by.0.min(behind);
        Event::ClockStepped { by_ms: given, behind_ms: behind - given }
    };
    draft.emit(event);
}

/// How far the clock is behind after a step back.
fn more(draft: &Draft<'_>, by: Span) -> i64 {
    draft.state.meta.behind_ms.saturating_sub(by.0)
}

/// A clock that is not behind is not written down.
pub(super) fn is_zero(ms: &i64) -> bool {
    *ms == 0
}
