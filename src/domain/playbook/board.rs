//! The message of a run: where a chat can edit, one message shows how it stands, from its beginning to its end. It is asked
//! for by an owed delivery, whose receipt says where it is; what it shows follows from State and is the chat's work. Where
//! nothing is edited, the beginning is a line like any other.

use super::Move;
use super::drive::{post_content, step};
use super::{Run, show};
use crate::domain::delivery::{Content, Delivery};
use crate::domain::draft::Draft;
use crate::domain::id::RunId;
use crate::domain::input::Place;

/// A message that is deleted more often than this is not wanted there.
const LOST_MAX: u8 = 3;

/// Says how a run stands, in a message that is kept up to date where that can be done.
pub(super) fn put(draft: &mut Draft<'_>, run: &Run, text: String) {
    post_content(draft, run, Content::Progress { text, run: run.id });
}

/// The message that a delivery asked for stands there.
pub fn placed(draft: &mut Draft<'_>, delivery: &Delivery, place: &Place) {
    let Some(Content::Progress { run, .. }) = delivery.content.as_deref() else { return };
    if let Some(mut run) = draft.state.runs.get(run).map(|run| (**run).clone()) {
        step(draft, &mut run, Move::Shown { place: Box::new(place.clone()) });
    }
}

/// Somebody deleted the message: as long as the run goes on there is another one, for a few times.
pub fn lost(draft: &mut Draft<'_>, id: RunId, message: &str) {
    let Some(mut run) = draft.state.runs.get(&id).map(|run| (**run).clone()) else { return };
    if run.board.place.as_ref().and_then(|place| place.message.as_deref()) != Some(message) {
        return;
    }
    step(draft, &mut run, Move::MessageLost);
    if run.ended.is_none() && run.board.lost <= LOST_MAX {
        let text = format!("{} goes on: {}.", run.headline(), show::doing(&run));
        put(draft, &run, text);
    }
}
