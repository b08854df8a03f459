//! Pictures of reports, as PNG: pure, from what the domain has counted. Who is told them, and how, is each face's own.

pub(crate) mod axis;
mod canvas;
pub mod dora;
