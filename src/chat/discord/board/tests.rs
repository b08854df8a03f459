//! How the message of a run looks.
