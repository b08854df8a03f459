//! Incidents (ITIL 4): triggered → acknowledged → mitigated → resolved → closed. The record and its types are here;
//! `life` decides what people and alerts do to it, `paging/` who is woken, `show` how it reads.

pub mod apply;
pub mod assess;
pub mod life;
pub mod link;
pub mod merge;
pub mod private;
pub mod record;
pub mod remind;
pub mod review;
pub mod room;
pub mod show;
pub mod times;

pub use record::{Entry, Holder, Incident, IncidentState, Resolution, RoleName, Roles, Severity};
pub use review::Review;
