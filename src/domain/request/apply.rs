//! What events do to requests.

use compact_str::{CompactString, format_compact};

use super::{Approval, RequestMoved, RequestOpened, RequestState, ServiceRequest, Step, TIMELINE_MAX};
use crate::domain::event::Event;
use crate::domain::id::ServiceRequestId;
use crate::domain::incident::Entry;
use crate::domain::incident::apply::Stamp;
use crate::domain::state::{RecordKey, State};

impl ServiceRequest {
    /// The record that an event begins. An item that nobody has to agree to is approved by that.
    pub(super) fn opened(stamp: &Stamp<'_>, opened: &RequestOpened) -> Self {
        let state = match &opened.item {
            Some(_) if opened.approvers.is_empty() => RequestState::Approved,
            _ => RequestState::Submitted,
        };
        let mut request = Self {
            id: opened.request,
            title: opened.title.clone(),
            text: opened.text.clone(),
            service: opened.service.clone(),
            team: opened.team.clone(),
            of: opened.of.clone(),
            item: opened.item.clone(),
            requester: stamp.by.actor.clone(),
            for_whom: opened.for_whom.clone(),
            state,
            approvers: opened.approvers.clone(),
            approval: None,
            fulfiller: None,
            submitted_at: stamp.at,
            due: opened.due,
            reminded_at: None,
            fulfilled_at: None,
            closes: None,
            ended_at: None,
            resolution: None,
            run: None,
            asked_by: opened.asked_by.clone(),
            incident: opened.incident,
            changes: Vec::new(),
            timeline: Vec::new(),
        };
        request.tell(stamp, "submitted".into());
        request
    }

    fn tell(&mut self, stamp: &Stamp<'_>, text: CompactString) {
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push(Entry { at: stamp.at, by: stamp.by.actor.clone(), text });
        }
    }

    pub(super) fn moved(&mut self, stamp: &Stamp<'_>, step: &Step) {
        let text = match step {
            Step::Approved => {
                self.state = RequestState::Approved;
                self.approval = stamp.by.actor.person().map(|person| Approval { person: person.clone(), at: stamp.at });
                "approved".into()
            }
            Step::Rejected { reason } => {
                self.end(stamp, RequestState::Rejected, Some(reason.clone()));
                format_compact!("rejected: {reason}")
            }
            Step::Taken => {
                self.state = RequestState::InFulfilment;
                self.fulfiller = stamp.by.actor.person().cloned();
                "taken".into()
            }
            Step::Began { run } => {
                self.state = RequestState::InFulfilment;
                self.run = Some(*run);
                format_compact!("{run} fulfils it")
            }
            Step::Stalled { reason } => {
                self.state = RequestState::Approved;
                self.run = None;
                format_compact!("not fulfilled: {reason}")
            }
            Step::Linked { change } => {
                self.changes.push(*change);
                format_compact!("asked for {change}")
            }
            Step::Fulfilled { text, closes } => {
                self.state = RequestState::Fulfilled;
                self.fulfilled_at = Some(stamp.at);
                self.closes = Some(*closes);
                self.resolution = text.clone();
                if let Some(person) = stamp.by.actor.person().filter(|_| self.run.is_none()) {
                    self.fulfiller = Some(person.clone());
                }
                text.as_ref().map_or_else(|| "fulfilled".into(), |text| format_compact!("fulfilled: {text}"))
            }
            Step::Reminded => {
                self.reminded_at = Some(stamp.at);
                "told that it is overdue".into()
            }
            Step::Cancelled { reason } => {
                self.end(stamp, RequestState::Cancelled, reason.clone());
                reason.as_ref().map_or_else(|| "cancelled".into(), |reason| format_compact!("cancelled: {reason}"))
            }
            Step::Closed => {
                self.state = RequestState::Closed;
                self.ended_at = Some(stamp.at);
                self.closes = None;
                "closed".into()
            }
        };
        self.tell(stamp, text);
    }

    fn end(&mut self, stamp: &Stamp<'_>, state: RequestState, why: Option<CompactString>) {
        self.state = state;
        self.ended_at = Some(stamp.at);
        self.resolution = why;
    }
}

impl State {
    /// Applies an event about a request; another one does nothing.
    pub(in crate::domain) fn apply_request(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::RequestOpened(opened) => {
                self.meta.requests = self.meta.requests.max(opened.request.0);
                let request = ServiceRequest::opened(stamp, opened);
                self.put_request(request);
            }
            Event::RequestMoved(moved) => {
                let RequestMoved { request, step } = &**moved;
                let Some(mut record) = self.take_request(*request) else { return };
                record.moved(stamp, step);
                self.put_request(record);
            }
            _ => {}
        }
    }

    fn take_request(&mut self, id: ServiceRequestId) -> Option<ServiceRequest> {
        let request = *self.requests.remove(&id)?;
        if let Some(wakeup) = request.wakeup() {
            self.index.wakeups.remove(&wakeup);
        }
        Some(request)
    }

    /// One that is over leaves State.
    fn put_request(&mut self, request: ServiceRequest) {
        self.dirty.touched.insert(RecordKey::Request(request.id));
        if request.state.over() {
            self.dirty.closed_requests.insert(request.id, request);
            return;
        }
        self.index.wakeups.extend(request.wakeup());
        self.requests.insert(request.id, Box::new(request));
    }

    /// Derives the look-ups of requests; once, after assembling.
    pub(in crate::domain) fn index_requests(&mut self) {
        self.index.wakeups.extend(self.requests.values().filter_map(|request| request.wakeup()));
    }
}
