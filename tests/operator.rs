//! An operator's life: journals of old releases, the documents whose lines really run, what an import makes.

#![cfg(feature = "cli")]
// What is unwrapped is what the test is about.
#![allow(clippy::unwrap_used)]

#[path = "operator/documents.rs"]
mod documents;
#[path = "operator/imports.rs"]
mod imports;
#[path = "operator/journals.rs"]
mod journals;
#[path = "operator/lines.rs"]
mod lines;
mod support;
