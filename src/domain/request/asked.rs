//! What a step `request` of a playbook asks of people: it has a record while the run waits for the answer. The answer is
//! the run's (`/runbook answer`); `/request fulfil` and `/request reject` say the same.

use compact_str::{CompactString, format_compact};

use super::{AskedBy, RequestOpened, ServiceRequest, Step, TEXT_MAX, TITLE_MAX, open, step};
use crate::domain::change::rules::Group;
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{RunId, ServiceRequestId};
use crate::domain::limits;
use crate::domain::playbook::drive::group;
use crate::domain::playbook::{Move, Run, spec::Does};
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// Opens the record of what a step asks; the message is the step's own. Nothing where there are too many, or nobody may
/// read it: the run waits for its answer all the same.
pub fn open(draft: &mut Draft<'_>, run: &Run, text: &str, of: &str, until: Timestamp) -> Option<ServiceRequestId> {
    let request = open::next(draft).ok()?;
    let step = run.step().filter(|step| matches!(step.does, Does::Act(_)))?.id.clone();
    let title = limits::line(text, TITLE_MAX)?;
    let whole = limits::lines(text, TEXT_MAX).filter(|whole| *whole != title);
    let team = match group(of) {
        Some(Group::Team(team)) => team,
        _ => run.team.clone(),
    };
    open::open(
        draft,
        RequestOpened {
            request,
            title: title.into(),
            text: whole.map(Into::into),
            service: run.service.clone(),
            team,
            of: Some(of.into()),
            item: None,
            for_whom: None,
            approvers: Vec::new(),
            due: Some(until),
            asked_by: Some(AskedBy { run: run.id, step }),
            incident: run.incident.filter(|id| draft.open(*id).is_ok()),
        },
    );
    Some(request)
}

/// What a run asks for just now.
pub fn of_run(state: &State, run: RunId) -> Option<&ServiceRequest> {
    let mut requests = state.requests.values().map(|request| &**request);
    requests.find(|request| request.asked_by.as_ref().is_some_and(|asked| asked.run == run))
}

/// A run goes on: what it asked for is answered, or not wanted any more.
pub fn went_on(draft: &mut Draft<'_>, run: &Run, moved: &Move) {
    if !matches!(moved, Move::Ended { .. } | Move::Finished { .. }) {
        return;
    }
    let Some(mut request) = of_run(draft.state, run.id).cloned() else { return };
    // What this decision has ended already is not in State yet, and not ended again.
    let ended = |event: &Event| matches!(event, Event::RequestMoved(moved) if moved.request == request.id);
    if draft.events().iter().any(ended) {
        return;
    }
    let asks = request.asked_by.clone();
    let said = |output: &Option<CompactString>| output.clone();
    match moved {
        Move::Ended { step: name, failure, output } if asks.is_some_and(|asks| asks.step == *name) => match failure {
            None => {
                step(draft, &mut request, Step::Fulfilled { text: said(output), closes: draft.now });
                step(draft, &mut request, Step::Closed);
            }
            Some(why) if draft.person().is_some() => step(draft, &mut request, Step::Rejected { reason: why.clone() }),
            Some(why) => step(draft, &mut request, Step::Cancelled { reason: Some(why.clone()) }),
        },
        Move::Finished { ending, .. } => {
            let reason = Some(format_compact!("{} is {ending}", run.id));
            step(draft, &mut request, Step::Cancelled { reason });
        }
        _ => {}
    }
}
